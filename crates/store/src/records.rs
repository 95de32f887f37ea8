//! Call records: every request on a key, in files that only grow and are thinned by age and size.
//!
//! ```text
//! the line ─ try_send ─▶ bounded queue ─▶ one thread ─┬─▶ proven/    journal segments ─ closed ─▶ archives (zstd)
//!                        (full: dropped, counted)     └─▶ unproven/  the same, with a budget for each key
//! ```
//!
//! A record is on the disk at most one flush interval after its call ended, and the writer sleeps that long, unless
//! some tens of them wait; a crash loses that interval at most. A call never waits for its record, and a full disk stops no
//! call: what cannot be kept is counted and told in the log. Calls whose signature did not hold have files and a budget
//! of their own, so that they never displace others: the public name of a key is no secret. Payloads of refused
//! signatures stay in memory, for a day.

mod archive;
mod budget;
mod format;
mod payloads;
mod query;
mod shelf;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use latchkey_admission::ports::{CallLog, CallLogError, Clock, Recorder};
use latchkey_admission::records::{CallPage, CallQuery};
use latchkey_admission::trail::CallRecord;

use crate::folder::FolderError;
use crate::segments::SegmentError;
use latchkey_exchange::ports::JournalError;
use payloads::Payloads;
use shelf::{Kept, Shelf};
use writer::{Message, Writer};

/// Why call records cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The folder or a file of it.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A segment.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The journal of the calls that are not archived yet.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An archive that is not what was written.
    #[error("`{}` is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Written by a newer program.
    #[error("`{}` has format {found}, newer than this program reads: upgrade it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u16,
    },
}

/// How long and how much of one class of records is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keep {
    /// Archives whose newest record is older are removed.
    pub age: Duration,
    /// While all archives together are larger, the oldest is removed.
    pub bytes: u64,
}

/// How call records are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordSettings {
    /// The folder; made when it is absent.
    pub folder: PathBuf,
    /// Records that may wait to be written; one more is dropped and counted.
    pub queue: usize,
    /// How often what was gathered is written and synced.
    pub flush_every: Duration,
    /// A file that would grow beyond this many bytes is closed and compressed.
    pub segment_bytes: u64,
    /// How long calls are kept whose signature held, or needed none.
    pub proven: Keep,
    /// How long calls are kept whose signature did not hold.
    pub unproven: Keep,
    /// Unproven calls of one key in one minute that are kept one by one beyond the first few of each network; those
    /// beyond are counted together.
    pub unproven_per_key: u32,
    /// What is dropped first when the queue fills up.
    pub shares: Shares,
}

/// The part of the queue, in percent, up to which a class of calls is still taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shares {
    /// Calls that change something, or may have.
    pub changes: u8,
    /// Calls that change nothing.
    pub reads: u8,
    /// Calls whose signature did not hold.
    pub unproven: u8,
}

impl Default for Shares {
    fn default() -> Self {
        Self { changes: 100, reads: 75, unproven: 50 }
    }
}

impl Shares {
    /// Records that may wait before the writer is woken: few enough that it never works for long at a stretch, which
    /// calls on the same processor would wait for, and half of what the smallest share takes at most.
    fn wake_at(self, queue: usize) -> usize {
        const AT_A_STRETCH: usize = 64;
        let smallest = Class::ALL.into_iter().map(|class| self.of(class, queue)).min().unwrap_or(0);
        AT_A_STRETCH.min(smallest / 2)
    }

    /// Records that may wait before one of `class` is dropped.
    fn of(self, class: Class, queue: usize) -> usize {
        let percent = match class {
            Class::Unproven => self.unproven,
            Class::Read => self.reads,
            Class::Change => self.changes,
        };
        queue.saturating_mul(percent.into()) / 100
    }
}

impl RecordSettings {
    /// The usual settings for a folder: 90 days or 4 GiB, and 7 days or 256 MiB of unproven calls.
    pub fn new(folder: &Path) -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            folder: folder.to_owned(),
            queue: 1 << 16,
            flush_every: Duration::from_millis(250),
            segment_bytes: 16 << 20,
            proven: Keep { age: Duration::from_secs(90 * DAY), bytes: 4 << 30 },
            unproven: Keep { age: Duration::from_secs(7 * DAY), bytes: 256 << 20 },
            unproven_per_key: 20,
            shares: Shares::default(),
        }
    }
}

/// Counts of what became of records.
#[derive(Default, Debug)]
pub struct RecordCounts {
    /// Written and synced.
    pub kept: AtomicU64,
    /// Dropped because the queue was too full for their class, by class.
    dropped: [AtomicU64; Class::ALL.len()],
    /// Lost because the files could not be written, or because the writer has failed.
    pub failed: AtomicU64,
    /// 1 once the writer's thread has failed: nothing is recorded any more.
    pub writer_failed: AtomicU64,
    /// Unproven calls that were told together with others.
    pub summarised: AtomicU64,
    /// Whether the files cannot be written now.
    pub failing: AtomicBool,
}

impl RecordCounts {
    /// How many of a class were dropped because the queue was too full for it.
    pub fn dropped(&self, class: Class) -> u64 {
        self.dropped.get(class as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    fn drop_one(&self, class: Class) {
        if let Some(count) = self.dropped.get(class as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A class of calls, as far as overload is concerned. The first to go is what matters least.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// The signature did not hold.
    Unproven,
    /// It changed nothing.
    Read,
    /// It changed something, or may have.
    Change,
}

impl Class {
    /// Every class, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Unproven, Self::Read, Self::Change];

    /// The name in metrics, and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unproven => "unproven",
            Self::Read => "reads",
            Self::Change => "changes",
        }
    }

    fn of(record: &CallRecord) -> Self {
        if !record.proven {
            Self::Unproven
        } else if record.row.is_some_and(|row| row.changes_state) {
            Self::Change
        } else {
            Self::Read
        }
    }
}

/// The call records of one server. Dropping it writes what is left.
pub struct Records {
    sender: SyncSender<Message>,
    writer: Thread,
    waiting: Arc<AtomicUsize>,
    wake_at: usize,
    queue: usize,
    shares: Shares,
    counts: Arc<RecordCounts>,
    shelves: Arc<[Shelf; 2]>,
    payloads: Arc<Payloads>,
    clock: Arc<dyn Clock>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Records {
    /// Opens the records and starts the thread that writes them.
    ///
    /// # Errors
    /// [`RecordsError`] when the folder cannot be used, or holds files of a newer program. A damaged file is set aside,
    /// and the log says so.
    pub fn open(settings: RecordSettings, clock: Arc<dyn Clock>) -> Result<Self, RecordsError> {
        let shelf = |name: &str, keep| Shelf::open(&settings.folder.join(name), settings.segment_bytes, keep);
        let (proven, proven_file) = shelf("proven", settings.proven)?;
        let (unproven, unproven_file) = shelf("unproven", settings.unproven)?;
        let shelves = Arc::new([proven, unproven]);
        let (sender, receiver) = sync_channel(settings.queue);
        let (waiting, counts) = (Arc::<AtomicUsize>::default(), Arc::<RecordCounts>::default());
        let payloads = Arc::<Payloads>::default();
        let (queue, shares) = (settings.queue, settings.shares);
        let writer = Writer::new(
            settings,
            Arc::clone(&clock),
            Arc::clone(&shelves),
            [proven_file, unproven_file],
            Arc::clone(&counts),
            Arc::clone(&payloads),
        );
        let thread = {
            let (waiting, ended, wake_at) = (Arc::clone(&waiting), Arc::clone(&counts), shares.wake_at(queue));
            std::thread::Builder::new()
                .name("call-records".to_owned())
                .spawn(move || {
                    let _ended = Ended(ended);
                    writer.run(&receiver, &waiting, wake_at);
                })
                .map_err(FolderError::at(Path::new("call-records")))?
        };
        Ok(Self {
            sender,
            writer: thread.thread().clone(),
            waiting,
            wake_at: shares.wake_at(queue),
            queue,
            shares,
            counts,
            shelves,
            payloads,
            clock,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// What became of records so far.
    pub fn counts(&self) -> &RecordCounts {
        &self.counts
    }

    /// Returns when everything that was recorded before this call is on the disk, or was counted as lost.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.tell(Message::Flush(done)) {
            // The writer answers, or has ended: then there is nothing to wait for.
            let _ = wait.recv();
        }
    }

    /// Sends the writer what it is to do now, and wakes it; whether it is still there.
    fn tell(&self, message: Message) -> bool {
        let sent = self.sender.send(message).is_ok();
        self.writer.unpark();
        sent
    }

    /// Writes what is left and ends the thread. Later records are dropped and counted.
    pub fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            self.tell(Message::Stop);
            if thread.join().is_err() {
                tracing::error!("the thread that writes call records has failed");
            }
        }
    }
}

/// Tells how the writer's thread ended.
struct Ended(Arc<RecordCounts>);

impl Drop for Ended {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.writer_failed.store(1, Ordering::Relaxed);
            tracing::error!(
                "the thread that writes call records has failed: no call is recorded until the server starts again"
            );
        }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        self.close();
    }
}

impl Recorder for Records {
    fn record(&self, record: CallRecord) {
        if record.key.is_none() && record.api_key.is_none() {
            return;
        }
        let place = self.waiting.fetch_add(1, Ordering::Relaxed);
        let class = Class::of(&record);
        let sent = place < self.shares.of(class, self.queue)
            && match self.sender.try_send(Message::Call(Box::new(record))) {
                Ok(()) => true,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
            };
        // Waking the writer for each record would cost more than all else here.
        if place == self.wake_at {
            self.writer.unpark();
        }
        if !sent {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            // A writer that failed takes nothing any more, and leaves its queue as full as it was.
            if self.counts.writer_failed.load(Ordering::Relaxed) > 0 {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
            } else {
                self.counts.drop_one(class);
            }
        }
    }
}

impl CallLog for Records {
    fn find(&self, query: &CallQuery) -> Result<CallPage, CallLogError> {
        let mut page = query::find(&*self.shelves, query).map_err(|error| CallLogError(Box::new(error)))?;
        let now = self.clock.now();
        for entry in &mut page.entries {
            self.payloads.add_to(entry, now);
        }
        Ok(page)
    }
}

/// What both the writer and queries know of a class: its files.
impl Shelf {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // A panic between two steps leaves at worst a file that the next start finds.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The one thread that writes call records.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::thread::park_timeout;
use std::time::Duration;

use latchkey_admission::ports::Clock;
use latchkey_admission::records::CallEntry;
use latchkey_admission::trail::CallRecord;
use latchkey_exchange::ports::Journal as _;
use latchkey_protocol::{AccountId, KeyId, Timestamp};

use super::budget::Budget;
use super::payloads::Payloads;
use super::shelf::{Open, Shelf};
use super::{RecordCounts, RecordSettings, RecordsError, format};

/// What the thread is sent.
pub(super) enum Message {
    /// A call has ended.
    Call(Box<CallRecord>),
    /// Write what was gathered, then say so.
    Flush(SyncSender<()>),
    /// Write what was gathered, then end.
    Stop,
}

/// In whose name calls with an unknown key go through here: as far as those of a known one, so that the time of an
/// answer does not tell the two apart, and no farther.
const NOBODY: (AccountId, KeyId) = (AccountId(0), KeyId(0));
/// Records taken from the queue before they are written, whatever the interval.
const TAKEN_MAX: u32 = 8192;
/// How often old archives are looked for, in microseconds.
const THIN_EVERY: i64 = 60_000_000;

/// How often it is told that records cannot be written, in microseconds.
const TELL_EVERY: i64 = 60_000_000;

/// The state of the thread.
pub(super) struct Writer {
    settings: RecordSettings,
    clock: Arc<dyn Clock>,
    shelves: Arc<[Shelf; 2]>,
    classes: [Class; 2],
    budget: Budget,
    counts: Arc<RecordCounts>,
    payloads: Arc<Payloads>,
    flushed: Timestamp,
    thinned: Timestamp,
}

/// The journal of one class and what was gathered for it; no journal after a failure, until it opens again.
struct Class {
    journal: Option<Open>,
    gathered: u64,
    trouble: Option<Trouble>,
    /// When closed segments are archived again after that failed.
    archive_at: Timestamp,
}

/// That a class cannot be written: it is told at once, once a minute, and at its end.
struct Trouble {
    /// Records lost since it began.
    lost: u64,
    told: Timestamp,
}

impl Writer {
    pub(super) fn new(
        settings: RecordSettings,
        clock: Arc<dyn Clock>,
        shelves: Arc<[Shelf; 2]>,
        journals: [Open; 2],
        counts: Arc<RecordCounts>,
        payloads: Arc<Payloads>,
    ) -> Self {
        let budget = Budget::new(settings.unproven_per_key);
        let now = clock.now();
        let classes =
            journals.map(|journal| Class { journal: Some(journal), gathered: 0, trouble: None, archive_at: now });
        Self { settings, clock, shelves, classes, budget, counts, payloads, flushed: now, thinned: now }
    }

    /// Writes until it is told to stop, or nobody is left to tell. Sleeps until the next flush, or until `wake_at` records
    /// wait: those it takes, without a flush before its time.
    pub(super) fn run(mut self, messages: &Receiver<Message>, waiting: &AtomicUsize, wake_at: usize) {
        // Since the last flush, and since it slept last.
        let (mut taken, mut at_once, mut slept) = (0, 0, false);
        loop {
            match messages.try_recv() {
                Ok(Message::Call(record)) => {
                    waiting.fetch_sub(1, Ordering::Relaxed);
                    self.take(record);
                    taken += 1;
                    at_once += 1;
                    if taken < TAKEN_MAX {
                        continue;
                    }
                    self.flush();
                }
                Ok(Message::Flush(done)) => {
                    self.flush();
                    // Whoever asked may have gone away.
                    let _ = done.send(());
                }
                // It slept out its time: nobody woke it. The clock is not asked alone, since it can be set back.
                Err(TryRecvError::Empty) if slept && (at_once < wake_at || self.wait().is_zero()) => self.flush(),
                Err(TryRecvError::Empty) => {
                    park_timeout(self.wait());
                    (at_once, slept) = (0, true);
                    continue;
                }
                Ok(Message::Stop) | Err(TryRecvError::Disconnected) => break,
            }
            (taken, at_once, slept) = (0, 0, false);
        }
        for entry in self.budget.drain() {
            self.keep(1, entry);
        }
        self.flush();
    }

    /// The time until the next flush is due.
    fn wait(&self) -> Duration {
        let passed = self.clock.now().micros_since(self.flushed);
        self.settings.flush_every.saturating_sub(Duration::from_micros(u64::try_from(passed).unwrap_or(0)))
    }

    fn take(&mut self, mut record: Box<CallRecord>) {
        record.key.get_or_insert(NOBODY);
        let class = usize::from(!record.proven);
        if !record.proven {
            for told in self.budget.turn(record.arrived) {
                self.keep(1, told);
            }
            match self.budget.spend(record) {
                Some(kept) => record = kept,
                None => return count(&self.counts.summarised, 1),
            }
        }
        let Some(mut entry) = CallEntry::of(&record) else { return };
        self.payloads.take_from(&mut entry);
        self.keep(class, entry);
    }

    fn keep(&mut self, class: usize, entry: CallEntry) {
        if (entry.account, entry.key) == NOBODY {
            return;
        }
        let Some(class) = self.classes.get_mut(class) else { return };
        let appended = class.journal.as_mut().zip(format::encode(&entry)).is_some_and(|(journal, bytes)| {
            let next = journal.segments.next_sequence();
            journal.segments.append(next, &bytes).is_ok()
        });
        if appended {
            class.gathered += 1;
        } else {
            count(&self.counts.failed, 1);
            if let Some(trouble) = &mut class.trouble {
                trouble.lost += 1;
            }
        }
    }

    fn flush(&mut self) {
        let now = self.clock.now();
        for told in self.budget.turn(now) {
            self.keep(1, told);
        }
        for (class, shelf) in self.classes.iter_mut().zip(&*self.shelves) {
            let gathered = std::mem::take(&mut class.gathered);
            match class.write(shelf, gathered > 0) {
                Ok(()) => {
                    count(&self.counts.kept, gathered);
                    class.wrote(shelf, gathered > 0, now);
                }
                Err(error) => {
                    count(&self.counts.failed, gathered);
                    class.failed(&error, gathered, now);
                }
            }
        }
        let failing = self.classes.iter().any(|class| class.trouble.is_some());
        self.counts.failing.store(failing, Ordering::Relaxed);
        self.flushed = now;
        if now.micros_since(self.thinned) >= THIN_EVERY {
            self.thinned = now;
            for shelf in &*self.shelves {
                if let Err(error) = shelf.thin(now) {
                    tracing::error!(%error, "old call records cannot be removed");
                }
            }
        }
    }
}

impl Class {
    fn write(&mut self, shelf: &Shelf, gathered: bool) -> Result<(), RecordsError> {
        match &mut self.journal {
            Some(journal) if gathered => shelf.commit(journal),
            Some(_) => Ok(()),
            None => {
                self.journal = Some(shelf.journal()?);
                Ok(())
            }
        }
    }

    /// Ends what trouble there was, once something was written, and archives what was closed.
    fn wrote(&mut self, shelf: &Shelf, something: bool, now: Timestamp) {
        if let Some(trouble) = self.trouble.take_if(|_| something) {
            tracing::warn!(lost = trouble.lost, "call records are written again");
        }
        let Some(journal) = self.journal.as_mut().filter(|_| now >= self.archive_at) else { return };
        if let Err(error) = shelf.archive_closed(journal) {
            // What is closed is kept, and is tried again: it takes more space until then.
            self.archive_at = now.plus_micros(THIN_EVERY);
            tracing::error!(error = &error as &dyn std::error::Error, "call records cannot be compressed");
        }
    }

    /// The journal is opened anew at the next flush, which cuts what is torn.
    fn failed(&mut self, error: &RecordsError, lost: u64, now: Timestamp) {
        self.journal = None;
        let is_new = self.trouble.is_none();
        let trouble = self.trouble.get_or_insert(Trouble { lost: 0, told: now });
        trouble.lost += lost;
        if is_new || now.micros_since(trouble.told) >= TELL_EVERY {
            trouble.told = now;
            let (error, lost) = (error as &dyn std::error::Error, trouble.lost);
            tracing::error!(error, lost, "call records cannot be written; calls go on without them");
        }
    }
}

fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

//! The command log of the exchange, as files that only grow.
//!
//! ```text
//! journal-00000000000000000001.seg   header: magic, format, number of the first record, checksum
//! journal-00000000000000048213.seg   record: length and batch mark, number, checksum, bytes
//! ```
//!
//! A batch (all records between two commits) is one write to one segment, and in [`Durability::Durable`] the next
//! batch is written only after the one before is on the disk. So at most the last batch of the last segment can be
//! torn; opening cuts it there, and nobody was answered from it. An unreadable record with a later batch behind it, or
//! in an earlier segment, is damage: it is reported with file and offset, and nothing is repaired.

mod frame;
mod scan;

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use latchkey_exchange::ports::{EachRecord, Journal, JournalError};

use crate::folder::{self, FolderError, FolderLock};
use frame::{HEADER_LEN, Header};
use scan::{Reader, Step};

/// The longest record, in bytes.
pub const RECORD_MAX: usize = 16 << 20;

const PREFIX: &str = "journal";
const EXTENSION: &str = "seg";

/// What a commit waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// The disk: survives a loss of power.
    Durable,
    /// The operating system: survives the end of the process, not that of the machine.
    Buffered,
}

/// How a journal is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentSettings {
    /// What a commit waits for.
    pub durability: Durability,
    /// A segment that would grow beyond this many bytes is followed by a new one; one batch stays whole.
    pub segment_bytes: u64,
}

impl Default for SegmentSettings {
    fn default() -> Self {
        Self { durability: Durability::Durable, segment_bytes: 64 << 20 }
    }
}

/// Why a journal is not usable.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The folder or a file of it.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Bytes that were durable are not what was written.
    #[error("`{}` is damaged at byte {offset}: {what}", path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where the unreadable part starts.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// Written by a newer program.
    #[error("`{}` has format {found}, newer than format {} that this program reads: upgrade it", path.display(), frame::FORMAT)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u16,
    },
    /// A record longer than [`RECORD_MAX`].
    #[error("a record of {0} bytes is too long for the journal")]
    TooLong(usize),
}

/// A journal in a folder of its own, which it locks.
#[derive(Debug)]
pub struct Segments {
    lock: FolderLock,
    settings: SegmentSettings,
    /// First record and path of each segment, in rising order; the last one is being written.
    segments: Vec<(u64, PathBuf)>,
    /// The end of the last segment; `None` before the first record ever.
    current: Option<Current>,
    /// The batch in progress, framed.
    batch: Vec<u8>,
    /// The number of the next record to append.
    next: u64,
    /// The number of the next record after the last commit.
    committed: u64,
    stopped: bool,
}

#[derive(Debug)]
struct Current {
    file: File,
    length: u64,
}

impl Segments {
    /// Opens the journal in `folder`, making both when they are absent, and cuts a torn batch off its end.
    ///
    /// # Errors
    /// [`SegmentError`]; nothing was changed then.
    pub fn open(folder: &Path, settings: SegmentSettings) -> Result<Self, SegmentError> {
        let lock = FolderLock::take(folder)?;
        let segments = folder::numbered(folder, PREFIX, EXTENSION)?;
        let mut next = 1;
        let mut current = None;
        if let Some((last, earlier)) = segments.split_last() {
            for (first, path) in earlier {
                Reader::open(path, *first)?;
            }
            let end = scan::end(&last.1, last.0)?;
            current = Some(cut(&last.1, end.offset)?);
            next = end.next;
        }
        let committed = next;
        Ok(Self { lock, settings, segments, current, batch: Vec::new(), next, committed, stopped: false })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.lock.path()
    }

    /// The number of the last durable record; 0 when there is none.
    pub const fn last_sequence(&self) -> u64 {
        self.committed - 1
    }

    /// First record and path of each segment, in rising order; the last one is being written.
    pub(crate) fn files(&self) -> &[(u64, PathBuf)] {
        &self.segments
    }

    /// The number that the next record must have.
    pub(crate) const fn next_sequence(&self) -> u64 {
        self.next
    }

    /// How many segments there are.
    pub const fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Removes the segments all of whose records have a number of at most `sequence`; the last one stays.
    ///
    /// # Errors
    /// [`SegmentError`]; the segments that are left are without a gap.
    pub fn drop_through(&mut self, sequence: u64) -> Result<(), SegmentError> {
        // Oldest first, so that whatever happens in between leaves an unbroken end.
        while let [(_, oldest), (second, _), ..] = self.segments.as_slice()
            && *second <= sequence.saturating_add(1)
        {
            fs::remove_file(oldest).map_err(FolderError::at(oldest))?;
            self.segments.remove(0);
        }
        Ok(folder::sync_folder(self.folder())?)
    }

    fn write_batch(&mut self) -> Result<(), SegmentError> {
        let added = self.batch.len() as u64;
        let full = |current: &Current| {
            current.length > HEADER_LEN && current.length.saturating_add(added) > self.settings.segment_bytes
        };
        if self.current.as_ref().is_none_or(full) {
            self.rotate()?;
        }
        let (Some(current), Some((_, path))) = (&mut self.current, self.segments.last()) else { return Ok(()) };
        current.file.write_all(&self.batch).map_err(FolderError::at(path))?;
        if self.settings.durability == Durability::Durable {
            current.file.sync_data().map_err(FolderError::at(path))?;
        }
        current.length += added;
        Ok(())
    }

    /// Starts the segment of the batch in progress. The one before is made durable first in either mode, because
    /// only the last segment may have a torn end.
    fn rotate(&mut self) -> Result<(), SegmentError> {
        if let (Some(current), Some((_, path))) = (&self.current, self.segments.last()) {
            current.file.sync_data().map_err(FolderError::at(path))?;
        }
        let first = self.committed;
        let path = folder::numbered_path(self.folder(), PREFIX, EXTENSION, first);
        folder::write_whole(&path, &[&Header { first }.encode()])?;
        self.current = Some(cut(&path, HEADER_LEN)?);
        self.segments.push((first, path));
        Ok(())
    }

    fn read_all(&self, sequence: u64, each: &mut EachRecord<'_>) -> Result<(), JournalError> {
        let mut expected = sequence;
        let start = self.segments.partition_point(|(first, _)| *first <= sequence).saturating_sub(1);
        for (first, path) in self.segments.iter().skip(start) {
            if *first > expected {
                return Err(JournalError::Gap { expected, found: *first });
            }
            let mut reader = Reader::open(path, *first)?;
            loop {
                match reader.step()? {
                    Step::Record { sequence, bytes } if sequence == expected => {
                        each(sequence, bytes)?;
                        expected += 1;
                    }
                    Step::Record { sequence, .. } if sequence > expected => {
                        return Err(JournalError::Gap { expected, found: sequence });
                    }
                    Step::Record { .. } => {}
                    Step::End => break,
                    Step::Unreadable { what } => return Err(reader.damaged(what).into()),
                }
            }
        }
        if expected < self.committed {
            return Err(JournalError::Gap { expected, found: self.committed });
        }
        Ok(())
    }
}

impl Journal for Segments {
    fn append(&mut self, sequence: u64, record: &[u8]) -> Result<(), JournalError> {
        if self.stopped {
            return Err(JournalError::Stopped);
        }
        if sequence != self.next {
            return Err(JournalError::Gap { expected: self.next, found: sequence });
        }
        if record.len() > RECORD_MAX {
            return Err(SegmentError::TooLong(record.len()).into());
        }
        frame::push(&mut self.batch, sequence, record);
        self.next += 1;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        if self.stopped {
            return Err(JournalError::Stopped);
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        self.stopped = true;
        self.write_batch()?;
        self.stopped = false;
        self.batch.clear();
        self.committed = self.next;
        Ok(())
    }

    fn read_from(&mut self, sequence: u64, each: &mut EachRecord<'_>) -> Result<(), JournalError> {
        self.read_all(sequence, each)
    }

    fn forget(&mut self, sequence: u64) -> Result<(), JournalError> {
        Ok(self.drop_through(sequence)?)
    }
}

impl From<SegmentError> for JournalError {
    fn from(error: SegmentError) -> Self {
        Self::Storage(Box::new(error))
    }
}

/// Hands over the whole records of a segment, also of one that is being written, up to the first that is not whole.
pub(crate) fn scan_file(path: &Path, first: u64, each: &mut dyn FnMut(u64, &[u8])) -> Result<(), SegmentError> {
    let mut reader = Reader::open(path, first)?;
    while let Step::Record { sequence, bytes } = reader.step()? {
        each(sequence, bytes);
    }
    Ok(())
}

/// Opens a segment for writing at `end` and forgets what is behind it.
fn cut(path: &Path, end: u64) -> Result<Current, SegmentError> {
    let file = OpenOptions::new().append(true).open(path).map_err(FolderError::at(path))?;
    if file.metadata().map_err(FolderError::at(path))?.len() != end {
        file.set_len(end).and_then(|()| file.sync_all()).map_err(FolderError::at(path))?;
    }
    Ok(Current { file, length: end })
}

//! The files of one class of records: a journal that grows, and archives of what it was.
//!
//! ```text
//! proven/open-00000000000000000001.records/   segments; a damaged folder is set aside and the next number begins
//! proven/calls-00000000000000000007.lkc       one closed segment, compressed, with its index
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use latchkey_admission::records::CallEntry;
use latchkey_exchange::ports::Journal as _;
use latchkey_protocol::Timestamp;

use super::archive::{self, Archive, Origin};
use super::{Keep, RecordsError, format};
use crate::folder::{self, FolderError};
use crate::segments::{self, Durability, SegmentError, SegmentSettings, Segments};

const ARCHIVE: (&str, &str) = ("calls", "lkc");
const JOURNAL: (&str, &str) = ("open", "records");
/// The journals of format 1. Their records do not tell their format, so that it stands in the name.
const FIRST_JOURNAL: (&str, &str) = ("open", "journal");

/// One class of records.
pub(super) struct Shelf {
    folder: PathBuf,
    segment_bytes: u64,
    keep: Keep,
    pub(super) files: Mutex<Kept>,
}

/// What is there now.
#[derive(Default)]
pub(super) struct Kept {
    /// Oldest first.
    pub(super) archives: Vec<Arc<Archive>>,
    /// The number of the last archive.
    number: u64,
    /// First record and path of what is not archived yet, oldest first.
    pub(super) open: Vec<(u64, PathBuf)>,
}

impl Kept {
    fn put(&mut self, archive: Option<Archive>) {
        if let Some(archive) = archive {
            self.number += 1;
            self.archives.push(Arc::new(archive));
        }
    }
}

/// What reads a record of a journal.
type Decode = fn(&[u8]) -> Option<CallEntry>;

/// The journal of a class, and its number among the journals of that class.
pub(super) struct Open {
    number: u64,
    pub(super) segments: Segments,
}

impl Shelf {
    /// Opens a class and its journal. What is damaged is set aside, because no record is worth a server that does not
    /// start.
    pub(super) fn open(folder: &Path, segment_bytes: u64, keep: Keep) -> Result<(Self, Open), RecordsError> {
        folder::create_private(folder)?;
        let mut kept = Kept::default();
        for (number, path) in folder::numbered(folder, ARCHIVE.0, ARCHIVE.1)? {
            kept.number = number;
            match Archive::open(&path) {
                Ok(archive) => kept.archives.push(Arc::new(archive)),
                Err(error @ RecordsError::Damaged { .. }) => set_aside(&path, &error)?,
                Err(error) => return Err(error),
            }
        }
        let shelf = Self { folder: folder.to_owned(), segment_bytes, keep, files: Mutex::new(kept) };
        shelf.adopt()?;
        let journal = shelf.journal()?;
        Ok((shelf, journal))
    }

    /// Archives what journals of format 1 hold, and removes them.
    fn adopt(&self) -> Result<(), RecordsError> {
        for (journal, path) in folder::numbered(&self.folder, FIRST_JOURNAL.0, FIRST_JOURNAL.1)? {
            let settings = SegmentSettings { durability: Durability::Durable, segment_bytes: self.segment_bytes };
            let segments = match Segments::open(&path, settings) {
                Err(error @ SegmentError::Damaged { .. }) => {
                    set_aside(&path, &error.into())?;
                    continue;
                }
                other => other?,
            };
            let ends = segments.files().iter().skip(1).map(|(first, _)| first.saturating_sub(1));
            let ends = ends.chain([segments.last_sequence()]);
            for ((first, file), last) in segments.files().iter().zip(ends) {
                let origin = Origin { journal, first: *first, last };
                if !self.kept().archives.iter().any(|archive| archive.origin() == origin) {
                    self.archive(file, origin, format::decode_first)?;
                }
            }
            fs::remove_dir_all(&path).map_err(FolderError::at(&path))?;
        }
        Ok(())
    }

    /// Opens the journal, cutting a torn end, and removes what is archived already.
    pub(super) fn journal(&self) -> Result<Open, RecordsError> {
        let settings = SegmentSettings { durability: Durability::Durable, segment_bytes: self.segment_bytes };
        let last = folder::numbered(&self.folder, JOURNAL.0, JOURNAL.1)?.pop().map(|(number, _)| number);
        // A number that an archive came from is not given to another journal.
        let archived = || self.kept().archives.iter().map(|archive| archive.origin().journal).max();
        let mut number = last.or_else(|| archived().map(|number| number + 1)).unwrap_or(1);
        let mut segments = match Segments::open(&self.journal_folder(number), settings) {
            Err(error @ SegmentError::Damaged { .. }) => {
                set_aside(&self.journal_folder(number), &error.into())?;
                number += 1;
                Segments::open(&self.journal_folder(number), settings)?
            }
            other => other?,
        };
        for (first, path) in segments.files() {
            let mut newest = 0;
            segments::scan_file(path, *first, &mut |_, bytes| newest = newest.max(format::of(bytes)))?;
            if newest > format::FORMAT {
                return Err(RecordsError::Newer { path: path.clone(), found: newest.into() });
            }
        }
        let mut kept = self.kept();
        let archived = kept.archives.iter().map(|archive| archive.origin());
        if let Some(last) = archived.filter(|origin| origin.journal == number).map(|origin| origin.last).max() {
            segments.drop_through(last)?;
        }
        kept.open = segments.files().to_vec();
        Ok(Open { number, segments })
    }

    /// Writes the records gathered and makes them durable.
    pub(super) fn commit(&self, journal: &mut Open) -> Result<(), RecordsError> {
        journal.segments.commit()?;
        self.kept().open = journal.segments.files().to_vec();
        Ok(())
    }

    /// Archives the segments that are closed.
    pub(super) fn archive_closed(&self, journal: &mut Open) -> Result<(), RecordsError> {
        while let [(first, path), (second, _), ..] = journal.segments.files() {
            let origin = Origin { journal: journal.number, first: *first, last: second.saturating_sub(1) };
            let archive = self.write_archive(path, origin, format::decode)?;
            let mut kept = self.kept();
            kept.put(archive);
            journal.segments.drop_through(origin.last)?;
            kept.open = journal.segments.files().to_vec();
        }
        Ok(())
    }

    fn archive(&self, file: &Path, origin: Origin, decode: Decode) -> Result<(), RecordsError> {
        let archive = self.write_archive(file, origin, decode)?;
        self.kept().put(archive);
        Ok(())
    }

    fn write_archive(&self, file: &Path, origin: Origin, decode: Decode) -> Result<Option<Archive>, RecordsError> {
        let number = self.kept().number + 1;
        let target = folder::numbered_path(&self.folder, ARCHIVE.0, ARCHIVE.1, number);
        archive::write(file, origin, decode, &target)
    }

    /// Removes archives that are too old or too many.
    pub(super) fn thin(&self, now: Timestamp) -> Result<(), RecordsError> {
        let age = i64::try_from(self.keep.age.as_micros()).unwrap_or(i64::MAX);
        let mut kept = self.kept();
        let mut bytes: u64 = kept.archives.iter().map(|archive| archive.bytes()).sum();
        while let Some(oldest) = kept.archives.first() {
            if now.micros_since(oldest.until()) <= age && bytes <= self.keep.bytes {
                break;
            }
            fs::remove_file(oldest.path()).map_err(FolderError::at(oldest.path()))?;
            bytes -= oldest.bytes();
            kept.archives.remove(0);
        }
        Ok(())
    }

    fn journal_folder(&self, number: u64) -> PathBuf {
        folder::numbered_path(&self.folder, JOURNAL.0, JOURNAL.1, number)
    }
}

/// Renames what cannot be read, so that it can be looked at and is never read again.
fn set_aside(path: &Path, why: &RecordsError) -> Result<(), RecordsError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".damaged");
    tracing::error!(path = %path.display(), error = %why, "call records are damaged; they are set aside");
    Ok(fs::rename(path, name).map_err(FolderError::at(path))?)
}

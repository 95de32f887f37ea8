//! The files of one class of records: a journal that grows, and archives of what it was.
//!
//! ```text
//! proven/open-00000000000000000001.journal/   segments; a damaged folder is set aside and the next number begins
//! proven/calls-00000000000000000007.lkc       one closed segment, compressed, with its index
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use latchkey_exchange::ports::Journal as _;
use latchkey_protocol::Timestamp;

use super::archive::{self, Archive, Origin};
use super::{Keep, RecordsError};
use crate::folder::{self, FolderError};
use crate::segments::{Durability, SegmentError, SegmentSettings, Segments};

const ARCHIVE: (&str, &str) = ("calls", "lkc");
const JOURNAL: (&str, &str) = ("open", "journal");

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
        let journal = shelf.journal()?;
        Ok((shelf, journal))
    }

    /// Opens the journal, cutting a torn end, and removes what is archived already.
    pub(super) fn journal(&self) -> Result<Open, RecordsError> {
        let settings = SegmentSettings { durability: Durability::Durable, segment_bytes: self.segment_bytes };
        let last = folder::numbered(&self.folder, JOURNAL.0, JOURNAL.1)?.pop();
        let mut number = last.map_or(1, |(number, _)| number);
        let mut segments = match Segments::open(&self.journal_folder(number), settings) {
            Err(error @ SegmentError::Damaged { .. }) => {
                set_aside(&self.journal_folder(number), &error.into())?;
                number += 1;
                Segments::open(&self.journal_folder(number), settings)?
            }
            other => other?,
        };
        let mut kept = self.kept();
        let archived = kept.archives.iter().map(|archive| archive.origin());
        if let Some(last) = archived.filter(|origin| origin.journal == number).map(|origin| origin.last).max() {
            segments.drop_through(last)?;
        }
        kept.open = segments.files().to_vec();
        Ok(Open { number, segments })
    }

    /// Writes the records gathered, makes them durable, and archives what was closed thereby.
    pub(super) fn commit(&self, journal: &mut Open) -> Result<(), RecordsError> {
        journal.segments.commit()?;
        while let [(first, path), (second, _), ..] = journal.segments.files() {
            let origin = Origin { journal: journal.number, first: *first, last: second.saturating_sub(1) };
            let number = self.kept().number + 1;
            let target = folder::numbered_path(&self.folder, ARCHIVE.0, ARCHIVE.1, number);
            let archive = archive::write(path, origin, &target)?;
            let mut kept = self.kept();
            kept.number = number;
            kept.archives.extend(archive.map(Arc::new));
            journal.segments.drop_through(origin.last)?;
            kept.open = journal.segments.files().to_vec();
        }
        self.kept().open = journal.segments.files().to_vec();
        Ok(())
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

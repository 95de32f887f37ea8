//! Finding an owner's calls, newest first.

use std::collections::BTreeMap;
use std::io;

use latchkey_admission::records::{CallEntry, CallPage, CallQuery, Cursor, PAGE_MAX};

use super::shelf::Shelf;
use super::{RecordsError, format};
use crate::folder::FolderError;
use crate::segments::{self, SegmentError};

/// Times that a query starts anew because a file was archived or removed under it.
const ATTEMPTS: usize = 4;

/// One page of what `query` looks for, of all shelves together.
pub(super) fn find(shelves: &[Shelf], query: &CallQuery) -> Result<CallPage, RecordsError> {
    for _ in 1..ATTEMPTS {
        match find_once(shelves, query) {
            Err(error) if is_gone(&error) => {}
            other => return other,
        }
    }
    find_once(shelves, query)
}

fn find_once(shelves: &[Shelf], query: &CallQuery) -> Result<CallPage, RecordsError> {
    let mut found = Newest { limit: query.limit.clamp(1, PAGE_MAX), entries: BTreeMap::new(), more: false };
    for shelf in shelves {
        let (archives, open) = {
            let kept = shelf.kept();
            (kept.archives.clone(), kept.open.clone())
        };
        for (first, path) in open.iter().rev() {
            segments::scan_file(path, *first, &mut |_, bytes| {
                // A record that this program does not understand is not one that it looks for.
                let entry = format::decode(bytes);
                found.extend(entry.filter(|entry| query.matches(entry)));
            })?;
        }
        for archive in archives.iter().rev() {
            if !archive.may_hold(query) {
                continue;
            }
            if found.is_full_behind(archive.until()) {
                found.more = true;
                continue;
            }
            let mut file = archive.file()?;
            for block in archive.blocks(query).rev() {
                if found.is_full_behind(block.until()) {
                    found.more = true;
                    continue;
                }
                for entry in archive.read(&mut file, block)? {
                    found.extend(Some(entry).filter(|entry| query.matches(entry)));
                }
            }
        }
    }
    Ok(found.page())
}

/// The newest entries so far.
struct Newest {
    limit: usize,
    entries: BTreeMap<Cursor, CallEntry>,
    /// Whether something older was left out.
    more: bool,
}

impl Newest {
    fn extend(&mut self, entry: Option<CallEntry>) {
        let Some(entry) = entry else { return };
        self.entries.insert(Cursor::of(&entry), entry);
        if self.entries.len() > self.limit {
            self.entries.pop_first();
            self.more = true;
        }
    }

    /// Whether nothing as old as `until` can be among the newest.
    fn is_full_behind(&self, until: latchkey_protocol::Timestamp) -> bool {
        self.entries.len() >= self.limit && self.entries.first_key_value().is_some_and(|(oldest, _)| oldest.at > until)
    }

    fn page(self) -> CallPage {
        let next = self.entries.first_key_value().map(|(oldest, _)| *oldest).filter(|_| self.more);
        CallPage { entries: self.entries.into_values().rev().collect(), next }
    }
}

/// Whether a file was moved between being listed and being opened.
fn is_gone(error: &RecordsError) -> bool {
    let folder = match error {
        RecordsError::Folder(folder) | RecordsError::Segment(SegmentError::Folder(folder)) => folder,
        _ => return false,
    };
    matches!(folder, FolderError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

//! Snapshots of the exchange, so that a start need not replay its whole log.
//!
//! `snapshot-NUMBER.snap` holds the state after record NUMBER of the journal. They lie in the journal's folder, whose
//! lock covers them. Two are kept, so that a damaged one costs time and no data.

use std::fs;
use std::path::{Path, PathBuf};

use crate::crc32c::checksum;
use crate::folder::{self, FolderError};

/// The format that this program writes.
const FORMAT: u16 = 1;
const MAGIC: [u8; 4] = *b"LKSN";
const HEADER_LEN: usize = 28;
const KEPT: usize = 2;
const PREFIX: &str = "snapshot";
const EXTENSION: &str = "snap";

/// The snapshots of one journal.
#[derive(Debug)]
pub struct Snapshots {
    folder: PathBuf,
}

/// A state, and the record that it was taken after.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// The number of the last record that is in it.
    pub sequence: u64,
    /// The state, as the core wrote it.
    pub state: Vec<u8>,
}

/// Why there is no snapshot to be had.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The folder or a file of it.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Written by a newer program.
    #[error("`{}` has format {found}, newer than format {FORMAT} that this program reads: upgrade it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u16,
    },
}

impl Snapshots {
    /// The snapshots beside the journal in `folder`; the caller holds its lock.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Saves the state after record `sequence`, which must be durable, and removes all but the two newest snapshots.
    /// Returns the record up to which no journal is needed any more: that of the older snapshot kept, 0 without one.
    ///
    /// # Errors
    /// [`SnapshotError`]; the snapshots that were there are there still, save those that were to go.
    pub fn save(&self, sequence: u64, state: &[u8]) -> Result<u64, SnapshotError> {
        let path = folder::numbered_path(&self.folder, PREFIX, EXTENSION, sequence);
        folder::write_whole(&path, &[&header(sequence, state), state])?;
        let mut kept = self.paths()?;
        while kept.len() > KEPT {
            let (_, oldest) = kept.remove(0);
            fs::remove_file(&oldest).map_err(FolderError::at(&oldest))?;
        }
        folder::sync_folder(&self.folder)?;
        Ok(match kept.as_slice() {
            [(older, _), _] => *older,
            _ => 0,
        })
    }

    /// The newest snapshot that is whole and not ahead of record `last`, the last one of the journal. A damaged one
    /// is passed over with a warning.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn newest(&self, last: u64) -> Result<Option<Snapshot>, SnapshotError> {
        for (sequence, path) in self.paths()?.into_iter().rev().filter(|(sequence, _)| *sequence <= last) {
            let bytes = fs::read(&path).map_err(FolderError::at(&path))?;
            match read(sequence, bytes) {
                Ok(state) => return Ok(Some(Snapshot { sequence, state })),
                Err(ReadError::Newer(found)) => return Err(SnapshotError::Newer { path, found }),
                Err(ReadError::Damaged) => tracing::warn!(path = %path.display(), "passed over a damaged snapshot"),
            }
        }
        Ok(None)
    }

    fn paths(&self) -> Result<Vec<(u64, PathBuf)>, FolderError> {
        folder::numbered(&self.folder, PREFIX, EXTENSION)
    }
}

enum ReadError {
    Newer(u16),
    Damaged,
}

/// Magic, format, two spare bytes, number, length of the state, and the checksum of these and of the state.
fn header(sequence: u64, state: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_LEN);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&FORMAT.to_le_bytes());
    header.extend_from_slice(&[0, 0]);
    header.extend_from_slice(&sequence.to_le_bytes());
    header.extend_from_slice(&(state.len() as u64).to_le_bytes());
    let sum = checksum(&[&header, state]);
    header.extend_from_slice(&sum.to_le_bytes());
    header
}

fn read(sequence: u64, mut bytes: Vec<u8>) -> Result<Vec<u8>, ReadError> {
    if bytes.get(..4) != Some(&MAGIC) {
        return Err(ReadError::Damaged);
    }
    match bytes.get(4..6) {
        Some(&[low, high]) if u16::from_le_bytes([low, high]) > FORMAT => {
            return Err(ReadError::Newer(u16::from_le_bytes([low, high])));
        }
        _ => {}
    }
    let (found, state) = bytes.split_at_checked(HEADER_LEN).ok_or(ReadError::Damaged)?;
    if found != header(sequence, state) {
        return Err(ReadError::Damaged);
    }
    Ok(bytes.split_off(HEADER_LEN))
}

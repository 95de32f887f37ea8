//! Reading segments, and finding where the last one ends.

use std::fs::File;
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::frame::{HEADER_LEN, Header, HeaderError, PREFIX_LEN, Prefix};
use super::{RECORD_MAX, SegmentError};
use crate::folder::FolderError;

/// Reads the records of one segment in order.
pub(super) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    record: Vec<u8>,
    /// Where the next record starts.
    offset: u64,
    /// Its number.
    next: u64,
    /// The file's length.
    length: u64,
}

/// One step through a segment.
pub(super) enum Step<'a> {
    /// A whole record.
    Record { sequence: u64, bytes: &'a [u8] },
    /// The file ends after a whole record.
    End,
    /// No whole record is here.
    Unreadable { what: &'static str },
}

/// Where the whole records of a segment end.
pub(super) struct End {
    pub(super) offset: u64,
    /// The number of the record that belongs there.
    pub(super) next: u64,
}

impl Reader {
    /// Opens a segment whose name says that it starts with record `first`.
    pub(super) fn open(path: &Path, first: u64) -> Result<Self, SegmentError> {
        let mut file = File::open(path).map_err(FolderError::at(path))?;
        let length = file.metadata().map_err(FolderError::at(path))?.len();
        let damaged = |what| SegmentError::Damaged { path: path.to_owned(), offset: 0, what };
        let mut header = [0; HEADER_LEN as usize];
        if length < HEADER_LEN {
            return Err(damaged("the header is not whole"));
        }
        file.read_exact(&mut header).map_err(FolderError::at(path))?;
        match Header::decode(&header) {
            Ok(header) if header.first == first => {}
            Ok(_) => return Err(damaged("the header has another number than the name")),
            Err(HeaderError::Damaged(what)) => return Err(damaged(what)),
            Err(HeaderError::Newer(found)) => return Err(SegmentError::Newer { path: path.to_owned(), found }),
        }
        let file = BufReader::with_capacity(1 << 18, file);
        Ok(Self { path: path.to_owned(), file, record: Vec::new(), offset: HEADER_LEN, next: first, length })
    }

    pub(super) fn step(&mut self) -> Result<Step<'_>, SegmentError> {
        let left = self.length - self.offset;
        if left == 0 {
            return Ok(Step::End);
        }
        if left < PREFIX_LEN as u64 {
            return Ok(Step::Unreadable { what: "the file ends within a record" });
        }
        let mut prefix = [0; PREFIX_LEN];
        self.file.read_exact(&mut prefix).map_err(FolderError::at(&self.path))?;
        let prefix = Prefix::decode(&prefix);
        if prefix.length() > RECORD_MAX {
            return Ok(Step::Unreadable { what: "the record's length is out of bounds" });
        }
        let end = PREFIX_LEN as u64 + prefix.length() as u64;
        if left < end {
            return Ok(Step::Unreadable { what: "the file ends within a record" });
        }
        self.record.resize(prefix.length(), 0);
        self.file.read_exact(&mut self.record).map_err(FolderError::at(&self.path))?;
        if !prefix.matches(&self.record) {
            return Ok(Step::Unreadable { what: "the record does not match its checksum" });
        }
        if prefix.sequence != self.next {
            return Ok(Step::Unreadable { what: "the record has another number than the next" });
        }
        self.offset += end;
        self.next += 1;
        Ok(Step::Record { sequence: prefix.sequence, bytes: &self.record })
    }

    /// The error that the record at hand is damaged.
    pub(super) fn damaged(&self, what: &'static str) -> SegmentError {
        SegmentError::Damaged { path: self.path.clone(), offset: self.offset, what }
    }

    /// Whether a later batch starts somewhere behind the unreadable record: then what is unreadable was durable once.
    fn later_batch(&mut self) -> Result<bool, SegmentError> {
        let io = FolderError::at;
        self.file.seek(SeekFrom::Start(self.offset)).map_err(io(&self.path))?;
        let mut rest = Vec::new();
        self.file.read_to_end(&mut rest).map_err(io(&self.path))?;
        let mut at = rest.as_slice();
        while let Some((prefix, behind)) = at.split_first_chunk() {
            let prefix = Prefix::decode(prefix);
            let plausible = prefix.starts_batch()
                && prefix.sequence > self.next
                && prefix.sequence - self.next <= rest.len() as u64 / PREFIX_LEN as u64;
            if plausible && behind.get(..prefix.length()).is_some_and(|record| prefix.matches(record)) {
                return Ok(true);
            }
            at = at.get(1..).unwrap_or_default();
        }
        Ok(false)
    }
}

/// Finds where the whole records of the last segment end.
///
/// # Errors
/// [`SegmentError::Damaged`] when what follows is more than one torn batch.
pub(super) fn end(path: &Path, first: u64) -> Result<End, SegmentError> {
    let mut reader = Reader::open(path, first)?;
    loop {
        match reader.step()? {
            Step::Record { .. } => {}
            Step::End => break,
            Step::Unreadable { what } => {
                if reader.later_batch()? {
                    return Err(reader.damaged(what));
                }
                let lost = reader.length - reader.offset;
                tracing::warn!(path = %path.display(), offset = reader.offset, lost, "cut an unfinished batch off the journal");
                break;
            }
        }
    }
    Ok(End { offset: reader.offset, next: reader.next })
}

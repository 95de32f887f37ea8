//! A closed segment, compressed, with an index of its keys, requests and times.
//!
//! ```text
//! magic `LKCR` · format (2) · spare (2) · length of the head (4) · CRC-32C of the head (4)
//! head: where it came from, its times, its keys, its blocks, its accounts, its request ids run by run
//! blocks: up to 1024 records each, zstd
//! ```

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use latchkey_admission::call::RequestId;
use latchkey_admission::records::{CallEntry, CallQuery};
use latchkey_protocol::{AccountId, KeyId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{RecordsError, format};
use crate::crc32c::checksum;
use crate::folder::{self, FolderError};
use crate::segments;

const MAGIC: [u8; 4] = *b"LKCR";
const FORMAT: u16 = format::FORMAT as u16;
const PREAMBLE: usize = 16;
/// The longest head that is read, in bytes.
const HEAD_MAX: usize = 16 << 20;
/// The longest block that is unpacked, in bytes.
const BLOCK_MAX: usize = 16 << 20;
/// Records in one block.
const BLOCK_RECORDS: usize = 1024;
/// Fast, and small enough: records repeat themselves.
const LEVEL: i32 = 3;

/// Which records of which journal an archive was made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Origin {
    /// The journal's number.
    pub(super) journal: u64,
    /// The number of the first record.
    pub(super) first: u64,
    /// The number of the last record.
    pub(super) last: u64,
}

#[derive(Serialize, Deserialize)]
struct Head {
    origin: Origin,
    from: Timestamp,
    until: Timestamp,
    /// The keys that have a record here, rising.
    keys: Vec<KeyId>,
    blocks: Vec<Block>,
    /// The accounts that have a record here, rising.
    accounts: Vec<AccountId>,
    /// The lowest and the highest request id of each run of the server, rising.
    ids: Vec<(RequestId, RequestId)>,
}

/// The head of format 1, which tells neither accounts nor ids.
#[derive(Deserialize)]
struct FirstHead {
    origin: Origin,
    from: Timestamp,
    until: Timestamp,
    keys: Vec<KeyId>,
    blocks: Vec<Block>,
}

impl From<FirstHead> for Head {
    fn from(FirstHead { origin, from, until, keys, blocks }: FirstHead) -> Self {
        Self { origin, from, until, keys, blocks, accounts: Vec::new(), ids: Vec::new() }
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Block {
    /// Where it starts behind the head.
    offset: u64,
    length: u32,
    sum: u32,
    from: Timestamp,
    until: Timestamp,
}

/// An archive whose index is in memory.
pub(super) struct Archive {
    path: PathBuf,
    bytes: u64,
    format: u16,
    head: Head,
    /// Where the blocks start.
    blocks_at: u64,
}

impl Archive {
    /// Reads the index of an archive.
    pub(super) fn open(path: &Path) -> Result<Self, RecordsError> {
        let mut file = File::open(path).map_err(FolderError::at(path))?;
        let bytes = file.metadata().map_err(FolderError::at(path))?.len();
        let damaged = |what| RecordsError::Damaged { path: path.to_owned(), what };
        let mut preamble = [0; PREAMBLE];
        file.read_exact(&mut preamble).map_err(|_| damaged("the header is not whole"))?;
        let [m0, m1, m2, m3, f0, f1, _, _, l0, l1, l2, l3, s0, s1, s2, s3] = preamble;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(damaged("this is no archive of call records"));
        }
        let found = u16::from_le_bytes([f0, f1]);
        if found > FORMAT {
            return Err(RecordsError::Newer { path: path.to_owned(), found });
        }
        if found == 0 {
            return Err(damaged("the header has an unknown format"));
        }
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if length > HEAD_MAX || length as u64 > bytes {
            return Err(damaged("the length of the index is out of bounds"));
        }
        let mut head = vec![0; length];
        file.read_exact(&mut head).map_err(|_| damaged("the index is not whole"))?;
        if checksum(&[&head]) != u32::from_le_bytes([s0, s1, s2, s3]) {
            return Err(damaged("the index does not match its checksum"));
        }
        let head = if found == FORMAT {
            postcard::from_bytes(&head)
        } else {
            postcard::from_bytes::<FirstHead>(&head).map(Head::from)
        };
        let head = head.map_err(|_| damaged("the index is not readable"))?;
        Ok(Self { path: path.to_owned(), bytes, format: found, head, blocks_at: (PREAMBLE + length) as u64 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn origin(&self) -> Origin {
        self.head.origin
    }

    /// When its newest record arrived.
    pub(super) const fn until(&self) -> Timestamp {
        self.head.until
    }

    /// Whether a record that `query` looks for can be here.
    pub(super) fn may_hold(&self, query: &CallQuery) -> bool {
        let Head { from, until, keys, accounts, ids, .. } = &self.head;
        let keyed = query.key.is_none_or(|key| keys.binary_search(&key).is_ok());
        let owned = accounts.binary_search(&query.account).is_ok();
        let named = query.id.is_none_or(|id| ids.iter().any(|(low, high)| (*low..=*high).contains(&id)));
        keyed && (owned && named || self.format < FORMAT) && overlaps(query, *from, *until)
    }

    /// The blocks in which `query` may find something, oldest first.
    pub(super) fn blocks(&self, query: &CallQuery) -> impl DoubleEndedIterator<Item = &Block> {
        self.head.blocks.iter().filter(|block| overlaps(query, block.from, block.until))
    }

    /// The file, for [`Archive::read`].
    pub(super) fn file(&self) -> Result<File, RecordsError> {
        Ok(File::open(&self.path).map_err(FolderError::at(&self.path))?)
    }

    /// The records of a block.
    pub(super) fn read(&self, file: &mut File, block: &Block) -> Result<Vec<CallEntry>, RecordsError> {
        let damaged = |what| RecordsError::Damaged { path: self.path.clone(), what };
        if block.length as usize > BLOCK_MAX {
            return Err(damaged("the length of a block is out of bounds"));
        }
        let mut packed = vec![0; block.length as usize];
        file.seek(SeekFrom::Start(self.blocks_at.saturating_add(block.offset))).map_err(FolderError::at(&self.path))?;
        file.read_exact(&mut packed).map_err(|_| damaged("a block is not whole"))?;
        if checksum(&[&packed]) != block.sum {
            return Err(damaged("a block does not match its checksum"));
        }
        let plain = zstd::bulk::decompress(&packed, BLOCK_MAX).map_err(|_| damaged("a block cannot be unpacked"))?;
        format::decode_block(self.format, &plain).ok_or_else(|| damaged("a block is not readable"))
    }
}

impl Block {
    /// When its newest record arrived.
    pub(super) const fn until(&self) -> Timestamp {
        self.until
    }
}

fn overlaps(query: &CallQuery, from: Timestamp, until: Timestamp) -> bool {
    query.from.is_none_or(|wanted| until >= wanted)
        && query.until.is_none_or(|wanted| from < wanted)
        && query.before.is_none_or(|before| from <= before.at)
}

/// Makes an archive of a closed segment, whose records `decode` reads; `None` when it can read none of them.
pub(super) fn write(
    segment: &Path,
    origin: Origin,
    decode: fn(&[u8]) -> Option<CallEntry>,
    target: &Path,
) -> Result<Option<Archive>, RecordsError> {
    let mut entries: Vec<CallEntry> = Vec::new();
    segments::scan_file(segment, origin.first, &mut |_, bytes| entries.extend(decode(bytes)))?;
    let (Some(from), Some(until)) =
        (entries.iter().map(|entry| entry.at).min(), entries.iter().map(|entry| entry.at).max())
    else {
        return Ok(None);
    };
    let mut keys: Vec<KeyId> = entries.iter().map(|entry| entry.key).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut accounts: Vec<AccountId> = entries.iter().map(|entry| entry.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let mut all: Vec<RequestId> = entries.iter().map(|entry| entry.id).collect();
    all.sort_unstable();
    let runs = all.chunk_by(|one, next| one.boot() == next.boot());
    let ids = runs.filter_map(|run| Some((*run.first()?, *run.last()?))).collect();
    let failed = |what| RecordsError::Damaged { path: target.to_owned(), what };
    let (mut blocks, mut packed) = (Vec::new(), Vec::new());
    for chunk in entries.chunks(BLOCK_RECORDS) {
        let plain = format::encode_block(chunk).ok_or_else(|| failed("a block cannot be written"))?;
        let bytes = zstd::bulk::compress(&plain, LEVEL).map_err(|_| failed("a block cannot be packed"))?;
        let times = || chunk.iter().map(|entry| entry.at);
        blocks.push(Block {
            offset: packed.len() as u64,
            length: u32::try_from(bytes.len()).map_err(|_| failed("a block is too long"))?,
            sum: checksum(&[&bytes]),
            from: times().min().unwrap_or(from),
            until: times().max().unwrap_or(until),
        });
        packed.extend_from_slice(&bytes);
    }
    let head = postcard::to_stdvec(&Head { origin, from, until, keys, blocks, accounts, ids })
        .map_err(|_| failed("the index cannot be written"))?;
    let length = u32::try_from(head.len()).ok().filter(|length| *length as usize <= HEAD_MAX);
    let length = length.ok_or_else(|| failed("the index is too long"))?.to_le_bytes();
    let preamble = [&MAGIC[..], &FORMAT.to_le_bytes(), &[0, 0], &length, &checksum(&[&head]).to_le_bytes()].concat();
    folder::write_whole(target, &[&preamble, &head, &packed])?;
    Archive::open(target).map(Some)
}

//! The bytes of headers and records.

use crate::crc32c::checksum;

/// The format that this program writes. It also reads the one before, once there is one.
pub(super) const FORMAT: u16 = 1;
/// The length of a segment's header, in bytes.
pub(super) const HEADER_LEN: u64 = 20;
/// The length of what precedes the bytes of a record.
pub(super) const PREFIX_LEN: usize = 16;

const MAGIC: [u8; 4] = *b"LKJS";
/// Set in the length of the first record of a batch.
const BATCH_START: u32 = 1 << 31;

/// What a segment starts with.
pub(super) struct Header {
    /// The number of its first record.
    pub(super) first: u64,
}

/// Why bytes are no header.
pub(super) enum HeaderError {
    /// Another file, or a damaged one.
    Damaged(&'static str),
    /// Of a newer format.
    Newer(u16),
}

impl Header {
    /// Magic, format, two spare bytes, the number of the first record, and the checksum of these.
    pub(super) fn encode(&self) -> [u8; HEADER_LEN as usize] {
        let mut bytes = [0; HEADER_LEN as usize];
        let format = FORMAT.to_le_bytes();
        let first = self.first.to_le_bytes();
        let body = MAGIC.iter().chain(&format).chain(&[0, 0]).chain(&first);
        for (to, from) in bytes.iter_mut().zip(body) {
            *to = *from;
        }
        let (body, sum) = bytes.split_at_mut(16);
        sum.copy_from_slice(&checksum(&[body]).to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEADER_LEN as usize]) -> Result<Self, HeaderError> {
        let [m0, m1, m2, m3, f0, f1, _, _, first @ .., s0, s1, s2, s3] = *bytes;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(HeaderError::Damaged("this is no segment of a journal"));
        }
        // Before the checksum, whose place a newer format may have changed.
        match u16::from_le_bytes([f0, f1]) {
            FORMAT => {}
            newer if newer > FORMAT => return Err(HeaderError::Newer(newer)),
            _ => return Err(HeaderError::Damaged("the header has an unknown format")),
        }
        let (body, _) = bytes.split_at(16);
        if checksum(&[body]) != u32::from_le_bytes([s0, s1, s2, s3]) {
            return Err(HeaderError::Damaged("the header does not match its checksum"));
        }
        Ok(Self { first: u64::from_le_bytes(first) })
    }
}

/// What precedes the bytes of a record: length and batch mark, number, checksum of both and of the bytes.
pub(super) struct Prefix {
    marked_length: u32,
    pub(super) sequence: u64,
    sum: u32,
}

impl Prefix {
    pub(super) fn decode(bytes: &[u8; PREFIX_LEN]) -> Self {
        let [l0, l1, l2, l3, sequence @ .., s0, s1, s2, s3] = *bytes;
        Self {
            marked_length: u32::from_le_bytes([l0, l1, l2, l3]),
            sequence: u64::from_le_bytes(sequence),
            sum: u32::from_le_bytes([s0, s1, s2, s3]),
        }
    }

    /// How many bytes follow.
    pub(super) const fn length(&self) -> usize {
        (self.marked_length & !BATCH_START) as usize
    }

    /// Whether the record is the first of a batch.
    pub(super) const fn starts_batch(&self) -> bool {
        self.marked_length & BATCH_START != 0
    }

    pub(super) fn matches(&self, record: &[u8]) -> bool {
        self.sum == sum(self.marked_length, self.sequence, record)
    }
}

/// Adds a record to a batch; the first one of it gets the mark. The caller bounds its length.
pub(super) fn push(batch: &mut Vec<u8>, sequence: u64, record: &[u8]) {
    let mark = if batch.is_empty() { BATCH_START } else { 0 };
    // INVARIANT: `RECORD_MAX` is far below 2^31.
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX) | mark;
    batch.extend_from_slice(&length.to_le_bytes());
    batch.extend_from_slice(&sequence.to_le_bytes());
    batch.extend_from_slice(&sum(length, sequence, record).to_le_bytes());
    batch.extend_from_slice(record);
}

fn sum(marked_length: u32, sequence: u64, record: &[u8]) -> u32 {
    checksum(&[&marked_length.to_le_bytes(), &sequence.to_le_bytes(), record])
}

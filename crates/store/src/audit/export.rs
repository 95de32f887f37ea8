//! Exports of the chain as lines of JSON, and their verification.
//!
//! ```text
//! {"latchkey-audit-export":1,"store":"0f…","account":null}
//! {"revision":1,"account":100000001,"previous":"00…","account_previous":"00…","hash":"9c…","event":{…}}
//! ```
//!
//! A record has one spelling, and each line ends with a line break, so any other byte than those written is found.
//! `event` stands last and as it was hashed. Whole exports have every record, exports of one owner that owner's.

use std::io::{self, BufRead, Read as _, Write};

use latchkey_crypto::digest::{from_hex, to_hex};
use latchkey_crypto::public_key::PublicKey;
use latchkey_protocol::AccountId;
use serde::Deserialize;

use super::heads::{HeadError, SignedHead};
use super::{AuditRecord, Chain, ChainError};
use crate::sqlite::StoreId;

/// The format that this program writes and reads.
const FORMAT: u16 = 1;
/// No line of an export is longer, in bytes.
const LINE_MAX: u64 = 16 * 1024 * 1024;
/// What stands before the event of a record.
const EVENT: &[u8] = b",\"event\":";

/// What an export is of: its first line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The deployment.
    pub store: StoreId,
    /// The account whose records these are; `None` is all.
    pub account: Option<AccountId>,
}

/// Writes an export, record by record.
pub struct Exporter<W> {
    to: W,
}

impl<W: Write> Exporter<W> {
    /// Starts an export with its header.
    ///
    /// # Errors
    /// Of the writer.
    pub fn start(mut to: W, header: Header) -> io::Result<Self> {
        to.write_all(header.line().as_bytes())?;
        Ok(Self { to })
    }

    /// Writes the next record.
    ///
    /// # Errors
    /// Of the writer.
    pub fn write(&mut self, record: &AuditRecord) -> io::Result<()> {
        self.to.write_all(&line(record))
    }

    /// Ends the export and gives the writer back.
    ///
    /// # Errors
    /// Of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }
}

/// What was found of an export that holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// How many records there are.
    pub records: u64,
    /// The number of the last.
    pub last: u64,
    /// Records behind the head: they are chained to it, but the head does not sign them.
    pub behind_head: u64,
}

/// Why an export does not hold, and where.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The head.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// It cannot be read.
    #[error("the export cannot be read")]
    Io(#[from] io::Error),
    /// The first line is no header.
    #[error("line 1: this is no audit export")]
    NoExport,
    /// Written by a newer program.
    #[error("line 1: the export has format {0}, newer than format {FORMAT} that this program reads")]
    Newer(u16),
    /// Another store, or another account, than the head's.
    #[error("line 1: the export is of another store or account than the head")]
    OtherChain,
    /// Bytes that the house did not write.
    #[error("line {line}: this is no audit record as it was written")]
    Altered {
        /// Which line, from 1.
        line: u64,
    },
    /// The chain breaks.
    #[error("line {line}")]
    Chain {
        /// Which line, from 1.
        line: u64,
        /// Where and how.
        #[source]
        source: ChainError,
    },
    /// The record of the head is another: everything was made anew, at least from there back.
    #[error("line {line}: audit record {revision} is not the one whose head was signed")]
    Recomputed {
        /// Which line, from 1.
        line: u64,
        /// The record of the head.
        revision: u64,
    },
    /// The record of the head, or the end of a line, is not there.
    #[error("the export ends after audit record {last}; the head was signed over record {head}")]
    CutOff {
        /// The last whole record.
        last: u64,
        /// The record of the head.
        head: u64,
    },
}

/// Follows an export from its first line to its last and holds it against a signed head: every record is the one that
/// was chained there, none is missing up to the head, and the head's own record is the one that was signed.
///
/// # Errors
/// [`VerifyError`] with the first place that does not hold.
pub fn verify(mut from: impl BufRead, head: &SignedHead, keys: &[PublicKey]) -> Result<Verified, VerifyError> {
    let head = head.open_by(keys)?;
    let mut bytes = Vec::new();
    read_line(&mut from, &mut bytes)?;
    let header = Header::read(&bytes)?;
    if (header.store, header.account) != (head.store, head.account) {
        return Err(VerifyError::OtherChain);
    }
    let mut chain = Chain::new(header.store, header.account);
    let mut found = Verified { records: 0, last: 0, behind_head: 0 };
    let mut signed_seen = head.revision == 0;
    for number in 2_u64.. {
        let whole = match read_line(&mut from, &mut bytes)? {
            Line::End => break,
            Line::Whole => true,
            Line::Open => false,
        };
        let altered = || match whole {
            true => VerifyError::Altered { line: number },
            // A line without its end is what a cut leaves.
            false => VerifyError::CutOff { last: found.last, head: head.revision },
        };
        let record = read(&bytes).ok_or_else(altered)?;
        chain.follow(&record).map_err(|source| VerifyError::Chain { line: number, source })?;
        if record.revision == head.revision {
            if record.hash != head.hash {
                return Err(VerifyError::Recomputed { line: number, revision: head.revision });
            }
            signed_seen = true;
        } else if record.revision > head.revision {
            if !signed_seen {
                return Err(VerifyError::Recomputed { line: number, revision: head.revision });
            }
            found.behind_head += 1;
        }
        found = Verified { records: found.records + 1, last: record.revision, ..found };
    }
    if !signed_seen {
        return Err(VerifyError::CutOff { last: found.last, head: head.revision });
    }
    Ok(found)
}

/// What was read as a line.
enum Line {
    /// Nothing: the export is over.
    End,
    /// A line with its end.
    Whole,
    /// The last bytes, without a line break, or a line that is too long.
    Open,
}

fn read_line(from: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<Line> {
    bytes.clear();
    from.take(LINE_MAX).read_until(b'\n', bytes)?;
    Ok(match bytes.last() {
        None => Line::End,
        Some(b'\n') => Line::Whole,
        Some(_) => Line::Open,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine {
    #[serde(rename = "latchkey-audit-export")]
    format: u16,
    store: String,
    account: Option<i64>,
}

#[derive(Deserialize)]
struct FormatLine {
    #[serde(rename = "latchkey-audit-export")]
    format: u16,
}

impl Header {
    fn line(self) -> String {
        let account = self.account.map_or("null".to_owned(), |account| account.0.to_string());
        let store = store_hex(self.store);
        format!("{{\"latchkey-audit-export\":{FORMAT},\"store\":\"{store}\",\"account\":{account}}}\n")
    }

    fn read(bytes: &[u8]) -> Result<Self, VerifyError> {
        let FormatLine { format } = serde_json::from_slice(bytes).map_err(|_| VerifyError::NoExport)?;
        if format > FORMAT {
            return Err(VerifyError::Newer(format));
        }
        let line: HeaderLine = serde_json::from_slice(bytes).map_err(|_| VerifyError::NoExport)?;
        let store = store_from_hex(&line.store).ok_or(VerifyError::NoExport)?;
        let header = Self { store, account: line.account.map(AccountId) };
        let same = line.format == FORMAT && header.line().as_bytes() == bytes;
        if same { Ok(header) } else { Err(VerifyError::NoExport) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine {
    revision: u64,
    account: i64,
    previous: String,
    account_previous: String,
    hash: String,
}

/// A record as an export has it: its one spelling, with the line break.
pub fn line(record: &AuditRecord) -> Vec<u8> {
    let mut line = format!(
        "{{\"revision\":{},\"account\":{},\"previous\":\"{}\",\"account_previous\":\"{}\",\"hash\":\"{}\"",
        record.revision,
        record.account.0,
        to_hex(&record.previous),
        to_hex(&record.account_previous),
        to_hex(&record.hash),
    )
    .into_bytes();
    line.extend_from_slice(EVENT);
    line.extend_from_slice(&record.event);
    line.extend_from_slice(b"}\n");
    line
}

/// Reads what [`line`] wrote, and nothing that is spelled otherwise.
fn read(bytes: &[u8]) -> Option<AuditRecord> {
    let place = bytes.windows(EVENT.len()).position(|window| window == EVENT)?;
    let (front, rest) = bytes.split_at_checked(place)?;
    let event = rest.strip_prefix(EVENT)?.strip_suffix(b"}\n")?.to_vec();
    let mut front = front.to_vec();
    front.push(b'}');
    let read: RecordLine = serde_json::from_slice(&front).ok()?;
    let record = AuditRecord {
        revision: read.revision,
        account: AccountId(read.account),
        previous: from_hex(&read.previous)?,
        account_previous: from_hex(&read.account_previous)?,
        hash: from_hex(&read.hash)?,
        event,
    };
    (line(&record) == bytes).then_some(record)
}

/// A store's id as hex text.
pub(super) fn store_hex(store: StoreId) -> String {
    store.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads what [`store_hex`] wrote.
pub(super) fn store_from_hex(text: &str) -> Option<StoreId> {
    let number = u128::from_str_radix(text, 16).ok()?;
    let store = StoreId(number.to_be_bytes());
    (store_hex(store) == text).then_some(store)
}

//! How a record is stored, and how it was in the format before.
//!
//! A record in a journal is one byte, the format, and the entry; in format 1 it was the entry alone, in journals of
//! another name. A block of an archive is a list of entries in the format that the archive's header tells.

use std::net::IpAddr;

use latchkey_admission::call::RequestId;
use latchkey_admission::records::{CallEntry, EntryEnd, UsedEntry};
use latchkey_protocol::{AccountId, KeyId, Timestamp};
use serde::Deserialize;

/// The format that this program writes; it also reads the one before.
pub(super) const FORMAT: u8 = 2;

/// The bytes of a record in a journal.
pub(super) fn encode(entry: &CallEntry) -> Option<Vec<u8>> {
    postcard::to_extend(entry, vec![FORMAT]).ok()
}

/// The format of a record in a journal.
pub(super) fn of(bytes: &[u8]) -> u8 {
    bytes.first().copied().unwrap_or_default()
}

/// Reads what [`encode`] wrote; `None` for what this program does not understand.
pub(super) fn decode(bytes: &[u8]) -> Option<CallEntry> {
    let (format, entry) = bytes.split_first()?;
    postcard::from_bytes(entry).ok().filter(|_| *format == FORMAT)
}

/// Reads a record of a journal of format 1.
pub(super) fn decode_first(bytes: &[u8]) -> Option<CallEntry> {
    postcard::from_bytes::<First>(bytes).ok().map(CallEntry::from)
}

/// The bytes of a block.
pub(super) fn encode_block(entries: &[CallEntry]) -> Option<Vec<u8>> {
    postcard::to_stdvec(entries).ok()
}

/// Reads a block of an archive of `format`.
pub(super) fn decode_block(format: u16, bytes: &[u8]) -> Option<Vec<CallEntry>> {
    if format == u16::from(FORMAT) {
        return postcard::from_bytes(bytes).ok();
    }
    let entries: Vec<First> = postcard::from_bytes(bytes).ok()?;
    Some(entries.into_iter().map(CallEntry::from).collect())
}

/// An entry of format 1. What it lacks is told as absent.
#[derive(Deserialize)]
struct First {
    id: RequestId,
    at: Timestamp,
    took_us: i64,
    account: AccountId,
    key: KeyId,
    method: Box<str>,
    path: Box<str>,
    source: IpAddr,
    found_by: Box<str>,
    proven: bool,
    changes_state: bool,
    clock_us: Option<i64>,
    used: Option<FirstUsed>,
    end: EntryEnd,
    count: u32,
}

#[derive(Deserialize)]
struct FirstUsed {
    budget: Box<str>,
    weight: u32,
    used: u32,
}

impl From<First> for CallEntry {
    fn from(first: First) -> Self {
        let First { id, at, took_us, account, key, method, path, source, found_by, proven, changes_state, .. } = first;
        let used =
            first.used.map(|FirstUsed { budget, weight, used }| UsedEntry { budget, weight, used, allowed: None });
        Self {
            id,
            at,
            took_us,
            account,
            key,
            method,
            path,
            source,
            found_by,
            ip_entry: None,
            proven,
            changes_state,
            clock_us: first.clock_us,
            used,
            end: first.end,
            count: first.count,
        }
    }
}

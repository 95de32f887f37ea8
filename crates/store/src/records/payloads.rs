//! What refused signatures were computed over: in memory alone, bounded, and for a day.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use latchkey_admission::call::RequestId;
use latchkey_admission::records::{CallEntry, EntryEnd};
use latchkey_protocol::Timestamp;

/// How many are kept; the oldest goes first.
const PAYLOADS_MAX: usize = 4096;
/// How long one is kept, in microseconds.
const KEPT_FOR: i64 = 24 * 60 * 60 * 1_000_000;

/// The payloads of the latest refused signatures, oldest first.
#[derive(Default)]
pub(super) struct Payloads(Mutex<VecDeque<(Timestamp, RequestId, Box<str>)>>);

impl Payloads {
    /// Takes the payload out of an entry and keeps it.
    pub(super) fn take_from(&self, entry: &mut CallEntry) {
        let EntryEnd::Rejected(refusal) = &mut entry.end else { return };
        let Some(payload) = refusal.payload.take() else { return };
        let mut kept = self.kept();
        if kept.len() >= PAYLOADS_MAX {
            kept.pop_front();
        }
        kept.push_back((entry.at, entry.id, payload));
    }

    /// Puts the payload of an entry back, when it is still kept at `now`.
    pub(super) fn add_to(&self, entry: &mut CallEntry, now: Timestamp) {
        let EntryEnd::Rejected(refusal) = &mut entry.end else { return };
        let mut kept = self.kept();
        while kept.front().is_some_and(|(at, ..)| now.micros_since(*at) > KEPT_FOR) {
            kept.pop_front();
        }
        let found = kept.iter().find(|(_, id, _)| *id == entry.id);
        refusal.payload = found.map(|(.., payload)| payload.clone());
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(Timestamp, RequestId, Box<str>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

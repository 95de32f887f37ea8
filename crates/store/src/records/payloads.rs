//! What refused signatures were computed over: in memory alone, bounded, and for a day.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use latchkey_admission::call::{RequestId, neighborhood};
use latchkey_admission::records::{CallEntry, EntryEnd};
use latchkey_protocol::Timestamp;

/// How many are kept; then whoever sent most loses the oldest: an IPv4 /24, an IPv6 /48.
const PAYLOADS_MAX: usize = 4096;
/// How long one is kept, in microseconds.
const KEPT_FOR: i64 = 24 * 60 * 60 * 1_000_000;

/// The payloads of the latest refused signatures.
#[derive(Default)]
pub(super) struct Payloads(Mutex<Held>);

#[derive(Default)]
struct Held {
    oldest_first: VecDeque<Payload>,
    of_senders: HashMap<IpAddr, usize, BuildHasherDefault<DefaultHasher>>,
}

struct Payload {
    at: Timestamp,
    id: RequestId,
    sender: IpAddr,
    text: Box<str>,
}

impl Payloads {
    /// Takes the payload out of an entry and keeps it.
    pub(super) fn take_from(&self, entry: &mut CallEntry) {
        let EntryEnd::Rejected(refusal) = &mut entry.end else { return };
        let Some(text) = refusal.payload.take() else { return };
        let mut held = self.held();
        if held.oldest_first.len() >= PAYLOADS_MAX {
            held.make_room();
        }
        let sender = neighborhood(entry.source);
        *held.of_senders.entry(sender).or_default() += 1;
        held.oldest_first.push_back(Payload { at: entry.at, id: entry.id, sender, text });
    }

    /// Puts the payload of an entry back, when it is still kept at `now`.
    pub(super) fn add_to(&self, entry: &mut CallEntry, now: Timestamp) {
        let EntryEnd::Rejected(refusal) = &mut entry.end else { return };
        let mut held = self.held();
        while held.oldest_first.front().is_some_and(|oldest| now.micros_since(oldest.at) > KEPT_FOR) {
            held.remove(0);
        }
        let found = held.oldest_first.iter().find(|payload| payload.id == entry.id);
        refusal.payload = found.map(|payload| payload.text.clone());
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn make_room(&mut self) {
        let most = self.of_senders.iter().max_by_key(|(_, count)| **count).map(|(sender, _)| *sender);
        if let Some(oldest) = self.oldest_first.iter().position(|payload| Some(payload.sender) == most) {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, place: usize) {
        let Some(gone) = self.oldest_first.remove(place) else { return };
        if let Entry::Occupied(mut count) = self.of_senders.entry(gone.sender) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

//! The budget of unproven calls: which of one minute are kept one by one, and which are told together.
//!
//! ```text
//! a key ─┬─ share of a network ── its first calls, and the first of each reason     always
//!        ├─ … one more network, up to a bound                                       always
//!        └─ what all of them have in common                                         while it lasts
//! ```
//!
//! The public name of a key is no secret: a stranger can have as many calls refused in its name as limits let through.
//! That uses up the stranger's own share and the common rest. The first failures of the owner, who calls from another
//! network, are kept all the same. Networks that are neighbors have few shares together, so that whoever holds a whole
//! /48 does not hold every share. All bounds are of one minute.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::IpAddr;

use latchkey_admission::call::{limited_address, neighborhood};
use latchkey_admission::records::CallEntry;
use latchkey_admission::trail::{CallRecord, End};
use latchkey_protocol::{KeyId, Timestamp};

/// Calls of one network on one key that are kept one by one whatever others do.
const OF_NETWORK: usize = 6;
/// Of those, calls that ended for one and the same reason.
const OF_REASON: usize = 3;
/// Networks that have a share of one key.
const NETWORKS_OF_KEY: usize = 128;
/// Of those, networks of one neighborhood: an IPv4 /24, an IPv6 /48.
const NEIGHBORS_OF_KEY: usize = 8;
/// Shares altogether, which also bounds the keys that are told apart: about 20 MiB at most. A call that finds no place
/// is told with the others of its key, and where its key has none either, in the count of all alone.
const SHARES_MAX: usize = 1 << 15;
/// Of those, shares of one neighborhood: it takes 32 of them to fill the table.
const SHARES_OF_NEIGHBORHOOD: usize = 1 << 10;
const MINUTE: i64 = 60_000_000;

type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// The unproven calls of the present minute.
pub(super) struct Budget {
    /// Calls of one key that are kept beyond the shares of its networks.
    in_common: u32,
    minute: i64,
    keys: Map<KeyId, Spent>,
    places: Places,
}

/// What was spent of one key's budget.
struct Spent {
    shares: Vec<Share>,
    in_common: u32,
    /// The latest call that was not kept, and how many there were.
    together: Option<(Box<CallRecord>, u32)>,
}

/// The share of one network.
struct Share {
    network: IpAddr,
    /// Why the calls ended that were kept.
    kept: [Option<&'static str>; OF_NETWORK],
}

/// The places for shares that are taken.
#[derive(Default)]
struct Places {
    taken: usize,
    of_neighborhoods: Map<IpAddr, usize>,
}

impl Budget {
    pub(super) fn new(in_common: u32) -> Self {
        Self { in_common, minute: i64::MIN, keys: Map::default(), places: Places::default() }
    }

    /// What the minutes that are over by `now` leave to be told: one entry a key.
    pub(super) fn turn(&mut self, now: Timestamp) -> Vec<CallEntry> {
        let minute = now.as_micros().div_euclid(MINUTE);
        if minute <= self.minute {
            return Vec::new();
        }
        self.minute = minute;
        self.drain()
    }

    /// Everything that is left to be told.
    pub(super) fn drain(&mut self) -> Vec<CallEntry> {
        self.places = Places::default();
        let together = self.keys.drain().filter_map(|(_, spent)| spent.together);
        together.filter_map(|(latest, count)| Some(CallEntry::of(&latest)?.summary(count))).collect()
    }

    /// Returns a call that is kept one by one. Any other is told with the rest of its key: it costs one look at the key
    /// and takes no memory, since it stands in the place of the one before.
    pub(super) fn spend(&mut self, mut record: Box<CallRecord>) -> Option<Box<CallRecord>> {
        let (_, key) = record.key?;
        let network = limited_address(record.peer);
        let spent = match self.keys.entry(key) {
            Entry::Occupied(spent) => spent.into_mut(),
            Entry::Vacant(place) if self.places.take(network) => place.insert(Spent::first(network)),
            Entry::Vacant(_) => return None,
        };
        if spent.share(network, &mut self.places).is_some_and(|share| share.take(why(&record.end))) {
            return Some(record);
        }
        if spent.in_common < self.in_common {
            spent.in_common += 1;
            return Some(record);
        }
        let count = spent.together.as_ref().map_or(0, |(_, count)| *count);
        // What it was signed over would only take the place of a payload that is kept with its call.
        record.payload = None;
        spent.together = Some((record, count.saturating_add(1)));
        None
    }
}

impl Spent {
    fn first(network: IpAddr) -> Self {
        Self { shares: vec![Share::new(network)], in_common: 0, together: None }
    }

    /// The share of a network, unless there is no place for one more.
    fn share(&mut self, network: IpAddr, places: &mut Places) -> Option<&mut Share> {
        let found = self.shares.iter().position(|share| share.network == network);
        let at = found.unwrap_or(self.shares.len());
        if found.is_none() && self.has_place(network) && places.take(network) {
            self.shares.push(Share::new(network));
        }
        self.shares.get_mut(at)
    }

    fn has_place(&self, network: IpAddr) -> bool {
        let own = neighborhood(network);
        let neighbors = || self.shares.iter().filter(|share| neighborhood(share.network) == own).count();
        self.shares.len() < NETWORKS_OF_KEY && neighbors() < NEIGHBORS_OF_KEY
    }
}

impl Share {
    const fn new(network: IpAddr) -> Self {
        Self { network, kept: [None; OF_NETWORK] }
    }

    /// Whether one more call that ended so is kept.
    fn take(&mut self, why: &'static str) -> bool {
        let alike = self.kept.iter().filter(|kept| **kept == Some(why)).count();
        let free = self.kept.iter_mut().find(|kept| kept.is_none()).filter(|_| alike < OF_REASON);
        free.is_some_and(|free| free.replace(why).is_none())
    }
}

impl Places {
    fn take(&mut self, network: IpAddr) -> bool {
        if self.taken >= SHARES_MAX {
            return false;
        }
        let neighbors = self.of_neighborhoods.entry(neighborhood(network)).or_default();
        if *neighbors >= SHARES_OF_NEIGHBORHOOD {
            return false;
        }
        *neighbors += 1;
        self.taken += 1;
        true
    }
}

/// What tells ends apart here: the exact reason of a refusal.
fn why(end: &End) -> &'static str {
    match end {
        End::Answered => "answered",
        End::Rejected(rejection) => rejection.name(),
        End::Unknown => "unknown",
        End::ClientGone => "client-gone",
    }
}

#[cfg(test)]
mod tests;

//! A bounded table of what is counted by subject.
//!
//! A slot is taken out only after it was closed, in one step with the check that its time is over; who still holds
//! it finds it closed and asks again. So no count is ever lost to a clean-up.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use latchkey_protocol::limits::Window;
use latchkey_protocol::{AccountId, KeyId, Timestamp};
use papaya::HashMap;

use super::counter::number;
use super::figures::TableFigures;
use super::{FIVE_MINUTES, Row};
use crate::call::neighborhood;

/// How many slots those share who find no place of their own.
pub(super) const SHARED: usize = 256;

/// What a table holds for a subject.
pub(super) trait Slot: Default + Send + Sync {
    /// Closes it for good when nothing in it counts at `now` any more; what it counts, it counts in `window`s.
    fn close(&self, window: Window, now: Timestamp) -> bool;
    /// Whether it was closed.
    fn is_closed(&self) -> bool;
}

/// What slots are counted for.
pub(super) trait Subject: Hash + Eq + Clone + Send + Sync {
    /// With whom it shares a slot in a full table: one network's callers crowd each other, and nobody else.
    type Neighbors: Hash;
    /// Its neighbors.
    fn neighbors(&self) -> Self::Neighbors;
}

impl Subject for IpAddr {
    type Neighbors = Self;

    fn neighbors(&self) -> Self {
        neighborhood(*self)
    }
}

impl Subject for (Row, IpAddr) {
    type Neighbors = (Row, IpAddr);

    fn neighbors(&self) -> Self {
        (self.0, self.1.neighbors())
    }
}

impl Subject for (KeyId, IpAddr) {
    type Neighbors = KeyId;

    fn neighbors(&self) -> KeyId {
        self.0
    }
}

impl Subject for (Row, AccountId) {
    type Neighbors = Self;

    fn neighbors(&self) -> Self {
        *self
    }
}

impl Subject for KeyId {
    type Neighbors = Self;

    fn neighbors(&self) -> Self {
        *self
    }
}

/// At most `max` slots, made when they are first asked for.
pub(super) struct Table<K, V> {
    slots: HashMap<K, V>,
    max: usize,
    /// The window of its counts.
    window: Window,
    /// Chooses, with their names, the slots of those who share: unknown to callers, so that nobody can aim at another.
    seed: u64,
    /// About how many there are: exact but for the slots that are made at this moment.
    kept: AtomicUsize,
    /// The five minutes of the last clean-up. Only once in each, so that who shares a slot shares it until the longest
    /// window has turned, and cannot use two limits in one. The lowest bit says that it is under way.
    swept: AtomicU64,
    shared: Box<[V]>,
    /// How often somebody found no place.
    crowded: AtomicU64,
}

impl<K: Subject, V: Slot> Table<K, V> {
    /// An empty table of counts in `window`s. With `shared`, those who find no place are counted together, in slots that
    /// their neighborhoods choose.
    pub(super) fn new(max: usize, shared: usize, window: Window) -> Self {
        Self {
            slots: HashMap::new(),
            max,
            window,
            seed: 0,
            kept: AtomicUsize::new(0),
            swept: AtomicU64::new(0),
            shared: (0..shared).map(|_| V::default()).collect(),
            crowded: AtomicU64::new(0),
        }
    }

    /// Chooses shared slots by `seed`.
    pub(super) const fn seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// Uses the slot of `key`, made when it is not there. `None` when the table is full and shares nothing. `with` is
    /// told whether the slot is the subject's own; it answers `None` when it finds the slot closed.
    pub(super) fn slot<R>(&self, key: K, now: Timestamp, with: impl Fn(&V, bool) -> Option<R>) -> Option<R> {
        let slots = self.slots.pin();
        let mut had_place = false;
        loop {
            if let Some(slot) = slots.get(&key) {
                if let Some(result) = with(slot, true) {
                    return Some(result);
                }
                // Closed: it goes, by this hand or another's, and leaves its place to the next one of this name.
                let _ = slots.remove_if(&key, |_, slot| slot.is_closed());
                had_place = true;
            }
            if !had_place {
                if !self.has_room(now) {
                    self.crowded.fetch_add(1, Ordering::Relaxed);
                    return self.shared_slot(&key).and_then(|slot| with(slot, false));
                }
                self.kept.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(result) = with(slots.get_or_insert_with(key.clone(), V::default), true) {
                return Some(result);
            }
        }
    }

    /// Uses the slot of `key`, if there is one: its own, or while the table is full the shared one.
    pub(super) fn existing<R>(&self, key: &K, with: impl FnOnce(&V) -> R) -> Option<R> {
        if self.kept.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let slots = self.slots.pin();
        match slots.get(key) {
            Some(slot) => Some(with(slot)),
            None if self.kept.load(Ordering::Relaxed) >= self.max => self.shared_slot(key).map(with),
            None => None,
        }
    }

    /// Puts a slot from before in its place.
    pub(super) fn restore(&self, key: K, slot: V) {
        if self.kept.load(Ordering::Relaxed) < self.max {
            self.kept.fetch_add(1, Ordering::Relaxed);
            self.slots.pin().insert(key, slot);
        }
    }

    /// Visits every slot.
    pub(super) fn each(&self, mut visit: impl FnMut(&K, &V)) {
        self.slots.pin().iter().for_each(|(key, slot)| visit(key, slot));
    }

    /// Whether one more slot may be made; makes room first when the table is full, at most once in five minutes.
    fn has_room(&self, now: Timestamp) -> bool {
        if self.kept.load(Ordering::Relaxed) < self.max {
            return true;
        }
        let done = u64::from(number(FIVE_MINUTES, now)) << 1;
        let begin = |swept: u64| (swept < done).then_some(done | 1);
        match self.swept.fetch_update(Ordering::AcqRel, Ordering::Acquire, begin) {
            Ok(_) => {
                let slots = self.slots.pin();
                slots.retain(|_, slot| !slot.close(self.window, now));
                self.kept.store(slots.len(), Ordering::Relaxed);
                self.swept.store(done, Ordering::Release);
            }
            // Another hand is at it: whoever comes meanwhile may be one whose own slot has just gone.
            Err(swept) if swept & 1 == 1 => return true,
            Err(_) => {}
        }
        self.kept.load(Ordering::Relaxed) < self.max
    }

    fn shared_slot(&self, key: &K) -> Option<&V> {
        let mut hasher = DefaultHasher::new();
        (self.seed, key.neighbors()).hash(&mut hasher);
        let place = hasher.finish().checked_rem(u64::try_from(self.shared.len()).ok()?)?;
        self.shared.get(usize::try_from(place).ok()?)
    }

    /// What is told of it under `name`.
    pub(super) fn figures(&self, name: &'static str) -> TableFigures {
        TableFigures { name, kept: self.slots.len(), max: self.max, crowded: self.crowded.load(Ordering::Relaxed) }
    }
}

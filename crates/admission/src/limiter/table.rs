//! A bounded table of what is counted by subject.
//!
//! A slot is taken out only after it was closed, in one step with the check that its time is over; who still holds
//! it finds it closed and asks again. So no count is ever lost to a clean-up.

use std::hash::{DefaultHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use latchkey_protocol::limits::Window;
use latchkey_protocol::{AccountId, KeyId, Timestamp};
use papaya::{HashMap, HashMapRef, LocalGuard};

use super::counter::number;
use super::figures::TableFigures;
use super::{FIVE_MINUTES, Row};
use crate::call::neighborhood;

/// How many slots those share who find no place of their own.
pub(super) const SHARED: usize = 256;

/// One more place for so many of a table is given out while the table is tidied.
pub(super) const PLACES_PER_SPARE: usize = 16;

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
    /// Places that are taken: by the slots, and by those that are about to be made.
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
        loop {
            let mut has_place = false;
            if let Some(slot) = slots.get(&key) {
                if let Some(result) = with(slot, true) {
                    return Some(result);
                }
                // Closed: whoever takes it out has its place.
                has_place = take_closed(&slots, &key);
            }
            if !has_place && !self.take_place(now) {
                self.crowded.fetch_add(1, Ordering::Relaxed);
                return self.shared_slot(&key).and_then(|slot| with(slot, false));
            }
            match slots.try_insert(key.clone(), V::default()) {
                Ok(slot) => {
                    if let Some(result) = with(slot, true) {
                        return Some(result);
                    }
                }
                // Another call of this subject was quicker.
                Err(_) => self.leave_place(),
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
        if self.take_place_below(self.max) && self.slots.pin().insert(key, slot).is_some() {
            self.leave_place();
        }
    }

    /// Visits every slot.
    pub(super) fn each(&self, mut visit: impl FnMut(&K, &V)) {
        self.slots.pin().iter().for_each(|(key, slot)| visit(key, slot));
    }

    /// Takes a place for one more slot; makes room first when the table is full, at most once in five minutes.
    fn take_place(&self, now: Timestamp) -> bool {
        if self.take_place_below(self.max) {
            return true;
        }
        let done = u64::from(number(FIVE_MINUTES, now)) << 1;
        let begin = |swept: u64| (swept < done).then_some(done | 1);
        match self.swept.fetch_update(Ordering::AcqRel, Ordering::Acquire, begin) {
            Ok(_) => {
                self.tidy(now);
                self.swept.store(done, Ordering::Release);
                self.take_place_below(self.max)
            }
            // Another hand is at it: whoever comes meanwhile may be one whose own slot has just gone.
            Err(swept) if swept & 1 == 1 => self.take_place_below(self.max + self.max.div_ceil(PLACES_PER_SPARE)),
            Err(_) => self.take_place_below(self.max),
        }
    }

    fn take_place_below(&self, max: usize) -> bool {
        let free = |kept: usize| (kept < max).then_some(kept + 1);
        self.kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).is_ok()
    }

    fn leave_place(&self) {
        self.kept.fetch_sub(1, Ordering::Relaxed);
    }

    /// Takes out every slot in which nothing counts at `now` any more.
    fn tidy(&self, now: Timestamp) {
        let slots = self.slots.pin();
        for (key, slot) in &slots {
            if slot.close(self.window, now) && take_closed(&slots, key) {
                self.leave_place();
            }
        }
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

/// Takes out the slot of `key` if it is closed: of several hands at once, one does.
fn take_closed<K: Subject, V: Slot>(slots: &HashMapRef<'_, K, V, RandomState, LocalGuard<'_>>, key: &K) -> bool {
    matches!(slots.remove_if(key, |_, slot| slot.is_closed()), Ok(Some(_)))
}

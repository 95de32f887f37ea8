//! The budget of unproven calls: so many of a key in a minute one by one, the rest counted together.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use latchkey_admission::records::CallEntry;
use latchkey_protocol::{KeyId, Timestamp};

/// Keys whose unproven calls are told apart in one minute; those of further keys are counted alone.
const KEYS_MAX: usize = 4096;
const MINUTE: i64 = 60_000_000;

/// What becomes of an unproven call.
pub(super) enum Verdict {
    /// It is kept.
    Keep,
    /// It is one of those that are told together.
    Together,
}

/// The unproven calls of the present minute.
pub(super) struct Budget {
    per_key: u32,
    minute: i64,
    keys: HashMap<KeyId, Spent, BuildHasherDefault<DefaultHasher>>,
}

struct Spent {
    kept: u32,
    /// The latest call that was not kept, and how many there were.
    together: Option<(CallEntry, u32)>,
}

impl Budget {
    pub(super) fn new(per_key: u32) -> Self {
        Self { per_key, minute: i64::MIN, keys: HashMap::default() }
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
        let together = self.keys.drain().filter_map(|(_, spent)| spent.together);
        together.map(|(latest, count)| latest.summary(count)).collect()
    }

    pub(super) fn spend(&mut self, entry: &CallEntry) -> Verdict {
        if self.keys.len() >= KEYS_MAX && !self.keys.contains_key(&entry.key) {
            return Verdict::Together;
        }
        let spent = self.keys.entry(entry.key).or_insert(Spent { kept: 0, together: None });
        if spent.kept < self.per_key {
            spent.kept += 1;
            return Verdict::Keep;
        }
        let count = spent.together.as_ref().map_or(0, |(_, count)| *count);
        spent.together = Some((entry.clone(), count.saturating_add(1)));
        Verdict::Together
    }
}

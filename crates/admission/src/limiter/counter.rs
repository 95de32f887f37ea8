//! One count in fixed, clock-aligned windows.

use std::sync::atomic::{AtomicU64, Ordering};

use latchkey_protocol::Timestamp;
use latchkey_protocol::limits::Window;

use super::table::Slot;

/// The word of a counter that was taken out of its table: nobody may count in it any more.
const CLOSED: u64 = u64::MAX;
/// How long after its window a counter is kept, in windows: a caller that read the clock before the turn still finds it.
const KEPT: u32 = 2;

/// Window number in the upper half, count in the lower: one word, so that a turn of the window and a charge are one
/// step, and no two callers ever take the same place.
#[derive(Default, Debug)]
pub(super) struct Counter(AtomicU64);

/// What became of a charge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Charge {
    /// Counted; what the window holds now.
    Taken(u32),
    /// It would have gone over the limit; what the window holds, unchanged.
    Full(u32),
}

impl Counter {
    /// A counter that goes on with a count from before.
    pub(super) fn restored(window: u32, count: u32) -> Self {
        Self(AtomicU64::new(join(window, count)))
    }

    /// Counts `weight` in `window` unless that goes over `limit`. `None` when the counter is closed.
    pub(super) fn charge(&self, window: u32, weight: u32, limit: u32) -> Option<Charge> {
        let mut full = None;
        let step = |word: u64| {
            full = None;
            if word == CLOSED {
                return None;
            }
            let (held, count) = split(word);
            // A clock that steps back never reopens a window.
            let count = if window > held { 0 } else { count };
            match count.checked_add(weight).filter(|sum| *sum <= limit) {
                Some(sum) => Some(join(window.max(held), sum)),
                None => {
                    full = Some(count);
                    None
                }
            }
        };
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, step) {
            Ok(before) => {
                let (held, count) = split(before);
                Some(Charge::Taken(if window > held { weight } else { count + weight }))
            }
            Err(_) => full.map(Charge::Full),
        }
    }

    /// Counts without a limit. `None` when the counter is closed.
    pub(super) fn add(&self, window: u32, weight: u32) -> Option<u32> {
        match self.charge(window, weight, u32::MAX)? {
            Charge::Taken(used) | Charge::Full(used) => Some(used),
        }
    }

    /// Takes back what was counted in `window`, if that window still runs. Returns what is held now.
    pub(super) fn give_back(&self, window: u32, weight: u32) -> u32 {
        let step = |word: u64| {
            let (held, count) = split(word);
            (word != CLOSED && held == window).then(|| join(held, count.saturating_sub(weight)))
        };
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, step) {
            Ok(before) => split(before).1.saturating_sub(weight),
            Err(CLOSED) => 0,
            Err(word) => split(word).1,
        }
    }

    /// What `window` holds.
    pub(super) fn used(&self, window: u32) -> u32 {
        match self.0.load(Ordering::Acquire) {
            CLOSED => 0,
            word => {
                let (held, count) = split(word);
                if window > held { 0 } else { count }
            }
        }
    }

    /// The window counted in and what it holds; `None` for one that never counted or is closed.
    pub(super) fn held(&self) -> Option<(u32, u32)> {
        Some(self.0.load(Ordering::Acquire)).filter(|word| *word != 0 && *word != CLOSED).map(split)
    }

    /// Closes the counter when its window is long over.
    pub(super) fn close(&self, window: u32) -> bool {
        let step = |word: u64| (word == CLOSED || split(word).0.saturating_add(KEPT) <= window).then_some(CLOSED);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, step).is_ok()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire) == CLOSED
    }
}

impl Slot for Counter {
    fn close(&self, window: Window, now: Timestamp) -> bool {
        self.close(number(window, now))
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }
}

/// The number of the window since the epoch; fits 32 bits for minutes until the year 10136.
pub(super) fn number(window: Window, now: Timestamp) -> u32 {
    u32::try_from(now.as_micros().div_euclid(window.micros())).unwrap_or(u32::MAX - 1)
}

const fn split(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, (word & 0xffff_ffff) as u32)
}

const fn join(window: u32, count: u32) -> u64 {
    (window as u64) << 32 | count as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_takes_exactly_its_limit() {
        let counter = Counter::default();
        assert_eq!(counter.charge(10, 7, 10), Some(Charge::Taken(7)));
        assert_eq!(counter.charge(10, 4, 10), Some(Charge::Full(7)), "what does not fit is not counted");
        assert_eq!(counter.charge(10, 3, 10), Some(Charge::Taken(10)));
        assert_eq!(counter.charge(10, 1, 10), Some(Charge::Full(10)));
        assert_eq!(counter.charge(10, 0, 10), Some(Charge::Taken(10)));
        assert_eq!(counter.charge(10, u32::MAX, 10), Some(Charge::Full(10)));
        assert_eq!(counter.charge(11, 11, 10), Some(Charge::Full(0)), "heavier than the whole limit");
        assert_eq!(counter.used(10), 10, "a refusal does not turn the window");
    }

    #[test]
    fn a_window_starts_at_zero_and_a_clock_that_steps_back_does_not_reopen_it() {
        let counter = Counter::default();
        assert_eq!(counter.charge(10, 10, 10), Some(Charge::Taken(10)));
        assert_eq!(counter.charge(11, 10, 10), Some(Charge::Taken(10)));
        assert_eq!(counter.charge(10, 1, 10), Some(Charge::Full(10)));
        assert_eq!((counter.used(10), counter.used(11), counter.used(12)), (10, 10, 0));
    }

    #[test]
    fn what_is_given_back_goes_to_the_window_that_was_charged() {
        let counter = Counter::default();
        counter.charge(10, 5, 10);
        assert_eq!(counter.give_back(10, 2), 3);
        counter.charge(11, 4, 10);
        assert_eq!(counter.give_back(10, 3), 4, "the window is over");
        assert_eq!(counter.used(11), 4);
        assert_eq!(counter.give_back(11, 9), 0);
    }

    #[test]
    fn a_closed_counter_counts_nobody() {
        let counter = Counter::default();
        counter.charge(10, 5, 10);
        assert!(!counter.close(11), "a late caller may still come");
        assert!(counter.close(12));
        assert!(counter.is_closed() && counter.close(12));
        assert_eq!((counter.charge(12, 1, 10), counter.used(12), counter.give_back(10, 1)), (None, 0, 0));
        assert_eq!(counter.held(), None);
    }
}

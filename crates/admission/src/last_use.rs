//! When and from where a key last proved a call.
//!
//! ```text
//! turn  even: at rest, the two belong together     odd: one call is writing, others pass by
//! ```
//!
//! A writer takes the turn or passes by: another call of the same key is being noted in that very moment, and no call
//! ever waits. A reader that meets a writer looks again; what it answers was never put together of two calls.

use std::hint::spin_loop;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};

use latchkey_protocol::Timestamp;

/// The last call that a key proved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastUse {
    /// When it arrived.
    pub at: Timestamp,
    /// From where; `None` while another call is being noted again and again.
    pub from: Option<IpAddr>,
}

/// Looks of a reader before it gives up on the address.
const LOOKS_MAX: usize = 1 << 10;

/// Where the last use is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    turn: AtomicU32,
    /// Microseconds.
    at: AtomicI64,
    /// The address as IPv6, in halves.
    high: AtomicU64,
    low: AtomicU64,
    /// The latest `at` that is stored, in microseconds.
    stored: AtomicI64,
}

impl Kept {
    /// Where the first call is kept.
    pub(crate) fn first(at: Timestamp, from: IpAddr) -> Self {
        let (high, low) = halves(from);
        let (at, high, low) = (AtomicI64::new(at.as_micros()), AtomicU64::new(high), AtomicU64::new(low));
        Self { turn: AtomicU32::new(0), at, high, low, stored: AtomicI64::new(i64::MIN) }
    }

    /// Notes a call that is not older than the one that is noted.
    pub(crate) fn note(&self, at: Timestamp, from: IpAddr) {
        let turn = self.turn.load(Ordering::Acquire);
        if turn % 2 == 1 || at.as_micros() < self.at.load(Ordering::Relaxed) {
            return;
        }
        let taken = self.turn.compare_exchange(turn, turn.wrapping_add(1), Ordering::Acquire, Ordering::Relaxed);
        if taken.is_err() {
            return;
        }
        fence(Ordering::Release);
        let (high, low) = halves(from);
        self.at.store(at.as_micros(), Ordering::Relaxed);
        self.high.store(high, Ordering::Relaxed);
        self.low.store(low, Ordering::Relaxed);
        self.turn.store(turn.wrapping_add(2), Ordering::Release);
    }

    /// Notes that the call of `at` is stored.
    pub(crate) fn stored(&self, at: Timestamp) {
        self.stored.fetch_max(at.as_micros(), Ordering::Relaxed);
    }

    /// The last call that was noted, unless it is stored.
    pub(crate) fn unstored(&self) -> Option<LastUse> {
        let stored = self.stored.load(Ordering::Relaxed);
        Some(self.read()).filter(|last| last.at.as_micros() > stored)
    }

    /// The last call that was noted.
    pub(crate) fn read(&self) -> LastUse {
        for _ in 0..LOOKS_MAX {
            let turn = self.turn.load(Ordering::Acquire);
            let at = Timestamp::from_micros(self.at.load(Ordering::Relaxed));
            let high = u128::from(self.high.load(Ordering::Relaxed));
            let address = Ipv6Addr::from_bits(high << 64 | u128::from(self.low.load(Ordering::Relaxed)));
            fence(Ordering::Acquire);
            if turn.is_multiple_of(2) && turn == self.turn.load(Ordering::Relaxed) {
                return LastUse { at, from: Some(address.to_canonical()) };
            }
            spin_loop();
        }
        LastUse { at: Timestamp::from_micros(self.at.load(Ordering::Relaxed)), from: None }
    }
}

/// An address as IPv6, in halves.
fn halves(address: IpAddr) -> (u64, u64) {
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let bits = address.to_bits();
    ((bits >> 64) as u64, bits as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn the_last_call_is_told_with_its_own_address() {
        let kept = Kept::first(at(4), "192.0.2.6".parse().unwrap());
        assert_eq!(kept.read(), LastUse { at: at(4), from: "192.0.2.6".parse().ok() });
        for (micros, from) in [(5, "192.0.2.7"), (9, "2001:db8::7"), (9, "::ffff:192.0.2.8")] {
            let from: IpAddr = from.parse().unwrap();
            kept.note(at(micros), from);
            assert_eq!(kept.read(), LastUse { at: at(micros), from: Some(from.to_canonical()) });
        }
        kept.note(at(8), "192.0.2.9".parse().unwrap());
        let last = LastUse { at: at(9), from: "192.0.2.8".parse().ok() };
        assert_eq!(kept.read(), last, "a call that arrived before is not the last");
        kept.turn.fetch_add(1, Ordering::Relaxed);
        kept.note(at(10), "192.0.2.9".parse().unwrap());
        assert_eq!(kept.read(), LastUse { at: at(9), from: None }, "a writer in between is passed by, not waited for");
    }

    #[test]
    fn what_is_stored_is_told_no_more_until_the_next_call() {
        let from: IpAddr = "192.0.2.6".parse().unwrap();
        let kept = Kept::first(at(4), from);
        let first = kept.unstored().unwrap();
        kept.note(at(5), from);
        kept.stored(first.at);
        assert_eq!(
            kept.unstored(),
            Some(LastUse { at: at(5), from: Some(from) }),
            "it came while the other was stored"
        );
        kept.stored(at(5));
        kept.stored(first.at);
        assert_eq!(kept.unstored(), None);
    }

    /// The address that belongs to a time: both halves of it tell.
    fn of(micros: i64) -> IpAddr {
        let half = u128::from(micros.cast_unsigned());
        IpAddr::V6(Ipv6Addr::from_bits(half << 64 | half | 1 << 120))
    }

    #[test]
    fn no_reader_sees_the_time_of_one_call_and_the_address_of_another() {
        const CALLS: i64 = 40_000;
        let (kept, done) = (Kept::first(at(1), of(1)), AtomicBool::new(false));
        thread::scope(|scope| {
            let writers = [0, 1].map(|own| {
                let kept = &kept;
                scope.spawn(move || (1..CALLS).for_each(|call| kept.note(at(2 * call + own), of(2 * call + own))))
            });
            let reader = scope.spawn(|| {
                let mut last = at(0);
                while !done.load(Ordering::Relaxed) {
                    let seen = kept.read();
                    assert!(seen.from.is_none_or(|from| from == of(seen.at.as_micros())), "{seen:?}");
                    assert!(seen.from.is_none() || seen.at >= last, "{seen:?} after {last:?}");
                    last = seen.at;
                }
            });
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            done.store(true, Ordering::Relaxed);
            reader.join().unwrap();
        });
        assert_ne!(kept.read().at, at(1));
    }
}

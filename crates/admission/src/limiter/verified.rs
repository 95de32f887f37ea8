//! Which keys verified from which addresses of late.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};

use latchkey_protocol::limits::Window;
use latchkey_protocol::{KeyId, Timestamp};

use super::FIVE_MINUTES;
use super::figures::TableFigures;
use super::table::{Slot, Table};

/// How long a pair is remembered: an hour.
const REMEMBERED_US: i64 = 3_600_000_000;
/// How often it is noted again: once a minute is enough.
const NOTED_EVERY_US: i64 = 60_000_000;
const CLOSED: i64 = i64::MAX;

/// The time of the last verified call, in microseconds.
#[derive(Default)]
struct LastSeen(AtomicI64);

impl Slot for LastSeen {
    fn close(&self, _: Window, now: Timestamp) -> bool {
        let over = |seen: i64| seen == CLOSED || now.as_micros().saturating_sub(seen) > REMEMBERED_US;
        let close = |seen: i64| over(seen).then_some(CLOSED);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, close).is_ok()
    }

    fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire) == CLOSED
    }
}

/// The memory. A pair that finds no place counts as never seen: it is verified like any other as long as its address
/// has failures left.
pub(super) struct Verified(Table<(KeyId, IpAddr), LastSeen>);

impl Verified {
    pub(super) fn new(max: usize) -> Self {
        Self(Table::new(max, 0, FIVE_MINUTES))
    }

    pub(super) fn figures(&self, name: &'static str) -> TableFigures {
        self.0.figures(name)
    }

    /// Whether the key verified from the address in the last hour; if so, whether that should be noted again.
    pub(super) fn from(&self, key: KeyId, address: IpAddr, now: Timestamp) -> Option<bool> {
        let seen = self.0.existing(&(key, address), |slot| slot.0.load(Ordering::Acquire))?;
        let ago = now.as_micros().saturating_sub(seen);
        (seen != CLOSED && ago <= REMEMBERED_US).then_some(ago > NOTED_EVERY_US)
    }

    /// Notes that the key verified from the address.
    pub(super) fn note(&self, key: KeyId, address: IpAddr, now: Timestamp) {
        self.0.slot((key, address), now, |slot, _| {
            let later = |seen: i64| (seen != CLOSED).then(|| seen.max(now.as_micros()));
            slot.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, later).ok()
        });
    }

    /// Which keys verified from where in the last hour, in order.
    pub(super) fn export(&self, now: Timestamp) -> Vec<((KeyId, IpAddr), Timestamp)> {
        let mut held = Vec::new();
        self.0.each(|pair, slot| {
            let seen = slot.0.load(Ordering::Acquire);
            if seen != CLOSED && now.as_micros().saturating_sub(seen) <= REMEMBERED_US {
                held.push((*pair, Timestamp::from_micros(seen)));
            }
        });
        held.sort_unstable_by_key(|(pair, _)| *pair);
        held
    }

    /// Takes over what was noted before a restart; nothing was noted later than now.
    pub(super) fn import(&self, held: &[((KeyId, IpAddr), Timestamp)], now: Timestamp) {
        for (pair, seen) in held {
            let seen = seen.as_micros().min(now.as_micros());
            if now.as_micros().saturating_sub(seen) <= REMEMBERED_US {
                self.0.restore(*pair, LastSeen(AtomicI64::new(seen)));
            }
        }
    }
}

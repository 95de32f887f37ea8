//! The unfilled-order count: how many orders an owner has placed that did not trade yet.
//! Source: spot API, unfilled order count and its decrement, 2026-07-21.

use latchkey_protocol::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{OrderCounts, OrderInterval, OrderLimits, Refusal};

/// What the first fill of an order gives back when it took.
pub(crate) const TAKER_GIVES_BACK: u32 = 1;
/// What the first fill of an order gives back when it made.
pub(crate) const MAKER_GIVES_BACK: u32 = 5;

const TEN_SECONDS: i64 = 10_000_000;
const DAY: i64 = 86_400_000_000;

/// An owner's counts in the two clock-aligned windows. A window that is over counts nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct OrderCounter {
    ten_seconds: Window,
    day: Window,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Window {
    index: i64,
    count: u32,
}

impl Window {
    fn at(&self, index: i64) -> u32 {
        if self.index == index { self.count } else { 0 }
    }

    fn set(&mut self, index: i64, count: u32) {
        *self = Self { index, count };
    }
}

impl OrderCounter {
    pub(crate) fn counts(&self, at: Timestamp) -> OrderCounts {
        let (ten_seconds, day) = windows(at);
        OrderCounts { ten_seconds: self.ten_seconds.at(ten_seconds), day: self.day.at(day) }
    }

    /// Whether one more order fits into both windows.
    ///
    /// # Errors
    /// [`Refusal::TooManyOrders`] of the shorter window that is full.
    pub(crate) fn room(&self, at: Timestamp, limits: &OrderLimits) -> Result<(), Refusal> {
        let counts = self.counts(at);
        let full = |limit, interval| Err(Refusal::TooManyOrders { limit, interval });
        if counts.ten_seconds >= limits.per_10s {
            return full(limits.per_10s, OrderInterval::TenSeconds);
        }
        if counts.day >= limits.per_day {
            return full(limits.per_day, OrderInterval::Day);
        }
        Ok(())
    }

    pub(crate) fn raise(&mut self, at: Timestamp) {
        let (ten_seconds, day) = windows(at);
        let counts = self.counts(at);
        self.ten_seconds.set(ten_seconds, counts.ten_seconds.saturating_add(1));
        self.day.set(day, counts.day.saturating_add(1));
    }

    pub(crate) fn lower(&mut self, at: Timestamp, by: u32) {
        let (ten_seconds, day) = windows(at);
        let counts = self.counts(at);
        self.ten_seconds.set(ten_seconds, counts.ten_seconds.saturating_sub(by));
        self.day.set(day, counts.day.saturating_sub(by));
    }
}

fn windows(at: Timestamp) -> (i64, i64) {
    (at.as_micros().div_euclid(TEN_SECONDS), at.as_micros().div_euclid(DAY))
}

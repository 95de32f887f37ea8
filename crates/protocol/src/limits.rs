//! Limits as the contract publishes them: what is counted, in which window, and under which header.
//!
//! Windows are fixed and aligned to the clock: a minute turns at :00, ten seconds at 00, 10, 20 …, a day at
//! 00:00 UTC. Sources: WebSocket API, "Rate limits", 2026-07-21; REST API, "Limits", 2026-07-21; margin API,
//! general information, 2026-01-15.

use crate::order::wire_enum;
use crate::{Timestamp, Value};

wire_enum! {
    /// What a limit counts.
    RateLimitType {
        /// The weight of an address's requests.
        RequestWeight = "REQUEST_WEIGHT",
        /// The unfilled orders of an account.
        Orders = "ORDERS",
        /// The requests of an address, whatever they weigh.
        RawRequests = "RAW_REQUESTS",
        /// The connections that an address opens.
        Connections = "CONNECTIONS",
    }
}

wire_enum! {
    /// The unit of a window.
    Interval {
        /// A second.
        Second = "SECOND",
        /// A minute.
        Minute = "MINUTE",
        /// An hour.
        Hour = "HOUR",
        /// A day of UTC.
        Day = "DAY",
    }
}

impl Interval {
    /// The length in seconds.
    pub const fn as_secs(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
        }
    }
}

/// A span of time that turns with the clock: `interval_num` units of `interval`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Window {
    /// The unit.
    pub interval: Interval,
    /// How many units: 1 to 10 000.
    pub interval_num: u32,
}

impl Window {
    /// A window of so many units.
    ///
    /// # Panics
    /// When `interval_num` is not 1 to 10 000: limits are constants or checked when the configuration is read.
    pub const fn of(interval_num: u32, interval: Interval) -> Self {
        assert!(interval_num >= 1 && interval_num <= 10_000, "a window has 1 to 10 000 units");
        Self { interval, interval_num }
    }

    /// The length in microseconds.
    pub const fn micros(self) -> i64 {
        self.interval.as_secs() * self.interval_num as i64 * 1_000_000
    }

    /// The start of the window that `now` lies in.
    pub const fn start(self, now: Timestamp) -> Timestamp {
        Timestamp::from_micros(now.as_micros() - now.as_micros().rem_euclid(self.micros()))
    }

    /// The start of the window after the one that `now` lies in.
    pub const fn end(self, now: Timestamp) -> Timestamp {
        self.start(now).plus_micros(self.micros())
    }

    /// Whole seconds until the window turns, rounded up and at least one: the value of `Retry-After`.
    pub const fn retry_after_secs(self, now: Timestamp) -> i64 {
        let left = self.end(now).micros_since(now);
        (left + 999_999) / 1_000_000
    }
}

/// One limit: at most `limit` of `kind` in each window.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Limit {
    /// What is counted.
    pub kind: RateLimitType,
    /// The unit of the window.
    pub interval: Interval,
    /// How many units the window has: 1 to 10 000.
    pub interval_num: u32,
    /// The most in one window.
    pub limit: u32,
}

impl Limit {
    /// A limit of `limit` in each `window`.
    pub const fn new(kind: RateLimitType, window: Window, limit: u32) -> Self {
        Self { kind, interval: window.interval, interval_num: window.interval_num, limit }
    }

    /// The window.
    ///
    /// # Panics
    /// As [`Window::of`].
    pub const fn window(&self) -> Window {
        Window::of(self.interval_num, self.interval)
    }

    /// The object in `rateLimits`; `count` where the answer tells how much is used.
    pub fn to_value(&self, count: Option<u64>) -> Value {
        let mut fields = vec![
            ("rateLimitType", Value::Text(self.kind.as_str())),
            ("interval", Value::Text(self.interval.as_str())),
            ("intervalNum", Value::Int(self.interval_num.into())),
            ("limit", Value::Int(self.limit.into())),
        ];
        if let Some(count) = count {
            fields.push(("count", Value::Int(i64::try_from(count).unwrap_or(i64::MAX))));
        }
        Value::Object(fields)
    }
}

/// How long an address is banned, in seconds: first, second … ban; the last one from then on. The contract says
/// "2 minutes to 3 days"; the steps between are ours. Source: REST API, "IP limits", 2026-07-21.
pub const BAN_STEPS: [i64; 6] = [2 * 60, 10 * 60, 3600, 6 * 3600, 24 * 3600, 72 * 3600];
/// The time without a refusal, in seconds, after which an address's next ban is one step shorter. Ours.
pub const BAN_STEP_FORGOTTEN: i64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Window = Window::of(1, Interval::Minute);
    const TEN_SECONDS: Window = Window::of(10, Interval::Second);
    const DAY: Window = Window::of(1, Interval::Day);
    const FIVE_MINUTES: Window = Window::of(5, Interval::Minute);

    /// 2026-07-21T13:47:29.500Z.
    const NOW: Timestamp = Timestamp::from_millis(1_784_641_649_500);

    #[test]
    fn windows_turn_with_the_clock() {
        let start = |window: Window| window.start(NOW).as_millis();
        assert_eq!(start(TEN_SECONDS), 1_784_641_640_000);
        assert_eq!(start(MINUTE), 1_784_641_620_000);
        assert_eq!(start(FIVE_MINUTES), 1_784_641_500_000);
        assert_eq!(start(DAY), 1_784_592_000_000);
        assert_eq!(MINUTE.end(NOW).as_millis(), 1_784_641_680_000);
    }

    #[test]
    fn a_window_begins_with_its_first_microsecond() {
        let turn = Timestamp::from_millis(1_784_641_680_000);
        assert_eq!(MINUTE.start(turn), turn);
        assert_eq!(MINUTE.start(turn.plus_micros(-1)), turn.plus_millis(-60_000));
        assert_eq!(MINUTE.end(turn), turn.plus_millis(60_000));
        assert_eq!(DAY.start(Timestamp::from_micros(-1)).as_millis(), -86_400_000);
    }

    #[test]
    fn retry_after_is_never_zero() {
        let turn = Timestamp::from_millis(1_784_641_680_000);
        assert_eq!(MINUTE.retry_after_secs(NOW), 31);
        assert_eq!(MINUTE.retry_after_secs(turn), 60);
        assert_eq!(MINUTE.retry_after_secs(turn.plus_micros(-1)), 1);
    }
}

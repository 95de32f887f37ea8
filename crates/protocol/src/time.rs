//! Points and spans of time on the wire and inside.

use core::fmt;

/// A point in time: microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest time that a request parameter may carry: 2017-01-01T00:00:00Z.
    /// Source: spot API change log, 2024-12-09.
    pub const EARLIEST: Self = Self(1_483_228_800_000_000);

    /// The latest time that a request parameter may carry: 3000-01-01T00:00:00Z, so that no sum over it overflows.
    pub const LATEST: Self = Self(32_503_680_000_000_000);

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds since the epoch; saturates beyond the year 290000.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Reads a wire time that may be in milliseconds or microseconds.
    ///
    /// Thirteen-digit values are milliseconds, sixteen-digit ones microseconds; the limit between both
    /// lies at 10^14, which is the year 5138 in milliseconds and 1973 in microseconds.
    /// Source: REST API, "Timing security" (microseconds accepted since 2024-12-17).
    pub const fn from_wire(value: i64) -> Self {
        if value >= 100_000_000_000_000 { Self(value) } else { Self::from_millis(value) }
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The time `micros` later (earlier when negative); saturates.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// The time `millis` later (earlier when negative); saturates.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis.saturating_mul(1000)))
    }

    /// Microseconds from `earlier` to `self`; negative when `earlier` is later.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The number on the wire in the given unit.
    pub const fn in_unit(self, unit: TimeUnit) -> i64 {
        match unit {
            TimeUnit::Millisecond => self.as_millis(),
            TimeUnit::Microsecond => self.0,
        }
    }
}

/// The unit of times in an answer: header `X-MBX-TIME-UNIT` or URL option `timeUnit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimeUnit {
    /// Milliseconds, the default.
    #[default]
    Millisecond,
    /// Microseconds.
    Microsecond,
}

impl TimeUnit {
    /// Parses the header's value: all upper or all lower case; anything else is `-1194`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        match text {
            b"MICROSECOND" | b"microsecond" => Some(Self::Microsecond),
            b"MILLISECOND" | b"millisecond" => Some(Self::Millisecond),
            _ => None,
        }
    }
}

/// How long after its `timestamp` a request stays valid, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RecvWindow(i64);

/// Why a `recvWindow` is not one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecvWindowError {
    /// Not a decimal number.
    #[error("not a decimal number of milliseconds")]
    Malformed,
    /// More than three decimals.
    #[error("more than three decimals")]
    Precision,
    /// Greater than the largest allowed.
    #[error("greater than the largest allowed")]
    TooLarge,
}

impl RecvWindow {
    /// The window of a request that names none: 5000 ms.
    pub const DEFAULT: Self = Self(5_000_000);

    /// Parses milliseconds with at most three decimals, for example `6000.346`.
    /// Source: REST API, "Timing security" (decimals since 2025-08-28).
    ///
    /// # Errors
    /// See [`RecvWindowError`]; `max_ms` is the policy's largest window.
    pub fn parse(text: &str, max_ms: u32) -> Result<Self, RecvWindowError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(RecvWindowError::Malformed);
        }
        if fraction.len() > 3 {
            return Err(RecvWindowError::Precision);
        }
        let too_large = |_| RecvWindowError::TooLarge;
        let whole: i64 = whole.parse().map_err(too_large)?;
        let mut micros: i64 = fraction.parse().map_err(too_large)?;
        for _ in fraction.len()..3 {
            micros *= 10;
        }
        let total = whole.checked_mul(1000).and_then(|w| w.checked_add(micros)).ok_or(RecvWindowError::TooLarge)?;
        if total > i64::from(max_ms) * 1000 { Err(RecvWindowError::TooLarge) } else { Ok(Self(total)) }
    }

    /// From microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The window in microseconds.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recv_window_takes_three_decimals_and_no_more() {
        let parse = |text| RecvWindow::parse(text, 60_000).map(RecvWindow::as_micros);
        assert_eq!(parse("5000"), Ok(5_000_000));
        assert_eq!(parse("6000.346"), Ok(6_000_346));
        assert_eq!(parse("0.1"), Ok(100));
        assert_eq!(parse("60000"), Ok(60_000_000));
        assert_eq!(parse("60000.001"), Err(RecvWindowError::TooLarge));
        assert_eq!(parse("99999999999999999999"), Err(RecvWindowError::TooLarge));
        assert_eq!(parse("6000.3461"), Err(RecvWindowError::Precision));
        for bad in ["", "-1", "1e3", "5000.", ".5", " 5", "5 ", "٥"] {
            assert_eq!(parse(bad), Err(RecvWindowError::Malformed), "{bad}");
        }
    }

    #[test]
    fn wire_times_are_milliseconds_or_microseconds() {
        let time = Timestamp::from_micros(1_732_000_000_123_456);
        assert_eq!(Timestamp::from_wire(1_732_000_000_123_456), time);
        assert_eq!(Timestamp::from_wire(1_732_000_000_123), Timestamp::from_millis(1_732_000_000_123));
        assert_eq!(time.in_unit(TimeUnit::Millisecond), 1_732_000_000_123);
    }
}

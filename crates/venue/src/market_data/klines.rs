//! Candles, also of days and weeks that begin elsewhere than in UTC.

use latchkey_admission::{Permit, Rejection, Ticket};
use latchkey_authority::ports::Ports;
use latchkey_exchange::view::{Interval, Kline};
use latchkey_exchange::{Core, Refusal};
use latchkey_protocol::{Amount, Symbol, Timestamp, Value, code};

use super::ROWS;
use crate::orders::{limit, symbol};
use crate::venue::Venue;

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 24 * 60 * MINUTE_US;
/// The most candles that candles of another time zone are put together from: a thousand days of hours.
const PARTS_MAX: i64 = 24_000;

/// What is asked for.
#[derive(Clone, Copy)]
struct Asked {
    symbol: Symbol,
    interval: Interval,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    rows: usize,
    /// Minutes east of UTC.
    zone: i64,
}

pub(crate) fn klines<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let arguments = &permit.call().arguments;
    let interval = arguments.choice("interval").and_then(Interval::parse);
    let asked = Asked {
        symbol: symbol(arguments)?,
        interval: interval.ok_or_else(|| Rejection::parameter(code::BAD_INTERVAL.plain()))?,
        start: arguments.time("startTime"),
        end: arguments.time("endTime"),
        rows: limit(arguments, ROWS),
        zone: arguments.int("timeZone").unwrap_or(0),
    };
    venue.query(
        permit,
        move |core, now| asked.answer(core, now).ok_or(Refusal::BadSymbol),
        |klines| Value::Array(klines.iter().map(kline_value).collect()),
    )
}

impl Asked {
    fn answer(&self, core: &Core, now: Timestamp) -> Option<Vec<Kline>> {
        let Self { symbol, interval, start, end, rows, zone } = *self;
        let grid = Grid { interval, zone_us: zone * MINUTE_US };
        if grid.is_plain() {
            return core.klines(symbol, interval, start, end, rows, now);
        }
        // The longest candle of the exchange whose begin is one in this zone too.
        let (part, part_us) = match zone {
            _ if zone % 60 == 0 => (Interval::H1, 60 * MINUTE_US),
            _ if zone % 15 == 0 => (Interval::M15, 15 * MINUTE_US),
            _ => (Interval::M1, MINUTE_US),
        };
        let last = end.map_or(now, |end| end.min(now)).as_micros();
        let earliest = last.saturating_sub(PARTS_MAX * part_us);
        let begins = grid.begins(start.map(Timestamp::as_micros), last, earliest, rows);
        let (Some(first), Some(final_)) = (begins.first(), begins.last()) else {
            return core.symbol(symbol).map(|_| Vec::new());
        };
        let until = grid.next(*final_) - 1;
        let parts = core.klines(
            symbol,
            part,
            Some(Timestamp::from_micros(*first)),
            Some(Timestamp::from_micros(until)),
            usize::try_from(PARTS_MAX).unwrap_or(usize::MAX),
            now,
        )?;
        Some(put_together(&parts, &begins, &grid))
    }
}

/// Where candles begin in a time zone.
struct Grid {
    interval: Interval,
    zone_us: i64,
}

impl Grid {
    /// The length of a candle; `None` for months.
    const fn length_us(&self) -> Option<i64> {
        Some(match self.interval {
            Interval::S1 => 1_000_000,
            Interval::M1 => MINUTE_US,
            Interval::M3 => 3 * MINUTE_US,
            Interval::M5 => 5 * MINUTE_US,
            Interval::M15 => 15 * MINUTE_US,
            Interval::M30 => 30 * MINUTE_US,
            Interval::H1 => 60 * MINUTE_US,
            Interval::H2 => 120 * MINUTE_US,
            Interval::H4 => 240 * MINUTE_US,
            Interval::H6 => 360 * MINUTE_US,
            Interval::H8 => 480 * MINUTE_US,
            Interval::H12 => 720 * MINUTE_US,
            Interval::D1 => DAY_US,
            Interval::D3 => 3 * DAY_US,
            Interval::W1 => 7 * DAY_US,
            Interval::Month1 => return None,
        })
    }

    /// Whether the zone moves no begin.
    fn is_plain(&self) -> bool {
        self.length_us().map_or(self.zone_us == 0, |length| self.zone_us % length == 0)
    }

    /// When the candle that holds a moment begins.
    fn start_of(&self, time: i64) -> i64 {
        let local = time + self.zone_us;
        let begin = match self.length_us() {
            Some(length) => {
                // The epoch was a Thursday; weeks begin on Monday.
                let offset = if self.interval == Interval::W1 { 4 * DAY_US } else { 0 };
                (local - offset).div_euclid(length) * length + offset
            }
            None => {
                let day = local.div_euclid(DAY_US);
                (day - day_of_month(day) + 1) * DAY_US
            }
        };
        begin - self.zone_us
    }

    /// When the candle after the one that begins at `begin` begins.
    fn next(&self, begin: i64) -> i64 {
        match self.length_us() {
            Some(length) => begin + length,
            // No month is longer than 31 days nor shorter than 28, so this lands in the next one.
            None => self.start_of(begin + 31 * DAY_US),
        }
    }

    /// The begins between `start` and `last`, oldest first: the first ones when there is a start, else the last ones.
    fn begins(&self, start: Option<i64>, last: i64, earliest: i64, rows: usize) -> Vec<i64> {
        let mut begins = Vec::new();
        if let Some(start) = start {
            let mut begin = self.start_of(start.max(earliest));
            if begin < start {
                begin = self.next(begin);
            }
            while begin <= last && begins.len() < rows {
                begins.push(begin);
                begin = self.next(begin);
            }
        } else {
            let mut begin = self.start_of(last);
            while begin >= earliest && begins.len() < rows {
                begins.push(begin);
                begin = self.start_of(begin - 1);
            }
            begins.reverse();
        }
        begins
    }
}

/// The day of the month, from 1, of a day counted from 1970-01-01, in the Gregorian calendar.
const fn day_of_month(day: i64) -> i64 {
    // Counted from 0000-03-01 the leap day is the last of its year, and months follow a rule of 153 days in five.
    let of_era = (day + 719_468).rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    of_year - (153 * month + 2) / 5 + 1
}

/// Joins parts to candles that begin at `begins`. A candle without any part was before the market.
fn put_together(parts: &[Kline], begins: &[i64], grid: &Grid) -> Vec<Kline> {
    let mut parts = parts.iter().peekable();
    let mut candles = Vec::with_capacity(begins.len());
    for begin in begins {
        let next = Timestamp::from_micros(grid.next(*begin));
        let mut candle: Option<Kline> = None;
        while let Some(part) = parts.next_if(|part| part.open_time < next) {
            candle = Some(candle.map_or(*part, |so_far| joined(&so_far, part)));
        }
        candles.extend(candle.map(|candle| Kline {
            open_time: Timestamp::from_micros(*begin),
            close_time: next.plus_millis(-1),
            ..candle
        }));
    }
    candles
}

fn joined(one: &Kline, later: &Kline) -> Kline {
    let sum = |a: Amount, b: Amount| Amount::from_scaled(a.scaled().saturating_add(b.scaled()));
    // A part without trades only repeats the price before it.
    match (one.trades, later.trades) {
        (_, 0) => *one,
        (0, _) => *later,
        _ => Kline {
            high: one.high.max(later.high),
            low: one.low.min(later.low),
            close: later.close,
            volume: sum(one.volume, later.volume),
            quote_volume: sum(one.quote_volume, later.quote_volume),
            trades: one.trades + later.trades,
            taker_base_volume: sum(one.taker_base_volume, later.taker_base_volume),
            taker_quote_volume: sum(one.taker_quote_volume, later.taker_quote_volume),
            ..*one
        },
    }
}

fn kline_value(kline: &Kline) -> Value {
    Value::Array(vec![
        kline.open_time.into(),
        kline.open.into(),
        kline.high.into(),
        kline.low.into(),
        kline.close.into(),
        kline.volume.into(),
        kline.close_time.into(),
        kline.quote_volume.into(),
        kline.trades.into(),
        kline.taker_base_volume.into(),
        kline.taker_quote_volume.into(),
        "0".into(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-02-14T10:20:30Z.
    const NOW: i64 = 1_771_064_430_000_000;
    const HOUR_US: i64 = 60 * MINUTE_US;

    fn begin(interval: Interval, zone_minutes: i64) -> i64 {
        Grid { interval, zone_us: zone_minutes * MINUTE_US }.start_of(NOW) / 1_000_000
    }

    #[test]
    fn days_weeks_and_months_begin_at_the_zones_midnight() {
        assert_eq!(begin(Interval::D1, 0), 1_771_027_200);
        assert_eq!(begin(Interval::D1, 480), 1_771_027_200 - 8 * 3600);
        assert_eq!(begin(Interval::D1, -11 * 60), 1_771_027_200 - 13 * 3600, "still the day before there");
        assert_eq!(begin(Interval::W1, 60), 1_770_595_200 - 3600, "Monday 2026-02-09, one hour earlier");
        assert_eq!(begin(Interval::Month1, -60), 1_769_904_000 + 3600, "2026-02-01, one hour later");
    }

    #[test]
    fn a_zone_that_moves_no_begin_is_plain() {
        let plain = |interval, zone: i64| Grid { interval, zone_us: zone * MINUTE_US }.is_plain();
        assert!(plain(Interval::S1, 1) && plain(Interval::M15, 345) && plain(Interval::H1, -480));
        assert!(!plain(Interval::M30, 345) && !plain(Interval::H8, 60) && !plain(Interval::Month1, 60));
        assert!(plain(Interval::Month1, 0) && plain(Interval::D1, 0));
    }

    #[test]
    fn the_first_rows_from_a_start_or_the_last_up_to_an_end() {
        let grid = Grid { interval: Interval::D1, zone_us: 8 * HOUR_US };
        let today = grid.start_of(NOW);
        assert_eq!(grid.begins(None, NOW, 0, 2), [today - DAY_US, today]);
        assert_eq!(grid.begins(Some(today - DAY_US), NOW, 0, 1), [today - DAY_US]);
        assert_eq!(grid.begins(Some(today + 1), NOW, 0, 5), [0_i64; 0]);
    }
}

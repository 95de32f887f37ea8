//! Candles of one symbol: three base series, from which every interval is built.

use std::collections::VecDeque;

use latchkey_protocol::{Amount, Price, Timestamp};
use serde::{Deserialize, Serialize};

use crate::view::{Interval, Kline};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How far back each base series goes, in candles with trades: an hour of seconds, two weeks of minutes, five years
/// of hours.
const KEPT: [usize; 3] = [3_600, 20_160, 43_800];
const LENGTHS: [i64; 3] = [SECOND, MINUTE, HOUR];

/// The candles of one symbol. Spans without a trade are not stored; a query fills them with the price before.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Candles {
    series: [VecDeque<Candle>; 3],
}

/// One span with at least one trade, scaled by 10^8.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Candle {
    /// When the span begins, in microseconds.
    pub(crate) start: i64,
    pub(crate) open: i64,
    pub(crate) high: i64,
    pub(crate) low: i64,
    pub(crate) close: i64,
    pub(crate) volume: i128,
    pub(crate) quote_volume: i128,
    pub(crate) taker_base: i128,
    pub(crate) taker_quote: i128,
    pub(crate) trades: i64,
    pub(crate) first_trade: i64,
}

/// One trade, as candles see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Print {
    pub(crate) id: i64,
    pub(crate) price: i64,
    pub(crate) quantity: i64,
    pub(crate) notional: i128,
    pub(crate) time: i64,
    pub(crate) taker_buys: bool,
}

impl Candles {
    /// Adds a trade to the running candles.
    pub(crate) fn record(&mut self, print: &Print) {
        let single = Candle::of(print);
        for ((series, length), kept) in self.series.iter_mut().zip(LENGTHS).zip(KEPT) {
            let start = print.time.div_euclid(length) * length;
            match series.back_mut() {
                Some(last) if last.start == start => last.merge(&single),
                _ => {
                    if series.len() == kept {
                        series.pop_front();
                    }
                    series.push_back(Candle { start, ..single });
                }
            }
        }
    }

    fn minutes(&self) -> &VecDeque<Candle> {
        let [_, minutes, _] = &self.series;
        minutes
    }

    /// Base and quote volume of the running minute and the `minutes` before it.
    pub(crate) fn volume_of_last(&self, minutes: u32, at: i64) -> (i128, i128) {
        let first = (at.div_euclid(MINUTE) - i64::from(minutes)) * MINUTE;
        let recent = self.minutes().iter().rev().take_while(|candle| candle.start >= first);
        recent.fold((0, 0), |(base, quote), candle| (base + candle.volume, quote + candle.quote_volume))
    }

    /// The last 24 hours, to the minute, as one candle; and the last price before them.
    pub(crate) fn last_day(&self, at: i64) -> (Option<Candle>, Option<i64>) {
        let first = (at.div_euclid(MINUTE) - (DAY / MINUTE - 1)) * MINUTE;
        let minutes = self.minutes();
        let from = minutes.partition_point(|candle| candle.start < first);
        let before = from.checked_sub(1).and_then(|index| minutes.get(index)).map(|candle| candle.close);
        (merged(minutes.iter().skip(from)), before)
    }

    /// The candles of an interval that begin between `start` and `end` (both may be open), oldest first: the first
    /// `limit` of them when `start` is given, else the last. None begins after `at` or before the first trade kept.
    pub(crate) fn klines(
        &self,
        interval: Interval,
        start: Option<Timestamp>,
        end: Option<Timestamp>,
        limit: usize,
        at: Timestamp,
    ) -> Vec<Kline> {
        let [seconds, minutes, hours] = &self.series;
        let series = match interval.base_length() {
            SECOND => seconds,
            MINUTE => minutes,
            _ => hours,
        };
        let Some(earliest) = series.front().map(|candle| interval.start_of(candle.start)) else {
            return Vec::new();
        };
        let last = end.map_or(at, |end| end.min(at)).as_micros();
        let mut begins = Vec::new();
        if let Some(start) = start {
            let mut begin = interval.start_of(start.as_micros().max(earliest));
            if begin < start.as_micros() {
                begin = interval.next(begin);
            }
            while begin <= last && begins.len() < limit {
                begins.push(begin);
                begin = interval.next(begin);
            }
        } else {
            let mut begin = interval.start_of(last);
            while begin >= earliest && begins.len() < limit {
                begins.push(begin);
                begin = interval.start_of(begin - 1);
            }
            begins.reverse();
        }
        begins.into_iter().filter_map(|begin| kline(series, begin, interval.next(begin))).collect()
    }
}

fn kline(series: &VecDeque<Candle>, begin: i64, next: i64) -> Option<Kline> {
    let from = series.partition_point(|candle| candle.start < begin);
    let within = series.iter().skip(from).take_while(|candle| candle.start < next);
    let candle = match merged(within) {
        Some(candle) => candle,
        None => Candle::flat(series.get(from.checked_sub(1)?)?.close),
    };
    Some(Kline {
        open_time: Timestamp::from_micros(begin),
        close_time: Timestamp::from_micros(next - 1_000),
        open: Price::from_scaled(candle.open),
        high: Price::from_scaled(candle.high),
        low: Price::from_scaled(candle.low),
        close: Price::from_scaled(candle.close),
        volume: Amount::from_scaled(candle.volume),
        quote_volume: Amount::from_scaled(candle.quote_volume),
        trades: candle.trades,
        taker_base_volume: Amount::from_scaled(candle.taker_base),
        taker_quote_volume: Amount::from_scaled(candle.taker_quote),
    })
}

fn merged<'a>(candles: impl Iterator<Item = &'a Candle>) -> Option<Candle> {
    candles.copied().reduce(|mut all, next| {
        all.merge(&next);
        all
    })
}

impl Candle {
    fn of(print: &Print) -> Self {
        let volume = i128::from(print.quantity);
        let taken = i128::from(print.taker_buys);
        Self {
            start: print.time,
            open: print.price,
            high: print.price,
            low: print.price,
            close: print.price,
            volume,
            quote_volume: print.notional,
            taker_base: volume * taken,
            taker_quote: print.notional * taken,
            trades: 1,
            first_trade: print.id,
        }
    }

    /// A span without trades after a price.
    fn flat(price: i64) -> Self {
        let print = Print { id: 0, price, quantity: 0, notional: 0, time: 0, taker_buys: false };
        Self { trades: 0, ..Self::of(&print) }
    }

    /// Adds a later candle.
    fn merge(&mut self, later: &Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume += later.volume;
        self.quote_volume += later.quote_volume;
        self.taker_base += later.taker_base;
        self.taker_quote += later.taker_quote;
        self.trades += later.trades;
    }
}

impl Interval {
    /// Fixed length and offset from the epoch in microseconds; `None` for calendar months.
    const fn grid(self) -> Option<(i64, i64)> {
        Some(match self {
            Self::S1 => (SECOND, 0),
            Self::M1 => (MINUTE, 0),
            Self::M3 => (3 * MINUTE, 0),
            Self::M5 => (5 * MINUTE, 0),
            Self::M15 => (15 * MINUTE, 0),
            Self::M30 => (30 * MINUTE, 0),
            Self::H1 => (HOUR, 0),
            Self::H2 => (2 * HOUR, 0),
            Self::H4 => (4 * HOUR, 0),
            Self::H6 => (6 * HOUR, 0),
            Self::H8 => (8 * HOUR, 0),
            Self::H12 => (12 * HOUR, 0),
            Self::D1 => (DAY, 0),
            Self::D3 => (3 * DAY, 0),
            // The epoch was a Thursday; weeks begin on Monday.
            Self::W1 => (7 * DAY, 4 * DAY),
            Self::Month1 => return None,
        })
    }

    const fn base_length(self) -> i64 {
        match self {
            Self::S1 => SECOND,
            Self::M1 | Self::M3 | Self::M5 | Self::M15 | Self::M30 => MINUTE,
            _ => HOUR,
        }
    }

    /// When the candle that holds a moment begins.
    fn start_of(self, time: i64) -> i64 {
        match self.grid() {
            Some((length, offset)) => (time - offset).div_euclid(length) * length + offset,
            None => {
                let day = time.div_euclid(DAY);
                (day - i64::from(day_of_month(day)) + 1) * DAY
            }
        }
    }

    /// When the candle after the one that begins at `start` begins.
    fn next(self, start: i64) -> i64 {
        match self.grid() {
            Some((length, _)) => start + length,
            // A month is never longer than 31 days nor shorter than 28, so this lands in the next one.
            None => self.start_of(start + 31 * DAY),
        }
    }
}

/// The day of the month, from 1, of a day counted from 1970-01-01, in the Gregorian calendar.
fn day_of_month(day: i64) -> u8 {
    // Counted from 0000-03-01 the leap day is the last of its year, and months follow a rule of 153 days in five.
    let from_march = day + 719_468;
    let of_era = from_march.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    (of_year - (153 * month + 2) / 5 + 1) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-02-14T10:20:30Z.
    const NOW: i64 = 1_771_064_430 * SECOND;

    fn print(time: i64, price: i64) -> Print {
        Print { id: 1, price, quantity: 2, notional: 2 * i128::from(price), time, taker_buys: price % 2 == 0 }
    }

    #[test]
    fn intervals_begin_where_the_calendar_says() {
        let begins = |interval: Interval| interval.start_of(NOW) / SECOND;
        assert_eq!(begins(Interval::M5), 1_771_064_400);
        assert_eq!(begins(Interval::D1), 1_771_027_200);
        assert_eq!(begins(Interval::W1), 1_770_595_200, "Monday 2026-02-09");
        assert_eq!(begins(Interval::Month1), 1_769_904_000, "2026-02-01");
        assert_eq!(Interval::Month1.next(1_769_904_000 * SECOND) / SECOND, 1_772_323_200, "2026-03-01");
        for (day, expected) in [(0, 1), (30, 31), (31, 1), (58, 28), (59, 1), (11_016, 29), (11_017, 1), (19_781, 28)] {
            assert_eq!(day_of_month(day), expected, "{day}");
        }
    }

    #[test]
    fn candles_merge_and_gaps_keep_the_price() {
        let mut candles = Candles::default();
        for (offset, price) in [(0, 100), (10, 104), (20, 97), (200, 101)] {
            candles.record(&print(NOW + offset * SECOND, price));
        }
        let at = Timestamp::from_micros(NOW + 250 * SECOND);
        let rows = candles.klines(Interval::M1, None, None, 10, at);
        let shape: Vec<_> = rows
            .iter()
            .map(|k| (k.open.scaled(), k.high.scaled(), k.low.scaled(), k.close.scaled(), k.volume.scaled(), k.trades))
            .collect();
        assert_eq!(
            shape,
            [
                (100, 104, 97, 97, 6, 3),
                (97, 97, 97, 97, 0, 0),
                (97, 97, 97, 97, 0, 0),
                (101, 101, 101, 101, 2, 1),
                (101, 101, 101, 101, 0, 0),
            ]
        );
        assert_eq!(rows[0].taker_base_volume.scaled(), 4);
        assert_eq!(rows[0].close_time.as_millis() - rows[0].open_time.as_millis(), 59_999);
        let from = Timestamp::from_micros(NOW + 31 * SECOND);
        let later = candles.klines(Interval::M1, Some(from), None, 2, at);
        assert_eq!(later.iter().map(|k| k.close.scaled()).collect::<Vec<_>>(), [97, 101]);
        let last = candles.klines(Interval::H1, None, None, 5, at);
        assert_eq!(last.iter().map(|k| (k.open.scaled(), k.trades)).collect::<Vec<_>>(), [(100, 4)]);
        assert_eq!(candles.volume_of_last(1, NOW + 250 * SECOND), (2, 202));
        assert_eq!(candles.last_day(NOW + DAY + 120 * SECOND).1, Some(97));
    }
}

//! The public record of a symbol's trades.

use std::collections::VecDeque;

use latchkey_protocol::{Amount, Price, Quantity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::order::notional;
use crate::view::{AggregateTrade, Page, PublicTrade};

/// How many trades, and how many aggregate trades, a symbol keeps for everyone to read. Accounts keep their own.
pub(crate) const KEPT: usize = 10_000;

/// The last trades of a symbol, and its counters.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tape {
    trades: VecDeque<Trade>,
    aggregates: VecDeque<Aggregate>,
    last_trade_id: i64,
    last_aggregate_id: i64,
}

/// One trade, scaled by 10^8, in microseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Trade {
    pub(crate) id: i64,
    pub(crate) price: i64,
    pub(crate) quantity: i64,
    pub(crate) time: i64,
    pub(crate) is_buyer_maker: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Aggregate {
    id: i64,
    price: i64,
    quantity: i128,
    first: i64,
    last: i64,
    time: i64,
    is_buyer_maker: bool,
}

impl Tape {
    /// Records a trade and returns its id. `continues` says that the same taker traded just before.
    pub(crate) fn record(
        &mut self,
        price: i64,
        quantity: i64,
        time: i64,
        is_buyer_maker: bool,
        continues: bool,
    ) -> i64 {
        self.last_trade_id += 1;
        let id = self.last_trade_id;
        keep(&mut self.trades, Trade { id, price, quantity, time, is_buyer_maker });
        match self.aggregates.back_mut() {
            Some(run) if continues && run.price == price => {
                run.quantity += i128::from(quantity);
                run.last = id;
            }
            _ => {
                self.last_aggregate_id += 1;
                let aggregate = Aggregate {
                    id: self.last_aggregate_id,
                    price,
                    quantity: i128::from(quantity),
                    first: id,
                    last: id,
                    time,
                    is_buyer_maker,
                };
                keep(&mut self.aggregates, aggregate);
            }
        }
        id
    }

    /// The last trade.
    pub(crate) fn last(&self) -> Option<&Trade> {
        self.trades.back()
    }

    /// The last `limit` trades, or the first `limit` from an id on; oldest first.
    pub(crate) fn trades(&self, from: Option<i64>, limit: usize) -> Vec<PublicTrade> {
        let first = match from {
            Some(id) => self.trades.partition_point(|trade| trade.id < id),
            None => self.trades.len().saturating_sub(limit),
        };
        self.trades.iter().skip(first).take(limit).map(Trade::view).collect()
    }

    /// The aggregate trades of a page: from an id or a time on, else the last.
    pub(crate) fn aggregates(&self, page: &Page) -> Vec<AggregateTrade> {
        let from = page.from.map_or(0, |id| self.aggregates.partition_point(|row| row.id < id));
        let start = page.start.map_or(0, |t| self.aggregates.partition_point(|row| row.time < t.as_micros()));
        let end = page
            .end
            .map_or(self.aggregates.len(), |t| self.aggregates.partition_point(|row| row.time <= t.as_micros()));
        let mut first = from.max(start);
        if page.from.is_none() && page.start.is_none() {
            first = first.max(end.saturating_sub(page.limit));
        }
        let rows = end.saturating_sub(first).min(page.limit);
        self.aggregates.iter().skip(first).take(rows).map(Aggregate::view).collect()
    }
}

fn keep<T>(rows: &mut VecDeque<T>, row: T) {
    if rows.len() == KEPT {
        rows.pop_front();
    }
    rows.push_back(row);
}

impl Trade {
    fn view(&self) -> PublicTrade {
        PublicTrade {
            id: self.id,
            price: Price::from_scaled(self.price),
            quantity: Quantity::from_scaled(self.quantity),
            quote_quantity: Amount::from_scaled(notional(self.price, self.quantity)),
            time: Timestamp::from_micros(self.time),
            is_buyer_maker: self.is_buyer_maker,
        }
    }
}

impl Aggregate {
    fn view(&self) -> AggregateTrade {
        AggregateTrade {
            id: self.id,
            price: Price::from_scaled(self.price),
            quantity: Amount::from_scaled(self.quantity),
            first_trade_id: self.first,
            last_trade_id: self.last,
            time: Timestamp::from_micros(self.time),
            is_buyer_maker: self.is_buyer_maker,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(from: Option<i64>, start: Option<i64>, end: Option<i64>, limit: usize) -> Page {
        Page { from, start: start.map(Timestamp::from_micros), end: end.map(Timestamp::from_micros), limit }
    }

    #[test]
    fn a_run_of_one_taker_at_one_price_is_one_aggregate() {
        let mut tape = Tape::default();
        tape.record(100, 1, 10, false, false);
        tape.record(100, 2, 10, false, true);
        tape.record(101, 3, 10, false, true);
        tape.record(101, 4, 20, true, false);
        let rows = tape.aggregates(&page(None, None, None, 10));
        let seen: Vec<_> =
            rows.iter().map(|a| (a.id, a.quantity.scaled(), a.first_trade_id, a.last_trade_id)).collect();
        assert_eq!(seen, [(1, 3, 1, 2), (2, 3, 3, 3), (3, 4, 4, 4)]);
        let ids = |p: Page| tape.aggregates(&p).iter().map(|a| a.id).collect::<Vec<_>>();
        assert_eq!(ids(page(None, None, None, 2)), [2, 3]);
        assert_eq!(ids(page(Some(2), None, None, 1)), [2]);
        assert_eq!(ids(page(None, Some(11), None, 5)), [3]);
        assert_eq!(ids(page(None, None, Some(10), 1)), [2]);
        assert_eq!(ids(page(None, Some(30), Some(20), 5)), [0; 0]);
    }

    #[test]
    fn the_tape_is_bounded() {
        let mut tape = Tape::default();
        for i in 0..KEPT as i64 + 5 {
            tape.record(100, 1, i, false, false);
        }
        assert_eq!(tape.trades.len(), KEPT);
        assert_eq!(tape.trades(Some(0), 1).first().map(|t| t.id), Some(6));
        assert_eq!(tape.trades(None, 2).iter().map(|t| t.id).collect::<Vec<_>>(), [10_004, 10_005]);
    }
}

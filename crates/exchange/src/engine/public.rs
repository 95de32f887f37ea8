//! What anyone may ask about the market.

use latchkey_protocol::order::Side;
use latchkey_protocol::{Amount, Asset, Price, Quantity, Symbol, Timestamp};

use super::Core;
use crate::market::{Market, average};
use crate::spec::SymbolSpec;
use crate::view::{
    AggregateTrade, AssetSum, AveragePrice, BookTicker, Depth, Interval, Kline, Level, Page, PublicTrade, Ticker24h,
};

/// The span of the average price that is published.
const AVERAGE_MINUTES: u32 = 5;
const DAY_MILLIS: i64 = 86_400_000;

/// Each of these answers `None` for a symbol that the exchange does not have.
impl Core {
    /// Every symbol, in the order in which they were added.
    pub fn symbols(&self) -> impl Iterator<Item = &SymbolSpec> {
        self.markets.iter().map(|market| &market.spec)
    }

    /// One symbol.
    pub fn symbol(&self, symbol: Symbol) -> Option<&SymbolSpec> {
        self.market(symbol).map(|market| &market.spec)
    }

    /// Every asset that is known, by name.
    pub fn assets(&self) -> Vec<Asset> {
        let mut assets = self.ledger.assets().to_vec();
        assets.sort_unstable();
        assets
    }

    /// The best `limit` levels of each side.
    pub fn depth(&self, symbol: Symbol, limit: usize) -> Option<Depth> {
        let book = &self.market(symbol)?.book;
        let levels = |side| book.levels(side).take(limit).map(level).collect();
        Some(Depth { last_update_id: book.update_id, bids: levels(Side::Buy), asks: levels(Side::Sell) })
    }

    /// The last `limit` trades, oldest first. The exchange keeps 10 000 a symbol.
    pub fn recent_trades(&self, symbol: Symbol, limit: usize) -> Option<Vec<PublicTrade>> {
        self.historical_trades(symbol, None, limit)
    }

    /// The first `limit` kept trades from an id on, or the last without one; oldest first.
    pub fn historical_trades(&self, symbol: Symbol, from: Option<i64>, limit: usize) -> Option<Vec<PublicTrade>> {
        self.market(symbol).map(|market| market.tape.trades(from, limit))
    }

    /// Aggregate trades, oldest first. The exchange keeps 10 000 a symbol.
    pub fn agg_trades(&self, symbol: Symbol, page: Page) -> Option<Vec<AggregateTrade>> {
        self.market(symbol).map(|market| market.tape.aggregates(&page))
    }

    /// Candles that begin between `start` and `end`, oldest first: the first `limit` when `start` is given, else the
    /// last. Kept are one hour of `1s`, two weeks of minutes and five years of hours (in candles with trades); longer
    /// intervals are built from those. Spans without a trade repeat the price before.
    pub fn klines(
        &self,
        symbol: Symbol,
        interval: Interval,
        start: Option<Timestamp>,
        end: Option<Timestamp>,
        limit: usize,
        at: Timestamp,
    ) -> Option<Vec<Kline>> {
        let market = self.market(symbol)?;
        Some(market.candles.klines(interval, start, end, limit, at.max(self.now)))
    }

    /// The average of the last five minutes: what filters compare with.
    pub fn average_price(&self, symbol: Symbol, at: Timestamp) -> Option<AveragePrice> {
        let market = self.market(symbol)?;
        let at = at.max(self.now);
        let price = Price::from_scaled(market.reference_price(AVERAGE_MINUTES, at));
        let close_time = market.tape.last().map_or(at, |trade| Timestamp::from_micros(trade.time));
        Some(AveragePrice { minutes: AVERAGE_MINUTES, price, close_time })
    }

    /// The last price; the start price before any trade.
    pub fn ticker_price(&self, symbol: Symbol) -> Option<Price> {
        self.market(symbol).map(|market| Price::from_scaled(market.last_price()))
    }

    /// The best price of each side.
    pub fn book_ticker(&self, symbol: Symbol) -> Option<BookTicker> {
        self.market(symbol).map(book_ticker)
    }

    /// The last 24 hours, to the minute; zeros where there was no trade.
    pub fn ticker_24h(&self, symbol: Symbol, at: Timestamp) -> Option<Ticker24h> {
        let market = self.market(symbol)?;
        let at = at.max(self.now);
        let (day, before) = market.candles.last_day(at.as_micros());
        let last_price = market.tape.last().map_or(0, |trade| trade.price);
        let open = day.map_or(last_price, |day| day.open);
        let change = last_price - open;
        let percent = i128::from(change) * 100_000 / i128::from(open.max(1));
        let of_day = |value: fn(&crate::candles::Candle) -> i64| Price::from_scaled(day.as_ref().map_or(0, value));
        Some(Ticker24h {
            symbol,
            price_change: Amount::from_scaled(i128::from(change)),
            price_change_percent_thousandths: i64::try_from(percent).unwrap_or(i64::MAX),
            weighted_average_price: Price::from_scaled(
                day.and_then(|day| average(day.quote_volume, day.volume)).unwrap_or(0),
            ),
            previous_close_price: Price::from_scaled(before.unwrap_or(open)),
            last_price: Price::from_scaled(last_price),
            last_quantity: Quantity::from_scaled(market.tape.last().map_or(0, |trade| trade.quantity)),
            book: book_ticker(market),
            open_price: Price::from_scaled(open),
            high_price: of_day(|day| day.high),
            low_price: of_day(|day| day.low),
            volume: Amount::from_scaled(day.map_or(0, |day| day.volume)),
            quote_volume: Amount::from_scaled(day.map_or(0, |day| day.quote_volume)),
            open_time: at.plus_millis(-DAY_MILLIS),
            close_time: at,
            first_id: day.map_or(-1, |day| day.first_trade),
            last_id: day.map_or(-1, |day| day.first_trade + day.trades - 1),
            count: day.map_or(0, |day| day.trades),
        })
    }

    /// Where every asset is.
    pub fn asset_sums(&self) -> Vec<AssetSum> {
        let mut in_wallets = vec![0_i128; self.ledger.assets().len()];
        for (asset, balance) in self.ledger.wallets().iter().flat_map(|wallet| wallet.balances()) {
            if let Some(sum) = in_wallets.get_mut(usize::from(*asset)) {
                *sum += balance.free + balance.locked;
            }
        }
        let sums = in_wallets.into_iter().zip(0..).map(|(wallets, asset)| {
            let venue = self.ledger.venue(asset);
            AssetSum {
                asset: self.ledger.asset(asset),
                wallets: Amount::from_scaled(wallets),
                fees: Amount::from_scaled(venue.fees),
                house: Amount::from_scaled(venue.house),
                issued: Amount::from_scaled(venue.issued),
            }
        });
        sums.collect()
    }
}

fn level((price, quantity): (i64, i128)) -> Level {
    Level { price: Price::from_scaled(price), quantity: Amount::from_scaled(quantity) }
}

fn book_ticker(market: &Market) -> BookTicker {
    let best = |side| market.book.levels(side).next().map(level);
    let empty = Level { price: Price::ZERO, quantity: Amount::ZERO };
    let (bid, ask) = (best(Side::Buy).unwrap_or(empty), best(Side::Sell).unwrap_or(empty));
    BookTicker {
        symbol: market.symbol(),
        update_id: market.book.update_id,
        bid_price: bid.price,
        bid_quantity: bid.quantity,
        ask_price: ask.price,
        ask_quantity: ask.quantity,
    }
}

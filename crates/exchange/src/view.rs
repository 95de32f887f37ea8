//! What queries answer: plain values, copied out of the core at a command boundary.

use latchkey_protocol::order::{ExpiryReason, OrderStatus, OrderType, SelfTradePrevention, Side, TimeInForce};
use latchkey_protocol::{Amount, Asset, Price, Quantity, Symbol, Timestamp};

use crate::{ClientOrderId, Commission};

/// An order, open or closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderView {
    /// `symbol`.
    pub symbol: Symbol,
    /// `orderId`: from 1 and rising on its symbol.
    pub order_id: i64,
    /// `clientOrderId`.
    pub client_order_id: ClientOrderId,
    /// `price`; zero for a market order.
    pub price: Price,
    /// `origQty`. For a market order by quote quantity, the quantity that the amount bought or sold.
    pub original_quantity: Quantity,
    /// `executedQty`.
    pub executed_quantity: Quantity,
    /// `origQuoteOrderQty`; zero unless sent.
    pub original_quote_quantity: Amount,
    /// `cummulativeQuoteQty`.
    pub cumulative_quote_quantity: Amount,
    /// `status`.
    pub status: OrderStatus,
    /// `timeInForce`; GTC for a market order.
    pub time_in_force: TimeInForce,
    /// `type`.
    pub order_type: OrderType,
    /// `side`.
    pub side: Side,
    /// `stopPrice`; zero unless contingent.
    pub stop_price: Price,
    /// `icebergQty`; zero unless iceberg.
    pub iceberg_quantity: Quantity,
    /// `time`: when it was accepted.
    pub time: Timestamp,
    /// `updateTime`: when it last changed.
    pub update_time: Timestamp,
    /// `workingTime`: when it went on the book or began to take.
    pub working_time: Timestamp,
    /// `isWorking`.
    pub is_working: bool,
    /// `selfTradePreventionMode`.
    pub self_trade_prevention: SelfTradePrevention,
    /// `preventedMatchId` and `preventedQuantity`, once a self-trade was prevented.
    pub prevented: Option<Prevented>,
    /// `expiryReason`, of an expired order.
    pub expiry_reason: Option<ExpiryReason>,
    /// `strategyId`.
    pub strategy_id: Option<i64>,
    /// `strategyType`.
    pub strategy_type: Option<i64>,
}

/// What self-trade prevention took from an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prevented {
    /// `preventedMatchId`, rising on its symbol.
    pub match_id: i64,
    /// `preventedQuantity`: `origQty − executedQty − preventedQty` is the open quantity.
    pub quantity: Quantity,
}

/// Names one order; with both the order is looked up by id and the other must agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OrderName {
    /// `orderId`.
    pub order_id: Option<i64>,
    /// `origClientOrderId`: the newest order of that name.
    pub client_order_id: Option<ClientOrderId>,
}

/// Which part of a history to answer, oldest first.
///
/// With `from` or `start` the first `limit` rows from there; else the last `limit` rows up to `end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// The least id.
    pub from: Option<i64>,
    /// The earliest time.
    pub start: Option<Timestamp>,
    /// The latest time.
    pub end: Option<Timestamp>,
    /// The most rows.
    pub limit: usize,
}

/// One side of one trade, as its owner sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountTrade {
    /// `id`: the trade's.
    pub id: i64,
    /// `orderId`.
    pub order_id: i64,
    /// `price`.
    pub price: Price,
    /// `qty`.
    pub quantity: Quantity,
    /// `quoteQty`.
    pub quote_quantity: Amount,
    /// `commission`.
    pub commission: Amount,
    /// `commissionAsset`.
    pub commission_asset: Asset,
    /// `time`.
    pub time: Timestamp,
    /// `isBuyer`.
    pub is_buyer: bool,
    /// `isMaker`.
    pub is_maker: bool,
}

/// One asset of a wallet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BalanceView {
    /// Which.
    pub asset: Asset,
    /// Free to spend.
    pub free: Amount,
    /// Held by open orders.
    pub locked: Amount,
    /// Principal owed.
    pub borrowed: Amount,
    /// Interest owed.
    pub interest: Amount,
}

/// An owner's standing with the exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnerView {
    /// Whether the margin account is in special-key mode.
    pub special_mode: bool,
    /// Whether any wallet is being liquidated.
    pub in_liquidation: bool,
    /// Rates of its own.
    pub commission: Option<Commission>,
}

/// A liquidation loan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoanView {
    /// `asset`.
    pub asset: Asset,
    /// `amount`: all that was lent.
    pub amount: Amount,
    /// `repaidAmount`.
    pub repaid: Amount,
    /// `remainingAmount`.
    pub remaining: Amount,
}

/// A repayment of a liquidation loan. It is complete when it is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RepaymentView {
    /// `repayId`: from 1 and rising over all owners.
    pub id: i64,
    /// `asset`.
    pub asset: Asset,
    /// `amount`.
    pub amount: Amount,
    /// `createTime`.
    pub time: Timestamp,
}

/// The rates that an account trades at on a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommissionView {
    /// `symbol`.
    pub symbol: Symbol,
    /// `standardCommission`: maker and taker. Buyer and seller rates, tax and special commissions are zero.
    pub commission: Commission,
}

/// Where an asset is: `wallets + fees + house = issued` at every moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AssetSum {
    /// Which.
    pub asset: Asset,
    /// In wallets, free and held.
    pub wallets: Amount,
    /// With the venue, from commissions.
    pub fees: Amount,
    /// With the synthetic market; below zero for what it has put out.
    pub house: Amount,
    /// Credits less debits.
    pub issued: Amount,
}

/// The book's best levels, best first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Depth {
    /// `lastUpdateId`: the symbol's book counter at this moment.
    pub last_update_id: i64,
    /// Buyers.
    pub bids: Vec<Level>,
    /// Sellers.
    pub asks: Vec<Level>,
}

/// All orders at one price.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Level {
    /// The price.
    pub price: Price,
    /// What rests there, in base units.
    pub quantity: Amount,
}

/// A trade as everyone sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicTrade {
    /// `id`: from 1 and rising on its symbol.
    pub id: i64,
    /// `price`.
    pub price: Price,
    /// `qty`.
    pub quantity: Quantity,
    /// `quoteQty`.
    pub quote_quantity: Amount,
    /// `time`.
    pub time: Timestamp,
    /// `isBuyerMaker`.
    pub is_buyer_maker: bool,
}

/// A run of fills of one taker at one price.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AggregateTrade {
    /// `a`: from 1 and rising on its symbol.
    pub id: i64,
    /// `p`.
    pub price: Price,
    /// `q`.
    pub quantity: Amount,
    /// `f`.
    pub first_trade_id: i64,
    /// `l`.
    pub last_trade_id: i64,
    /// `T`.
    pub time: Timestamp,
    /// `m`.
    pub is_buyer_maker: bool,
}

/// A candle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kline {
    /// When it begins.
    pub open_time: Timestamp,
    /// Its last millisecond.
    pub close_time: Timestamp,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Base volume.
    pub volume: Amount,
    /// Quote volume.
    pub quote_volume: Amount,
    /// How many trades.
    pub trades: i64,
    /// Base volume of which the buyer took.
    pub taker_base_volume: Amount,
    /// Quote volume of which the buyer took.
    pub taker_quote_volume: Amount,
}

/// The average that filters use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AveragePrice {
    /// `mins`.
    pub minutes: u32,
    /// `price`.
    pub price: Price,
    /// `closeTime`: of the last trade, or the present without one.
    pub close_time: Timestamp,
}

/// The last 24 hours, to the minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticker24h {
    /// `symbol`.
    pub symbol: Symbol,
    /// `priceChange`, below zero after a fall.
    pub price_change: Amount,
    /// `priceChangePercent`, in thousandths of a percent (the wire prints three decimals).
    pub price_change_percent_thousandths: i64,
    /// `weightedAvgPrice`.
    pub weighted_average_price: Price,
    /// `prevClosePrice`: the last price before the window, else the first in it.
    pub previous_close_price: Price,
    /// `lastPrice`.
    pub last_price: Price,
    /// `lastQty`.
    pub last_quantity: Quantity,
    /// `bidPrice`, `bidQty`, `askPrice`, `askQty`.
    pub book: BookTicker,
    /// `openPrice`.
    pub open_price: Price,
    /// `highPrice`.
    pub high_price: Price,
    /// `lowPrice`.
    pub low_price: Price,
    /// `volume`.
    pub volume: Amount,
    /// `quoteVolume`.
    pub quote_volume: Amount,
    /// `openTime`.
    pub open_time: Timestamp,
    /// `closeTime`.
    pub close_time: Timestamp,
    /// `firstId`; −1 without a trade.
    pub first_id: i64,
    /// `lastId`; −1 without a trade.
    pub last_id: i64,
    /// `count`.
    pub count: i64,
}

/// The best prices; zeros on an empty side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BookTicker {
    /// `symbol`.
    pub symbol: Symbol,
    /// The book counter, `u` on the stream.
    pub update_id: i64,
    /// `bidPrice`.
    pub bid_price: Price,
    /// `bidQty`.
    pub bid_quantity: Amount,
    /// `askPrice`.
    pub ask_price: Price,
    /// `askQty`.
    pub ask_quantity: Amount,
}

/// A candle's length.
/// Source: spot API, klines, 2026-07-21.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Interval {
    /// `1s`.
    S1,
    /// `1m`.
    M1,
    /// `3m`.
    M3,
    /// `5m`.
    M5,
    /// `15m`.
    M15,
    /// `30m`.
    M30,
    /// `1h`.
    H1,
    /// `2h`.
    H2,
    /// `4h`.
    H4,
    /// `6h`.
    H6,
    /// `8h`.
    H8,
    /// `12h`.
    H12,
    /// `1d`.
    D1,
    /// `3d`, counted from the epoch.
    D3,
    /// `1w`, from Monday.
    W1,
    /// `1M`, a calendar month.
    Month1,
}

impl Interval {
    /// Every interval with its spelling on the wire.
    pub const ALL: [(Self, &'static str); 16] = [
        (Self::S1, "1s"),
        (Self::M1, "1m"),
        (Self::M3, "3m"),
        (Self::M5, "5m"),
        (Self::M15, "15m"),
        (Self::M30, "30m"),
        (Self::H1, "1h"),
        (Self::H2, "2h"),
        (Self::H4, "4h"),
        (Self::H6, "6h"),
        (Self::H8, "8h"),
        (Self::H12, "12h"),
        (Self::D1, "1d"),
        (Self::D3, "3d"),
        (Self::W1, "1w"),
        (Self::Month1, "1M"),
    ];

    /// Parses the wire's spelling, letter case included; `None` is the contract's `-1120`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(interval, _)| *interval)
    }
}

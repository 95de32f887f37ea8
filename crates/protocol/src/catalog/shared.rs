//! Parameters and kinds that many rows have.

use super::{Kind, Param};
use crate::code;

/// Any id that the venue gives: orders, trades, lists.
pub(super) const ID: Kind = Kind::Int { min: 0, max: i64::MAX };
/// `BUY`, `SELL`.
pub(super) const SIDE: Kind = Kind::Choice { values: &["BUY", "SELL"], error: &code::INVALID_SIDE };
/// The seven order types.
pub(super) const ORDER_TYPE: Kind = Kind::Choice {
    values: &["LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT", "LIMIT_MAKER"],
    error: &code::INVALID_ORDER_TYPE,
};
/// `GTC`, `IOC`, `FOK`.
pub(super) const TIME_IN_FORCE: Kind =
    Kind::Choice { values: &["GTC", "IOC", "FOK"], error: &code::INVALID_TIME_IN_FORCE };
/// `ACK`, `RESULT`, `FULL`.
pub(super) const RESPONSE_TYPE: Kind =
    Kind::Choice { values: &["ACK", "RESULT", "FULL"], error: &code::INVALID_RESPONSE_TYPE };
/// The modes of self-trade prevention.
pub(super) const SELF_TRADE_PREVENTION: Kind = Kind::Choice {
    values: &["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER"],
    error: &code::INVALID_PARAMETER,
};
/// `strategyType`: values below a million are reserved.
pub(super) const STRATEGY_TYPE: Kind = Kind::AtLeast { min: 1_000_000, error: &code::BAD_STRATEGY_TYPE };
/// `trailingDelta` in basis points; the symbol's filter draws the narrower bounds.
pub(super) const TRAILING_DELTA: Kind = Kind::Int { min: 1, max: 1_000_000 };
/// Which orders a cancel may touch.
pub(super) const CANCEL_RESTRICTIONS: Kind =
    Kind::Choice { values: &["ONLY_NEW", "ONLY_PARTIALLY_FILLED"], error: &code::INVALID_CANCEL_RESTRICTIONS };
/// What a price is pegged to.
pub(super) const PEG_PRICE_TYPE: Kind =
    Kind::Choice { values: &["PRIMARY_PEG", "MARKET_PEG"], error: &code::INVALID_PEG_PRICE_TYPE };
/// What a peg's offset counts.
pub(super) const PEG_OFFSET_TYPE: Kind =
    Kind::Choice { values: &["PRICE_LEVEL"], error: &code::INVALID_PEG_OFFSET_TYPE };
/// How deep a peg may lie.
pub(super) const PEG_OFFSET: Kind = Kind::Int { min: 0, max: 100 };
/// The kline intervals.
pub(super) const INTERVAL: Kind = Kind::Choice {
    values: &["1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"],
    error: &code::BAD_INTERVAL,
};
/// The states that market data can be filtered by.
pub(super) const SYMBOL_STATUS: Kind =
    Kind::Choice { values: &["TRADING", "HALT", "BREAK"], error: &code::INVALID_SYMBOL_STATUS };
/// `FULL`, `MINI`.
pub(super) const TICKER_TYPE: Kind = Kind::Choice { values: &["FULL", "MINI"], error: &code::INVALID_TICKER_TYPE };

/// A row whose only parameter is the pair, which must be sent.
pub(super) const SYMBOL: &[Param] = &[Param::must("symbol", Kind::Symbol)];
/// A row whose only parameter is the pair, which may be sent.
pub(super) const MAYBE_SYMBOL: &[Param] = &[Param::may("symbol", Kind::Symbol)];

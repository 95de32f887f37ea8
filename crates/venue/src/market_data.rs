//! What anyone may ask about the market.

mod klines;
mod ticker;

use latchkey_admission::{Permit, Rejection, Ticket};
use latchkey_authority::ports::Ports;
use latchkey_exchange::Refusal;
use latchkey_exchange::view::{AggregateTrade, Depth, Level, Page, PublicTrade};
use latchkey_protocol::order::SymbolStatus;
use latchkey_protocol::{Symbol, Value, code, object};

use crate::orders::{limit, symbol};
use crate::symbols::Symbols;
use crate::venue::Venue;

pub(crate) use klines::klines;
pub(crate) use ticker::{ticker_24hr, ticker_book, ticker_price};

/// The rows of a list that does not name a number.
const ROWS: i64 = 500;
/// The levels of a book that does not name a number.
const LEVELS: i64 = 100;

pub(crate) fn depth<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let arguments = &permit.call().arguments;
    let (symbol, levels) = (symbol(arguments)?, limit(arguments, LEVELS));
    let status = arguments.choice("symbolStatus").and_then(SymbolStatus::parse);
    in_status(&venue.exchange.symbols(), symbol, status)?;
    venue.query(
        permit,
        move |core, _| core.depth(symbol, levels).ok_or(Refusal::BadSymbol),
        |depth| depth_value(&depth),
    )
}

/// Refuses a symbol that is unknown, or in another state than was asked for.
fn in_status(symbols: &Symbols, symbol: Symbol, status: Option<SymbolStatus>) -> Result<(), Rejection> {
    let Some(status) = status else { return Ok(()) };
    match symbols.is_in(symbol, status) {
        None => Err(Rejection::venue(code::BAD_SYMBOL.plain())),
        Some(false) => Err(Rejection::venue(code::SYMBOL_STATUS_MISMATCH.plain())),
        Some(true) => Ok(()),
    }
}

fn depth_value(depth: &Depth) -> Value {
    let level = |level: &Level| Value::Array(vec![level.price.into(), level.quantity.into()]);
    let side = |levels: &[Level]| Value::Array(levels.iter().map(level).collect());
    object! { "lastUpdateId": depth.last_update_id, "bids": side(&depth.bids), "asks": side(&depth.asks) }
}

pub(crate) fn trades<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let arguments = &permit.call().arguments;
    let (symbol, rows) = (symbol(arguments)?, limit(arguments, ROWS));
    let ask = move |core: &latchkey_exchange::Core, _| core.recent_trades(symbol, rows).ok_or(Refusal::BadSymbol);
    venue.query(permit, ask, |trades| trade_values(&trades))
}

pub(crate) fn historical_trades<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let arguments = &permit.call().arguments;
    let (symbol, rows, from) = (symbol(arguments)?, limit(arguments, ROWS), arguments.int("fromId"));
    venue.query(
        permit,
        move |core, _| core.historical_trades(symbol, from, rows).ok_or(Refusal::BadSymbol),
        |trades| trade_values(&trades),
    )
}

fn trade_values(trades: &[PublicTrade]) -> Value {
    let row = |trade: &PublicTrade| {
        object! {
            "id": trade.id,
            "price": trade.price,
            "qty": trade.quantity,
            "quoteQty": trade.quote_quantity,
            "time": trade.time,
            "isBuyerMaker": trade.is_buyer_maker,
            "isBestMatch": true,
        }
    };
    Value::Array(trades.iter().map(row).collect())
}

pub(crate) fn agg_trades<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let arguments = &permit.call().arguments;
    let symbol = symbol(arguments)?;
    let rows = Page {
        from: arguments.int("fromId"),
        start: arguments.time("startTime"),
        end: arguments.time("endTime"),
        limit: limit(arguments, ROWS),
    };
    // Source: REST API, "Compressed/Aggregate trades list", 2026-07-21: an id or a span, not both.
    if rows.from.is_some() && (rows.start.is_some() || rows.end.is_some()) {
        return Err(Rejection::parameter(code::BAD_COMBINATION.plain()));
    }
    venue.query(
        permit,
        move |core, _| core.agg_trades(symbol, rows).ok_or(Refusal::BadSymbol),
        |trades| Value::Array(trades.iter().map(aggregate_value).collect()),
    )
}

fn aggregate_value(trade: &AggregateTrade) -> Value {
    object! {
        "a": trade.id,
        "p": trade.price,
        "q": trade.quantity,
        "f": trade.first_trade_id,
        "l": trade.last_trade_id,
        "T": trade.time,
        "m": trade.is_buyer_maker,
        "M": true,
    }
}

pub(crate) fn average_price<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let symbol = symbol(&permit.call().arguments)?;
    venue.query(
        permit,
        move |core, now| core.average_price(symbol, now).ok_or(Refusal::BadSymbol),
        |average| object! { "mins": average.minutes, "price": average.price, "closeTime": average.close_time },
    )
}

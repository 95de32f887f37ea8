//! The tickers: of one symbol, of some, of all.

use latchkey_admission::{Permit, Rejection, Ticket};
use latchkey_authority::ports::Ports;
use latchkey_exchange::Core;
use latchkey_exchange::view::{BookTicker, Ticker24h};
use latchkey_protocol::catalog::Arguments;
use latchkey_protocol::order::SymbolStatus;
use latchkey_protocol::{Symbol, Timestamp, Value, code, object};

use super::in_status;
use crate::symbols::Symbols;
use crate::venue::Venue;

/// Which symbols a ticker is asked for; one alone is answered without a list.
struct Asked {
    symbols: Vec<Symbol>,
    alone: bool,
}

/// Reads `symbol`, `symbols` and `symbolStatus`. A single symbol must be in the state; lists leave out those that are
/// not.
fn asked(announced: &Symbols, arguments: &Arguments) -> Result<Asked, Rejection> {
    let status = arguments.choice("symbolStatus").and_then(SymbolStatus::parse);
    let unknown = || Rejection::venue(code::BAD_SYMBOL.plain());
    let list: Vec<Symbol> = match (arguments.symbol("symbol"), arguments.symbols("symbols")) {
        (Some(_), Some(_)) => return Err(Rejection::parameter(code::BAD_COMBINATION.plain())),
        (Some(symbol), None) => {
            announced.find(symbol).ok_or_else(unknown)?;
            in_status(announced, symbol, status)?;
            return Ok(Asked { symbols: vec![symbol], alone: true });
        }
        (None, Some([])) => return Err(Rejection::parameter(code::INVALID_PARAMETER.with(["symbols"]))),
        (None, Some(list)) => list.to_vec(),
        (None, None) => announced.all().iter().map(|row| row.spec.symbol).collect(),
    };
    if list.iter().any(|symbol| announced.find(*symbol).is_none()) {
        return Err(unknown());
    }
    let fits = |symbol: &Symbol| status.is_none_or(|status| announced.is_in(*symbol, status) == Some(true));
    Ok(Asked { symbols: list.into_iter().filter(fits).collect(), alone: false })
}

/// Asks the exchange for each symbol. One that is announced is there, as none is ever removed.
fn ticker<P: Ports + 'static, T: Send + 'static>(
    venue: &Venue<P>,
    permit: Permit,
    ask: impl Fn(&Core, Symbol, Timestamp) -> Option<T> + Send + 'static,
    show: impl Fn(T) -> Value + Send + 'static,
) -> Result<Ticket, Rejection> {
    let Asked { symbols, alone } = asked(&venue.exchange.symbols(), &permit.call().arguments)?;
    venue.query(
        permit,
        move |core, now| Ok(symbols.iter().filter_map(|symbol| ask(core, *symbol, now)).collect::<Vec<T>>()),
        move |found| {
            let mut rows: Vec<Value> = found.into_iter().map(show).collect();
            if alone { rows.pop().unwrap_or(Value::Null) } else { Value::Array(rows) }
        },
    )
}

pub(crate) fn ticker_price<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    ticker(
        venue,
        permit,
        |core, symbol, _| Some((symbol, core.ticker_price(symbol)?)),
        |(symbol, price)| object! { "symbol": symbol, "price": price },
    )
}

pub(crate) fn ticker_book<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    ticker(venue, permit, |core, symbol, _| core.book_ticker(symbol), |book| book_value(&book))
}

fn book_value(book: &BookTicker) -> Value {
    object! {
        "symbol": book.symbol,
        "bidPrice": book.bid_price,
        "bidQty": book.bid_quantity,
        "askPrice": book.ask_price,
        "askQty": book.ask_quantity,
    }
}

pub(crate) fn ticker_24hr<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let mini = permit.call().arguments.choice("type") == Some("MINI");
    let show = move |ticker: Ticker24h| if mini { mini_value(&ticker) } else { full_value(&ticker) };
    ticker(venue, permit, |core, symbol, now| core.ticker_24h(symbol, now), show)
}

fn full_value(ticker: &Ticker24h) -> Value {
    object! {
        "symbol": ticker.symbol,
        "priceChange": ticker.price_change,
        "priceChangePercent": percent(ticker.price_change_percent_thousandths),
        "weightedAvgPrice": ticker.weighted_average_price,
        "prevClosePrice": ticker.previous_close_price,
        "lastPrice": ticker.last_price,
        "lastQty": ticker.last_quantity,
        "bidPrice": ticker.book.bid_price,
        "bidQty": ticker.book.bid_quantity,
        "askPrice": ticker.book.ask_price,
        "askQty": ticker.book.ask_quantity,
        "openPrice": ticker.open_price,
        "highPrice": ticker.high_price,
        "lowPrice": ticker.low_price,
        "volume": ticker.volume,
        "quoteVolume": ticker.quote_volume,
        "openTime": ticker.open_time,
        "closeTime": ticker.close_time,
        "firstId": ticker.first_id,
        "lastId": ticker.last_id,
        "count": ticker.count,
    }
}

fn mini_value(ticker: &Ticker24h) -> Value {
    object! {
        "symbol": ticker.symbol,
        "openPrice": ticker.open_price,
        "highPrice": ticker.high_price,
        "lowPrice": ticker.low_price,
        "lastPrice": ticker.last_price,
        "volume": ticker.volume,
        "quoteVolume": ticker.quote_volume,
        "openTime": ticker.open_time,
        "closeTime": ticker.close_time,
        "firstId": ticker.first_id,
        "lastId": ticker.last_id,
        "count": ticker.count,
    }
}

/// A percentage with three decimals.
fn percent(thousandths: i64) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    let magnitude = thousandths.unsigned_abs();
    format!("{sign}{}.{:03}", magnitude / 1000, magnitude % 1000)
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn a_percentage_has_three_decimals_and_its_sign() {
        assert_eq!([0, 5, -5, -95_960, 100_001].map(percent), ["0.000", "0.005", "-0.005", "-95.960", "100.001"]);
    }
}

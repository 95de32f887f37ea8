//! Candles.

use latchkey_admission::{Permit, Rejection, Ticket};
use latchkey_authority::ports::Ports;
use latchkey_exchange::Refusal;
use latchkey_exchange::view::{Interval, Kline};
use latchkey_protocol::{Value, code};

use super::ROWS;
use crate::orders::{limit, symbol};
use crate::venue::Venue;

pub(crate) fn klines<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let arguments = &permit.call().arguments;
    let symbol = symbol(arguments)?;
    let interval = arguments.choice("interval").and_then(Interval::parse);
    let interval = interval.ok_or_else(|| Rejection::parameter(code::BAD_INTERVAL.plain()))?;
    let (start, end, rows) = (arguments.time("startTime"), arguments.time("endTime"), limit(arguments, ROWS));
    venue.query(
        permit,
        move |core, now| core.klines(symbol, interval, start, end, rows, now).ok_or(Refusal::BadSymbol),
        |klines| Value::Array(klines.iter().map(kline_value).collect()),
    )
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

//! The filters of a symbol, applied to an order in their fixed sequence.
//! Source: spot API, filters, 2026-07-21; the sequence is this venue's.

use latchkey_protocol::decimal::ONE;
use latchkey_protocol::order::Side;
use latchkey_protocol::{Amount, Price, Quantity, Timestamp};

use crate::market::Market;
use crate::order::notional;
use crate::spec::LotSize;
use crate::{FilterName, Refusal};

/// Refuses in the name of a filter.
fn require(passes: bool, name: FilterName) -> Result<(), Refusal> {
    if passes { Ok(()) } else { Err(Refusal::Filter(name)) }
}

/// `PRICE_FILTER`, `PERCENT_PRICE` and `PERCENT_PRICE_BY_SIDE` of a limit price.
pub(crate) fn price(market: &Market, side: Side, price: Price, at: Timestamp) -> Result<(), Refusal> {
    let filters = &market.spec.filters;
    let (min, max) = (filters.price.min, filters.price.max);
    let in_range = price >= min && (max.is_zero() || price <= max);
    let on_tick = price.scaled() % filters.price.tick.scaled() == 0;
    require(in_range && on_tick, FilterName::PriceFilter)?;
    let within = |up: Price, down: Price, minutes: u32| {
        let reference = i128::from(market.reference_price(minutes, at));
        let scaled = i128::from(price.scaled()) * i128::from(ONE);
        scaled <= reference * i128::from(up.scaled()) && scaled >= reference * i128::from(down.scaled())
    };
    if let Some(filter) = &filters.percent_price {
        require(within(filter.up, filter.down, filter.average_minutes), FilterName::PercentPrice)?;
    }
    if let Some(filter) = &filters.percent_price_by_side {
        let (up, down) = match side {
            Side::Buy => (filter.bid_up, filter.bid_down),
            Side::Sell => (filter.ask_up, filter.ask_down),
        };
        require(within(up, down, filter.average_minutes), FilterName::PercentPriceBySide)?;
    }
    Ok(())
}

/// `LOT_SIZE`, and `MARKET_LOT_SIZE` of a market order.
pub(crate) fn lot(market: &Market, quantity: Quantity, is_market: bool) -> Result<(), Refusal> {
    let filters = &market.spec.filters;
    let fits = |lot: &LotSize| {
        let on_step = lot.step.is_zero() || quantity.scaled() % lot.step.scaled() == 0;
        quantity >= lot.min && quantity <= lot.max && on_step
    };
    require(fits(&filters.lot_size), FilterName::LotSize)?;
    match &filters.market_lot_size {
        Some(lot) if is_market => require(fits(lot), FilterName::MarketLotSize),
        _ => Ok(()),
    }
}

/// `MIN_NOTIONAL` and `NOTIONAL`. A market order by quantity is valued at the reference price of each filter, one by
/// quote quantity at that amount, any other at its price.
pub(crate) fn value(
    market: &Market,
    price: Option<Price>,
    quantity: Quantity,
    quote: Option<Amount>,
    at: Timestamp,
) -> Result<(), Refusal> {
    let filters = &market.spec.filters;
    let is_market = price.is_none();
    let worth = |minutes: u32| match (price, quote) {
        (Some(price), _) => notional(price.scaled(), quantity.scaled()),
        (None, Some(quote)) => quote.scaled(),
        (None, None) => notional(market.reference_price(minutes, at), quantity.scaled()),
    };
    if let Some(filter) = &filters.min_notional {
        let applies = !is_market || filter.apply_to_market;
        require(!applies || worth(filter.average_minutes) >= filter.min.scaled(), FilterName::MinNotional)?;
    }
    if let Some(filter) = &filters.notional {
        let worth = worth(filter.average_minutes);
        let enough = (is_market && !filter.apply_min_to_market) || worth >= filter.min.scaled();
        let not_too_much = (is_market && !filter.apply_max_to_market) || worth <= filter.max.scaled();
        require(enough && not_too_much, FilterName::Notional)?;
    }
    Ok(())
}

/// `MAX_NUM_ORDERS` and `EXCHANGE_MAX_NUM_ORDERS`, before the order joins the open ones.
pub(crate) fn open_orders(
    market: &Market,
    exchange_limit: Option<u32>,
    open_here: usize,
    open_everywhere: impl FnOnce() -> usize,
) -> Result<(), Refusal> {
    let fits = |open: usize, limit: u32| open < limit as usize;
    if let Some(limit) = market.spec.filters.max_num_orders {
        require(fits(open_here, limit), FilterName::MaxNumOrders)?;
    }
    match exchange_limit {
        Some(limit) => require(fits(open_everywhere(), limit), FilterName::ExchangeMaxNumOrders),
        None => Ok(()),
    }
}

/// `MAX_POSITION` of a buyer: what it has, what its open orders buy, and this order.
pub(crate) fn position(
    market: &Market,
    side: Side,
    quantity: Quantity,
    position: impl FnOnce() -> i128,
) -> Result<(), Refusal> {
    match market.spec.filters.max_position {
        Some(most) if side == Side::Buy => {
            require(position() + i128::from(quantity.scaled()) <= most.scaled(), FilterName::MaxPosition)
        }
        _ => Ok(()),
    }
}

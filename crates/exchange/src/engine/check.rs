//! Whether an order may be accepted, before anything changes.

use latchkey_protocol::order::{OrderType, SelfTradePrevention, Side, SymbolStatus, TimeInForce};
use latchkey_protocol::{Amount, Price, Quantity, Timestamp, Wallet};

use super::Core;
use crate::book::{Party, opposite};
use crate::filters;
use crate::ledger::WalletState;
use crate::market::Market;
use crate::matching::{End, Taker, Target, walk};
use crate::order::notional;
use crate::view::CommissionView;
use crate::{LiquidityFloor, NewOrder, Refusal};

/// An order that may be accepted, with everything that acceptance has worked out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepted {
    pub(super) market: u16,
    pub(super) wallet: u32,
    /// For a market order by quote quantity, what it will come to.
    pub(super) quantity: i64,
    /// `None` takes any price.
    pub(super) price: Option<i64>,
    /// Zero unless the order is by quote quantity.
    pub(super) quote_quantity: i128,
    pub(super) time_in_force: TimeInForce,
    pub(super) self_trade_prevention: SelfTradePrevention,
}

/// The parameters of an order whose presence fits its type.
struct Shape {
    /// Zero for a market order by quote quantity.
    quantity: Quantity,
    price: Option<Price>,
    quote: Option<Amount>,
    time_in_force: TimeInForce,
}

impl Core {
    /// Judges an order as `POST /api/v3/order/test` does: all rules but the unfilled-order count, no effect.
    /// Answers the rates that it would trade at.
    ///
    /// # Errors
    /// The refusal that placing it would meet.
    pub fn check(&self, at: Timestamp, order: &NewOrder) -> Result<CommissionView, Refusal> {
        self.judge(at.max(self.now), order)?;
        self.commission(order.account, order.symbol)
    }

    /// Applies the rules in their fixed sequence; the first that fails names the refusal.
    pub(super) fn judge(&self, at: Timestamp, order: &NewOrder) -> Result<Accepted, Refusal> {
        let market = self.market(order.symbol).ok_or(Refusal::BadSymbol)?;
        let shape = shape(order)?;
        let self_trade_prevention = order.self_trade_prevention.unwrap_or(market.spec.default_self_trade_prevention);
        if !market.spec.allowed_self_trade_prevention.contains(&self_trade_prevention) {
            return Err(Refusal::SelfTradePreventionNotAllowed);
        }
        if market.spec.status != SymbolStatus::Trading {
            return Err(Refusal::MarketClosed);
        }
        permitted(order, market)?;
        supported(order, market)?;

        let wallet = self.ledger.wallet_id(&order.account);
        let state = wallet.map(|id| self.ledger.wallet(id));
        if state.is_some_and(|state| state.in_liquidation) {
            return Err(Refusal::ActionDisabled);
        }
        if let Some(price) = shape.price {
            filters::price(market, order.side, price, at)?;
        }
        let taker = Taker {
            party: Party::Wallet(wallet.unwrap_or(u32::MAX), u32::MAX),
            side: order.side,
            limit: None,
            self_trade_prevention,
        };
        let quantity = sized(market, &taker, &shape)?;
        self.within_filters(market, order.side, &shape, quantity, state, at)?;
        let (Some(wallet), Some(state)) = (wallet, state) else {
            return Err(Refusal::InsufficientBalance);
        };
        let spends = if order.side == Side::Buy { market.quote } else { market.base };
        if state.balance(spends).free < spending(market, &taker, &shape, quantity) {
            return Err(Refusal::InsufficientBalance);
        }
        if order.client_order_id.is_some_and(|name| self.is_taken(wallet, &name)) {
            return Err(Refusal::DuplicateOrder);
        }
        if order.order_type == OrderType::LimitMaker && would_take(market, order.side, shape.price) {
            return Err(Refusal::WouldMatchImmediately);
        }
        Ok(Accepted {
            market: market.number,
            wallet,
            quantity: quantity.scaled(),
            price: shape.price.map(Price::scaled),
            quote_quantity: shape.quote.unwrap_or_default().scaled(),
            time_in_force: shape.time_in_force,
            self_trade_prevention,
        })
    }

    /// The filters after those of the price.
    fn within_filters(
        &self,
        market: &Market,
        side: Side,
        shape: &Shape,
        quantity: Quantity,
        state: Option<&WalletState>,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        filters::lot(market, quantity, shape.price.is_none())?;
        filters::value(market, shape.price, quantity, shape.quote, at)?;
        let activity = state.and_then(|state| state.activity(market.number));
        let open_everywhere = || state.map_or(0, |s| s.activities().iter().map(|a| a.open.len()).sum());
        let open_here = activity.map_or(0, |activity| activity.open.len());
        filters::open_orders(market, self.exchange_max_num_orders, open_here, open_everywhere)?;
        filters::position(market, side, quantity, || {
            let base = state.map(|state| state.balance(market.base)).unwrap_or_default();
            let open = activity.iter().flat_map(|activity| activity.open.iter()).map(|index| market.orders.at(*index));
            let buying = open.filter(|open| open.side == Side::Buy).map(|open| i128::from(open.open_quantity()));
            base.free + base.locked + buying.sum::<i128>()
        })
    }
}

/// Which parameters an order's type needs and which it must not have, and that none is zero.
/// Source: spot API, new order, 2026-07-21.
fn shape(order: &NewOrder) -> Result<Shape, Refusal> {
    let present = [
        ("timeInForce", order.time_in_force.is_some()),
        ("price", order.price.is_some()),
        ("quoteOrderQty", order.quote_order_quantity.is_some()),
        ("stopPrice", order.stop_price.is_some()),
        ("trailingDelta", order.trailing_delta.is_some()),
        ("icebergQty", order.iceberg_quantity.is_some()),
    ];
    let (needed, excluded): (&[&'static str], &[&'static str]) = match order.order_type {
        OrderType::Limit => (&["timeInForce"], &["quoteOrderQty", "stopPrice", "trailingDelta"]),
        OrderType::LimitMaker => (&[], &["timeInForce", "quoteOrderQty", "stopPrice", "trailingDelta"]),
        OrderType::Market => (&[], &["price", "timeInForce", "stopPrice", "trailingDelta", "icebergQty"]),
        other => return Err(Refusal::OrderTypeNotSupported(other)),
    };
    let is_present = |name: &str| present.iter().any(|(known, present)| *known == name && *present);
    if let Some(name) = needed.iter().find(|name| !is_present(name)) {
        return Err(Refusal::Missing(name));
    }
    let (quantity, price, quote) = match order.order_type {
        OrderType::Market => match (order.quantity, order.quote_order_quantity) {
            (None, None) => return Err(Refusal::MissingEither("quantity", "quoteOrderQty")),
            (Some(_), Some(_)) => return Err(Refusal::NotRequired("quoteOrderQty")),
            (quantity, quote) => (quantity, None, quote),
        },
        _ => {
            let quantity = order.quantity.ok_or(Refusal::Missing("quantity"))?;
            (Some(quantity), Some(order.price.ok_or(Refusal::Missing("price"))?), None)
        }
    };
    if let Some(name) = excluded.iter().find(|name| is_present(name)) {
        return Err(Refusal::NotRequired(name));
    }
    if order.strategy_type.is_some_and(|kind| kind < 1_000_000) {
        return Err(Refusal::StrategyType);
    }
    if quantity.is_some_and(|quantity| quantity.scaled() <= 0) {
        return Err(Refusal::InvalidQuantity);
    }
    if price.is_some_and(|price| price.scaled() <= 0) {
        return Err(Refusal::InvalidPrice);
    }
    if quote.is_some_and(|quote| quote.scaled() <= 0) {
        return Err(Refusal::InvalidQuoteOrderQuantity);
    }
    let time_in_force = order.time_in_force.unwrap_or(TimeInForce::Gtc);
    Ok(Shape { quantity: quantity.unwrap_or_default(), price, quote, time_in_force })
}

/// Whether the wallet's kind may trade the symbol.
fn permitted(order: &NewOrder, market: &Market) -> Result<(), Refusal> {
    let allowed = match order.account.wallet {
        Wallet::Spot => market.spec.spot_trading,
        Wallet::Cross | Wallet::Portfolio => market.spec.margin_trading,
        Wallet::Isolated(symbol) if symbol != order.symbol => return Err(Refusal::SymbolRestricted),
        Wallet::Isolated(_) => market.spec.margin_trading,
    };
    if allowed { Ok(()) } else { Err(Refusal::SymbolNotPermitted) }
}

/// Whether the symbol takes orders of this kind.
fn supported(order: &NewOrder, market: &Market) -> Result<(), Refusal> {
    if !market.spec.order_types.contains(&order.order_type) {
        return Err(Refusal::OrderTypeNotSupported(order.order_type));
    }
    if order.iceberg_quantity.is_some() && !market.spec.features.iceberg {
        return Err(Refusal::IcebergNotSupported);
    }
    if order.quote_order_quantity.is_some() && !market.spec.features.quote_order_quantity_market {
        return Err(Refusal::QuoteOrderQuantityNotSupported);
    }
    Ok(())
}

/// The quantity that was sent, or what the book makes of a quote quantity.
fn sized(market: &Market, taker: &Taker, shape: &Shape) -> Result<Quantity, Refusal> {
    let Some(amount) = shape.quote else {
        return Ok(shape.quantity);
    };
    let step = market.spec.filters.lot_size.step.scaled();
    let walk = walk(&market.book, taker, Target::Quote { amount: amount.scaled(), step });
    let quantity = Quantity::from_scaled(walk.traded + walk.prevented);
    if walk.end == End::Exhausted {
        deep_enough(market, quantity)?;
    }
    Ok(quantity)
}

/// What an order may spend at most. Both risk paths ask for free balance alone while no wallet can owe anything.
fn spending(market: &Market, taker: &Taker, shape: &Shape, quantity: Quantity) -> i128 {
    match (taker.side, shape.price, shape.quote) {
        (Side::Buy, Some(price), _) => notional(price.scaled(), quantity.scaled()),
        (Side::Buy, None, Some(amount)) => amount.scaled(),
        (Side::Buy, None, None) => walk(&market.book, taker, Target::Base(quantity.scaled())).cost,
        (Side::Sell, ..) => i128::from(quantity.scaled()),
    }
}

/// Whether a book that was emptied gave at least the least quantity.
fn deep_enough(market: &Market, quantity: Quantity) -> Result<(), Refusal> {
    let filters = &market.spec.filters;
    if quantity < filters.lot_size.min {
        return Err(Refusal::Liquidity(LiquidityFloor::LotSize));
    }
    if filters.market_lot_size.is_some_and(|lot| quantity < lot.min) {
        return Err(Refusal::Liquidity(LiquidityFloor::MarketLotSize));
    }
    Ok(())
}

fn would_take(market: &Market, side: Side, price: Option<Price>) -> bool {
    match (market.book.best(opposite(side)), price) {
        (Some((best, _)), Some(price)) => match side {
            Side::Buy => price.scaled() >= best,
            Side::Sell => price.scaled() <= best,
        },
        _ => false,
    }
}

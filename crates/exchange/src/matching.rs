//! Taking from a book: what an order would get, and getting it.
//!
//! A taker meets the other side best price first and oldest first, and trades at the price of what it meets. Where it
//! meets its own wallet, its self-trade prevention decides.
//! Source: spot API, self-trade prevention, 2026-07-21.

use latchkey_protocol::order::{OrderStatus, SelfTradePrevention, Side};
use latchkey_protocol::{Amount, Price, Quantity, Timestamp};

use crate::book::{Book, NodeId, Party, opposite};
use crate::ledger::{Ledger, TradeSide};
use crate::market::Market;
use crate::order::notional;
use crate::{Fill, Rate};

/// An order that takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taker {
    pub(crate) party: Party,
    pub(crate) side: Side,
    /// The worst price; `None` takes any.
    pub(crate) limit: Option<i64>,
    pub(crate) self_trade_prevention: SelfTradePrevention,
}

/// How much a taker wants.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// So much of the base asset.
    Base(i64),
    /// As many steps of base as so much quote buys or brings, never more.
    Quote {
        /// The amount.
        amount: i128,
        /// The step.
        step: i64,
    },
}

/// Why taking ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// It got all it wanted.
    Done,
    /// No more orders at its price.
    Exhausted,
    /// It met its own wallet and its rest expires.
    SelfTrade,
}

/// What a taker would get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    /// Base that would trade.
    pub(crate) traded: i64,
    /// Quote that would trade.
    pub(crate) cost: i128,
    /// Base that self-trade prevention would take from the taker.
    pub(crate) prevented: i64,
    pub(crate) end: End,
}

/// What a taker got.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) executed: i64,
    pub(crate) spent: i128,
    pub(crate) prevented: i64,
    pub(crate) prevented_match: i64,
    /// What is still wanted; zero unless taking ended early.
    pub(crate) rest: i64,
    pub(crate) end: End,
}

impl Taker {
    fn accepts(&self, price: i64) -> bool {
        match (self.limit, self.side) {
            (None, _) => true,
            (Some(limit), Side::Buy) => price <= limit,
            (Some(limit), Side::Sell) => price >= limit,
        }
    }

    /// The rule for meeting an order of the same wallet; `None` when they trade.
    fn prevention_against(&self, maker: Party) -> Option<SelfTradePrevention> {
        match (self.party, maker) {
            (Party::Wallet(taker, _), Party::Wallet(maker, _)) if taker == maker => {
                Some(self.self_trade_prevention).filter(|mode| *mode != SelfTradePrevention::None)
            }
            _ => None,
        }
    }
}

/// What a taker would get from a book, without taking it.
pub(crate) fn walk(book: &Book, taker: &Taker, target: Target) -> Walk {
    let mut walk = Walk { traded: 0, cost: 0, prevented: 0, end: End::Exhausted };
    let mut budget = target;
    for maker in book.queue(opposite(taker.side)) {
        if !taker.accepts(maker.price) {
            return walk;
        }
        let wanted = budget.wanted(maker.price).min(i64::MAX - walk.traded - walk.prevented);
        let quantity = wanted.min(maker.remaining);
        if quantity == 0 {
            return Walk { end: End::Done, ..walk };
        }
        match taker.prevention_against(maker.party) {
            None => {
                walk.traded += quantity;
                walk.cost += notional(maker.price, quantity);
            }
            Some(SelfTradePrevention::ExpireMaker) => continue,
            Some(SelfTradePrevention::Decrement) => walk.prevented += quantity,
            Some(_) => {
                walk.prevented += quantity;
                return Walk { end: End::SelfTrade, ..walk };
            }
        }
        budget.spend(maker.price, quantity);
        if budget.is_spent() || quantity < maker.remaining {
            return Walk { end: End::Done, ..walk };
        }
    }
    walk
}

impl Target {
    fn wanted(&self, price: i64) -> i64 {
        match *self {
            Self::Base(quantity) => quantity,
            Self::Quote { amount, step } => {
                let one = i128::from(latchkey_protocol::decimal::ONE);
                let most = amount.saturating_mul(one) / i128::from(price);
                i64::try_from(most).unwrap_or(i64::MAX) / step * step
            }
        }
    }

    fn spend(&mut self, price: i64, quantity: i64) {
        match self {
            Self::Base(left) => *left -= quantity,
            Self::Quote { amount, .. } => *amount -= notional(price, quantity),
        }
    }

    fn is_spent(&self) -> bool {
        match self {
            Self::Base(left) => *left == 0,
            Self::Quote { amount, .. } => *amount == 0,
        }
    }
}

/// Takes from a market's book and books both sides of every trade. The taker pays from its free balance, which the
/// caller has checked; its order's own fields are the caller's to set.
pub(crate) fn take(
    market: &mut Market,
    ledger: &mut Ledger,
    taker: &Taker,
    quantity: i64,
    rate: Rate,
    at: Timestamp,
    fills: &mut Vec<Fill>,
) -> Taken {
    let mut taken =
        Taken { executed: 0, spent: 0, prevented: 0, prevented_match: 0, rest: quantity, end: End::Exhausted };
    let maker_side = opposite(taker.side);
    while taken.rest > 0 {
        let Some((price, node_id)) = market.book.best(maker_side).filter(|(price, _)| taker.accepts(*price)) else {
            return taken;
        };
        let maker = *market.book.node(node_id);
        if let Some(mode) = taker.prevention_against(maker.party) {
            prevent(market, ledger, mode, maker_side, node_id, &mut taken, at);
            if taken.end == End::SelfTrade {
                return taken;
            }
            continue;
        }
        let quantity = taken.rest.min(maker.remaining);
        let gone = market.book.reduce(maker_side, node_id, quantity);
        let id = market.print(taker.side, price, quantity, at, taken.executed > 0);
        let blank = TradeSide {
            id,
            order: 0,
            price,
            quantity,
            commission: 0,
            time: at.as_micros(),
            side: maker_side,
            is_maker: true,
        };
        market.settle_maker(ledger, maker.party, &blank, gone);
        let exchange = market.exchange(price, quantity);
        match taker.party {
            Party::House(_) => ledger.settle_house(taker.side, &exchange),
            Party::Wallet(wallet, order) => {
                let commission = ledger.settle(wallet, taker.side, &exchange, rate, false, at);
                let side = TradeSide { order, commission, side: taker.side, is_maker: false, ..blank };
                ledger.wallet_mut(wallet).activity_mut(market.number).trades.push(side);
                let received = if taker.side == Side::Buy { market.base } else { market.quote };
                fills.push(Fill {
                    price: Price::from_scaled(price),
                    quantity: Quantity::from_scaled(quantity),
                    commission: Amount::from_scaled(commission),
                    commission_asset: ledger.asset(received),
                    trade_id: id,
                });
            }
        }
        taken.executed += quantity;
        taken.spent += exchange.notional;
        taken.rest -= quantity;
    }
    taken.end = End::Done;
    taken
}

/// Carries out self-trade prevention at a would-be match.
fn prevent(
    market: &mut Market,
    ledger: &mut Ledger,
    mode: SelfTradePrevention,
    maker_side: Side,
    node_id: NodeId,
    taken: &mut Taken,
    at: Timestamp,
) {
    let maker = *market.book.node(node_id);
    let Party::Wallet(_, index) = maker.party else {
        return;
    };
    market.last_prevented_match += 1;
    let match_id = market.last_prevented_match;
    let expires_taker = matches!(mode, SelfTradePrevention::ExpireTaker | SelfTradePrevention::ExpireBoth);
    let expires_maker = matches!(mode, SelfTradePrevention::ExpireMaker | SelfTradePrevention::ExpireBoth);
    if expires_maker {
        market.close(ledger, index, OrderStatus::ExpiredInMatch, None, at);
        let order = market.orders.at_mut(index);
        order.prevented += maker.remaining;
        order.prevented_match = match_id;
    }
    if expires_taker {
        taken.prevented += taken.rest;
        taken.prevented_match = match_id;
        taken.rest = 0;
        taken.end = End::SelfTrade;
    }
    if !expires_maker && !expires_taker {
        decrement(market, ledger, maker_side, node_id, index, match_id, taken, at);
    }
}

/// Takes the smaller quantity from both; what is emptied expires.
#[expect(clippy::too_many_arguments, reason = "one step of `prevent`, split off to be read alone")]
fn decrement(
    market: &mut Market,
    ledger: &mut Ledger,
    maker_side: Side,
    node_id: NodeId,
    index: u32,
    match_id: i64,
    taken: &mut Taken,
    at: Timestamp,
) {
    let quantity = taken.rest.min(market.book.node(node_id).remaining);
    let gone = market.book.reduce(maker_side, node_id, quantity);
    let asset = if maker_side == Side::Buy { market.quote } else { market.base };
    let order = market.orders.at_mut(index);
    let wallet = ledger.wallet_mut(order.wallet);
    wallet.release(asset, order.hold(quantity), at);
    order.prevented += quantity;
    order.prevented_match = match_id;
    order.updated = at.as_micros();
    if gone {
        order.node = None;
        order.status = OrderStatus::ExpiredInMatch;
        wallet.activity_mut(market.number).close(index);
    }
    taken.prevented += quantity;
    taken.prevented_match = match_id;
    taken.rest -= quantity;
    if taken.rest == 0 {
        taken.end = End::SelfTrade;
    }
}

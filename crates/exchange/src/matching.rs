//! Taking from a book: what an order would get, and getting it.
//!
//! A taker meets the other side best price first and oldest first, and trades at the price of what it meets. Where it
//! meets its own wallet, its self-trade prevention decides.
//! Source: spot API, self-trade prevention, 2026-07-21.

use latchkey_protocol::order::{OrderStatus, SelfTradePrevention, Side};
use latchkey_protocol::{Amount, Price, Quantity, Timestamp};

use crate::book::{Book, Node, NodeId, Party, opposite};
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
    /// What is still wanted of base; zero for an order by quote.
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

/// A taker on its way through a market's book.
struct Taking<'a> {
    market: &'a mut Market,
    ledger: &'a mut Ledger,
    taker: Taker,
    at: Timestamp,
    target: Target,
    taken: Taken,
    /// Whether the last thing that happened was self-trade prevention.
    just_prevented: bool,
}

/// Takes from a market's book and books both sides of every trade. The taker pays from its free balance, which the
/// caller has checked; its order's own fields are the caller's to set.
pub(crate) fn take(
    market: &mut Market,
    ledger: &mut Ledger,
    taker: Taker,
    target: Target,
    rate: Rate,
    at: Timestamp,
    fills: &mut Vec<Fill>,
) -> Taken {
    let taken = Taken { executed: 0, spent: 0, prevented: 0, prevented_match: 0, rest: 0, end: End::Exhausted };
    let mut taking = Taking { market, ledger, taker, at, target, taken, just_prevented: false };
    taking.run(rate, fills);
    if let Target::Base(left) = taking.target {
        taking.taken.rest = left;
    }
    taking.taken
}

impl Taking<'_> {
    fn run(&mut self, rate: Rate, fills: &mut Vec<Fill>) {
        let maker_side = opposite(self.taker.side);
        loop {
            let Some((price, node_id)) = self.market.book.best(maker_side).filter(|(p, _)| self.taker.accepts(*p))
            else {
                return;
            };
            let room = i64::MAX - self.taken.executed - self.taken.prevented;
            let wanted = self.target.wanted(price).min(room);
            if wanted == 0 {
                return self.done();
            }
            let maker = *self.market.book.node(node_id);
            let quantity = wanted.min(maker.remaining);
            match self.taker.prevention_against(maker.party) {
                None => self.trade(node_id, quantity, rate, fills),
                Some(SelfTradePrevention::ExpireMaker) => {
                    self.expire_maker(&maker);
                    continue;
                }
                Some(SelfTradePrevention::Decrement) => self.decrement(node_id, quantity),
                Some(mode) => {
                    self.expire_taker(quantity);
                    if mode == SelfTradePrevention::ExpireBoth {
                        self.expire_maker(&maker);
                    }
                    return;
                }
            }
            self.target.spend(price, quantity);
            if self.target.is_spent() || quantity < maker.remaining {
                return self.done();
            }
        }
    }

    /// It has all it wanted, by trading or by prevention.
    fn done(&mut self) {
        self.taken.end = if self.just_prevented { End::SelfTrade } else { End::Done };
    }

    fn trade(&mut self, node_id: NodeId, quantity: i64, rate: Rate, fills: &mut Vec<Fill>) {
        let maker_side = opposite(self.taker.side);
        let maker = *self.market.book.node(node_id);
        let price = maker.price;
        let gone = self.market.book.reduce(maker_side, node_id, quantity);
        let id = self.market.print(self.taker.side, price, quantity, self.at, self.taken.executed > 0);
        let sides = TradeSide {
            id,
            order: 0,
            price,
            quantity,
            commission: 0,
            time: self.at.as_micros(),
            side: maker_side,
            is_maker: true,
            earlier: None,
        };
        self.market.settle_maker(self.ledger, maker.party, &sides, gone);
        let exchange = self.market.exchange(price, quantity);
        match self.taker.party {
            Party::House(_) => self.ledger.settle_house(self.taker.side, &exchange),
            Party::Wallet(wallet, order) => {
                let side = self.taker.side;
                let commission = self.ledger.settle(wallet, side, &exchange, rate, false, self.at);
                let own = TradeSide { order, commission, side, is_maker: false, ..sides };
                let activity = self.ledger.wallet_mut(wallet).activity_mut(self.market.number);
                activity.record(self.market.orders.at_mut(order), own);
                let received = if side == Side::Buy { self.market.base } else { self.market.quote };
                fills.push(Fill {
                    price: Price::from_scaled(price),
                    quantity: Quantity::from_scaled(quantity),
                    commission: Amount::from_scaled(commission),
                    commission_asset: self.ledger.asset(received),
                    trade_id: id,
                });
            }
        }
        self.taken.executed += quantity;
        self.taken.spent += exchange.notional;
        self.just_prevented = false;
    }

    /// The number of the next prevented match.
    fn prevented_match(&mut self) -> i64 {
        self.market.last_prevented_match += 1;
        self.market.last_prevented_match
    }

    fn expire_maker(&mut self, maker: &Node) {
        let match_id = match self.taken.end {
            End::SelfTrade => self.taken.prevented_match,
            _ => self.prevented_match(),
        };
        if let Party::Wallet(_, index) = maker.party {
            self.market.close(self.ledger, index, OrderStatus::ExpiredInMatch, None, self.at);
            let order = self.market.orders.at_mut(index);
            order.prevented += maker.remaining;
            order.prevented_match = match_id;
        }
    }

    /// The whole rest of an order by quantity; of one by quote, what it would have traded here.
    fn expire_taker(&mut self, quantity: i64) {
        self.taken.prevented_match = self.prevented_match();
        self.taken.prevented += match &mut self.target {
            Target::Base(left) => core::mem::take(left),
            Target::Quote { .. } => quantity,
        };
        self.taken.end = End::SelfTrade;
    }

    /// Takes the quantity from both; what is emptied expires.
    fn decrement(&mut self, node_id: NodeId, quantity: i64) {
        let maker_side = opposite(self.taker.side);
        let match_id = self.prevented_match();
        let maker = *self.market.book.node(node_id);
        let gone = self.market.book.reduce(maker_side, node_id, quantity);
        if let Party::Wallet(wallet, index) = maker.party {
            let asset = if maker_side == Side::Buy { self.market.quote } else { self.market.base };
            let order = self.market.orders.at_mut(index);
            let wallet = self.ledger.wallet_mut(wallet);
            wallet.release(asset, order.hold(quantity), self.at);
            order.prevented += quantity;
            order.prevented_match = match_id;
            order.updated = self.at.as_micros();
            if gone {
                order.node = None;
                order.status = OrderStatus::ExpiredInMatch;
                wallet.activity_mut(self.market.number).close(index);
            }
        }
        self.taken.prevented += quantity;
        self.taken.prevented_match = match_id;
        self.just_prevented = true;
    }
}

//! Accepting an order and carrying it out.

use latchkey_protocol::Timestamp;
use latchkey_protocol::order::{ExpiryReason, OrderStatus, OrderType, Side, TimeInForce};

use super::Core;
use super::check::Accepted;
use crate::book::Party;
use crate::counter::TAKER_GIVES_BACK;
use crate::ledger::Ledger;
use crate::market::Market;
use crate::matching::{End, Taken, Taker, Target, take, walk};
use crate::names::fingerprint;
use crate::order::{Order, OrderRef};
use crate::rng::mix;
use crate::{ClientOrderId, Fill, NewOrder, OrderLimits, PlacedOrder, Refusal};

impl Core {
    /// Accepts an order, matches it, and rests or expires what is left.
    pub(super) fn place(
        &mut self,
        at: Timestamp,
        order: &NewOrder,
        limits: OrderLimits,
    ) -> Result<PlacedOrder, Refusal> {
        if let Some(owner) = self.ledger.owner_id(order.account.owner) {
            self.ledger.owner(owner).counter.room(at, &limits)?;
        }
        let accepted = self.judge(at, order)?;
        let index = self.accept(at, order, &accepted);
        let (markets, ledger) = (&mut self.markets, &mut self.ledger);
        #[expect(clippy::indexing_slicing, reason = "the market was found when the order was judged")]
        let market = &mut markets[usize::from(accepted.market)];
        let mut fills = Vec::new();
        execute(market, ledger, index, &accepted, at, &mut fills);
        let owner = ledger.wallet(accepted.wallet).owner;
        let counts = ledger.owner(owner).counter.counts(at);
        let order = market.orders.at(index).view(market.symbol(), index);
        Ok(PlacedOrder { order, fills, transact_time: at, counts })
    }

    /// Gives an order its id and its name, and counts it.
    fn accept(&mut self, at: Timestamp, order: &NewOrder, accepted: &Accepted) -> u32 {
        let index = self.market_at(accepted.market).orders.len();
        let client_order_id = order.client_order_id.unwrap_or_else(|| self.free_name(accepted, index));
        let reference = OrderRef { market: accepted.market, order: index };
        let same_name_before =
            self.names.insert(fingerprint(accepted.wallet, accepted.market, &client_order_id), reference);
        #[expect(clippy::indexing_slicing, reason = "the market was found when the order was judged")]
        let market = &mut self.markets[usize::from(accepted.market)];
        market.orders.push(Order {
            wallet: accepted.wallet,
            client_order_id,
            same_name_before,
            side: order.side,
            order_type: order.order_type,
            time_in_force: accepted.time_in_force,
            self_trade_prevention: accepted.self_trade_prevention,
            status: OrderStatus::New,
            expiry: None,
            price: accepted.price.unwrap_or(0),
            quantity: accepted.quantity,
            executed: 0,
            prevented: 0,
            prevented_match: 0,
            quote_quantity: accepted.quote_quantity,
            spent: 0,
            time: at.as_micros(),
            updated: at.as_micros(),
            strategy_id: order.strategy_id,
            strategy_type: order.strategy_type,
            node: None,
            last_trade: None,
        });
        let wallet = self.ledger.wallet_mut(accepted.wallet);
        wallet.activity_mut(accepted.market).orders.push(index);
        let owner = wallet.owner;
        self.ledger.owner_mut(owner).counter.raise(at);
        index
    }

    /// A generated client order id that no open order of the wallet has.
    fn free_name(&self, accepted: &Accepted, index: u32) -> ClientOrderId {
        let mut attempt = 0;
        loop {
            let name = generated(self.seed, accepted.market, index, attempt);
            if self.named(accepted.wallet, accepted.market, &name).is_none() && !self.is_taken(accepted.wallet, &name) {
                return name;
            }
            attempt += 1;
        }
    }
}

/// A client order id that follows from the seed, the order and how often it was tried before.
pub(super) fn generated(seed: u64, market: u16, index: u32, attempt: u64) -> ClientOrderId {
    let order = u64::from(market) << 32 | u64::from(index);
    ClientOrderId::generate(mix(seed ^ mix(order)), mix(order.wrapping_add(mix(attempt.wrapping_add(seed)))))
}

/// Matches an accepted order, then rests or ends it.
fn execute(
    market: &mut Market,
    ledger: &mut Ledger,
    index: u32,
    accepted: &Accepted,
    at: Timestamp,
    fills: &mut Vec<Fill>,
) {
    let order = market.orders.at(index);
    let (side, wallet) = (order.side, order.wallet);
    let is_market = order.order_type == OrderType::Market;
    let taker = Taker {
        party: Party::Wallet(wallet, index),
        side,
        limit: accepted.price,
        self_trade_prevention: accepted.self_trade_prevention,
    };
    if accepted.time_in_force == TimeInForce::Fok {
        let whole = walk(&market.book, &taker, Target::Base(accepted.quantity)).traded == accepted.quantity;
        if !whole {
            let order = market.orders.at_mut(index);
            order.status = OrderStatus::Expired;
            order.expiry = Some(ExpiryReason::UnfilledFokOrderExpired);
            return;
        }
    }
    let owner = ledger.wallet(wallet).owner;
    let rate = ledger.commission(owner, &market.spec).taker;
    let target = match accepted.quote_quantity {
        0 => Target::Base(accepted.quantity),
        amount => Target::Quote { amount, step: market.spec.filters.lot_size.step.scaled() },
    };
    let taken = take(market, ledger, taker, target, rate, at, fills);
    if taken.executed > 0 {
        ledger.owner_mut(owner).counter.lower(at, TAKER_GIVES_BACK);
    }
    let rests = taken.end == End::Exhausted && !is_market && accepted.time_in_force == TimeInForce::Gtc;
    let (status, expiry) = outcome(&taken, is_market, rests);
    let (base, quote, number) = (market.base, market.quote, market.number);
    let order = market.orders.at_mut(index);
    order.executed = taken.executed;
    order.spent = taken.spent;
    order.prevented = taken.prevented;
    order.prevented_match = taken.prevented_match;
    order.status = status;
    order.expiry = expiry;
    if rests {
        let held = order.hold(taken.rest);
        order.node = Some(market.book.insert(side, order.price, taken.rest, taker.party));
        let wallet = ledger.wallet_mut(wallet);
        wallet.hold(if side == Side::Buy { quote } else { base }, held, at);
        wallet.activity_mut(number).open.push(index);
    }
}

/// What has become of an order that has taken all it could.
fn outcome(taken: &Taken, is_market: bool, rests: bool) -> (OrderStatus, Option<ExpiryReason>) {
    match taken.end {
        End::SelfTrade => (OrderStatus::ExpiredInMatch, None),
        End::Done => (OrderStatus::Filled, None),
        End::Exhausted if rests && taken.executed > 0 => (OrderStatus::PartiallyFilled, None),
        End::Exhausted if rests => (OrderStatus::New, None),
        End::Exhausted if is_market => (OrderStatus::Expired, Some(ExpiryReason::InsufficientLiquidity)),
        End::Exhausted => (OrderStatus::Expired, Some(ExpiryReason::UnfilledIocQuantityExpired)),
    }
}

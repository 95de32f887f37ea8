//! A slow, obvious exchange of one symbol, and random commands on which it and the real one must agree: the same
//! refusals, the same trades, the same orders, the same balances, the same book.
//!
//! The slow one keeps all orders in one list, looks through all of it for the best price each time, and tries orders
//! out on a copy of itself where the real one plans ahead.

use latchkey_exchange::spec::{LotSize, SymbolSpec};
use latchkey_exchange::view::OrderView;
use latchkey_exchange::{Command, FilterName, LiquidityFloor, NewOrder, Refusal, Reply};
use latchkey_protocol::order::{OrderStatus, OrderType, SelfTradePrevention, Side, TimeInForce};
use latchkey_protocol::{AccountId, Amount, Price, Quantity, TradingAccount, Wallet};
use proptest::prelude::*;

use crate::support::*;

const ONE: i128 = 100_000_000;
/// Half a unit.
const STEP: i128 = ONE / 2;
const TRADERS: usize = 3;

fn trader(who: usize) -> TradingAccount {
    TradingAccount { owner: AccountId(who as i64 + 1), wallet: Wallet::Spot }
}

fn spec() -> SymbolSpec {
    let mut spec = plain_symbol();
    spec.filters.notional = None;
    spec.filters.lot_size = LotSize { min: quantity("0.5"), max: quantity("9000"), step: quantity("0.5") };
    spec.filters.market_lot_size = None;
    spec
}

#[derive(Clone, Debug)]
enum Action {
    Place { who: usize, side: Side, kind: Kind, ticks: i64, steps: i64, mode: SelfTradePrevention },
    Cancel { who: usize, back: usize },
    CancelAll { who: usize },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Limit(TimeInForce),
    Maker,
    Market,
    ByQuote,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let kind = prop_oneof![
        6 => Just(Kind::Limit(TimeInForce::Gtc)),
        1 => Just(Kind::Limit(TimeInForce::Ioc)),
        1 => Just(Kind::Limit(TimeInForce::Fok)),
        1 => Just(Kind::Maker),
        1 => Just(Kind::Market),
        1 => Just(Kind::ByQuote),
    ];
    let mode = prop_oneof![
        Just(SelfTradePrevention::None),
        Just(SelfTradePrevention::ExpireTaker),
        Just(SelfTradePrevention::ExpireMaker),
        Just(SelfTradePrevention::ExpireBoth),
        Just(SelfTradePrevention::Decrement),
    ];
    let place = (0..TRADERS, side, kind, 0_i64..7, 1_i64..12, mode)
        .prop_map(|(who, side, kind, ticks, steps, mode)| Action::Place { who, side, kind, ticks, steps, mode });
    let action = prop_oneof![
        8 => place,
        2 => (0..TRADERS, 0_usize..12).prop_map(|(who, back)| Action::Cancel { who, back }),
        1 => (0..TRADERS).prop_map(|who| Action::CancelAll { who }),
    ];
    prop::collection::vec(action, 1..90)
}

#[derive(Clone, Debug)]
struct SlowOrder {
    who: usize,
    side: Side,
    price: i128,
    quantity: i128,
    executed: i128,
    prevented: i128,
    spent: i128,
    status: OrderStatus,
    on_book: bool,
}

#[derive(Clone, Debug, Default)]
struct Slow {
    orders: Vec<SlowOrder>,
    /// Free and held, of base and of quote, of each trader.
    free: [[i128; 2]; TRADERS],
    held: [[i128; 2]; TRADERS],
    /// Price and quantity.
    trades: Vec<(i128, i128)>,
}

/// How taking ended.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Ended {
    Satisfied,
    SelfTrade,
    NoMore,
}

/// What an order wants.
#[derive(Clone, Copy)]
enum Want {
    Base(i128),
    Quote(i128),
}

impl Slow {
    fn open_quantity(&self, index: usize) -> i128 {
        let order = &self.orders[index];
        order.quantity - order.executed - order.prevented
    }

    /// What an order on the book holds: an index into free and held, and how much for a quantity.
    fn hold_of(order: &SlowOrder, quantity: i128) -> (usize, i128) {
        match order.side {
            Side::Buy => (1, order.price * quantity / ONE),
            Side::Sell => (0, quantity),
        }
    }

    fn give_back(&mut self, index: usize, quantity: i128) {
        let order = &self.orders[index];
        let (asset, amount) = Self::hold_of(order, quantity);
        self.held[order.who][asset] -= amount;
        self.free[order.who][asset] += amount;
    }

    fn end(&mut self, index: usize, status: OrderStatus) {
        if self.orders[index].on_book {
            self.give_back(index, self.open_quantity(index));
        }
        self.orders[index].on_book = false;
        self.orders[index].status = status;
    }

    /// The order that a taker meets next: best price, then oldest.
    fn next_maker(&self, side: Side, limit: Option<i128>) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (index, order) in self.orders.iter().enumerate() {
            let acceptable = limit.is_none_or(|limit| match side {
                Side::Buy => order.price <= limit,
                Side::Sell => order.price >= limit,
            });
            if !order.on_book || order.side == side || !acceptable {
                continue;
            }
            let better = best.is_none_or(|best| match side {
                Side::Buy => order.price < self.orders[best].price,
                Side::Sell => order.price > self.orders[best].price,
            });
            if better {
                best = Some(index);
            }
        }
        best
    }

    fn pay(&mut self, who: usize, side: Side, price: i128, quantity: i128, from_hold: bool) {
        let notional = price * quantity / ONE;
        let (pays, paid, takes, received) = match side {
            Side::Buy => (1, notional, 0, quantity),
            Side::Sell => (0, quantity, 1, notional),
        };
        let purse = if from_hold { &mut self.held } else { &mut self.free };
        purse[who][pays] -= paid;
        let commission = (received * 100_000 + ONE / 2) / ONE;
        self.free[who][takes] += received - commission;
    }

    /// Lets an order take.
    fn take(&mut self, index: usize, limit: Option<i128>, mode: SelfTradePrevention, want: Want) -> Ended {
        let (who, side) = (self.orders[index].who, self.orders[index].side);
        let mut want = want;
        let mut just_prevented = false;
        let ended = |just_prevented| if just_prevented { Ended::SelfTrade } else { Ended::Satisfied };
        while let Some(maker) = self.next_maker(side, limit) {
            let price = self.orders[maker].price;
            let wanted = match want {
                Want::Base(left) => left,
                Want::Quote(left) => left * ONE / price / STEP * STEP,
            };
            let open = self.open_quantity(maker);
            let quantity = wanted.min(open);
            if quantity == 0 {
                return ended(just_prevented);
            }
            let own = self.orders[maker].who == who && mode != SelfTradePrevention::None;
            let expires_taker = matches!(mode, SelfTradePrevention::ExpireTaker | SelfTradePrevention::ExpireBoth);
            let expires_maker = matches!(mode, SelfTradePrevention::ExpireMaker | SelfTradePrevention::ExpireBoth);
            if own && expires_maker {
                self.end(maker, OrderStatus::ExpiredInMatch);
                self.orders[maker].prevented += open;
            }
            if own && expires_taker {
                self.orders[index].prevented += match want {
                    Want::Base(left) => left,
                    Want::Quote(_) => quantity,
                };
                return Ended::SelfTrade;
            }
            if own && expires_maker {
                continue;
            }
            just_prevented = own;
            if own {
                self.give_back(maker, quantity);
                self.orders[maker].prevented += quantity;
                self.orders[index].prevented += quantity;
            } else {
                self.pay(who, side, price, quantity, false);
                let (maker_who, maker_side) = (self.orders[maker].who, self.orders[maker].side);
                self.pay(maker_who, maker_side, price, quantity, true);
                self.trades.push((price, quantity));
                for order in [maker, index] {
                    self.orders[order].executed += quantity;
                    self.orders[order].spent += price * quantity / ONE;
                }
                self.orders[maker].status = OrderStatus::PartiallyFilled;
            }
            if quantity == open {
                self.orders[maker].on_book = false;
                self.orders[maker].status = if own { OrderStatus::ExpiredInMatch } else { OrderStatus::Filled };
            }
            let satisfied = match &mut want {
                Want::Base(left) => {
                    *left -= quantity;
                    *left == 0
                }
                Want::Quote(left) => {
                    *left -= price * quantity / ONE;
                    *left == 0 || quantity < open
                }
            };
            if satisfied {
                return ended(just_prevented);
            }
        }
        Ended::NoMore
    }

    fn place(
        &mut self,
        who: usize,
        side: Side,
        kind: Kind,
        price: i128,
        quantity: i128,
        mode: SelfTradePrevention,
    ) -> Result<(), Refusal> {
        let before = self.clone();
        let index = self.orders.len();
        let limit = matches!(kind, Kind::Limit(_) | Kind::Maker).then_some(price);
        let amount = price * quantity / ONE;
        self.orders.push(SlowOrder {
            who,
            side,
            price: limit.unwrap_or(0),
            quantity,
            executed: 0,
            prevented: 0,
            spent: 0,
            status: OrderStatus::New,
            on_book: false,
        });
        let needed = match (side, kind) {
            (Side::Buy, Kind::Limit(_) | Kind::Maker | Kind::ByQuote) => amount,
            (Side::Sell, Kind::Limit(_) | Kind::Maker | Kind::Market) => quantity,
            (Side::Buy, Kind::Market) => {
                let mut trial = self.clone();
                trial.take(index, None, mode, Want::Base(quantity));
                trial.orders[index].spent
            }
            (Side::Sell, Kind::ByQuote) => {
                let mut trial = self.clone();
                trial.take(index, None, mode, Want::Quote(amount));
                trial.orders[index].executed + trial.orders[index].prevented
            }
        };
        let poor = self.free[who][usize::from(side == Side::Buy)] < needed;
        let crosses = self.next_maker(side, limit).is_some();
        let ended = match kind {
            Kind::ByQuote => self.take(index, limit, mode, Want::Quote(amount)),
            _ => self.take(index, limit, mode, Want::Base(quantity)),
        };
        let order = self.orders[index].clone();
        let refusal = if kind == Kind::ByQuote && order.executed + order.prevented < STEP {
            match ended {
                Ended::NoMore => Some(Refusal::Liquidity(LiquidityFloor::LotSize)),
                _ => Some(Refusal::Filter(FilterName::LotSize)),
            }
        } else if poor {
            Some(Refusal::InsufficientBalance)
        } else if kind == Kind::Maker && crosses {
            Some(Refusal::WouldMatchImmediately)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            *self = before;
            return Err(refusal);
        }
        if kind == Kind::Limit(TimeInForce::Fok) && order.executed < quantity {
            let mut killed = order;
            (killed.executed, killed.spent, killed.prevented) = (0, 0, 0);
            killed.status = OrderStatus::Expired;
            *self = before;
            self.orders.push(killed);
            return Ok(());
        }
        let order = &mut self.orders[index];
        if kind == Kind::ByQuote {
            order.quantity = order.executed + order.prevented;
        }
        let rest = order.quantity - order.executed - order.prevented;
        order.status = match kind {
            _ if ended == Ended::SelfTrade => OrderStatus::ExpiredInMatch,
            _ if ended == Ended::Satisfied => OrderStatus::Filled,
            Kind::Limit(TimeInForce::Gtc) | Kind::Maker if order.executed > 0 => OrderStatus::PartiallyFilled,
            Kind::Limit(TimeInForce::Gtc) | Kind::Maker => OrderStatus::New,
            _ => OrderStatus::Expired,
        };
        if matches!(order.status, OrderStatus::New | OrderStatus::PartiallyFilled) {
            order.on_book = true;
            let (asset, amount) = Self::hold_of(order, rest);
            self.free[who][asset] -= amount;
            self.held[who][asset] += amount;
        }
        Ok(())
    }

    fn cancel(&mut self, who: usize, index: usize) -> Result<(), Refusal> {
        match self.orders.get(index) {
            Some(order) if order.on_book && order.who == who => {}
            _ => return Err(Refusal::UnknownOrder),
        }
        self.end(index, OrderStatus::Canceled);
        Ok(())
    }

    fn cancel_all(&mut self, who: usize) -> Result<(), Refusal> {
        let open: Vec<usize> = (0..self.orders.len()).filter(|index| self.cancel(who, *index).is_ok()).collect();
        if open.is_empty() { Err(Refusal::UnknownOrder) } else { Ok(()) }
    }

    /// Price and quantity of each level, best first.
    fn levels(&self, side: Side) -> Vec<(i128, i128)> {
        let mut levels = std::collections::BTreeMap::new();
        for (index, order) in self.orders.iter().enumerate().filter(|(_, order)| order.on_book && order.side == side) {
            *levels.entry(order.price).or_insert(0) += self.open_quantity(index);
        }
        let levels = levels.into_iter();
        if side == Side::Buy { levels.rev().collect() } else { levels.collect() }
    }
}

/// The same action for the real exchange.
fn command(action: &Action, orders: usize) -> Command {
    match *action {
        Action::Place { who, side, kind, ticks, steps, mode } => {
            let (order_type, force) = match kind {
                Kind::Limit(force) => (OrderType::Limit, Some(force)),
                Kind::Maker => (OrderType::LimitMaker, None),
                Kind::Market | Kind::ByQuote => (OrderType::Market, None),
            };
            let has_price = order_type != OrderType::Market;
            let (price, quantity) = (price_of(ticks), quantity_of(steps));
            let worth = Amount::from_scaled(price * quantity / ONE);
            Command::Place(NewOrder {
                time_in_force: force,
                price: has_price.then(|| Price::from_scaled(price as i64)),
                quantity: (kind != Kind::ByQuote).then(|| Quantity::from_scaled(quantity as i64)),
                quote_order_quantity: (kind == Kind::ByQuote).then_some(worth),
                self_trade_prevention: Some(mode),
                ..order(trader(who), side, order_type)
            })
        }
        Action::Cancel { who, back } => Command::Cancel(cancel(trader(who), orders as i64 - back as i64)),
        Action::CancelAll { who } => Command::CancelAll { account: trader(who), symbol: symbol("ABCUSDT") },
    }
}

fn price_of(ticks: i64) -> i128 {
    i128::from(9_997 + ticks) * ONE / 100
}

fn quantity_of(steps: i64) -> i128 {
    i128::from(steps) * STEP
}

fn act(slow: &mut Slow, action: &Action) -> Result<(), Refusal> {
    match *action {
        Action::Place { who, side, kind, ticks, steps, mode } => {
            slow.place(who, side, kind, price_of(ticks), quantity_of(steps), mode)
        }
        Action::Cancel { who, back } => match slow.orders.len().checked_sub(back + 1) {
            Some(index) => slow.cancel(who, index),
            None => Err(Refusal::UnknownOrder),
        },
        Action::CancelAll { who } => slow.cancel_all(who),
    }
}

fn check_order(real: &OrderView, slow: &SlowOrder) {
    let prevented = real.prevented.map_or(0, |prevented| prevented.quantity.scaled());
    let shape = (
        real.status,
        i128::from(real.original_quantity.scaled()),
        i128::from(real.executed_quantity.scaled()),
        i128::from(prevented),
        real.cumulative_quote_quantity.scaled(),
    );
    assert_eq!(shape, (slow.status, slow.quantity, slow.executed, slow.prevented, slow.spent), "{real:?}");
}

fn check_same(desk: &Desk, slow: &Slow) {
    for (index, expected) in slow.orders.iter().enumerate() {
        check_order(&desk.order(trader(expected.who), index as i64 + 1), expected);
    }
    for who in 0..TRADERS {
        let rows = desk.core.balances(trader(who)).expect("a wallet");
        for (asset_index, of) in ["ABC", "USDT"].into_iter().enumerate() {
            let row = rows.iter().find(|row| row.asset == asset(of)).expect("a balance");
            assert_eq!(row.free.scaled(), slow.free[who][asset_index], "free {of} of {who}");
            assert_eq!(row.locked.scaled(), slow.held[who][asset_index], "held {of} of {who}");
            assert!(row.free.scaled() >= 0 && row.locked.scaled() >= 0);
        }
    }
    for side in [Side::Buy, Side::Sell] {
        let real: Vec<_> = desk.levels(side).iter().map(|(p, q)| (i128::from(p.scaled()), q.scaled())).collect();
        assert_eq!(real, slow.levels(side), "{side}");
    }
    let trades = desk.core.recent_trades(symbol("ABCUSDT"), 10_000).expect("a symbol");
    let real: Vec<_> = trades.iter().map(|t| (i128::from(t.price.scaled()), i128::from(t.quantity.scaled()))).collect();
    assert_eq!(real, slow.trades);
    let (bids, asks) = (desk.levels(Side::Buy), desk.levels(Side::Sell));
    if let (Some(bid), Some(ask)) = (bids.first(), asks.first()) {
        assert!(bid.0 < ask.0, "a crossed book");
    }
    desk.check_sums();
}

/// No fill is worse than the limit.
fn check_limits(action: &Action, outcome: &Result<Reply, Refusal>) {
    let (Action::Place { side, kind, ticks, .. }, Ok(Reply::Placed(placed))) = (action, outcome) else {
        return;
    };
    if !matches!(kind, Kind::Limit(_) | Kind::Maker) {
        return;
    }
    for fill in &placed.fills {
        let price = i128::from(fill.price.scaled());
        let within = if *side == Side::Buy { price <= price_of(*ticks) } else { price >= price_of(*ticks) };
        assert!(within, "a trade through the limit");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(96), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_real_and_the_slow_exchange_agree(actions in actions()) {
        let mut desk = Desk::bare(latchkey_exchange::MarketSettings {
            symbols: vec![spec()],
            ..latchkey_exchange::MarketSettings::empty()
        });
        let mut slow = Slow::default();
        for who in 0..TRADERS {
            desk.fund(trader(who), "ABC", "15");
            desk.fund(trader(who), "USDT", "1500");
            slow.free[who] = [15 * ONE, 1_500 * ONE];
        }
        for action in &actions {
            let outcome = desk.apply(&command(action, slow.orders.len()));
            check_limits(action, &outcome);
            let expected = act(&mut slow, action);
            prop_assert_eq!(outcome.map(|_| ()), expected, "{:?}", action);
            check_same(&desk, &slow);
        }
    }
}

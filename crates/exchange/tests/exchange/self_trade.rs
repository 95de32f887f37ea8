//! Self-trade prevention: what each mode does when a taker meets its own wallet.

use latchkey_exchange::{NewOrder, RefusalKind};
use latchkey_protocol::order::{OrderStatus, OrderType, SelfTradePrevention, Side, TimeInForce};
use latchkey_protocol::{TradingAccount, Wallet};

use crate::support::*;

/// Ann's own order of 2 at 100 stands before Bob's of 5 at 101; she buys `much` at up to 101.
struct Row {
    mode: SelfTradePrevention,
    much: &'static str,
    /// Status, executed and prevented quantity of the taker.
    taker: (OrderStatus, &'static str, &'static str),
    /// Status, executed and prevented quantity of her own maker.
    maker: (OrderStatus, &'static str, &'static str),
    /// What is left of Bob's order.
    others: &'static str,
}

const ROWS: [Row; 8] = [
    Row {
        mode: SelfTradePrevention::None,
        much: "3",
        taker: (OrderStatus::Filled, "3", "0"),
        maker: (OrderStatus::Filled, "2", "0"),
        others: "4",
    },
    Row {
        mode: SelfTradePrevention::ExpireTaker,
        much: "3",
        taker: (OrderStatus::ExpiredInMatch, "0", "3"),
        maker: (OrderStatus::New, "0", "0"),
        others: "5",
    },
    Row {
        mode: SelfTradePrevention::ExpireMaker,
        much: "3",
        taker: (OrderStatus::Filled, "3", "0"),
        maker: (OrderStatus::ExpiredInMatch, "0", "2"),
        others: "2",
    },
    Row {
        mode: SelfTradePrevention::ExpireMaker,
        much: "6",
        taker: (OrderStatus::PartiallyFilled, "5", "0"),
        maker: (OrderStatus::ExpiredInMatch, "0", "2"),
        others: "0",
    },
    Row {
        mode: SelfTradePrevention::ExpireBoth,
        much: "3",
        taker: (OrderStatus::ExpiredInMatch, "0", "3"),
        maker: (OrderStatus::ExpiredInMatch, "0", "2"),
        others: "5",
    },
    Row {
        mode: SelfTradePrevention::Decrement,
        much: "3",
        taker: (OrderStatus::Filled, "1", "2"),
        maker: (OrderStatus::ExpiredInMatch, "0", "2"),
        others: "4",
    },
    Row {
        mode: SelfTradePrevention::Decrement,
        much: "1.5",
        taker: (OrderStatus::ExpiredInMatch, "0", "1.5"),
        maker: (OrderStatus::New, "0", "1.5"),
        others: "5",
    },
    Row {
        mode: SelfTradePrevention::Decrement,
        much: "2",
        taker: (OrderStatus::ExpiredInMatch, "0", "2"),
        maker: (OrderStatus::ExpiredInMatch, "0", "2"),
        others: "5",
    },
];

fn check(row: &Row, taker: impl Fn(NewOrder) -> NewOrder) {
    let mut desk = Desk::open();
    let maker = desk.rest(ANN, Side::Sell, "2", "100").order.order_id;
    let others = desk.rest(BOB, Side::Sell, "5", "101").order.order_id;
    let order = prevented(taker(limit(ANN, Side::Buy, row.much, "101")), row.mode);
    let placed = desk.place(order).expect("accepted").order;
    let shape = |id| {
        let order = desk.order(ANN, id);
        let prevented = order.prevented.map_or(quantity("0"), |prevented| prevented.quantity);
        (order.status, order.executed_quantity, prevented)
    };
    let wanted = |(status, executed, prevented)| (status, quantity(executed), quantity(prevented));
    assert_eq!(shape(placed.order_id), wanted(row.taker), "taker, {:?} {}", row.mode, row.much);
    assert_eq!(shape(maker), wanted(row.maker), "maker, {:?} {}", row.mode, row.much);
    let rest = desk.order(BOB, others);
    let left = rest.original_quantity.scaled() - rest.executed_quantity.scaled();
    assert_eq!(left, quantity(row.others).scaled(), "others, {:?} {}", row.mode, row.much);

    // origQty − executedQty − preventedQty is what is open, held and on the book.
    let open: i64 = desk
        .core
        .open_orders(ANN, None)
        .expect("a symbol")
        .iter()
        .filter(|order| order.side == Side::Sell)
        .map(|order| {
            let prevented = order.prevented.map_or(0, |prevented| prevented.quantity.scaled());
            order.original_quantity.scaled() - order.executed_quantity.scaled() - prevented
        })
        .sum();
    let held = desk.core.balances(ANN).expect("a wallet");
    let held = held.iter().find(|row| row.asset == asset("ABC")).expect("a balance").locked;
    assert_eq!(i128::from(open), held.scaled(), "{:?} {}", row.mode, row.much);
    desk.check_sums();
}

#[test]
fn each_mode_does_what_it_says() {
    for row in &ROWS {
        check(row, |order| order);
    }
}

#[test]
fn a_market_order_is_prevented_alike() {
    for row in ROWS.iter().filter(|row| row.taker.0 != OrderStatus::PartiallyFilled) {
        check(row, |order| NewOrder { order_type: OrderType::Market, time_in_force: None, price: None, ..order });
    }
}

#[test]
fn a_market_order_by_quote_is_prevented_within_its_amount() {
    let place = |mode| {
        let mut desk = Desk::open();
        desk.rest(ANN, Side::Sell, "2", "100");
        desk.rest(BOB, Side::Sell, "5", "101");
        let placed = desk.place(prevented(by_quote(ANN, Side::Buy, "301"), mode)).expect("accepted").order;
        desk.check_sums();
        (placed.status, placed.executed_quantity, placed.prevented.map(|prevented| prevented.quantity))
    };
    assert_eq!(place(SelfTradePrevention::None), (OrderStatus::Filled, quantity("3"), None));
    // 2.98 × 101 = 300.98, one step more would be above 301.
    assert_eq!(place(SelfTradePrevention::ExpireMaker), (OrderStatus::Filled, quantity("2.98"), None));
    let decremented = (OrderStatus::Filled, quantity("1"), Some(quantity("2")));
    assert_eq!(place(SelfTradePrevention::Decrement), decremented);
    let expired = (OrderStatus::ExpiredInMatch, quantity("0"), Some(quantity("2")));
    assert_eq!(place(SelfTradePrevention::ExpireTaker), expired);
}

#[test]
fn fill_or_kill_counts_only_what_would_trade() {
    let fok = |mode, much| {
        let mut desk = Desk::open();
        desk.rest(ANN, Side::Sell, "2", "100");
        desk.rest(BOB, Side::Sell, "5", "101");
        let order = NewOrder { time_in_force: Some(TimeInForce::Fok), ..limit(ANN, Side::Buy, much, "101") };
        desk.place(prevented(order, mode)).expect("accepted").order.status
    };
    assert_eq!(fok(SelfTradePrevention::ExpireMaker, "5"), OrderStatus::Filled);
    assert_eq!(fok(SelfTradePrevention::ExpireMaker, "5.001"), OrderStatus::Expired);
    assert_eq!(fok(SelfTradePrevention::Decrement, "3"), OrderStatus::Expired);
    assert_eq!(fok(SelfTradePrevention::ExpireTaker, "1"), OrderStatus::Expired);
    assert_eq!(fok(SelfTradePrevention::None, "7"), OrderStatus::Filled);
}

#[test]
fn wallets_of_one_owner_may_trade_with_each_other() {
    let mut desk = Desk::open();
    let cross = TradingAccount { wallet: Wallet::Cross, ..ANN };
    desk.fund(cross, "USDT", "1000");
    desk.rest(ANN, Side::Sell, "1", "100");
    let placed = desk.rest(cross, Side::Buy, "1", "100");
    check_status(&placed.order, OrderStatus::Filled, "1");
}

#[test]
fn a_mode_that_the_symbol_does_not_allow_is_refused() {
    let mut desk = Desk::open();
    let order = prevented(limit(ANN, Side::Buy, "1", "99"), SelfTradePrevention::Transfer);
    let text = "This symbol does not allow the specified self-trade prevention mode.";
    check_refused(desk.place(order), RefusalKind::InvalidMessage, text);
    let placed = desk.rest(ANN, Side::Buy, "1", "99").order;
    assert_eq!(placed.self_trade_prevention, SelfTradePrevention::ExpireMaker);
}

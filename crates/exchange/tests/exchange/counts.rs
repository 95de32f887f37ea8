//! The unfilled-order count.

use latchkey_exchange::{Command, OrderCounts, OrderInterval, OrderLimits, Refusal, RefusalKind, Reply};
use latchkey_protocol::order::Side;
use latchkey_protocol::{TradingAccount, Wallet};

use crate::support::*;

const TEN_SECONDS: i64 = 10_000;
const DAY: i64 = 86_400_000;

fn counts(desk: &Desk, account: TradingAccount) -> (u32, u32) {
    let OrderCounts { ten_seconds, day } = desk.core.order_counts(account.owner, desk.now);
    (ten_seconds, day)
}

fn limited(per_10s: u32, per_day: u32) -> Desk {
    let mut desk = Desk::open();
    desk.apply(&Command::SetOrderLimits(OrderLimits { per_10s, per_day })).expect("limits");
    desk
}

#[test]
fn an_accepted_order_counts_one_and_the_reply_says_so() {
    let mut desk = Desk::open();
    let placed = desk.rest(ANN, Side::Buy, "1", "99");
    assert_eq!(placed.counts, OrderCounts { ten_seconds: 1, day: 1 });
    desk.place(limit(ANN, Side::Buy, "1", "99.999")).expect_err("off the tick");
    desk.core.check(desk.now, &limit(ANN, Side::Buy, "1", "99")).expect("acceptable");
    assert_eq!(counts(&desk, ANN), (1, 1));
    desk.cancel(ANN, 1).expect("a cancel");
    assert_eq!(counts(&desk, ANN), (1, 1), "a cancel gives nothing back");
    assert_eq!(counts(&desk, BOB), (0, 0));
}

#[test]
fn one_owner_has_one_count_over_its_wallets() {
    let mut desk = limited(2, 100);
    let cross = TradingAccount { wallet: Wallet::Cross, ..ANN };
    desk.fund(cross, "USDT", "1000");
    desk.rest(ANN, Side::Buy, "1", "99");
    desk.rest(cross, Side::Buy, "1", "99");
    assert_eq!(counts(&desk, cross), (2, 2));
    assert!(matches!(desk.place(limit(ANN, Side::Buy, "1", "99")), Err(Refusal::TooManyOrders { .. })));
    desk.rest(BOB, Side::Buy, "1", "99");
}

#[test]
fn the_limit_comes_before_every_other_rule_and_names_its_window() {
    let mut desk = limited(2, 3);
    desk.rest(ANN, Side::Buy, "1", "99");
    desk.rest(ANN, Side::Buy, "1", "99");
    let nonsense = latchkey_exchange::NewOrder { symbol: symbol("NOPEUSDT"), ..market(ANN, Side::Buy, "1") };
    let text = "Too many new orders; current limit is 2 orders per 10 SECOND.";
    check_refused(desk.place(nonsense), RefusalKind::TooManyOrders, text);
    assert_eq!(counts(&desk, ANN), (2, 2), "a refusal counts nothing");

    desk.now = desk.now.plus_millis(TEN_SECONDS - 1);
    check_refused(desk.place(limit(ANN, Side::Buy, "1", "99")), RefusalKind::TooManyOrders, text);
    desk.now = desk.now.plus_millis(1);
    assert_eq!(counts(&desk, ANN), (0, 2));
    desk.rest(ANN, Side::Buy, "1", "99");
    let text = "Too many new orders; current limit is 3 orders per 1 DAY.";
    check_refused(desk.place(limit(ANN, Side::Buy, "1", "99")), RefusalKind::TooManyOrders, text);
    assert_eq!(counts(&desk, ANN), (1, 3), "a full day does not raise the ten seconds");
}

#[test]
fn windows_turn_with_the_clock() {
    let mut desk = Desk::open();
    // 2026-02-14T23:59:59.999Z
    desk.now = latchkey_protocol::Timestamp::from_millis(1_771_113_599_999);
    desk.rest(ANN, Side::Buy, "1", "99");
    assert_eq!(counts(&desk, ANN), (1, 1));
    desk.now = desk.now.plus_millis(1);
    assert_eq!(counts(&desk, ANN), (0, 0));
    desk.rest(ANN, Side::Buy, "1", "99");
    assert_eq!(counts(&desk, ANN), (1, 1));
    desk.now = desk.now.plus_millis(DAY - 1);
    assert_eq!(counts(&desk, ANN), (0, 1));
}

#[test]
fn a_first_fill_as_taker_gives_one_back() {
    let mut desk = Desk::open();
    desk.rest(BOB, Side::Sell, "1", "100");
    desk.rest(BOB, Side::Sell, "1", "101");
    desk.rest(ANN, Side::Buy, "1", "99");
    let placed = desk.rest(ANN, Side::Buy, "2", "101");
    assert_eq!(placed.fills.len(), 2);
    assert_eq!(placed.counts, OrderCounts { ten_seconds: 1, day: 1 }, "one order, one back, whatever the fills");
}

#[test]
fn a_first_fill_as_maker_gives_five_back_and_never_below_zero() {
    let mut desk = Desk::open();
    for _ in 0..7 {
        desk.rest(BOB, Side::Sell, "1", "100");
    }
    assert_eq!(counts(&desk, BOB), (7, 7));
    desk.rest(ANN, Side::Buy, "0.2", "100");
    assert_eq!(counts(&desk, BOB), (2, 2));
    desk.rest(ANN, Side::Buy, "0.2", "100");
    assert_eq!(counts(&desk, BOB), (2, 2), "only the first fill counts");
    desk.rest(ANN, Side::Buy, "1", "100");
    assert_eq!(counts(&desk, BOB), (0, 0));
    desk.now = desk.now.plus_millis(TEN_SECONDS);
    desk.rest(BOB, Side::Sell, "1", "120");
    desk.rest(ANN, Side::Buy, "2", "100");
    assert_eq!(counts(&desk, BOB), (0, 0), "orders of an earlier window lower the running one");
}

#[test]
fn an_order_may_bring_limits_of_its_owners_tier() {
    let mut desk = limited(1, 100);
    desk.rest(ANN, Side::Buy, "1", "99");
    let text = "Too many new orders; current limit is 1 orders per 10 SECOND.";
    check_refused(desk.place(limit(ANN, Side::Buy, "1", "99")), RefusalKind::TooManyOrders, text);
    let within = |per_10s| Command::PlaceWithin {
        order: limit(ANN, Side::Buy, "1", "99"),
        limits: OrderLimits { per_10s, per_day: 100 },
    };
    assert!(matches!(desk.apply(&within(2)), Ok(Reply::Placed(_))));
    assert_eq!(counts(&desk, ANN), (2, 2), "one count, whatever the limit");
    let refused = desk.apply(&within(2));
    assert_eq!(refused, Err(Refusal::TooManyOrders { limit: 2, interval: OrderInterval::TenSeconds }));
}

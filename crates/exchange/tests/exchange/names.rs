//! Order ids and client order ids: how orders are named, found and cancelled.

use latchkey_exchange::spec::SymbolSpec;
use latchkey_exchange::view::OrderName;
use latchkey_exchange::{Cancel, Command, NewOrder, Refusal, RefusalKind, Reply};
use latchkey_protocol::order::{CancelRestrictions, OrderStatus, Side};

use crate::support::*;

fn named(order: NewOrder, text: &str) -> NewOrder {
    NewOrder { client_order_id: Some(name(text)), ..order }
}

fn by(order_id: Option<i64>, client: Option<&str>) -> OrderName {
    OrderName { order_id, client_order_id: client.map(name) }
}

#[test]
fn a_name_is_free_again_once_its_order_is_closed() {
    let mut desk = Desk::open();
    let order = named(limit(ANN, Side::Buy, "1", "99"), "mine");
    desk.place(order).expect("accepted");
    check_refused(desk.place(order), RefusalKind::NewOrderRejected, "Duplicate order sent.");
    desk.place(named(limit(BOB, Side::Buy, "1", "99"), "mine")).expect("another wallet's names are its own");
    desk.cancel(ANN, 1).expect("a cancel");
    desk.place(order).expect("accepted");
    let abc = symbol("ABCUSDT");
    let newest = desk.core.order(ANN, abc, by(None, Some("mine"))).expect("an order");
    assert_eq!(newest.order_id, 3);
    assert_eq!(desk.core.order(ANN, abc, by(Some(1), Some("mine"))).expect("an order").order_id, 1);
}

#[test]
fn names_are_unique_over_symbols_and_found_on_their_own() {
    let mut desk = Desk::open();
    let other = SymbolSpec::from_name(symbol("XYZUSDT"), price("100")).expect("a known quote");
    desk.apply(&Command::AddSymbol(Box::new(other))).expect("a new symbol");
    let here = named(limit(ANN, Side::Buy, "1", "99"), "mine");
    let there = NewOrder { symbol: symbol("XYZUSDT"), ..here };
    desk.place(here).expect("accepted");
    assert_eq!(desk.place(there), Err(Refusal::DuplicateOrder));
    desk.cancel(ANN, 1).expect("a cancel");
    desk.place(there).expect("accepted");
    let found = |of: &str| desk.core.order(ANN, symbol(of), by(None, Some("mine"))).map(|order| order.status);
    assert_eq!(found("ABCUSDT"), Ok(OrderStatus::Canceled));
    assert_eq!(found("XYZUSDT"), Ok(OrderStatus::New));
}

#[test]
fn an_order_without_a_name_gets_one_that_finds_it() {
    let mut desk = Desk::open();
    let first = desk.rest(ANN, Side::Buy, "1", "99").order;
    let second = desk.rest(ANN, Side::Buy, "1", "99").order;
    assert_eq!(first.client_order_id.as_str().len(), 22);
    assert_ne!(first.client_order_id, second.client_order_id);
    let by_name = OrderName { order_id: None, client_order_id: Some(second.client_order_id) };
    assert_eq!(desk.core.order(ANN, symbol("ABCUSDT"), by_name).expect("an order").order_id, 2);
}

#[test]
fn queries_say_why_they_find_nothing() {
    let mut desk = Desk::open();
    desk.place(named(limit(ANN, Side::Buy, "1", "99"), "mine")).expect("accepted");
    let find = |account, of: &str, by| desk.core.order(account, symbol(of), by);
    let none = "Order does not exist.";
    check_refused(find(ANN, "ABCUSDT", by(Some(2), None)), RefusalKind::NoSuchOrder, none);
    check_refused(find(ANN, "ABCUSDT", by(Some(0), None)), RefusalKind::NoSuchOrder, none);
    check_refused(find(ANN, "ABCUSDT", by(Some(i64::MIN), None)), RefusalKind::NoSuchOrder, none);
    check_refused(find(BOB, "ABCUSDT", by(Some(1), None)), RefusalKind::NoSuchOrder, none);
    check_refused(find(ANN, "ABCUSDT", by(None, Some("other"))), RefusalKind::NoSuchOrder, none);
    let mismatch = "Client order ID is not correct for this order ID.";
    check_refused(find(ANN, "ABCUSDT", by(Some(1), Some("other"))), RefusalKind::ClientOrderIdInvalid, mismatch);
    check_refused(find(ANN, "NOPEUSDT", by(Some(1), None)), RefusalKind::BadSymbol, "Invalid symbol.");
    let neither = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!";
    check_refused(find(ANN, "ABCUSDT", by(None, None)), RefusalKind::MandatoryParameter, neither);
}

#[test]
fn a_cancel_has_a_name_of_its_own() {
    let mut desk = Desk::open();
    desk.place(named(limit(ANN, Side::Buy, "1", "99"), "mine")).expect("accepted");
    let command = Cancel {
        order_id: None,
        client_order_id: Some(name("mine")),
        new_client_order_id: Some(name("gone")),
        ..cancel(ANN, 0)
    };
    let Ok(Reply::Cancelled(cancelled)) = desk.apply(&Command::Cancel(command)) else {
        panic!("a cancel");
    };
    assert_eq!((cancelled.order.client_order_id, cancelled.cancel_client_order_id), (name("mine"), name("gone")));
    assert_eq!(cancelled.order.status, OrderStatus::Canceled);
    desk.rest(ANN, Side::Buy, "1", "99");
    let generated = desk.cancel(ANN, 2).expect("a cancel");
    assert_eq!(generated.cancel_client_order_id.as_str().len(), 22);
    assert_ne!(generated.cancel_client_order_id, generated.order.client_order_id);
}

#[test]
fn cancels_that_cannot_be_are_refused() {
    let mut desk = Desk::open();
    desk.rest(BOB, Side::Sell, "1", "100");
    desk.rest(ANN, Side::Buy, "2", "100");
    let unknown = "Unknown order sent.";
    check_refused(desk.cancel(BOB, 1), RefusalKind::CancelRejected, unknown);
    check_refused(desk.cancel(BOB, 2), RefusalKind::CancelRejected, unknown);
    check_refused(desk.cancel(ANN, 9), RefusalKind::CancelRejected, unknown);
    let restricted =
        |order_id, restrictions| Command::Cancel(Cancel { restrictions: Some(restrictions), ..cancel(ANN, order_id) });
    let text = "Order was not canceled due to cancel restrictions.";
    let only_new = desk.apply(&restricted(2, CancelRestrictions::OnlyNew));
    check_refused(only_new, RefusalKind::CancelRejected, text);
    desk.rest(ANN, Side::Buy, "1", "90");
    let only_partial = desk.apply(&restricted(3, CancelRestrictions::OnlyPartiallyFilled));
    check_refused(only_partial, RefusalKind::CancelRejected, text);
    desk.apply(&restricted(3, CancelRestrictions::OnlyNew)).expect("a cancel");
    desk.apply(&restricted(2, CancelRestrictions::OnlyPartiallyFilled)).expect("a cancel");
    check_refused(desk.cancel(ANN, 2), RefusalKind::CancelRejected, unknown);
}

#[test]
fn cancel_all_takes_one_symbol_and_needs_something_open() {
    let mut desk = Desk::open();
    let all = |of: &str| Command::CancelAll { account: ANN, symbol: symbol(of) };
    check_refused(desk.apply(&all("ABCUSDT")), RefusalKind::CancelRejected, "Unknown order sent.");
    check_refused(desk.apply(&all("NOPEUSDT")), RefusalKind::BadSymbol, "Invalid symbol.");
    for at in ["99", "98", "97"] {
        desk.rest(ANN, Side::Buy, "1", at);
    }
    desk.rest(BOB, Side::Buy, "1", "96");
    desk.cancel(ANN, 2).expect("a cancel");
    let Ok(Reply::CancelledAll(cancelled)) = desk.apply(&all("ABCUSDT")) else {
        panic!("a cancel");
    };
    assert_eq!(cancelled.iter().map(|c| c.order.order_id).collect::<Vec<_>>(), [1, 3]);
    desk.check_purse(ANN, "USDT", "100000", "0");
    assert_eq!(desk.levels(Side::Buy), [(price("96"), amount("1"))]);
}

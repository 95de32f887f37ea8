//! Each filter with a row that passes and rows that do not.

use latchkey_exchange::spec::{Filters, LotSize, MinNotional, Notional, PercentPrice, PercentPriceBySide, SymbolSpec};
use latchkey_exchange::{Command, MarketSettings, NewOrder, RefusalKind};
use latchkey_protocol::Quantity;
use latchkey_protocol::order::Side;

use crate::support::*;

fn spec(change: impl FnOnce(&mut Filters)) -> SymbolSpec {
    let mut spec = plain_symbol();
    change(&mut spec.filters);
    spec
}

/// `good` must pass and every one of `bad` must fail in this filter's name.
#[track_caller]
fn check(spec: SymbolSpec, filter: &str, good: &[NewOrder], bad: &[NewOrder]) {
    let mut desk = Desk::with(spec);
    let text = format!("Filter failure: {filter}");
    for order in bad {
        check_refused(desk.core.check(desk.now, order).map(|_| ()), RefusalKind::InvalidMessage, &text);
        check_refused(desk.place(*order), RefusalKind::InvalidMessage, &text);
    }
    for order in good {
        assert!(desk.core.check(desk.now, order).is_ok(), "{filter}: {:?}", desk.core.check(desk.now, order));
    }
}

fn buy(much: &str, at: &str) -> NewOrder {
    limit(ANN, Side::Buy, much, at)
}

fn sell(much: &str, at: &str) -> NewOrder {
    limit(ANN, Side::Sell, much, at)
}

#[test]
fn price_filter() {
    let bounded = spec(|f| {
        f.price.min = price("90");
        f.price.max = price("110");
    });
    let good = [buy("1", "90"), buy("1", "110"), maker_only(ANN, Side::Buy, "1", "99.99")];
    let bad = [buy("1", "89.99"), buy("1", "110.01"), buy("1", "99.999"), maker_only(ANN, Side::Buy, "1", "1")];
    check(bounded, "PRICE_FILTER", &good, &bad);
    let open = spec(|f| {
        f.price.max = price("0");
        f.percent_price_by_side = None;
    });
    check(open, "PRICE_FILTER", &[buy("0.001", "99999")], &[buy("1", "99.999")]);
}

#[test]
fn percent_price() {
    let filter = PercentPrice { up: price("1.1"), down: price("0.9"), average_minutes: 5 };
    let spec = spec(|f| f.percent_price = Some(filter));
    check(spec, "PERCENT_PRICE", &[buy("1", "110"), sell("1", "90")], &[buy("1", "110.01"), sell("1", "89.99")]);
}

#[test]
fn percent_price_by_side() {
    let filter = PercentPriceBySide {
        bid_up: price("1.1"),
        bid_down: price("0.9"),
        ask_up: price("1.2"),
        ask_down: price("0.8"),
        average_minutes: 5,
    };
    let spec = spec(|f| f.percent_price_by_side = Some(filter));
    let good = [buy("1", "110"), buy("1", "90"), sell("1", "120"), sell("1", "80")];
    let bad = [buy("1", "110.01"), buy("1", "89.99"), sell("1", "120.01"), sell("1", "79.99")];
    check(spec, "PERCENT_PRICE_BY_SIDE", &good, &bad);
}

#[test]
fn percent_price_follows_the_average_of_its_minutes() {
    let filter = PercentPrice { up: price("1.1"), down: price("0.9"), average_minutes: 5 };
    let mut desk = Desk::with(spec(|f| f.percent_price = Some(filter)));
    // One unit at 100 and three at 108: the average is 106, the band 95.4 to 116.6.
    desk.rest(BOB, Side::Sell, "1", "100");
    desk.rest(BOB, Side::Sell, "3", "108");
    desk.place(market(ANN, Side::Buy, "4")).expect("accepted");
    assert_eq!(desk.core.average_price(symbol("ABCUSDT"), desk.now).expect("a symbol").price, price("106"));
    assert!(desk.core.check(desk.now, &buy("1", "116.6")).is_ok());
    let text = "Filter failure: PERCENT_PRICE";
    check_refused(desk.core.check(desk.now, &buy("1", "116.61")), RefusalKind::InvalidMessage, text);
    check_refused(desk.core.check(desk.now, &buy("1", "95.39")), RefusalKind::InvalidMessage, text);
    // Minutes later only the last price is left: 108.
    let later = desk.now.plus_millis(10 * 60_000);
    assert!(desk.core.check(later, &buy("1", "118.8")).is_ok());
    check_refused(desk.core.check(later, &buy("1", "118.81")), RefusalKind::InvalidMessage, text);
}

#[test]
fn lot_size() {
    let lot = LotSize { min: quantity("0.5"), max: quantity("10"), step: quantity("0.001") };
    let good = [buy("0.5", "99"), buy("10", "99"), buy("0.501", "99"), market(ANN, Side::Sell, "10")];
    let bad = [buy("0.499", "99"), buy("10.001", "99"), buy("0.5005", "99"), market(ANN, Side::Sell, "10.001")];
    check(spec(|f| f.lot_size = lot), "LOT_SIZE", &good, &bad);
}

#[test]
fn market_lot_size() {
    let lot = LotSize { min: quantity("1"), max: quantity("5"), step: Quantity::ZERO };
    let good = [market(ANN, Side::Sell, "1"), market(ANN, Side::Sell, "5"), market(ANN, Side::Sell, "1.001")];
    let bad = [market(ANN, Side::Sell, "0.999"), market(ANN, Side::Sell, "5.001")];
    check(spec(|f| f.market_lot_size = Some(lot)), "MARKET_LOT_SIZE", &good, &bad);
    let stepped = LotSize { step: quantity("0.5"), ..lot };
    let good = [market(ANN, Side::Sell, "1.5"), buy("0.6", "99")];
    check(spec(|f| f.market_lot_size = Some(stepped)), "MARKET_LOT_SIZE", &good, &[market(ANN, Side::Sell, "1.6")]);
}

#[test]
fn min_notional() {
    let filter = |apply_to_market| MinNotional { min: amount("50"), apply_to_market, average_minutes: 5 };
    let with = |apply| {
        spec(|f| {
            f.min_notional = Some(filter(apply));
            f.notional = None;
        })
    };
    let good = [buy("1", "50"), market(ANN, Side::Sell, "0.5")];
    check(with(true), "MIN_NOTIONAL", &good, &[buy("0.999", "50"), market(ANN, Side::Sell, "0.499")]);
    check(with(false), "MIN_NOTIONAL", &[market(ANN, Side::Sell, "0.001")], &[buy("0.999", "50")]);
}

#[test]
fn notional() {
    let filter = |to_market| Notional {
        min: amount("50"),
        apply_min_to_market: to_market,
        max: amount("500"),
        apply_max_to_market: to_market,
        average_minutes: 5,
    };
    let with = |to_market| spec(|f| f.notional = Some(filter(to_market)));
    let good = [buy("0.5", "100"), buy("5", "100"), market(ANN, Side::Sell, "5")];
    let bad =
        [buy("0.499", "100"), buy("5.001", "100"), market(ANN, Side::Sell, "0.499"), market(ANN, Side::Sell, "5.001")];
    check(with(true), "NOTIONAL", &good, &bad);
    let good = [market(ANN, Side::Sell, "0.001"), market(ANN, Side::Sell, "6")];
    check(with(false), "NOTIONAL", &good, &[buy("5.001", "100")]);
    // An order by quote quantity is worth that amount.
    let mut desk = Desk::with(with(true));
    desk.rest(BOB, Side::Sell, "5", "100");
    assert!(desk.core.check(desk.now, &by_quote(ANN, Side::Buy, "50")).is_ok());
    let small = desk.core.check(desk.now, &by_quote(ANN, Side::Buy, "49.9"));
    check_refused(small, RefusalKind::InvalidMessage, "Filter failure: NOTIONAL");
}

#[test]
fn max_num_orders() {
    let mut desk = Desk::with(spec(|f| f.max_num_orders = Some(2)));
    let first = desk.rest(ANN, Side::Buy, "1", "99").order.order_id;
    desk.rest(ANN, Side::Buy, "1", "98");
    let third = desk.place(buy("1", "97"));
    check_refused(third, RefusalKind::InvalidMessage, "Filter failure: MAX_NUM_ORDERS");
    desk.rest(BOB, Side::Buy, "1", "97");
    desk.cancel(ANN, first).expect("a cancel");
    desk.rest(ANN, Side::Buy, "1", "97");
}

#[test]
fn exchange_max_num_orders_counts_all_symbols() {
    let other = SymbolSpec::from_name(symbol("XYZUSDT"), price("100")).expect("a known quote");
    let symbols = vec![plain_symbol(), other];
    let settings = MarketSettings { symbols, exchange_max_num_orders: Some(2), ..MarketSettings::empty() };
    let mut desk = Desk::bare(settings);
    desk.fund(ANN, "USDT", "1000");
    desk.rest(ANN, Side::Buy, "1", "99");
    desk.place(NewOrder { symbol: symbol("XYZUSDT"), ..buy("1", "99") }).expect("accepted");
    let third = desk.place(buy("1", "97"));
    check_refused(third, RefusalKind::InvalidMessage, "Filter failure: EXCHANGE_MAX_NUM_ORDERS");
    let all = Command::CancelAll { account: ANN, symbol: symbol("XYZUSDT") };
    desk.apply(&all).expect("a cancel");
    desk.rest(ANN, Side::Buy, "1", "97");
}

#[test]
fn max_position() {
    let mut desk = Desk::with(spec(|f| f.max_position = Some(amount("1010"))));
    // Ann has 1000, of which 5 are held by a sell order.
    desk.rest(ANN, Side::Sell, "5", "101");
    desk.rest(ANN, Side::Buy, "4", "99");
    assert!(desk.core.check(desk.now, &buy("6", "99")).is_ok());
    let over = desk.place(buy("6.001", "99"));
    check_refused(over, RefusalKind::InvalidMessage, "Filter failure: MAX_POSITION");
    assert!(desk.core.check(desk.now, &sell("900", "101")).is_ok());
}

#[test]
fn the_first_filter_in_the_sequence_names_the_failure() {
    let mut desk = Desk::with(spec(|f| f.max_num_orders = Some(0)));
    let rows = [
        (buy("0.0001", "99.999"), "PRICE_FILTER"),
        (buy("0.0001", "501"), "PERCENT_PRICE_BY_SIDE"),
        (buy("0.0001", "99"), "LOT_SIZE"),
        (buy("0.001", "99"), "NOTIONAL"),
        (buy("5000", "99"), "MAX_NUM_ORDERS"),
    ];
    for (order, filter) in rows {
        check_refused(desk.place(order), RefusalKind::InvalidMessage, &format!("Filter failure: {filter}"));
    }
}

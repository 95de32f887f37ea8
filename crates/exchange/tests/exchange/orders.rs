//! What each order type does, and which parameters it takes.

use latchkey_exchange::spec::LotSize;
use latchkey_exchange::{Command, NewOrder, RefusalKind};
use latchkey_protocol::order::{ExpiryReason, OrderStatus, OrderType, Side, SymbolStatus, TimeInForce};
use latchkey_protocol::{Amount, Quantity};

use crate::support::*;

fn with_force(order: NewOrder, force: TimeInForce) -> NewOrder {
    NewOrder { time_in_force: Some(force), ..order }
}

#[test]
fn a_limit_order_rests_and_holds_what_it_may_spend() {
    let mut desk = Desk::open();
    let buy = desk.rest(ANN, Side::Buy, "2", "99.5");
    check_status(&buy.order, OrderStatus::New, "0");
    assert_eq!((buy.order.order_id, buy.fills.len()), (1, 0));
    desk.check_purse(ANN, "USDT", "99801", "199");
    desk.rest(BOB, Side::Sell, "3", "100.5");
    desk.check_purse(BOB, "ABC", "997", "3");
    assert_eq!(desk.levels(Side::Buy), [(price("99.5"), amount("2"))]);
    assert_eq!(desk.levels(Side::Sell), [(price("100.5"), amount("3"))]);

    desk.cancel(ANN, 1).expect("a cancel");
    desk.check_purse(ANN, "USDT", "100000", "0");
    assert_eq!(desk.order(ANN, 1).status, OrderStatus::Canceled);
}

#[test]
fn a_taker_pays_the_makers_price_and_both_pay_from_what_they_receive() {
    let mut desk = Desk::open();
    desk.rest(BOB, Side::Sell, "1", "100");
    desk.rest(BOB, Side::Sell, "1", "101");
    let placed = desk.rest(ANN, Side::Buy, "3", "102");
    check_status(&placed.order, OrderStatus::PartiallyFilled, "2");
    assert_eq!(placed.order.cumulative_quote_quantity, amount("201"));
    let fills: Vec<_> = placed.fills.iter().map(|f| (f.price, f.quantity, f.commission, f.trade_id)).collect();
    assert_eq!(
        fills,
        [(price("100"), quantity("1"), amount("0.001"), 1), (price("101"), quantity("1"), amount("0.001"), 2),]
    );
    assert!(placed.fills.iter().all(|fill| fill.commission_asset == asset("ABC")));
    // Spent 201, holds 102 for the rest; received 2 less 0.1 %.
    desk.check_purse(ANN, "USDT", "99697", "102");
    desk.check_purse(ANN, "ABC", "1001.998", "0");
    desk.check_purse(BOB, "USDT", "100200.799", "0");
    desk.check_purse(BOB, "ABC", "998", "0");
    check_status(&desk.order(BOB, 1), OrderStatus::Filled, "1");
    desk.check_sums();

    // A later seller meets the rest at Ann's price, better than its own.
    let seller = desk.rest(BOB, Side::Sell, "0.4", "90");
    assert_eq!(seller.fills.iter().map(|f| f.price).collect::<Vec<_>>(), [price("102")]);
    desk.check_purse(ANN, "USDT", "99697", "61.2");
    desk.check_sums();
}

#[test]
fn equal_prices_trade_in_order_of_arrival() {
    let mut desk = Desk::open();
    desk.rest(BOB, Side::Sell, "1", "100");
    desk.rest(ANN, Side::Sell, "1", "100");
    desk.rest(BOB, Side::Sell, "1", "100");
    let cross = latchkey_protocol::TradingAccount { wallet: latchkey_protocol::Wallet::Cross, ..ANN };
    desk.fund(cross, "USDT", "1000");
    desk.rest(cross, Side::Buy, "1.5", "100");
    check_status(&desk.order(BOB, 1), OrderStatus::Filled, "1");
    check_status(&desk.order(ANN, 2), OrderStatus::PartiallyFilled, "0.5");
    check_status(&desk.order(BOB, 3), OrderStatus::New, "0");
}

#[test]
fn immediate_or_cancel_expires_its_rest() {
    let mut desk = Desk::open();
    desk.rest(BOB, Side::Sell, "1", "100");
    let placed = desk.place(with_force(limit(ANN, Side::Buy, "3", "100"), TimeInForce::Ioc)).expect("accepted");
    check_status(&placed.order, OrderStatus::Expired, "1");
    assert_eq!(placed.order.expiry_reason, Some(ExpiryReason::UnfilledIocQuantityExpired));
    desk.check_purse(ANN, "USDT", "99900", "0");
    assert!(desk.levels(Side::Buy).is_empty());
}

#[test]
fn fill_or_kill_fills_whole_or_not_at_all() {
    let mut desk = Desk::open();
    desk.rest(BOB, Side::Sell, "1", "100");
    desk.rest(BOB, Side::Sell, "1", "101");
    let fok = |much, at| with_force(limit(ANN, Side::Buy, much, at), TimeInForce::Fok);
    for (much, at) in [("2.001", "101"), ("2", "100.99")] {
        let killed = desk.place(fok(much, at)).expect("accepted");
        check_status(&killed.order, OrderStatus::Expired, "0");
        assert_eq!(killed.order.expiry_reason, Some(ExpiryReason::UnfilledFokOrderExpired));
        desk.check_purse(ANN, "USDT", "100000", "0");
    }
    let filled = desk.place(fok("2", "101")).expect("accepted");
    check_status(&filled.order, OrderStatus::Filled, "2");
    desk.check_purse(ANN, "USDT", "99799", "0");
}

#[test]
fn a_market_order_takes_what_there_is() {
    let mut desk = Desk::open();
    desk.rest(BOB, Side::Sell, "1", "100");
    desk.rest(BOB, Side::Sell, "1", "110");
    let placed = desk.place(market(ANN, Side::Buy, "1.5")).expect("accepted");
    check_status(&placed.order, OrderStatus::Filled, "1.5");
    assert_eq!(placed.order.cumulative_quote_quantity, amount("155"));
    assert_eq!((placed.order.time_in_force, placed.order.price), (TimeInForce::Gtc, price("0")));

    let dry = desk.place(market(ANN, Side::Buy, "2")).expect("accepted");
    check_status(&dry.order, OrderStatus::Expired, "0.5");
    assert_eq!(dry.order.expiry_reason, Some(ExpiryReason::InsufficientLiquidity));

    let empty = desk.place(market(ANN, Side::Sell, "1")).expect("accepted");
    check_status(&empty.order, OrderStatus::Expired, "0");
}

#[test]
fn a_market_order_needs_exactly_what_its_walk_costs() {
    let mut desk = Desk::open();
    desk.rest(BOB, Side::Sell, "500", "100");
    desk.rest(BOB, Side::Sell, "500", "101");
    let refused = desk.place(market(ANN, Side::Buy, "996"));
    check_refused(refused, RefusalKind::NewOrderRejected, "Account has insufficient balance for requested action.");
    desk.place(market(ANN, Side::Buy, "995")).expect("500 × 100 + 495 × 101 = 99995");
    desk.check_purse(ANN, "USDT", "5", "0");
    let too_much = desk.place(market(BOB, Side::Sell, "1"));
    check_refused(too_much, RefusalKind::NewOrderRejected, "Account has insufficient balance for requested action.");
}

#[test]
fn a_market_order_by_quote_spends_as_near_as_steps_allow() {
    let mut desk = Desk::open();
    desk.rest(BOB, Side::Sell, "1", "100");
    desk.rest(BOB, Side::Sell, "1", "110");
    // 100 for the first, then 0.454 × 110 = 49.94; one more step would cost 0.11.
    let bought = desk.place(by_quote(ANN, Side::Buy, "150")).expect("accepted");
    check_status(&bought.order, OrderStatus::Filled, "1.454");
    assert_eq!(bought.order.cumulative_quote_quantity, amount("149.94"));
    assert_eq!(bought.order.original_quote_quantity, amount("150"));
    assert_eq!(bought.order.original_quantity, quantity("1.454"));

    desk.rest(BOB, Side::Buy, "1", "90");
    let sold = desk.place(by_quote(ANN, Side::Sell, "45.05")).expect("accepted");
    check_status(&sold.order, OrderStatus::Filled, "0.5");
    assert_eq!(sold.order.cumulative_quote_quantity, amount("45"));

    let dry = desk.place(by_quote(ANN, Side::Sell, "1000")).expect("accepted");
    check_status(&dry.order, OrderStatus::Expired, "0.5");
    assert_eq!(dry.order.expiry_reason, Some(ExpiryReason::InsufficientLiquidity));
    desk.check_sums();
}

#[test]
fn a_market_order_by_quote_is_refused_below_the_lot() {
    let mut desk = Desk::open();
    let thin = "Order book liquidity is less than `LOT_SIZE` filter minimum quantity.";
    check_refused(desk.place(by_quote(ANN, Side::Buy, "50")), RefusalKind::NewOrderRejected, thin);
    desk.rest(BOB, Side::Sell, "1", "100");
    let small = desk.place(by_quote(ANN, Side::Buy, "0.05"));
    check_refused(small, RefusalKind::InvalidMessage, "Filter failure: LOT_SIZE");
    let broke = desk.place(by_quote(ANN, Side::Buy, "100001"));
    check_refused(broke, RefusalKind::NewOrderRejected, "Account has insufficient balance for requested action.");

    let mut spec = plain_symbol();
    let lot = LotSize { min: quantity("2"), max: quantity("100"), step: Quantity::ZERO };
    spec.filters.market_lot_size = Some(lot);
    let mut desk = Desk::with(spec);
    desk.rest(BOB, Side::Sell, "1", "100");
    let thin = "Order book liquidity is less than `MARKET_LOT_SIZE` filter minimum quantity.";
    check_refused(desk.place(by_quote(ANN, Side::Buy, "500")), RefusalKind::NewOrderRejected, thin);
}

#[test]
fn a_maker_only_order_never_takes() {
    let mut desk = Desk::open();
    desk.rest(BOB, Side::Sell, "1", "100");
    let text = "Order would immediately match and take.";
    let crossing = desk.place(maker_only(ANN, Side::Buy, "1", "100"));
    check_refused(crossing, RefusalKind::NewOrderRejected, text);
    let placed = desk.place(maker_only(ANN, Side::Buy, "1", "99.99")).expect("accepted");
    check_status(&placed.order, OrderStatus::New, "0");
    assert_eq!((placed.order.order_type, placed.order.time_in_force), (OrderType::LimitMaker, TimeInForce::Gtc));
    check_refused(desk.place(maker_only(BOB, Side::Sell, "1", "99.99")), RefusalKind::NewOrderRejected, text);
}

#[test]
fn parameters_that_are_missing_or_too_many_are_named() {
    let full = limit(ANN, Side::Buy, "1", "99");
    let bare = market(ANN, Side::Buy, "1");
    let maker = maker_only(ANN, Side::Buy, "1", "99");
    let missing = |name: &str| format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
    let needless = |name: &str| format!("Parameter '{name}' sent when not required.");
    let (lacks, extra, invalid) =
        (RefusalKind::MandatoryParameter, RefusalKind::ParameterNotRequired, RefusalKind::InvalidMessage);
    let rows = [
        (NewOrder { time_in_force: None, ..full }, lacks, missing("timeInForce")),
        (NewOrder { quantity: None, ..full }, lacks, missing("quantity")),
        (NewOrder { price: None, ..full }, lacks, missing("price")),
        (NewOrder { price: None, ..maker }, lacks, missing("price")),
        (
            NewOrder { quantity: None, ..bare },
            lacks,
            "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!".into(),
        ),
        (NewOrder { quote_order_quantity: Some(amount("1")), ..full }, extra, needless("quoteOrderQty")),
        (NewOrder { quote_order_quantity: Some(amount("1")), ..bare }, extra, needless("quoteOrderQty")),
        (NewOrder { stop_price: Some(price("1")), ..full }, extra, needless("stopPrice")),
        (NewOrder { trailing_delta: Some(10), ..full }, extra, needless("trailingDelta")),
        (NewOrder { price: Some(price("1")), ..bare }, extra, needless("price")),
        (NewOrder { time_in_force: Some(TimeInForce::Ioc), ..bare }, extra, needless("timeInForce")),
        (NewOrder { iceberg_quantity: Some(quantity("1")), ..bare }, extra, needless("icebergQty")),
        (NewOrder { time_in_force: Some(TimeInForce::Gtc), ..maker }, extra, needless("timeInForce")),
        (NewOrder { quantity: Some(Quantity::ZERO), ..full }, invalid, "Invalid quantity.".into()),
        (NewOrder { price: Some(price("0")), ..full }, invalid, "Invalid price.".into()),
        (
            NewOrder { quantity: None, quote_order_quantity: Some(Amount::ZERO), ..bare },
            invalid,
            "Invalid quote order qty.".into(),
        ),
        (
            NewOrder { strategy_type: Some(999_999), ..full },
            RefusalKind::BadStrategyType,
            "'strategyType' was less than 1000000.".into(),
        ),
    ];
    let mut desk = Desk::open();
    for (order, kind, text) in rows {
        check_refused(desk.place(order), kind, &text);
    }
    let tagged = NewOrder { strategy_id: Some(7), strategy_type: Some(1_000_000), ..full };
    let placed = desk.place(tagged).expect("accepted");
    assert_eq!((placed.order.strategy_id, placed.order.strategy_type), (Some(7), Some(1_000_000)));
}

#[test]
fn what_the_symbol_does_not_take_is_refused_in_the_contracts_words() {
    let mut desk = Desk::open();
    let unsupported = |what: &str| format!("{what} orders are not supported for this symbol.");
    let kinds = [
        (OrderType::StopLoss, "Stop loss"),
        (OrderType::StopLossLimit, "Stop loss limit"),
        (OrderType::TakeProfit, "Take profit"),
        (OrderType::TakeProfitLimit, "Take profit limit"),
    ];
    for (kind, words) in kinds {
        let order = NewOrder { order_type: kind, ..limit(ANN, Side::Buy, "1", "99") };
        check_refused(desk.place(order), RefusalKind::NewOrderRejected, &unsupported(words));
    }
    let iceberg = NewOrder { iceberg_quantity: Some(quantity("0.1")), ..limit(ANN, Side::Buy, "1", "99") };
    check_refused(desk.place(iceberg), RefusalKind::NewOrderRejected, &unsupported("Iceberg"));

    let mut spec = plain_symbol();
    spec.order_types.retain(|kind| *kind != OrderType::Market);
    spec.features.quote_order_quantity_market = false;
    let mut desk = Desk::with(spec.clone());
    check_refused(desk.place(market(ANN, Side::Buy, "1")), RefusalKind::NewOrderRejected, &unsupported("Market"));
    spec.order_types.push(OrderType::Market);
    let mut desk = Desk::with(spec);
    let text = "Quote order qty market orders are not support for this symbol.";
    check_refused(desk.place(by_quote(ANN, Side::Buy, "50")), RefusalKind::NewOrderRejected, text);

    let elsewhere = NewOrder { symbol: symbol("NOPEUSDT"), ..market(ANN, Side::Buy, "1") };
    check_refused(desk.place(elsewhere), RefusalKind::BadSymbol, "Invalid symbol.");
}

#[test]
fn a_closed_market_takes_no_orders_but_lets_them_go() {
    let mut desk = Desk::open();
    let order = desk.rest(ANN, Side::Buy, "1", "99").order.order_id;
    for status in SymbolStatus::ALL.iter().copied().filter(|status| *status != SymbolStatus::Trading) {
        desk.apply(&Command::SetSymbolStatus { symbol: symbol("ABCUSDT"), status }).expect("a status");
        let refused = desk.place(limit(ANN, Side::Buy, "1", "99"));
        check_refused(refused, RefusalKind::NewOrderRejected, "Market is closed.");
    }
    desk.cancel(ANN, order).expect("a cancel");
}

#[test]
fn an_order_test_judges_without_effect() {
    let mut desk = Desk::open();
    let before = desk.core.state_hash();
    let rates = desk.core.check(desk.now, &limit(ANN, Side::Buy, "1", "99")).expect("acceptable");
    assert_eq!(rates.commission.taker.to_string(), "0.00100000");
    let refused = desk.core.check(desk.now, &limit(ANN, Side::Buy, "10000", "99"));
    check_refused(refused, RefusalKind::NewOrderRejected, "Account has insufficient balance for requested action.");
    assert_eq!(desk.core.state_hash(), before);
    desk.rest(ANN, Side::Buy, "1", "99");
    assert_ne!(desk.core.state_hash(), before);
}

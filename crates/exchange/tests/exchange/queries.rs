//! Histories, tickers and candles.

use latchkey_exchange::view::{Interval, Page};
use latchkey_protocol::order::Side;
use latchkey_protocol::{Amount, Symbol, Timestamp};

use crate::support::*;

fn abc() -> Symbol {
    symbol("ABCUSDT")
}

/// Orders 1 to 5 of Ann, one second apart from [`NOON`].
fn desk_with_history() -> Desk {
    let mut desk = Desk::open();
    for _ in 0..5 {
        desk.rest(ANN, Side::Buy, "1", "99");
        desk.now = desk.now.plus_millis(1_000);
    }
    desk
}

#[test]
fn order_history_pages_by_id_and_time() {
    let desk = desk_with_history();
    let at = |seconds: i64| Some(Timestamp::from_micros(NOON + seconds * 1_000_000));
    let ids = |page: Page| {
        let orders = desk.core.all_orders(ANN, abc(), page).expect("a symbol");
        orders.iter().map(|order| order.order_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(ALL), [1, 2, 3, 4, 5]);
    assert_eq!(ids(Page { limit: 2, ..ALL }), [4, 5]);
    assert_eq!(ids(Page { from: Some(2), limit: 2, ..ALL }), [2, 3]);
    assert_eq!(ids(Page { start: at(1), limit: 2, ..ALL }), [2, 3]);
    assert_eq!(ids(Page { end: at(2), limit: 2, ..ALL }), [2, 3]);
    assert_eq!(ids(Page { start: at(1), end: at(1), ..ALL }), [2]);
    assert_eq!(ids(Page { start: at(4), end: at(1), ..ALL }), [0; 0]);
    assert_eq!(desk.core.all_orders(BOB, abc(), ALL).expect("a symbol"), []);
    assert_eq!(desk.core.open_orders(ANN, None).expect("no symbol").len(), 5);
}

#[test]
fn both_sides_of_a_trade_see_their_own_row() {
    let mut desk = Desk::open();
    desk.rest(BOB, Side::Sell, "1", "100");
    desk.rest(BOB, Side::Sell, "1", "101");
    desk.rest(ANN, Side::Buy, "0.5", "100");
    desk.rest(ANN, Side::Buy, "1", "101");
    let rows = |account, order| {
        let trades = desk.core.my_trades(account, abc(), order, ALL).expect("a symbol");
        trades.iter().map(|t| (t.id, t.order_id, t.is_buyer, t.is_maker)).collect::<Vec<_>>()
    };
    assert_eq!(rows(ANN, None), [(1, 3, true, false), (2, 4, true, false), (3, 4, true, false)]);
    assert_eq!(rows(BOB, None), [(1, 1, false, true), (2, 1, false, true), (3, 2, false, true)]);
    assert_eq!(rows(BOB, Some(1)), [(1, 1, false, true), (2, 1, false, true)]);
    assert_eq!(rows(BOB, Some(4)), []);
    assert_eq!(rows(BOB, Some(99)), []);
    let of_first = |page| {
        let trades = desk.core.my_trades(BOB, abc(), Some(1), page).expect("a symbol");
        trades.iter().map(|t| t.id).collect::<Vec<_>>()
    };
    assert_eq!(of_first(Page { limit: 1, ..ALL }), [1], "the first of one order");
    assert_eq!(of_first(Page { from: Some(2), ..ALL }), [2]);
    assert_eq!(of_first(Page { start: Some(desk.now), end: Some(desk.now), ..ALL }), [1, 2]);
    assert_eq!(of_first(Page { start: Some(desk.now.plus_millis(1)), ..ALL }), []);
    assert_eq!(rows(ANN, Some(1)), [], "an order of another");
    let restored = latchkey_exchange::Core::restore(&desk.core.snapshot()).expect("a snapshot");
    assert_eq!(restored.my_trades(BOB, abc(), Some(1), ALL), desk.core.my_trades(BOB, abc(), Some(1), ALL));
    let one = desk.core.my_trades(BOB, abc(), None, Page { from: Some(2), limit: 1, ..ALL }).expect("a symbol");
    let [row] = one.as_slice() else { panic!("one row") };
    assert_eq!((row.id, row.quote_quantity, row.commission), (2, amount("50"), amount("0.05")));
    assert_eq!(row.commission_asset, asset("USDT"));
}

#[test]
fn the_public_tape_shows_who_took() {
    let mut desk = Desk::open();
    desk.rest(BOB, Side::Sell, "1", "100");
    desk.rest(ANN, Side::Buy, "2", "100");
    desk.rest(BOB, Side::Sell, "1", "100");
    let trades = desk.core.recent_trades(abc(), 10).expect("a symbol");
    assert_eq!(trades.iter().map(|t| (t.id, t.is_buyer_maker)).collect::<Vec<_>>(), [(1, false), (2, true)]);
    assert_eq!(desk.core.historical_trades(abc(), Some(2), 10).expect("a symbol").len(), 1);
    assert_eq!(desk.core.agg_trades(abc(), ALL).expect("a symbol").len(), 2);
    assert_eq!(desk.core.recent_trades(symbol("NOPE"), 10), None);
}

#[test]
fn the_book_counter_rises_with_each_change() {
    let mut desk = Desk::open();
    let update = |desk: &Desk| desk.core.depth(abc(), 1).expect("a symbol").last_update_id;
    assert_eq!(update(&desk), 0);
    desk.rest(BOB, Side::Sell, "1", "100");
    desk.rest(BOB, Side::Sell, "1", "101");
    assert_eq!(update(&desk), 2);
    desk.rest(ANN, Side::Buy, "1.5", "101");
    assert_eq!(update(&desk), 4);
    desk.cancel(BOB, 2).expect("a cancel");
    assert_eq!(update(&desk), 5);
    desk.cancel(BOB, 2).expect_err("closed");
    assert_eq!(update(&desk), 5);
}

#[test]
fn tickers_cover_the_day() {
    let mut desk = Desk::open();
    let before = desk.core.ticker_24h(abc(), desk.now).expect("a symbol");
    assert_eq!((before.count, before.first_id, before.volume), (0, -1, Amount::ZERO));
    assert_eq!(desk.core.ticker_price(abc()), Some(price("100")), "the start price before any trade");

    desk.rest(BOB, Side::Sell, "1", "90");
    desk.rest(ANN, Side::Buy, "1", "90");
    desk.now = desk.now.plus_millis(25 * 3_600_000);
    for at in ["100", "110", "105"] {
        desk.rest(BOB, Side::Sell, "1", at);
        desk.rest(ANN, Side::Buy, "1", at);
    }
    let day = desk.core.ticker_24h(abc(), desk.now).expect("a symbol");
    assert_eq!((day.open_price, day.high_price, day.low_price), (price("100"), price("110"), price("100")));
    assert_eq!((day.last_price, day.previous_close_price), (price("105"), price("90")));
    assert_eq!((day.price_change, day.price_change_percent_thousandths), (amount("5"), 5_000));
    assert_eq!((day.volume, day.quote_volume, day.weighted_average_price), (amount("3"), amount("315"), price("105")));
    assert_eq!((day.first_id, day.last_id, day.count), (2, 4, 3));

    desk.rest(BOB, Side::Buy, "2", "104");
    let book = desk.core.book_ticker(abc()).expect("a symbol");
    assert_eq!((book.bid_price, book.bid_quantity), (price("104"), amount("2")));
    assert_eq!((book.ask_price, book.ask_quantity), (price("0"), Amount::ZERO));
}

#[test]
fn candles_of_every_interval_hold_every_trade() {
    let mut desk = Desk::open();
    for _ in 0..30 {
        desk.rest(BOB, Side::Sell, "1", "100");
        desk.rest(ANN, Side::Buy, "1", "100");
        desk.now = desk.now.plus_millis(61_000);
    }
    for (interval, text) in Interval::ALL {
        assert_eq!(Interval::parse(text), Some(interval));
        let rows = desk.core.klines(abc(), interval, None, None, 5_000, desk.now).expect("a symbol");
        assert_eq!(rows.iter().map(|row| row.trades).sum::<i64>(), 30, "{text}");
        assert!(rows.windows(2).all(|pair| pair[0].close_time.plus_millis(1) == pair[1].open_time), "{text}");
    }
    assert_eq!(Interval::parse("1H"), None);
    assert_eq!(Interval::parse("2d"), None);
}

#[test]
fn a_wallet_knows_when_it_was_opened_and_changed() {
    let mut desk = Desk::open();
    let opened = desk.now;
    desk.now = desk.now.plus_millis(5);
    desk.rest(ANN, Side::Buy, "1", "99");
    assert_eq!(desk.core.wallet_opened(ANN), Some(opened));
    assert_eq!(desk.core.balance_update_time(ANN), Some(desk.now));
    assert_eq!(desk.core.balance_update_time(BOB), Some(opened));
    let names: Vec<_> = desk.core.balances(ANN).expect("a wallet").iter().map(|row| row.asset).collect();
    assert_eq!(names, [asset("ABC"), asset("USDT")]);
}

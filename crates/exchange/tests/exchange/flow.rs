//! The synthetic market.

use latchkey_exchange::spec::SymbolSpec;
use latchkey_exchange::view::OrderName;
use latchkey_exchange::{Command, Flow, MarketSettings, NewOrder, Reply};
use latchkey_protocol::order::{OrderStatus, Side};

use crate::support::*;

fn alive(settings: MarketSettings) -> Desk {
    let mut desk = Desk::bare(settings);
    desk.fund(ANN, "USDT", "10000000");
    desk.fund(ANN, "BTC", "100");
    tick(&mut desk, 1);
    desk
}

fn tick(desk: &mut Desk, times: usize) {
    for _ in 0..times {
        desk.now = desk.now.plus_millis(100);
        assert_eq!(desk.apply(&Command::Tick), Ok(Reply::Done));
    }
}

fn on_btc(order: NewOrder) -> NewOrder {
    NewOrder { symbol: symbol("BTCUSDT"), ..order }
}

#[test]
fn one_tick_fills_every_book_and_a_market_order_fills_at_once() {
    let mut desk = alive(MarketSettings::builtin(1));
    for spec in MarketSettings::builtin(1).symbols {
        let depth = desk.core.depth(spec.symbol, 100).expect("a symbol");
        assert!(depth.bids.len() >= 19 && depth.asks.len() >= 19, "{}: {depth:?}", spec.symbol);
        assert!(depth.bids[0].price < depth.asks[0].price, "{}", spec.symbol);
    }
    for order in [market(ANN, Side::Buy, "1"), by_quote(ANN, Side::Buy, "5000"), market(ANN, Side::Sell, "2")] {
        let placed = desk.place(on_btc(order)).expect("accepted");
        assert_eq!(placed.order.status, OrderStatus::Filled);
    }
    desk.check_sums();
}

#[test]
fn the_market_lives_and_stays_sane() {
    let mut desk = alive(MarketSettings::builtin(7));
    tick(&mut desk, 6_000);
    for spec in MarketSettings::builtin(7).symbols {
        let name = spec.symbol;
        let depth = desk.core.depth(name, 100).expect("a symbol");
        assert!(depth.bids.len() >= 15 && depth.asks.len() >= 15, "{name}");
        assert!(depth.bids[0].price < depth.asks[0].price, "{name}");
        let (start, last) = (spec.start_price.scaled(), desk.core.ticker_price(name).expect("a symbol").scaled());
        assert!(last > start / 2 && last < start * 2, "{name} at {last}");
        for level in depth.bids.iter().chain(&depth.asks) {
            assert_eq!(level.price.scaled() % spec.filters.price.tick.scaled(), 0, "{name}");
            assert_eq!(level.quantity.scaled() % i128::from(spec.filters.lot_size.step.scaled()), 0, "{name}");
        }
        let day = desk.core.ticker_24h(name, desk.now).expect("a symbol");
        assert!(day.count > 60, "{name} traded {} times in ten minutes", day.count);
        assert!(day.high_price > day.low_price, "{name}");
    }
    let busy = desk.core.ticker_24h(symbol("BTCUSDT"), desk.now).expect("a symbol").count;
    assert!(busy > 2_000, "several trades a second in the busiest: {busy} in 600 s");
    desk.check_sums();
}

#[test]
fn quotes_stay_on_their_side_of_the_price() {
    let mut desk = alive(MarketSettings::builtin(2));
    for _ in 0..2_000 {
        tick(&mut desk, 1);
        let depth = desk.core.depth(symbol("BTCUSDT"), 100).expect("a symbol");
        assert!(depth.bids.len() <= 20 && depth.asks.len() <= 20, "twenty levels a side");
        assert!(depth.bids.len() >= 17 && depth.asks.len() >= 17, "{} {}", depth.bids.len(), depth.asks.len());
    }
}

#[test]
fn an_order_inside_the_spread_is_filled_by_the_flow() {
    let mut desk = alive(MarketSettings::builtin(3));
    let top = desk.core.book_ticker(symbol("BTCUSDT")).expect("a symbol");
    let inside = top.bid_price.scaled() + 1_000_000;
    assert!(inside < top.ask_price.scaled());
    let order =
        NewOrder { price: Some(latchkey_protocol::Price::from_scaled(inside)), ..limit(ANN, Side::Buy, "0.05", "1") };
    let placed = desk.place(on_btc(order)).expect("accepted").order;
    assert_eq!(placed.status, OrderStatus::New);
    tick(&mut desk, 600);
    let name = OrderName { order_id: Some(placed.order_id), client_order_id: None };
    let order = desk.core.order(ANN, symbol("BTCUSDT"), name).expect("an order");
    assert_eq!(order.status, OrderStatus::Filled);
    let trades = desk.core.my_trades(ANN, symbol("BTCUSDT"), Some(placed.order_id), ALL).expect("a symbol");
    assert!(trades.iter().all(|trade| trade.is_maker && trade.price.scaled() == inside));
    desk.check_sums();
}

#[test]
fn a_wall_in_the_way_is_taken_at_its_own_price() {
    let mut desk = alive(MarketSettings::builtin(3));
    let bid = desk.core.book_ticker(symbol("BTCUSDT")).expect("a symbol").ask_price.scaled() - 1_000_000;
    let wall =
        NewOrder { price: Some(latchkey_protocol::Price::from_scaled(bid)), ..limit(ANN, Side::Buy, "100", "1") };
    let placed = desk.place(on_btc(wall)).expect("accepted").order;
    tick(&mut desk, 3_000);
    let name = OrderName { order_id: Some(placed.order_id), client_order_id: None };
    let order = desk.core.order(ANN, symbol("BTCUSDT"), name).expect("an order");
    assert!(order.executed_quantity > quantity("1"), "{order:?}");
    let paid = order.cumulative_quote_quantity.scaled();
    let most = i128::from(bid) * i128::from(order.executed_quantity.scaled()) / 100_000_000;
    assert!(paid <= most, "never above the limit");
    desk.check_sums();
}

#[test]
fn the_same_seed_makes_the_same_market() {
    let hash = |seed| {
        let mut desk = alive(MarketSettings::builtin(seed));
        tick(&mut desk, 300);
        desk.core.state_hash()
    };
    assert_eq!(hash(5), hash(5));
    assert_ne!(hash(5), hash(6));
}

#[test]
fn without_flow_books_stay_empty() {
    let settings = MarketSettings { flow: Flow::None, ..MarketSettings::builtin(1) };
    let mut desk = alive(settings);
    tick(&mut desk, 100);
    assert!(desk.core.depth(symbol("BTCUSDT"), 5).expect("a symbol").bids.is_empty());
}

#[test]
fn cheap_and_dear_symbols_come_alive_too() {
    let names =
        [("PEPEUSDT", "0.00001234"), ("SHIBUSDT", "0.00000008"), ("GOLDUSDT", "2000000"), ("ADABTC", "0.000009")];
    let symbols = names.map(|(text, at)| SymbolSpec::from_name(symbol(text), price(at)).expect("a known quote"));
    let settings = MarketSettings { symbols: symbols.to_vec(), ..MarketSettings::builtin(1) };
    let mut desk = alive(settings);
    tick(&mut desk, 500);
    for (text, _) in names {
        let depth = desk.core.depth(symbol(text), 100).expect("a symbol");
        assert!(depth.bids.len() > 3 && depth.asks.len() >= 15, "{text}: {depth:?}");
    }
    desk.check_sums();
}

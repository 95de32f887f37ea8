//! Measures the core alone: commands a second and the spread of single commands, on one thread.
//!
//! `cargo run --release -p latchkey-exchange --example core_speed`

use std::hint::black_box;
use std::time::Instant;

use latchkey_exchange::{
    Cancel, Command, Core, EffectId, Flow, MarketSettings, NewOrder, OrderLimits, Reply, Transfer,
};
use latchkey_protocol::order::{OrderType, Side, TimeInForce};
use latchkey_protocol::{AccountId, Amount, Asset, Price, Quantity, Symbol, Timestamp, TradingAccount, Wallet};

/// How many accounts trade.
const ACCOUNTS: i64 = 100;
/// How many commands are measured in each part.
const COMMANDS: usize = 1_000_000;
/// 2026-02-14T10:20:30Z in microseconds.
const START: i64 = 1_771_064_430_000_000;

fn main() {
    let mut lines = vec![format!(
        "{:<44} {:>9} {:>12} {:>9} {:>9} {:>9} {:>10}",
        "part", "accepted", "a second", "p50 ns", "p99 ns", "p99.9 ns", "max ns"
    )];
    lines.push(placing_and_cancelling());
    lines.push(trading());
    lines.push(refusals());
    lines.push(ticks());
    for line in lines {
        show(&line);
    }
}

#[expect(clippy::print_stdout, reason = "an example prints what it measured")]
fn show(line: &str) {
    println!("{line}");
}

#[expect(clippy::disallowed_methods, reason = "an example measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Carries out commands one by one and says how long they took. The clock is read once per command.
fn measure(part: &str, core: &mut Core, count: usize, mut next: impl FnMut(usize) -> (i64, Command)) -> String {
    let mut spans: Vec<u32> = Vec::with_capacity(count);
    let commands: Vec<(i64, Command)> = (0..count).map(&mut next).collect();
    let whole = now();
    let mut last = now();
    let mut accepted = 0;
    for (at, command) in &commands {
        accepted += usize::from(black_box(core.apply(Timestamp::from_micros(*at), command)).is_ok());
        let present = now();
        spans.push(u32::try_from(present.duration_since(last).as_nanos()).unwrap_or(u32::MAX));
        last = present;
    }
    let seconds = whole.elapsed().as_secs_f64();
    spans.sort_unstable();
    let percentile =
        |share: f64| spans.get((spans.len() as f64 * share) as usize).or(spans.last()).copied().unwrap_or(0);
    format!(
        "{part:<44} {:>9} {:>12.0} {:>9} {:>9} {:>9} {:>10}",
        accepted,
        count as f64 / seconds,
        percentile(0.5),
        percentile(0.99),
        percentile(0.999),
        spans.last().copied().unwrap_or(0)
    )
}

fn account(number: usize) -> TradingAccount {
    TradingAccount { owner: AccountId(1 + number as i64 % ACCOUNTS), wallet: Wallet::Spot }
}

fn name<T>(parsed: Option<T>) -> T {
    match parsed {
        Some(value) => value,
        None => unreachable!("a fixed name is well formed"),
    }
}

fn btc() -> Symbol {
    name(Symbol::parse("BTCUSDT"))
}

fn funded(flow: Flow) -> Core {
    let limits = OrderLimits { per_10s: u32::MAX, per_day: u32::MAX };
    let settings = MarketSettings { flow, limits, ..MarketSettings::builtin(1) };
    let Ok(mut core) = Core::new(settings) else {
        unreachable!("the built-in settings make an exchange");
    };
    for owner in 0..ACCOUNTS as usize {
        for (place, of) in ["BTC", "USDT"].into_iter().enumerate() {
            let effect = EffectId((owner * 2 + place) as i64);
            let amount = Amount::from_scaled(10_i128.pow(20));
            let transfer = Transfer { effect, account: account(owner), asset: name(Asset::parse(of)), amount };
            let credited = core.apply(Timestamp::from_micros(START), &Command::Credit(transfer));
            assert_eq!(credited, Ok(Reply::Done));
        }
    }
    core
}

fn limit(number: usize, side: Side, ticks: i64) -> Command {
    Command::Place(NewOrder {
        time_in_force: Some(TimeInForce::Gtc),
        quantity: Some(Quantity::from_scaled(100_000)),
        price: Some(Price::from_scaled(5_000_000_000_000 + ticks * 1_000_000)),
        ..NewOrder::new(account(number), btc(), side, OrderType::Limit)
    })
}

/// How many orders rest while others come and go.
const RESTING: usize = 1_000;

/// A new order, then a cancel of the oldest, over 400 levels that never cross.
fn placing_and_cancelling() -> String {
    let mut core = funded(Flow::None);
    let place = |number: usize| {
        let away = 1 + (number as i64 * 7_919) % 200;
        match number % 2 {
            0 => limit(number, Side::Buy, -away),
            _ => limit(number, Side::Sell, away),
        }
    };
    for number in 0..RESTING {
        assert!(core.apply(Timestamp::from_micros(START), &place(number)).is_ok(), "an order must rest");
    }
    measure("place and cancel LIMIT, 1000 resting", &mut core, COMMANDS, |i| {
        let at = START + i as i64;
        if i % 2 == 0 {
            return (at, place(RESTING + i / 2));
        }
        let cancel = Cancel {
            account: account(i / 2),
            symbol: btc(),
            order_id: Some(i as i64 / 2 + 1),
            client_order_id: None,
            new_client_order_id: None,
            restrictions: None,
        };
        (at, Command::Cancel(cancel))
    })
}

/// Every second order takes the one before it whole.
fn trading() -> String {
    let mut core = funded(Flow::None);
    measure("a maker, then a taker that fills it", &mut core, COMMANDS, |i| {
        let side = if i % 2 == 0 { Side::Sell } else { Side::Buy };
        (START + i as i64, limit(i, side, (i as i64 / 2) % 50))
    })
}

/// Orders that a filter refuses.
fn refusals() -> String {
    let mut core = funded(Flow::None);
    measure("refused by LOT_SIZE", &mut core, COMMANDS, |i| {
        let mut command = limit(i, Side::Buy, 0);
        if let Command::Place(order) = &mut command {
            order.quantity = Some(Quantity::from_scaled(1));
        }
        (START + i as i64, command)
    })
}

/// The synthetic market of the eight built-in symbols.
fn ticks() -> String {
    let mut core = funded(Flow::Synthetic);
    measure("tick of eight symbols", &mut core, 100_000, |i| (START + i as i64 * 100_000, Command::Tick))
}

//! What holds whatever happens: sums, holds, replay, snapshots, and refusals that change nothing.

use latchkey_exchange::spec::SymbolSpec;
use latchkey_exchange::view::OrderName;
use latchkey_exchange::{
    Cancel, Command, Commission, Core, EffectId, MarketSettings, NewOrder, Rate, Refusal, Reply, Transfer,
};
use latchkey_protocol::order::{OrderType, SelfTradePrevention, Side, SymbolStatus, TimeInForce};
use latchkey_protocol::{AccountId, Amount, Price, Quantity, RiskPath, Symbol, Timestamp, TradingAccount, Wallet};
use proptest::prelude::*;

use crate::support::*;

const SYMBOLS: [(&str, &str); 3] = [("BTCUSDT", "50000"), ("DOGEUSDT", "0.12"), ("ETHBTC", "0.06")];

fn settings(seed: u64) -> MarketSettings {
    let symbols = SYMBOLS.iter().map(|(text, at)| SymbolSpec::from_name(symbol(text), price(at)).expect("known"));
    MarketSettings { symbols: symbols.collect(), ..MarketSettings::builtin(seed) }
}

fn accounts() -> impl Strategy<Value = TradingAccount> {
    let wallet = prop_oneof![
        3 => Just(Wallet::Spot),
        1 => Just(Wallet::Cross),
        1 => Just(Wallet::Isolated(symbol("BTCUSDT"))),
    ];
    (1_i64..4, wallet).prop_map(|(owner, wallet)| TradingAccount { owner: AccountId(owner), wallet })
}

/// A price near the start of a symbol and a quantity worth a little, both on the grid more often than not.
fn orders() -> impl Strategy<Value = NewOrder> {
    let kind = prop_oneof![
        4 => Just((OrderType::Limit, Some(TimeInForce::Gtc))),
        1 => Just((OrderType::Limit, Some(TimeInForce::Ioc))),
        1 => Just((OrderType::Limit, Some(TimeInForce::Fok))),
        1 => Just((OrderType::LimitMaker, None)),
        3 => Just((OrderType::Market, None)),
    ];
    let mode = prop::option::of(prop::sample::select(SelfTradePrevention::ALL));
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let numbers = (0_usize..3, -300_i64..300, 1_i64..400, any::<bool>(), 0_u8..20);
    (accounts(), kind, mode, side, numbers).prop_map(|(account, (order_type, force), mode, side, numbers)| {
        let (which, offset, size, by_quote, spoil) = numbers;
        let spec = &settings(0).symbols[which];
        let tick = spec.filters.price.tick.scaled();
        let step = spec.filters.lot_size.step.scaled();
        let start = spec.start_price.scaled();
        let near = (start / tick + offset * (start / tick / 100_000).max(1)) * tick + i64::from(spoil == 1);
        let base =
            i128::from(size) * 100_000_000 * spec.filters.notional.expect("a filter").min.scaled() / i128::from(start);
        let quantity = (base as i64 / step * step).max(step) + i64::from(spoil == 2);
        let is_market = order_type == OrderType::Market;
        let by_quote = is_market && by_quote;
        NewOrder {
            risk: if account.wallet == Wallet::Spot { RiskPath::Full } else { RiskPath::Light },
            time_in_force: force,
            price: (!is_market).then(|| Price::from_scaled(near)),
            quantity: (!by_quote).then(|| Quantity::from_scaled(quantity)),
            quote_order_quantity: by_quote.then(|| Amount::from_scaled(i128::from(size) * 1_000_000_000)),
            self_trade_prevention: mode,
            client_order_id: (spoil > 15).then(|| name(&format!("n{spoil}"))),
            ..NewOrder::new(account, spec.symbol, side, order_type)
        }
    })
}

fn symbols() -> impl Strategy<Value = Symbol> {
    prop::sample::select(SYMBOLS.map(|(text, _)| symbol(text)).to_vec())
}

fn transfers() -> impl Strategy<Value = Transfer> {
    let of = prop::sample::select(vec!["BTC", "USDT", "DOGE", "ETH", "BNB"]);
    (0_i64..200, accounts(), of, 1_i64..100_000).prop_map(|(effect, account, of, much)| {
        let whole = if of == "BTC" || of == "ETH" { much / 10_000 + 1 } else { much };
        let amount = Amount::from_scaled(i128::from(whole) * 100_000_000);
        Transfer { effect: EffectId(effect), account, asset: asset(of), amount }
    })
}

fn commands() -> impl Strategy<Value = Command> {
    let effect = || (0_i64..200).prop_map(EffectId);
    let owner = || (0_i64..4).prop_map(AccountId);
    let status = prop::sample::select(vec![SymbolStatus::Trading, SymbolStatus::Trading, SymbolStatus::Halt]);
    let rate = |scaled| Rate::from_scaled(scaled).expect("a rate");
    prop_oneof![
        40 => orders().prop_map(Command::Place),
        15 => Just(Command::Tick),
        8 => (accounts(), symbols(), 1_i64..40).prop_map(|(account, symbol, id)| {
            Command::Cancel(Cancel { account, symbol, order_id: Some(id), ..cancel(ANN, 0) })
        }),
        2 => (accounts(), symbols()).prop_map(|(account, symbol)| Command::CancelAll { account, symbol }),
        1 => (effect(), owner()).prop_map(|(effect, owner)| Command::CancelEverything { effect, owner }),
        6 => transfers().prop_map(Command::Credit),
        3 => transfers().prop_map(Command::Debit),
        1 => (effect(), accounts()).prop_map(|(effect, account)| Command::OpenWallet { effect, account }),
        1 => (effect(), owner(), 0_i64..500_000).prop_map(move |(effect, owner, scaled)| {
            let commission = Some(Commission { maker: rate(scaled), taker: rate(scaled / 2) });
            Command::SetCommission { effect, owner, commission }
        }),
        1 => (effect(), owner()).prop_map(|(effect, owner)| Command::EnterSpecialMode { effect, owner }),
        1 => (effect(), owner()).prop_map(|(effect, owner)| Command::LeaveSpecialMode { effect, owner }),
        1 => (symbols(), status).prop_map(|(symbol, status)| Command::SetSymbolStatus { symbol, status }),
    ]
}

/// Commands with the milliseconds between them; time sometimes steps back.
fn scripts() -> impl Strategy<Value = Vec<(i64, Command)>> {
    prop::collection::vec((-50_i64..400, commands()), 1..120)
}

/// A core with a little money everywhere.
fn funded(seed: u64) -> Desk {
    let mut desk = Desk::bare(settings(seed));
    for owner in 1..4 {
        for wallet in [Wallet::Spot, Wallet::Cross, Wallet::Isolated(symbol("BTCUSDT"))] {
            let account = TradingAccount { owner: AccountId(owner), wallet };
            for (of, much) in [("USDT", "20000"), ("BTC", "1")] {
                let transfer = Transfer {
                    effect: EffectId(desk.effect().0 + 1_000),
                    account,
                    asset: asset(of),
                    amount: amount(much),
                };
                desk.apply(&Command::Credit(transfer)).expect("a credit");
            }
        }
    }
    desk
}

fn check_holds(core: &Core) {
    for owner in 1..4 {
        for wallet in core.wallets(AccountId(owner)) {
            let account = TradingAccount { owner: AccountId(owner), wallet };
            let open = core.open_orders(account, None).expect("no symbol");
            for row in core.balances(account).expect("a wallet") {
                assert!(row.free.scaled() >= 0 && row.locked.scaled() >= 0, "{row:?}");
                let held: i128 = open
                    .iter()
                    .map(|order| {
                        let spec = core.symbol(order.symbol).expect("a symbol");
                        let prevented = order.prevented.map_or(0, |prevented| prevented.quantity.scaled());
                        let rest = order.original_quantity.scaled() - order.executed_quantity.scaled() - prevented;
                        let (asset, amount) = match order.side {
                            Side::Buy => {
                                (spec.quote, Amount::notional(order.price, Quantity::from_scaled(rest)).expect("exact"))
                            }
                            Side::Sell => (spec.base, Amount::from(Quantity::from_scaled(rest))),
                        };
                        if asset == row.asset { amount.scaled() } else { 0 }
                    })
                    .sum();
                assert_eq!(row.locked.scaled(), held, "what is held is what open orders need");
            }
        }
    }
}

fn check_books(core: &Core) {
    for (text, _) in SYMBOLS {
        let book = core.book_ticker(symbol(text)).expect("a symbol");
        let both = !book.bid_price.is_zero() && !book.ask_price.is_zero();
        assert!(!both || book.bid_price < book.ask_price, "a crossed book: {book:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(48), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_made_or_lost_and_refusals_change_nothing(seed in 0_u64..9, script in scripts()) {
        let mut desk = funded(seed);
        for (index, (pause, command)) in script.iter().enumerate() {
            desk.now = desk.now.plus_millis(*pause);
            let before = (index % 8 == 0).then(|| desk.core.state_hash());
            let outcome = desk.apply(command);
            let unchanged = matches!(outcome, Err(_) | Ok(Reply::AlreadyDone));
            if let Some(before) = before.filter(|_| unchanged) {
                prop_assert_eq!(desk.core.state_hash(), before, "{:?}", command);
            }
            desk.check_sums();
            check_holds(&desk.core);
            check_books(&desk.core);
        }
    }

    #[test]
    fn replay_of_accepted_commands_gives_the_same_state(seed in 0_u64..9, script in scripts()) {
        let mut live = funded(seed);
        let mut log = Vec::new();
        let start = live.core.clone();
        for (pause, command) in &script {
            live.now = live.now.plus_millis(*pause);
            if matches!(live.apply(command), Ok(reply) if reply != Reply::AlreadyDone) {
                let mut bytes = Vec::new();
                command.encode(&mut bytes);
                log.push((live.core.now(), bytes));
            }
        }
        let mut again = start;
        for (at, bytes) in log {
            let command = Command::decode(&bytes).expect("what was encoded");
            prop_assert!(again.apply(at, &command).is_ok());
        }
        prop_assert_eq!(again.state_hash(), live.core.state_hash());
    }

    #[test]
    fn a_restored_snapshot_goes_on_like_the_original(seed in 0_u64..9, script in scripts(), cut in 0_usize..120) {
        let mut desk = funded(seed);
        let (first, second) = script.split_at(cut.min(script.len()));
        for (pause, command) in first {
            desk.now = desk.now.plus_millis(*pause);
            let _ = desk.apply(command);
        }
        let mut restored = Core::restore(&desk.core.snapshot()).expect("a snapshot");
        prop_assert_eq!(restored.state_hash(), desk.core.state_hash());
        for (pause, command) in second {
            desk.now = desk.now.plus_millis(*pause);
            let outcome = desk.apply(command);
            prop_assert_eq!(restored.apply(desk.now, command), outcome);
        }
        prop_assert_eq!(restored.state_hash(), desk.core.state_hash());
    }

    #[test]
    fn commands_survive_their_encoding(command in commands()) {
        let mut bytes = Vec::new();
        command.encode(&mut bytes);
        prop_assert_eq!(Command::decode(&bytes), Ok(command));
    }

    #[test]
    fn no_bytes_break_the_decoder(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Command::decode(&bytes);
        let _ = Core::restore(&bytes);
    }
}

#[test]
fn time_never_goes_backwards() {
    let mut desk = Desk::open();
    desk.rest(ANN, Side::Buy, "1", "99");
    let first = desk.core.now();
    desk.now = Timestamp::from_micros(NOON - 60_000_000);
    let placed = desk.rest(ANN, Side::Buy, "1", "99");
    assert_eq!(placed.transact_time, first);
    desk.now = Timestamp::from_micros(NOON + 60_000_000);
    assert_eq!(desk.cancel(ANN, 77), Err(Refusal::UnknownOrder));
    assert_eq!(desk.core.now(), first, "a refused command does not move the clock");
}

#[test]
fn extreme_numbers_are_refused_or_carried_out_exactly() {
    let mut spec = plain_symbol();
    spec.filters.price.max = price("0");
    spec.filters.percent_price_by_side = None;
    spec.filters.notional = None;
    spec.filters.lot_size.max = Quantity::from_scaled(i64::MAX);
    spec.filters.market_lot_size = None;
    let mut desk = Desk::with(spec);
    for account in [ANN, BOB] {
        for of in ["ABC", "USDT"] {
            for _ in 0..3 {
                let amount = Amount::from_scaled(10_i128.pow(30));
                let transfer = Transfer { effect: desk.effect(), account, asset: asset(of), amount };
                desk.apply(&Command::Credit(transfer)).expect("a credit");
            }
        }
    }
    let most = |step: i64| i64::MAX / step * step;
    let huge = |account, side| NewOrder {
        price: Some(Price::from_scaled(most(1_000_000))),
        quantity: Some(Quantity::from_scaled(most(100_000))),
        ..limit(account, side, "1", "1")
    };
    for _ in 0..3 {
        let sold = desk.place(huge(BOB, Side::Sell)).expect("accepted").order.order_id;
        let bought = desk.place(huge(ANN, Side::Buy)).expect("accepted").order;
        assert_eq!(bought.executed_quantity, bought.original_quantity);
        let name = OrderName { order_id: Some(sold), client_order_id: None };
        let maker = desk.core.order(BOB, symbol("ABCUSDT"), name).expect("an order");
        assert_eq!(maker.cumulative_quote_quantity, bought.cumulative_quote_quantity);
    }
    desk.place(huge(BOB, Side::Sell)).expect("accepted");
    desk.place(huge(BOB, Side::Sell)).expect("accepted");
    let amount = Amount::from_scaled(3 * 10_i128.pow(29));
    let everything = NewOrder { quantity: None, quote_order_quantity: Some(amount), ..market(ANN, Side::Buy, "1") };
    desk.place(everything).expect("accepted");
    desk.apply(&Command::Tick).expect("a tick");
    desk.check_sums();
    assert!(desk.core.ticker_24h(symbol("ABCUSDT"), desk.now).is_some());
}

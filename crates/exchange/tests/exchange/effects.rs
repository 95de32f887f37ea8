//! Wallets, transfers and modes: commands that are delivered at least once.

use latchkey_exchange::spec::SymbolSpec;
use latchkey_exchange::{Command, Commission, EffectId, NewOrder, Rate, Refusal, RefusalKind, Reply, Transfer};
use latchkey_protocol::order::{OrderStatus, Side};
use latchkey_protocol::{AccountId, Amount, TradingAccount, Wallet};

use crate::support::*;

fn transfer(effect: i64, account: TradingAccount, of: &str, much: &str) -> Transfer {
    Transfer { effect: EffectId(effect), account, asset: asset(of), amount: amount(much) }
}

fn isolated(of: &str) -> TradingAccount {
    TradingAccount { wallet: Wallet::Isolated(symbol(of)), ..ANN }
}

#[test]
fn an_effect_is_carried_out_once() {
    let mut desk = Desk::open();
    let commands = [
        Command::Credit(transfer(100, ANN, "USDT", "5")),
        Command::Debit(transfer(101, ANN, "USDT", "2")),
        Command::OpenWallet { effect: EffectId(102), account: isolated("ABCUSDT") },
        Command::EnterSpecialMode { effect: EffectId(103), owner: ANN.owner },
        Command::SetCommission { effect: EffectId(105), owner: ANN.owner, commission: None },
        Command::LeaveSpecialMode { effect: EffectId(104), owner: ANN.owner },
    ];
    for command in &commands {
        assert_eq!(desk.apply(command), Ok(Reply::Done), "{command:?}");
    }
    let after = desk.core.state_hash();
    desk.now = desk.now.plus_millis(5);
    for command in &commands {
        assert_eq!(desk.apply(command), Ok(Reply::AlreadyDone), "{command:?}");
    }
    assert_eq!(desk.core.state_hash(), after);
    desk.check_purse(ANN, "USDT", "100003", "0");
}

#[test]
fn a_refused_effect_is_judged_again() {
    let mut desk = Desk::open();
    let debit = Command::Debit(transfer(100, ANN, "USDT", "100001"));
    assert_eq!(desk.apply(&debit), Err(Refusal::InsufficientBalance));
    desk.fund(ANN, "USDT", "1");
    assert_eq!(desk.apply(&debit), Ok(Reply::Done));
    desk.check_purse(ANN, "USDT", "0", "0");
    desk.check_sums();
}

#[test]
fn held_balance_cannot_leave() {
    let mut desk = Desk::open();
    desk.rest(ANN, Side::Buy, "1", "99");
    let debit = |effect, much| Command::Debit(transfer(effect, ANN, "USDT", much));
    assert_eq!(desk.apply(&debit(100, "99902")), Err(Refusal::InsufficientBalance));
    assert_eq!(desk.apply(&debit(101, "99901")), Ok(Reply::Done));
    desk.check_purse(ANN, "USDT", "0", "99");
}

#[test]
fn transfers_are_bounded_and_addressed() {
    let mut desk = Desk::open();
    let credit = |effect, account, of, much| Command::Credit(transfer(effect, account, of, much));
    let venue = TradingAccount { owner: AccountId(0), wallet: Wallet::Spot };
    let nobody = TradingAccount { owner: AccountId(9), wallet: Wallet::Cross };
    let rows = [
        (credit(100, ANN, "USDT", "0"), Refusal::AmountNotPositive),
        (credit(100, venue, "USDT", "1"), Refusal::ReservedAccount),
        (credit(100, isolated("NOPE"), "USDT", "1"), Refusal::BadSymbol),
        (credit(100, isolated("ABCUSDT"), "BTC", "1"), Refusal::AssetNotInWallet),
        (Command::Debit(transfer(100, nobody, "USDT", "1")), Refusal::NoWallet),
        (Command::Debit(transfer(100, ANN, "NEVER", "1")), Refusal::InsufficientBalance),
    ];
    for (command, refusal) in rows {
        assert_eq!(desk.apply(&command), Err(refusal));
    }
    let huge = Transfer { amount: Amount::from_scaled(i128::MAX), ..transfer(100, ANN, "USDT", "1") };
    assert_eq!(desk.apply(&Command::Credit(huge)), Err(Refusal::AmountTooLarge));
    assert_eq!(desk.apply(&credit(100, isolated("ABCUSDT"), "ABC", "1")), Ok(Reply::Done));
    assert_eq!(desk.core.wallets(ANN.owner), [Wallet::Spot, Wallet::Isolated(symbol("ABCUSDT"))]);
}

#[test]
fn each_wallet_trades_its_own_symbols() {
    let mut spec = plain_symbol();
    spec.margin_trading = false;
    let mut desk = Desk::with(spec);
    let mut other = SymbolSpec::from_name(symbol("XYZUSDT"), price("100")).expect("a known quote");
    other.spot_trading = false;
    desk.apply(&Command::AddSymbol(Box::new(other))).expect("a new symbol");
    let cross = TradingAccount { wallet: Wallet::Cross, ..ANN };
    for account in [cross, isolated("XYZUSDT"), isolated("ABCUSDT")] {
        desk.fund(account, "USDT", "1000");
    }
    let on = |account, of: &str| NewOrder { symbol: symbol(of), ..limit(account, Side::Buy, "1", "99") };
    let kind = RefusalKind::NewOrderRejected;
    let not_permitted = "This symbol is not permitted for this account.";
    check_refused(desk.place(on(cross, "ABCUSDT")), kind, not_permitted);
    check_refused(desk.place(on(ANN, "XYZUSDT")), kind, not_permitted);
    check_refused(desk.place(on(isolated("ABCUSDT"), "ABCUSDT")), kind, not_permitted);
    let restricted = "This symbol is restricted for this account.";
    check_refused(desk.place(on(isolated("XYZUSDT"), "ABCUSDT")), kind, restricted);
    desk.place(on(cross, "XYZUSDT")).expect("accepted");
    desk.place(on(isolated("XYZUSDT"), "XYZUSDT")).expect("accepted");
    desk.place(on(ANN, "ABCUSDT")).expect("accepted");

    let stranger = TradingAccount { owner: AccountId(77), wallet: Wallet::Spot };
    let broke = "Account has insufficient balance for requested action.";
    check_refused(desk.place(on(stranger, "ABCUSDT")), kind, broke);
    assert_eq!(desk.core.balances(stranger), None, "a refusal opens no wallet");
}

#[test]
fn special_mode_is_entered_and_left() {
    let mut desk = Desk::open();
    let mut set = |effect, enter: bool| {
        let (effect, owner) = (EffectId(effect), ANN.owner);
        let command = match enter {
            true => Command::EnterSpecialMode { effect, owner },
            false => Command::LeaveSpecialMode { effect, owner },
        };
        assert_eq!(desk.apply(&command), Ok(Reply::Done));
        desk.core.owner(ANN.owner).special_mode
    };
    assert!(!set(100, false), "leaving outside the mode is silent");
    assert!(set(101, true));
    assert!(set(102, true));
    assert!(!set(103, false));
}

#[test]
fn a_freeze_cancels_everything_an_owner_has_open_once() {
    let mut desk = Desk::open();
    let cross = TradingAccount { wallet: Wallet::Cross, ..ANN };
    desk.fund(cross, "USDT", "1000");
    desk.rest(ANN, Side::Buy, "1", "99");
    desk.rest(cross, Side::Buy, "1", "98");
    desk.rest(BOB, Side::Buy, "1", "97");
    let freeze = Command::CancelEverything { effect: EffectId(100), owner: ANN.owner };
    let Ok(Reply::CancelledAll(cancelled)) = desk.apply(&freeze) else {
        panic!("a freeze cancels");
    };
    assert_eq!(cancelled.iter().map(|c| c.order.order_id).collect::<Vec<_>>(), [1, 2]);
    assert!(cancelled.iter().all(|c| c.order.status == OrderStatus::Canceled));
    desk.check_purse(ANN, "USDT", "100000", "0");
    desk.check_purse(cross, "USDT", "1000", "0");
    assert_eq!(desk.levels(Side::Buy), [(price("97"), amount("1"))]);
    desk.rest(ANN, Side::Buy, "1", "99");
    assert_eq!(desk.apply(&freeze), Ok(Reply::AlreadyDone));
    assert_eq!(desk.order(ANN, 4).status, OrderStatus::New);
}

#[test]
fn rates_are_the_owners_then_the_symbols_then_the_exchanges() {
    let rates = |maker, taker| Commission {
        maker: Rate::from_scaled(maker).expect("a rate"),
        taker: Rate::from_scaled(taker).expect("a rate"),
    };
    let mut desk = Desk::open();
    let taken = |desk: &mut Desk| {
        desk.rest(BOB, Side::Sell, "1", "100");
        desk.rest(ANN, Side::Buy, "1", "100").fills[0].commission
    };
    assert_eq!(taken(&mut desk), amount("0.001"));
    desk.apply(&Command::SetDefaultCommission(rates(0, 200_000))).expect("rates");
    assert_eq!(taken(&mut desk), amount("0.002"));
    let set = |effect, commission| Command::SetCommission { effect: EffectId(effect), owner: ANN.owner, commission };
    desk.apply(&set(100, Some(rates(0, 0)))).expect("rates");
    assert_eq!(taken(&mut desk), amount("0"));
    desk.apply(&set(101, None)).expect("rates");
    assert_eq!(taken(&mut desk), amount("0.002"));

    let mut spec = plain_symbol();
    spec.commission = Some(rates(0, 300_000));
    let mut desk = Desk::with(spec);
    assert_eq!(taken(&mut desk), amount("0.003"));
    desk.check_sums();
}

#[test]
fn a_symbol_must_be_new_and_consistent() {
    let mut desk = Desk::open();
    let add = |spec: &SymbolSpec| Command::AddSymbol(Box::new(spec.clone()));
    assert_eq!(desk.apply(&add(&plain_symbol())), Err(Refusal::SymbolExists));
    let mut fine = plain_symbol();
    fine.symbol = symbol("FINEUSDT");
    fine.filters.price.tick = price("0.000001");
    let refused = desk.apply(&add(&fine));
    let text = "The symbol is not consistent: the decimals of tick and step sum to more than eight.";
    check_refused(refused, RefusalKind::Operation, text);
}

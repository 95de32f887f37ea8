//! Liquidation loans: opened once, repaid from the spot wallet, and in the way of leaving special-key mode.

use latchkey_exchange::view::{LoanView, RepaymentView};
use latchkey_exchange::{Command, Core, EffectId, Refusal, RefusalKind, Reply};
use latchkey_protocol::order::Side;
use latchkey_protocol::{AccountId, Timestamp};

use crate::support::*;

fn lend(effect: i64, of: &str, much: &str) -> Command {
    Command::OpenLiquidationLoan { effect: EffectId(effect), owner: ANN.owner, asset: asset(of), amount: amount(much) }
}

fn repay(desk: &mut Desk, of: &str, much: &str) -> Result<RepaymentView, Refusal> {
    let command = Command::RepayLiquidationLoan { owner: ANN.owner, asset: asset(of), amount: amount(much) };
    match desk.apply(&command)? {
        Reply::Repaid(repayment) => Ok(repayment),
        other => panic!("a repayment answered {other:?}"),
    }
}

fn loan(of: &str, much: &str, repaid: &str, remaining: &str) -> Option<LoanView> {
    Some(LoanView { asset: asset(of), amount: amount(much), repaid: amount(repaid), remaining: amount(remaining) })
}

#[test]
fn a_loan_is_opened_once_grows_and_starts_anew_when_it_was_repaid() {
    let mut desk = Desk::open();
    assert_eq!(desk.core.liquidation_loan(ANN.owner), None);
    assert_eq!(desk.apply(&lend(500, "USDT", "100")), Ok(Reply::Done));
    assert_eq!(desk.apply(&lend(500, "USDT", "100")), Ok(Reply::AlreadyDone));
    assert_eq!(desk.core.liquidation_loan(ANN.owner), loan("USDT", "100", "0", "100"));
    assert_eq!(desk.apply(&lend(501, "ABC", "1")), Err(Refusal::LoanInOtherAsset));
    assert_eq!(desk.apply(&lend(502, "USDT", "0")), Err(Refusal::AmountNotPositive));
    assert_eq!(desk.apply(&lend(503, "USDT", "20")), Ok(Reply::Done));

    repay(&mut desk, "USDT", "50").expect("a repayment");
    assert_eq!(desk.core.liquidation_loan(ANN.owner), loan("USDT", "120", "50", "70"));
    repay(&mut desk, "USDT", "70").expect("a repayment");
    assert_eq!(desk.core.liquidation_loan(ANN.owner), loan("USDT", "120", "120", "0"));
    assert_eq!(desk.apply(&lend(504, "ABC", "1")), Ok(Reply::Done));
    assert_eq!(desk.core.liquidation_loan(ANN.owner), loan("ABC", "1", "0", "1"));
    assert_eq!(desk.core.liquidation_loan(BOB.owner), None);
    desk.check_purse(ANN, "USDT", "99880", "0");
    desk.check_sums();
}

#[test]
fn a_repayment_is_bounded_by_the_loan_its_asset_and_the_free_balance() {
    let mut desk = Desk::open();
    let exceeds = (RefusalKind::RepayExceedsLiability, "Repay amount exceeds borrow amount.");
    check_refused(repay(&mut desk, "USDT", "1"), exceeds.0, exceeds.1);
    desk.apply(&lend(500, "USDT", "100000")).expect("a loan");
    check_refused(repay(&mut desk, "USDT", "100000.00000001"), exceeds.0, exceeds.1);
    let other = "Data sent for parameter 'asset' is not valid.";
    check_refused(repay(&mut desk, "ABC", "1"), RefusalKind::InvalidParameter, other);
    assert_eq!(repay(&mut desk, "USDT", "0"), Err(Refusal::AmountNotPositive));
    // What an order holds does not repay.
    desk.rest(ANN, Side::Buy, "1", "99");
    let hash = desk.core.state_hash();
    check_refused(repay(&mut desk, "USDT", "99901.01"), RefusalKind::BalanceNotEnough, "Balance is not enough");
    assert_eq!(desk.core.state_hash(), hash, "a refusal changes nothing");
    repay(&mut desk, "USDT", "99901").expect("a repayment");
    desk.check_purse(ANN, "USDT", "0", "99");
    desk.check_sums();

    let nobody = Command::RepayLiquidationLoan { owner: AccountId(9), asset: asset("USDT"), amount: amount("1") };
    assert_eq!(desk.apply(&nobody), Err(Refusal::RepayExceedsLoan));
}

#[test]
fn repayments_are_numbered_and_paged_newest_first() {
    let mut desk = Desk::open();
    desk.apply(&lend(500, "USDT", "100")).expect("a loan");
    let bob = Command::OpenLiquidationLoan {
        effect: EffectId(501),
        owner: BOB.owner,
        asset: asset("USDT"),
        amount: amount("9"),
    };
    desk.apply(&bob).expect("a loan");
    for much in ["1", "2", "3", "4"] {
        repay(&mut desk, "USDT", much).expect("a repayment");
        desk.now = desk.now.plus_millis(1_000);
    }
    let of_bob = Command::RepayLiquidationLoan { owner: BOB.owner, asset: asset("USDT"), amount: amount("9") };
    assert!(matches!(desk.apply(&of_bob), Ok(Reply::Repaid(RepaymentView { id: 5, .. }))), "one sequence for all");
    let at = |seconds: i64| Timestamp::from_micros(NOON + seconds * 1_000_000);
    let ids = |core: &Core, start, end, skip, limit| {
        let (total, rows) = core.loan_repayments(ANN.owner, at(start), at(end), skip, limit);
        (total, rows.iter().map(|row| row.id).collect::<Vec<_>>())
    };
    let core = &desk.core;
    assert_eq!(ids(core, 0, 9, 0, 10), (4, vec![4, 3, 2, 1]));
    assert_eq!(ids(core, 1, 2, 0, 10), (2, vec![3, 2]));
    assert_eq!(ids(core, 0, 9, 1, 2), (4, vec![3, 2]));
    assert_eq!(ids(core, 0, 9, 4, 2), (4, vec![]));
    assert_eq!(ids(core, 2, 1, 0, 2), (0, vec![]));
    let (_, rows) = core.loan_repayments(ANN.owner, at(3), at(3), 0, 1);
    assert_eq!((rows[0].amount, rows[0].asset, rows[0].time), (amount("4"), asset("USDT"), at(3)));
    assert_eq!(core.loan_repayments(AccountId(9), at(0), at(9), 0, 9), (0, vec![]));

    let restored = Core::restore(&core.snapshot()).expect("a snapshot");
    assert_eq!(restored.state_hash(), core.state_hash());
    assert_eq!(ids(&restored, 0, 9, 0, 10), (4, vec![4, 3, 2, 1]));
}

#[test]
fn an_open_loan_holds_its_owner_in_special_key_mode() {
    let mut desk = Desk::open();
    let enter = Command::EnterSpecialMode { effect: EffectId(500), owner: ANN.owner };
    desk.apply(&enter).expect("entered");
    desk.apply(&lend(501, "USDT", "10")).expect("a loan");
    let leave = Command::LeaveSpecialMode { effect: EffectId(502), owner: ANN.owner };
    assert_eq!(desk.apply(&leave), Err(Refusal::LiabilityOutstanding));
    assert_eq!(desk.core.may_leave_special_mode(ANN.owner), Err(Refusal::LiabilityOutstanding));
    repay(&mut desk, "USDT", "10").expect("a repayment");
    assert_eq!(desk.core.may_leave_special_mode(ANN.owner), Ok(()));
    assert_eq!(desk.apply(&leave), Ok(Reply::Done));
}

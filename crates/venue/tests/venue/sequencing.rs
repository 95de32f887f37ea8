//! Hand-over, durability, bounds and the end of the thread.

use std::task::{Context, Poll, Waker};

use latchkey_admission::ports::Venue as _;
use latchkey_admission::{Outcome, Reason, Stage, Ticket};
use latchkey_authority::change::{Effect, EffectId};
use latchkey_authority::effective::DeadReason;
use latchkey_authority::ip::IpRestriction;
use latchkey_protocol::{AccountId, Amount, Asset, Permission, PermissionSet, TradingAccount, Wallet};
use latchkey_venue::sequencer::End;

use crate::harness::{House, MemoryJournal, Setup, TestKey, json, number_of};

const ORDER: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=40000";

fn stage_and_reason(outcome: Outcome) -> (Stage, Reason) {
    match outcome {
        Outcome::Rejected(rejection) => (rejection.stage, rejection.reason),
        other => panic!("{other:?}"),
    }
}

const EXPIRED: Reason = Reason::KeyDead(DeadReason::Expired);

#[tokio::test]
async fn a_key_that_ended_after_the_checks_reaches_nothing() {
    let house = House::new().await;
    let before = house.venue.exchange().state_hash().await.unwrap();
    let calls = [
        ("POST", "/api/v3/order", ORDER),
        ("GET", "/api/v3/account", ""),
        ("POST", "/sapi/v1/margin/apiKey", "apiName=fast&ip=127.0.0.1"),
    ];
    for (method, path, parameters) in calls {
        let key = house.trader(1);
        let permit = house.permit(Some(&key), method, path, parameters).unwrap();
        house.end(&key);
        assert_eq!(stage_and_reason(house.submit(permit).await), (Stage::HandOver, EXPIRED), "{path}");
    }
    assert_eq!(house.venue.exchange().state_hash().await.unwrap(), before, "nothing was carried out");
}

#[tokio::test]
async fn an_edit_after_the_checks_is_judged_by_the_state_in_force() {
    let house = House::new().await;
    let key = house.trader(1);
    let permit = house.permit(Some(&key), "POST", "/api/v3/order", ORDER).unwrap();
    house.edit(&key, |record| record.permissions = PermissionSet::READING);
    let missing = Reason::PermissionMissing(Permission::SpotAndMarginTrading);
    assert_eq!(stage_and_reason(house.submit(permit).await), (Stage::HandOver, missing));

    let permit = house.permit(Some(&key), "GET", "/api/v3/account", "").unwrap();
    house.edit(&key, |record| record.ip = IpRestriction::Listed(Vec::new()));
    assert_eq!(stage_and_reason(house.submit(permit).await), (Stage::HandOver, Reason::IpNotAllowed));

    house.edit(&key, |_| {});
    let permit = house.permit(Some(&key), "POST", "/api/v3/order", ORDER).unwrap();
    house.edit(&key, |_| {});
    assert!(matches!(house.submit(permit).await, Outcome::Answered(_)), "an edit that takes nothing away");
}

#[tokio::test]
async fn a_call_that_grew_old_on_the_way_reaches_nothing() {
    let house = House::new().await;
    let key = house.trader(1);
    let permit = house.permit(Some(&key), "POST", "/api/v3/order", ORDER).unwrap();
    house.clock.advance_millis(5_001);
    let (stage, reason) = stage_and_reason(house.submit(permit).await);
    assert_eq!((stage, reason), (Stage::HandOver, Reason::TimestampTooOld { behind_us: 5_001_000 }));
    assert_eq!(house.good(Some(&key), "GET", "/api/v3/openOrders", "").await, "[]");
}

#[tokio::test]
async fn an_order_is_answered_only_after_its_commit() {
    let house = House::new().await;
    let key = house.trader(1);
    house.gate.shut();
    let mut order = submit(&house, &key, "POST", "/api/v3/order", ORDER);
    house.gate.reached();
    assert!(order.try_now().is_none(), "the commit is under way");
    house.gate.open();
    assert!(matches!(order.finish().await, Outcome::Answered(_)));
}

#[tokio::test]
async fn a_query_sees_what_is_durable_and_commits_nothing_itself() {
    let house = House::new().await;
    let key = house.trader(1);
    let commits = house.gate.commits();
    house.good(Some(&key), "GET", "/api/v3/openOrders", "").await;
    assert_eq!(house.gate.commits(), commits, "a batch of queries has nothing to commit");

    // The first order keeps the thread at the gate; the second is not begun when the query is answered.
    house.gate.shut();
    let first = submit(&house, &key, "POST", "/api/v3/order", ORDER);
    house.gate.reached();
    let second = submit(&house, &key, "POST", "/api/v3/order", ORDER);
    let mut query = submit(&house, &key, "GET", "/api/v3/openOrders", "");
    assert!(query.try_now().is_none(), "the first order is carried out and not durable yet");
    house.gate.pass_one();
    house.gate.reached();
    assert!(matches!(first.finish().await, Outcome::Answered(_)));
    let Outcome::Answered(answer) = query.finish().await else { panic!() };
    assert_eq!(json(&answer).matches("\"orderId\"").count(), 1, "and not the second");
    house.gate.open();
    assert!(matches!(second.finish().await, Outcome::Answered(_)));
}

#[tokio::test]
async fn a_flood_of_queries_is_refused_and_keeps_no_order_out() {
    let house = House::with(Setup { queue: 2, ..Setup::default() }).await;
    let key = house.trader(1);
    house.gate.shut();
    let first = submit(&house, &key, "POST", "/api/v3/order", ORDER);
    house.gate.reached();
    let query = || submit(&house, &key, "GET", "/api/v3/openOrders", "");
    let waiting = [query(), query()];
    let (status, body) = house.refused(Some(&key), "GET", "/api/v3/openOrders", "").await;
    assert_eq!((status, number_of(&body, "code")), (503, -1008));
    let second = submit(&house, &key, "POST", "/api/v3/order", ORDER);
    house.gate.open();
    for order in [first, second] {
        assert!(matches!(order.finish().await, Outcome::Answered(_)));
    }
    for query in waiting {
        assert!(matches!(query.finish().await, Outcome::Answered(_)));
    }
}

#[tokio::test]
async fn what_is_under_way_when_the_journal_fails_is_unknown() {
    let house = House::new().await;
    let key = house.trader(1);
    house.gate.shut();
    let first = submit(&house, &key, "POST", "/api/v3/order", ORDER);
    house.gate.reached();
    let waiting = [("POST", "/api/v3/order", ORDER), ("GET", "/api/v3/openOrders", "")];
    let waiting = waiting.map(|(method, path, query)| submit(&house, &key, method, path, query));
    house.gate.break_down();
    assert_eq!(first.finish().await, Outcome::Unknown);
    for call in waiting {
        assert_eq!(call.finish().await, Outcome::Unknown);
    }
}

#[tokio::test]
async fn a_journal_that_fails_ends_the_venue_without_a_lie() {
    let house = House::new().await;
    let key = house.trader(1);
    house.gate.break_down();
    assert_eq!(house.call(Some(&key), "POST", "/api/v3/order", ORDER).await, Outcome::Unknown);
    assert_eq!(house.venue.exchange().ended().await, End::Failed);
    let (status, body) = house.refused(Some(&key), "POST", "/api/v3/order", ORDER).await;
    assert_eq!(
        (status, body.as_str()),
        (500, r#"{"code":-1001,"msg":"Internal error; unable to process your request. Please try again."}"#)
    );
    assert_eq!(house.good(None, "GET", "/api/v3/ping", "").await, "{}", "what needs no exchange goes on");
    assert_eq!(house.stop().await, End::Failed);
}

#[tokio::test]
async fn a_full_queue_says_so_at_once() {
    let house = House::with(Setup { queue: 2, ..Setup::default() }).await;
    let key = house.trader(1);
    house.gate.shut();
    let order = || submit(&house, &key, "POST", "/api/v3/order", ORDER);
    let first = order();
    house.gate.reached();
    let waiting = [order(), order()];
    let (status, body) = house.refused(Some(&key), "POST", "/api/v3/order", ORDER).await;
    assert_eq!((status, number_of(&body, "code")), (503, -1008));
    house.gate.open();
    assert!(matches!(first.finish().await, Outcome::Answered(_)));
    for order in waiting {
        assert!(matches!(order.finish().await, Outcome::Answered(_)));
    }
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let house = House::new().await;
    let key = house.trader(1);
    house.good(Some(&key), "POST", "/api/v3/order", ORDER).await;
    let state = house.venue.exchange().state_hash().await.unwrap();
    let records = house.gate.records();
    assert_eq!(house.stop().await, End::Stopped);

    let again = House::with(Setup { journal: MemoryJournal::holding(records), ..Setup::default() }).await;
    let key = again.trader(1);
    let open = again.good(Some(&key), "GET", "/api/v3/openOrders", "").await;
    assert!(open.contains("\"price\":\"40000.00000000\""), "{open}");
    // The second house took its deposits too, so only the order is compared.
    assert_ne!(again.venue.exchange().state_hash().await.unwrap(), state);
}

#[tokio::test]
async fn effects_are_carried_out_once() {
    let house = House::new().await;
    let account = TradingAccount { owner: AccountId(1), wallet: Wallet::Spot };
    let asset = Asset::parse("USDT").unwrap();
    let credit = Effect::Credit { account, asset, amount: Amount::from_scaled(500_000_000) };
    for _ in 0..3 {
        house.venue.exchange().deliver(EffectId(9), &credit).await.unwrap();
    }
    let key = house.trader(1);
    let body = house.good(Some(&key), "GET", "/api/v3/account", "omitZeroBalances=true").await;
    assert!(body.contains(r#"{"asset":"USDT","free":"100005.00000000","locked":"0.00000000"}"#), "{body}");
}

#[tokio::test]
async fn transfers_of_the_sandbox_never_share_a_number() {
    let house = House::new().await;
    let account = TradingAccount { owner: AccountId(1), wallet: Wallet::Spot };
    let (asset, one) = (Asset::parse("USDT").unwrap(), Amount::from_scaled(100_000_000));
    let exchange = house.venue.exchange();
    let (a, b, c) = tokio::join!(
        exchange.deposit(account, asset, one),
        exchange.deposit(account, asset, one),
        exchange.deposit(account, asset, one)
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    exchange.withdraw(account, asset, one).await.unwrap();
    assert!(exchange.withdraw(account, asset, Amount::from_scaled(i128::from(u64::MAX))).await.is_err());
    let body = house.good(Some(&house.reader(1)), "GET", "/api/v3/account", "omitZeroBalances=true").await;
    assert!(body.contains(r#"{"asset":"USDT","free":"100002.00000000""#), "{body}");
}

#[tokio::test]
async fn order_counts_go_with_placements() {
    let house = House::new().await;
    let key = house.trader(1);
    for expected in 1..=2 {
        let Outcome::Answered(answer) = house.call(Some(&key), "POST", "/api/v3/order", ORDER).await else { panic!() };
        assert_eq!(answer.order_counts.as_slice(), [("10S", expected), ("1D", expected)], "{}", json(&answer));
    }
}

/// A submitted call that can be looked at before it has ended.
struct Submitted(Ticket);

fn submit(house: &House, key: &TestKey, method: &str, path: &str, query: &str) -> Submitted {
    let permit = house.permit(Some(key), method, path, query).unwrap();
    Submitted(house.venue.submit(permit).unwrap())
}

impl Submitted {
    fn try_now(&mut self) -> Option<Outcome> {
        match self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    async fn finish(self) -> Outcome {
        self.0.await
    }
}

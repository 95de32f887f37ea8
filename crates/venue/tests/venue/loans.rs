//! Liquidation loans over their routes, and the way out of special-key mode.

use latchkey_authority::key::{KeyKind, Scope};
use latchkey_protocol::{AccountId, Amount, Asset, Permission, PermissionSet};

use crate::harness::{House, TestKey, number_of, pair, text_of};

const LOAN: &str = "/sapi/v1/margin/liquidation-loan";
const REPAY: &str = "/sapi/v1/margin/liquidation-loan/repay";
const HISTORY: &str = "/sapi/v1/margin/liquidation-loan/repay-history";
const EXIT: &str = "/sapi/v1/margin/exit-special-key-mode";
const KEYS: &str = "/sapi/v1/margin/apiKey";

/// A key that may repay loans.
fn debtor(house: &House, owner: i64) -> TestKey {
    let trading = PermissionSet::READING.with(Permission::SpotAndMarginTrading);
    house.key(owner, trading.with(Permission::Margin), KeyKind::Standard)
}

async fn lend(house: &House, owner: i64, asset: &str, units: i128) {
    let amount = Amount::from_scaled(units * 100_000_000);
    house.venue.exchange().lend(AccountId(owner), Asset::parse(asset).unwrap(), amount).await.unwrap();
}

async fn code(house: &House, key: &TestKey, method: &str, path: &str, query: &str) -> i64 {
    number_of(&house.refused(Some(key), method, path, query).await.1, "code")
}

#[tokio::test]
async fn a_loan_is_shown_repaid_and_remembered() {
    let house = House::new().await;
    let key = debtor(&house, 1);
    let shown = |asset: &str, amount: &str, repaid: &str, remaining: &str| {
        format!(
            r#"{{"asset":"{asset}","amount":"{amount}.00000000","repaidAmount":"{repaid}.00000000","remainingAmount":"{remaining}.00000000"}}"#
        )
    };
    assert_eq!(house.good(Some(&key), "GET", LOAN, "").await, shown("USDC", "0", "0", "0"));
    lend(&house, 1, "USDT", 500).await;
    assert_eq!(house.good(Some(&key), "GET", LOAN, "").await, shown("USDT", "500", "0", "500"));

    let now = house.now_millis();
    let row =
        format!(r#"{{"repayId":1,"asset":"USDT","amount":"300.00000000","status":"SUCCESS","createTime":{now}}}"#);
    assert_eq!(house.good(Some(&key), "POST", REPAY, "asset=USDT&amount=300").await, row);
    assert_eq!(house.good(Some(&key), "GET", LOAN, "").await, shown("USDT", "500", "300", "200"));
    let account = house.good(Some(&key), "GET", "/api/v3/account", "omitZeroBalances=true").await;
    assert!(account.contains(r#"{"asset":"USDT","free":"99700.00000000""#), "{account}");
    assert_eq!(house.good(Some(&key), "GET", HISTORY, "").await, format!(r#"{{"total":1,"rows":[{row}]}}"#));
}

#[tokio::test]
async fn what_cannot_be_repaid_is_refused_by_its_row() {
    let house = House::new().await;
    let key = debtor(&house, 1);
    assert_eq!(code(&house, &key, "POST", REPAY, "asset=USDT&amount=1").await, -3015, "nothing is owed");
    lend(&house, 1, "USDT", 200_000).await;
    for (query, number) in [
        ("asset=USDT&amount=200000.00000001", -3015),
        ("asset=USDT&amount=100000.00000001", -3041),
        ("asset=BTC&amount=1", -1130),
        ("asset=USDT&amount=0", -1130),
        ("asset=USDT&amount=-1", -1100),
        ("asset=USDT", -1102),
        ("amount=1", -1102),
    ] {
        assert_eq!(code(&house, &key, "POST", REPAY, query).await, number, "{query}");
    }
    assert_eq!(code(&house, &house.trader(1), "POST", REPAY, "asset=USDT&amount=1").await, -2015);
    let special = house.special(1, Scope::Cross);
    assert_eq!(code(&house, &special, "POST", REPAY, "asset=USDT&amount=1").await, -2015);
    house.good(Some(&special), "GET", LOAN, "").await;
    let isolated = house.special(1, Scope::Isolated(pair("BTCUSDT")));
    assert_eq!(code(&house, &isolated, "GET", LOAN, "").await, -2015, "the debt is the cross account's");
    assert_eq!(code(&house, &isolated, "GET", HISTORY, "").await, -2015);
}

#[tokio::test]
async fn a_history_goes_back_a_week_unless_it_is_asked_for_more() {
    let house = House::new().await;
    let key = debtor(&house, 1);
    lend(&house, 1, "USDT", 100).await;
    let start = house.now_millis();
    for amount in 1..=3 {
        house.good(Some(&key), "POST", REPAY, &format!("asset=USDT&amount={amount}")).await;
        house.clock.advance_millis(86_400_000);
    }
    let asked = async |query: &str| {
        let body = house.good(Some(&key), "GET", HISTORY, query).await;
        (number_of(&body, "total"), body.matches("repayId").count())
    };
    assert_eq!(asked("").await, (3, 3));
    assert_eq!(asked("size=2").await, (3, 2));
    assert_eq!(asked("size=2&current=2").await, (3, 1));
    assert_eq!(asked("size=2&current=3").await, (3, 0));
    house.clock.advance_millis(5 * 86_400_000);
    assert_eq!(asked("").await, (2, 2), "the first is eight days old");
    assert_eq!(asked(&format!("startTime={start}")).await, (3, 3));
    assert_eq!(asked(&format!("endTime={start}")).await, (1, 1));
    let newest = house.good(Some(&key), "GET", HISTORY, "size=1").await;
    assert_eq!(number_of(&newest, "repayId"), 3);
    house.clock.advance_millis(90 * 86_400_000);
    assert_eq!(asked(&format!("startTime={start}")).await, (0, 0), "ninety days at most");
    let backwards = format!("startTime={}&endTime={start}", start + 1);
    assert_eq!(code(&house, &key, "GET", HISTORY, &backwards).await, -1130);
    assert_eq!(code(&house, &key, "GET", HISTORY, "current=0").await, -1130);
}

#[tokio::test]
async fn special_key_mode_is_left_once_nothing_is_owed() {
    let house = House::new().await;
    let key = debtor(&house, 1);
    assert_eq!(house.good(Some(&key), "POST", EXIT, "").await, "{}", "not in the mode");
    let made = house.good(Some(&key), "POST", KEYS, "apiName=fast&ip=127.0.0.1").await;
    let special = house.holder_of(&made);
    let pair_key = house.good(Some(&key), "POST", KEYS, "apiName=pair&ip=127.0.0.1&symbol=BTCUSDT").await;
    lend(&house, 1, "USDT", 5).await;
    assert_eq!(code(&house, &key, "POST", EXIT, "").await, -1020, "a loan is open");
    house.good(Some(&special), "GET", "/api/v3/account", "").await;

    house.good(Some(&key), "POST", REPAY, "asset=USDT&amount=5").await;
    assert_eq!(code(&house, &special, "POST", EXIT, "").await, -2015, "not with a special key");
    assert_eq!(house.good(Some(&key), "POST", EXIT, "").await, "{}");
    assert_eq!(code(&house, &special, "GET", "/api/v3/account", "").await, -2015, "its key is deleted");
    assert_eq!(house.good(Some(&key), "GET", "/sapi/v1/margin/api-key-list", "").await, "[]");
    let isolated = house.good(Some(&key), "GET", "/sapi/v1/margin/api-key-list", "symbol=BTCUSDT").await;
    assert!(isolated.contains(&text_of(&pair_key, "apiKey")), "isolated keys stay: {isolated}");
    let (_, cooling) = house.refused(Some(&key), "POST", KEYS, "apiName=again&ip=127.0.0.1").await;
    assert_eq!(number_of(&cooling, "code"), -1020);
    assert!(cooling.contains("cooldown until"), "{cooling}");
    assert_eq!(house.good(Some(&key), "POST", EXIT, "").await, "{}", "it was left already");
    house.clock.advance_millis(24 * 3_600_000);
    house.good(Some(&key), "POST", KEYS, "apiName=again&ip=127.0.0.1").await;
}

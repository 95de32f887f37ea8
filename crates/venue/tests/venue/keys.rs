//! Special keys over their routes, and what a key reads of itself.

use latchkey_authority::key::Scope;

use crate::harness::{House, number_of, text_of};

const KEYS: &str = "/sapi/v1/margin/apiKey";
const LIST: &str = "/sapi/v1/margin/api-key-list";
const EDIT: &str = "/sapi/v1/margin/apiKey/ip";

#[tokio::test]
async fn a_special_key_lives_its_whole_life() {
    let house = House::new().await;
    let key = house.trader(1);
    let created = house.good(Some(&key), "POST", KEYS, "apiName=fast+one&ip=127.0.0.1").await;
    let (api_key, secret) = (text_of(&created, "apiKey"), text_of(&created, "secretKey"));
    assert_eq!(created, format!(r#"{{"apiKey":"{api_key}","secretKey":"{secret}","type":"HMAC_SHA256"}}"#));
    assert_eq!((api_key.len(), secret.len()), (64, 64));

    let special = house.holder_of(&created);
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=40000";
    house.good(Some(&special), "POST", "/api/v3/order", order).await;
    let account = house.good(Some(&special), "GET", "/api/v3/account", "omitZeroBalances=true").await;
    assert!(account.contains(r#"{"asset":"USDT","free":"49600.00000000","locked":"400.00000000"}"#), "{account}");

    let named = format!("apiKey={api_key}");
    let shown = |ip: &str| {
        format!(
            r#"{{"apiKey":"{api_key}","ip":"{ip}","apiName":"fast one","type":"HMAC_SHA256","permissionMode":"TRADE"}}"#
        )
    };
    assert_eq!(house.good(Some(&key), "GET", KEYS, &named).await, shown("127.0.0.1"));
    let edited = format!("{named}&ip=127.0.0.1,192.0.2.7");
    assert_eq!(house.good(Some(&key), "PUT", EDIT, &edited).await, "{}");
    assert_eq!(house.good(Some(&key), "GET", KEYS, &named).await, shown("127.0.0.1,192.0.2.7"));
    let row = format!(
        r#"[{{"apiName":"fast one","apiKey":"{api_key}","ip":"127.0.0.1,192.0.2.7","type":"HMAC_SHA256","permissionMode":"TRADE"}}]"#
    );
    assert_eq!(house.good(Some(&key), "GET", LIST, "").await, row);
    assert_eq!(house.good(Some(&key), "GET", LIST, "symbol=BTCUSDT").await, "[]", "another scope");

    assert_eq!(house.good(Some(&key), "DELETE", KEYS, &named).await, "{}");
    let (status, body) = house.refused(Some(&special), "GET", "/api/v3/account", "").await;
    assert_eq!((status, number_of(&body, "code")), (401, -2015), "dead when the deletion is answered");
    assert_eq!(house.good(Some(&key), "GET", LIST, "").await, "[]");
}

#[tokio::test]
async fn a_public_key_makes_a_key_without_a_secret() {
    let house = House::new().await;
    let key = house.trader(1);
    let pem = include_str!("../../../authority/testdata/ed25519.pub.pem");
    let once: String = pem.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let twice = once.replace('%', "%25");
    for text in [once, twice] {
        let query = format!("apiName=pair&symbol=BTCUSDT&permissionMode=READ&publicKey={text}");
        let created = house.good(Some(&key), "POST", KEYS, &query).await;
        assert!(created.ends_with(r#""secretKey":null,"type":"Ed25519"}"#), "{created}");
        let named = format!("symbol=BTCUSDT&apiKey={}", text_of(&created, "apiKey"));
        let shown = house.good(Some(&key), "GET", KEYS, &named).await;
        assert!(shown.contains(r#""ip":"0.0.0.0""#) && shown.contains(r#""permissionMode":"READ""#), "{shown}");
    }
    assert_eq!(house.good(Some(&key), "DELETE", KEYS, "symbol=BTCUSDT&apiName=pair").await, "{}", "all of the name");
    assert_eq!(house.good(Some(&key), "GET", LIST, "symbol=BTCUSDT").await, "[]");
}

#[tokio::test]
async fn refusals_of_the_family_have_their_rows() {
    let house = House::new().await;
    let key = house.trader(1);
    let other = "A".repeat(64);
    for (method, path, query, code) in [
        ("POST", KEYS, "ip=127.0.0.1".to_owned(), -1102),
        ("POST", KEYS, "apiName=a&ip=300.0.0.1".to_owned(), -1130),
        ("POST", KEYS, "apiName=a&publicKey=nonsense".to_owned(), -1130),
        ("POST", KEYS, "apiName=a&symbol=NOPE&ip=127.0.0.1".to_owned(), -1121),
        ("GET", KEYS, String::new(), -1102),
        ("GET", KEYS, format!("apiKey={other}"), -1130),
        ("GET", KEYS, "apiKey=short".to_owned(), -1130),
        ("PUT", EDIT, format!("apiKey={other}&ip=127.0.0.1"), -1130),
        ("DELETE", KEYS, String::new(), -1102),
        ("DELETE", KEYS, "apiName=nobody".to_owned(), -1130),
    ] {
        let (status, body) = house.refused(Some(&key), method, path, &query).await;
        assert_eq!((status, number_of(&body, "code")), (400, code), "{method} {path}?{query}: {body}");
    }
    for key in [house.reader(1), house.special(1, Scope::Cross)] {
        let (status, body) = house.refused(Some(&key), "POST", KEYS, "apiName=a&ip=127.0.0.1").await;
        assert_eq!((status, number_of(&body, "code")), (400, -2015), "neither readers nor special keys");
    }
}

#[tokio::test]
async fn a_creation_ends_also_when_its_caller_went_away() {
    use latchkey_admission::ports::Venue as _;
    let house = House::new().await;
    let key = house.trader(1);
    let permit = house.permit(Some(&key), "POST", KEYS, "apiName=lost&ip=127.0.0.1").unwrap();
    drop(house.venue.submit(permit).unwrap());
    let mut listed = String::new();
    for _ in 0..100 {
        // The creation asks the exchange, so that asking it too lets the creation go on.
        house.venue.exchange().state_hash().await.unwrap();
        listed = house.good(Some(&key), "GET", LIST, "").await;
        if listed != "[]" {
            break;
        }
    }
    assert!(listed.contains("lost"), "{listed}");
}

#[tokio::test]
async fn a_key_reads_all_of_itself() {
    let house = House::new().await;
    let key = house.trader(1);
    let body = house.good(Some(&key), "GET", "/latchkey/v1/key", "").await;
    let api_key = key.api_key.as_str();
    assert_eq!(
        body,
        format!(
            r#"{{"apiKey":"{api_key}","label":"bot","type":"HMAC_SHA256","kind":"standard","scope":null,"permissionMode":null,"uid":1,"created":1789913600000,"standing":"alive","until":null,"permissions":["reading","spot-and-margin-trading"],"granted":["reading","spot-and-margin-trading"],"withheld":[],"ipRestrict":true,"ips":["127.0.0.1"],"symbols":null}}"#
        )
    );
    let special = house.special(1, Scope::Cross);
    let body = house.good(Some(&special), "GET", "/latchkey/v1/key", "").await;
    assert!(body.contains(r#""kind":"special","scope":"cross","permissionMode":"TRADE""#), "{body}");
}

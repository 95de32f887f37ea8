//! Sub-accounts and their keys, over the rows of masters and of brokers.

use latchkey_admission::Outcome;

use crate::harness::{House, TestKey, json, number_of, text_of};

const KEYS: &str = "/sapi/v1/sub-account/subAccountApi";
const KEYS_V2: &str = "/sapi/v2/sub-account/subAccountApi";
const PERMISSION: &str = "/sapi/v1/sub-account/subAccountApiPermission";
const SET_IP: &str = "/sapi/v2/sub-account/subAccountApi/ipRestriction";
const IP: &str = "/sapi/v1/sub-account/subAccountApi/ipRestriction";
const CUT_IP: &str = "/sapi/v1/sub-account/subAccountApi/ipRestriction/ipList";
const BROKER: &str = "/sapi/v1/broker/subAccountApi";
const SUB: &str = "email=user3@example.com";

async fn code(house: &House, key: &TestKey, method: &str, path: &str, query: &str) -> i64 {
    number_of(&house.refused(Some(key), method, path, query).await.1, "code")
}

/// A restricted HMAC key of account 3 with what `more` grants.
async fn made(house: &House, master: &TestKey, more: &str) -> String {
    let query = format!("{SUB}&apiName=bot&status=2&ipAddress=127.0.0.1{more}");
    house.good(Some(master), "POST", KEYS, &query).await
}

#[tokio::test]
async fn a_key_of_a_sub_account_lives_its_whole_life() {
    let house = House::new().await;
    let master = house.trader(1);
    let created = made(&house, &master, "&canTrade=true").await;
    let (api_key, secret) = (text_of(&created, "apiKey"), text_of(&created, "secretKey"));
    assert_eq!(
        created,
        format!(
            r#"{{"apiName":"bot","apiKey":"{api_key}","secretKey":"{secret}","canTrade":true,"canMarginLoanRepay":false,"canFuturesTrade":false,"canUniversalTransfer":false,"canVanillaOptions":false,"status":2,"ipList":["127.0.0.1"]}}"#
        )
    );
    let sub = house.holder_of(&created);
    let account = house.good(Some(&sub), "GET", "/api/v3/account", "").await;
    assert!(account.contains(r#""uid":3"#), "{account}");

    let named = format!("{SUB}&subAccountApiKey={api_key}");
    let now = house.now_millis();
    let row = |trade, transfer| {
        format!(
            r#""apiName":"bot","apikey":"{api_key}","canTrade":{trade},"canMarginLoanRepay":false,"canFuturesTrade":false,"canUniversalTransfer":{transfer},"canVanillaOptions":false,"timestamp":{now}}}"#
        )
    };
    let listed = format!(r#"[{{"email":"user3@example.com",{}]"#, row(true, false));
    let list = house.good(Some(&master), "GET", KEYS, SUB).await;
    assert_eq!(list, format!(r#"{{"total":1,"list":{listed},"rows":{listed}}}"#));
    let edited = house.good(Some(&master), "POST", PERMISSION, &format!("{named}&canUniversalTransfer=true")).await;
    assert_eq!(edited, format!("{{{}", row(true, true)), "what was not sent stays");
    let edited = house.good(Some(&master), "POST", PERMISSION, &format!("{named}&canTrade=FALSE")).await;
    assert_eq!(edited, format!("{{{}", row(false, true)));
    let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01";
    assert_eq!(code(&house, &sub, "POST", "/api/v3/order/test", order).await, -2015, "in force at once");

    assert_eq!(house.good(Some(&master), "DELETE", KEYS, &named).await, "{}");
    assert_eq!(code(&house, &sub, "GET", "/api/v3/account", "").await, -2015);
    assert_eq!(house.good(Some(&master), "GET", KEYS, SUB).await, r#"{"total":0,"list":[],"rows":[]}"#);
    assert_eq!(code(&house, &master, "DELETE", KEYS, &named).await, -1130);
}

#[tokio::test]
async fn addresses_are_added_and_taken_away_one_by_one() {
    let house = House::new().await;
    let master = house.trader(1);
    let created = made(&house, &master, "").await;
    let (sub, api_key) = (house.holder_of(&created), text_of(&created, "apiKey"));
    let named = format!("{SUB}&subAccountApiKey={api_key}");
    house.clock.advance_millis(5_000);
    let now = house.now_millis();
    let set = async |more: &str| house.good(Some(&master), "POST", SET_IP, &format!("{named}&{more}")).await;
    let cut = async |ip: &str| house.good(Some(&master), "DELETE", CUT_IP, &format!("{named}&ipAddress={ip}")).await;
    let answer = |status: &str, list: &str| {
        format!(r#"{{"status":"{status}","ipList":[{list}],"updateTime":{now},"apiKey":"{api_key}"}}"#)
    };
    let shown = |restricted: bool, list: &str, at: i64| {
        format!(r#"{{"ipRestrict":"{restricted}","ipList":[{list}],"updateTime":{at},"apiKey":"{api_key}"}}"#)
    };
    assert_eq!(
        set("status=2&ipAddress=192.0.2.7,192.0.2.8").await,
        answer("2", r#""127.0.0.1","192.0.2.7","192.0.2.8""#)
    );
    assert_eq!(set("status=2").await, answer("2", r#""127.0.0.1","192.0.2.7","192.0.2.8""#), "nothing to add");
    let read = house.good(Some(&master), "GET", IP, &named).await;
    assert_eq!(read, shown(true, r#""127.0.0.1","192.0.2.7","192.0.2.8""#, now - 5_000));
    assert_eq!(cut("127.0.0.1,192.0.2.8").await, shown(true, r#""192.0.2.7""#, now));
    assert_eq!(code(&house, &sub, "GET", "/api/v3/account", "").await, -2015);
    assert_eq!(cut("192.0.2.7").await, shown(true, "", now), "usable from nowhere");
    assert_eq!(code(&house, &sub, "GET", "/api/v3/account", "").await, -2015);
    assert_eq!(set("status=1").await, answer("1", ""));
    house.good(Some(&sub), "GET", "/api/v3/account", "").await;
    assert_eq!(set("status=2").await, answer("2", ""), "restricted again, to nobody");
    assert_eq!(code(&house, &sub, "GET", "/api/v3/account", "").await, -2015);
    for (method, path, more, number) in [
        ("POST", SET_IP, "&status=3", -1130),
        ("POST", SET_IP, "&status=1&ipAddress=192.0.2.9", -1106),
        ("POST", SET_IP, "&status=2&ipAddress=192.0.2.0/24", -1130),
        ("POST", SET_IP, "&status=2&ipAddress=0.0.0.0", -1130),
        ("DELETE", CUT_IP, "&ipAddress=192.0.2.7", -1130),
        ("DELETE", CUT_IP, "", -1102),
    ] {
        assert_eq!(code(&house, &master, method, path, &format!("{named}{more}")).await, number, "{more}");
    }
}

#[tokio::test]
async fn a_creation_says_what_is_wrong_with_it() {
    let house = House::new().await;
    let master = house.trader(1);
    let long = vec!["255.100.100.100"; 40].join(",");
    for (more, number) in [
        ("status=2", -1102),
        ("status=3", -1102),
        ("status=3&thirdPartyName=somebody", -1130),
        ("status=4", -1130),
        ("status=1&ipAddress=192.0.2.7", -1106),
        ("status=2&ipAddress=nonsense", -1130),
        (&*format!("status=2&ipAddress={long}"), -1130),
        ("status=1&canTrade=maybe", -1130),
        ("status=1&publicKey=nonsense", -1130),
        ("canTrade=true", -1102),
    ] {
        let query = format!("{SUB}&apiName=a&{more}");
        assert_eq!(code(&house, &master, "POST", KEYS, &query).await, number, "{more}");
    }
    // Under the controls an open HMAC key is given nothing beyond reading.
    let open = format!("{SUB}&apiName=open&status=1&canTrade=true");
    assert_eq!(code(&house, &master, "POST", KEYS, &open).await, -1002);
    let created = house.good(Some(&master), "POST", KEYS, &format!("{SUB}&apiName=open&status=1")).await;
    assert!(created.ends_with(r#""status":1,"ipList":[]}"#), "{created}");
}

#[tokio::test]
async fn version_two_reads_the_public_key_in_the_body_alone() {
    let house = House::new().await;
    let master = house.trader(1);
    let pem = include_str!("../../../authority/testdata/ed25519.pub.pem");
    let encoded: String = pem.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let query = format!("{SUB}&apiName=fix&status=2&ipAddress=127.0.0.1&canFixApiTrading=true&canTrade=true");
    let call = async |query: &str, body: &str| match house.permit_with_body(Some(&master), "POST", KEYS_V2, query, body)
    {
        Ok(permit) => house.submit(permit).await,
        Err(rejection) => Outcome::Rejected(rejection),
    };
    let refused = |outcome| match outcome {
        Outcome::Rejected(rejection) => number_of(&house.told(&rejection, KEYS_V2).1, "code"),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(call(&format!("{query}&publicKey={encoded}"), "").await), -1104);
    assert_eq!(refused(call(&format!("{query}&publicKey={encoded}"), &format!("publicKey={encoded}")).await), -1104);
    assert_eq!(refused(call(&query, "").await), -9000, "FIX is for Ed25519");
    let Outcome::Answered(answer) = call(&query, &format!("publicKey={encoded}")).await else { panic!("not made") };
    let created = json(&answer);
    assert!(created.contains(r#""secretKey":null,"canTrade":true"#), "{created}");
    assert!(created.contains(r#""canFixApiTrading":true,"canFixApiReading":false,"status":2"#), "{created}");
}

#[tokio::test]
async fn only_the_master_reaches_an_account_and_only_its_own() {
    let house = House::new().await;
    let (master, stranger, sub) = (house.trader(1), house.trader(2), house.trader(3));
    for email in ["user4@example.com", "user2@example.com", "user1@example.com", "nobody@example.com", "nonsense"] {
        let query = format!("email={email}");
        assert_eq!(code(&house, &master, "GET", KEYS, &query).await, -5021, "{email}");
        let create = format!("{query}&apiName=a&status=1");
        assert_eq!(code(&house, &master, "POST", KEYS, &create).await, -5021, "{email}");
        assert_eq!(
            code(&house, &master, "POST", "/sapi/v1/sub-account/futures/enable", &query).await,
            -5021,
            "{email}"
        );
        assert_eq!(code(&house, &master, "GET", "/sapi/v1/sub-account/status", &query).await, -5021, "{email}");
    }
    for id in ["4", "1", "0", "-3", "x", "99999999999999999999"] {
        assert_eq!(code(&house, &master, "GET", BROKER, &format!("subAccountId={id}")).await, -5021, "{id}");
    }
    assert_eq!(code(&house, &stranger, "GET", KEYS, SUB).await, -5021);
    assert_eq!(code(&house, &sub, "GET", KEYS, SUB).await, -5021, "nobody is its own master");
    let reader = house.reader(1);
    house.good(Some(&reader), "GET", KEYS, SUB).await;
    assert_eq!(code(&house, &reader, "POST", KEYS, &format!("{SUB}&apiName=a&status=1")).await, -2015);

    let asset = "email=user5@example.com";
    for (method, path, more) in [
        ("POST", KEYS, "&apiName=a&status=1".to_owned()),
        ("DELETE", KEYS, format!("&subAccountApiKey={}", "A".repeat(64))),
        ("POST", PERMISSION, format!("&subAccountApiKey={}", "A".repeat(64))),
    ] {
        assert_eq!(code(&house, &master, method, path, &format!("{asset}{more}")).await, -1020, "{path}");
    }
}

#[tokio::test]
async fn the_list_shows_living_standard_keys_page_by_page() {
    let house = House::new().await;
    let master = house.trader(1);
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(text_of(&made(&house, &master, "").await, "apiKey"));
        house.clock.advance_millis(1_000);
    }
    house.special(3, latchkey_authority::key::Scope::Cross);
    let page = async |more: &str| {
        let list = house.good(Some(&master), "GET", KEYS, &format!("{SUB}{more}")).await;
        let rows = list.split(r#""rows":"#).nth(1).unwrap().to_owned();
        let found: Vec<usize> = (0..3).filter(|i| rows.contains(&names[*i])).collect();
        (number_of(&list, "total"), found)
    };
    assert_eq!(page("").await, (3, vec![0, 1, 2]), "a special key is not listed");
    assert_eq!(page("&size=2").await, (3, vec![0, 1]));
    assert_eq!(page("&size=2&page=2").await, (3, vec![2]));
    assert_eq!(page("&page=9").await, (3, vec![]));
    assert_eq!(page(&format!("&subAccountApiKey={}", names[1])).await, (1, vec![1]));
    assert_eq!(code(&house, &master, "GET", KEYS, &format!("{SUB}&page=0")).await, -1130);
}

#[tokio::test]
async fn accounts_are_opened_and_listed() {
    let house = House::new().await;
    let master = house.trader(1);
    let list = "/sapi/v1/sub-account/list";
    let made =
        house.good(Some(&master), "POST", "/sapi/v1/sub-account/virtualSubAccount", "subAccountString=Desk7").await;
    let email = text_of(&made, "email");
    assert!(email.starts_with("desk7_virtual@") && email.ends_with("noemail.com"), "{email}");
    let first = house.good(Some(&master), "GET", list, "").await;
    assert_eq!(first.matches("subUserId").count(), 1, "one a page unless asked for more");
    let all = house.good(Some(&master), "GET", list, "limit=200").await;
    assert_eq!(all.matches("subUserId").count(), 3);
    assert!(all.contains(&email) && !all.contains("user4@example.com"), "{all}");
    let asset = house.good(Some(&master), "GET", list, "email=user5@example.com").await;
    assert!(asset.contains(r#""isFreeze":false"#), "{asset}");
    assert!(asset.contains(r#""isManagedSubAccount":false,"isAssetManagementSubAccount":true"#), "{asset}");
    assert_eq!(house.good(Some(&master), "GET", list, "email=user4@example.com").await, r#"{"subAccounts":[]}"#);
    assert_eq!(house.good(Some(&master), "GET", list, "isFreeze=true&limit=9").await, r#"{"subAccounts":[]}"#);

    let query = format!("email={email}");
    let state = async || house.good(Some(&master), "GET", "/sapi/v1/sub-account/status", &query).await;
    assert!(state().await.contains(r#""isMarginEnabled":false,"isFutureEnabled":false"#));
    for (path, field) in [("futures", "isFuturesEnabled"), ("eoptions", "isEOptionsEnabled")] {
        let path = format!("/sapi/v1/sub-account/{path}/enable");
        let opened = format!(r#"{{"email":"{email}","{field}":true}}"#);
        assert_eq!(house.good(Some(&master), "POST", &path, &query).await, opened);
        assert_eq!(house.good(Some(&master), "POST", &path, &query).await, opened, "again");
    }
    assert!(state().await.contains(r#""isFutureEnabled":true"#));
    assert_eq!(
        house.good(Some(&master), "GET", "/sapi/v1/sub-account/status", "").await.matches("isUserActive").count(),
        3
    );
    for (text, number) in [("", -1105), ("no+spaces", -1100), ("a%40b", -1100)] {
        let query = format!("subAccountString={text}");
        assert_eq!(
            code(&house, &master, "POST", "/sapi/v1/sub-account/virtualSubAccount", &query).await,
            number,
            "{text}"
        );
    }
    let sub = house.trader(3);
    let query = "subAccountString=below";
    let nested = house.refused(Some(&sub), "POST", "/sapi/v1/sub-account/virtualSubAccount", query).await;
    assert_eq!(nested.0, 400, "{}", nested.1);
}

#[tokio::test]
async fn brokers_name_accounts_by_their_uid_and_keep_to_one_key_a_second() {
    let house = House::new().await;
    let broker = house.trader(1);
    let pem = include_str!("../../../authority/testdata/ed25519.pub.pem");
    let encoded: String = pem.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let create = format!("subAccountId=3&canTrade=true&publicKey={encoded}");
    let made = house.good(Some(&broker), "POST", BROKER, &create).await;
    let api_key = text_of(&made, "apiKey");
    assert_eq!(
        made,
        format!(
            r#"{{"subaccountId":"3","apiKey":"{api_key}","secretKey":null,"canTrade":true,"marginTrade":false,"futuresTrade":false}}"#
        )
    );
    let (status, body) = house.refused(Some(&broker), "POST", BROKER, &create).await;
    assert_eq!((status, number_of(&body, "code")), (429, -1003));
    house.clock.advance_millis(1_000);
    house.good(Some(&broker), "POST", BROKER, "subAccountId=3&canTrade=false").await;
    house.clock.advance_millis(1_000);
    let trading = "subAccountId=3&canTrade=true";
    assert_eq!(code(&house, &broker, "POST", BROKER, trading).await, -1002, "an open HMAC key only reads");

    let one = format!("subAccountId=3&subAccountApiKey={api_key}");
    let row = |trade: bool| {
        format!(
            r#"{{"subaccountId":"3","apikey":"{api_key}","canTrade":{trade},"marginTrade":false,"futuresTrade":false}}"#
        )
    };
    assert_eq!(house.good(Some(&broker), "GET", BROKER, &one).await, format!("[{}]", row(true)));
    let all = house.good(Some(&broker), "GET", BROKER, "subAccountId=3").await;
    assert_eq!(all.matches("subaccountId").count(), 2);
    let path = "/sapi/v1/broker/subAccountApi/permission";
    let flags = "&canTrade=false&marginTrade=false&futuresTrade=false";
    assert_eq!(house.good(Some(&broker), "POST", path, &format!("{one}{flags}")).await, row(false));
    assert_eq!(code(&house, &broker, "POST", path, &format!("{one}&canTrade=true")).await, -1102);
    let path = "/sapi/v1/broker/subAccountApi/permission/universalTransfer";
    assert_eq!(
        house.good(Some(&broker), "POST", path, &format!("{one}&canUniversalTransfer=true")).await,
        format!(r#"{{"subaccountId":"3","apikey":"{api_key}","canUniversalTransfer":true}}"#)
    );
    let now = house.now_millis();
    let path = "/sapi/v2/broker/subAccountApi/ipRestriction";
    assert_eq!(
        house.good(Some(&broker), "POST", path, &format!("{one}&status=2&ipAddress=192.0.2.7")).await,
        format!(
            r#"{{"subaccountId":"3","status":"2","ipList":["192.0.2.7"],"apiKey":"{api_key}","updateTime":{now}}}"#
        )
    );
    let path = "/sapi/v1/broker/subAccountApi/ipRestriction/ipList";
    assert_eq!(
        house.good(Some(&broker), "DELETE", path, &format!("{one}&ipAddress=192.0.2.7")).await,
        format!(r#"{{"subaccountId":"3","ipRestrict":"true","apikey":"{api_key}","ipList":[],"updateTime":{now}}}"#)
    );
    let read = house.good(Some(&broker), "GET", "/sapi/v1/broker/subAccountApi/ipRestriction", &one).await;
    assert!(read.contains(r#""ipRestrict":"true""#), "{read}");
    assert_eq!(house.good(Some(&broker), "DELETE", BROKER, &one).await, "{}");
    assert_eq!(code(&house, &broker, "DELETE", BROKER, &one).await, -1003, "one a second");
}

//! What operators can do over their door, and what they cannot.

use serde_json::{Value, json};

use crate::desk::{Desk, demo_token, scoped_token};
use crate::server::Server;
use crate::signed::Key;
use crate::world::{House, house, trader};

fn desk(house: &House) -> Desk {
    Desk::ops(&house.server, &demo_token(&house.server.data))
}

fn alice(desk: &Desk) -> i64 {
    let found = desk.get("/ops/v1/accounts?email=alice@example.com");
    found.json()["accounts"][0]["uid"].as_i64().expect("the world's account")
}

fn key_id(desk: &Desk, uid: i64, label: &str) -> String {
    let keys = desk.get(&format!("/ops/v1/accounts/{uid}/keys")).json();
    let key = keys["keys"].as_array().expect("keys").iter().find(|key| key["label"] == label).expect("the key").clone();
    key["id"].as_str().expect("an id").to_owned()
}

fn reads(house: &House, key: &Key) -> u16 {
    key.call(house.server.api, "GET", "/api/v3/account", "").status
}

#[test]
fn an_account_is_opened_and_its_facts_are_stated() {
    let house = house();
    let desk = desk(&house);
    let made = desk.post("/ops/v1/accounts", json!({ "email": "Bob@example.com", "kyc": "verified" }));
    assert_eq!(made.status, 201, "{}", made.text());
    let uid = made.json()["uid"].as_i64().expect("a uid");
    let path = format!("/ops/v1/accounts/{uid}");
    assert_eq!(
        (made.json()["email"].clone(), made.json()["kyc"].clone()),
        (json!("bob@example.com"), json!("verified"))
    );
    assert_eq!(made.json()["defaultSecurityControls"], true);

    let facts = json!({
        "kyc": "verified-plus", "vip": 7, "deposited": true, "open": ["margin"], "portfolioMargin": "retail",
        "crossMarginPro": "by-agreement", "residence": "DE", "specialKeyException": true,
    });
    let edited = desk.patch(&path, facts);
    assert_eq!(edited.status, 200, "{}", edited.text());
    let edited = edited.json();
    assert_eq!((edited["kyc"].clone(), edited["vip"].clone()), (json!("verified-plus"), json!(7)));
    assert_eq!((edited["deposited"].clone(), edited["residence"].clone()), (json!(true), json!("DE")));
    assert_eq!(
        (edited["portfolioMargin"].clone(), edited["specialKeyException"].clone()),
        (json!("retail"), json!(true))
    );
    assert!(edited["marginOpened"].is_i64());
    assert_eq!(desk.patch(&path, json!({ "residence": "none" })).json()["residence"], Value::Null);

    let twice = desk.post("/ops/v1/accounts", json!({ "email": "bob@example.com" }));
    assert_eq!(twice.status, 409, "{}", twice.text());
    for wrong in [
        json!({ "email": "bob" }),
        json!({ "email": "c@example.com", "kyc": "royal" }),
        json!({ "email": "c@example.com", "x": 1 }),
    ] {
        assert_eq!(desk.post("/ops/v1/accounts", wrong.clone()).status, 422, "{wrong}");
    }
    assert_eq!(desk.patch(&path, json!({ "vip": 10 })).status, 409);
    assert_eq!(desk.get("/ops/v1/accounts/999999").status, 404);
}

#[test]
fn two_operators_do_not_overwrite_each_other() {
    let house = house();
    let desk = desk(&house);
    let path = format!("/ops/v1/accounts/{}", alice(&desk));
    let tag = desk.get(&path).header("etag").expect("a version").to_owned();
    let edit = |vip: u8| desk.with("PATCH", &path, &format!("If-Match: {tag}\r\n"), Some(&json!({ "vip": vip })));
    assert_eq!(edit(3).status, 200);
    let late = edit(4);
    assert_eq!(late.status, 412, "{}", late.text());
    assert_eq!(late.header("content-type"), Some("application/problem+json"));
    assert_eq!(desk.get(&path).json()["vip"], 3);
    assert_eq!(desk.with("PATCH", &path, "", Some(&json!({ "vip": 5 }))).status, 428, "without a version");
}

#[test]
fn accounts_come_page_by_page() {
    let house = house();
    let desk = desk(&house);
    for number in 0..5 {
        let made = desk.post("/ops/v1/accounts", json!({ "email": format!("u{number}@example.com") }));
        assert_eq!(made.status, 201, "{}", made.text());
    }
    let (mut seen, mut path) = (Vec::new(), "/ops/v1/accounts?limit=2".to_owned());
    loop {
        let page = desk.get(&path).json();
        seen.extend(
            page["accounts"].as_array().expect("a page").iter().map(|account| account["uid"].as_i64().unwrap()),
        );
        let Some(next) = page["next"].as_i64() else { break };
        path = format!("/ops/v1/accounts?limit=2&after={next}");
    }
    let all = desk.get("/ops/v1/accounts").json()["accounts"].as_array().unwrap().len();
    assert!(seen.len() == all && seen.len() >= 6, "{seen:?} of {all}");
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
}

#[test]
fn an_operator_holds_keys_and_never_gives() {
    let house = house();
    let desk = desk(&house);
    let uid = alice(&desk);
    let keys = format!("/ops/v1/accounts/{uid}/keys");
    assert_eq!(reads(&house, &trader()), 200);
    let id = key_id(&desk, uid, "trader");
    assert_eq!(desk.act("POST", &format!("{keys}/{id}/disable")).status, 204);
    assert_ne!(reads(&house, &trader()), 200, "dead when it is answered");
    for (method, path) in [
        ("POST", format!("{keys}/{id}/enable")),
        ("PATCH", format!("{keys}/{id}")),
        ("POST", keys.clone()),
        ("POST", format!("{keys}/{id}/rotate")),
    ] {
        let answer = desk.with(method, &path, "", Some(&json!({})));
        assert!(matches!(answer.status, 404 | 405), "{method} {path}: {}", answer.status);
    }
    assert_eq!(desk.act("DELETE", &format!("{keys}/{id}")).status, 204);
    let shown = desk.get(&keys).json();
    let deleted =
        shown["keys"].as_array().unwrap().iter().find(|key| key["id"] == id.as_str()).expect("a tombstone").clone();
    assert_eq!(deleted["state"], "deleted");
    let all = desk.act("DELETE", &keys);
    assert_eq!(all.status, 200, "{}", all.text());
    assert!(all.json()["keys"].as_u64().unwrap() >= 3);
    let controls = desk.patch(&format!("/ops/v1/accounts/{uid}"), json!({ "defaultSecurityControls": true }));
    assert_eq!(controls.json()["defaultSecurityControls"], true, "{}", controls.text());
    let off = desk.patch(&format!("/ops/v1/accounts/{uid}"), json!({ "defaultSecurityControls": false }));
    assert_eq!(off.status, 403, "{}", off.text());
}

#[test]
fn a_frozen_account_admits_nothing_until_it_is_released() {
    let house = house();
    let desk = desk(&house);
    let path = format!("/ops/v1/accounts/{}", alice(&desk));
    assert_eq!(desk.post(&format!("{path}/freeze"), json!({ "reason": " " })).status, 422);
    assert_eq!(desk.post(&format!("{path}/freeze"), json!({ "reason": "asked by phone" })).status, 204);
    assert_ne!(reads(&house, &trader()), 200);
    assert_eq!(desk.get(&path).json()["frozen"], "asked by phone");
    assert_eq!(desk.act("POST", &format!("{path}/unfreeze")).status, 204);
    assert_eq!(reads(&house, &trader()), 200);
}

#[test]
fn a_token_is_good_for_its_scopes_alone() {
    let house = house();
    let all = desk(&house);
    let uid = alice(&all);
    let id = key_id(&all, uid, "reader");
    // The last request of a scope leaves everything as it was, or as a test can bear.
    let tried = [
        ("accounts:read", "GET", "/ops/v1/accounts".to_owned()),
        ("accounts:read", "GET", format!("/ops/v1/accounts/{uid}")),
        ("accounts:read", "GET", format!("/ops/v1/accounts/{uid}/keys")),
        ("accounts:read", "GET", "/ops/v1/policy".to_owned()),
        ("accounts:read", "GET", "/ops/v1/effects".to_owned()),
        ("accounts:write", "POST", format!("/ops/v1/accounts/{uid}/unfreeze")),
        ("keys:hold", "POST", format!("/ops/v1/accounts/{uid}/keys/{id}/disable")),
        ("audit:read", "GET", "/ops/v1/audit".to_owned()),
        ("audit:read", "GET", "/ops/v1/audit/export".to_owned()),
        ("audit:read", "GET", "/ops/v1/audit/head".to_owned()),
        ("audit:read", "GET", "/ops/v1/audit/key".to_owned()),
        ("venue", "GET", "/ops/v1/venue/state-hash".to_owned()),
        ("venue", "GET", "/ops/v1/mailbox".to_owned()),
        ("tokens", "GET", "/ops/v1/tokens".to_owned()),
    ];
    for scope in ["accounts:read", "accounts:write", "keys:hold", "audit:read", "venue", "tokens"] {
        let desk = Desk::ops(&house.server, &scoped_token(&all, &[scope]));
        for (needed, method, path) in &tried {
            let status = desk.act(method, path).status;
            if *needed == scope {
                assert!(matches!(status, 200 | 204), "{scope}: {method} {path} gives {status}");
            } else {
                assert_eq!(status, 403, "{scope}: {method} {path}");
            }
        }
    }
}

#[test]
fn tokens_are_made_listed_and_ended() {
    let house = house();
    let all = desk(&house);
    let token = scoped_token(&all, &["tokens", "accounts:read"]);
    let desk = Desk::ops(&house.server, &token);
    let wider = desk.post("/ops/v1/tokens", json!({ "name": "n", "scopes": ["keys:hold"], "days": 1 }));
    assert_eq!(wider.status, 403, "{}", wider.text());
    let longer = desk.post("/ops/v1/tokens", json!({ "name": "n", "scopes": ["tokens"], "days": 300 }));
    let made_by = desk.get("/ops/v1/tokens").json();
    let own = made_by["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .find(|token| token["name"] == "tokens accounts:read")
        .unwrap()
        .clone();
    assert_eq!(longer.json()["expires"], own["expires"], "at most its maker's life");
    for wrong in [
        json!({ "name": "", "scopes": ["tokens"], "days": 1 }),
        json!({ "name": "n", "scopes": [], "days": 1 }),
        json!({ "name": "n", "scopes": ["everything"], "days": 1 }),
        json!({ "name": "n", "scopes": ["tokens"], "days": 0 }),
        json!({ "name": "n", "scopes": ["tokens"], "days": 5000 }),
    ] {
        assert_eq!(all.post("/ops/v1/tokens", wrong.clone()).status, 422, "{wrong}");
    }
    for taken in ["n", "tokens accounts:read", "demo"] {
        let twice = all.post("/ops/v1/tokens", json!({ "name": taken, "scopes": ["tokens"], "days": 1 }));
        assert_eq!(twice.status, 409, "records must name one operator: {taken}: {}", twice.text());
    }
    let listed = all.get("/ops/v1/tokens").text();
    assert!(!listed.contains(&token), "{listed}");
    let id = own["id"].as_str().unwrap();
    assert_eq!(desk.get("/ops/v1/accounts").status, 200);
    assert_eq!(all.act("DELETE", &format!("/ops/v1/tokens/{id}")).status, 204);
    assert_eq!(desk.get("/ops/v1/accounts").status, 401, "ended at once");
    assert_eq!(all.act("DELETE", &format!("/ops/v1/tokens/{id}")).status, 404);
    let child = Desk::ops(&house.server, longer.json()["token"].as_str().unwrap());
    assert_eq!(child.get("/ops/v1/tokens").status, 401, "ended with its maker");
    let events = all.get("/ops/v1/audit?account=0").json();
    let events = events["records"].as_array().unwrap();
    let of = |action: &str| {
        events.iter().map(|record| &record["event"]).filter(|event| event["action"] == action).collect::<Vec<_>>()
    };
    let shown = |event: &serde_json::Value, when: &str| {
        let states = event[when].as_array().unwrap().clone();
        states.iter().map(|state| state["operator-token"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(shown(of("operator-token-made")[0], "after"), ["tokens accounts:read"]);
    assert_eq!(shown(of("operator-token-revoked")[0], "before"), ["tokens accounts:read", "n"]);
}

#[test]
fn what_an_operator_does_to_the_venue_is_recorded() {
    let house = house();
    let desk = desk(&house);
    let uid = alice(&desk);
    let deposit = |amount: &str| {
        desk.post("/ops/v1/venue/deposit", json!({ "uid": uid, "wallet": "spot", "asset": "BTC", "amount": amount }))
            .status
    };
    assert_eq!((deposit("1.5"), deposit("0")), (200, 409));
    let events = desk.get(&format!("/ops/v1/audit?account={uid}")).json();
    let events = events["records"].as_array().unwrap().iter().map(|record| &record["event"]);
    let events = events.filter(|event| event["action"] == "sandbox-deposit");
    let told: Vec<_> = events
        .map(|event| {
            let amount = event["after"][0]["sandbox"]["amount"].as_str().unwrap().to_owned();
            (event["who"]["operator"].as_str().unwrap().to_owned(), amount, event.get("outcome").is_some())
        })
        .collect();
    let demo = |amount: &str, refused| ("demo".to_owned(), amount.to_owned(), refused);
    assert_eq!(told, [demo("1.5", false), demo("0", false), demo("0", true)]);
}

#[test]
fn the_last_use_of_a_key_is_told_with_its_address_and_a_wrong_signature_is_none() {
    let house = house();
    let desk = desk(&house);
    let path = format!("/ops/v1/accounts/{}/keys", alice(&desk));
    let last_used = || {
        let keys = desk.get(&path).json();
        let key = keys["keys"].as_array().expect("keys").iter().find(|key| key["label"] == "trader").cloned();
        key.expect("the key")["lastUsed"].clone()
    };
    let unproven = Key::hmac(&trader().api_key, "WrongWrongWrongWrongWrongWrongWrongWrongWrongWrongWrongWrong0001");
    assert_eq!(reads(&house, &unproven), 400);
    assert_eq!(last_used(), Value::Null);
    let before = crate::server::wall_us() / 1_000;
    assert_eq!(reads(&house, &trader()), 200);
    let used = last_used();
    let at = used["at"].as_i64().expect("a time");
    assert!((before..=crate::server::wall_us() / 1_000).contains(&at), "{used}");
    assert_eq!(used["ip"], "127.0.0.1");
    let credentials = house.server.data.join("credentials.json");
    let credentials = credentials.to_str().expect("UTF-8");
    let words = ["key", "show", "trader", "--account", "alice@example.com", "--credentials", credentials];
    let (code, out, err) = crate::desk::command(&words, &[], "");
    assert_eq!(code, 0, "{err}");
    assert!(out.lines().any(|line| line.starts_with("last used") && line.ends_with(" from 127.0.0.1")), "{out}");
}

#[test]
fn the_last_use_of_a_key_outlives_a_stop_exactly_and_a_crash_but_for_the_latest() {
    let House { mut server, world, folder } = house();
    let (_, token) = crate::owners::alice(&server);
    let use_it = |server: &Server| assert_eq!(trader().call(server.api, "GET", "/api/v3/account", "").status, 200);
    let last_used = |server: &Server| {
        let keys = Desk::console(server, &token).get("/v1/accounts/me/keys").json();
        let key = keys["keys"].as_array().expect("keys").iter().find(|key| key["label"] == "trader").cloned();
        key.expect("the key")["lastUsed"].clone()
    };
    use_it(&server);
    let first = last_used(&server);
    assert_eq!(first["ip"], "127.0.0.1");
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
    server = Server::start(folder.path(), &world);
    assert_eq!(last_used(&server), first, "a stop loses nothing");
    let credentials = server.data.join("credentials.json");
    let credentials = credentials.to_str().expect("UTF-8");
    let words = ["key", "show", "trader", "--account", "alice@example.com", "--credentials", credentials];
    let (code, out, err) = crate::desk::command(&words, &[], "");
    assert_eq!(code, 0, "{err}");
    assert!(out.lines().any(|line| line.starts_with("last used") && line.ends_with(" from 127.0.0.1")), "{out}");

    use_it(&server);
    let second = last_used(&server);
    assert!(second["at"].as_i64() > first["at"].as_i64(), "{second} after {first}");
    // Dropping a server kills it.
    drop(server);
    let kept = last_used(&Server::start(folder.path(), &world));
    assert!([&first, &second].contains(&&kept), "{kept} is neither {first} nor {second}");
}

use std::sync::atomic::Ordering;

use latchkey_authority::key::KeyState;
use serde_json::{Value, json};

use crate::client::{Console, User};
use crate::house::HOME;

const KEYS: &str = "/v1/accounts/me/keys";

fn id_of(created: &Value) -> String {
    created["key"]["id"].as_str().unwrap().to_owned()
}

async fn etag(user: &User<'_>, path: &str) -> String {
    user.get(path).await.headers["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_is_made_shown_edited_and_deleted() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let created = alice.make_key("bot").await;
    assert_eq!(created["secretKey"].as_str().unwrap().len(), 64);
    assert_eq!(created["secretShown"], false);
    let path = format!("{KEYS}/{}", id_of(&created));
    let shown = alice.get(&path).await;
    assert_eq!(shown.headers["etag"], "\"v1\"");
    assert_eq!(shown.body["permissions"], json!(["reading"]));
    assert_eq!((&shown.body["ipRestricted"], &shown.body["ips"]), (&json!(true), &json!(["192.0.2.1"])));
    assert!(!shown.body.to_string().contains(created["secretKey"].as_str().unwrap()));

    let edit = json!({ "label": "bot 2" });
    let edited = alice.change("PATCH", &path, &[("if-match", "\"v1\"")], Some(edit)).await;
    assert_eq!((edited.status.as_u16(), &edited.body["label"]), (200, &json!("bot 2")), "{edited:?}");
    assert_eq!(alice.change("DELETE", &path, &[], None).await.status, 204);
    let tombstone = alice.get(&path).await.ok();
    assert_eq!(tombstone["state"], "deleted");
    assert!(matches!(console.house.key(tombstone["id"].as_str().unwrap()).state, KeyState::Deleted { .. }));
}

#[tokio::test]
async fn of_two_editors_the_second_is_told() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let path = format!("{KEYS}/{}", id_of(&alice.make_key("bot").await));
    let seen = etag(&alice, &path).await;
    let edit = |label: &str| Some(json!({ "label": label }));
    assert_eq!(alice.change("PATCH", &path, &[("if-match", &seen)], edit("one")).await.status, 200);
    let late = alice.change("PATCH", &path, &[("if-match", &seen)], edit("two")).await;
    assert_eq!((late.status.as_u16(), late.problem()), (412, "stale"));
    let blind = alice.change("PATCH", &path, &[], edit("three")).await;
    assert_eq!((blind.status.as_u16(), blind.problem()), (428, "precondition-needed"));
    assert_eq!(alice.get(&path).await.ok()["label"], "one");
}

#[tokio::test]
async fn taking_the_last_address_away_opens_nothing() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let path = format!("{KEYS}/{}", id_of(&alice.make_key("bot").await));
    let narrowed = alice.send("PATCH", &path, &[("if-match", "\"v1\"")], Some(json!({ "ips": [] }))).await.ok();
    assert_eq!((&narrowed["ipRestricted"], &narrowed["ips"]), (&json!(true), &json!([])), "no confirmation is needed");
    let tag = etag(&alice, &path).await;
    let open = Some(json!({ "unrestricted": true }));
    assert_eq!(alice.send("PATCH", &path, &[("if-match", &tag)], open.clone()).await.problem(), "step-up-needed");
    let opened = alice.change("PATCH", &path, &[("if-match", &tag)], open).await.ok();
    assert_eq!(opened["ipRestricted"], false);
    assert!(opened["daysLeft"].as_i64().is_some_and(|days| (89..=90).contains(&days)), "{opened}");
}

#[tokio::test]
async fn a_repeated_creation_makes_one_key_and_shows_its_secret_once() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let body = json!({ "label": "bot", "ips": ["192.0.2.1"] });
    let once = [("idempotency-key", "order-66-attempt")];
    let first = alice.change("POST", KEYS, &once, Some(body.clone())).await.ok();
    let again = alice.send("POST", KEYS, &once, Some(body.clone())).await;
    assert_eq!(again.status, 201);
    assert_eq!(again.body["key"]["id"], first["key"]["id"]);
    assert_eq!((&again.body["secretKey"], &again.body["secretShown"]), (&Value::Null, &json!(true)));
    assert!(!console.house.shelf_text().contains(first["secretKey"].as_str().unwrap()));
    let other = json!({ "label": "another", "ips": ["192.0.2.1"] });
    let reused = alice.send("POST", KEYS, &once, Some(other)).await;
    assert_eq!((reused.status.as_u16(), reused.problem()), (422, "idempotency-reused"));
    assert_eq!(alice.get(KEYS).await.ok()["keys"].as_array().unwrap().len(), 1);

    // Another account's key of the same name is another key.
    let bob = console.bob().await;
    assert_eq!(bob.send("POST", KEYS, &once, Some(body.clone())).await.problem(), "no-factor");
    // A day later the name is free again.
    console.house.wait_s(24 * 60 * 60);
    let alice = console.alice().await;
    let later = alice.change("POST", KEYS, &once, Some(body)).await.ok();
    assert_ne!(later["key"]["id"], first["key"]["id"]);
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_not_made_again() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let once = [("idempotency-key", "lost-answer")];
    let body = || Some(json!({ "label": "bot", "ips": ["192.0.2.1"] }));
    let id = alice.send("POST", KEYS, &once, body()).await.step_up();
    alice.prove_totp(&id).await.ok();
    console.house.0.answer_lost.store(true, Ordering::SeqCst);
    let lost = alice.send("POST", KEYS, &[once[0], ("latchkey-step-up", &id)], body()).await;
    assert_eq!(lost.status, 503, "{lost:?}");
    // Longer than a claim lives, and than the confirmation.
    for minutes in [0, 3, 10] {
        console.house.wait_s(minutes * 60);
        let again = alice.send("POST", KEYS, &once, body()).await;
        assert_eq!(again.status, 201, "{again:?}");
        assert_eq!((&again.body["secretKey"], &again.body["secretShown"]), (&Value::Null, &json!(true)));
    }
    assert_eq!(alice.get(KEYS).await.ok()["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_made_once_is_shown_again_of_every_kind() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let old = id_of(&alice.make_key("bot").await);
    let pem = include_str!("../../../authority/testdata/ed25519.pub.pem");
    let rotate = format!("{KEYS}/{old}/rotate");
    for (path, body, secret) in [
        (KEYS, json!({ "label": "pair", "publicKey": pem, "ips": ["192.0.2.1"] }), false),
        ("/v1/accounts/me/tax-key", json!({ "label": "tax" }), true),
        ("/v1/accounts/me/special-keys", json!({ "label": "margin", "scope": "cross", "ips": ["192.0.2.1"] }), true),
        (rotate.as_str(), json!({ "overlapHours": 1 }), true),
    ] {
        let once = [("idempotency-key", &*path.replace('/', "-").chars().take(64).collect::<String>())];
        let first = alice.change("POST", path, &once, Some(body.clone())).await.ok();
        assert_eq!((first["secretKey"].is_string(), &first["secretShown"]), (secret, &json!(false)), "{path}");
        let again = alice.send("POST", path, &once, Some(body)).await.ok();
        assert_eq!((&again["secretKey"], &again["secretShown"]), (&Value::Null, &json!(secret)), "{path}");
        assert_eq!(again["key"]["id"], first["key"]["id"], "{path}");
    }
    let (path, once) = ("/v1/accounts/me/sub-accounts", [("idempotency-key", "a-sub-account")]);
    let body = json!({ "email": "new@example.com" });
    let first = alice.change("POST", path, &once, Some(body.clone())).await.ok();
    let again = alice.send("POST", path, &once, Some(body)).await;
    assert_eq!((again.status.as_u16(), &again.body["uid"]), (201, &first["uid"]));
}

#[tokio::test]
async fn keys_come_in_pages() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(id_of(&alice.make_key(&format!("bot {number}")).await));
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = alice.get(&format!("{KEYS}?limit=2{after}")).await.ok();
        let keys = page["keys"].as_array().unwrap();
        assert!(keys.len() <= 2);
        seen.extend(keys.iter().map(|key| key["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
    for bad in ["limit=0", "limit=101", "limit=x", "after=x", "other=1", "limit=1&limit=2"] {
        assert_eq!(alice.get(&format!("{KEYS}?{bad}")).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn nobody_reaches_the_keys_of_somebody_else() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let id = id_of(&alice.make_key("bot").await);
    let bob = console.bob().await;
    for (method, path) in [
        ("GET", "/v1/accounts/1".to_owned()),
        ("GET", "/v1/accounts/1/keys".to_owned()),
        ("GET", format!("/v1/accounts/1/keys/{id}")),
        ("DELETE", format!("/v1/accounts/1/keys/{id}")),
        ("POST", format!("/v1/accounts/1/keys/{id}/disable")),
        ("GET", "/v1/accounts/1/audit".to_owned()),
        ("GET", "/v1/accounts/1/notices".to_owned()),
        ("GET", "/v1/accounts/999".to_owned()),
        ("GET", "/v1/accounts/01".to_owned()),
        ("GET", "/v1/accounts/-1".to_owned()),
    ] {
        let reply = bob.send(method, &path, &[], None).await;
        assert_eq!((reply.status.as_u16(), reply.problem()), (404, "account-unknown"), "{method} {path}");
    }
    // In bob's own account the id is nobody's.
    assert_eq!(bob.get(&format!("{KEYS}/{id}")).await.problem(), "key-unknown");
    assert_eq!(bob.act(&format!("{KEYS}/{id}/disable")).await.problem(), "key-unknown");
    assert!(matches!(console.house.key(&id).state, KeyState::Active));
}

#[tokio::test]
async fn a_master_manages_its_sub_account_and_not_the_other_way_round() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let subs = alice.get("/v1/accounts/me/sub-accounts").await.ok();
    assert_eq!((subs["subAccounts"][0]["uid"].as_i64(), &subs["next"]), (Some(3), &serde_json::Value::Null));
    let body = json!({ "label": "bot", "ips": ["192.0.2.1"] });
    let created = alice.change("POST", "/v1/accounts/3/keys", &[], Some(body)).await.ok();
    assert_eq!(console.house.key(&id_of(&created)).account.0, 3);
    let needed = console.password("sub@example.com", crate::house::PASSWORD).await.ok();
    let sub = User::of(&console, &needed);
    assert_eq!(sub.get("/v1/accounts/1").await.problem(), "account-unknown");
    assert_eq!(sub.get(KEYS).await.ok()["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn sub_accounts_are_told_page_by_page() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let path = "/v1/accounts/me/sub-accounts";
    let body = json!({ "email": "second@example.com" });
    let second = alice.change("POST", path, &[], Some(body)).await.ok()["uid"].as_i64();
    let mut found = Vec::new();
    let mut after = json!(0);
    while !after.is_null() {
        let page = alice.get(&format!("{path}?after={after}&limit=1")).await.ok();
        let uids: Vec<_> = page["subAccounts"].as_array().unwrap().iter().map(|sub| sub["uid"].as_i64()).collect();
        assert!(uids.len() <= 1);
        found.extend(uids);
        after = page["next"].clone();
    }
    assert_eq!(found, [Some(3), second]);
    assert_eq!(alice.get(&format!("{path}?limit=201")).await.problem(), "malformed");
}

#[tokio::test]
async fn refusals_name_the_field() {
    let console = Console::new().await;
    let alice = console.alice().await;
    for (body, field) in [
        (json!({ "label": "\u{202e}" }), "label"),
        (json!({ "label": "bot", "ips": ["0.0.0.0"] }), "ips"),
        (json!({ "label": "bot", "ips": ["10.0.0.0/8"] }), "ips"),
        (json!({ "label": "bot", "publicKey": "x" }), "publicKey"),
        (json!({ "label": "bot", "permissions": ["flying"] }), "permissions"),
        (json!({ "label": "bot", "symbols": ["btc usdt"] }), "symbols"),
    ] {
        let reply = alice.post(KEYS, body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.body["field"].as_str()), (422, Some(field)), "{body} {reply:?}");
    }
    let withdraw = json!({ "label": "bot", "permissions": ["reading", "withdrawals"] });
    assert_eq!(alice.post(KEYS, withdraw).await.problem(), "permission");
}

#[tokio::test]
async fn the_panic_button_needs_no_confirmation() {
    let console = Console::new().await;
    let alice = console.alice().await;
    for label in ["one", "two"] {
        alice.make_key(label).await;
    }
    let frozen = alice.post("/v1/accounts/me/freeze-keys", json!({ "cancelOrders": true })).await.ok();
    assert_eq!(frozen["keys"], 2);
    let keys = alice.get(KEYS).await.ok();
    assert!(keys["keys"].as_array().unwrap().iter().all(|key| key["state"] == "disabled"));
}

#[tokio::test]
async fn a_rotation_makes_a_successor_beside_the_old_key() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let old = id_of(&alice.make_key("bot").await);
    let body = json!({ "overlapHours": 24 });
    let created = alice.change("POST", &format!("{KEYS}/{old}/rotate"), &[], Some(body)).await.ok();
    let predecessor = alice.get(&format!("{KEYS}/{old}")).await.ok();
    assert_eq!(predecessor["successor"], created["key"]["id"]);
    assert_eq!(predecessor["dead"], Value::Null);
    assert!(predecessor["retires"].is_i64());
    assert_eq!(predecessor["retiresAfterIdleHours"], Value::Null);
    assert!(created["secretKey"].is_string());
    let idle = id_of(&alice.make_key("idle").await);
    let body = json!({ "overlapHours": 24, "whenIdle": true });
    alice.change("POST", &format!("{KEYS}/{idle}/rotate"), &[], Some(body)).await.ok();
    assert_eq!(alice.get(&format!("{KEYS}/{idle}")).await.ok()["retiresAfterIdleHours"], 24);
}

#[tokio::test]
async fn may_this_key_do_that() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let path = format!("{KEYS}/{}/can", id_of(&alice.make_key("bot").await));
    let yes =
        alice.post(&path, json!({ "method": "GET", "path": "/api/v3/account", "ip": HOME.to_string() })).await.ok();
    assert_eq!(yes["can"], true, "{yes}");
    let stages = |reply: &Value| -> Vec<(String, bool)> {
        let rules = reply["rules"].as_array().unwrap();
        rules.iter().map(|rule| (rule["stage"].as_str().unwrap().to_owned(), rule["passes"] == true)).collect()
    };
    let no = json!({ "method": "POST", "path": "/api/v3/order", "ip": "203.0.113.9", "symbol": "BTCUSDT" });
    let no = alice.post(&path, no).await.ok();
    assert_eq!(no["can"], false);
    let expected = [("route", true), ("key", true), ("ip", false), ("permission", false), ("permission", true)];
    assert_eq!(stages(&no)[..5], expected.map(|(stage, passes)| (stage.to_owned(), passes)));
    for (body, field) in [
        (json!({ "method": "BREW", "path": "/api/v3/order" }), "method"),
        (json!({ "method": "GET", "path": "/api/v3/nothing" }), "path"),
        (json!({ "method": "GET", "path": "/api/v3/account", "ip": "localhost" }), "ip"),
    ] {
        assert_eq!(alice.post(&path, body).await.body["field"], field);
    }
    let public = alice.post(&path, json!({ "method": "GET", "path": "/api/v3/time" })).await.ok();
    assert_eq!(stages(&public), [("route".to_owned(), true)]);
}

#[tokio::test]
async fn an_owner_reads_the_audit_records_of_the_account() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let created = alice.make_key("bot").await;
    let audit = alice.get("/v1/accounts/me/audit").await.ok();
    let text = audit.to_string();
    assert!(text.contains("key-created") && text.contains("totp"), "{text}");
    assert!(!text.contains(created["secretKey"].as_str().unwrap()) && !text.contains("argon2id"));
    let first = alice.get("/v1/accounts/me/audit?limit=1").await.ok();
    let next = first["next"].as_u64().unwrap();
    let rest = alice.get(&format!("/v1/accounts/me/audit?after={next}")).await.ok();
    assert_eq!(rest["records"].as_array().unwrap().len() + 1, audit["records"].as_array().unwrap().len());
    assert_eq!(alice.get("/v1/accounts/me/audit?after=18446744073709551615").await.status, 400);
}

#[tokio::test]
async fn a_special_key_is_made_by_its_owner_for_one_margin_account() {
    const SPECIAL: &str = "/v1/accounts/me/special-keys";
    let console = Console::new().await;
    let alice = console.alice().await;
    let pem = include_str!("../../../authority/testdata/ed25519.pub.pem");
    let body = json!({ "label": "m", "scope": "BTCUSDT", "permissionMode": "READ", "publicKey": pem, "ips": ["192.0.2.0/24"] });
    let asked = alice.send("POST", SPECIAL, &[], Some(body.clone())).await;
    assert_eq!((asked.status.as_u16(), asked.problem()), (403, "step-up-needed"));
    let made = alice.change("POST", SPECIAL, &[], Some(body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let key = &made.body["key"];
    assert_eq!(
        (&key["kind"], &key["scope"], &key["permissionMode"]),
        (&json!("special"), &json!("BTCUSDT"), &json!("READ"))
    );
    assert_eq!((&key["permissions"], &key["ips"]), (&json!(["reading", "fix-read-only"]), &json!(["192.0.2.0/24"])));
    for (change, problem) in [
        (json!({ "scope": "ETHUSDT" }), "invalid"),
        (json!({ "scope": "isolated" }), "invalid"),
        (json!({ "permissionMode": "read" }), "invalid"),
        (json!({ "ips": [] }), "invalid"),
    ] {
        let mut body = json!({ "label": "m", "scope": "cross" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = alice.send("POST", SPECIAL, &[], Some(body)).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (422, problem), "{change}");
    }
    let sub = json!({ "label": "of the sub-account", "scope": "cross", "ips": ["192.0.2.1"] });
    let made = alice.change("POST", "/v1/accounts/3/special-keys", &[], Some(sub.clone())).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(alice.get("/v1/accounts/3/keys").await.ok()["keys"].as_array().unwrap().len(), 1);
    assert_eq!(alice.send("POST", "/v1/accounts/2/special-keys", &[], Some(sub)).await.status, 404);
}

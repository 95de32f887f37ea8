//! What a full operator's token never does, whatever route it is used on; and what a lost factor's reset holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::desk::{Desk, demo_token, totp_code};
use crate::owners::{SEED, alice, confirmed_with, sent_code};
use crate::world::{House, house, trader};

/// The routes as their file lists them, so that none is forgotten here.
const ROUTES: &str = include_str!("../../src/ops.rs");

/// Every route of the operators' API, with its methods.
fn routes() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let text = ROUTES.replace("IMPORT_KEYS, post", "\"/ops/v1/imports/keys\", post");
    for route in text.split(".route(").skip(1) {
        let path = route.split('"').nth(1).expect("a path").to_owned();
        let line = route.lines().next().expect("a line");
        for method in ["get", "post", "patch", "delete"] {
            if line.contains(&format!("{method}(")) {
                found.push((method.to_uppercase(), path.clone()));
            }
        }
    }
    found
}

/// A body that the route takes, and one that asks it for more than it gives.
fn bodies(path: &str) -> Vec<Option<Value>> {
    let more = json!({ "permissions": ["reading", "withdrawals"], "enabled": true, "unrestricted": true });
    let takes = match path.trim_start_matches("/ops/v1") {
        "/accounts" => json!({ "email": "opened@example.com" }),
        "/accounts/{uid}" => json!({ "vip": 9, "open": ["futures", "options"], "deposited": true }),
        "/accounts/{uid}/freeze" => json!({ "reason": "a walk" }),
        "/tokens" => json!({ "name": "second", "scopes": ["accounts:read"], "days": 1 }),
        "/venue/deposit" => json!({ "uid": 100_000_001, "asset": "USDT", "amount": "1" }),
        _ => return vec![None, Some(more)],
    };
    vec![Some(takes), Some(more), Some(json!({ "defaultSecurityControls": false }))]
}

/// Every key of every account by its id, with all that it was granted.
fn keys(ops: &Desk) -> BTreeMap<String, Value> {
    let accounts = ops.get("/ops/v1/accounts").json();
    let uids = accounts["accounts"].as_array().expect("accounts").iter().map(|account| account["uid"].clone());
    let of = |uid: Value| ops.get(&format!("/ops/v1/accounts/{uid}/keys")).json()["keys"].clone();
    let keys = uids.flat_map(|uid| of(uid).as_array().expect("keys").clone());
    keys.map(|key| (key["id"].as_str().expect("an id").to_owned(), key)).collect()
}

fn granted(key: &Value) -> BTreeSet<String> {
    key["permissions"].as_array().expect("permissions").iter().map(Value::to_string).collect()
}

#[test]
fn no_route_lets_an_operator_give_read_a_secret_or_stand_in_for_an_owner() {
    let House { server, .. } = &house();
    let token = demo_token(&server.data);
    let ops = Desk::ops(server, &token);
    let (owner, _) = alice(server);
    let ceremony = owner.post("/v1/accounts/me/keys", json!({ "label": "bot", "ips": ["127.0.0.1"] })).json();
    let ceremony = ceremony["stepUp"]["id"].as_str().expect("a ceremony").to_owned();
    let uid = ops.get("/ops/v1/accounts?email=alice@example.com").json()["accounts"][0]["uid"].clone();
    let shown = keys(&ops);
    let disabled = shown.values().find(|key| key["label"] == "reader").expect("a key")["id"].clone();
    let path = format!("/v1/accounts/me/keys/{}/disable", disabled.as_str().expect("an id"));
    assert_eq!(owner.act("POST", &path).status, 204);
    assert_eq!(owner.post("/v1/accounts/me/freeze", json!({ "reason": "lost laptop" })).status, 204);
    let before = keys(&ops);

    let secrets = ["SecretSecret", SEED, "planted-password", "argon2", "secretKey", "passwordHash"];
    let (mut answered, mut tried) = (0, 0);
    let mut routes = routes();
    assert!(routes.len() > 25, "{routes:?}");
    // Last, because it ends the owner's session, and the ceremony with it.
    routes.sort_by_key(|(_, path)| path.ends_with("/reset-factors"));
    for (method, path) in &routes {
        if path.ends_with("/reset-factors") {
            let state = owner.get(&format!("/v1/step-up/{ceremony}")).json();
            assert_eq!((&state["proven"], &state["needs"]), (&json!([]), &json!(["factor"])), "{state}");
        }
        let at = path.replace("{uid}", &uid.to_string()).replace("{key}", disabled.as_str().expect("an id"));
        for body in bodies(path) {
            let version = ops.get(&format!("/ops/v1/accounts/{uid}")).header("etag").unwrap_or("\"v1\"").to_owned();
            let headers = format!("If-Match: {version}\r\nLatchkey-Step-Up: {ceremony}\r\n");
            let answer = ops.with(method, &at, &headers, body.as_ref());
            tried += 1;
            answered += usize::from(answer.status < 300);
            for secret in secrets {
                assert!(!answer.text().contains(secret), "{method} {at} tells `{secret}`: {}", answer.text());
            }
        }
    }
    assert!(answered > 20, "{answered} of {tried} did something");
    // Nothing was made, and nothing has more, is open wider or back in use.
    for (id, key) in keys(&ops) {
        let was = before.get(&id).unwrap_or_else(|| panic!("a key was made: {key}"));
        assert!(granted(&key).is_subset(&granted(was)), "{was} became {key}");
        assert_eq!((&key["ips"], &key["symbols"]), (&was["ips"], &was["symbols"]));
        assert!(key["state"] == was["state"] || key["state"] != "active", "{was} became {key}");
    }
    let shown = ops.get(&format!("/ops/v1/accounts/{uid}")).json();
    assert_eq!(shown["frozen"], "lost laptop", "the owner's freeze is the owner's to end");
    assert_eq!(owner.get(&format!("/v1/step-up/{ceremony}")).status, 401, "the session ended with the factors");

    // At the owners' door the token is nobody's, and here there is no owners' door.
    let people = Desk::console(server, &token);
    let document = people.get("/v1/openapi.json").json();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let path = path.replace("{account}", &uid.to_string()).replace("{step_up}", &ceremony);
            let body = operation.get("requestBody").map(|_| json!({}));
            let (method, headers) = (method.to_uppercase(), format!("Latchkey-Step-Up: {ceremony}\r\n"));
            assert_eq!(ops.with(&method, &path, &headers, body.as_ref()).status, 404, "{method} {path}");
            if operation["security"] != json!([]) {
                let answer = people.with(&method, &path, &headers, body.as_ref());
                assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text());
            }
        }
    }
}

/// Waits for a letter that says `text`.
fn letter(ops: &Desk, email: &str, text: &str) -> bool {
    (0..20_000).any(|_| {
        let letters = ops.get("/ops/v1/mailbox").json();
        let letters = letters["messages"].as_array().expect("messages").clone();
        letters.iter().any(|letter| letter["to"] == email && letter["text"].to_string().contains(text))
    })
}

#[test]
fn a_reset_of_lost_factors_is_told_and_holds_what_widens() {
    let House { server, .. } = &house();
    let ops = Desk::ops(server, &demo_token(&server.data));
    let (owner, _) = alice(server);
    let uid = ops.get("/ops/v1/accounts?email=alice@example.com").json()["accounts"][0]["uid"].clone();
    assert_eq!(ops.act("POST", &format!("/ops/v1/accounts/{uid}/reset-factors")).status, 204);
    assert_eq!(owner.get("/v1/accounts/me/notices").status, 401, "the session ended with the factors");
    let password = json!({
        "email": "alice@example.com",
        "password": "planted-password-of-alice-7",
        "transport": "bearer",
    });
    let signed_in = Desk::console(server, "").post("/v1/session", password);
    assert_eq!(signed_in.status, 201, "{}", signed_in.text());
    let owner = Desk::console(server, signed_in.json()["token"].as_str().expect("a token"));
    let told = "An operator took every second factor of the account away";
    let notices = owner.get("/v1/accounts/me/notices").text();
    assert!(notices.contains(told), "{notices}");
    assert!(letter(&ops, "alice@example.com", told));

    // The owner enrols anew, with the password and a code by e-mail.
    let begun = owner.act("POST", "/v1/factors/totp/begin").json();
    let seed = begun["seed"].as_str().expect("a seed").to_owned();
    let body = json!({ "registration": begun["registration"], "code": totp_code(&seed, 0) });
    let enrol = ("POST", "/v1/factors/totp/confirm");
    let (status, said) = confirmed_with(&owner, enrol, "", Some(&body), |id, need| {
        let at = format!("/v1/step-up/{id}");
        let proved = match need {
            "password" => owner.post(&format!("{at}/password"), json!({ "password": "planted-password-of-alice-7" })),
            "email-code" => {
                assert_eq!(owner.act("POST", &format!("{at}/email")).status, 204);
                let code = sent_code(&ops, "alice@example.com", "Confirm a change");
                owner.post(&format!("{at}/email/verify"), json!({ "code": code }))
            }
            other => panic!("`{other}` is asked for the first factor"),
        };
        assert_eq!(proved.status, 200, "{}", proved.text());
    });
    assert_eq!(status, 204, "{said}");
    // Whoever did it gets no new key, no wider one and none back for a day.
    let keys = owner.get("/v1/accounts/me/keys").json()["keys"].clone();
    let id = |label: &str| {
        let found = keys.as_array().expect("keys").iter().find(|key| key["label"] == label).expect("the key");
        format!("/v1/accounts/me/keys/{}", found["id"].as_str().expect("an id"))
    };
    let held = |answer: crate::wire::Answer| {
        assert_eq!(answer.json()["type"], "/docs/errors#widening-held", "{} {}", answer.status, answer.text());
    };
    held(owner.post("/v1/accounts/me/keys", json!({ "label": "bot", "ips": ["127.0.0.1"] })));
    held(owner.post("/v1/accounts/me/tax-key", json!({ "label": "tax" })));
    held(owner.post("/v1/accounts/me/sub-accounts", json!({ "email": "sub@example.com" })));
    held(owner.post(&format!("{}/rotate", id("trader")), json!({ "overlapHours": 1 })));
    held(owner.patch(&id("reader"), json!({ "unrestricted": true })));
    // What narrows goes on, and stays.
    assert_eq!(owner.act("POST", &format!("{}/disable", id("trader"))).status, 204);
    assert_ne!(trader().call(server.api, "GET", "/api/v3/account", "").status, 200);
    held(owner.act("POST", &format!("{}/enable", id("trader"))));
}

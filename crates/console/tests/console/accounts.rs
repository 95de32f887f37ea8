//! What owners do with their accounts beyond single keys.

use latchkey_authority::caller::{Caller, Via};
use latchkey_authority::change::Effect;
use latchkey_authority::issue::{FixedText, NewKey, NewProof};
use latchkey_authority::key::{DeleteReason, KeyState};
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::Store as _;
use latchkey_authority::service::Authority;
use latchkey_protocol::{AccountId, KeyId, Permission, PermissionSet};
use serde_json::{Value, json};

use crate::client::{Console, User};
use crate::house::{PASSWORD, SEED};

const KEYS: &str = "/v1/accounts/me/keys";

fn id_of(created: &Value) -> String {
    created["key"]["id"].as_str().unwrap().to_owned()
}

fn authority(console: &Console) -> Authority<crate::house::House> {
    Authority::new(console.house.clone(), Policy::default())
}

/// A key of account `on` that the trading key `maker` of alice made by a signed call.
async fn made_by(console: &Console, maker: &str, on: i64) -> KeyId {
    let key = console.house.key(maker);
    let via = Via::Key { key: key.id };
    let caller = Caller { account: AccountId(1), from: Some([192, 0, 2, 1].into()), via, step_up: None, claim: None };
    let new = NewKey {
        label: "made".into(),
        proof: NewProof::Hmac,
        permissions: PermissionSet::READING.with(Permission::SpotAndMarginTrading),
        ips: Some("192.0.2.1".into()),
        symbols: None,
        fixed: FixedText::default(),
        created: None,
    };
    let now = latchkey_admission::ports::Clock::now(&console.house);
    let made = authority(console).create_key(&caller, AccountId(on), &new, now).await;
    made.unwrap_or_else(|error| panic!("{error}")).record.id
}

async fn trading_key(alice: &User<'_>) -> String {
    let body = json!({
        "label": "maker", "ips": ["192.0.2.1"], "permissions": ["reading", "spot-and-margin-trading"],
    });
    id_of(&alice.change("POST", KEYS, &[], Some(body)).await.ok())
}

#[tokio::test]
async fn there_is_one_tax_key_and_it_is_never_widened() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let path = "/v1/accounts/me/tax-key";
    assert_eq!(alice.post(path, json!({ "label": "tax" })).await.problem(), "step-up-needed");
    let made = alice.change("POST", path, &[], Some(json!({ "label": "tax" }))).await.ok();
    assert_eq!((&made["key"]["kind"], &made["key"]["permissions"]), (&json!("tax"), &json!(["reading"])));
    assert_eq!(made["secretKey"].as_str().unwrap().len(), 64);
    let second = alice.post(path, json!({ "label": "another" })).await;
    assert_eq!((second.status.as_u16(), second.problem()), (409, "limit"), "{second:?}");
    let key = format!("{KEYS}/{}", id_of(&made));
    let wider = Some(json!({ "permissions": ["reading", "spot-and-margin-trading"] }));
    let refused = alice.send("PATCH", &key, &[("if-match", "\"v1\"")], wider).await;
    assert!(refused.status.is_client_error() && refused.problem() != "step-up-needed", "{refused:?}");
    assert_eq!(alice.change("DELETE", &key, &[], None).await.status, 204);
    assert_eq!(alice.change("POST", path, &[], Some(json!({ "label": "another" }))).await.status, 201);
}

#[tokio::test]
async fn a_sub_account_is_opened_by_its_master_alone_and_its_address_is_its_own() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let path = "/v1/accounts/me/sub-accounts";
    let body = |email: &str| Some(json!({ "email": email, "password": PASSWORD }));
    let made = alice.change("POST", path, &[], body("desk@example.com")).await;
    assert_eq!((made.status.as_u16(), &made.body["master"]), (201, &json!(1)), "{made:?}");
    let twice = alice.change("POST", path, &[], body("desk@example.com")).await;
    assert_eq!((twice.status.as_u16(), twice.problem()), (409, "taken"), "{twice:?}");
    for wrong in [json!({ "email": "desk" }), json!({ "email": "two@example.com", "password": "short" })] {
        assert_eq!(alice.post(path, wrong.clone()).await.status, 422, "{wrong}");
    }
    let subs = alice.get(path).await.ok();
    assert_eq!(subs["subAccounts"].as_array().unwrap().len(), 2);
    let desk = User::of(&console, &console.password("desk@example.com", PASSWORD).await.ok());
    let deeper = desk.post(path, json!({ "email": "deeper@example.com" })).await;
    assert!(deeper.status.is_client_error() && deeper.problem() != "step-up-needed", "{deeper:?}");
    let stranger = console.bob().await;
    assert_eq!(stranger.post("/v1/accounts/1/sub-accounts", json!({ "email": "x@example.com" })).await.status, 404);
}

#[tokio::test]
async fn all_that_a_key_made_ends_in_one_confirmed_step() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let maker = trading_key(&alice).await;
    let made = [made_by(&console, &maker, 3).await, made_by(&console, &maker, 3).await];
    let other = alice.make_key("other").await;
    let path = format!("{KEYS}/{maker}/end-descendants");
    assert_eq!(alice.act(&path).await.problem(), "step-up-needed");
    let ended = alice.change("POST", &path, &[], None).await.ok();
    assert_eq!(ended["keys"], 2);
    for id in made {
        let state = console.house.key(&id.to_string()).state;
        assert!(matches!(state, KeyState::Deleted { reason: DeleteReason::MakerEnded, .. }), "{state:?}");
    }
    for id in [&maker, &id_of(&other)] {
        assert!(matches!(console.house.key(id).state, KeyState::Active), "it was not made by that key");
    }
    assert_eq!(alice.change("POST", &path, &[], None).await.ok()["keys"], 0, "there is nothing left");
}

#[tokio::test]
async fn notices_are_read_once_each_by_those_they_are_for() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let maker = trading_key(&alice).await;
    let key = made_by(&console, &maker, 3).await.to_string();
    made_by(&console, &maker, 3).await;
    let path = "/v1/accounts/me/notices";
    let first = alice.get(&format!("{path}?limit=1")).await.ok();
    let notice = &first["notices"][0];
    assert_eq!((&notice["kind"], &notice["key"]), (&json!("signed-call"), &json!(key)));
    assert!(notice["text"].as_str().unwrap().contains("made by a signed call"), "{notice}");
    // Where one reader stopped, the next page goes on.
    let (mut after, mut seen) = (first["next"].clone(), vec![notice["id"].clone()]);
    while after != Value::Null {
        let page = alice.get(&format!("{path}?limit=1&after={after}")).await.ok();
        seen.extend(page["notices"].as_array().unwrap().iter().map(|notice| notice["id"].clone()));
        after = page["next"].clone();
    }
    let all = alice.get(path).await.ok();
    let ids: Vec<Value> = all["notices"].as_array().unwrap().iter().map(|notice| notice["id"].clone()).collect();
    assert_eq!((seen, ids.len()), (ids.clone(), 2));
    assert_eq!(alice.get("/v1/accounts/3/notices").await.ok()["notices"].as_array().unwrap().len(), 2);
    let bob = console.bob().await;
    assert_eq!(bob.get(path).await.ok()["notices"], json!([]));
}

#[tokio::test]
async fn pages_have_bounds() {
    let console = Console::new().await;
    let alice = console.alice().await;
    for list in ["notices", "audit"] {
        for bad in ["limit=0", "limit=201", "limit=-1", "limit=x", "after=-1", "after=9223372036854775808", "page=2"] {
            let reply = alice.get(&format!("/v1/accounts/me/{list}?{bad}")).await;
            assert_eq!((reply.status.as_u16(), reply.problem()), (400, "malformed"), "{list} {bad}");
        }
        assert_eq!(alice.get(&format!("/v1/accounts/me/{list}?limit=200")).await.status, 200);
        assert_eq!(alice.get(&format!("/v1/accounts/me/{list}?after=9223372036854775807")).await.status, 200);
    }
}

#[tokio::test]
async fn a_freeze_cancels_open_orders_when_it_is_asked_to() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let cancels = || {
        let effects = console.house.effects();
        effects.iter().filter(|effect| matches!(effect, Effect::CancelEverything { owner } if owner.0 == 1)).count()
    };
    alice.make_key("bot").await;
    assert_eq!(alice.post("/v1/accounts/me/freeze", json!({ "reason": "asleep" })).await.status, 204);
    assert_eq!(cancels(), 0);
    assert_eq!(alice.change("POST", "/v1/accounts/me/unfreeze", &[], None).await.status, 204);
    let freeze = json!({ "reason": "lost laptop", "cancelOrders": true });
    assert_eq!(alice.post("/v1/accounts/me/freeze", freeze).await.status, 204);
    assert_eq!(cancels(), 1);
    let panic = |cancel: bool| json!({ "cancelOrders": cancel });
    assert_eq!(alice.post("/v1/accounts/me/freeze-keys", panic(false)).await.ok()["keys"], 1);
    assert_eq!(cancels(), 1);
    assert_eq!(alice.post("/v1/accounts/me/freeze-keys", panic(true)).await.status, 200);
    assert_eq!(cancels(), 2, "orders go even when no key is left in use");
}

#[tokio::test]
async fn of_two_editors_of_an_account_the_second_is_told() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let path = "/v1/accounts/me";
    let tag = alice.get(path).await.headers["etag"].to_str().unwrap().to_owned();
    let edit = |on: bool| Some(json!({ "defaultSecurityControls": on }));
    assert_eq!(alice.change("PATCH", path, &[("if-match", &tag)], edit(false)).await.status, 200);
    let late = alice.send("PATCH", path, &[("if-match", &tag)], edit(true)).await;
    assert_eq!((late.status.as_u16(), late.problem()), (412, "stale"));
    let blind = alice.send("PATCH", path, &[], edit(true)).await;
    assert_eq!((blind.status.as_u16(), blind.problem()), (428, "precondition-needed"));
    assert_eq!(alice.get(path).await.ok()["defaultSecurityControls"], false);
}

#[tokio::test]
async fn an_idempotency_key_of_another_request_is_refused_on_every_route() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let once = [("idempotency-key", "one-for-all")];
    let body = json!({ "label": "bot", "ips": ["192.0.2.1"] });
    let made = alice.change("POST", KEYS, &once, Some(body.clone())).await.ok();
    let rotate = format!("{KEYS}/{}/rotate", id_of(&made));
    for (path, body) in [
        (KEYS, json!({ "label": "bot", "ips": ["192.0.2.2"] })),
        ("/v1/accounts/3/keys", body),
        ("/v1/accounts/me/tax-key", json!({ "label": "tax" })),
        ("/v1/accounts/me/sub-accounts", json!({ "email": "new@example.com" })),
        (rotate.as_str(), json!({ "overlapHours": 1 })),
    ] {
        let reused = alice.send("POST", path, &once, Some(body)).await;
        assert_eq!((reused.status.as_u16(), reused.problem()), (422, "idempotency-reused"), "{path}");
    }
    for bad in ["short", "with space", "x".repeat(65).as_str()] {
        let reply = alice.send("POST", KEYS, &[("idempotency-key", bad)], Some(json!({ "label": "x" }))).await;
        assert_eq!(reply.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_browser_changes_nothing_without_its_csrf_token_or_from_a_foreign_page() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let id = id_of(&alice.make_key("bot").await);
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let needed = console.send("POST", "/v1/session", &[], Some(body)).await;
    let pending = needed.ok();
    let body = json!({ "signIn": pending["signIn"], "code": console.house.code(SEED) });
    let signed_in = console.send("POST", "/v1/session/totp", &[], Some(body)).await;
    let cookie = signed_in.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let csrf = signed_in.body["csrf"].as_str().unwrap().to_owned();
    let (cookie, csrf) = (("cookie", cookie.as_str()), ("x-latchkey-csrf", csrf.as_str()));
    for (method, path, body) in [
        ("POST", KEYS.to_owned(), Some(json!({ "label": "x" }))),
        ("POST", format!("{KEYS}/{id}/disable"), None),
        ("POST", "/v1/accounts/me/freeze".to_owned(), Some(json!({ "reason": "x" }))),
        ("PATCH", "/v1/accounts/me".to_owned(), Some(json!({ "defaultSecurityControls": false }))),
        ("DELETE", KEYS.to_owned(), None),
        ("POST", "/v1/password".to_owned(), Some(json!({ "password": "another long password" }))),
    ] {
        let bare = console.send(method, &path, &[cookie], body.clone()).await;
        assert_eq!((bare.status.as_u16(), bare.problem()), (403, "csrf"), "{method} {path}");
        for origin in ["http://evil.example", "null", "http://localhost:8601.evil.example", "https://localhost:8601"] {
            let foreign = console.send(method, &path, &[cookie, csrf, ("origin", origin)], body.clone()).await;
            assert_eq!(foreign.status, 403, "{method} {path} from {origin}");
            assert_eq!(foreign.body, Value::Null, "it is refused before anything is read");
        }
    }
    let loaded = console.house.load(AccountId(1)).await.unwrap().unwrap();
    assert!(loaded.keys.iter().all(|key| matches!(key.state, KeyState::Active)));
    assert!(loaded.account.default_security_controls);
    let own = [cookie, csrf, ("origin", "http://localhost:8601")];
    assert_eq!(console.send("POST", &format!("{KEYS}/{id}/disable"), &own, None).await.status, 204);
}

#[tokio::test]
async fn a_reset_of_lost_factors_holds_what_widens_for_a_day() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let id = id_of(&alice.make_key("bot").await);
    let now = latchkey_admission::ports::Clock::now(&console.house);
    let via = Via::Operator("olga".into());
    let operator = Caller { account: AccountId(1), from: None, via, step_up: None, claim: None };
    authority(&console).reset_factors(&operator, AccountId(1), now).await.unwrap();
    assert_eq!(alice.get("/v1/session").await.problem(), "sign-in-needed", "whoever was signed in is not any more");
    let signed_in = console.password("alice@example.com", PASSWORD).await.ok();
    let alice = User::of(&console, &signed_in);
    assert!(alice.get("/v1/accounts/me/notices").await.ok().to_string().contains("took every second factor"));

    let begun = alice.act("/v1/factors/totp/begin").await.ok();
    let seed = begun["seed"].as_str().unwrap().to_owned();
    let body = json!({ "registration": begun["registration"], "code": console.house.code(&seed) });
    assert_eq!(alice.change("POST", "/v1/factors/totp/confirm", &[], Some(body)).await.status, 204);
    let new = || Some(json!({ "label": "new", "ips": ["192.0.2.1"] }));
    assert_eq!(alice.send("POST", KEYS, &[], new()).await.problem(), "widening-held");
    let open = Some(json!({ "unrestricted": true }));
    let path = format!("{KEYS}/{id}");
    assert_eq!(alice.send("PATCH", &path, &[("if-match", "\"v1\"")], open).await.problem(), "widening-held");
    assert_eq!(alice.act(&format!("{path}/disable")).await.status, 204, "what narrows goes on");
    assert_eq!(alice.act(&format!("{path}/enable")).await.problem(), "widening-held");

    let sign_in = async || {
        let needed = console.password("alice@example.com", PASSWORD).await.ok();
        let body = json!({ "signIn": needed["signIn"], "code": console.house.code(&seed) });
        let signed_in = console.send("POST", "/v1/session/totp", &[], Some(body)).await.ok();
        console.house.wait_s(30);
        User::of(&console, &signed_in)
    };
    console.house.wait_s(23 * 60 * 60);
    assert_eq!(sign_in().await.send("POST", KEYS, &[], new()).await.problem(), "widening-held");
    console.house.wait_s(60 * 60);
    assert_eq!(sign_in().await.send("POST", KEYS, &[], new()).await.problem(), "step-up-needed");
}

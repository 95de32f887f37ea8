use serde_json::{Value, json};

use crate::authenticator::Authenticator;
use crate::client::{Console, User};
use crate::house::{PASSWORD, SEED};

/// Bob enrols one-time codes; gives the seed.
async fn enrol_totp(bob: &User<'_>) -> String {
    let begun = bob.act("/v1/factors/totp/begin").await.ok();
    let seed = begun["seed"].as_str().unwrap().to_owned();
    assert!(begun["uri"].as_str().unwrap().contains(&format!("secret={seed}")));
    let body = json!({ "registration": begun["registration"], "code": bob.console.house.code(&seed) });
    let confirmed = bob.change("POST", "/v1/factors/totp/confirm", &[], Some(body)).await;
    assert_eq!(confirmed.status, 204, "{confirmed:?}");
    seed
}

#[tokio::test]
async fn the_first_factor_needs_the_password_again_and_a_code_by_e_mail() {
    let console = Console::new().await;
    let bob = console.bob().await;
    let begun = bob.act("/v1/factors/totp/begin").await.ok();
    let seed = begun["seed"].as_str().unwrap();
    let wrong = json!({ "registration": begun["registration"], "code": "000000" });
    assert_eq!(bob.post("/v1/factors/totp/confirm", wrong).await.problem(), "proof-refused");
    console.house.forgive();
    let body = json!({ "registration": begun["registration"], "code": console.house.code(seed) });
    let asked = bob.post("/v1/factors/totp/confirm", body.clone()).await;
    assert_eq!(asked.body["stepUp"]["needs"], json!(["password", "email-code"]));
    let id = asked.step_up();
    // A ceremony takes longer than a code lives; the code was shown already.
    console.house.wait_s(120);
    bob.post(&format!("/v1/step-up/{id}/password"), json!({ "password": PASSWORD })).await.ok();
    bob.prove_email(&id).await.ok();
    let added = bob.send("POST", "/v1/factors/totp/confirm", &[("latchkey-step-up", &id)], Some(body)).await;
    assert_eq!(added.status, 204, "{added:?}");
    let needed = console.password("bob@example.com", PASSWORD).await.ok();
    assert_eq!(needed["factors"], json!(["totp"]));
    let sign_in = json!({ "signIn": needed["signIn"], "code": console.house.code(seed) });
    assert_eq!(console.send("POST", "/v1/session/totp", &[], Some(sign_in)).await.status, 201);
    assert!(!console.house.shelf_text().contains(seed), "seeds rest sealed");
}

#[tokio::test]
async fn the_last_factor_stays_while_keys_live() {
    let console = Console::new().await;
    let alice = console.alice().await;
    alice.make_key("bot").await;
    let refused = alice.change("DELETE", "/v1/factors/totp", &[], None).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (409, "last-factor"));
    let mut phone = Authenticator::new("phone");
    assert_eq!(alice.enrol(&mut phone).await.status, 201);
    assert_eq!(alice.change("DELETE", "/v1/factors/totp", &[], None).await.status, 204);
    let id = phone.id();
    let last = alice.send("DELETE", &format!("/v1/factors/passkeys/{id}"), &[], None).await;
    assert_eq!(last.problem(), "last-factor");
    assert_eq!(alice.send("DELETE", "/v1/factors/passkeys/unknown", &[], None).await.problem(), "factor-unknown");
}

#[tokio::test]
async fn a_registration_belongs_to_its_account_and_a_passkey_to_one_registration() {
    let console = Console::new().await;
    let (alice, bob) = (console.alice().await, console.bob().await);
    let mut phone = Authenticator::new("phone");
    let begun = alice.act("/v1/factors/passkeys/begin").await.ok();
    let credential = phone.create(&begun["options"]);
    let path = "/v1/factors/passkeys/finish";
    let stolen = json!({ "registration": begun["registration"], "label": "x", "credential": credential });
    assert_eq!(bob.post(path, stolen).await.problem(), "ceremony-unknown");
    let other = alice.act("/v1/factors/passkeys/begin").await.ok();
    let mixed = json!({ "registration": other["registration"], "label": "x", "credential": credential });
    assert_eq!(alice.post(path, mixed).await.problem(), "proof-refused");
    phone.verifies = false;
    let unverified = phone.create(&other["options"]);
    let unverified = json!({ "registration": other["registration"], "label": "x", "credential": unverified });
    assert_eq!(alice.post(path, unverified).await.problem(), "proof-refused");
    for credential in [json!({}), json!("x"), json!({ "rawId": "%", "response": {} }), Value::Null] {
        let body = json!({ "registration": other["registration"], "label": "x", "credential": credential });
        assert_eq!(alice.post(path, body).await.status, 422, "{credential}");
    }
}

#[tokio::test]
async fn a_recovery_code_signs_in_once_and_stands_for_a_lost_factor() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let made = alice.change("POST", "/v1/factors/recovery-codes", &[], None).await.ok();
    let codes: Vec<&str> = made["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(codes.len(), 10);
    let sign_in = async |code: &str| {
        let needed = console.password("alice@example.com", PASSWORD).await.ok();
        let body = json!({ "signIn": needed["signIn"], "code": code });
        console.send("POST", "/v1/session/recovery", &[], Some(body)).await
    };
    assert_eq!(sign_in(codes[0]).await.status, 201);
    assert_eq!(sign_in(codes[0]).await.problem(), "proof-refused");
    console.house.forgive();
    let upper = codes[1].to_uppercase().replace('-', " ");
    let alice = User::of(&console, &sign_in(&upper).await.ok());

    // It stands for the factor where factors change, and nowhere else.
    let prove =
        async |id: &str, code: &str| alice.post(&format!("/v1/step-up/{id}/recovery"), json!({ "code": code })).await;
    let id = alice.post("/v1/accounts/me/keys", json!({ "label": "bot", "ips": ["192.0.2.1"] })).await.step_up();
    assert_eq!(prove(&id, codes[2]).await.ok()["needs"], json!(["factor"]));
    let body = json!({ "password": "a much longer password" });
    let id = alice.post("/v1/password", body.clone()).await.step_up();
    assert_eq!(prove(&id, codes[3]).await.ok()["needs"], json!([]));
    let changed = alice.send("POST", "/v1/password", &[("latchkey-step-up", &id)], Some(body)).await;
    assert_eq!(changed.status, 204, "{changed:?}");
    assert_eq!(console.house.account(1).recovery.len(), 7, "one was spent with the change, one was only shown");
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let console = Console::new().await;
    let (alice, elsewhere) = (console.alice().await, console.alice().await);
    let short = alice.post("/v1/password", json!({ "password": "short" })).await;
    assert_eq!((short.status.as_u16(), short.body["field"].as_str()), (422, Some("password")));
    let body = json!({ "password": "a much longer password" });
    let changed = alice.change("POST", "/v1/password", &[], Some(body)).await;
    assert_eq!(changed.status, 204, "{changed:?}");
    assert_eq!(elsewhere.get("/v1/session").await.problem(), "sign-in-needed");
    assert_eq!(alice.get("/v1/session").await.status, 200);
    assert_eq!(console.password("alice@example.com", PASSWORD).await.problem(), "sign-in-refused");
    console.house.forgive();
    assert_eq!(console.password("alice@example.com", "a much longer password").await.status, 200);
}

#[tokio::test]
async fn a_new_seed_starts_with_no_step_used() {
    let console = Console::new().await;
    let bob = console.bob().await;
    let seed = enrol_totp(&bob).await;
    assert_ne!(seed, SEED);
    let factors = bob.get("/v1/factors").await.ok();
    assert_eq!((&factors["totp"], &factors["recoveryCodes"]), (&json!(true), &json!(0)));
}

#[tokio::test]
async fn controls_go_off_with_a_code_by_e_mail_and_on_without_proof() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let tag = alice.get("/v1/accounts/me").await.headers["etag"].to_str().unwrap().to_owned();
    let off = Some(json!({ "defaultSecurityControls": false }));
    let asked = alice.send("PATCH", "/v1/accounts/me", &[("if-match", &tag)], off.clone()).await;
    assert_eq!(asked.body["stepUp"]["needs"], json!(["factor", "email-code"]), "{asked:?}");
    let changed = alice.change("PATCH", "/v1/accounts/me", &[("if-match", &tag)], off).await;
    assert_eq!(changed.body["defaultSecurityControls"], false, "{changed:?}");
    let tag = changed.headers["etag"].to_str().unwrap().to_owned();
    let on = Some(json!({ "defaultSecurityControls": true }));
    let back = alice.send("PATCH", "/v1/accounts/me", &[("if-match", &tag)], on).await;
    assert_eq!(back.body["defaultSecurityControls"], true, "{back:?}");
}

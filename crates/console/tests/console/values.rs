//! A confirmation is for the value that was asked for: another one of the same kind needs its own.

use serde_json::{Value, json};

use crate::client::{Console, Reply, User};
use crate::house::PASSWORD;

const FIRST: &str = "the first new password";
const SECOND: &str = "the second new password";

/// Asks for a change, proves it with a one-time code, and gives the ceremony.
async fn proven(user: &User<'_>, path: &str, body: Value) -> String {
    let id = user.post(path, body).await.step_up();
    user.prove_totp(&id).await.ok();
    id
}

async fn with(user: &User<'_>, path: &str, id: &str, body: Option<Value>) -> Reply {
    user.send("POST", path, &[("latchkey-step-up", id)], body).await
}

fn password(text: &str) -> Value {
    json!({ "password": text })
}

#[tokio::test]
async fn a_confirmation_for_one_password_sets_no_other() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let id = proven(&alice, "/v1/password", password(FIRST)).await;
    let refused = with(&alice, "/v1/password", &id, Some(password(SECOND))).await;
    assert_eq!(refused.problem(), "step-up-wrong", "{refused:?}");
    assert_eq!(console.password("alice@example.com", PASSWORD).await.status, 200, "the password is what it was");

    let id = proven(&alice, "/v1/password", password(FIRST)).await;
    assert!(!console.house.shelf_text().contains(FIRST));
    assert!(!console.house.shelf_text().contains("argon2"), "what was drawn rests sealed");
    assert_eq!(with(&alice, "/v1/password", &id, Some(password(FIRST))).await.status, 204);
    assert_eq!(console.password("alice@example.com", FIRST).await.status, 200);
}

#[tokio::test]
async fn a_confirmation_for_one_set_of_recovery_codes_makes_that_set() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let path = "/v1/factors/recovery-codes";
    let (first, second) = (alice.act(path).await.step_up(), alice.act(path).await.step_up());
    alice.prove_totp(&second).await.ok();
    let made = with(&alice, path, &second, None).await.ok();
    let codes: Vec<String> = serde_json::from_value(made["codes"].clone()).unwrap();
    assert_eq!(codes.len(), 10);
    assert!(codes.iter().all(|code| !console.house.shelf_text().contains(code.as_str())), "codes rest sealed");
    let needed = console.password("alice@example.com", PASSWORD).await.ok();
    let sign_in = json!({ "signIn": needed["signIn"], "code": codes[9] });
    assert_eq!(console.send("POST", "/v1/session/recovery", &[], Some(sign_in)).await.status, 201);
    // The other set was never made, and the account has changed since.
    alice.prove_totp(&first).await.ok();
    assert_eq!(with(&alice, path, &first, None).await.problem(), "step-up-wrong");
}

#[tokio::test]
async fn a_confirmation_of_another_kind_brings_no_password() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let id = alice.act("/v1/factors/recovery-codes").await.step_up();
    alice.prove_totp(&id).await.ok();
    assert_eq!(with(&alice, "/v1/password", &id, Some(password(FIRST))).await.problem(), "step-up-wrong");
}

#[tokio::test]
async fn a_confirmation_for_a_sub_account_is_for_its_password_too() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let path = "/v1/accounts/me/sub-accounts";
    let sub = |text: Option<&str>| json!({ "email": "new@example.com", "password": text });
    for (asked, made) in [(Some(FIRST), Some(SECOND)), (None, Some(FIRST)), (Some(FIRST), None)] {
        let id = proven(&alice, path, sub(asked)).await;
        assert_eq!(with(&alice, path, &id, Some(sub(made))).await.problem(), "step-up-wrong", "{asked:?} {made:?}");
    }
    let id = proven(&alice, path, sub(Some(FIRST))).await;
    let made = with(&alice, path, &id, Some(sub(Some(FIRST)))).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(console.password("new@example.com", FIRST).await.status, 201);
}

#[tokio::test]
async fn a_product_opens_however_long_the_proof_took() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let body = json!({ "email": "new@example.com" });
    let sub = alice.change("POST", "/v1/accounts/me/sub-accounts", &[], Some(body)).await.ok();
    let path = format!("/v1/accounts/{}", sub["uid"]);
    let tag = alice.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
    let open = Some(json!({ "open": ["futures"] }));
    let opened = alice.change("PATCH", &path, &[("if-match", &tag)], open).await;
    assert_eq!(opened.status, 200, "{opened:?}");
    assert!(opened.body["futuresOpened"].is_i64(), "{opened:?}");
}

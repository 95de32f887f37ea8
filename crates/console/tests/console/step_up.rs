//! Confirmations that must be refused, and what a good one allows: exactly one change, once.

use serde_json::{Value, json};

use crate::authenticator::Authenticator;
use crate::client::{Console, Reply, User};
use crate::house::{PASSWORD, SEED};

const KEYS: &str = "/v1/accounts/me/keys";

/// Asks for a key and gives the ceremony.
async fn ask(user: &User<'_>, label: &str) -> String {
    user.post(KEYS, new_key(label)).await.step_up()
}

fn new_key(label: &str) -> Value {
    json!({ "label": label, "ips": ["192.0.2.1"] })
}

async fn repeat(user: &User<'_>, label: &str, id: &str) -> Reply {
    user.send("POST", KEYS, &[("latchkey-step-up", id)], Some(new_key(label))).await
}

async fn begin(user: &User<'_>, id: &str) -> Value {
    user.act(&format!("/v1/step-up/{id}/passkey/begin")).await.ok()
}

async fn finish(user: &User<'_>, id: &str, credential: Value) -> Reply {
    user.post(&format!("/v1/step-up/{id}/passkey/finish"), json!({ "credential": credential })).await
}

/// Alice with a passkey.
async fn alice_with<'a>(console: &'a Console, authenticator: &mut Authenticator) -> User<'a> {
    let alice = console.alice().await;
    assert_eq!(alice.enrol(authenticator).await.status, 201);
    alice
}

fn failures(console: &Console) -> usize {
    console.house.audit().iter().filter(|event| format!("{:?}", event.action) == "StepUpFailed").count()
}

#[tokio::test]
async fn a_one_time_code_confirms_one_change_once() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let id = ask(&alice, "bot").await;
    assert_eq!(repeat(&alice, "bot", &id).await.problem(), "step-up-needed", "nothing was shown yet");
    let proven = alice.prove_totp(&id).await.ok();
    assert_eq!((&proven["needs"], &proven["proven"]), (&json!([]), &json!(["totp"])));
    assert_eq!(repeat(&alice, "bot", &id).await.status, 201);
    assert_eq!(repeat(&alice, "bot", &id).await.problem(), "step-up-wrong", "it is used up");
    assert_eq!(
        console.house.audit().last().map(|event| format!("{:?}", event.action)).as_deref(),
        Some("StepUpFailed")
    );
}

#[tokio::test]
async fn a_confirmation_fits_no_other_change() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let id = ask(&alice, "bot").await;
    alice.prove_totp(&id).await.ok();
    assert_eq!(repeat(&alice, "another", &id).await.problem(), "step-up-wrong");
}

#[tokio::test]
async fn a_confirmation_fits_no_account_that_changed_since() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let id = ask(&alice, "bot").await;
    alice.prove_totp(&id).await.ok();
    alice.make_key("in between").await;
    assert_eq!(repeat(&alice, "bot", &id).await.problem(), "step-up-wrong");
}

#[tokio::test]
async fn a_confirmation_lives_five_minutes() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let id = ask(&alice, "bot").await;
    alice.prove_totp(&id).await.ok();
    console.house.wait_s(5 * 60);
    assert_eq!(repeat(&alice, "bot", &id).await.problem(), "step-up-wrong");
}

/// A change that waits for its proof, named "two", and the present code, which has proved another one.
async fn used_code(alice: &User<'_>) -> (String, Value) {
    let (first, second) = (ask(alice, "one").await, ask(alice, "two").await);
    let code = json!({ "code": alice.console.house.code(SEED) });
    alice.post(&format!("/v1/step-up/{first}/totp"), code.clone()).await.ok();
    (second, code)
}

#[tokio::test]
async fn a_replayed_code_is_refused() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let (second, code) = used_code(&alice).await;
    let replayed = alice.post(&format!("/v1/step-up/{second}/totp"), code).await;
    assert_eq!(replayed.problem(), "proof-refused");
    assert_eq!(repeat(&alice, "two", &second).await.problem(), "step-up-needed");
    assert_eq!(failures(&console), 1);
}

#[tokio::test]
async fn a_used_code_is_no_guess() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let (second, code) = used_code(&alice).await;
    let path = format!("/v1/step-up/{second}/totp");
    for _ in 0..30 {
        assert_eq!(alice.post(&path, code.clone()).await.problem(), "proof-refused");
    }
    console.house.wait_s(30);
    alice.post(&path, json!({ "code": console.house.code(SEED) })).await.ok();
}

#[tokio::test]
async fn failures_without_end_do_not_fill_the_audit_chain() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let (second, code) = used_code(&alice).await;
    let path = format!("/v1/step-up/{second}/totp");
    for _ in 0..200 {
        assert_eq!(alice.post(&path, code.clone()).await.problem(), "proof-refused");
    }
    assert_eq!(failures(&console), 61);
    console.house.wait_s(1);
    assert_eq!(alice.post(&path, code).await.problem(), "proof-refused");
    assert_eq!(failures(&console), 62, "after the wait the next one is noted");
}

#[tokio::test]
async fn a_used_code_forgives_no_guess() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let (second, code) = used_code(&alice).await;
    let path = format!("/v1/step-up/{second}/totp");
    let mut waits = Vec::new();
    for _ in 0..4 {
        assert_eq!(alice.post(&path, json!({ "code": "000000" })).await.problem(), "proof-refused");
        let early = alice.post(&path, code.clone()).await;
        assert_eq!(early.problem(), "too-many-attempts");
        let wait: i64 = early.headers["retry-after"].to_str().unwrap().parse().unwrap();
        console.house.wait_s(wait);
        assert_eq!(alice.post(&path, code.clone()).await.problem(), "proof-refused");
        waits.push(wait);
    }
    assert_eq!(waits, [1, 2, 4, 8], "each guess waits longer than the one before");
}

#[tokio::test]
async fn an_older_code_is_refused_after_a_newer_one() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let (first, second) = (ask(&alice, "one").await, ask(&alice, "two").await);
    let older = console.house.code(SEED);
    console.house.wait_s(30);
    alice.post(&format!("/v1/step-up/{first}/totp"), json!({ "code": console.house.code(SEED) })).await.ok();
    let late = alice.post(&format!("/v1/step-up/{second}/totp"), json!({ "code": older })).await;
    assert_eq!(late.problem(), "proof-refused", "it would still be in its window");
}

#[tokio::test]
async fn a_code_with_spaces_is_refused() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let id = ask(&alice, "bot").await;
    let code = console.house.code(SEED);
    let (left, right) = code.split_at(3);
    for text in [format!("{left} {right}"), format!(" {code}"), format!("{code} "), format!("{code}\n")] {
        let refused = alice.post(&format!("/v1/step-up/{id}/totp"), json!({ "code": text })).await;
        assert_eq!(refused.problem(), "proof-refused", "{text:?}");
        // The wait is over, and the step still lasts.
        console.house.forgive();
    }
    alice.post(&format!("/v1/step-up/{id}/totp"), json!({ "code": code })).await.ok();
}

#[tokio::test]
async fn a_passkey_confirms() {
    let console = Console::new().await;
    let mut phone = Authenticator::new("phone");
    let alice = alice_with(&console, &mut phone).await;
    let id = ask(&alice, "bot").await;
    let options = begin(&alice, &id).await;
    assert_eq!(options["userVerification"], "required");
    assert_eq!(options["allowCredentials"][0]["id"], phone.id());
    finish(&alice, &id, phone.get(&options)).await.ok();
    assert_eq!(repeat(&alice, "bot", &id).await.status, 201);
}

#[tokio::test]
async fn a_passkey_that_signed_for_another_change_is_refused() {
    let console = Console::new().await;
    let mut phone = Authenticator::new("phone");
    let alice = alice_with(&console, &mut phone).await;
    let (shown, other) = (ask(&alice, "shown").await, ask(&alice, "other").await);
    let options = begin(&alice, &shown).await;
    begin(&alice, &other).await;
    let credential = phone.get(&options);
    assert_eq!(finish(&alice, &other, credential).await.problem(), "proof-refused");
    assert_eq!(repeat(&alice, "other", &other).await.problem(), "step-up-needed");
    assert_eq!(failures(&console), 1);
}

#[tokio::test]
async fn the_passkey_of_another_account_is_refused() {
    let console = Console::new().await;
    let (mut phone, mut stranger) = (Authenticator::new("phone"), Authenticator::new("stranger"));
    let alice = alice_with(&console, &mut phone).await;
    let bob = console.bob().await;
    assert_eq!(bob.enrol(&mut stranger).await.status, 201);
    let id = ask(&alice, "bot").await;
    let options = begin(&alice, &id).await;
    assert_eq!(finish(&alice, &id, stranger.get(&options)).await.problem(), "proof-refused");
    assert_eq!(failures(&console), 1);
}

#[tokio::test]
async fn a_stale_challenge_is_refused() {
    let console = Console::new().await;
    let mut phone = Authenticator::new("phone");
    let alice = alice_with(&console, &mut phone).await;
    let id = ask(&alice, "bot").await;
    let stale = begin(&alice, &id).await;
    let fresh = begin(&alice, &id).await;
    assert_ne!(stale["challenge"], fresh["challenge"]);
    assert_eq!(finish(&alice, &id, phone.get(&stale)).await.problem(), "proof-refused");
    // The wrong answer used the question up.
    assert_eq!(finish(&alice, &id, phone.get(&fresh)).await.problem(), "proof-refused");
    // A question of a ceremony that is over.
    let last = begin(&alice, &id).await;
    console.house.wait_s(5 * 60);
    assert_eq!(finish(&alice, &id, phone.get(&last)).await.problem(), "ceremony-unknown");
}

#[tokio::test]
async fn a_replayed_answer_of_a_passkey_is_refused() {
    let console = Console::new().await;
    let mut phone = Authenticator::new("phone");
    let alice = alice_with(&console, &mut phone).await;
    let id = ask(&alice, "bot").await;
    let answer = phone.get(&begin(&alice, &id).await);
    finish(&alice, &id, answer.clone()).await.ok();
    assert_eq!(finish(&alice, &id, answer).await.problem(), "proof-refused");
}

#[tokio::test]
async fn a_passkey_without_user_verification_is_refused() {
    let console = Console::new().await;
    let mut phone = Authenticator::new("phone");
    let alice = alice_with(&console, &mut phone).await;
    let id = ask(&alice, "bot").await;
    phone.verifies = false;
    let options = begin(&alice, &id).await;
    assert_eq!(finish(&alice, &id, phone.get(&options)).await.problem(), "proof-refused");
    phone.verifies = true;
    let options = begin(&alice, &id).await;
    finish(&alice, &id, phone.get(&options)).await.ok();
}

#[tokio::test]
async fn a_passkey_of_another_page_or_party_is_refused() {
    let console = Console::new().await;
    let mut phone = Authenticator::new("phone");
    let alice = alice_with(&console, &mut phone).await;
    let id = ask(&alice, "bot").await;
    phone.origin = "https://localhost.evil.example".to_owned();
    let options = begin(&alice, &id).await;
    assert_eq!(finish(&alice, &id, phone.get(&options)).await.problem(), "proof-refused");
    phone.origin = "http://localhost:8601".to_owned();
    phone.rp_id = "evil.example".to_owned();
    let options = begin(&alice, &id).await;
    assert_eq!(finish(&alice, &id, phone.get(&options)).await.problem(), "proof-refused");
}

#[tokio::test]
async fn a_passkey_whose_counter_went_back_is_refused() {
    let console = Console::new().await;
    let mut phone = Authenticator::new("phone");
    let alice = alice_with(&console, &mut phone).await;
    let (first, second) = (ask(&alice, "one").await, ask(&alice, "two").await);
    let options = begin(&alice, &first).await;
    finish(&alice, &first, phone.get(&options)).await.ok();
    phone.rewind();
    let options = begin(&alice, &second).await;
    assert_eq!(finish(&alice, &second, phone.get(&options)).await.problem(), "proof-refused");
}

#[tokio::test]
async fn a_ceremony_belongs_to_its_session() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let elsewhere = console.alice().await;
    let bob = console.bob().await;
    let id = ask(&alice, "bot").await;
    for other in [&elsewhere, &bob] {
        assert_eq!(other.get(&format!("/v1/step-up/{id}")).await.problem(), "ceremony-unknown");
        assert_eq!(other.prove_totp(&id).await.problem(), "ceremony-unknown");
    }
    alice.prove_totp(&id).await.ok();
    assert_eq!(repeat(&elsewhere, "bot", &id).await.problem(), "step-up-wrong");
    assert_eq!(repeat(&alice, "bot", &id).await.status, 201);
}

#[tokio::test]
async fn withdrawals_need_a_code_by_e_mail_too() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let body = json!({ "label": "bot", "permissions": ["reading", "withdrawals"], "ips": ["192.0.2.1"] });
    let asked = alice.post(KEYS, body.clone()).await;
    let id = asked.step_up();
    assert_eq!(asked.body["stepUp"]["needs"], json!(["factor", "email-code"]));
    let half = alice.prove_totp(&id).await.ok();
    assert_eq!(half["needs"], json!(["email-code"]));
    let confirmed = [("latchkey-step-up", id.as_str())];
    assert_eq!(alice.send("POST", KEYS, &confirmed, Some(body.clone())).await.problem(), "step-up-needed");
    let whole = alice.prove_email(&id).await.ok();
    assert_eq!(whole["needs"], json!([]));
    assert_eq!(alice.send("POST", KEYS, &confirmed, Some(body)).await.status, 201);
    let mail = console.house.0.mail.lock().unwrap().clone();
    assert_eq!((mail.len(), mail[0].0.as_str()), (1, "alice@example.com"));
    assert!(mail[0].1.contains("may withdraw"), "the message says what it confirms: {}", mail[0].1);
}

#[tokio::test]
async fn a_code_by_e_mail_is_good_once_and_for_its_ceremony() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let (first, second) = (ask(&alice, "one").await, ask(&alice, "two").await);
    alice.prove_email(&first).await.ok();
    let code = json!({ "code": alice.mailed_code() });
    let verify = |id: &str| format!("/v1/step-up/{id}/email/verify");
    assert_eq!(alice.post(&verify(&first), code.clone()).await.problem(), "proof-refused");
    console.house.forgive();
    alice.act(&format!("/v1/step-up/{second}/email")).await.ok();
    assert_eq!(alice.post(&verify(&second), code).await.problem(), "proof-refused");
    assert!(!console.house.shelf_text().contains(&alice.mailed_code()), "codes rest as hashes");
}

#[tokio::test]
async fn a_text_message_proves_no_more_than_itself() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let id = ask(&alice, "bot").await;
    alice.act(&format!("/v1/step-up/{id}/sms")).await.ok();
    let text = console.house.0.sms.lock().unwrap().last().unwrap().1.clone();
    let code = text.split_whitespace().next().unwrap();
    let state = alice.post(&format!("/v1/step-up/{id}/sms/verify"), json!({ "code": code })).await.ok();
    assert_eq!((&state["proven"], &state["needs"]), (&json!(["sms-code"]), &json!(["factor"])));
}

#[tokio::test]
async fn the_password_proves_no_factor() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let id = ask(&alice, "bot").await;
    let path = format!("/v1/step-up/{id}/password");
    let wrong = alice.post(&path, json!({ "password": "wrong" })).await;
    assert_eq!(wrong.problem(), "proof-refused");
    console.house.forgive();
    let state = alice.post(&path, json!({ "password": PASSWORD })).await.ok();
    assert_eq!(state["needs"], json!(["factor"]));
}

#[tokio::test]
async fn narrowing_needs_no_confirmation_and_undoing_it_does() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let id = alice.make_key("bot").await["key"]["id"].as_str().unwrap().to_owned();
    assert_eq!(alice.act(&format!("{KEYS}/{id}/disable")).await.status, 204);
    assert_eq!(alice.act(&format!("{KEYS}/{id}/enable")).await.problem(), "step-up-needed");
    let enabled = alice.change("POST", &format!("{KEYS}/{id}/enable"), &[], None).await;
    assert_eq!(enabled.status, 204);
    let freeze = json!({ "reason": "lost laptop" });
    assert_eq!(alice.post("/v1/accounts/me/freeze", freeze).await.status, 204);
    assert_eq!(alice.act("/v1/accounts/me/unfreeze").await.problem(), "step-up-needed");
    assert_eq!(alice.change("POST", "/v1/accounts/me/unfreeze", &[], None).await.status, 204);
    assert_eq!(alice.send("DELETE", &format!("{KEYS}/{id}"), &[], None).await.problem(), "step-up-needed");
}

//! Choosing a password by a code that was sent.

use latchkey_authority::change::{Action, Actor, AuditEvent, Outcome};
use latchkey_authority::step_up::{Factor, FactorSet};
use latchkey_protocol::AccountId;
use serde_json::{Value, json};

use crate::client::{Console, Reply};
use crate::house::{HOME, PASSWORD, SEED};
use crate::limits::from;

const NEW: &str = "a password that alice forgot less";

async fn begin(console: &Console, email: &str) -> Value {
    let begun = console.send("POST", "/v1/password/reset", &[], Some(json!({ "email": email }))).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    // The letter is sent beside the answer.
    tokio::task::yield_now().await;
    begun.body["reset"].clone()
}

async fn finish(console: &Console, reset: &Value, code: &str) -> Reply {
    let body = json!({ "reset": reset, "code": code, "password": NEW });
    let reply = console.send("POST", "/v1/password/reset/finish", &[], Some(body)).await;
    tokio::task::yield_now().await;
    reply
}

fn sent_code(console: &Console) -> String {
    let mail = console.house.0.mail.lock().unwrap();
    let (to, text) = mail.last().expect("a letter");
    assert_eq!(to, "alice@example.com");
    let code = text.split_whitespace().find(|word| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit()));
    code.expect("a code").to_owned()
}

fn resets(console: &Console) -> Vec<AuditEvent> {
    console.house.audit().into_iter().filter(|event| event.action == Action::PasswordReset).collect()
}

#[tokio::test]
async fn a_reset_is_audited_as_the_owners_by_a_code_from_an_address() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let reset = begin(&console, "alice@example.com").await;
    let code = sent_code(&console);
    assert_eq!(finish(&console, &reset, &code).await.status, 204);
    let events = resets(&console);
    let [event] = events.as_slice() else { panic!("one record: {events:?}") };
    assert_eq!(event.who, Actor::Owner(AccountId(1)));
    assert_eq!((event.from, &event.outcome), (Some(HOME), &Outcome::Done));
    assert_eq!(event.with, FactorSet::EMPTY.with(Factor::EmailCode));
    assert_eq!(alice.get("/v1/session").await.problem(), "sign-in-needed", "every session ends");
    let needed = console.password("alice@example.com", NEW).await;
    assert_eq!(needed.body["factors"], json!(["totp"]), "a second factor stays what it is");
}

#[tokio::test]
async fn a_reset_ends_what_was_half_done_with_the_old_password() {
    let console = Console::new().await;
    let half = console.password("alice@example.com", PASSWORD).await.ok();
    let reset = begin(&console, "alice@example.com").await;
    let code = sent_code(&console);
    assert_eq!(finish(&console, &reset, &code).await.status, 204);
    let body = json!({ "signIn": half["signIn"], "code": console.house.code(SEED) });
    let reply = console.send("POST", "/v1/session/totp", &[], Some(body)).await;
    assert_eq!(reply.problem(), "ceremony-unknown");
}

#[tokio::test]
async fn letters_that_strangers_ask_for_keep_no_owner_from_confirming() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let letters = || console.house.0.mail.lock().unwrap().len();
    // The first eleven are sent at once; each after that waits.
    for _ in 0..11 {
        begin(&console, "alice@example.com").await;
    }
    assert_eq!(letters(), 11);
    console.house.wait_s(1);
    begin(&console, "alice@example.com").await;
    let sent = letters();
    let body = json!({ "label": "bot", "ips": ["192.0.2.1"] });
    let id = alice.post("/v1/accounts/me/keys", body).await.step_up();
    assert_eq!(alice.act(&format!("/v1/step-up/{id}/email")).await.status, 204);
    assert_eq!(letters(), sent + 1);
}

#[tokio::test]
async fn a_code_that_was_not_sent_fits_nobody() {
    let console = Console::new().await;
    for _ in 0..11 {
        begin(&console, "alice@example.com").await;
    }
    let letters = console.house.0.mail.lock().unwrap().len();
    let asked = json!({ "email": "alice@example.com" });
    let begun = from(&console, "192.0.2.9", "/v1/password/reset", &asked).await;
    assert_eq!(begun.status, 202, "it is not told that no letter goes out");
    tokio::task::yield_now().await;
    assert_eq!(console.house.0.mail.lock().unwrap().len(), letters);
    assert_eq!(finish(&console, &begun.body["reset"], "00000000").await.problem(), "proof-refused");
    assert_eq!(resets(&console), [], "of nobody, nothing is written");
}

#[tokio::test]
async fn wrong_codes_without_end_fill_no_audit_chain() {
    let console = Console::new().await;
    let reset = begin(&console, "alice@example.com").await;
    for n in 0..90 {
        let body = json!({ "reset": reset, "code": "00000000", "password": NEW });
        let reply = from(&console, &format!("192.0.{n}.1"), "/v1/password/reset/finish", &body).await;
        assert_eq!(reply.problem(), "proof-refused");
        tokio::task::yield_now().await;
    }
    assert_eq!(resets(&console).len(), 61, "the free ones, and the one after the first wait");
}

#[tokio::test]
async fn a_server_that_is_busy_costs_no_code() {
    let console = Console::new().await;
    for _ in 0..10 {
        let reset = begin(&console, "alice@example.com").await;
        let code = sent_code(&console);
        let other = console.password("bob@example.com", "of the same source");
        let (_, refused) = tokio::join!(biased; other, finish(&console, &reset, &code));
        // The other password was checked already.
        if refused.status == 204 {
            console.house.forgive();
            continue;
        }
        assert_eq!(refused.body["detail"], "too many passwords of yours, or of your neighbors, are being checked");
        console.house.forgive();
        assert_eq!(finish(&console, &reset, &code).await.status, 204);
        return;
    }
    panic!("the two never met");
}

#[tokio::test]
async fn a_wrong_code_is_audited_and_changes_nothing() {
    let console = Console::new().await;
    let reset = begin(&console, "alice@example.com").await;
    let before = console.house.account(1);
    assert_eq!(finish(&console, &reset, "00000000").await.problem(), "proof-refused");
    let events = resets(&console);
    let [event] = events.as_slice() else { panic!("one record: {events:?}") };
    assert_eq!((event.from, event.account), (Some(HOME), AccountId(1)));
    assert_eq!(event.outcome, Outcome::Refused("proof-refused".to_owned()));
    assert_eq!(console.house.account(1), before);
    console.house.forgive();
    // Of nobody, nothing is written.
    let nobody = begin(&console, "nobody@example.com").await;
    assert_eq!(finish(&console, &nobody, "00000000").await.problem(), "proof-refused");
    assert_eq!(resets(&console).len(), 1);
}

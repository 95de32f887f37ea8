//! Guessing: slow, and never a lock.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::Request;
use latchkey_console::Peer;
use serde_json::{Value, json};

use crate::client::{Console, Reply};
use crate::house::{PASSWORD, SEED};

pub(crate) async fn from(console: &Console, source: &str, path: &str, body: &Value) -> Reply {
    let mut request = Request::builder()
        .method("POST")
        .uri(path)
        .header("host", "localhost:8601")
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    request.extensions_mut().insert(Peer(source.parse::<IpAddr>().unwrap()));
    console.raw(request).await
}

fn password(email: &str, password: &str) -> Value {
    json!({ "email": email, "password": password, "transport": "bearer" })
}

#[tokio::test]
async fn wrong_passwords_slow_their_source_and_no_account() {
    let console = Console::new().await;
    let (wrong, right) = (password("bob@example.com", "wrong"), password("bob@example.com", PASSWORD));
    assert_eq!(from(&console, "2001:db8::1", "/v1/session", &wrong).await.status, 401);
    let early = from(&console, "2001:db8::2", "/v1/session", &right).await;
    assert_eq!((early.status.as_u16(), early.problem()), (429, "too-many-attempts"), "the same /64");
    assert_eq!(early.headers["retry-after"], "1");
    assert_eq!(from(&console, "2001:db8:0:1::1", "/v1/session", &right).await.status, 201, "another network");
    console.house.wait_s(1);
    assert_eq!(from(&console, "2001:db8::1", "/v1/session", &wrong).await.status, 401);
    assert_eq!(from(&console, "2001:db8::1", "/v1/session", &wrong).await.headers["retry-after"], "2");
    console.house.wait_s(2);
    assert_eq!(from(&console, "2001:db8::1", "/v1/session", &right).await.status, 201);
    // A right password forgives nothing that was wrong before.
    assert_eq!(from(&console, "2001:db8::1", "/v1/session", &wrong).await.status, 401);
    assert_eq!(from(&console, "2001:db8::1", "/v1/session", &wrong).await.headers["retry-after"], "4");
}

#[tokio::test]
async fn the_wait_is_never_longer_than_a_quarter_of_an_hour() {
    let console = Console::new().await;
    let wrong = password("bob@example.com", "wrong");
    let mut longest = 0;
    for _ in 0..14 {
        assert_eq!(from(&console, "192.0.2.7", "/v1/session", &wrong).await.status, 401);
        let early = from(&console, "192.0.2.7", "/v1/session", &wrong).await;
        let wait: i64 = early.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!(wait >= longest && wait <= 900, "{wait} after {longest}");
        longest = wait;
        console.house.wait_s(wait);
    }
    assert_eq!(longest, 900);
    assert_eq!(from(&console, "192.0.2.7", "/v1/session", &password("bob@example.com", PASSWORD)).await.status, 201);
}

#[tokio::test]
async fn new_passwords_without_a_confirmation_are_counted() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let ask = async || alice.post("/v1/password", json!({ "password": "a password that alice forgot less" })).await;
    for _ in 0..11 {
        assert_eq!(ask().await.problem(), "step-up-needed");
    }
    let early = ask().await;
    assert_eq!((early.status.as_u16(), early.problem()), (429, "too-many-attempts"));
    assert_eq!(early.headers["retry-after"], "1");
}

#[tokio::test]
async fn wrong_codes_slow_account_and_source_together() {
    let console = Console::new().await;
    let needed = console.password("alice@example.com", PASSWORD).await.ok();
    let guess = |code: &str| json!({ "signIn": needed["signIn"], "code": code });
    let path = "/v1/session/totp";
    assert_eq!(from(&console, "192.0.2.7", path, &guess("000000")).await.problem(), "proof-refused");
    let code = console.house.code(SEED);
    assert_eq!(from(&console, "192.0.2.7", path, &guess(&code)).await.problem(), "too-many-attempts");
    // The owner, elsewhere, is not kept waiting by a guess or two of a stranger.
    assert_eq!(from(&console, "192.0.2.8", path, &guess(&code)).await.status, 201);
}

#[tokio::test]
async fn guesses_from_many_sources_slow_the_account() {
    let console = Console::new().await;
    let needed = console.password("alice@example.com", PASSWORD).await.ok();
    let guess = json!({ "signIn": needed["signIn"], "code": "000000" });
    let mut answers = Vec::new();
    for source in 1..=14 {
        let reply = from(&console, &format!("198.51.100.{source}"), "/v1/session/totp", &guess).await;
        answers.push(reply.status.as_u16());
    }
    assert_eq!(answers[..11], [403; 11]);
    assert_eq!(answers[11..], [429; 3]);
}

#[tokio::test]
async fn a_hundred_guesses_at_once_are_one() {
    let console = Console::new().await;
    let needed = console.password("alice@example.com", PASSWORD).await.ok();
    let guesses = (0..100).map(|number| {
        let (console, guess) = (console.clone(), json!({ "signIn": needed["signIn"], "code": format!("{number:06}") }));
        tokio::spawn(async move { from(&console, "192.0.2.7", "/v1/session/totp", &guess).await.status.as_u16() })
    });
    let mut judged = 0;
    for guess in guesses.collect::<Vec<_>>() {
        judged += u32::from(guess.await.unwrap() != 429);
    }
    assert_eq!(judged, 1);
}

#[tokio::test]
async fn the_owners_mailbox_is_not_filled() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let mut sent = 0;
    for number in 0..8 {
        let body = json!({ "label": format!("bot {number}"), "ips": ["192.0.2.1"] });
        let id = alice.post("/v1/accounts/me/keys", body).await.step_up();
        for _ in 0..4 {
            sent += usize::from(alice.act(&format!("/v1/step-up/{id}/email")).await.status == 204);
        }
    }
    // Three of each of the first three confirmations; then the account waits.
    assert_eq!(sent, 9);
    assert_eq!(console.house.0.mail.lock().unwrap().len(), 9);
}

#[tokio::test]
async fn an_account_has_a_bounded_number_of_confirmations_under_way() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let ask = async || alice.post("/v1/accounts/me/keys", json!({ "label": "bot", "ips": ["192.0.2.1"] })).await;
    for _ in 0..50 {
        ask().await.step_up();
    }
    assert_eq!(ask().await.problem(), "too-many-attempts");
    assert_eq!(alice.act("/v1/factors/totp/begin").await.problem(), "too-many-attempts");
    console.house.wait_s(5 * 60);
    ask().await.step_up();
}

#[tokio::test]
async fn a_wait_of_the_account_is_no_failure_of_the_source() {
    let console = Console::new().await;
    let needed = console.password("alice@example.com", PASSWORD).await.ok();
    let guess = json!({ "signIn": needed["signIn"], "code": "000000" });
    for source in 1..=11 {
        let refused = from(&console, &format!("198.51.100.{source}"), "/v1/session/totp", &guess).await;
        assert_eq!(refused.problem(), "proof-refused");
    }
    let right = json!({ "signIn": needed["signIn"], "code": console.house.code(SEED) });
    for _ in 0..3 {
        let early = from(&console, "192.0.2.9", "/v1/session/totp", &right).await;
        assert_eq!((early.status.as_u16(), early.headers["retry-after"].to_str().unwrap()), (429, "1"));
    }
    console.house.wait_s(1);
    assert_eq!(from(&console, "192.0.2.9", "/v1/session/totp", &right).await.status, 201);
}

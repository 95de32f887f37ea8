use axum::http::header::{COOKIE, SET_COOKIE};
use latchkey_authority::ports::ShelfKind;
use serde_json::json;

use crate::authenticator::Authenticator;
use crate::client::{Console, User};
use crate::house::{PASSWORD, SEED};

#[tokio::test]
async fn the_password_alone_opens_an_account_without_factors() {
    let console = Console::new().await;
    let bob = console.bob().await;
    let session = bob.get("/v1/session").await.ok();
    assert_eq!((session["account"].as_i64(), session["transport"].as_str()), (Some(2), Some("bearer")));
    assert_eq!(session["with"], json!(["password"]));
}

#[tokio::test]
async fn wrong_passwords_and_unknown_addresses_answer_the_same() {
    let console = Console::new().await;
    let wrong = console.password("alice@example.com", "wrong").await;
    console.house.wait_s(60);
    let unknown = console.password("nobody@example.com", "wrong").await;
    console.house.wait_s(60);
    let no_address = console.password("nobody", "wrong").await;
    for reply in [&wrong, &unknown, &no_address] {
        assert_eq!((reply.status.as_u16(), reply.problem()), (401, "sign-in-refused"));
        assert_eq!(reply.body, wrong.body);
    }
    assert!(console.house.audit().iter().all(|event| format!("{:?}", event.action) != "SignInFailed"));
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_noted() {
    let console = Console::new().await;
    let needed = console.password("alice@example.com", PASSWORD).await;
    assert_eq!(needed.status, 200);
    assert_eq!(needed.body["factors"], json!(["totp"]));
    assert!(needed.body.get("token").is_none());
    let sign_in = needed.body["signIn"].as_str().unwrap();
    let wrong = json!({ "signIn": sign_in, "code": "000000" });
    let refused = console.send("POST", "/v1/session/totp", &[], Some(wrong)).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (403, "proof-refused"));
    console.house.wait_s(60);
    let right = json!({ "signIn": sign_in, "code": console.house.code(SEED) });
    let signed_in = console.send("POST", "/v1/session/totp", &[], Some(right.clone())).await;
    assert_eq!(signed_in.status, 201);
    // The sign-in is used up, whatever the code.
    let again = console.send("POST", "/v1/session/totp", &[], Some(right)).await;
    assert_eq!(again.problem(), "ceremony-unknown");
    let actions: Vec<String> = console.house.audit().iter().map(|event| format!("{:?}", event.action)).collect();
    assert!(actions.ends_with(&["SignInFailed".to_owned(), "SignedIn".to_owned()]), "{actions:?}");
}

#[tokio::test]
async fn a_code_signs_in_once() {
    let console = Console::new().await;
    let (first, second) = (
        console.password("alice@example.com", PASSWORD).await.ok(),
        console.password("alice@example.com", PASSWORD).await.ok(),
    );
    let code = console.house.code(SEED);
    let with = |needed: &serde_json::Value| json!({ "signIn": needed["signIn"], "code": code });
    assert_eq!(console.send("POST", "/v1/session/totp", &[], Some(with(&first))).await.status, 201);
    let replayed = console.send("POST", "/v1/session/totp", &[], Some(with(&second))).await;
    assert_eq!(replayed.problem(), "proof-refused");
}

#[tokio::test]
async fn a_passkey_signs_in() {
    let console = Console::new().await;
    let alice = console.alice().await;
    let mut phone = Authenticator::new("phone");
    assert_eq!(alice.enrol(&mut phone).await.status, 201);
    let needed = console.password("alice@example.com", PASSWORD).await.ok();
    assert_eq!(needed["factors"], json!(["totp", "passkey"]));
    let name = json!({ "signIn": needed["signIn"] });
    let options = console.send("POST", "/v1/session/passkey/begin", &[], Some(name)).await.ok();
    assert_eq!(options["userVerification"], "required");
    let body = json!({ "signIn": needed["signIn"], "credential": phone.get(&options) });
    let signed_in = console.send("POST", "/v1/session/passkey/finish", &[], Some(body)).await;
    assert_eq!(signed_in.status, 201);
    let session = User::of(&console, &signed_in.body).get("/v1/session").await.ok();
    assert_eq!(session["with"], json!(["password", "passkey"]));
}

#[tokio::test]
async fn a_browser_gets_cookies_and_must_repeat_its_csrf_token() {
    let console = Console::new().await;
    let body = json!({ "email": "bob@example.com", "password": PASSWORD });
    let signed_in = console.send("POST", "/v1/session", &[("origin", "http://localhost:8601")], Some(body)).await;
    assert!(signed_in.body.get("token").is_none(), "scripts never see the token of a browser's session");
    let cookies: Vec<_> = signed_in.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
    assert!(cookies[0].contains("HttpOnly; SameSite=Strict"), "{cookies:?}");
    let cookie = cookies[0].split(';').next().unwrap();
    let csrf = signed_in.body["csrf"].as_str().unwrap();
    let cookie = (COOKIE.as_str(), cookie);

    assert_eq!(console.send("GET", "/v1/session", &[cookie], None).await.ok()["csrf"], csrf);
    let end = "/v1/session";
    assert_eq!(console.send("DELETE", end, &[cookie], None).await.problem(), "csrf");
    let wrong = "0".repeat(64);
    assert_eq!(console.send("DELETE", end, &[cookie, ("x-latchkey-csrf", &wrong)], None).await.problem(), "csrf");
    let foreign = [cookie, ("x-latchkey-csrf", csrf), ("origin", "http://evil.example")];
    assert_eq!(console.send("DELETE", end, &foreign, None).await.status, 403);
    let ended = console.send("DELETE", end, &[cookie, ("x-latchkey-csrf", csrf)], None).await;
    assert_eq!(ended.status, 204);
    assert!(ended.headers.get(SET_COOKIE).unwrap().to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(console.send("GET", end, &[cookie], None).await.problem(), "sign-in-needed");
}

#[tokio::test]
async fn a_cookie_is_no_bearer_token_and_the_other_way_round() {
    let console = Console::new().await;
    let bob = console.bob().await;
    let token = bob.bearer.strip_prefix("Bearer ").unwrap();
    let cookie = format!("latchkey={token}");
    assert_eq!(console.send("GET", "/v1/session", &[("cookie", &cookie)], None).await.problem(), "sign-in-needed");
    let both = [("cookie", cookie.as_str()), ("authorization", bob.bearer.as_str())];
    assert_eq!(console.send("GET", "/v1/session", &both, None).await.status, 400);
}

#[tokio::test]
async fn a_session_ends_when_it_idles_and_after_half_a_day_in_any_case() {
    let console = Console::new().await;
    let bob = console.bob().await;
    console.house.wait_s(29 * 60);
    assert_eq!(bob.get("/v1/session").await.status, 200);
    console.house.wait_s(29 * 60);
    assert_eq!(bob.get("/v1/session").await.status, 200);
    console.house.wait_s(31 * 60);
    assert_eq!(bob.get("/v1/session").await.problem(), "sign-in-needed");

    let bob = console.bob().await;
    for _ in 0..25 {
        console.house.wait_s(28 * 60);
        assert_eq!(bob.get("/v1/session").await.status, 200);
    }
    console.house.wait_s(21 * 60);
    assert_eq!(bob.get("/v1/session").await.problem(), "sign-in-needed", "twelve hours are over");
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all_at_once() {
    let console = Console::new().await;
    let (first, second, third) = (console.bob().await, console.bob().await, console.bob().await);
    let list = first.get("/v1/sessions").await.ok();
    let sessions = list["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 3);
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    let text = list.to_string();
    for user in [&first, &second, &third] {
        assert!(!text.contains(user.bearer.strip_prefix("Bearer ").unwrap()), "no token is listed");
    }
    let id = second.get("/v1/session").await.ok()["id"].as_str().unwrap().to_owned();
    assert_eq!(first.send("DELETE", &format!("/v1/sessions/{id}"), &[], None).await.status, 204);
    assert_eq!(second.get("/v1/session").await.problem(), "sign-in-needed");
    // Nobody ends the session of somebody else.
    let alice = console.alice().await;
    let id = third.get("/v1/session").await.ok()["id"].as_str().unwrap().to_owned();
    let foreign = alice.send("DELETE", &format!("/v1/sessions/{id}"), &[], None).await;
    assert_eq!(foreign.problem(), "session-unknown");

    assert_eq!(first.send("DELETE", "/v1/sessions", &[], None).await.status, 204);
    for user in [&first, &third] {
        assert_eq!(user.get("/v1/session").await.problem(), "sign-in-needed");
    }
    assert_eq!(alice.get("/v1/session").await.status, 200);
}

#[tokio::test]
async fn tokens_rest_as_digests() {
    let console = Console::new().await;
    let bob = console.bob().await;
    let needed = console.password("alice@example.com", PASSWORD).await.ok();
    let shelf = console.house.shelf_text();
    assert!(console.house.shelf_count(ShelfKind::Session) == 1 && console.house.shelf_count(ShelfKind::SignIn) == 1);
    assert!(!shelf.contains(bob.bearer.strip_prefix("Bearer ").unwrap()));
    assert!(!shelf.contains(needed["signIn"].as_str().unwrap()));
}

//! What comes in over HTTP is read strictly, and what goes out is described.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::client::{Console, Reply};

async fn post(console: &Console, content_type: Option<&str>, body: impl Into<Body>) -> Reply {
    let mut request = Request::builder().method("POST").uri("/v1/session").header("host", "localhost:8601");
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    console.raw(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn bodies_are_json_small_flat_and_without_unknown_fields() {
    let console = Console::new().await;
    let json = Some("application/json");
    for (content_type, body, status, problem) in [
        (json, "".to_owned(), 400, "malformed"),
        (json, "{".to_owned(), 400, "malformed"),
        (json, r#"{"email":"a@b"}"#.to_owned(), 400, "malformed"),
        (json, r#"{"email":"a@b","password":"x","admin":true}"#.to_owned(), 400, "malformed"),
        (json, r#"{"email":"a@b","password":"x","password":"y"}"#.to_owned(), 400, "malformed"),
        (json, r#"{"email":"a@b","password":5}"#.to_owned(), 400, "malformed"),
        (json, r#"{"email":"a@b","password":"x"} {}"#.to_owned(), 400, "malformed"),
        (json, "[".repeat(60_000), 400, "malformed"),
        (json, format!("\"{}\"", "x".repeat(70_000)), 413, "too-large"),
        (None, "{}".to_owned(), 415, "media-type"),
        (Some("text/plain"), "{}".to_owned(), 415, "media-type"),
        (Some("application/x-www-form-urlencoded"), "email=a".to_owned(), 415, "media-type"),
    ] {
        let reply = post(&console, content_type, body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.problem()), (status, problem), "{content_type:?} {body:.60}");
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        assert_eq!(reply.body["status"], status);
    }
    let bom = post(&console, json, vec![0xff, 0xfe]).await;
    assert_eq!(bom.status, 400);
}

#[tokio::test]
async fn every_route_but_sign_in_needs_a_session() {
    let console = Console::new().await;
    let document = console.send("GET", "/v1/openapi.json", &[], None).await.ok();
    let mut closed = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["security"] == json!([]) {
                let sign_in = path.starts_with("/v1/session") || path.starts_with("/v1/password/reset");
                assert!(sign_in, "{path}");
                continue;
            }
            let path = path.replace("{account}", "me").replace("{key}", "x").replace("{step_up}", "x");
            let path = path.replace("{session}", "x").replace("{passkey}", "x");
            let body = (operation["requestBody"] != Value::Null).then(|| json!({}));
            let reply = console.send(&method.to_uppercase(), &path, &[], body).await;
            assert_eq!((reply.status.as_u16(), reply.problem()), (401, "sign-in-needed"), "{method} {path}");
            assert_eq!(reply.headers["www-authenticate"], "Bearer");
            closed += 1;
        }
    }
    assert!(closed > 40, "{closed}");
}

#[tokio::test]
async fn the_document_is_whole() {
    let console = Console::new().await;
    let document = console.send("GET", "/v1/openapi.json", &[], None).await.ok();
    assert_eq!(document["openapi"], "3.1.0");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is referred to and not there");
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path} shares its id");
            let statuses: Vec<&String> = operation["responses"].as_object().unwrap().keys().collect();
            assert!(statuses.iter().any(|status| status.starts_with('2')), "{method} {path}: {statuses:?}");
        }
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let console = Console::new().await;
    let missing = console.send("GET", "/v1/nothing", &[], None).await;
    assert_eq!((missing.status.as_u16(), missing.problem()), (404, "not-found"));
    let wrong = console.send("PUT", "/v1/session", &[], None).await;
    assert_eq!((wrong.status.as_u16(), wrong.problem()), (405, "method-not-allowed"));
    assert!(wrong.headers["allow"].to_str().unwrap().contains("POST"));
}

#[tokio::test]
async fn pages_keep_working_and_explain_every_problem() {
    let console = Console::new().await;
    let page = console.send("GET", "/", &[], None).await;
    assert_eq!(
        (page.status.as_u16(), page.headers["content-type"].to_str().unwrap()),
        (200, "text/html; charset=utf-8")
    );
    let errors = console.send("GET", "/docs/errors", &[], None).await;
    assert_eq!(errors.status, 200);
    assert!(errors.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
}

#[tokio::test]
async fn tokens_of_other_forms_are_no_session() {
    let console = Console::new().await;
    let zeros = format!("Bearer {}", "0".repeat(64));
    for line in ["Bearer", "Bearer ", "Basic x", "bearer x", "Bearer \u{e9}", zeros.as_str()] {
        let reply = console.send("GET", "/v1/session", &[("authorization", line)], None).await;
        assert!(matches!(reply.status.as_u16(), 400 | 401), "{line}: {reply:?}");
    }
}

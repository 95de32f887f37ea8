//! What a browser or program does, in a few words each.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use latchkey_admission::records::csv::Csv;
use latchkey_authority::policy::Policy;
use latchkey_authority::service::Authority;
use latchkey_console::{Peer, Services, Settings, router};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::authenticator::Authenticator;
use crate::house::{HOME, House, PASSWORD, SEED};

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Reply {
    /// The name of the problem; panics when it is none.
    pub(crate) fn problem(&self) -> &str {
        let link = self.body["type"].as_str().unwrap_or_else(|| panic!("no problem: {self:?}"));
        link.strip_prefix("/docs/errors#").unwrap()
    }

    /// The body of a success.
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.body
    }

    /// The ceremony that the answer asks for.
    pub(crate) fn step_up(&self) -> String {
        assert_eq!(self.problem(), "step-up-needed", "{self:?}");
        self.body["stepUp"]["id"].as_str().unwrap().to_owned()
    }
}

/// A console over a house.
#[derive(Clone)]
pub(crate) struct Console {
    pub(crate) house: House,
    router: Router,
}

impl Console {
    /// One with alice (uid 1, one-time codes), bob (uid 2, no factor) and a sub-account of alice (uid 3).
    pub(crate) async fn new() -> Self {
        let house = House::new();
        let authority = Arc::new(Authority::new(house.clone(), Policy::default()));
        house.open(&authority, "alice@example.com", Some(SEED), None).await;
        house.open(&authority, "bob@example.com", None, None).await;
        house.open(&authority, "sub@example.com", None, Some("alice@example.com")).await;
        let services = Services {
            authority,
            clock: Arc::new(house.clone()),
            keys: Arc::new(house.clone()),
            audit: Arc::new(house.clone()),
            exchange: Arc::new(house.clone()),
            calls: Arc::new(house.clone()),
            formats: vec![Arc::new(Csv)],
            mail: Some(Arc::new(house.clone())),
            sms: Some(Arc::new(house.clone())),
        };
        let settings = Settings { origin: "http://localhost:8601".to_owned(), api: "http://127.0.0.1:8600".to_owned() };
        Self { house, router: router(settings, services) }
    }

    /// Sends one request; headers beside `Host` are given.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8601");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            None => Body::empty(),
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
        };
        self.raw(request.body(body).unwrap()).await
    }

    /// Sends a request as it is.
    pub(crate) async fn raw(&self, mut request: Request<Body>) -> Reply {
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(Peer(HOME));
        }
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Reply { status: parts.status, headers: parts.headers, body, text }
    }

    /// The password step.
    pub(crate) async fn password(&self, email: &str, password: &str) -> Reply {
        let body = json!({ "email": email, "password": password, "transport": "bearer" });
        self.send("POST", "/v1/session", &[], Some(body)).await
    }

    /// Alice, signed in with her one-time code.
    pub(crate) async fn alice(&self) -> User<'_> {
        let needed = self.password("alice@example.com", PASSWORD).await.ok();
        let body = json!({ "signIn": needed["signIn"], "code": self.house.code(SEED) });
        let signed_in = self.send("POST", "/v1/session/totp", &[], Some(body)).await.ok();
        // The step of the code is used up.
        self.house.wait_s(30);
        User::of(self, &signed_in)
    }

    /// Bob, who has no second factor.
    pub(crate) async fn bob(&self) -> User<'_> {
        User::of(self, &self.password("bob@example.com", PASSWORD).await.ok())
    }
}

/// Somebody who is signed in with a bearer token.
pub(crate) struct User<'a> {
    pub(crate) console: &'a Console,
    pub(crate) bearer: String,
}

impl<'a> User<'a> {
    pub(crate) fn of(console: &'a Console, signed_in: &Value) -> Self {
        let token = signed_in["token"].as_str().unwrap_or_else(|| panic!("not signed in: {signed_in}"));
        Self { console, bearer: format!("Bearer {token}") }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, more: &[(&str, &str)], body: Option<Value>) -> Reply {
        let headers: Vec<_> =
            [("authorization", self.bearer.as_str())].into_iter().chain(more.iter().copied()).collect();
        self.console.send(method, path, &headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, &[], Some(body)).await
    }

    /// A post without a body.
    pub(crate) async fn act(&self, path: &str) -> Reply {
        self.send("POST", path, &[], None).await
    }

    /// Proves a ceremony with the present one-time code; the clock then moves on by a step.
    pub(crate) async fn prove_totp(&self, id: &str) -> Reply {
        let code = self.console.house.code(SEED);
        let reply = self.post(&format!("/v1/step-up/{id}/totp"), json!({ "code": code })).await;
        self.console.house.wait_s(30);
        reply
    }

    /// Has a code sent by e-mail and proves with it.
    pub(crate) async fn prove_email(&self, id: &str) -> Reply {
        self.act(&format!("/v1/step-up/{id}/email")).await.ok();
        let code = self.mailed_code();
        self.post(&format!("/v1/step-up/{id}/email/verify"), json!({ "code": code })).await
    }

    /// The code of the last e-mail.
    pub(crate) fn mailed_code(&self) -> String {
        let mail = self.console.house.0.mail.lock().unwrap();
        let (_, text) = mail.last().expect("an e-mail");
        text.split_whitespace()
            .find(|word| word.len() == 8 && word.bytes().all(|b| b.is_ascii_digit()))
            .unwrap()
            .to_owned()
    }

    /// Sends a change, confirms it as it asks, and sends it again.
    pub(crate) async fn change(&self, method: &str, path: &str, more: &[(&str, &str)], body: Option<Value>) -> Reply {
        let first = self.send(method, path, more, body.clone()).await;
        if first.body["type"] != "/docs/errors#step-up-needed" {
            return first;
        }
        let id = first.step_up();
        for need in first.body["stepUp"]["needs"].as_array().unwrap() {
            match need.as_str().unwrap() {
                "factor" => self.prove_totp(&id).await.ok(),
                "email-code" => self.prove_email(&id).await.ok(),
                "password" => {
                    self.post(&format!("/v1/step-up/{id}/password"), json!({ "password": PASSWORD })).await.ok()
                }
                other => panic!("{other}"),
            };
        }
        let headers: Vec<_> = more.iter().copied().chain([("latchkey-step-up", id.as_str())]).collect();
        self.send(method, path, &headers, body).await
    }

    /// Makes a reading key and gives what was answered.
    pub(crate) async fn make_key(&self, label: &str) -> Value {
        let body = json!({ "label": label, "ips": ["192.0.2.1"] });
        self.change("POST", "/v1/accounts/me/keys", &[], Some(body)).await.ok()
    }

    /// Enrols a passkey.
    pub(crate) async fn enrol(&self, authenticator: &mut Authenticator) -> Reply {
        let begun = self.act("/v1/factors/passkeys/begin").await.ok();
        let credential = authenticator.create(&begun["options"]);
        let body = json!({ "registration": begun["registration"], "label": "phone", "credential": credential });
        self.change("POST", "/v1/factors/passkeys/finish", &[], Some(body)).await
    }
}

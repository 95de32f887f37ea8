//! The operators' door: health and metrics for everyone on the machine, everything else behind a token.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use latchkey_admission::live::LiveKey;
use latchkey_console::guard;
use latchkey_crypto::digest::sha256;
use latchkey_protocol::{AccountId, Amount, Asset, TradingAccount, Wallet};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::assemble::House;

/// What the routes need.
#[derive(Clone)]
pub struct Ops {
    /// The house behind them.
    pub house: Arc<House>,
    /// SHA-256 of each operator's token.
    pub tokens: Arc<[[u8; 32]]>,
    /// Whether the sandbox calls exist.
    pub sandbox: bool,
}

/// The routes, guarded.
pub fn router(ops: Ops, guard: guard::Guard) -> Router {
    let mut operators = Router::new()
        .route("/ops/v1/accounts", get(accounts))
        .route("/ops/v1/accounts/{id}/keys", get(keys))
        .route("/ops/v1/audit", get(audit))
        .route("/ops/v1/policy", get(policy));
    if ops.sandbox {
        operators =
            operators.route("/ops/v1/venue/deposit", post(deposit)).route("/ops/v1/venue/state-hash", get(state_hash));
    }
    Router::new()
        .merge(operators.route_layer(from_fn_with_state(ops.clone(), authorize)))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(ops)
        .layer(from_fn_with_state(guard, guard::check))
}

/// Compares digests, so that the time of the comparison says nothing about the token.
async fn authorize(State(ops): State<Ops>, request: Request, next: Next) -> Response {
    let presented = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = presented.and_then(|value| value.strip_prefix("Bearer "));
    if token.is_some_and(|token| ops.tokens.contains(&sha256(token.as_bytes()))) {
        next.run(request).await
    } else {
        (StatusCode::UNAUTHORIZED, [("www-authenticate", "Bearer")], "an operator token is needed\n").into_response()
    }
}

async fn health() -> &'static str {
    "ok\n"
}

async fn metrics(State(ops): State<Ops>) -> Response {
    const TYPE: HeaderValue = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(CONTENT_TYPE, TYPE)], ops.house.metrics.text()).into_response()
}

async fn accounts(State(ops): State<Ops>) -> Result<Json<Value>, Failure> {
    let accounts = ops.house.accounts().await.map_err(Failure::store)?;
    Ok(Json(Value::Array(accounts.iter().map(account_view).collect())))
}

/// An account's facts, without password hash and second factor.
fn account_view(account: &latchkey_authority::account::Account) -> Value {
    let mut view = json!(account);
    if let Some(facts) = view.as_object_mut() {
        for (secret, shown) in [("password_hash", "password_set"), ("totp", "second_factor")] {
            let enrolled = facts.remove(secret).is_some_and(|value| !value.is_null());
            facts.insert(shown.to_owned(), Value::Bool(enrolled));
        }
    }
    view
}

async fn keys(State(ops): State<Ops>, Path(id): Path<i64>) -> Json<Value> {
    let keys = ops.house.live.keys_of(AccountId(id));
    Json(Value::Array(keys.iter().map(|key| key_view(key)).collect()))
}

fn key_view(key: &LiveKey) -> Value {
    let state = key.state();
    json!({
        "id": key.id.to_string(),
        "apiKey": key.api_key.as_str(),
        "type": key.key_type().name(),
        "kind": format!("{:?}", key.kind),
        "standing": format!("{:?}", state.standing),
        "permissions": state.permissions.iter().map(|permission| permission.as_str()).collect::<Vec<_>>(),
        "created": key.created.as_millis(),
        "lastUsed": key.last_used().map(|at| at.as_millis()),
    })
}

async fn audit(State(ops): State<Ops>) -> Result<Json<Value>, Failure> {
    /// Records of one answer; later ones are asked for by their sequence.
    const PAGE: u32 = 500;
    let records = ops.house.audit(PAGE).await.map_err(Failure::store)?;
    Ok(Json(Value::Array(records)))
}

async fn policy(State(ops): State<Ops>) -> Json<Value> {
    Json(json!(ops.house.policy))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deposit {
    uid: i64,
    /// `spot`, `cross` or a symbol for its isolated wallet.
    wallet: String,
    asset: String,
    amount: String,
}

async fn deposit(
    State(ops): State<Ops>,
    body: Result<Json<Deposit>, axum::extract::rejection::JsonRejection>,
) -> Result<Json<Value>, Failure> {
    let Json(deposit) = body.map_err(|error| Failure(StatusCode::BAD_REQUEST, error.body_text()))?;
    let wrong = |what: &str| Failure(StatusCode::BAD_REQUEST, format!("`{what}` is not valid"));
    let wallet = match deposit.wallet.as_str() {
        "spot" => Wallet::Spot,
        "cross" => Wallet::Cross,
        symbol => Wallet::Isolated(latchkey_protocol::Symbol::parse(symbol).ok_or_else(|| wrong("wallet"))?),
    };
    let asset = Asset::parse(&deposit.asset).ok_or_else(|| wrong("asset"))?;
    let amount = Amount::parse(&deposit.amount).map_err(|_| wrong("amount"))?;
    let owner = AccountId(deposit.uid);
    if ops.house.live.account(owner).is_none() {
        return Err(Failure(StatusCode::NOT_FOUND, format!("no account has the uid {}", deposit.uid)));
    }
    let account = TradingAccount { owner, wallet };
    ops.house
        .deposit(account, asset, amount)
        .await
        .map_err(|error| Failure(StatusCode::CONFLICT, format!("{error:#}")))?;
    Ok(Json(json!({})))
}

async fn state_hash(State(ops): State<Ops>) -> Result<Json<Value>, Failure> {
    let hash = ops.house.state_hash().await.map_err(Failure::store)?;
    Ok(Json(json!({ "stateHash": latchkey_crypto::digest::to_hex(&hash) })))
}

/// A failed request as problem details (RFC 9457).
struct Failure(StatusCode, String);

impl Failure {
    fn store(error: anyhow::Error) -> Self {
        tracing::error!(error = format!("{error:#}"), "an operator's request failed");
        Self(StatusCode::INTERNAL_SERVER_ERROR, "the store does not answer".to_owned())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
        let Self(status, detail) = self;
        let title = status.canonical_reason().unwrap_or_default();
        let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
        (status, [(CONTENT_TYPE, PROBLEM)], Json(body)).into_response()
    }
}

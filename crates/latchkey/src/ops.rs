//! The operators' door: health and metrics for everyone on the machine, everything else behind a token.
//!
//! An operator states facts of accounts, freezes, disables and deletes. No route here makes, widens or enables a
//! customer's key, shows a secret, or stands in for what an owner must confirm: the authority refuses it besides. The
//! one exception brings existing keys in from a file, where the configuration allows it.

mod accounts;
mod audit;
mod effects;
mod imports;
mod keys;
mod mailbox;
pub(crate) mod operator;
mod problem;
mod tokens;
mod venue;

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use latchkey_admission::ports::Clock;
use latchkey_console::guard;
use latchkey_console::ports::Mail;
use latchkey_protocol::Timestamp;
use operator::{Configured, Scope, authorize, scoped};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::assemble::House;
use crate::mail::mailbox::Mailbox;

/// Routes whose bodies may take as long as they keep coming.
pub const LONG_BODIES: &[&str] = &[IMPORT_KEYS];
const IMPORT_KEYS: &str = "/ops/v1/imports/keys";

/// What the routes need.
#[derive(Clone)]
pub struct Ops {
    /// The house behind them.
    pub house: Arc<House>,
    /// The operators of the configuration: name and SHA-256 of the token.
    pub operators: Configured,
    /// Whether the sandbox calls exist.
    pub sandbox: bool,
    /// Whether keys may be imported.
    pub imports: bool,
    /// The mailbox, where one is.
    pub mailbox: Option<Arc<Mailbox>>,
    /// What sends letters.
    pub mail: Option<Arc<dyn Mail>>,
    /// The console's origin, for letters.
    pub origin: String,
    /// Held while tokens are made or revoked, so that no two get one name.
    pub tokens: Arc<Mutex<()>>,
}

impl Ops {
    fn now(&self) -> Timestamp {
        self.house.clock.now()
    }
}

/// The routes, guarded.
pub fn router(ops: Ops, guard: guard::Guard) -> Router {
    let read = Router::new()
        .route("/ops/v1/accounts", get(accounts::list))
        .route("/ops/v1/accounts/{uid}", get(accounts::show))
        .route("/ops/v1/accounts/{uid}/keys", get(keys::list))
        .route("/ops/v1/effects", get(effects::list))
        .route("/ops/v1/policy", get(policy));
    let write = Router::new()
        .route("/ops/v1/accounts", post(accounts::create))
        .route("/ops/v1/accounts/{uid}", axum::routing::patch(accounts::edit))
        .route("/ops/v1/accounts/{uid}/freeze", post(accounts::freeze))
        .route("/ops/v1/accounts/{uid}/unfreeze", post(accounts::unfreeze))
        .route("/ops/v1/accounts/{uid}/reset-factors", post(accounts::reset_factors))
        .route("/ops/v1/effects/{id}/retry", post(effects::retry));
    let hold = Router::new()
        .route("/ops/v1/accounts/{uid}/keys", delete(keys::delete_all))
        .route("/ops/v1/accounts/{uid}/keys/{key}", delete(keys::delete))
        .route("/ops/v1/accounts/{uid}/keys/{key}/disable", post(keys::disable));
    let audit = Router::new()
        .route("/ops/v1/audit", get(audit::list))
        .route("/ops/v1/audit/export", get(audit::export))
        .route("/ops/v1/audit/head", get(audit::head))
        .route("/ops/v1/audit/key", get(audit::key));
    let tokens = Router::new()
        .route("/ops/v1/tokens", get(tokens::list).post(tokens::create))
        .route("/ops/v1/tokens/{id}", delete(tokens::revoke));
    let mut operators = Router::new()
        .merge(scoped(Scope::AccountsRead, read))
        .merge(scoped(Scope::AccountsWrite, write))
        .merge(scoped(Scope::KeysHold, hold))
        .merge(scoped(Scope::AuditRead, audit))
        .merge(scoped(Scope::Imports, Router::new().route(IMPORT_KEYS, post(imports::keys))))
        .merge(scoped(Scope::Tokens, tokens));
    let mut open = Router::new().route("/health", get(health)).route("/metrics", get(metrics));
    if ops.mailbox.is_some() {
        operators = operators.merge(scoped(Scope::Venue, Router::new().route("/ops/v1/mailbox", get(mailbox::list))));
        let page = Router::new().route("/mailbox", get(mailbox::page));
        open = open.merge(page.route_layer(from_fn_with_state(ops.clone(), mailbox::ask)));
    }
    if ops.sandbox {
        let venue = Router::new()
            .route("/ops/v1/venue/deposit", post(venue::deposit))
            .route("/ops/v1/venue/liquidation-loan", post(venue::liquidation_loan))
            .route("/ops/v1/venue/state-hash", get(venue::state_hash));
        operators = operators.merge(scoped(Scope::Venue, venue));
    }
    Router::new()
        .merge(operators.route_layer(from_fn_with_state(ops.clone(), authorize)))
        .merge(open)
        .with_state(ops)
        .layer(from_fn_with_state(guard, guard::check))
}

async fn health() -> &'static str {
    "ok\n"
}

async fn metrics(State(ops): State<Ops>) -> Response {
    const TYPE: HeaderValue = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(CONTENT_TYPE, TYPE)], ops.house.metrics.text(ops.now())).into_response()
}

async fn policy(State(ops): State<Ops>) -> Json<Value> {
    Json(json!(ops.house.policy))
}

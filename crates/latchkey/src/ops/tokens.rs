//! Tokens of operators: make, list, end.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use latchkey_authority::change::{Action, Actor, AuditEvent, Outcome};
use latchkey_authority::ports::{Notes, Shelf, ShelfKind};
use latchkey_authority::step_up::FactorSet;
use latchkey_crypto::digest::sha256;
use latchkey_crypto::secret::SecretKey;
use latchkey_protocol::{AccountId, Timestamp};
use latchkey_store::random;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ops;
use super::operator::{KeptToken, Operator, Scope, public_id};
use super::problem::{Body, Problem};

/// Tokens of one list; nobody has more.
const LISTED_MAX: u32 = 1_000;
/// The longest life of a token, in days.
const DAYS_MAX: i64 = 366;
const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// A token as it is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct NewToken {
    /// Who will use it.
    name: String,
    scopes: Vec<Scope>,
    /// How long it lives.
    days: i64,
}

/// `POST /ops/v1/tokens`.
pub(crate) async fn create(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let name = new.name.trim();
    if !(1..=60).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(Problem::invalid("`name` has 1 to 60 characters on one line"));
    }
    if !(1..=DAYS_MAX).contains(&new.days) {
        return Err(Problem::invalid(format!("`days` is 1 to {DAYS_MAX}")));
    }
    let mut scopes = new.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(Problem::invalid("`scopes` names none"));
    }
    if scopes.iter().any(|scope| !operator.scopes.contains(scope)) {
        let detail = "a token makes others with at most its own scopes";
        return Err(Problem::new(StatusCode::FORBIDDEN, "scope", detail));
    }
    let now = ops.now();
    let asked = now.plus_micros(new.days * DAY_US);
    let expires = operator.expires.map_or(asked, |own| own.min(asked));
    let token = SecretKey::generate(&mut random::fill);
    let hash = sha256(token.expose().as_bytes());
    let kept = KeptToken { name: name.to_owned(), scopes, made_by: operator.name.clone(), made: now };
    let value = serde_json::to_vec(&kept).map_err(|error| Problem::failed(&error.into()))?;
    note(&ops, &operator, Action::OperatorTokenMade).await?;
    ops.house.store().put(ShelfKind::OperatorToken, hash, None, &value, now, expires).await?;
    let mut view = view(&hash, &kept, expires);
    if let Some(object) = view.as_object_mut() {
        object.insert("token".to_owned(), json!(token.expose()));
    }
    Ok((StatusCode::CREATED, Json(view)))
}

/// `GET /ops/v1/tokens`.
pub(crate) async fn list(State(ops): State<Ops>) -> Result<Json<Value>, Problem> {
    let items = ops.house.store().list(ShelfKind::OperatorToken, None, ops.now(), LISTED_MAX).await?;
    let tokens: Vec<Value> = items
        .iter()
        .filter_map(|item| Some(view(&item.key, &serde_json::from_slice(&item.value).ok()?, item.expires)))
        .collect();
    Ok(Json(json!({ "tokens": tokens })))
}

/// `DELETE /ops/v1/tokens/{id}`.
pub(crate) async fn revoke(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let store = ops.house.store();
    let items = store.list(ShelfKind::OperatorToken, None, ops.now(), LISTED_MAX).await?;
    let item = items.iter().find(|item| public_id(&item.key) == id).ok_or_else(|| Problem::not_found("token"))?;
    store.take(ShelfKind::OperatorToken, item.key, ops.now()).await?;
    note(&ops, &operator, Action::OperatorTokenRevoked).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn view(hash: &[u8; 32], kept: &KeptToken, expires: Timestamp) -> Value {
    json!({
        "id": public_id(hash),
        "name": kept.name,
        "scopes": kept.scopes,
        "madeBy": kept.made_by,
        "made": kept.made.as_millis(),
        "expires": expires.as_millis(),
    })
}

/// Writes down what was done; it belongs to no account.
async fn note(ops: &Ops, operator: &Operator, action: Action) -> Result<(), Problem> {
    let event = AuditEvent {
        at: ops.now(),
        who: Actor::Operator(operator.name.clone()),
        from: operator.from,
        action,
        account: AccountId(0),
        key: None,
        before: Vec::new(),
        after: Vec::new(),
        outcome: Outcome::Done,
        with: FactorSet::EMPTY,
    };
    ops.house.store().note(event).await?;
    Ok(())
}

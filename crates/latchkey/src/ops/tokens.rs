//! Tokens of operators: make, list, end.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use latchkey_authority::change::{Action, AuditEvent, AuditState, OperatorTokenSummary};
use latchkey_authority::ports::{Notes, Shelf, ShelfKind};
use latchkey_crypto::digest::sha256;
use latchkey_crypto::secret::SecretKey;
use latchkey_protocol::{AccountId, Timestamp};
use latchkey_store::random;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ops;
use super::operator::{KeptToken, Operator, Scope, public_id};
use super::problem::{Body, Problem};

/// The most tokens that live at one time, so that one list shows them all.
const TOKENS_MAX: u32 = 1_000;
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
    let _one_at_a_time = ops.tokens.lock().await;
    let now = ops.now();
    let living = living(&ops).await?;
    if !lives(&operator, &living) {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "token-needed", "the token was revoked meanwhile"));
    }
    if living.len() >= TOKENS_MAX as usize {
        let detail = format!("there are {TOKENS_MAX} tokens: revoke one first");
        return Err(Problem::new(StatusCode::CONFLICT, "rule", detail));
    }
    // Records name who acted: a name is one operator's as long as it is in use.
    if ops.operators.iter().any(|(known, _)| known == name) || living.iter().any(|(_, kept, _)| kept.name == name) {
        let detail = "an operator of this name is there already: revoke that token, or choose another name";
        return Err(Problem::new(StatusCode::CONFLICT, "rule", detail));
    }
    let asked = now.plus_micros(new.days * DAY_US);
    let expires = operator.expires.map_or(asked, |own| own.min(asked));
    let token = SecretKey::generate(&mut random::fill);
    let hash = sha256(token.expose().as_bytes());
    let kept = KeptToken { name: name.to_owned(), scopes, made_by: operator.name.clone(), made: now };
    let value = serde_json::to_vec(&kept).map_err(|error| Problem::failed(&error.into()))?;
    let after = vec![summary(&hash, &kept, expires)];
    let event = AuditEvent { after, ..operator.event(Action::OperatorTokenMade, AccountId(0), now) };
    ops.house.store().note(event).await?;
    ops.house.store().put(ShelfKind::OperatorToken, hash, None, &value, now, expires).await?;
    let mut view = view(&hash, &kept, expires);
    if let Some(object) = view.as_object_mut() {
        object.insert("token".to_owned(), json!(token.expose()));
    }
    Ok((StatusCode::CREATED, Json(view)))
}

/// `GET /ops/v1/tokens`.
pub(crate) async fn list(State(ops): State<Ops>) -> Result<Json<Value>, Problem> {
    let living = living(&ops).await?;
    let tokens: Vec<Value> = living.iter().map(|(hash, kept, expires)| view(hash, kept, *expires)).collect();
    Ok(Json(json!({ "tokens": tokens })))
}

/// `DELETE /ops/v1/tokens/{id}`: that token, and all that were made with it.
pub(crate) async fn revoke(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let _one_at_a_time = ops.tokens.lock().await;
    let mut living = living(&ops).await?;
    let place =
        living.iter().position(|(hash, ..)| public_id(hash) == id).ok_or_else(|| Problem::not_found("token"))?;
    let mut ending = vec![living.swap_remove(place)];
    let mut done = 0;
    while let Some((_, maker, _)) = ending.get(done) {
        let (made, others) = living.into_iter().partition(|(_, kept, _)| kept.made_by == maker.name);
        ending.extend::<Vec<_>>(made);
        living = others;
        done += 1;
    }
    let before = ending.iter().map(|(hash, kept, expires)| summary(hash, kept, *expires)).collect();
    let event = AuditEvent { before, ..operator.event(Action::OperatorTokenRevoked, AccountId(0), ops.now()) };
    let tokens: Vec<_> = ending.iter().map(|(hash, ..)| *hash).collect();
    ops.house.store().note_end(event, ShelfKind::OperatorToken, &tokens).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token that lives: the hash of its text, what it is, and when it ends.
type Living = ([u8; 32], KeptToken, Timestamp);

/// Whether the token that asks is there still: one that was revoked while its request waited makes no others.
fn lives(operator: &Operator, living: &[Living]) -> bool {
    let configured = operator.expires.is_none();
    configured || living.iter().any(|(_, kept, _)| kept.name == operator.name)
}

/// Every token that lives and that this program can read; it lets no other in.
async fn living(ops: &Ops) -> Result<Vec<Living>, Problem> {
    let items = ops.house.store().list(ShelfKind::OperatorToken, None, ops.now(), TOKENS_MAX).await?;
    let read = |value: &[u8]| serde_json::from_slice(value).ok();
    Ok(items.into_iter().filter_map(|item| Some((item.key, read(&item.value)?, item.expires))).collect())
}

fn summary(hash: &[u8; 32], kept: &KeptToken, expires: Timestamp) -> AuditState {
    AuditState::OperatorToken(OperatorTokenSummary {
        id: public_id(hash),
        name: kept.name.clone(),
        scopes: kept.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        expires,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_was_revoked_while_its_request_waited_makes_no_other() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let kept =
            |name: &str| KeptToken { name: name.to_owned(), scopes: Vec::new(), made_by: "root".to_owned(), made: now };
        let operator = |expires| Operator { name: "olga".to_owned(), scopes: Vec::new(), expires, from: None };
        let living = [([1; 32], kept("otto"), now), ([2; 32], kept("olga"), now)];
        assert!(lives(&operator(Some(now)), &living));
        assert!(!lives(&operator(Some(now)), &living[..1]));
        assert!(lives(&operator(None), &[]), "one of the configuration is not kept here");
    }
}

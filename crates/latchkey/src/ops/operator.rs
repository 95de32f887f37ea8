//! Who operates: tokens, what each is good for, and the check of every request.
//!
//! A token of the configuration is good for everything and has no end there. One that was made here is good for some
//! scopes and some time; only its hash is kept.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use latchkey_authority::caller::{Caller, Via};
use latchkey_authority::change::{Action, Actor, AuditEvent, Outcome};
use latchkey_authority::ports::{Shelf, ShelfKind};
use latchkey_authority::step_up::FactorSet;
use latchkey_crypto::digest::{sha256, to_hex};
use latchkey_protocol::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use super::Ops;
use super::problem::Problem;

/// What a token is good for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum Scope {
    /// Look at accounts, keys and the policy.
    #[serde(rename = "accounts:read")]
    AccountsRead,
    /// Open accounts, state facts of them, freeze them, reset their factors.
    #[serde(rename = "accounts:write")]
    AccountsWrite,
    /// Disable and delete keys.
    #[serde(rename = "keys:hold")]
    KeysHold,
    /// Read and export the audit chain.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Bring keys in from files.
    #[serde(rename = "imports")]
    Imports,
    /// The sandbox's calls and the demo's mailbox.
    #[serde(rename = "venue")]
    Venue,
    /// Make and end tokens.
    #[serde(rename = "tokens")]
    Tokens,
}

impl Scope {
    /// Every scope.
    pub(crate) const ALL: [Self; 7] = [
        Self::AccountsRead,
        Self::AccountsWrite,
        Self::KeysHold,
        Self::AuditRead,
        Self::Imports,
        Self::Venue,
        Self::Tokens,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::AccountsRead => "accounts:read",
            Self::AccountsWrite => "accounts:write",
            Self::KeysHold => "keys:hold",
            Self::AuditRead => "audit:read",
            Self::Imports => "imports",
            Self::Venue => "venue",
            Self::Tokens => "tokens",
        }
    }
}

/// A token as it is kept, under the hash of its text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptToken {
    /// Who uses it.
    pub(crate) name: String,
    /// What it is good for.
    pub(crate) scopes: Vec<Scope>,
    /// The operator who made it.
    pub(crate) made_by: String,
    /// When.
    pub(crate) made: Timestamp,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Operator {
    /// As records name him or her.
    pub(crate) name: String,
    /// What may be done.
    pub(crate) scopes: Vec<Scope>,
    /// When the token ends; `None` for one of the configuration.
    pub(crate) expires: Option<Timestamp>,
    /// From where.
    pub(crate) from: Option<core::net::IpAddr>,
}

impl Operator {
    /// The caller of a change of `account`.
    pub(crate) fn caller(&self, account: AccountId) -> Caller {
        Caller { account, from: self.from, via: Via::Operator(self.name.clone()), step_up: None, claim: None }
    }

    /// The audit record of something done that changes no record of the authority.
    pub(crate) fn event(&self, action: Action, account: AccountId, now: Timestamp) -> AuditEvent {
        AuditEvent {
            at: now,
            who: Actor::Operator(self.name.clone()),
            from: self.from,
            action,
            account,
            key: None,
            before: Vec::new(),
            after: Vec::new(),
            outcome: Outcome::Done,
            with: FactorSet::EMPTY,
        }
    }
}

/// The name by which lists and their readers call a token.
pub(crate) fn public_id(hash: &[u8; 32]) -> String {
    to_hex(hash).chars().take(16).collect()
}

/// Routes that a token must have `scope` for.
pub(crate) fn scoped(scope: Scope, routes: Router<Ops>) -> Router<Ops> {
    routes.route_layer(from_fn(
        move |Extension(operator): Extension<Operator>, request: Request, next: Next| async move {
            if operator.scopes.contains(&scope) {
                return next.run(request).await;
            }
            let detail = format!("the token is not good for `{}`", scope.as_str());
            Problem::new(StatusCode::FORBIDDEN, "scope", detail).into_response()
        },
    ))
}

/// Lets operators in, and tells the routes who asks. Digests are compared, so that the time of the comparison says
/// nothing about a token.
pub(crate) async fn authorize(State(ops): State<Ops>, mut request: Request, next: Next) -> Response {
    let presented = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let found = match presented.and_then(|value| value.strip_prefix("Bearer ")) {
        None => Ok(None),
        Some(token) => find(&ops, token).await,
    };
    match found {
        Ok(Some(mut operator)) => {
            operator.from = request.extensions().get::<latchkey_console::Peer>().map(|peer| peer.0.to_canonical());
            request.extensions_mut().insert(operator);
            next.run(request).await
        }
        Ok(None) => {
            let detail = match presented {
                None => "an operator's token is needed",
                Some(_) => "the token is unknown, revoked or past its end",
            };
            Problem::new(StatusCode::UNAUTHORIZED, "token-needed", detail).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

/// The operator whose token this is.
pub(crate) async fn find(ops: &Ops, token: &str) -> Result<Option<Operator>, Problem> {
    let hash = sha256(token.as_bytes());
    if let Some((name, _)) = ops.operators.iter().find(|(_, known)| *known == hash) {
        let operator = Operator { name: name.clone(), scopes: Scope::ALL.to_vec(), expires: None, from: None };
        return Ok(Some(operator));
    }
    let Some(item) = ops.house.store().get(ShelfKind::OperatorToken, hash, ops.now()).await? else { return Ok(None) };
    // What this program cannot read lets nobody in.
    let Ok(kept) = serde_json::from_slice::<KeptToken>(&item.value) else { return Ok(None) };
    Ok(Some(Operator { name: kept.name, scopes: kept.scopes, expires: Some(item.expires), from: None }))
}

/// Operators of the configuration: name and SHA-256 of the token.
pub(crate) type Configured = Arc<[(String, [u8; 32])]>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_written_as_it_is_called() {
        for scope in Scope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
    }
}

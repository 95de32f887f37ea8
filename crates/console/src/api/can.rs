//! "May this key do that?": every rule of the line that decides it, by the code of the line.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use latchkey_admission::Reason;
use latchkey_admission::decide::{Asked, decide};
use latchkey_authority::ports::Ports;
use latchkey_protocol::catalog::{Catalog, Found, Method};
use latchkey_protocol::{Symbol, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::console::Console;
use crate::problem::Problem;
use crate::session::Signed;
use crate::wire::{Input, Segments, answer, invalid};

/// A call that is asked about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    method: String,
    /// The path, without a query.
    path: String,
    /// From where; absent: the IP list is not asked.
    #[serde(default)]
    ip: Option<String>,
    /// When, in milliseconds since the epoch; absent: now.
    #[serde(default)]
    at: Option<i64>,
    /// The pair that the call would name.
    #[serde(default)]
    symbol: Option<String>,
}

/// What the rules said.
#[derive(Serialize, ToSchema)]
pub(crate) struct Verdict {
    /// Whether no rule refuses.
    can: bool,
    /// Every rule that was asked, in the order of the line.
    rules: Vec<RuleView>,
}

/// What one rule said.
#[derive(Serialize, ToSchema)]
pub(crate) struct RuleView {
    /// The stage of the line that asks it.
    stage: String,
    /// Whether it lets the call pass.
    passes: bool,
    /// Why not.
    reason: Option<String>,
}

/// `POST /v1/accounts/{account}/keys/{key}/can`.
pub(crate) async fn can<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments((account, key)): Segments<(String, String)>,
    Input { value: question, .. }: Input<Question>,
) -> Result<Response, Problem> {
    let loaded = console.reach(&signed, &account).await?;
    let key = console.one_key(&loaded, &key).await?;
    let method = Method::parse(&question.method).ok_or_else(|| invalid("method", "no endpoint has this method"))?;
    let row = match Catalog::builtin().find(method, &question.path) {
        Found::Endpoint(row) => row,
        Found::OtherMethod => return Err(invalid("method", "this path has other methods")),
        Found::Nothing => return Err(invalid("path", "no endpoint has this path")),
    };
    let from: Option<IpAddr> = match question.ip.as_deref().map(str::parse) {
        None => None,
        Some(Ok(address)) => Some(address),
        Some(Err(_)) => return Err(invalid("ip", "this is no IP address")),
    };
    let symbol = match question.symbol.as_deref().map(Symbol::parse) {
        None => None,
        Some(Some(symbol)) => Some(symbol),
        Some(None) => return Err(invalid("symbol", "this is no symbol")),
    };
    let at = question.at.map_or_else(|| console.now(), Timestamp::from_millis);
    let rules: Vec<RuleView> = match console.services.keys.find(&key.api_key) {
        // Ended keys are not on the line at all.
        None => vec![RuleView { stage: "key".to_owned(), passes: false, reason: Some("the key has ended".to_owned()) }],
        Some(live) => {
            let rulings = decide(&live, &Asked { row, at, from, symbol });
            let shown = rulings.into_iter().map(|ruling| RuleView {
                stage: ruling.stage.as_str().to_owned(),
                passes: ruling.said.is_ok(),
                reason: ruling.said.err().map(|reason| explain(&reason)),
            });
            shown.collect()
        }
    };
    Ok(answer(StatusCode::OK, &Verdict { can: rules.iter().all(|rule| rule.passes), rules }))
}

/// The reason in plain English.
fn explain(reason: &Reason) -> String {
    match reason {
        Reason::NotAvailable { .. } => "this venue does not offer the endpoint".to_owned(),
        Reason::KeyDead(why) => format!("the key is not in use: {}", why.name()),
        Reason::IpNotAllowed => "no entry of the key's IP list covers the address".to_owned(),
        Reason::PermissionMissing(permission) => {
            format!("the permission `{}` is not in force", permission.as_str())
        }
        Reason::KeyKind => "keys of this kind never reach the endpoint".to_owned(),
        Reason::SymbolNotWhitelisted => "the symbol is not on the key's whitelist".to_owned(),
        other => format!("{other:?}"),
    }
}

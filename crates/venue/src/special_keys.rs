//! Margin special keys: made, edited, deleted and shown by the authority.
//! Source: margin special API keys, 2026-01-15 and 2026-08-21.

use latchkey_admission::{Call, Outcome, Permit, Rejection, Ticket};
use latchkey_authority::issue::{FixedText, NewProof, NewSpecialKey, SpecialTarget};
use latchkey_authority::key::{PermissionMode, Scope};
use latchkey_authority::ports::{ExchangeFacts, Ports};
use latchkey_authority::service::{AuthorityError, Created};
use latchkey_authority::view::SpecialKeyView;
use latchkey_protocol::code::{self, ApiError};
use latchkey_protocol::{AccountId, ApiKey, Symbol, Value, object};

use crate::sequencer::{Exchange, ExchangeError};
use crate::sub_keys::{public_key, secret};
use crate::venue::{Venue, not_done};

pub(crate) fn create<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, exchange, call, caller, now| async move {
        let new = wanted(&call);
        let symbol = call.arguments.symbol("symbol");
        let facts = match facts(&exchange, caller.account, symbol).await {
            Ok(facts) => facts,
            Err(error) => return rejected(error),
        };
        answer(authority.create_special_key(&caller, caller.account, &new, facts, now).await, |created| {
            created_value(&created)
        })
    })
}

/// `POST /sapi/v1/margin/exit-special-key-mode`: deletes the special keys of the cross margin account, puts the
/// standard checks back in force and begins the cooldown. An account outside the mode leaves it silently.
/// Source: margin API, exit special key mode, 2026-07-13.
pub(crate) fn exit<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, exchange, _, caller, now| async move {
        let facts = match facts(&exchange, caller.account, None).await {
            Ok(facts) => facts,
            Err(error) => return rejected(error),
        };
        answer(authority.exit_special_key_mode(&caller, facts, now).await, |()| Value::empty())
    })
}

/// What the exchange says of an account. Nothing was done yet, so that its silence is no unknown outcome.
async fn facts(exchange: &Exchange, owner: AccountId, symbol: Option<Symbol>) -> Result<ExchangeFacts, ApiError> {
    exchange.facts(owner, symbol).await.map_err(|error| match error {
        ExchangeError::Busy => code::SPOT_SERVER_BUSY_SAPI.plain(),
        ExchangeError::Stopped | ExchangeError::Refused(_) => code::DISCONNECTED.plain(),
    })
}

pub(crate) fn delete<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let arguments = &call.arguments;
        let api_key = match arguments.text("apiKey").map(parse).transpose() {
            Ok(api_key) => api_key,
            Err(error) => return rejected(error),
        };
        let target = SpecialTarget { api_key, label: arguments.text("apiName").map(str::to_owned) };
        let deleted = authority.delete_special_keys(&caller, &target, scope(&call), now).await;
        answer(deleted, |()| Value::empty())
    })
}

pub(crate) fn edit_ip<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let api_key = match named(&call) {
            Ok(api_key) => api_key,
            Err(error) => return rejected(error),
        };
        let ips = call.arguments.text("ip").unwrap_or_default();
        let edited = authority.edit_special_key_ip(&caller, api_key, scope(&call), ips, now).await;
        answer(edited, |()| Value::empty())
    })
}

pub(crate) fn one<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let api_key = match named(&call) {
            Ok(api_key) => api_key,
            Err(error) => return rejected(error),
        };
        answer(authority.special_key(&caller, api_key, scope(&call), now).await, |view| {
            object! {
                "apiKey": view.api_key.as_str().to_owned(),
                "ip": view.ip_alone(),
                "apiName": view.label.as_str().to_owned(),
                "type": view.key_type.wire_name(),
                "permissionMode": view.mode.as_str(),
            }
        })
    })
}

pub(crate) fn list<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        answer(authority.special_keys(&caller, scope(&call), now).await, |views| {
            Value::Array(views.iter().map(row_value).collect())
        })
    })
}

fn wanted(call: &Call) -> NewSpecialKey {
    let arguments = &call.arguments;
    NewSpecialKey {
        label: arguments.text("apiName").unwrap_or_default().to_owned(),
        scope: scope(call),
        ips: arguments.text("ip").map(str::to_owned),
        proof: arguments.text("publicKey").map_or(NewProof::Hmac, |text| NewProof::Public(public_key(text))),
        mode: arguments.choice("permissionMode").and_then(PermissionMode::parse).unwrap_or_default(),
        fixed: FixedText::default(),
        created: None,
    }
}

/// The margin account that the optional `symbol` addresses.
fn scope(call: &Call) -> Scope {
    Scope::of(call.arguments.symbol("symbol"))
}

/// The key that the row demands.
fn named(call: &Call) -> Result<ApiKey, ApiError> {
    let missing = || code::MANDATORY_PARAMETER.with(["apiKey"]);
    call.arguments.text("apiKey").ok_or_else(missing).and_then(parse)
}

/// A text that is no key's name is that of a key that does not exist.
fn parse(text: &str) -> Result<ApiKey, ApiError> {
    ApiKey::parse(text.as_bytes()).ok_or_else(|| code::NO_SUCH_API_KEY.plain())
}

fn created_value(created: &Created) -> Value {
    object! {
        "apiKey": created.record.api_key.as_str().to_owned(),
        "secretKey": secret(created),
        "type": created.record.key_type().wire_name(),
    }
}

fn row_value(view: &SpecialKeyView) -> Value {
    object! {
        "apiName": view.label.as_str().to_owned(),
        "apiKey": view.api_key.as_str().to_owned(),
        "ip": view.ip_in_list(),
        "type": view.key_type.wire_name(),
        "permissionMode": view.mode.as_str(),
    }
}

fn answer<T>(result: Result<T, AuthorityError>, show: impl FnOnce(T) -> Value) -> Outcome {
    match result {
        Ok(value) => Outcome::Answered(show(value).into()),
        Err(error) => not_done(&error),
    }
}

fn rejected(error: ApiError) -> Outcome {
    Outcome::Rejected(Rejection::venue(error))
}

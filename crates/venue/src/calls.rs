//! Our own signed routes about calls: what an owner may read of every request on an own key.
//!
//! To a key that may not read, and to everyone about the calls of others, nothing is there.

use std::sync::Arc;

use latchkey_admission::call::RequestId;
use latchkey_admission::records::{CallEntry, CallPage, CallQuery, Cursor, EntryEnd, RefusalEntry};
use latchkey_admission::{Call, Outcome, Permit, Rejection, Ticket};
use latchkey_authority::key::parse_key_id;
use latchkey_authority::ports::{Ports, Store};
use latchkey_protocol::catalog::Arguments;
use latchkey_protocol::code::{self, ApiError};
use latchkey_protocol::{AccountId, ApiKey, KeyId, Permission, Value, object};

use crate::venue::{Venue, holder};

/// `GET /latchkey/v1/refusals/{id}`: why one call was refused, exactly.
pub(crate) fn refusal<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let (call, account) = reader(venue, permit)?;
    let id = call.arguments.text("id").and_then(RequestId::parse).ok_or_else(absent)?;
    let query = CallQuery { id: Some(id), limit: 1, ..CallQuery::of(account) };
    let found = venue.search.clone().find(query);
    Ok(Box::pin(async move {
        match found.await {
            Ok(page) => match page.entries.first().filter(|entry| matches!(entry.end, EntryEnd::Rejected(_))) {
                Some(entry) => Outcome::Answered(entry_value(entry).into()),
                None => Outcome::Rejected(absent()),
            },
            Err(error) => Outcome::Rejected(Rejection::venue(error)),
        }
    }))
}

/// `GET /latchkey/v1/calls`: the account's own calls, newest first, one page.
pub(crate) fn calls<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let (call, account) = reader(venue, permit)?;
    let mut query = asked(&call.arguments, account).map_err(Rejection::venue)?;
    let key = call.arguments.text("key").map(Named::parse).transpose().map_err(Rejection::venue)?;
    let authority = Arc::clone(&venue.authority);
    let search = venue.search.clone();
    Ok(Box::pin(async move {
        match key {
            None => {}
            Some(Named::Id(id)) => query.key = Some(id),
            Some(Named::Public(api_key)) => match authority.ports().store().key(api_key).await {
                Ok(Some(record)) if record.account == account => query.key = Some(record.id),
                Ok(_) => return Outcome::Answered(page_value(&CallPage::default()).into()),
                Err(error) => {
                    tracing::error!(%error, "a key could not be looked up");
                    return Outcome::Rejected(Rejection::venue(code::DISCONNECTED.plain()));
                }
            },
        }
        match search.find(query).await {
            Ok(page) => Outcome::Answered(page_value(&page).into()),
            Err(error) => Outcome::Rejected(Rejection::venue(error)),
        }
    }))
}

/// Hands the call over, and hides everything from a key that may not read.
fn reader<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<(Call, AccountId), Rejection> {
    let call = permit.hand_over(venue.clock.now())?;
    let holder = holder(&call)?;
    let account = holder.key().account.id;
    if holder.permissions().contains(Permission::Reading) { Ok((call, account)) } else { Err(absent()) }
}

fn absent() -> Rejection {
    Rejection::venue(code::NO_SUCH_RECORD.plain())
}

/// A key by its public name or by its id.
enum Named {
    Public(ApiKey),
    Id(KeyId),
}

impl Named {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let public = ApiKey::parse(text.as_bytes()).map(Self::Public);
        let named = public.or_else(|| parse_key_id(text).map(Self::Id));
        named.ok_or_else(|| code::INVALID_PARAMETER.with(["key"]))
    }
}

fn asked(arguments: &Arguments, account: AccountId) -> Result<CallQuery, ApiError> {
    let invalid = |name: &'static str| move || code::INVALID_PARAMETER.with([name]);
    let text = |name: &str| arguments.text(name);
    Ok(CallQuery {
        from: arguments.time("startTime"),
        until: arguments.time("endTime"),
        path: text("path").map(Into::into),
        outcome: text("outcome").map(Into::into),
        source: text("ip").map(|ip| ip.parse().map_err(|_| invalid("ip")())).transpose()?,
        before: text("cursor").map(|cursor| Cursor::parse(cursor).ok_or_else(invalid("cursor"))).transpose()?,
        limit: arguments.int("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100),
        ..CallQuery::of(account)
    })
}

fn page_value(page: &CallPage) -> Value {
    object! {
        "calls": page.entries.iter().map(entry_value).collect::<Vec<_>>(),
        "cursor": page.next.map_or(Value::Null, |next| next.text().into()),
    }
}

fn entry_value(entry: &CallEntry) -> Value {
    let used = entry.used.as_ref().map_or(Value::Null, |used| {
        object! {
            "budget": used.budget.to_string(),
            "weight": i64::from(used.weight),
            "used": i64::from(used.used),
            "allowed": used.allowed.map_or(Value::Null, |allowed| i64::from(allowed).into()),
        }
    });
    let refusal = match &entry.end {
        EntryEnd::Rejected(refusal) => refusal_value(refusal),
        EntryEnd::Answered | EntryEnd::Unknown | EntryEnd::ClientGone => Value::Null,
    };
    object! {
        "id": entry.id.to_string(),
        "time": entry.at,
        "tookMicros": entry.took_us,
        "keyId": entry.key.to_string(),
        "method": entry.method.to_string(),
        "path": entry.path.to_string(),
        "ip": entry.source.to_string(),
        "ipFoundBy": entry.found_by.to_string(),
        "ipEntry": entry.ip_entry.as_ref().map_or(Value::Null, |entry| entry.to_string().into()),
        "proven": entry.proven,
        "clockMillis": entry.clock_us.map_or(Value::Null, |micros| Value::from(micros / 1000)),
        "weight": used,
        "outcome": entry.end.name(),
        "count": i64::from(entry.count),
        "refusal": refusal,
    }
}

fn refusal_value(refusal: &RefusalEntry) -> Value {
    let payload = refusal.payload.as_ref();
    object! {
        "stage": refusal.stage.to_string(),
        "reason": refusal.reason.to_string(),
        "code": i64::from(refusal.code),
        "msg": refusal.told.to_string(),
        "explanation": refusal.explanation.to_string(),
        "payload": payload.map_or(Value::Null, |payload| Value::from(payload.to_string())),
    }
}

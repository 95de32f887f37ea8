//! Our own signed routes.

use latchkey_admission::{Outcome, Permit, Rejection, Ticket};
use latchkey_authority::effective::{Effective, Standing, effective_permissions};
use latchkey_authority::key::{KeyKind, KeyRecord, Scope};
use latchkey_authority::ports::{Ports, Store};
use latchkey_authority::refusal::Refusal;
use latchkey_authority::service::AuthorityError;
use latchkey_protocol::{PermissionSet, Timestamp, Value};

use crate::venue::{Venue, holder, not_done};

/// `GET /latchkey/v1/key`: all that there is to know of the calling key, but its secret.
pub(crate) fn key<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let last_used = holder(permit.call())?.key().last_used();
    venue.spawn(permit, move |authority, _, _, caller, now| async move {
        let found = async {
            let loaded = authority.ports().store().load(caller.account).await.map_err(AuthorityError::Store)?;
            let loaded = loaded.ok_or(Refusal::AccountUnknown)?;
            let record = loaded.keys.iter().find(|key| Some(key.id) == caller.key()).ok_or(Refusal::KeyUnknown)?;
            let effective = effective_permissions(authority.policy(), &loaded.owner()?, record, now);
            Ok::<_, AuthorityError>(key_value(record, &effective, last_used))
        };
        match found.await {
            Ok(value) => Outcome::Answered(value.into()),
            Err(error) => not_done(&error),
        }
    })
}

fn key_value(record: &KeyRecord, effective: &Effective, last_used: Option<Timestamp>) -> Value {
    let (kind, scope, mode) = match record.kind {
        KeyKind::Standard => ("standard", Value::Null, Value::Null),
        KeyKind::Tax => ("tax", Value::Null, Value::Null),
        KeyKind::Special { scope: Scope::Cross, mode } => ("special", "cross".into(), mode.as_str().into()),
        KeyKind::Special { scope: Scope::Isolated(symbol), mode } => ("special", symbol.into(), mode.as_str().into()),
    };
    let names = |set: PermissionSet| Value::Array(set.iter().map(|p| Value::Text(p.as_str())).collect());
    let ips = record.ip.rules().iter().map(|rule| Value::from(rule.to_string())).collect();
    let time = |time: Option<Timestamp>| time.map_or(Value::Null, Value::from);
    latchkey_protocol::object! {
        "apiKey": record.api_key.as_str().to_owned(),
        "label": record.label.as_str().to_owned(),
        "type": record.key_type().wire_name(),
        "kind": kind,
        "scope": scope,
        "permissionMode": mode,
        "uid": record.account.0,
        "created": record.created,
        "standing": match effective.standing {
            Standing::Alive => "alive",
            Standing::Dead(reason) => reason.name(),
        },
        "until": time(effective.until),
        "lastUsed": time(last_used),
        "permissions": names(effective.permissions),
        "granted": names(record.permissions),
        "withheld": effective.withheld.iter().map(|withheld| Value::from(format!(
            "{} {}", withheld.permission, withheld.need.explanation()
        ))).collect::<Vec<_>>(),
        "ipRestrict": record.ip.is_listed(),
        "ips": Value::Array(ips),
        "symbols": record.symbols.as_ref().map_or(Value::Null, |symbols| {
            Value::Array(symbols.iter().copied().map(Value::from).collect())
        }),
    }
}

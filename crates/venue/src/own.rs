//! Our own signed routes.

use latchkey_admission::{Outcome, Permit, Rejection, Ticket};
use latchkey_authority::effective::{Effective, Standing, Withheld, effective_permissions};
use latchkey_authority::key::{KeyKind, KeyRecord, Scope};
use latchkey_authority::ports::{Ports, Store};
use latchkey_authority::refusal::Refusal;
use latchkey_authority::service::AuthorityError;
use latchkey_protocol::{PermissionSet, Symbol, Value, object};

use crate::venue::{Venue, not_done};

/// `GET /latchkey/v1/key`: all that there is to know of the calling key, but its secret.
pub(crate) fn key<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, _, caller, now| async move {
        let found = async {
            let loaded = authority.ports().store().load(caller.account).await.map_err(AuthorityError::Store)?;
            let loaded = loaded.ok_or(Refusal::AccountUnknown)?;
            let record = loaded.keys.iter().find(|key| Some(key.id) == caller.key()).ok_or(Refusal::KeyUnknown)?;
            let effective = effective_permissions(authority.policy(), &loaded.owner()?, record, now);
            Ok::<_, AuthorityError>(key_value(record, &effective))
        };
        match found.await {
            Ok(value) => Outcome::Answered(value.into()),
            Err(error) => not_done(&error),
        }
    })
}

fn key_value(record: &KeyRecord, effective: &Effective) -> Value {
    let (kind, scope, mode) = match record.kind {
        KeyKind::Standard => ("standard", Value::Null, Value::Null),
        KeyKind::Tax => ("tax", Value::Null, Value::Null),
        KeyKind::Special { scope: Scope::Cross, mode } => ("special", "cross".into(), mode.as_str().into()),
        KeyKind::Special { scope: Scope::Isolated(symbol), mode } => ("special", symbol.into(), mode.as_str().into()),
    };
    let standing = match effective.standing {
        Standing::Alive => "alive",
        Standing::Dead(reason) => reason.name(),
    };
    let names = |set: PermissionSet| set.iter().map(|permission| permission.as_str().into()).collect::<Vec<Value>>();
    let withheld = |withheld: &Withheld| {
        object! { "permission": withheld.permission.as_str(), "because": withheld.need.explanation() }
    };
    let symbols = |symbols: &Vec<Symbol>| Value::Array(symbols.iter().copied().map(Value::from).collect());
    object! {
        "apiKey": record.api_key.as_str().to_owned(),
        "label": record.label.as_str().to_owned(),
        "type": record.key_type().wire_name(),
        "kind": kind,
        "scope": scope,
        "permissionMode": mode,
        "uid": record.account.0,
        "created": record.created,
        "standing": standing,
        "until": effective.until.map_or(Value::Null, Value::from),
        "permissions": names(effective.permissions),
        "granted": names(record.permissions),
        "withheld": effective.withheld.iter().map(withheld).collect::<Vec<_>>(),
        "ipRestrict": record.ip.is_listed(),
        "ips": record.ip.rules().iter().map(|rule| rule.to_string().into()).collect::<Vec<Value>>(),
        "symbols": record.symbols.as_ref().map_or(Value::Null, symbols),
    }
}

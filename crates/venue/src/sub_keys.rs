//! The standard keys of a sub-account, called by its master.
//!
//! What the rows of masters and those of brokers share stands in `work`.
//! Source: sub-account API, 2026-08-21, and "Create Sub-account API Key V2".

mod work;

use latchkey_admission::{Call, Permit, Rejection, Ticket};
use latchkey_authority::issue::{FixedText, NewKey, NewProof};
use latchkey_authority::key::KeyRecord;
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::Ports;
use latchkey_authority::service::Created;
use latchkey_protocol::code::{self, ApiError};
use latchkey_protocol::{Permission, Timestamp, Value, object};

use crate::sub_accounts::{answered, named, ordinary};
use crate::venue::Venue;
pub(crate) use work::{
    Flags, IpView, add_ips, delete_key, edit_flags, ips, living, page, public_key, remove_ips, secret, shown,
};

/// The permissions of both versions.
const FLAGS: Flags = &[
    ("canTrade", Permission::SpotAndMarginTrading),
    ("canMarginLoanRepay", Permission::Margin),
    ("canFuturesTrade", Permission::Futures),
    ("canUniversalTransfer", Permission::UniversalTransfer),
    ("canVanillaOptions", Permission::VanillaOptions),
];
/// What version 2 adds.
const FIX_FLAGS: Flags =
    &[("canFixApiTrading", Permission::FixApiTrade), ("canFixApiReading", Permission::FixReadOnly)];
/// The rows of a page when no number is sent.
const PAGE: i64 = 30;

pub(crate) fn create<P: Ports + 'static>(
    venue: &Venue<P>,
    permit: Permit,
    with_fix: bool,
) -> Result<Ticket, Rejection> {
    venue.spawn(permit, move |authority, _, call, caller, now| async move {
        let made = async {
            let sub = named(&authority, &caller, &call).await?;
            ordinary(&sub)?;
            let new = wanted(&call, authority.policy())?;
            let created = authority.create_key(&caller, sub.account.id, &new, now).await?;
            Ok(created_value(&call, &created, with_fix))
        };
        answered(made.await)
    })
}

fn wanted(call: &Call, policy: &Policy) -> Result<NewKey, ApiError> {
    let arguments = &call.arguments;
    let ips = match (arguments.choice("status"), arguments.text("ipAddress")) {
        (Some("2"), Some(text)) => Some(work::addresses(text, policy)?),
        (Some("2"), None) => return Err(code::MANDATORY_PARAMETER.with(["ipAddress"])),
        // No third party is known here whose addresses could be taken.
        (Some("3"), _) if arguments.text("thirdPartyName").is_none() => {
            return Err(code::MANDATORY_PARAMETER.with(["thirdPartyName"]));
        }
        (Some("3"), _) => return Err(code::INVALID_PARAMETER.with(["thirdPartyName"])),
        // Whoever names addresses does not mean an open key.
        (_, Some(_)) => return Err(code::PARAMETER_NOT_REQUIRED.with(["ipAddress"])),
        (_, None) => None,
    };
    Ok(NewKey {
        label: arguments.text("apiName").unwrap_or_default().to_owned(),
        proof: arguments.text("publicKey").map_or(NewProof::Hmac, |text| NewProof::Public(public_key(text))),
        permissions: work::granted(call, FLAGS.iter().chain(FIX_FLAGS)),
        ips,
        symbols: None,
        fixed: FixedText::default(),
        created: None,
    })
}

fn created_value(call: &Call, created: &Created, with_fix: bool) -> Value {
    let record = &created.record;
    let mut fields = vec![
        ("apiName", Value::from(record.label.as_str().to_owned())),
        ("apiKey", record.api_key.as_str().to_owned().into()),
        ("secretKey", secret(created)),
    ];
    fields.extend(shown(record, FLAGS));
    if with_fix {
        fields.extend(shown(record, FIX_FLAGS));
    }
    let status = call.arguments.choice("status").and_then(|status| status.parse::<i64>().ok()).unwrap_or(1);
    fields.extend([("status", status.into()), ("ipList", Value::Array(IpView::of(record).list()))]);
    Value::Object(fields)
}

pub(crate) fn delete<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let deleted = async {
            let sub = named(&authority, &caller, &call).await?;
            ordinary(&sub)?;
            delete_key(&authority, &caller, &sub, &call, now).await?;
            Ok(Value::empty())
        };
        answered(deleted.await)
    })
}

pub(crate) fn list<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let read = async {
            let sub = named(&authority, &caller, &call).await?;
            let (total, page) = page(living(&authority, &sub, now), &call, PAGE);
            let row = |key: &&KeyRecord| {
                let mut fields = vec![("email", Value::from(sub.account.email.as_str().to_owned()))];
                fields.extend(key_fields(key, key.created));
                Value::Object(fields)
            };
            let rows: Vec<Value> = page.iter().map(row).collect();
            // The page calls the rows `list`, the client `rows`.
            Ok(object! { "total": total, "list": rows.clone(), "rows": rows })
        };
        answered(read.await)
    })
}

fn key_fields(key: &KeyRecord, at: Timestamp) -> Vec<(&'static str, Value)> {
    let mut fields = vec![
        ("apiName", Value::from(key.label.as_str().to_owned())),
        ("apikey", key.api_key.as_str().to_owned().into()),
    ];
    fields.extend(shown(key, FLAGS));
    fields.push(("timestamp", at.into()));
    fields
}

pub(crate) fn permission<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let edited = async {
            let sub = named(&authority, &caller, &call).await?;
            ordinary(&sub)?;
            work::no_portfolio_margin_retail(&sub, now)?;
            let key = edit_flags(&authority, &caller, &sub, &call, FLAGS, now).await?;
            Ok(Value::Object(key_fields(&key, now)))
        };
        answered(edited.await)
    })
}

pub(crate) fn set_ips<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let edited = async {
            let sub = named(&authority, &caller, &call).await?;
            let view = add_ips(&authority, &caller, &sub, &call, now).await?;
            Ok(object! {
                "status": view.status(),
                "ipList": view.list(),
                "updateTime": now,
                "apiKey": view.api_key(),
            })
        };
        answered(edited.await)
    })
}

pub(crate) fn one_list<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let read = async {
            let sub = named(&authority, &caller, &call).await?;
            Ok(list_value(&ips(&authority, &sub, &call, now)?))
        };
        answered(read.await)
    })
}

pub(crate) fn cut_list<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let edited = async {
            let sub = named(&authority, &caller, &call).await?;
            Ok(list_value(&remove_ips(&authority, &caller, &sub, &call, now).await?))
        };
        answered(edited.await)
    })
}

fn list_value(view: &IpView) -> Value {
    object! {
        "ipRestrict": view.restricted(),
        "ipList": view.list(),
        "updateTime": view.at(),
        "apiKey": view.api_key(),
    }
}

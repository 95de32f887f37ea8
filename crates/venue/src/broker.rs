//! The keys of a broker's sub-accounts, which are named by their uid.
//! Source: link program API, 2024-04-30.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use latchkey_admission::{Call, Permit, Rejection, Ticket};
use latchkey_authority::issue::{FixedText, NewKey, NewProof};
use latchkey_authority::key::KeyRecord;
use latchkey_authority::ports::{Loaded, Ports};
use latchkey_protocol::code::{self, ApiError};
use latchkey_protocol::{AccountId, Permission, PermissionSet, Timestamp, Value};

use crate::sub_accounts::{answered, named, ordinary};
use crate::sub_keys::{
    Flags, IpView, add_ips, delete_key, edit_flags, ips, living, page, public_key, remove_ips, secret, shown,
};
use crate::venue::Venue;

/// The permissions of a broker's keys.
const FLAGS: Flags = &[
    ("canTrade", Permission::SpotAndMarginTrading),
    ("marginTrade", Permission::Margin),
    ("futuresTrade", Permission::Futures),
];
const TRANSFER: Flags = &[("canUniversalTransfer", Permission::UniversalTransfer)];
/// The label of a key that is made without one.
const LABEL: &str = "broker";
/// The rows of a page when no number is sent.
const PAGE: i64 = 500;

/// When keys of each sub-account were last made and deleted: one a second each.
#[derive(Default)]
pub(crate) struct Pace(Mutex<HashMap<(AccountId, Deed), Timestamp>>);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Deed {
    Create,
    Delete,
}

impl Pace {
    const SECOND_US: i64 = 1_000_000;
    /// How many entries are kept before old ones are dropped.
    const ENTRIES: usize = 1024;

    /// Takes the second of a deed, or refuses when it is taken.
    fn take(&self, account: AccountId, deed: Deed, now: Timestamp) -> Result<(), ApiError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |at: &Timestamp| now.micros_since(*at) < Self::SECOND_US;
        if last.get(&(account, deed)).is_some_and(recent) {
            return Err(code::TOO_MANY_REQUESTS.plain());
        }
        if last.len() >= Self::ENTRIES {
            last.retain(|_, at| recent(at));
        }
        last.insert((account, deed), now);
        Ok(())
    }
}

pub(crate) fn create<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let pace = venue.pace.clone();
    venue.spawn(permit, move |authority, _, call, caller, now| async move {
        let made = async {
            let sub = named(&authority, &caller, &call).await?;
            ordinary(&sub)?;
            pace.take(sub.account.id, Deed::Create, now)?;
            let created = authority.create_key(&caller, sub.account.id, &wanted(&call), now).await?;
            let mut fields = vec![
                ("subaccountId", id(&sub)),
                ("apiKey", created.record.api_key.as_str().to_owned().into()),
                ("secretKey", secret(&created)),
            ];
            fields.extend(shown(&created.record, FLAGS));
            Ok(Value::Object(fields))
        };
        answered(made.await)
    })
}

fn wanted(call: &Call) -> NewKey {
    let arguments = &call.arguments;
    let asked = FLAGS.iter().filter(|(name, _)| arguments.bool(name) == Some(true));
    NewKey {
        label: LABEL.to_owned(),
        proof: arguments.text("publicKey").map_or(NewProof::Hmac, |text| NewProof::Public(public_key(text))),
        permissions: asked.fold(PermissionSet::READING, |set, (_, permission)| set.with(*permission)),
        ips: None,
        symbols: None,
        fixed: FixedText::default(),
        created: None,
    }
}

/// A sub-account's uid, a text on this wire.
fn id(sub: &Loaded) -> Value {
    sub.account.id.0.to_string().into()
}

pub(crate) fn delete<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let pace = venue.pace.clone();
    venue.spawn(permit, move |authority, _, call, caller, now| async move {
        let deleted = async {
            let sub = named(&authority, &caller, &call).await?;
            ordinary(&sub)?;
            pace.take(sub.account.id, Deed::Delete, now)?;
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
            let (_, keys) = page(living(&authority, &sub, now), &call, PAGE);
            Ok(Value::Array(keys.into_iter().map(|key| row(&sub, key, FLAGS)).collect()))
        };
        answered(read.await)
    })
}

fn row(sub: &Loaded, key: &KeyRecord, flags: Flags) -> Value {
    let mut fields = vec![("subaccountId", id(sub)), ("apikey", key.api_key.as_str().to_owned().into())];
    fields.extend(shown(key, flags));
    Value::Object(fields)
}

pub(crate) fn permission<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    edit(venue, permit, FLAGS)
}

pub(crate) fn universal_transfer<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    edit(venue, permit, TRANSFER)
}

fn edit<P: Ports + 'static>(venue: &Venue<P>, permit: Permit, flags: Flags) -> Result<Ticket, Rejection> {
    venue.spawn(permit, move |authority, _, call, caller, now| async move {
        let edited = async {
            let sub = named(&authority, &caller, &call).await?;
            ordinary(&sub)?;
            let key = edit_flags(&authority, &caller, &sub, &call, flags, now).await?;
            Ok(row(&sub, &key, flags))
        };
        answered(edited.await)
    })
}

pub(crate) fn set_ips<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let edited = async {
            let sub = named(&authority, &caller, &call).await?;
            let view = add_ips(&authority, &caller, &sub, &call, now).await?;
            Ok(Value::Object(vec![
                ("subaccountId", id(&sub)),
                ("status", view.status().into()),
                ("ipList", view.list().into()),
                ("apiKey", view.api_key().into()),
                ("updateTime", view.at().into()),
            ]))
        };
        answered(edited.await)
    })
}

pub(crate) fn one_list<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let read = async {
            let sub = named(&authority, &caller, &call).await?;
            Ok(list_value(&sub, &ips(&authority, &sub, &call, now)?))
        };
        answered(read.await)
    })
}

pub(crate) fn cut_list<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let edited = async {
            let sub = named(&authority, &caller, &call).await?;
            Ok(list_value(&sub, &remove_ips(&authority, &caller, &sub, &call, now).await?))
        };
        answered(edited.await)
    })
}

fn list_value(sub: &Loaded, view: &IpView) -> Value {
    Value::Object(vec![
        ("subaccountId", id(sub)),
        ("ipRestrict", view.restricted().into()),
        ("apikey", view.api_key().into()),
        ("ipList", view.list().into()),
        ("updateTime", view.at().into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sub_account_has_one_deed_of_a_kind_a_second() {
        let (pace, at) = (Pace::default(), |micros| Timestamp::from_micros(1_000_000_000 + micros));
        let take = |account, deed, micros| pace.take(AccountId(account), deed, at(micros)).is_ok();
        assert!(take(1, Deed::Create, 0));
        assert!(!take(1, Deed::Create, 999_999), "in the same second");
        assert!(take(1, Deed::Delete, 5) && take(2, Deed::Create, 5), "another deed, another account");
        assert!(take(1, Deed::Create, 1_000_000), "a refused deed does not count");
        for account in 10..2_000 {
            assert!(take(account, Deed::Create, 3_000_000 + 2_000_000 * account));
        }
        assert!(pace.0.lock().unwrap().len() <= Pace::ENTRIES, "old entries go");
    }
}

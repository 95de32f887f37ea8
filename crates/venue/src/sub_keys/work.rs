//! What the calls about keys of a sub-account do, whoever names the account and however the answer is shaped.

use std::borrow::Cow;

use latchkey_admission::Call;
use latchkey_authority::account::PortfolioMargin;
use latchkey_authority::caller::Caller;
use latchkey_authority::ip::{IpForms, IpRestriction, IpRule};
use latchkey_authority::issue::{IpChange, KeyEdit};
use latchkey_authority::key::{KeyKind, KeyRecord};
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::{Loaded, Ports};
use latchkey_authority::refusal::Refusal;
use latchkey_authority::service::{Authority, AuthorityError, Created};
use latchkey_protocol::code::{self, ApiError};
use latchkey_protocol::{ApiKey, Permission, PermissionSet, Timestamp, Value};

use crate::sub_accounts::Failure;

/// The fields that carry permissions on a family's wire.
pub(crate) type Flags = &'static [(&'static str, Permission)];

/// The longest list of addresses. Source: sub-account API, 2026-08-21.
const ADDRESSES_MAX: usize = 500;
/// How often a key is read and edited anew when others edit it too.
const ATTEMPTS_MAX: u32 = 16;

/// A public key as sent: clients that encode by themselves send it encoded twice, and no PEM holds a percent sign.
pub(crate) fn public_key(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    latchkey_protocol::params::decode(text.as_bytes()).map_or_else(|_| text.to_owned(), Cow::into_owned)
}

/// The secret of a new key, which is shown once; `null` when there is none.
pub(crate) fn secret(created: &Created) -> Value {
    created.secret.as_ref().map_or(Value::Null, |secret| Value::from(secret.expose().to_owned()))
}

/// What a new key shall be allowed: reading, and what the call says.
pub(super) fn granted<'a>(call: &Call, flags: impl Iterator<Item = &'a (&'static str, Permission)>) -> PermissionSet {
    let asked = flags.filter(|(name, _)| call.arguments.bool(name) == Some(true));
    asked.fold(PermissionSet::READING, |set, (_, permission)| set.with(*permission))
}

/// A key's permissions as granted, in the family's fields.
pub(crate) fn shown(key: &KeyRecord, flags: Flags) -> impl Iterator<Item = (&'static str, Value)> {
    flags.iter().map(|(name, permission)| (*name, key.permissions.contains(*permission).into()))
}

/// The standard keys of a sub-account that have not ended, oldest first. Its special keys are its own affair.
pub(crate) fn living<'a, P: Ports>(authority: &Authority<P>, sub: &'a Loaded, now: Timestamp) -> Vec<&'a KeyRecord> {
    let policy = authority.policy();
    let listed = |key: &&KeyRecord| key.kind == KeyKind::Standard && key.lives(policy, now);
    let mut keys: Vec<&KeyRecord> = sub.keys.iter().filter(listed).collect();
    keys.sort_unstable_by_key(|key| (key.created, key.id));
    keys
}

/// The key that a call names in `subAccountApiKey`.
pub(crate) fn found<'a, P: Ports>(
    authority: &Authority<P>,
    sub: &'a Loaded,
    call: &Call,
    now: Timestamp,
) -> Result<&'a KeyRecord, ApiError> {
    let api_key = call.arguments.text("subAccountApiKey").and_then(|text| ApiKey::parse(text.as_bytes()));
    let mut keys = living(authority, sub, now).into_iter();
    keys.find(|key| Some(key.api_key) == api_key).ok_or_else(|| code::NO_SUCH_API_KEY.plain())
}

/// How many keys there are, and those of the page that a call asks for; one that it names is all there is.
pub(crate) fn page<'a>(keys: Vec<&'a KeyRecord>, call: &Call, size: i64) -> (i64, Vec<&'a KeyRecord>) {
    let arguments = &call.arguments;
    let number = |name, absent| usize::try_from(arguments.int(name).unwrap_or(absent)).unwrap_or_default();
    let (page, size) = (number("page", 1), number("size", size));
    let only = arguments.text("subAccountApiKey");
    let wanted = |key: &&KeyRecord| only.is_none_or(|only| key.api_key.as_str() == only);
    let keys: Vec<&KeyRecord> = keys.into_iter().filter(wanted).collect();
    let total = i64::try_from(keys.len()).unwrap_or(i64::MAX);
    (total, keys.into_iter().skip(page.saturating_sub(1).saturating_mul(size)).take(size).collect())
}

/// Refuses accounts of the portfolio margin retail program.
pub(super) fn no_portfolio_margin_retail(sub: &Loaded, now: Timestamp) -> Result<(), ApiError> {
    let retail = |margin: PortfolioMargin| matches!(margin, PortfolioMargin::Retail { since } if since <= now);
    let master = sub.master.as_ref().is_some_and(|master| retail(master.portfolio_margin));
    if master || retail(sub.account.portfolio_margin) { Err(code::UNSUPPORTED_OPERATION.plain()) } else { Ok(()) }
}

pub(crate) async fn delete_key<P: Ports>(
    authority: &Authority<P>,
    caller: &Caller,
    sub: &Loaded,
    call: &Call,
    now: Timestamp,
) -> Result<(), Failure> {
    let key = found(authority, sub, call, now)?.id;
    Ok(authority.delete_key(caller, sub.account.id, key, now).await?)
}

/// Grants and takes away what the call says; a field that was not sent stays as it is.
pub(crate) async fn edit_flags<P: Ports>(
    authority: &Authority<P>,
    caller: &Caller,
    sub: &Loaded,
    call: &Call,
    flags: Flags,
    now: Timestamp,
) -> Result<KeyRecord, Failure> {
    let edit = |key: &KeyRecord| {
        let permissions =
            flags.iter().fold(key.permissions, |set, (name, permission)| match call.arguments.bool(name) {
                Some(true) => set.with(*permission),
                Some(false) => set.without(*permission),
                None => set,
            });
        KeyEdit { permissions: Some(permissions), ..KeyEdit::default() }
    };
    edit_key(authority, caller, sub, call, edit, now).await
}

/// Opens a key (`status` 1), or restricts it and adds addresses to its list (2).
pub(crate) async fn add_ips<P: Ports>(
    authority: &Authority<P>,
    caller: &Caller,
    sub: &Loaded,
    call: &Call,
    now: Timestamp,
) -> Result<IpView, Failure> {
    let added = match (call.arguments.choice("status"), call.arguments.text("ipAddress")) {
        (Some("2"), Some(text)) => Some(addresses(text, authority.policy())?),
        (Some("2"), None) => Some(String::new()),
        // Whoever names addresses does not mean an open key.
        (_, Some(_)) => return Err(code::PARAMETER_NOT_REQUIRED.with(["ipAddress"]).into()),
        (_, None) => None,
    };
    let edit = |key: &KeyRecord| {
        let change = match &added {
            Some(added) => IpChange::Set(joined(key.ip.rules(), added)),
            None => IpChange::Open,
        };
        KeyEdit { ips: Some(change), ..KeyEdit::default() }
    };
    let key = edit_key(authority, caller, sub, call, edit, now).await?;
    Ok(IpView { at: now, ..IpView::of(&key) })
}

/// Takes addresses off a key's list. A key whose list has become empty is usable from nowhere.
pub(crate) async fn remove_ips<P: Ports>(
    authority: &Authority<P>,
    caller: &Caller,
    sub: &Loaded,
    call: &Call,
    now: Timestamp,
) -> Result<IpView, Failure> {
    let doomed = addresses(call.arguments.text("ipAddress").unwrap_or_default(), authority.policy())?;
    let edit = |_: &KeyRecord| KeyEdit { ips: Some(IpChange::Remove(doomed.clone())), ..KeyEdit::default() };
    let key = edit_key(authority, caller, sub, call, edit, now).await?;
    Ok(IpView { at: now, ..IpView::of(&key) })
}

/// A key's list.
pub(crate) fn ips<P: Ports>(
    authority: &Authority<P>,
    sub: &Loaded,
    call: &Call,
    now: Timestamp,
) -> Result<IpView, ApiError> {
    found(authority, sub, call, now).map(IpView::of)
}

/// A list of addresses as sent, one at least: networks are not taken here.
pub(super) fn addresses(text: &str, policy: &Policy) -> Result<String, ApiError> {
    let invalid = || code::INVALID_PARAMETER.with(["ipAddress"]);
    if text.chars().count() > ADDRESSES_MAX {
        return Err(invalid());
    }
    let rules = IpRule::parse_list(text, IpForms::Addresses, policy).map_err(|_| invalid())?;
    if rules.is_empty() { Err(invalid()) } else { Ok(joined(&rules, "")) }
}

fn joined(rules: &[IpRule], more: &str) -> String {
    let listed = rules.iter().map(ToString::to_string);
    listed.chain((!more.is_empty()).then(|| more.to_owned())).collect::<Vec<_>>().join(",")
}

/// Edits the key that a call names by what it is now, again when another edit came between.
async fn edit_key<P: Ports>(
    authority: &Authority<P>,
    caller: &Caller,
    sub: &Loaded,
    call: &Call,
    edit: impl Fn(&KeyRecord) -> KeyEdit,
    now: Timestamp,
) -> Result<KeyRecord, Failure> {
    let mut fresh = Cow::Borrowed(sub);
    for _ in 0..ATTEMPTS_MAX {
        let key = found(authority, &fresh, call, now)?;
        let (id, version) = (key.id, key.version);
        match authority.edit_key(caller, sub.account.id, id, &edit(key), Some(version), now).await {
            Err(AuthorityError::Refused(Refusal::Stale { .. })) => {
                fresh = Cow::Owned(crate::sub_accounts::named(authority, caller, call).await?)
            }
            other => return Ok(other?),
        }
    }
    Err(AuthorityError::Busy.into())
}

/// What a key's list looks like on the wire.
pub(crate) struct IpView {
    api_key: String,
    rules: Option<Vec<String>>,
    at: Timestamp,
}

impl IpView {
    pub(crate) fn of(key: &KeyRecord) -> Self {
        let rules = match &key.ip {
            IpRestriction::Unrestricted => None,
            IpRestriction::Listed(rules) => Some(rules.iter().map(ToString::to_string).collect()),
        };
        Self { api_key: key.api_key.as_str().to_owned(), rules, at: key.created }
    }

    pub(crate) fn api_key(&self) -> String {
        self.api_key.clone()
    }

    pub(crate) fn list(&self) -> Vec<Value> {
        self.rules.iter().flatten().map(|rule| rule.clone().into()).collect()
    }

    /// `ipRestrict`: a boolean in quotes.
    pub(crate) const fn restricted(&self) -> &'static str {
        if self.rules.is_some() { "true" } else { "false" }
    }

    /// `status`: a number in quotes.
    pub(crate) const fn status(&self) -> &'static str {
        if self.rules.is_some() { "2" } else { "1" }
    }

    /// When the list was changed by this call; a call that reads tells when the key was made.
    pub(crate) const fn at(&self) -> Timestamp {
        self.at
    }
}

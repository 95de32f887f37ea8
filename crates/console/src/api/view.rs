//! What the API shows of records. Times are milliseconds since the Unix epoch.

use latchkey_admission::ports::Keys;
use latchkey_authority::account::{Account, Owner, PortfolioMargin};
use latchkey_authority::effective::{DeadReason, Standing, effective_permissions, key_standing};
use latchkey_authority::hold::Holder;
use latchkey_authority::key::{KeyKind, KeyRecord, KeyState, Scope};
use latchkey_authority::policy::Policy;
use latchkey_crypto::digest::to_hex;
use latchkey_protocol::{PermissionSet, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::ToSchema;

/// The text that serde writes for a value without fields.
pub(crate) fn name_of(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        Ok(Value::Object(object)) => object.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}

/// Reads a name that [`name_of`] wrote.
pub(crate) fn of_name<T: DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(Value::String(name.to_owned())).ok()
}

pub(crate) fn names(permissions: PermissionSet) -> Vec<String> {
    permissions.iter().map(|permission| permission.as_str().to_owned()).collect()
}

/// An API key, without secrets.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyView {
    /// Its name in this API.
    id: String,
    /// Its public name, as programs send it.
    api_key: String,
    /// The owner's name for it.
    label: String,
    /// `hmac`, `rsa` or `ed25519`.
    r#type: String,
    /// `standard`, `special` or `tax`.
    kind: String,
    /// Of a special key: `cross`, or the pair of its isolated margin account.
    scope: Option<String>,
    /// Of a special key: `TRADE` or `READ`.
    permission_mode: Option<String>,
    /// `active`, `disabled`, `expired` or `deleted`.
    state: String,
    /// Since when it is not active.
    state_since: Option<i64>,
    /// Who put it out of use (`owner`, `master`, `operator`): it stays so until each of them undid that.
    held_by: Vec<String>,
    /// Why it is not admitted now, though its state may be active: `account-frozen`, `kyc-too-low`, ….
    dead: Option<String>,
    /// The permissions as granted.
    permissions: Vec<String>,
    /// The permissions in force.
    effective: Vec<String>,
    /// What was granted and is not in force, with the reason.
    withheld: Vec<WithheldView>,
    /// Whether only the addresses of `ips` may call.
    ip_restricted: bool,
    /// Addresses and networks. Restricted without any is restricted to nobody.
    ips: Vec<String>,
    /// The only symbols that it may trade; none is all.
    symbols: Option<Vec<String>>,
    /// Which proofs it accepts: `payload`, `message9421`, `both`.
    accepts: String,
    /// Its own rule on repeated calls; none is the policy's.
    replay: Option<String>,
    /// SHA-256 of the public key.
    fingerprint: Option<String>,
    /// Whether the public key was already registered when the key was made.
    public_key_shared: bool,
    /// When it was made.
    created: i64,
    /// Since when it has no IP list.
    unrestricted_since: Option<i64>,
    /// When it ends if it gets no IP list.
    ends: Option<i64>,
    /// Whole days left until then.
    days_left: Option<i64>,
    /// The key that made it by a signed call.
    made_by: Option<String>,
    /// The key that takes its place.
    successor: Option<String>,
    /// When it is retired in favour of that key.
    retires: Option<i64>,
    /// It is retired before that once it was not used for so many hours.
    retires_after_idle_hours: Option<u16>,
    /// The last call that it proved, as far as this process has seen.
    last_used: Option<LastUsedView>,
    /// Its version, also in `ETag`.
    version: u64,
}

/// A call that a key proved.
#[derive(Serialize, ToSchema)]
pub(crate) struct LastUsedView {
    /// When it arrived.
    at: i64,
    /// The address that it came from; none in the moment in which calls from several are noted.
    ip: Option<String>,
}

/// A permission that is not in force.
#[derive(Serialize, ToSchema)]
pub(crate) struct WithheldView {
    permission: String,
    reason: String,
}

/// What a view of a key is made from.
pub(crate) struct KeyLight<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) owner: Owner<'a>,
    pub(crate) live: &'a dyn Keys,
    pub(crate) now: Timestamp,
}

impl KeyLight<'_> {
    /// What is shown of a key.
    pub(crate) fn view(&self, key: &KeyRecord) -> KeyView {
        let effective = effective_permissions(self.policy, &self.owner, key, self.now);
        let dead = match key_standing(self.policy, &self.owner, key, self.now) {
            Standing::Alive => None,
            Standing::Dead(reason) => Some(DeadReason::name(reason).to_owned()),
        };
        let (kind, scope, mode) = match key.kind {
            KeyKind::Standard => ("standard", None, None),
            KeyKind::Tax => ("tax", None, None),
            KeyKind::Special { scope, mode } => ("special", Some(scope_name(scope)), Some(mode.as_str().to_owned())),
        };
        let state_since = match &key.state {
            KeyState::Active => None,
            KeyState::Disabled { at, .. } | KeyState::Expired { at } | KeyState::Deleted { at, .. } => Some(*at),
        };
        let ends = key.life_end(self.policy);
        let days = |end: Timestamp| (end.as_millis() - self.now.as_millis()).max(0) / 86_400_000;
        let public = key.material.public();
        let last_used = self.live.find(&key.api_key).and_then(|live| live.last_use());
        KeyView {
            id: key.id.to_string(),
            api_key: key.api_key.as_str().to_owned(),
            label: key.label.as_str().to_owned(),
            r#type: key.key_type().name().to_owned(),
            kind: kind.to_owned(),
            scope,
            permission_mode: mode,
            state: name_of(&key.state),
            state_since: state_since.map(Timestamp::as_millis),
            held_by: key.state.holds().iter().map(|hold| holder(Holder::of(&hold.by, key.account))).collect(),
            dead,
            permissions: names(key.permissions),
            effective: names(effective.permissions),
            withheld: effective
                .withheld
                .iter()
                .map(|withheld| WithheldView {
                    permission: withheld.permission.as_str().to_owned(),
                    reason: withheld.need.explanation().to_owned(),
                })
                .collect(),
            ip_restricted: key.ip.is_listed(),
            ips: key.ip.rules().iter().map(ToString::to_string).collect(),
            symbols: key.symbols.as_ref().map(|symbols| symbols.iter().map(ToString::to_string).collect()),
            accepts: name_of(&key.accepts),
            replay: key.replay.as_ref().map(name_of),
            fingerprint: public.map(|public| to_hex(&public.fingerprint)),
            public_key_shared: public.is_some_and(|public| public.shared),
            created: key.created.as_millis(),
            unrestricted_since: key.unrestricted_since.map(Timestamp::as_millis),
            ends: ends.map(Timestamp::as_millis),
            days_left: ends.map(days),
            made_by: key.made_by.map(|maker| maker.to_string()),
            successor: key.retiring.as_ref().map(|retiring| retiring.successor.to_string()),
            retires: key.retiring.as_ref().map(|retiring| retiring.at.as_millis()),
            retires_after_idle_hours: key.retiring.as_ref().and_then(|retiring| retiring.idle_hours),
            last_used: last_used
                .map(|last| LastUsedView { at: last.at.as_millis(), ip: last.from.map(|from| from.to_string()) }),
            version: key.version,
        }
    }
}

fn holder(holder: Holder) -> String {
    let name = match holder {
        Holder::Owner => "owner",
        Holder::Master => "master",
        Holder::Operator => "operator",
    };
    name.to_owned()
}

fn scope_name(scope: Scope) -> String {
    match scope {
        Scope::Cross => "cross".to_owned(),
        Scope::Isolated(symbol) => symbol.to_string(),
    }
}

/// A page of keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyPage {
    /// Oldest first, deleted ones too.
    pub(crate) keys: Vec<KeyView>,
    /// What `after` must be for the next page; none after the last.
    pub(crate) next: Option<String>,
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatedView {
    /// The key.
    pub(crate) key: KeyView,
    /// The secret of an HMAC key: here, once, and never again.
    pub(crate) secret_key: Option<String>,
    /// Whether the secret was already shown: true in the answer to a repeated request.
    pub(crate) secret_shown: bool,
}

/// An account, without secrets.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountView {
    uid: i64,
    email: String,
    /// The uid of its master, of a sub-account.
    master: Option<i64>,
    /// Of a sub-account: `normal` or `asset`.
    sub_kind: Option<String>,
    /// `none`, `verified` or `verified-plus`.
    kyc: String,
    vip: u8,
    deposited: bool,
    /// When margin was opened.
    margin_opened: Option<i64>,
    /// When futures were opened.
    futures_opened: Option<i64>,
    /// When options were opened.
    options_opened: Option<i64>,
    /// `none`, `retail` or `pro`.
    portfolio_margin: String,
    portfolio_margin_since: Option<i64>,
    /// `none`, `without-agreement` or `by-agreement`.
    cross_margin_pro: String,
    /// The agreements that bind the account.
    terms: Vec<String>,
    /// Whether Default Security Controls are on.
    default_security_controls: bool,
    residence: Option<String>,
    special_key_exception: bool,
    /// Why it is frozen; none when it is not.
    frozen: Option<String>,
    frozen_since: Option<i64>,
    /// By whom: `owner`, `master` or `operator`.
    frozen_by: Option<String>,
    /// Until when nothing can be widened.
    widening_held_until: Option<i64>,
    /// Whether one-time codes are enrolled.
    totp: bool,
    /// How many passkeys are enrolled.
    passkeys: usize,
    /// How many recovery codes are left.
    recovery_codes: usize,
    created: i64,
    /// Its version, also in `ETag`.
    version: u64,
}

impl AccountView {
    /// What is shown of an account to its owner.
    pub(crate) fn of(owner: &Owner<'_>) -> Self {
        let account: &Account = owner.account();
        let millis = |time: Option<Timestamp>| time.map(Timestamp::as_millis);
        Self {
            uid: account.id.0,
            email: account.email.as_str().to_owned(),
            master: account.master.map(|master| master.0),
            sub_kind: account.master.map(|_| name_of(&account.sub_kind)),
            kyc: name_of(&owner.kyc()),
            vip: owner.vip(),
            deposited: owner.deposited(),
            margin_opened: millis(account.products.margin),
            futures_opened: millis(account.products.futures),
            options_opened: millis(account.products.options),
            portfolio_margin: match account.portfolio_margin {
                PortfolioMargin::None => "none",
                PortfolioMargin::Retail { .. } => "retail",
                PortfolioMargin::Pro { .. } => "pro",
            }
            .to_owned(),
            portfolio_margin_since: millis(account.portfolio_margin.since()),
            cross_margin_pro: name_of(&account.cross_margin_pro),
            terms: owner.master().terms.iter().map(|terms| name_of(&terms)).collect(),
            default_security_controls: owner.controls(),
            residence: account.residence.map(|residence| residence.to_string()),
            special_key_exception: account.special_key_exception,
            frozen: owner.frozen().map(|frozen| frozen.reason.clone()),
            frozen_by: owner.frozen().map(|frozen| holder(frozen.holder(account.id))),
            frozen_since: millis(owner.frozen().map(|frozen| frozen.at)),
            widening_held_until: millis(account.widening_held_until),
            totp: account.totp.is_some(),
            passkeys: account.passkeys.len(),
            recovery_codes: account.recovery.len(),
            created: account.created.as_millis(),
            version: account.version,
        }
    }
}

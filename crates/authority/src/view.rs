//! What may be shown of records: typed, and without secrets.

use crate::account::{
    Account, Country, CrossMarginPro, Email, Frozen, Kyc, Owner, Passkey, PortfolioMargin, Product, Products, SubKind,
    TermsSigned, freezes,
};
use crate::effective::Effective;
use crate::ip::IpRestriction;
use crate::key::{AcceptedProofs, Capabilities, KeyKind, KeyRecord, KeyState, PermissionMode, Retiring};
use crate::label::Label;
use crate::policy::ReplayRule;
use crate::stored::{api_key, key_id, optional_key_id, permissions};
use latchkey_crypto::digest;
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::{AccountId, ApiKey, KeyId, Permission, PermissionSet, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

/// All of an [`Account`] but its secrets, of which it says only whether they are set.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSummary {
    /// See [`Account::id`].
    pub id: AccountId,
    /// See [`Account::email`].
    pub email: Email,
    /// See [`Account::kyc`].
    pub kyc: Kyc,
    /// See [`Account::vip`].
    pub vip: u8,
    /// See [`Account::deposited`].
    pub deposited: bool,
    /// See [`Account::products`].
    pub products: Products,
    /// See [`Account::portfolio_margin`].
    pub portfolio_margin: PortfolioMargin,
    /// See [`Account::cross_margin_pro`].
    pub cross_margin_pro: CrossMarginPro,
    /// See [`Account::terms`].
    pub terms: TermsSigned,
    /// See [`Account::default_security_controls`].
    pub default_security_controls: bool,
    /// See [`Account::master`].
    pub master: Option<AccountId>,
    /// See [`Account::residence`].
    pub residence: Option<Country>,
    /// See [`Account::frozen`].
    #[serde(deserialize_with = "freezes")]
    pub frozen: Vec<Frozen>,
    /// See [`Account::special_key_exception`].
    pub special_key_exception: bool,
    /// See [`Account::left_special_mode`].
    pub left_special_mode: Option<Timestamp>,
    /// Whether a password is set.
    pub password: bool,
    /// Whether one-time codes are enrolled.
    pub totp: bool,
    /// See [`Account::passkeys`].
    #[serde(default)]
    pub passkeys: Vec<PasskeySummary>,
    /// How many recovery codes are left.
    #[serde(default)]
    pub recovery_codes: usize,
    /// See [`Account::widening_held_until`].
    #[serde(default)]
    pub widening_held_until: Option<Timestamp>,
    /// See [`Account::sub_kind`].
    #[serde(default)]
    pub sub_kind: SubKind,
    /// See [`Account::created`].
    pub created: Timestamp,
    /// See [`Account::version`].
    pub version: u64,
}

impl From<&Account> for AccountSummary {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id,
            email: account.email.clone(),
            kyc: account.kyc,
            vip: account.vip,
            deposited: account.deposited,
            products: account.products,
            portfolio_margin: account.portfolio_margin,
            cross_margin_pro: account.cross_margin_pro,
            terms: account.terms.clone(),
            default_security_controls: account.default_security_controls,
            master: account.master,
            residence: account.residence,
            frozen: account.frozen.clone(),
            special_key_exception: account.special_key_exception,
            left_special_mode: account.left_special_mode,
            password: account.password_hash.is_some(),
            totp: account.totp.is_some(),
            passkeys: account.passkeys.iter().map(PasskeySummary::from).collect(),
            recovery_codes: account.recovery.len(),
            widening_held_until: account.widening_held_until,
            sub_kind: account.sub_kind,
            created: account.created,
            version: account.version,
        }
    }
}

/// All of a passkey but what verifies it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeySummary {
    /// See [`Passkey::id`].
    pub id: String,
    /// See [`Passkey::label`].
    pub label: Label,
    /// See [`Passkey::added`].
    pub added: Timestamp,
}

impl From<&Passkey> for PasskeySummary {
    fn from(passkey: &Passkey) -> Self {
        Self { id: passkey.id.clone(), label: passkey.label.clone(), added: passkey.added }
    }
}

/// All of a [`KeyRecord`] but its sealed secret; a public key is shown by its fingerprint.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySummary {
    /// See [`KeyRecord::id`].
    #[serde(with = "key_id")]
    pub id: KeyId,
    /// See [`KeyRecord::account`].
    pub account: AccountId,
    /// See [`KeyRecord::api_key`].
    #[serde(with = "api_key")]
    pub api_key: ApiKey,
    /// See [`KeyRecord::label`].
    pub label: Label,
    /// `hmac`, `rsa` or `ed25519`.
    pub key_type: String,
    /// SHA-256 of the public key as hex; none for HMAC.
    pub fingerprint: Option<String>,
    /// Whether the public key was already registered.
    pub shared: bool,
    /// See [`KeyRecord::permissions`].
    #[serde(with = "permissions")]
    pub permissions: PermissionSet,
    /// See [`KeyRecord::ip`].
    pub ip: IpRestriction,
    /// See [`KeyRecord::symbols`].
    pub symbols: Option<Vec<Symbol>>,
    /// See [`KeyRecord::kind`].
    pub kind: KeyKind,
    /// See [`KeyRecord::state`].
    pub state: KeyState,
    /// See [`KeyRecord::created`].
    pub created: Timestamp,
    /// See [`KeyRecord::unrestricted_since`].
    pub unrestricted_since: Option<Timestamp>,
    /// See [`KeyRecord::made_by`].
    #[serde(with = "optional_key_id")]
    pub made_by: Option<KeyId>,
    /// See [`KeyRecord::capabilities`].
    pub capabilities: Capabilities,
    /// See [`KeyRecord::accepts`].
    pub accepts: AcceptedProofs,
    /// See [`KeyRecord::replay`].
    pub replay: Option<ReplayRule>,
    /// See [`KeyRecord::retiring`].
    #[serde(default)]
    pub retiring: Option<Retiring>,
    /// See [`crate::key::Watch::violating`].
    #[serde(default)]
    pub violating: Option<Timestamp>,
    /// See [`KeyRecord::version`].
    pub version: u64,
}

impl From<&KeyRecord> for KeySummary {
    fn from(key: &KeyRecord) -> Self {
        let public = key.material.public();
        Self {
            id: key.id,
            account: key.account,
            api_key: key.api_key,
            label: key.label.clone(),
            key_type: key.key_type().name().to_owned(),
            fingerprint: public.map(|public| digest::to_hex(&public.fingerprint)),
            shared: public.is_some_and(|public| public.shared),
            permissions: key.permissions,
            ip: key.ip.clone(),
            symbols: key.symbols.clone(),
            kind: key.kind,
            state: key.state.clone(),
            created: key.created,
            unrestricted_since: key.unrestricted_since,
            made_by: key.made_by,
            capabilities: key.capabilities,
            accepts: key.accepts,
            replay: key.replay,
            retiring: key.retiring,
            violating: key.watch.violating,
            version: key.version,
        }
    }
}

/// The reply of `GET /sapi/v1/margin/apiKey` and a row of `api-key-list`.
#[derive(Clone, PartialEq, Debug)]
pub struct SpecialKeyView {
    /// `apiName`.
    pub label: Label,
    /// `apiKey`.
    pub api_key: ApiKey,
    /// `ip` of a list row: the entries; empty without a list.
    pub ips: IpRestriction,
    /// Whether the key was made without a list: the single reply then starts `ip` with `0.0.0.0`, which opens nothing.
    pub made_unrestricted: bool,
    /// `type`, by its wire name.
    pub key_type: KeyType,
    /// `permissionMode`.
    pub mode: PermissionMode,
}

impl SpecialKeyView {
    /// The view of a special key; `None` for the others.
    pub fn of(key: &KeyRecord) -> Option<Self> {
        let KeyKind::Special { mode, .. } = key.kind else { return None };
        Some(Self {
            label: key.label.clone(),
            api_key: key.api_key,
            ips: key.ip.clone(),
            made_unrestricted: key.made_unrestricted,
            key_type: key.key_type(),
            mode,
        })
    }

    /// `ip` of a list row: the entries, divided by commas.
    pub fn ip_in_list(&self) -> String {
        self.ips.rules().iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    /// `ip` of the single reply. Source: "Query Special Key", 2026-01-15: the leading `0.0.0.0` has no meaning.
    pub fn ip_alone(&self) -> String {
        let list = self.ip_in_list();
        match (self.made_unrestricted, list.is_empty()) {
            (true, true) => "0.0.0.0".to_owned(),
            (true, false) => format!("0.0.0.0,{list}"),
            (false, _) => list,
        }
    }
}

/// The reply of `GET /sapi/v1/account/apiRestrictions`: the effective permissions of the calling key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApiRestrictionsView {
    /// `ipRestrict`.
    pub ip_restrict: bool,
    /// `createTime`.
    pub created: Timestamp,
    /// The `enable…` and `permits…` fields; names by [`Permission::wire_field`].
    pub permissions: PermissionSet,
}

impl ApiRestrictionsView {
    /// Of a key and what it may do now.
    pub fn of(key: &KeyRecord, effective: &Effective) -> Self {
        Self { ip_restrict: key.ip.is_listed(), created: key.created, permissions: effective.permissions }
    }

    /// The permission fields in the order of the contract's list, each with its value.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, bool)> {
        Permission::ALL.iter().map(|permission| (permission.wire_field(), self.permissions.contains(*permission)))
    }
}

/// The reply of `GET /sapi/v1/account/info`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountInfoView {
    /// `vipLevel`.
    pub vip_level: u8,
    /// `isMarginEnabled`.
    pub margin: bool,
    /// `isFutureEnabled`.
    pub futures: bool,
    /// `isOptionsEnabled`.
    pub options: bool,
    /// `isPortfolioMarginRetailEnabled`.
    pub portfolio_margin_retail: bool,
}

impl AccountInfoView {
    /// Of an account at `now`.
    pub fn of(owner: &Owner<'_>, now: Timestamp) -> Self {
        let account = owner.account();
        Self {
            vip_level: owner.vip(),
            margin: account.products.is_open(Product::Margin, now),
            futures: account.products.is_open(Product::Futures, now),
            options: account.products.is_open(Product::Options, now),
            portfolio_margin_retail: matches!(account.portfolio_margin, PortfolioMargin::Retail { since } if since <= now),
        }
    }
}

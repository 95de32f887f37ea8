//! Making keys: what standard and special ones share, and the standard one.

use super::life::{doer, tell_of_others};
use super::{Case, Draft, asked};
use crate::account::{Kyc, Owner, Sealed, SubKind};
use crate::caller::{Power, Via, authorise};
use crate::change::{Action, AnswerAfter, Change, Direction};
use crate::ip::{IpForms, IpRestriction, IpRule};
use crate::key::{AcceptedProofs, Capabilities, KeyKind, KeyRecord, Material, PublicMaterial, Scope};
use crate::label::Label;
use crate::permission_rules::{Subject, unmet};
use crate::policy::{ReplayRule, SignedKeyCreation};
use crate::refusal::Refusal;
use crate::step_up::IntentKind;
use latchkey_crypto::public_key::{PublicKey, PublicKeyError};
use latchkey_crypto::secret::SecretKey;
use latchkey_protocol::{ApiKey, KeyId, Permission, PermissionSet, Symbol, Timestamp};

/// A standard key as it is asked for.
pub struct NewKey {
    /// See [`Label`].
    pub label: String,
    /// How it proves requests.
    pub proof: NewProof,
    /// What it shall be allowed.
    pub permissions: PermissionSet,
    /// The IP list as text, networks too; `None` is unrestricted, an empty text is nowhere.
    pub ips: Option<String>,
    /// The only symbols it may trade.
    pub symbols: Option<Vec<Symbol>>,
    /// Texts that are given instead of drawn.
    pub fixed: FixedText,
    /// Made earlier than now, and judged as of then; worlds and imports alone.
    pub created: Option<Timestamp>,
}

/// How a new key proves requests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NewProof {
    /// With a secret that is made for it.
    Hmac,
    /// With the private half of this public key: PEM or bare base64.
    Public(String),
}

/// What a new key has that is given instead of drawn or usual; worlds and imports alone.
#[derive(Default)]
pub struct FixedText {
    /// The public name.
    pub api_key: Option<ApiKey>,
    /// The secret of an HMAC key.
    pub secret: Option<SecretKey>,
    /// Which proofs it accepts.
    pub accepts: AcceptedProofs,
    /// Its own rule on repeated calls; `None` is the policy's.
    pub replay: Option<ReplayRule>,
}

/// What was drawn or looked up for a new key before the decision.
#[derive(Clone, Debug)]
pub struct Minted {
    /// Its id.
    pub id: KeyId,
    /// Its public name.
    pub api_key: ApiKey,
    /// What it will prove requests with.
    pub proof: MintedProof,
}

/// The proof of a new key, ready but for the decision.
#[derive(Clone, Debug)]
pub enum MintedProof {
    /// A secret, sealed.
    Hmac(Sealed),
    /// A public key.
    Public {
        /// The key, or why it is none.
        key: Result<PublicKey, PublicKeyError>,
        /// Whether it is registered already.
        shared: bool,
    },
}

/// Decides on a standard key.
///
/// # Errors
/// [`Refusal`], in this order: the caller, the parameters, the account, the count, the permissions, the proof.
/// Source: Binance support, "How to Create API Keys on Binance".
pub fn create_key(case: Case<'_>, new: &NewKey, minted: &Minted) -> Result<Change, Refusal> {
    let owner = case.owner()?;
    authorise(&case, &owner, Power::Widen)?;
    let record = standard(&case, &owner, new, minted)?;
    let withdraws = new.permissions.contains(Permission::Withdrawals);
    let kind = if withdraws { IntentKind::GrantWithdrawals } else { IntentKind::CreateKey };
    case.confirm_widening(kind, asked(&record))?;
    Ok(made(Draft::new(case), &case, record, Action::KeyCreated))
}

/// The standard key that is asked for, once every rule but the proof allows it.
pub(super) fn standard(
    case: &Case<'_>,
    owner: &Owner<'_>,
    new: &NewKey,
    minted: &Minted,
) -> Result<KeyRecord, Refusal> {
    check_signed_creation(case)?;
    let at = creation_time(case, new.created)?;
    let label = Label::parse(&new.label).map_err(Refusal::Label)?;
    let ip = restriction(case, new.ips.as_deref(), forms(case))?;
    check_symbols(case, new.symbols.as_deref())?;
    let material = material(minted)?;
    check_account(owner)?;
    check_count(case, at)?;
    check_callers_ips(case, &ip)?;

    let mut record = record(case, owner, minted, Parts { at, label, material, ip });
    record.permissions = new.permissions;
    record.symbols = new.symbols.clone().or(record.symbols);
    check_callers_symbols(case, &record)?;
    (record.accepts, record.replay) = (new.fixed.accepts, new.fixed.replay);
    check_permissions(case, owner, &record, new.permissions, at)?;
    Ok(record)
}

/// Decides on a tax report key: it reads history and reports, nothing else, and there is one of an account.
/// Source: Binance support, "How to Create API Keys on Binance".
///
/// # Errors
/// [`Refusal`], in the order of [`create_key`].
pub fn create_tax_key(case: Case<'_>, label: &str, minted: &Minted) -> Result<Change, Refusal> {
    let owner = case.owner()?;
    authorise(&case, &owner, Power::Widen)?;
    if matches!(case.caller.via, Via::Key { .. }) {
        return Err(Refusal::NotBySignedCall);
    }
    let label = Label::parse(label).map_err(Refusal::Label)?;
    let material = material(minted)?;
    check_account(&owner)?;
    let is_tax = |key: &&KeyRecord| key.kind == KeyKind::Tax && key.counts(&case.loaded.keys, case.policy, case.now);
    if case.loaded.keys.iter().any(|key| is_tax(&key)) {
        return Err(Refusal::TaxKeyExists);
    }
    check_count(&case, case.now)?;
    let parts = Parts { at: case.now, label, material, ip: IpRestriction::Unrestricted };
    let mut record = record(&case, &owner, minted, parts);
    record.kind = KeyKind::Tax;
    record.permissions = PermissionSet::READING;
    case.confirm_widening(IntentKind::CreateKey, asked(&record))?;
    Ok(made(Draft::new(case), &case, record, Action::TaxKeyCreated))
}

/// A change that makes a key; an owner is told at once of what a signed call made.
pub(super) fn made<'a>(draft: Draft<'a>, case: &Case<'_>, record: KeyRecord, action: Action) -> Change {
    let text = format!("The key \"{}\" was made by {}.", record.label, doer(case));
    let draft = tell_of_others(draft, case, Some(record.id), text);
    draft.insert(record).finish(action, AnswerAfter::Local, Direction::Widening)
}

/// Whether signed calls make keys at all.
pub(super) fn check_signed_creation(case: &Case<'_>) -> Result<(), Refusal> {
    let signed = matches!(case.caller.via, Via::Key { .. });
    if signed && case.loaded.account.sub_kind == SubKind::Asset {
        return Err(Refusal::AssetSubAccount);
    }
    check_signed_power(case)
}

/// Whether policy lets signed calls make keys, or give them more.
pub(super) fn check_signed_power(case: &Case<'_>) -> Result<(), Refusal> {
    let signed = matches!(case.caller.via, Via::Key { .. });
    let denied = case.policy.signed_key_creation == SignedKeyCreation::Deny;
    if signed && denied { Err(Refusal::SignedCreationDenied) } else { Ok(()) }
}

/// Whether `key` trades no pairs but those of the calling key, when that may trade some only.
pub(super) fn check_callers_symbols(case: &Case<'_>, key: &KeyRecord) -> Result<(), Refusal> {
    let bound = case.calling_key().and_then(|calling| calling.symbols.as_deref());
    let within = bound.is_none_or(|bound| trades_within(key, bound));
    if within { Ok(()) } else { Err(Refusal::OutsideCallersSymbols) }
}

/// Whether every pair that a key may trade is one of `bound`.
pub(super) fn trades_within(key: &KeyRecord, bound: &[Symbol]) -> bool {
    match (key.kind.scope(), &key.symbols) {
        (Some(Scope::Isolated(symbol)), _) => bound.contains(&symbol),
        (_, Some(symbols)) => symbols.iter().all(|symbol| bound.contains(symbol)),
        (_, None) => false,
    }
}

/// Whether a signed call opens only addresses that its own key may be used from, where policy asks for that.
pub(super) fn check_callers_ips(case: &Case<'_>, ip: &IpRestriction) -> Result<(), Refusal> {
    let bound = case.policy.signed_key_creation == SignedKeyCreation::WithinCallersIps;
    match (&case.caller.via, case.calling_key()) {
        (Via::Key { .. }, key) if bound && key.is_none_or(|key| !ip.within(&key.ip)) => Err(Refusal::OutsideCallersIps),
        _ => Ok(()),
    }
}

/// Which spellings of an IP list the caller's surface takes.
pub(super) const fn forms(case: &Case<'_>) -> IpForms {
    match case.caller.via {
        Via::Key { .. } => IpForms::Addresses,
        Via::Owner | Via::SentCode | Via::Operator(_) | Via::World | Via::System => IpForms::AddressesAndNetworks,
    }
}

pub(super) fn check_symbols(case: &Case<'_>, symbols: Option<&[Symbol]>) -> Result<(), Refusal> {
    let max = case.policy.symbols_per_key;
    match symbols {
        Some(symbols) if symbols.len() > usize::from(max) => Err(Refusal::TooManySymbols(max)),
        _ => Ok(()),
    }
}

/// Whether each of `permissions` can be granted to a key as `record` is. A signed call shows no second factor, so it
/// never grants withdrawals.
pub(super) fn check_permissions(
    case: &Case<'_>,
    owner: &Owner<'_>,
    record: &KeyRecord,
    permissions: PermissionSet,
    at: Timestamp,
) -> Result<(), Refusal> {
    let subject = subject(case, owner, record, at);
    for permission in permissions.iter() {
        if let Some(need) = unmet(permission, &subject) {
            return Err(Refusal::PermissionNeeds(permission, need));
        }
    }
    let signed = matches!(case.caller.via, Via::Key { .. });
    if signed && permissions.contains(Permission::Withdrawals) { Err(Refusal::NotBySignedCall) } else { Ok(()) }
}

pub(super) fn subject<'a>(case: &Case<'a>, owner: &Owner<'a>, record: &KeyRecord, at: Timestamp) -> Subject<'a> {
    Subject {
        policy: case.policy,
        owner: *owner,
        key_type: record.key_type(),
        listed: record.ip.is_listed(),
        capabilities: record.capabilities,
        at,
    }
}

/// When the key counts as made: now, or earlier, but not before its account.
pub(super) fn creation_time(case: &Case<'_>, created: Option<Timestamp>) -> Result<Timestamp, Refusal> {
    let at = created.unwrap_or(case.now);
    if at > case.now || at < case.loaded.account.created { Err(Refusal::CreatedOutOfRange) } else { Ok(at) }
}

pub(super) fn restriction(case: &Case<'_>, ips: Option<&str>, forms: IpForms) -> Result<IpRestriction, Refusal> {
    let Some(text) = ips else { return Ok(IpRestriction::Unrestricted) };
    IpRule::parse_list(text, forms, case.policy).map(IpRestriction::Listed).map_err(Refusal::Ip)
}

pub(super) fn material(minted: &Minted) -> Result<Material, Refusal> {
    let (key, shared) = match &minted.proof {
        MintedProof::Hmac(sealed) => return Ok(Material::Hmac { sealed: sealed.clone() }),
        MintedProof::Public { key, shared } => (key.as_ref().map_err(|e| Refusal::PublicKey(e.clone()))?, *shared),
    };
    let public = PublicMaterial { der: key.to_der(), fingerprint: key.fingerprint(), shared };
    Ok(match key {
        PublicKey::Rsa(_) => Material::Rsa(public),
        PublicKey::Ed25519(_) => Material::Ed25519(public),
    })
}

/// What an account must have before any key: not frozen, verified-plus, a second factor, a deposit.
/// Source: Binance support, "How to Create API Keys on Binance".
pub(super) fn check_account(owner: &Owner<'_>) -> Result<(), Refusal> {
    if owner.frozen().is_some() {
        Err(Refusal::AccountFrozen)
    } else if owner.kyc() < Kyc::VerifiedPlus {
        Err(Refusal::KycTooLow)
    } else if !owner.second_factor() {
        Err(Refusal::NoSecondFactor)
    } else if !owner.deposited() {
        Err(Refusal::NoDeposit)
    } else {
        Ok(())
    }
}

/// Room for one more key. Source: margin special API key FAQ, 2026-05-14: 30, both kinds together.
pub(super) fn check_count(case: &Case<'_>, at: Timestamp) -> Result<(), Refusal> {
    let max = case.policy.keys_per_account;
    let keys = &case.loaded.keys;
    let count = keys.iter().filter(|key| key.counts(keys, case.policy, at)).count();
    if count >= usize::from(max) { Err(Refusal::TooManyKeys(max)) } else { Ok(()) }
}

pub(super) struct Parts {
    pub(super) at: Timestamp,
    pub(super) label: Label,
    pub(super) material: Material,
    pub(super) ip: IpRestriction,
}

/// A standard key that may do nothing yet.
pub(super) fn record(case: &Case<'_>, owner: &Owner<'_>, minted: &Minted, parts: Parts) -> KeyRecord {
    let Parts { at, label, material, ip } = parts;
    KeyRecord {
        // A key that may trade some pairs only makes no key that may trade others.
        symbols: case.calling_key().and_then(|maker| maker.symbols.clone()),
        made_by: case.caller.key(),
        capabilities: Capabilities::of(owner, at),
        ..KeyRecord::new(minted.id, owner.account().id, minted.api_key, label, material, ip, at)
    }
}

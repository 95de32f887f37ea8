//! Making keys: what standard and special ones share, and the standard one.

use super::{Case, Draft};
use crate::account::{Kyc, Owner, Sealed};
use crate::caller::{Power, authorise};
use crate::change::{Action, AnswerAfter, Change, Direction};
use crate::ip::{IpForms, IpRestriction, IpRule};
use crate::key::{AcceptedProofs, Capabilities, KeyKind, KeyRecord, KeyState, Material, PublicMaterial, Watch};
use crate::label::Label;
use crate::permission_rules::{Subject, unmet};
use crate::refusal::Refusal;
use latchkey_crypto::public_key::{PublicKey, PublicKeyError};
use latchkey_crypto::secret::SecretKey;
use latchkey_protocol::{ApiKey, KeyId, PermissionSet, Symbol, Timestamp};

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

/// Texts of a new key that are given instead of drawn; worlds and imports alone.
#[derive(Default)]
pub struct FixedText {
    /// The public name.
    pub api_key: Option<ApiKey>,
    /// The secret of an HMAC key.
    pub secret: Option<SecretKey>,
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
/// [`Refusal`], in this order: the caller, the parameters, the account, the count, the permissions.
/// Source: Binance support, "How to Create API Keys on Binance".
pub fn create_key(case: Case<'_>, new: &NewKey, minted: &Minted) -> Result<Change, Refusal> {
    let owner = case.owner()?;
    authorise(&case, &owner, Power::Widen)?;
    let at = creation_time(&case, new.created)?;
    let label = Label::parse(&new.label).map_err(Refusal::Label)?;
    let ip = restriction(&case, new.ips.as_deref(), IpForms::AddressesAndNetworks)?;
    let symbols_max = case.policy.symbols_per_key;
    if new.symbols.as_ref().is_some_and(|symbols| symbols.len() > usize::from(symbols_max)) {
        return Err(Refusal::TooManySymbols(symbols_max));
    }
    let material = material(minted)?;
    check_account(&owner)?;
    check_count(&case, at)?;

    let mut record = record(&case, &owner, minted, Parts { at, label, material, ip });
    record.permissions = new.permissions;
    record.symbols = new.symbols.clone();
    let subject = Subject {
        policy: case.policy,
        owner,
        key_type: record.key_type(),
        listed: record.ip.is_listed(),
        capabilities: record.capabilities,
        at,
    };
    for permission in new.permissions.iter() {
        if let Some(need) = unmet(permission, &subject) {
            return Err(Refusal::PermissionNeeds(permission, need));
        }
    }
    Ok(Draft::new(case).insert(record).finish(Action::KeyCreated, AnswerAfter::Local, Direction::Widening))
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
    let count = case.loaded.keys.iter().filter(|key| key.counts(case.policy, at)).count();
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
    let unrestricted = !parts.ip.is_listed();
    KeyRecord {
        id: minted.id,
        account: owner.account().id,
        api_key: minted.api_key,
        label: parts.label,
        material: parts.material,
        permissions: PermissionSet::EMPTY,
        ip: parts.ip,
        symbols: None,
        kind: KeyKind::Standard,
        state: KeyState::Active,
        created: parts.at,
        unrestricted_since: unrestricted.then_some(parts.at),
        made_unrestricted: unrestricted,
        made_by: case.caller.key(),
        capabilities: Capabilities::of(owner, parts.at),
        accepts: AcceptedProofs::default(),
        replay: None,
        retiring: None,
        watch: Watch::default(),
        version: 1,
    }
}

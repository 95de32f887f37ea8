//! Margin special keys: made, edited, deleted and shown through the compatible routes.
//! Source: margin special API keys, 2026-01-15, and their FAQ, 2026-05-14.

use super::create::{
    Parts, check_account, check_callers_ips, check_count, check_signed_creation, creation_time, forms, made, material,
    record, restriction, trades_within,
};
use super::edit::edited;
use super::life::{deleted, doer, narrowing, tell_of_others};
use super::{Case, Draft, FixedText, Minted, NewProof, asked};
use crate::account::{CrossMarginPro, Owner, PortfolioMargin, Product, Terms};
use crate::caller::{Power, authorise};
use crate::change::{Action, Change, Effect, NoticeKind};
use crate::ip::IpForms;
use crate::key::{DeleteReason, KeyKind, KeyRecord, KeyState, PermissionMode, Scope};
use crate::label::Label;
use crate::policy::{CrossMarginProRule, Policy};
use crate::ports::ExchangeFacts;
use crate::refusal::Refusal;
use crate::step_up::IntentKind;
use crate::trading::margin_wallet;
use crate::view::SpecialKeyView;
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::{ApiKey, Timestamp, TradingAccount};
use serde_json::json;

/// A special key as it is asked for.
pub struct NewSpecialKey {
    /// `apiName`; see [`Label`].
    pub label: String,
    /// `symbol`: which margin account it unlocks.
    pub scope: Scope,
    /// `ip`: addresses as text, where no signed call asks networks too; `None` is unrestricted.
    pub ips: Option<String>,
    /// `publicKey`: absent for HMAC.
    pub proof: NewProof,
    /// `permissionMode`: without effect on HMAC and RSA keys.
    pub mode: PermissionMode,
    /// Texts that are given instead of drawn.
    pub fixed: FixedText,
    /// Made earlier than now, and judged as of then; worlds alone.
    pub created: Option<Timestamp>,
}

/// Which special keys to delete.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SpecialTarget {
    /// `apiKey`: this one; the name is then ignored.
    pub api_key: Option<ApiKey>,
    /// `apiName`: every one of this name.
    pub label: Option<String>,
}

/// Decides on a special key.
///
/// # Errors
/// [`Refusal`], in this order: the caller, the parameters, the account, product, agreement, tier, terms, cooldown,
/// count.
pub fn create_special_key(
    case: Case<'_>,
    new: &NewSpecialKey,
    minted: &Minted,
    facts: &ExchangeFacts,
) -> Result<Change, Refusal> {
    let owner = case.owner()?;
    authorise(&case, &owner, Power::Special)?;
    check_signed_creation(&case)?;

    let at = creation_time(&case, new.created)?;
    let label = Label::parse(&new.label).map_err(Refusal::Label)?;
    let ip = restriction(&case, new.ips.as_deref(), forms(&case))?;
    if ip.is_listed() && ip.rules().is_empty() {
        return Err(Refusal::IpListEmpty);
    }
    let material = material(minted)?;
    if let (Scope::Isolated(symbol), false) = (new.scope, facts.isolated_pair) {
        return Err(Refusal::UnknownPair(symbol));
    }

    check_account(&owner)?;
    check_eligibility(case.policy, &owner, at)?;
    check_count(&case, at)?;
    check_callers_ips(&case, &ip)?;

    let mut record = record(&case, &owner, minted, Parts { at, label, material, ip });
    (record.accepts, record.replay) = (new.fixed.accepts, new.fixed.replay);
    let mode = if record.key_type() == KeyType::Ed25519 { new.mode } else { PermissionMode::Trade };
    record.kind = KeyKind::Special { scope: new.scope, mode };
    record.permissions = mode.permissions();
    case.confirm_widening(IntentKind::CreateKey, asked(&record))?;
    let account = owner.account();
    let wallet = TradingAccount { owner: account.id, wallet: margin_wallet(account, new.scope) };
    let mut draft = Draft::new(case)
        .effects([Effect::OpenWallet { account: wallet }, Effect::EnterSpecialMode { owner: account.id }]);
    if mode != new.mode {
        let text = format!(
            "The special key \"{}\" was asked for in READ mode, which {} keys do not have: it may trade.",
            record.label,
            record.key_type().name()
        );
        draft = draft.tell(NoticeKind::ModeIgnored, Some(record.id), text);
    }
    Ok(made(draft, &case, record, Action::SpecialKeyCreated))
}

/// Product, agreement, residence, tier, terms, cooldown.
pub(super) fn check_eligibility(policy: &Policy, owner: &Owner<'_>, at: Timestamp) -> Result<(), Refusal> {
    let account = owner.account();
    if !account.products.is_open(Product::Margin, at) {
        return Err(Refusal::NoMarginAccount);
    }
    if matches!(account.portfolio_margin, PortfolioMargin::Retail { since } if since <= at) {
        return Err(Refusal::PortfolioMarginUnsupported);
    }
    let agreed = match account.cross_margin_pro {
        CrossMarginPro::None => true,
        CrossMarginPro::WithoutAgreement => false,
        CrossMarginPro::ByAgreement => policy.cross_margin_pro == CrossMarginProRule::ByAgreement,
    };
    if !agreed {
        return Err(Refusal::CrossMarginProForbidden);
    }
    if let Some(country) = owner.restricted_residence(policy) {
        return Err(Refusal::ResidenceRestricted(country));
    }
    let (needed, has) = (policy.special_key_vip_level, owner.vip());
    if has < needed && !account.special_key_exception {
        return Err(Refusal::VipTooLow { needed, has });
    }
    if policy.special_key_terms_required && !owner.signed(Terms::MarginSpecialKey) {
        return Err(Refusal::TermsNotSigned);
    }
    owner.cooldown(policy, at).map_or(Ok(()), |until| Err(Refusal::Cooldown { until }))
}

/// Decides on a new IP list for a special key of `scope`; it replaces the former one.
///
/// # Errors
/// [`Refusal`]: the caller, the list, the key.
pub fn edit_special_key_ip(case: Case<'_>, api_key: ApiKey, scope: Scope, ips: &str) -> Result<Change, Refusal> {
    let owner = case.owner()?;
    authorise(&case, &owner, Power::Special)?;
    let ip = restriction(&case, Some(ips), IpForms::Addresses)?;
    if ip.rules().is_empty() {
        return Err(Refusal::IpListEmpty);
    }
    let before = changeable(&case, scope).find(|key| key.api_key == api_key).ok_or(Refusal::KeyUnknown)?;
    let after = KeyRecord { ip, ..before.clone() };
    edited(&case, &owner, before, after, Action::KeyIpEdited)
}

/// Decides on deleting special keys of `scope`. Deleting does not leave special-key mode.
///
/// # Errors
/// [`Refusal`]: the caller, the target, the keys.
pub fn delete_special_keys(case: Case<'_>, target: &SpecialTarget, scope: Scope) -> Result<Change, Refusal> {
    let owner = case.owner()?;
    authorise(&case, &owner, Power::Special)?;
    let (doomed, missing): (Vec<&KeyRecord>, Refusal) = match (target.api_key, &target.label) {
        (Some(api_key), _) => {
            (changeable(&case, scope).filter(|key| key.api_key == api_key).collect(), Refusal::KeyUnknown)
        }
        (None, Some(label)) => (
            changeable(&case, scope).filter(|key| Label::parse(label).as_ref() == Ok(&key.label)).collect(),
            Refusal::NameUnknown,
        ),
        (None, None) => return Err(Refusal::TargetMissing),
    };
    if doomed.is_empty() {
        return Err(missing);
    }
    let names = doomed.iter().map(|key| key.id.to_string()).collect::<Vec<_>>();
    case.confirm(IntentKind::DeleteKey, json!({ "deleted": names }))?;
    let state = deleted(&case, DeleteReason::Requested);
    let draft = doomed
        .into_iter()
        .fold(Draft::new(case), |draft, key| draft.replace(key, KeyRecord { state: state.clone(), ..key.clone() }));
    let text = format!("Special keys were deleted by {}.", doer(&case));
    Ok(narrowing(tell_of_others(draft, &case, None, text), Action::KeyDeleted))
}

/// One special key of `scope`, as the compatible route shows it.
///
/// # Errors
/// [`Refusal`]: the caller, the key.
pub fn special_key(case: Case<'_>, api_key: ApiKey, scope: Scope) -> Result<SpecialKeyView, Refusal> {
    let mut keys = special_key_records(&case, scope)?;
    keys.find(|key| key.api_key == api_key).and_then(SpecialKeyView::of).ok_or(Refusal::KeyUnknown)
}

/// The special keys of `scope`, oldest first.
///
/// # Errors
/// [`Refusal`] of the caller.
pub fn special_keys(case: Case<'_>, scope: Scope) -> Result<Vec<SpecialKeyView>, Refusal> {
    let mut keys: Vec<&KeyRecord> = special_key_records(&case, scope)?.collect();
    keys.sort_unstable_by_key(|key| (key.created, key.id));
    Ok(keys.into_iter().filter_map(SpecialKeyView::of).collect())
}

/// The special keys of `scope` that have not ended.
fn special_key_records<'a>(
    case: &Case<'a>,
    scope: Scope,
) -> Result<impl Iterator<Item = &'a KeyRecord> + use<'a>, Refusal> {
    let owner = case.owner()?;
    authorise(case, &owner, Power::Special)?;
    let Case { policy, now, .. } = *case;
    Ok(in_scope(case, scope).filter(move |key| key.lives(policy, now)))
}

/// The special keys of `scope` that the caller may change: a key that may trade some pairs only changes none that may
/// trade others.
fn changeable<'a>(case: &Case<'a>, scope: Scope) -> impl Iterator<Item = &'a KeyRecord> + use<'a> {
    let bound = case.calling_key().and_then(|key| key.symbols.as_deref());
    in_scope(case, scope).filter(move |key| bound.is_none_or(|bound| trades_within(key, bound)))
}

/// The special keys of `scope` that are not deleted: no route of this family reaches any other key.
fn in_scope<'a>(case: &Case<'a>, scope: Scope) -> impl Iterator<Item = &'a KeyRecord> + use<'a> {
    let live = |key: &&KeyRecord| !matches!(key.state, KeyState::Deleted { .. });
    case.loaded.keys.iter().filter(live).filter(move |key| key.kind.scope() == Some(scope))
}

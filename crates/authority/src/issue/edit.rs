//! Editing a key: what it is called, may do, and from where.

use super::create::{
    check_account, check_callers_ips, check_callers_symbols, check_signed_power, check_symbols, forms, restriction,
    subject,
};
use super::life::{check_not_ended, doer, narrowing, tell_of_others};
use super::{Case, Draft, asked};
use crate::account::{Owner, PortfolioMargin, SubKind};
use crate::caller::{Power, Via, authorise};
use crate::change::{Action, Change};
use crate::effective::effective_permissions;
use crate::ip::{IpForms, IpRestriction, IpRule};
use crate::key::{AcceptedProofs, KeyKind, KeyRecord};
use crate::label::Label;
use crate::permission_rules::unmet;
use crate::policy::ReplayRule;
use crate::refusal::Refusal;
use crate::step_up::IntentKind;
use latchkey_protocol::{KeyId, Permission, PermissionSet, Symbol};

/// An edit as it is asked for; what is `None` stays.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct KeyEdit {
    /// See [`Label`].
    pub label: Option<String>,
    /// What it shall be allowed, all of it.
    pub permissions: Option<PermissionSet>,
    /// From where it may be used.
    pub ips: Option<IpChange>,
    /// The only symbols it may trade; `Some(None)` is all.
    pub symbols: Option<Option<Vec<Symbol>>>,
    /// Which proofs it accepts.
    pub accepts: Option<AcceptedProofs>,
    /// Its own rule on repeated calls; `Some(None)` is the policy's.
    pub replay: Option<Option<ReplayRule>>,
}

/// A change of an IP list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IpChange {
    /// These entries alone; an empty text is nowhere.
    Set(String),
    /// Without these entries. Without its last one the key is restricted to nobody.
    Remove(String),
    /// Unrestricted: nothing else opens a key.
    Open,
}

/// Decides on an edit of a key. `None`: nothing would change.
///
/// What the edit itself would grant or break must be as creation asks for it; a permission that was withheld before
/// stands in nobody's way. What gives a key more, or more places, is proved by its owner; what takes away is not.
///
/// # Errors
/// [`Refusal`], in this order: the caller, the key and its version, the parameters, the permissions, what widens, the
/// proof. Nothing is narrowed silently: an edit is refused whole.
pub fn edit_key(
    case: Case<'_>,
    id: KeyId,
    edit: &KeyEdit,
    expected_version: Option<u64>,
) -> Result<Option<Change>, Refusal> {
    let owner = case.owner()?;
    authorise(&case, &owner, Power::Hold)?;
    check_signed_edit(&case, edit)?;
    let before = case.loaded.keys.iter().find(|key| key.id == id).ok_or(Refusal::KeyUnknown)?;
    check_not_ended(&case, before)?;
    if expected_version.is_some_and(|version| version != before.version) {
        return Err(Refusal::Stale { found: before.version });
    }
    let mut after = before.clone();
    if let Some(label) = &edit.label {
        after.label = Label::parse(label).map_err(Refusal::Label)?;
    }
    if let Some(change) = &edit.ips {
        after.ip = changed(&case, before, change)?;
    }
    if let Some(symbols) = &edit.symbols {
        check_symbols(&case, symbols.as_deref())?;
        after.symbols.clone_from(symbols);
    }
    after.accepts = edit.accepts.unwrap_or(before.accepts);
    after.replay = edit.replay.unwrap_or(before.replay);
    after.permissions = edit.permissions.unwrap_or(before.permissions);
    if before.kind != KeyKind::Standard && after.permissions != before.permissions {
        return Err(Refusal::PermissionsFixed);
    }
    if after == *before {
        return Ok(None);
    }
    edited(&case, &owner, before, after, Action::KeyEdited).map(Some)
}

/// What a signed call may not edit. Source: sub-account API, "Update sub-account API permission".
fn check_signed_edit(case: &Case<'_>, edit: &KeyEdit) -> Result<(), Refusal> {
    let account = &case.loaded.account;
    if !matches!(case.caller.via, Via::Key { .. }) || edit.permissions.is_none() {
        Ok(())
    } else if account.sub_kind == SubKind::Asset {
        Err(Refusal::AssetSubAccount)
    } else if matches!(account.portfolio_margin, PortfolioMargin::Retail { since } if since <= case.now) {
        Err(Refusal::PortfolioMarginUnsupported)
    } else {
        Ok(())
    }
}

fn changed(case: &Case<'_>, before: &KeyRecord, change: &IpChange) -> Result<IpRestriction, Refusal> {
    match change {
        IpChange::Open => Ok(IpRestriction::Unrestricted),
        IpChange::Set(text) => restriction(case, Some(text), forms(case)),
        IpChange::Remove(text) => {
            let gone = IpRule::parse_list(text, IpForms::AddressesAndNetworks, case.policy).map_err(Refusal::Ip)?;
            let rules = before.ip.rules();
            if let Some(missing) = gone.iter().find(|rule| !rules.contains(rule)) {
                return Err(Refusal::IpNotListed(missing.to_string().into()));
            }
            if gone.is_empty() {
                return Err(Refusal::IpListEmpty);
            }
            Ok(IpRestriction::Listed(rules.iter().filter(|rule| !gone.contains(rule)).copied().collect()))
        }
    }
}

/// The change from one record to another, with all that an edit must hold.
pub(super) fn edited<'a>(
    case: &Case<'a>,
    owner: &Owner<'_>,
    before: &'a KeyRecord,
    mut after: KeyRecord,
    action: Action,
) -> Result<Change, Refusal> {
    check_not_ended(case, before)?;
    after.unrestricted_since = match (before.ip.is_listed(), after.ip.is_listed()) {
        (_, true) => None,
        (true, false) => Some(case.now),
        (false, false) => before.unrestricted_since,
    };
    check_result(case, owner, before, &after)?;
    if widens(case, owner, before, &after) {
        let power = if after.kind.scope().is_some() { Power::Special } else { Power::Widen };
        authorise(case, owner, power)?;
        check_signed_power(case)?;
        check_account(owner)?;
        if before.retiring.is_some() {
            return Err(Refusal::RotationUnderWay);
        }
        if after.ip != before.ip {
            check_callers_ips(case, &after.ip)?;
        }
        check_callers_symbols(case, &after)?;
        let withdraws = after.permissions.contains(Permission::Withdrawals);
        if withdraws && matches!(case.caller.via, Via::Key { .. }) {
            return Err(Refusal::NotBySignedCall);
        }
        let kind = if withdraws { IntentKind::GrantWithdrawals } else { IntentKind::WidenKey };
        case.confirm_widening(kind, serde_json::json!({ "key": before.id.to_string(), "after": asked(&after) }))?;
    }
    let text = format!("The key \"{}\" was edited by {}.", after.label, doer(case));
    let draft = tell_of_others(Draft::new(*case), case, Some(before.id), text);
    // An edit may take something away, so it is answered like a change that narrows.
    Ok(narrowing(draft.replace(before, after), action))
}

/// Whether what the edit grants or breaks could be made like that. Special and tax keys have what their kind gives.
fn check_result(case: &Case<'_>, owner: &Owner<'_>, before: &KeyRecord, after: &KeyRecord) -> Result<(), Refusal> {
    if after.kind != KeyKind::Standard {
        return Ok(());
    }
    let (was, shall) = (subject(case, owner, before, case.now), subject(case, owner, after, case.now));
    for permission in after.permissions.iter() {
        let granted = !before.permissions.contains(permission);
        if let Some(need) = unmet(permission, &shall)
            && (granted || need.met(&was))
        {
            return Err(Refusal::PermissionNeeds(permission, need));
        }
    }
    Ok(())
}

/// Whether the key may do more after, or from more places, or what was refused before.
fn widens(case: &Case<'_>, owner: &Owner<'_>, before: &KeyRecord, after: &KeyRecord) -> bool {
    let exceeds = |more: PermissionSet, less: PermissionSet| more.intersection(less) != more;
    let in_force = |key| effective_permissions(case.policy, owner, key, case.now).permissions;
    let symbols = match (&before.symbols, &after.symbols) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(before), Some(after)) => after.iter().any(|symbol| !before.contains(symbol)),
    };
    let strictness = |rule: Option<ReplayRule>| match rule.unwrap_or(case.policy.replay) {
        ReplayRule::Off => 0,
        ReplayRule::StateChanging => 1,
        ReplayRule::All => 2,
    };
    exceeds(after.permissions, before.permissions)
        || exceeds(in_force(after), in_force(before))
        || !after.ip.within(&before.ip)
        || symbols
        || (after.accepts != before.accepts && before.accepts != AcceptedProofs::Both)
        || strictness(after.replay) < strictness(before.replay)
}

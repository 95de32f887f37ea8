//! The rest of a key's life: disabled, enabled, deleted; one, or all at once.

use super::{Case, Draft};
use crate::account::SubKind;
use crate::caller::{Power, Via, authorise};
use crate::change::{Action, Actor, AnswerAfter, Change, Direction, Effect, NoticeKind};
use crate::effective::DeadReason;
use crate::hold::Holder;
use crate::key::{DeleteReason, Hold, KeyRecord, KeyState};
use crate::refusal::Refusal;
use crate::step_up::IntentKind;
use latchkey_protocol::KeyId;
use serde_json::json;

/// Decides on deleting a key, whatever its state but deleted. `None`: it was deleted already.
///
/// # Errors
/// [`Refusal`]: the caller, the key, the proof.
pub fn delete_key(case: Case<'_>, id: KeyId) -> Result<Option<Change>, Refusal> {
    let before = addressed(&case, id)?;
    if matches!(case.caller.via, Via::Key { .. }) && case.loaded.account.sub_kind == SubKind::Asset {
        return Err(Refusal::AssetSubAccount);
    }
    if matches!(before.state, KeyState::Deleted { .. }) {
        return Ok(None);
    }
    case.confirm(IntentKind::DeleteKey, json!({ "deleted": id.to_string() }))?;
    let text = format!("The key \"{}\" was deleted by {}.", before.label, doer(&case));
    let draft = tell_of_others(Draft::new(case), &case, Some(id), text);
    let after = KeyRecord { state: deleted(&case, DeleteReason::Requested), ..before.clone() };
    Ok(Some(narrowing(draft.replace(before, after), Action::KeyDeleted)))
}

/// Decides on deleting every key of the account. `None`: it has none.
///
/// # Errors
/// [`Refusal`]: the caller, the proof.
pub fn delete_all_keys(case: Case<'_>) -> Result<Option<Change>, Refusal> {
    authorise(&case, &case.owner()?, Power::Hold)?;
    let there = case.loaded.keys.iter().filter(|key| !matches!(key.state, KeyState::Deleted { .. }));
    let state = deleted(&case, DeleteReason::Requested);
    let draft = there
        .fold(Draft::new(case), |draft, key| draft.replace(key, KeyRecord { state: state.clone(), ..key.clone() }));
    if draft.is_empty() {
        return Ok(None);
    }
    case.confirm(IntentKind::DeleteKey, json!({ "deleted": "all" }))?;
    let text = format!("Every key was deleted by {}.", doer(&case));
    Ok(Some(narrowing(tell_of_others(draft, &case, None, text), Action::KeysDeleted)))
}

/// Decides on putting a key out of use. `None`: the caller did already. What an owner, a master and an operator did
/// stands side by side.
///
/// # Errors
/// [`Refusal`]: the caller, the key, a key that has ended.
pub fn disable_key(case: Case<'_>, id: KeyId) -> Result<Option<Change>, Refusal> {
    let before = addressed(&case, id)?;
    check_not_ended(&case, before)?;
    if !can_disable(&case, before) {
        return Ok(None);
    }
    let text = format!("The key \"{}\" was disabled by {}.", before.label, doer(&case));
    let draft = tell_of_others(Draft::new(case), &case, Some(id), text);
    Ok(Some(narrowing(draft.replace(before, disabled(&case, before)), Action::KeyDisabled)))
}

/// Decides on putting every key of the account out of use at once. `None`: none is in use, and no order is to be
/// cancelled. With `cancel_orders` its open orders are cancelled.
///
/// # Errors
/// [`Refusal`] of the caller.
pub fn freeze_keys(case: Case<'_>, cancel_orders: bool) -> Result<Option<Change>, Refusal> {
    authorise(&case, &case.owner()?, Power::Hold)?;
    let in_use = case.loaded.keys.iter().filter(|key| key.lives(case.policy, case.now) && can_disable(&case, key));
    let draft = in_use.fold(Draft::new(case), |draft, key| draft.replace(key, disabled(&case, key)));
    let draft = draft.effects(cancel_orders.then_some(Effect::CancelEverything { owner: case.loaded.account.id }));
    if draft.is_empty() {
        return Ok(None);
    }
    let text = format!("Every key was disabled by {}.", doer(&case));
    Ok(Some(narrowing(tell_of_others(draft, &case, None, text), Action::KeysDisabled)))
}

/// Decides on undoing what the caller may undo of a disabled key's holds: without any it is in use again. `None`: it is
/// in use. What an operator did, only operators undo; what the master of a sub-account did, only the master; what an
/// owner did, no operator.
///
/// # Errors
/// [`Refusal`]: the caller, the key, a key that has ended, the proof.
pub fn enable_key(case: Case<'_>, id: KeyId) -> Result<Option<Change>, Refusal> {
    let before = addressed(&case, id)?;
    check_not_ended(&case, before)?;
    let holds = before.state.holds();
    if holds.is_empty() {
        return Ok(None);
    }
    let rest = undone(&case, holds, |hold| &hold.by)?;
    case.confirm_widening(IntentKind::EnableKey, json!({ "enabled": id.to_string() }))?;
    let still = if rest.is_empty() { "" } else { STILL_HELD };
    let text = format!("The key \"{}\" was enabled by {}.{still}", before.label, doer(&case));
    let after = KeyRecord { state: KeyState::held(rest), ..before.clone() };
    let draft = tell_of_others(Draft::new(case), &case, Some(id), text).replace(before, after);
    Ok(Some(draft.finish(Action::KeyEnabled, AnswerAfter::Local, Direction::Widening)))
}

fn addressed<'a>(case: &Case<'a>, id: KeyId) -> Result<&'a KeyRecord, Refusal> {
    authorise(case, &case.owner()?, Power::Hold)?;
    case.loaded.keys.iter().find(|key| key.id == id).ok_or(Refusal::KeyUnknown)
}

/// Refuses a key that has ended, written down or not.
pub(super) fn check_not_ended(case: &Case<'_>, key: &KeyRecord) -> Result<(), Refusal> {
    let ended = match key.state {
        KeyState::Deleted { .. } => Some(DeadReason::Deleted),
        KeyState::Expired { .. } => Some(DeadReason::Expired),
        KeyState::Active | KeyState::Disabled { .. } => key.over(case.policy, case.now),
    };
    ended.map_or(Ok(()), |reason| Err(Refusal::KeyDead(reason)))
}

/// What remains of `holds` when the caller undoes those that are the caller's to undo.
///
/// # Errors
/// [`Refusal`]: there is none of these.
pub(super) fn undone<T>(case: &Case<'_>, holds: Vec<T>, by: impl Fn(&T) -> &Actor) -> Result<Vec<T>, Refusal> {
    let account = case.loaded.account.id;
    let caller = case.caller.holder(account);
    let count = holds.len();
    let rest: Vec<T> = holds.into_iter().filter(|hold| !caller.undoes(Holder::of(by(hold), account))).collect();
    match rest.iter().map(|hold| Holder::of(by(hold), account)).max().filter(|_| rest.len() == count) {
        None => Ok(rest),
        Some(Holder::Operator) => Err(Refusal::HeldByOperator),
        Some(Holder::Master) => Err(Refusal::HeldByMaster),
        Some(Holder::Owner) => Err(Refusal::HeldByOwner),
    }
}

/// What a notice adds when somebody else holds too.
pub(super) const STILL_HELD: &str = " It stays out of use: somebody else holds it too.";

/// Whether disabling the key changes anything.
fn can_disable(case: &Case<'_>, key: &KeyRecord) -> bool {
    let account = case.loaded.account.id;
    let caller = case.caller.holder(account);
    let held = || key.state.holds().iter().any(|hold| Holder::of(&hold.by, account) == caller);
    !key.state.is_final() && !held()
}

fn disabled(case: &Case<'_>, key: &KeyRecord) -> KeyRecord {
    let hold = Hold { at: case.now, by: case.caller.actor() };
    KeyRecord { state: KeyState::held(key.state.holds().into_iter().chain([hold])), ..key.clone() }
}

/// The state of a key that is deleted now, by whoever asks.
pub(super) fn deleted(case: &Case<'_>, reason: DeleteReason) -> KeyState {
    KeyState::Deleted { at: case.now, by: case.caller.actor(), reason }
}

pub(super) fn narrowing(draft: Draft<'_>, action: Action) -> Change {
    draft.finish(action, AnswerAfter::AllNodes, Direction::Narrowing)
}

/// Who does it, as a notice says it.
pub(super) fn doer(case: &Case<'_>) -> &'static str {
    match case.caller.via {
        Via::Key { .. } => "a signed call",
        Via::Operator(_) => "an operator",
        Via::Owner if Some(case.caller.account) == case.loaded.account.master => "its master account",
        Via::Owner | Via::SentCode | Via::World | Via::System => "its owner",
    }
}

/// Tells an owner of what others do: signed calls and operators.
pub(super) fn tell_of_others<'a>(draft: Draft<'a>, case: &Case<'_>, key: Option<KeyId>, text: String) -> Draft<'a> {
    match case.caller.via {
        Via::Key { .. } => draft.tell(NoticeKind::SignedCall, key, text),
        Via::Operator(_) => draft.tell(NoticeKind::Operator, key, text),
        Via::Owner | Via::SentCode | Via::World | Via::System => draft,
    }
}

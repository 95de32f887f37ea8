//! The rest of a key's life: disabled, enabled, deleted; one, or all at once.

use super::{Case, Draft};
use crate::account::SubKind;
use crate::caller::{Power, Via, authorise};
use crate::change::{Action, Actor, AnswerAfter, Change, Direction, Effect, NoticeKind};
use crate::effective::DeadReason;
use crate::key::{DeleteReason, KeyRecord, KeyState};
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

/// Decides on putting a key out of use. `None`: it was already; but what an owner disabled, an operator may take over,
/// so that the owner cannot enable it.
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

/// Decides on putting a disabled key back into use. `None`: it is in use. What an operator disabled, only an
/// operator's tool enables.
///
/// # Errors
/// [`Refusal`]: the caller, the key, a key that has ended, the proof.
pub fn enable_key(case: Case<'_>, id: KeyId) -> Result<Option<Change>, Refusal> {
    let before = addressed(&case, id)?;
    check_not_ended(&case, before)?;
    let KeyState::Disabled { by, .. } = &before.state else { return Ok(None) };
    match (by, &case.caller.via) {
        (Actor::Operator(_), Via::Owner | Via::Key { .. }) => return Err(Refusal::HeldByOperator),
        (Actor::Operator(_), _) => {}
        (_, Via::Operator(_)) => return Err(Refusal::NotByOperator),
        _ => {}
    }
    case.confirm_widening(IntentKind::EnableKey, json!({ "enabled": id.to_string() }))?;
    let after = KeyRecord { state: KeyState::Active, ..before.clone() };
    let draft = Draft::new(case).replace(before, after);
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

/// Whether disabling the key changes anything.
fn can_disable(case: &Case<'_>, key: &KeyRecord) -> bool {
    match &key.state {
        KeyState::Active => true,
        KeyState::Disabled { by, .. } => {
            matches!(case.caller.via, Via::Operator(_)) && !matches!(by, Actor::Operator(_))
        }
        KeyState::Expired { .. } | KeyState::Deleted { .. } => false,
    }
}

fn disabled(case: &Case<'_>, key: &KeyRecord) -> KeyRecord {
    KeyRecord { state: KeyState::Disabled { at: case.now, by: case.caller.actor() }, ..key.clone() }
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

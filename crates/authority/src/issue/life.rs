//! The rest of a key's life: disabled, enabled, deleted.

use super::{Case, Draft};
use crate::caller::{Power, Via, authorise};
use crate::change::{Action, Actor, AnswerAfter, Change, Direction};
use crate::effective::DeadReason;
use crate::key::{DeleteReason, KeyRecord, KeyState};
use crate::refusal::Refusal;
use latchkey_protocol::KeyId;

/// Decides on deleting a key, whatever its state but deleted. `None`: it was deleted already.
///
/// # Errors
/// [`Refusal`]: the caller, the key.
pub fn delete_key(case: Case<'_>, id: KeyId) -> Result<Option<Change>, Refusal> {
    let before = addressed(&case, id)?;
    if matches!(before.state, KeyState::Deleted { .. }) {
        return Ok(None);
    }
    let state = KeyState::Deleted { at: case.now, by: case.caller.actor(), reason: DeleteReason::Requested };
    Ok(Some(replace(case, before, state, Action::KeyDeleted)))
}

/// Decides on putting a key out of use. `None`: it was already.
///
/// # Errors
/// [`Refusal`]: the caller, the key, a key that has ended.
pub fn disable_key(case: Case<'_>, id: KeyId) -> Result<Option<Change>, Refusal> {
    let before = addressed(&case, id)?;
    check_not_ended(&case, before)?;
    if matches!(before.state, KeyState::Disabled { .. }) {
        return Ok(None);
    }
    let state = KeyState::Disabled { at: case.now, by: case.caller.actor() };
    Ok(Some(replace(case, before, state, Action::KeyDisabled)))
}

/// Decides on putting a disabled key back into use. `None`: it is in use. What an operator disabled, only an
/// operator's tool enables.
///
/// # Errors
/// [`Refusal`]: the caller, the key, a key that has ended.
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
    let after = KeyRecord { state: KeyState::Active, ..before.clone() };
    let draft = Draft::new(case).replace(before, after);
    Ok(Some(draft.finish(Action::KeyEnabled, AnswerAfter::Local, Direction::Widening)))
}

fn addressed<'a>(case: &Case<'a>, id: KeyId) -> Result<&'a KeyRecord, Refusal> {
    authorise(case, &case.owner()?, Power::Hold)?;
    case.loaded.keys.iter().find(|key| key.id == id).ok_or(Refusal::KeyUnknown)
}

fn check_not_ended(case: &Case<'_>, key: &KeyRecord) -> Result<(), Refusal> {
    match key.state {
        KeyState::Deleted { .. } => Err(Refusal::KeyDead(DeadReason::Deleted)),
        _ if !key.counts(case.policy, case.now) => Err(Refusal::KeyDead(DeadReason::Expired)),
        _ => Ok(()),
    }
}

fn replace(case: Case<'_>, before: &KeyRecord, state: KeyState, action: Action) -> Change {
    let after = KeyRecord { state, ..before.clone() };
    Draft::new(case).replace(before, after).finish(action, AnswerAfter::AllNodes, Direction::Narrowing)
}

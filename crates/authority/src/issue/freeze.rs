//! Freezing an account, and ending that.

use super::{Case, Draft};
use crate::account::{Account, Frozen};
use crate::caller::{Power, Via, authorise};
use crate::change::{Action, Actor, AnswerAfter, Change, Direction, Effect, NoticeKind};
use crate::refusal::Refusal;
use crate::step_up::IntentKind;
use serde_json::json;

/// Decides on a freeze: from then on no key of the account, nor of its sub-accounts, is admitted.
/// `None`: it is frozen already. With `cancel_orders` its open orders are cancelled.
///
/// # Errors
/// [`Refusal`] of the caller.
pub fn freeze_account(case: Case<'_>, reason: &str, cancel_orders: bool) -> Result<Option<Change>, Refusal> {
    authorise(&case, &case.owner()?, Power::Hold)?;
    let stored = &case.loaded.account;
    let by_operator = |frozen: &Frozen| matches!(frozen.by, Actor::Operator(_));
    // An operator's freeze replaces an owner's, so that the owner cannot undo it.
    let replaces = matches!(case.caller.via, Via::Operator(_));
    if stored.frozen.as_ref().is_some_and(|frozen| by_operator(frozen) || !replaces) {
        return Ok(None);
    }
    let frozen = Frozen { at: case.now, by: case.caller.actor(), reason: reason.to_owned() };
    let cancel = cancel_orders.then_some(Effect::CancelEverything { owner: stored.id });
    let mut draft = Draft::new(case).account(Account { frozen: Some(frozen), ..stored.clone() }).effects(cancel);
    if replaces {
        draft = draft.tell(NoticeKind::Operator, None, format!("An operator froze the account: {reason}"));
    }
    Ok(Some(draft.finish(Action::AccountFrozen, AnswerAfter::AllNodes, Direction::Narrowing)))
}

/// Decides on the end of a freeze. `None`: the account is not frozen. An operator's freeze ends by an operator.
///
/// # Errors
/// [`Refusal`] of the caller.
pub fn unfreeze_account(case: Case<'_>) -> Result<Option<Change>, Refusal> {
    authorise(&case, &case.owner()?, Power::Hold)?;
    let stored = &case.loaded.account;
    let Some(frozen) = &stored.frozen else { return Ok(None) };
    if matches!((&frozen.by, &case.caller.via), (Actor::Operator(_), Via::Owner | Via::Key { .. })) {
        return Err(Refusal::HeldByOperator);
    }
    case.confirm_widening(IntentKind::Unfreeze, json!({ "frozen": null }))?;
    let draft = Draft::new(case).account(Account { frozen: None, ..stored.clone() });
    Ok(Some(draft.finish(Action::AccountUnfrozen, AnswerAfter::Local, Direction::Widening)))
}

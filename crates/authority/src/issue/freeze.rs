//! Freezing an account, and ending that.

use super::life::{STILL_HELD, doer, narrowing, tell_of_others, undone};
use super::{Case, Draft};
use crate::account::{Account, Frozen};
use crate::caller::{Power, Via, authorise};
use crate::change::{Action, AnswerAfter, Change, Direction, Effect, NoticeKind};
use crate::refusal::Refusal;
use crate::step_up::IntentKind;
use core::cmp::Reverse;
use serde_json::json;

/// Decides on a freeze: from then on no key of the account, nor of its sub-accounts, is admitted.
/// `None`: the caller froze it already; what an owner, a master and an operator did stands side by side. With
/// `cancel_orders` its open orders are cancelled.
///
/// # Errors
/// [`Refusal`] of the caller.
pub fn freeze_account(case: Case<'_>, reason: &str, cancel_orders: bool) -> Result<Option<Change>, Refusal> {
    authorise(&case, &case.owner()?, Power::Hold)?;
    let stored = &case.loaded.account;
    let holder = case.caller.holder(stored.id);
    if stored.frozen.iter().any(|frozen| frozen.holder(stored.id) == holder) {
        return Ok(None);
    }
    let mut frozen = stored.frozen.clone();
    frozen.push(Frozen { at: case.now, by: case.caller.actor(), reason: reason.to_owned() });
    frozen.sort_by_key(|frozen| Reverse(frozen.holder(stored.id)));
    let cancel = cancel_orders.then_some(Effect::CancelEverything { owner: stored.id });
    let draft = Draft::new(case).account(Account { frozen, ..stored.clone() }).effects(cancel);
    let text = format!("The account was frozen by {}: {reason}", doer(&case));
    Ok(Some(narrowing(tell_of_others(draft, &case, None, text), Action::AccountFrozen)))
}

/// Decides on ending the freezes that are the caller's to end: without any, its keys are admitted again. `None`: the
/// account is not frozen. What an operator froze, operators release; what the master of a sub-account froze, the
/// master; what an owner froze, no operator. The owner is always told.
///
/// # Errors
/// [`Refusal`]: the caller, a freeze by others alone, the proof.
pub fn unfreeze_account(case: Case<'_>) -> Result<Option<Change>, Refusal> {
    authorise(&case, &case.owner()?, Power::Hold)?;
    let stored = &case.loaded.account;
    if stored.frozen.is_empty() {
        return Ok(None);
    }
    let rest = undone(&case, stored.frozen.clone(), |frozen| &frozen.by)?;
    case.confirm_widening(IntentKind::Unfreeze, json!({ "frozen": null }))?;
    let still = if rest.is_empty() { "" } else { STILL_HELD };
    let text = format!("A freeze of the account was ended by {}.{still}", doer(&case));
    let draft = Draft::new(case).account(Account { frozen: rest, ..stored.clone() });
    let draft = match case.caller.via {
        Via::Key { .. } | Via::Operator(_) => tell_of_others(draft, &case, None, text),
        Via::Owner | Via::SentCode | Via::World | Via::System => draft.tell(NoticeKind::Standing, None, text),
    };
    Ok(Some(draft.finish(Action::AccountUnfrozen, AnswerAfter::Local, Direction::Widening)))
}

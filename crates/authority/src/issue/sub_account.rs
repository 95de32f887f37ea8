//! Opening a sub-account, by its master.

use super::account::opening_effects;
use super::{Case, Draft};
use crate::account::{Account, Email, PasswordHash, SubKind};
use crate::caller::{Power, Via, authorise};
use crate::change::{Action, AnswerAfter, AuditState, Change, Direction, NoticeKind, Write};
use crate::claim::{Made, Settled};
use crate::refusal::Refusal;
use crate::step_up::IntentKind;
use crate::view::AccountSummary;
use latchkey_protocol::AccountId;
use serde_json::json;

/// A sub-account as it is asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct NewSubAccount {
    /// Its address; a virtual one for an account that nobody signs in to.
    pub email: Email,
    /// What it is for.
    pub kind: SubKind,
    /// The password, already hashed; without one only the master acts for it.
    pub password_hash: Option<PasswordHash>,
}

/// Decides on a sub-account of the account in question. Identity, terms and controls are the master's; it starts
/// without products and deposit. The master's version moves, so that a proof for it fits once, and of two that count
/// `there`, the sub-accounts that there are, one is decided anew.
///
/// # Errors
/// [`Refusal`]: the caller, the master, the count, the proof.
pub fn create_sub_account(case: Case<'_>, new: &NewSubAccount, id: AccountId, there: u64) -> Result<Change, Refusal> {
    let owner = case.owner()?;
    // By a signed call too, with a standard key that may trade: the power over special keys is the same.
    authorise(&case, &owner, Power::Special)?;
    let master = owner.account();
    if master.master.is_some() {
        return Err(Refusal::MasterIsSubAccount);
    }
    if owner.frozen().is_some() {
        return Err(Refusal::AccountFrozen);
    }
    let max = case.policy.sub_accounts_per_account;
    if matches!(case.caller.via, Via::Owner | Via::Key { .. }) && there >= u64::from(max) {
        return Err(Refusal::TooManySubAccounts(max));
    }
    let password = new.password_hash.as_ref().map(PasswordHash::fingerprint);
    let after = json!({ "email": new.email, "kind": new.kind, "password": password });
    case.confirm_widening(IntentKind::SubAccount, after)?;
    let sub = Account {
        master: Some(master.id),
        password_hash: new.password_hash.clone(),
        sub_kind: new.kind,
        ..Account::new(id, new.email.clone(), case.now)
    };
    let mut draft = Draft::new(case).effects(opening_effects(&sub, &[]));
    if matches!(case.caller.via, Via::Key { .. }) {
        let text = format!("The sub-account {} was opened by a signed call.", sub.email);
        draft = draft.tell(NoticeKind::SignedCall, None, text);
    }
    let mut change = draft.finish(Action::AccountCreated, AnswerAfter::Local, Direction::Widening);
    change.audit.after.push(AuditState::Account(AccountSummary::from(&sub)));
    change.settled = case.caller.claim.map(|claim| Settled { claim, made: Made::Account(sub.id) });
    change.accounts.push(Write { record: sub, expected: None });
    Ok(change)
}

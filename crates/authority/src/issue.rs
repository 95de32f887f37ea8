//! The decisions: facts in, a [`Change`] or an exact [`Refusal`] out. Nothing here reads, writes or waits.
//!
//! A decision sees one account with its master and keys, all read at one revision. Each change writes the account
//! too, so that two decisions about one account cannot both commit: this is what holds the number of keys.

use crate::account::{Account, Owner};
use crate::caller::Caller;
use crate::change::{Action, AnswerAfter, AuditEvent, AuditState, Change, Direction, Effect, Guard, Outcome, Write};
use crate::key::KeyRecord;
use crate::policy::Policy;
use crate::ports::Loaded;
use crate::refusal::Refusal;
use crate::view::{AccountSummary, KeySummary};
use latchkey_protocol::Timestamp;

mod account;
mod create;
mod life;
mod special;

pub use account::{NewAccount, OpeningBalance, create_account, freeze_account, unfreeze_account};
pub use create::{FixedText, Minted, MintedProof, NewKey, NewProof, create_key};
pub use life::{delete_key, disable_key, enable_key};
pub use special::{
    NewSpecialKey, SpecialTarget, create_special_key, delete_special_keys, edit_special_key_ip, special_key,
    special_keys,
};

/// What every decision starts from.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The numbers in force.
    pub policy: &'a Policy,
    /// The account that is acted upon, with its master and its keys.
    pub loaded: &'a Loaded,
    /// Who asks.
    pub caller: &'a Caller,
    /// When.
    pub now: Timestamp,
}

impl<'a> Case<'a> {
    fn owner(&self) -> Result<Owner<'a>, Refusal> {
        self.loaded.owner()
    }
}

/// A change in the making.
struct Draft<'a> {
    case: Case<'a>,
    account: Option<Account>,
    keys: Vec<(Option<&'a KeyRecord>, KeyRecord)>,
    effects: Vec<Effect>,
}

impl<'a> Draft<'a> {
    const fn new(case: Case<'a>) -> Self {
        Self { case, account: None, keys: Vec::new(), effects: Vec::new() }
    }

    /// Sets what the account shall be; without it only its version moves.
    fn account(mut self, account: Account) -> Self {
        self.account = Some(account);
        self
    }

    /// Adds a new key.
    fn insert(mut self, key: KeyRecord) -> Self {
        self.keys.push((None, key));
        self
    }

    /// Replaces a key; its version is raised here.
    fn replace(mut self, before: &'a KeyRecord, after: KeyRecord) -> Self {
        self.keys.push((Some(before), KeyRecord { version: before.version + 1, ..after }));
        self
    }

    fn effects(mut self, effects: impl IntoIterator<Item = Effect>) -> Self {
        self.effects.extend(effects);
        self
    }

    fn finish(self, action: Action, answer_after: AnswerAfter, direction: Direction) -> Change {
        let (caller, stored) = (self.case.caller, &self.case.loaded.account);
        let shown = |account: &Account| AuditState::Account(AccountSummary::from(account));
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let version = stored.version + 1;
        let account = Account { version, ..self.account.clone().unwrap_or_else(|| stored.clone()) };
        if self.account.is_some() {
            before.push(shown(stored));
            after.push(shown(&account));
        }
        before.extend(self.keys.iter().filter_map(|(before, _)| *before).map(KeySummary::from).map(AuditState::Key));
        after.extend(self.keys.iter().map(|(_, after)| AuditState::Key(after.into())));
        let addressed = match self.keys.as_slice() {
            [(_, only)] => Some(only.id),
            _ => None,
        };
        let guard = |master: &Account| Guard { account: master.id, version: master.version };
        Change {
            accounts: vec![Write { record: account, expected: Some(stored.version) }],
            keys: self
                .keys
                .into_iter()
                .map(|(before, record)| Write { record, expected: before.map(|before| before.version) })
                .collect(),
            guards: self.case.loaded.master.iter().map(guard).collect(),
            effects: self.effects,
            audit: AuditEvent {
                at: self.case.now,
                who: caller.actor(),
                from: caller.from,
                action,
                account: stored.id,
                key: addressed,
                before,
                after,
                outcome: Outcome::Done,
                with: caller.factors(),
            },
            notices: Vec::new(),
            answer_after,
            direction,
        }
    }
}

#[cfg(test)]
mod tests;

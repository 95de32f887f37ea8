//! A change in the making.

use super::Case;
use super::watch::renewed;
use crate::account::{Account, Owner};
use crate::change::{
    Action, AnswerAfter, AuditEvent, AuditState, Change, Direction, Effect, Guard, Notice, NoticeKind, Outcome, Write,
};
use crate::claim::{Made, Settled};
use crate::key::KeyRecord;
use crate::ports::Loaded;
use crate::view::{AccountSummary, KeySummary};
use latchkey_protocol::KeyId;

/// Collects what shall be, then becomes a [`Change`].
pub(super) struct Draft<'a> {
    case: Case<'a>,
    account: Option<Account>,
    keys: Vec<Edit<'a>>,
    effects: Vec<Effect>,
    notices: Vec<Notice>,
    signs_out: bool,
}

/// One key of a change, with the account that it belongs to.
struct Edit<'a> {
    of: &'a Loaded,
    before: Option<&'a KeyRecord>,
    after: KeyRecord,
}

impl<'a> Draft<'a> {
    pub(super) const fn new(case: Case<'a>) -> Self {
        Self { case, account: None, keys: Vec::new(), effects: Vec::new(), notices: Vec::new(), signs_out: false }
    }

    /// Sets what the account shall be; without it only its version moves.
    pub(super) fn account(mut self, account: Account) -> Self {
        self.account = Some(account);
        self
    }

    /// Adds a new key.
    pub(super) fn insert(mut self, after: KeyRecord) -> Self {
        self.keys.push(Edit { of: self.case.loaded, before: None, after });
        self
    }

    /// Replaces a key; its version is raised in the end.
    pub(super) fn replace(self, before: &'a KeyRecord, after: KeyRecord) -> Self {
        let of = self.case.loaded;
        self.replace_in(of, before, after)
    }

    /// Replaces a key of a sub-account of the account in question.
    pub(super) fn replace_in(mut self, of: &'a Loaded, before: &'a KeyRecord, after: KeyRecord) -> Self {
        let after = KeyRecord { version: before.version + 1, ..after };
        self.keys.push(Edit { of, before: Some(before), after });
        self
    }

    pub(super) fn effects(mut self, effects: impl IntoIterator<Item = Effect>) -> Self {
        self.effects.extend(effects);
        self
    }

    /// Tells the owner of the account; that of a sub-account is its master too.
    pub(super) fn tell(mut self, kind: NoticeKind, key: Option<KeyId>, text: impl Into<String>) -> Self {
        let of = self.case.loaded;
        self.notices.extend(notices(of, kind, key, &text.into()));
        self
    }

    /// Ends every session of the account, if `so`.
    pub(super) fn sign_out(mut self, so: bool) -> Self {
        self.signs_out = so;
        self
    }

    /// Whether there is nothing to change yet.
    pub(super) fn is_empty(&self) -> bool {
        self.account.is_none() && self.keys.is_empty() && self.effects.is_empty()
    }

    pub(super) fn finish(mut self, action: Action, answer_after: AnswerAfter, direction: Direction) -> Change {
        let (caller, loaded) = (self.case.caller, self.case.loaded);
        let stored = &loaded.account;
        let shown = |account: &Account| AuditState::Account(AccountSummary::from(account));
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let mut account = self.account.clone().unwrap_or_else(|| stored.clone());
        account.version = stored.version + 1;
        // A recovery code is spent by the change that it proved.
        let spent = caller.step_up.as_ref().and_then(|proof| proof.recovery());
        account.recovery.retain(|code| Some(*code) != spent);
        if self.account.is_some() {
            before.push(shown(stored));
            after.push(shown(&account));
        }
        self.renew_watches(&account);
        before.extend(self.keys.iter().filter_map(|edit| edit.before).map(KeySummary::from).map(AuditState::Key));
        after.extend(self.keys.iter().map(|edit| AuditState::Key((&edit.after).into())));
        let addressed = match self.keys.as_slice() {
            [only] => Some(only.after.id),
            _ => None,
        };
        let made = self.keys.iter().find(|edit| edit.before.is_none()).map(|edit| Made::Key(edit.after.id));
        let settled = caller.claim.zip(made).map(|(claim, made)| Settled { claim, made });
        let guard = |master: &Account| Guard { account: master.id, version: master.version };
        let mut accounts = vec![Write { record: account, expected: Some(stored.version) }];
        accounts.extend(self.moved_sub_accounts());
        Change {
            accounts,
            keys: self
                .keys
                .into_iter()
                .map(|edit| Write { record: edit.after, expected: edit.before.map(|before| before.version) })
                .collect(),
            guards: loaded.master.iter().map(guard).collect(),
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
            notices: self.notices,
            settled,
            signed_out: self.signs_out.then_some(stored.id),
            answer_after,
            direction,
        }
    }

    /// Writes down with each key what the rules that act with time keep of it, and tells what they tell.
    fn renew_watches(&mut self, account: &Account) {
        let Case { policy, loaded, now, .. } = self.case;
        for edit in &mut self.keys {
            let own = edit.of.account.id == account.id;
            let owner = if own {
                Owner::new(account, loaded.master.as_ref())
            } else {
                Owner::new(&edit.of.account, Some(account))
            };
            let Some(owner) = owner else { continue };
            let (watch, told) = renewed(policy, &owner, &edit.after, now);
            edit.after.watch = watch;
            for (kind, text) in told {
                self.notices.extend(notices(edit.of, kind, Some(edit.after.id), &text));
            }
        }
    }

    /// The sub-accounts whose keys are written: their versions move too.
    fn moved_sub_accounts(&self) -> Vec<Write<Account>> {
        let mut writes: Vec<Write<Account>> = Vec::new();
        for edit in &self.keys {
            let account = &edit.of.account;
            let known = account.id == self.case.loaded.account.id || writes.iter().any(|w| w.record.id == account.id);
            if !known {
                let record = Account { version: account.version + 1, ..account.clone() };
                writes.push(Write { record, expected: Some(account.version) });
            }
        }
        writes
    }
}

/// A notice for the owner of an account; one for its master too.
pub(super) fn notices<'a>(
    of: &'a Loaded,
    kind: NoticeKind,
    key: Option<KeyId>,
    text: &'a str,
) -> impl Iterator<Item = Notice> + use<'a> {
    let told = [Some(of.account.id), of.account.master].into_iter().flatten();
    told.map(move |account| Notice { account, kind, key, text: text.to_owned() })
}

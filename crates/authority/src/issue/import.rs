//! Keys that come from a file: each is judged as of the time when it was made, and all are written as one batch.
//!
//! An operator imports, and no owner proves anything: this is the one way by which somebody else makes a key. So every
//! owner is told, and the rules bind each key as if its owner had asked for it then.

use super::create::standard;
use super::draft::notices;
use super::watch::renewed;
use super::{Case, Minted, NewKey};
use crate::account::Account;
use crate::caller::{Caller, Power, authorise};
use crate::change::{
    Action, AnswerAfter, AuditEvent, AuditState, Change, Direction, Guard, ImportSummary, Notice, NoticeKind, Outcome,
    Write,
};
use crate::key::{KeyRecord, Material};
use crate::policy::Policy;
use crate::ports::Loaded;
use crate::refusal::Refusal;
use crate::step_up::FactorSet;
use latchkey_protocol::{AccountId, ApiKey, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// A standard key of a batch.
pub struct ImportedKey<'a> {
    /// Whose it shall be.
    pub account: AccountId,
    /// What it shall be.
    pub new: &'a NewKey,
    /// What was drawn or looked up for it.
    pub minted: &'a Minted,
    /// Whether its public name belongs to a stored key.
    pub taken: bool,
}

/// Which key of a batch is refused, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("key {row} of the batch is refused")]
pub struct RowRefused {
    /// Its place, from 0.
    pub row: usize,
    /// Why.
    #[source]
    pub refusal: Refusal,
}

/// Decides on a batch of standard keys: all of them or none. `accounts` are those of the keys, each once. The audit
/// record belongs to no account (number 0) and names the batch by its digest.
///
/// # Errors
/// [`RowRefused`] names the first key that is refused, for the reasons of [`super::create_key`], because its public
/// name is taken, or because nothing of its account may be widened now.
pub fn import_keys(
    policy: &Policy,
    caller: &Caller,
    accounts: Vec<Loaded>,
    rows: &[ImportedKey<'_>],
    now: Timestamp,
) -> Result<Change, RowRefused> {
    let mut batch = Batch {
        accounts: accounts.into_iter().map(|loaded| (loaded.account.id, (loaded, 0))).collect(),
        ..Batch::default()
    };
    for (row, key) in rows.iter().enumerate() {
        batch.take(policy, caller, key, now).map_err(|refusal| RowRefused { row, refusal })?;
    }
    Ok(batch.finish(caller, now))
}

/// What a batch comes to so far.
#[derive(Default)]
struct Batch {
    /// The accounts as they would be, and how many keys each has got.
    accounts: BTreeMap<AccountId, (Loaded, usize)>,
    keys: Vec<KeyRecord>,
    /// The public names and public keys among them.
    names: BTreeSet<ApiKey>,
    fingerprints: BTreeSet<[u8; 32]>,
    notices: Vec<Notice>,
}

impl Batch {
    fn take(&mut self, policy: &Policy, caller: &Caller, key: &ImportedKey<'_>, now: Timestamp) -> Result<(), Refusal> {
        let (loaded, count) = self.accounts.get_mut(&key.account).ok_or(Refusal::AccountUnknown)?;
        let case = Case { policy, loaded, caller, maker: None, now };
        let owner = case.owner()?;
        authorise(&case, &owner, Power::Import)?;
        let mut record = standard(&case, &owner, key.new, key.minted)?;
        if let Some(until) = owner.held(now) {
            return Err(Refusal::WideningHeld { until });
        }
        if key.taken || !self.names.insert(record.api_key) {
            return Err(Refusal::ApiKeyTaken);
        }
        if let Material::Rsa(public) | Material::Ed25519(public) = &mut record.material {
            public.shared |= !self.fingerprints.insert(public.fingerprint);
        }
        let (watch, told) = renewed(policy, &owner, &record, now);
        record.watch = watch;
        for (kind, text) in told {
            self.notices.extend(notices(loaded, kind, Some(record.id), &text));
        }
        // The next key of the account counts this one.
        loaded.keys.push(record.clone());
        *count += 1;
        self.keys.push(record);
        Ok(())
    }

    fn finish(mut self, caller: &Caller, now: Timestamp) -> Change {
        let mut writes = Vec::with_capacity(self.accounts.len());
        let mut guards = Vec::new();
        for (loaded, count) in self.accounts.values().filter(|(_, count)| *count > 0) {
            let keys = if *count == 1 { "A key was".to_owned() } else { format!("{count} keys were") };
            let text = format!("{keys} imported by an operator.");
            self.notices.extend(notices(loaded, NoticeKind::Operator, None, &text));
            let stored = &loaded.account;
            let record = Account { version: stored.version + 1, ..stored.clone() };
            writes.push(Write { record, expected: Some(stored.version) });
            guards.extend(loaded.master.iter().map(|master| Guard { account: master.id, version: master.version }));
        }
        let audit = AuditEvent {
            at: now,
            who: caller.actor(),
            from: caller.from,
            action: Action::KeysImported,
            account: AccountId(0),
            key: None,
            before: Vec::new(),
            after: vec![AuditState::Import(ImportSummary::of(&[], &self.keys))],
            outcome: Outcome::Done,
            with: FactorSet::EMPTY,
        };
        Change {
            accounts: writes,
            keys: self.keys.into_iter().map(|record| Write { record, expected: None }).collect(),
            guards,
            effects: Vec::new(),
            audit,
            notices: self.notices,
            settled: None,
            signed_out: None,
            answer_after: AnswerAfter::Local,
            direction: Direction::Widening,
        }
    }
}

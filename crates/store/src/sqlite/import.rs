//! Many accounts and keys at once: one transaction and one audit record a batch, which names the batch by its digest.

use std::net::IpAddr;

use latchkey_authority::account::Account;
use latchkey_authority::change::{
    Action, Actor, AnswerAfter, AuditEvent, AuditState, Change, Committed, Direction, ImportSummary, Outcome, Write,
};
use latchkey_authority::key::KeyRecord;
use latchkey_authority::ports::{Store as _, StoreError};
use latchkey_authority::step_up::FactorSet;
use latchkey_protocol::{AccountId, Timestamp};

use super::SqliteStore;

/// New accounts and keys, as they shall rest. A few thousand a batch keep a transaction short.
#[derive(Clone, PartialEq, Debug)]
pub struct Import {
    /// Accounts that are not there yet.
    pub accounts: Vec<Account>,
    /// Keys that are not there yet, of accounts that are, or that come with them.
    pub keys: Vec<KeyRecord>,
    /// Who imports.
    pub who: Actor,
    /// From where, when it came over the network.
    pub from: Option<IpAddr>,
    /// When.
    pub at: Timestamp,
}

impl Import {
    /// What the audit record says of the batch.
    pub fn summary(&self) -> ImportSummary {
        ImportSummary::of(&self.accounts, &self.keys)
    }
}

impl SqliteStore {
    /// Writes a batch whole or not at all. Its audit record belongs to no account (number 0). The rules that act with
    /// time look at a key without an IP list as soon as it is there.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when one of them is there already; [`StoreError::Unavailable`] also for a key without its
    /// account.
    pub async fn import(&self, mut batch: Import) -> Result<Committed, StoreError> {
        for key in batch.keys.iter_mut().filter(|key| !key.ip.is_listed()) {
            key.watch.due.get_or_insert(batch.at);
        }
        let audit = AuditEvent {
            at: batch.at,
            who: batch.who.clone(),
            from: batch.from,
            action: Action::KeysImported,
            account: AccountId(0),
            key: None,
            before: Vec::new(),
            after: vec![AuditState::Import(batch.summary())],
            outcome: Outcome::Done,
            with: FactorSet::EMPTY,
        };
        self.commit(Change {
            accounts: batch.accounts.into_iter().map(|record| Write { record, expected: None }).collect(),
            keys: batch.keys.into_iter().map(|record| Write { record, expected: None }).collect(),
            guards: Vec::new(),
            effects: Vec::new(),
            audit,
            notices: Vec::new(),
            settled: None,
            signed_out: None,
            answer_after: AnswerAfter::Local,
            direction: Direction::Widening,
        })
        .await
    }
}

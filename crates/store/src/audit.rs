//! The audit chain: who changed what, in an order that nobody can rewrite unseen.
//!
//! ```text
//! record ◀─ hash ─ record ◀─ hash ─ record …          the whole: each carries the hash of the one before
//!    ▲                                 │
//!    └──────── hash (same account) ────┘              one owner's: each carries the hash of the owner's one before
//! ```
//!
//! So the whole verifies, and so does the export of one account without the records of others. A chain alone does not
//! tell whether its end was cut off, or whether somebody with the database made all of it anew: a signed head, kept
//! elsewhere, does ([`heads`]). [`export`] writes the records out and verifies what was written.

pub mod export;
pub mod heads;
pub mod key_file;

use std::collections::BTreeMap;

use latchkey_authority::change::AuditEvent;
use latchkey_authority::ports::StoreError;
use latchkey_authority::stored::RecordError;
use latchkey_crypto::digest::sha256_framed;
use latchkey_protocol::AccountId;

use crate::sqlite::StoreId;

/// Says what is hashed, so that no other digest of the house can pass for one of these.
const DOMAIN: &[u8] = b"latchkey audit 1";
/// What stands for the hash before the first record.
pub(crate) const NONE: [u8; 32] = [0; 32];

/// One record of the chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditRecord {
    /// Its number, which is the revision of the change.
    pub revision: u64,
    /// Whose account was changed.
    pub account: AccountId,
    /// The hash of the record before it; zeros for the first.
    pub previous: [u8; 32],
    /// The hash of the account's record before it; zeros for its first.
    pub account_previous: [u8; 32],
    /// The hash of this record.
    pub hash: [u8; 32],
    /// The event, as JSON: the very bytes that were hashed.
    pub event: Vec<u8>,
}

impl AuditRecord {
    /// The hash that this record must have in `store`.
    pub fn digest(&self, store: StoreId) -> [u8; 32] {
        sha256_framed(&[
            DOMAIN,
            &store.0,
            &self.revision.to_be_bytes(),
            &self.account.0.to_be_bytes(),
            &self.previous,
            &self.account_previous,
            &self.event,
        ])
    }

    /// The event.
    ///
    /// # Errors
    /// [`StoreError::Record`] when this binary does not know what it says.
    pub fn read_event(&self) -> Result<AuditEvent, StoreError> {
        serde_json::from_slice(&self.event)
            .map_err(|error| StoreError::Record(RecordError::Unreadable(error.to_string())))
    }
}

/// How a chain breaks at a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Break {
    /// Its number is not above the one before.
    #[error("it is out of order")]
    Order,
    /// Records of the whole chain are not there.
    #[error("what stands before it is missing, from record {0} on")]
    Missing(u64),
    /// Its contents were altered.
    #[error("it does not match its hash")]
    Altered,
    /// The record before it is not the one that it was chained to.
    #[error("the record before it is another")]
    Previous,
    /// The same, among the records of its account.
    #[error("the record of its account before it is another, or missing")]
    AccountPrevious,
    /// It belongs to another account than the one whose records these are.
    #[error("it is of another account")]
    Account,
}

/// A chain that does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("audit record {revision}: {what}")]
pub struct ChainError {
    /// The record where it breaks.
    pub revision: u64,
    /// How.
    pub what: Break,
}

/// Follows a chain record by record.
#[derive(Debug)]
pub struct Chain {
    store: StoreId,
    /// The one account whose records these are; `None` follows the whole.
    account: Option<AccountId>,
    head: [u8; 32],
    last: u64,
    accounts: BTreeMap<AccountId, [u8; 32]>,
}

impl Chain {
    /// The chain of the whole store, or of one account, from its first record.
    pub const fn new(store: StoreId, account: Option<AccountId>) -> Self {
        Self { store, account, head: NONE, last: 0, accounts: BTreeMap::new() }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// [`ChainError`] where the chain breaks.
    pub fn follow(&mut self, record: &AuditRecord) -> Result<(), ChainError> {
        let broken = |what| Err(ChainError { revision: record.revision, what });
        if record.revision <= self.last {
            return broken(Break::Order);
        }
        match self.account {
            None if record.revision > self.last + 1 => return broken(Break::Missing(self.last + 1)),
            Some(account) if record.account != account => return broken(Break::Account),
            None | Some(_) => {}
        }
        if record.digest(self.store) != record.hash {
            return broken(Break::Altered);
        }
        if self.account.is_none() && record.previous != self.head {
            return broken(Break::Previous);
        }
        let account_head = self.accounts.entry(record.account).or_insert(NONE);
        if *account_head != record.account_previous {
            return broken(Break::AccountPrevious);
        }
        *account_head = record.hash;
        self.head = record.hash;
        self.last = record.revision;
        Ok(())
    }

    /// The hash of the last record: the head that is signed.
    pub const fn head(&self) -> [u8; 32] {
        self.head
    }

    /// The number of the last record; 0 before the first.
    pub const fn last(&self) -> u64 {
        self.last
    }
}

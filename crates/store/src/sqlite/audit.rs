//! The audit chain: who changed what, in an order that nobody can rewrite unseen.
//!
//! Each record carries the hash of the record before it and of its account's own record before it. So the whole
//! verifies, and so does the export of one account without the records of others.

use latchkey_authority::change::AuditEvent;
use latchkey_authority::ports::StoreError;
use latchkey_crypto::digest::sha256_framed;
use latchkey_protocol::AccountId;
use sqlx::sqlite::SqliteConnection;

use super::{SqliteStore, StoreId, signed, unavailable, unreadable, unsigned};

/// Says what is hashed, so that no other digest of the house can pass for one of these.
const DOMAIN: &[u8] = b"latchkey audit 1";
/// What stands for the hash before the first record.
const NONE: [u8; 32] = [0; 32];

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
        serde_json::from_slice(&self.event).map_err(unreadable)
    }
}

/// A chain that does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("audit record {revision}: {what}")]
pub struct ChainError {
    /// The record where it breaks.
    pub revision: u64,
    /// How.
    pub what: &'static str,
}

/// Follows a chain record by record.
#[derive(Debug)]
pub struct Chain {
    store: StoreId,
    /// The revision that comes next; `None` in the export of one account, which has gaps.
    next: Option<u64>,
    head: [u8; 32],
    last: u64,
    accounts: std::collections::BTreeMap<AccountId, [u8; 32]>,
}

impl Chain {
    /// The chain of the whole store, from its first record.
    pub const fn of_store(store: StoreId) -> Self {
        Self { store, next: Some(1), head: NONE, last: 0, accounts: std::collections::BTreeMap::new() }
    }

    /// The chain of one account, from its first record.
    pub const fn of_account(store: StoreId) -> Self {
        Self { store, next: None, head: NONE, last: 0, accounts: std::collections::BTreeMap::new() }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// [`ChainError`] where the chain breaks.
    pub fn follow(&mut self, record: &AuditRecord) -> Result<(), ChainError> {
        let broken = |what| Err(ChainError { revision: record.revision, what });
        if record.revision <= self.last || self.next.is_some_and(|next| next != record.revision) {
            return broken("a record is missing or out of order");
        }
        if record.digest(self.store) != record.hash {
            return broken("the record does not match its hash");
        }
        if self.next.is_some() && record.previous != self.head {
            return broken("the record before it is another");
        }
        let account_head = self.accounts.entry(record.account).or_insert(NONE);
        if *account_head != record.account_previous {
            return broken("the record of its account before it is another");
        }
        *account_head = record.hash;
        self.head = record.hash;
        self.last = record.revision;
        self.next = self.next.map(|next| next + 1);
        Ok(())
    }

    /// The hash of the last record: the head that is signed.
    pub const fn head(&self) -> [u8; 32] {
        self.head
    }
}

/// The columns of a record, as [`row`] reads them.
type Raw = (i64, i64, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>);

impl SqliteStore {
    /// Up to `limit` audit records after `revision`, of one account or of all, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit(
        &self,
        account: Option<AccountId>,
        revision: u64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let query = match account {
            None => sqlx::query_as(
                "SELECT revision, account, previous, account_previous, hash, event FROM audit \
                 WHERE revision > ? ORDER BY revision LIMIT ?",
            ),
            Some(_) => sqlx::query_as(
                "SELECT revision, account, previous, account_previous, hash, event FROM audit \
                 WHERE revision > ?1 AND account = ?3 ORDER BY revision LIMIT ?2",
            ),
        };
        let mut query = query.bind(signed(revision)?).bind(limit);
        if let Some(account) = account {
            query = query.bind(account.0);
        }
        let rows: Vec<Raw> = query.fetch_all(&self.readers).await.map_err(unavailable)?;
        rows.into_iter().map(row).collect()
    }
}

/// Writes the record of change `revision`, whose transaction it is.
pub(super) async fn append(
    store: StoreId,
    connection: &mut SqliteConnection,
    revision: i64,
    event: &AuditEvent,
) -> Result<(), StoreError> {
    let previous: Option<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM audit ORDER BY revision DESC LIMIT 1")
        .fetch_optional(&mut *connection)
        .await
        .map_err(unavailable)?;
    let account_previous: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT hash FROM audit WHERE account = ? ORDER BY revision DESC LIMIT 1")
            .bind(event.account.0)
            .fetch_optional(&mut *connection)
            .await
            .map_err(unavailable)?;
    let mut record = AuditRecord {
        revision: unsigned(revision)?,
        account: event.account,
        previous: previous.map_or(Ok(NONE), hash)?,
        account_previous: account_previous.map_or(Ok(NONE), hash)?,
        hash: NONE,
        event: serde_json::to_vec(event).map_err(unreadable)?,
    };
    record.hash = record.digest(store);
    sqlx::query(
        "INSERT INTO audit (revision, account, previous, account_previous, hash, event) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(revision)
    .bind(record.account.0)
    .bind(record.previous.as_slice())
    .bind(record.account_previous.as_slice())
    .bind(record.hash.as_slice())
    .bind(record.event.as_slice())
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}

fn row((revision, account, previous, account_previous, own, event): Raw) -> Result<AuditRecord, StoreError> {
    Ok(AuditRecord {
        revision: unsigned(revision)?,
        account: AccountId(account),
        previous: hash(previous)?,
        account_previous: hash(account_previous)?,
        hash: hash(own)?,
        event,
    })
}

fn hash(bytes: Vec<u8>) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| unreadable("a hash of another length"))
}

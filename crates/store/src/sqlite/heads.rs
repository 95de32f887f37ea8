//! Signing the head of the chain, and verifying the end of the chain at start.

use std::io::{self, Write};

use latchkey_authority::ports::StoreError;
use latchkey_crypto::public_key::PublicKey;
use latchkey_crypto::sign::Signer;
use latchkey_protocol::{AccountId, Timestamp};
use sqlx::sqlite::SqliteConnection;

use super::{SqliteStore, audit, read, signed, unavailable};
use crate::audit::export::{Exporter, Header};
use crate::audit::heads::{Head, HeadError, SignedHead};
use crate::audit::{AuditRecord, Break, ChainError, NONE};

/// Records read in one step.
const CHUNK: u32 = 1000;

/// Why the chain of the store does not hold, or could not be read or signed.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A signed head that the store keeps.
    #[error("the last signed head of the audit chain does not hold")]
    Head(#[from] HeadError),
    /// The chain breaks.
    #[error("the audit chain does not hold")]
    Chain(#[from] ChainError),
    /// The record of the last signed head is another, or gone.
    #[error("audit record {0} is not the one whose head was signed")]
    Recomputed(u64),
    /// There are fewer or more records than changes.
    #[error("{changes} changes were made, but the audit chain ends at record {last}")]
    Length {
        /// How many changes the store counts.
        changes: u64,
        /// The last record.
        last: u64,
    },
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The export cannot be written.
    #[error("the export cannot be written")]
    Io(#[from] io::Error),
}

/// What the start of a store found at the end of its chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tail {
    /// The record from which it was followed: that of the last signed head, 0 without one.
    pub from: u64,
    /// The last record.
    pub last: u64,
}

impl SqliteStore {
    /// Where the chain stands, or that of one account; record 0 while there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn head(&self, account: Option<AccountId>, at: Timestamp) -> Result<Head, StoreError> {
        let mut snapshot = self.readers.acquire().await.map_err(unavailable)?;
        let last = before(&mut snapshot, account, i64::MAX).await?;
        let (revision, hash) = last.map_or((0, NONE), |last| (last.revision, last.hash));
        Ok(Head { store: self.id, account, revision, hash, at })
    }

    /// Signs the head of the whole chain and keeps it; `None` when nothing was changed since the last one.
    /// The caller puts the line where the store's keeper cannot reach it: a log, another machine.
    ///
    /// # Errors
    /// [`AuditError`].
    pub async fn sign_head(&self, key: &Signer, at: Timestamp) -> Result<Option<SignedHead>, AuditError> {
        let head = self.head(None, at).await?;
        let signed_head = head.sign(key)?;
        let mut writer = self.writer.lock().await?;
        let done =
            sqlx::query("INSERT INTO audit_heads (revision, head) SELECT ?1, ?2 WHERE ?1 > 0 ON CONFLICT DO NOTHING")
                .bind(signed(head.revision)?)
                .bind(signed_head.as_str())
                .execute(&mut *writer)
                .await
                .map_err(unavailable)?;
        Ok((done.rows_affected() == 1).then_some(signed_head))
    }

    /// The newest signed head that the store keeps.
    ///
    /// # Errors
    /// [`AuditError`].
    pub async fn last_head(&self) -> Result<Option<SignedHead>, AuditError> {
        let text: Option<String> = sqlx::query_scalar("SELECT head FROM audit_heads ORDER BY revision DESC LIMIT 1")
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(text.map(|text| text.parse()).transpose()?)
    }

    /// Follows the chain from the last signed head to its end: the head is of `key`, its record is the one that was
    /// signed, every later one is chained to those before it, and there is one for each change. For every start.
    ///
    /// # Errors
    /// [`AuditError`]; the server must not start then.
    pub async fn verify_tail(&self, keys: &[PublicKey]) -> Result<Tail, AuditError> {
        let head = self.last_head().await?.map(|head| head.open_by(keys)).transpose()?;
        let mut snapshot = self.readers.begin().await.map_err(unavailable)?;
        let mut last = match head {
            None => None,
            Some(head) if head.store != self.id || head.account.is_some() => return Err(HeadError::Malformed.into()),
            Some(head) => {
                let record = before(&mut snapshot, None, signed(head.revision)?.saturating_add(1)).await?;
                let same = record.filter(|record| (record.revision, record.hash) == (head.revision, head.hash));
                Some(same.ok_or(AuditError::Recomputed(head.revision))?)
            }
        };
        let from = last.as_ref().map_or(0, |last| last.revision);
        loop {
            let after = last.as_ref().map_or(0, |last| last.revision);
            let records = audit::page(&mut snapshot, None, after, CHUNK).await?;
            if records.is_empty() {
                break;
            }
            for record in records {
                self.follow(&mut snapshot, last.as_ref(), &record).await?;
                last = Some(record);
            }
        }
        let last = last.map_or(0, |last| last.revision);
        let changes = read::revision(&mut snapshot).await?;
        if changes == last { Ok(Tail { from, last }) } else { Err(AuditError::Length { changes, last }) }
    }

    /// Whether `record` is whole and chained to the one before it, and to that of its account.
    async fn follow(
        &self,
        connection: &mut SqliteConnection,
        last: Option<&AuditRecord>,
        record: &AuditRecord,
    ) -> Result<(), AuditError> {
        let (previous, expected) = last.map_or((NONE, 1), |last| (last.hash, last.revision + 1));
        let broken = |what| Err(ChainError { revision: record.revision, what }.into());
        if record.revision != expected {
            return broken(Break::Missing(expected));
        }
        if record.digest(self.id) != record.hash {
            return broken(Break::Altered);
        }
        if record.previous != previous {
            return broken(Break::Previous);
        }
        let own = before(connection, Some(record.account), signed(record.revision)?).await?;
        if record.account_previous != own.map_or(NONE, |own| own.hash) {
            return broken(Break::AccountPrevious);
        }
        Ok(())
    }

    /// Writes the records of an account, or all, with the header line, and says the number of the last. Records that
    /// come in meanwhile are not among them.
    ///
    /// # Errors
    /// [`AuditError`].
    pub async fn export_audit(
        &self,
        account: Option<AccountId>,
        to: &mut (dyn Write + Send),
    ) -> Result<u64, AuditError> {
        let mut snapshot = self.readers.begin().await.map_err(unavailable)?;
        let mut exporter = Exporter::start(to, Header { store: self.id, account })?;
        let mut last = 0;
        loop {
            let records = audit::page(&mut snapshot, account, last, CHUNK).await?;
            let Some(newest) = records.last() else { break };
            last = newest.revision;
            for record in &records {
                exporter.write(record)?;
            }
        }
        exporter.finish()?;
        Ok(last)
    }
}

/// The last record before `revision`, of one account or of all.
async fn before(
    connection: &mut SqliteConnection,
    account: Option<AccountId>,
    revision: i64,
) -> Result<Option<AuditRecord>, StoreError> {
    let query = match account {
        None => sqlx::query_as(
            "SELECT revision, account, previous, account_previous, hash, event FROM audit \
             WHERE revision < ? ORDER BY revision DESC LIMIT 1",
        ),
        Some(_) => sqlx::query_as(
            "SELECT revision, account, previous, account_previous, hash, event FROM audit \
             WHERE revision < ? AND account = ? ORDER BY revision DESC LIMIT 1",
        ),
    };
    let mut query = query.bind(revision);
    if let Some(account) = account {
        query = query.bind(account.0);
    }
    query.fetch_optional(connection).await.map_err(unavailable)?.map(audit::row).transpose()
}

//! The audit chain in the database: written with each change, read in its order.

use latchkey_authority::change::AuditEvent;
use latchkey_authority::ports::StoreError;
use latchkey_protocol::AccountId;
use sqlx::sqlite::SqliteConnection;

use super::{SqliteStore, StoreId, signed, unavailable, unreadable, unsigned};
use crate::audit::{AuditRecord, NONE};

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
        let mut snapshot = self.readers.acquire().await.map_err(unavailable)?;
        page(&mut snapshot, account, revision, limit).await
    }
}

/// Up to `limit` records after `revision`, of one account or of all, oldest first.
pub(super) async fn page(
    connection: &mut SqliteConnection,
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
    let rows: Vec<Raw> = query.fetch_all(connection).await.map_err(unavailable)?;
    rows.into_iter().map(row).collect()
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

pub(super) fn row((revision, account, previous, account_previous, own, event): Raw) -> Result<AuditRecord, StoreError> {
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

//! Audit records without a change, and what owners are told.

use latchkey_authority::change::{AuditEvent, Notice};
use latchkey_authority::ports::{KeptNotice, Notes, ShelfKind, StoreError};
use latchkey_protocol::{AccountId, Timestamp};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::{SqliteStore, audit, commit, shelf, signed, unavailable, unreadable, unsigned};

/// The columns of a notice, as [`kept`] reads them.
type Raw = (i64, i64, Vec<u8>, bool);

impl Notes for SqliteStore {
    async fn note(&self, event: AuditEvent) -> Result<u64, StoreError> {
        let mut writer = self.writer.lock().await?;
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
        let revision = commit::next_revision(&mut transaction).await?;
        audit::append(self.id, &mut transaction, revision, &event).await?;
        transaction.commit().await.map_err(unavailable)?;
        unsigned(revision)
    }

    async fn note_end(&self, event: AuditEvent, kind: ShelfKind, items: &[[u8; 32]]) -> Result<u64, StoreError> {
        let mut writer = self.writer.lock().await?;
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
        let revision = commit::next_revision(&mut transaction).await?;
        for item in items {
            shelf::remove(&mut transaction, kind, *item).await?;
        }
        audit::append(self.id, &mut transaction, revision, &event).await?;
        transaction.commit().await.map_err(unavailable)?;
        unsigned(revision)
    }

    async fn notices(&self, account: AccountId, after: u64, limit: u32) -> Result<Vec<KeptNotice>, StoreError> {
        let rows: Vec<Raw> =
            sqlx::query_as("SELECT id, at, notice, sent FROM notices WHERE account = ? AND id > ? ORDER BY id LIMIT ?")
                .bind(account.0)
                .bind(signed(after)?)
                .bind(limit)
                .fetch_all(&self.readers)
                .await
                .map_err(unavailable)?;
        rows.into_iter().map(kept).collect()
    }

    async fn unsent_notices(&self, now: Timestamp, limit: u32) -> Result<Vec<KeptNotice>, StoreError> {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT id, at, notice, sent FROM (
                 SELECT id, at, notice, sent, ROW_NUMBER() OVER (PARTITION BY account ORDER BY id) AS place
                 FROM notices WHERE sent = 0 AND due <= ?
             ) ORDER BY place, id LIMIT ?",
        )
        .bind(now.as_micros())
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        rows.into_iter().map(kept).collect()
    }

    async fn postpone(&self, id: u64, due: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await?;
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
        sqlx::query("UPDATE notices SET due = ? WHERE id = ?")
            .bind(due.as_micros())
            .bind(signed(id)?)
            .execute(&mut *transaction)
            .await
            .map_err(unavailable)?;
        transaction.commit().await.map_err(unavailable)
    }

    async fn mark_sent(&self, ids: &[u64]) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await?;
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
        for id in ids {
            sqlx::query("UPDATE notices SET sent = 1 WHERE id = ?")
                .bind(signed(*id)?)
                .execute(&mut *transaction)
                .await
                .map_err(unavailable)?;
        }
        transaction.commit().await.map_err(unavailable)
    }
}

/// Writes a notice of change `revision`, whose transaction it is.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    revision: i64,
    at: Timestamp,
    notice: &Notice,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO notices (account, revision, at, notice) VALUES (?, ?, ?, ?)")
        .bind(notice.account.0)
        .bind(revision)
        .bind(at.as_micros())
        .bind(serde_json::to_vec(notice).map_err(unreadable)?)
        .execute(connection)
        .await
        .map_err(unavailable)?;
    Ok(())
}

fn kept((id, at, notice, sent): Raw) -> Result<KeptNotice, StoreError> {
    let notice = serde_json::from_slice(&notice).map_err(unreadable)?;
    Ok(KeptNotice { id: unsigned(id)?, at: Timestamp::from_micros(at), notice, sent })
}

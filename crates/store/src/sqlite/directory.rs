//! Finding accounts and keys across the store.

use latchkey_authority::account::Account;
use latchkey_authority::ports::{Directory, StoreError};
use latchkey_protocol::{AccountId, KeyId, Timestamp};

use super::{SqliteStore, commit, read, unavailable};

impl Directory for SqliteStore {
    async fn accounts(&self, after: AccountId, limit: u32) -> Result<Vec<Account>, StoreError> {
        let rows: Vec<Vec<u8>> = sqlx::query_scalar("SELECT record FROM accounts WHERE id > ? ORDER BY id LIMIT ?")
            .bind(after.0)
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        rows.iter().map(|record| read::decode(record)).collect()
    }

    async fn sub_accounts(&self, master: AccountId, skip: u64, limit: u32) -> Result<Vec<Account>, StoreError> {
        let page = "SELECT record FROM accounts WHERE master = ? ORDER BY id LIMIT ? OFFSET ?";
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(page)
            .bind(master.0)
            .bind(limit)
            .bind(i64::try_from(skip).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        rows.iter().map(|record| read::decode(record)).collect()
    }

    async fn count_sub_accounts(&self, master: AccountId) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM accounts WHERE master = ?")
            .bind(master.0)
            .fetch_one(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(count.unsigned_abs())
    }

    async fn account_of_key(&self, key: KeyId) -> Result<Option<AccountId>, StoreError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT account FROM keys WHERE id = ?")
            .bind(commit::key_id(key))
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(found.map(AccountId))
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError> {
        let rows: Vec<i64> = sqlx::query_scalar(
            "SELECT account FROM keys WHERE due <= ? AND deleted = 0 GROUP BY account ORDER BY min(due) LIMIT ?",
        )
        .bind(now.as_micros())
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        Ok(rows.into_iter().map(AccountId).collect())
    }
}

impl SqliteStore {
    /// Notes that the rules that act with time have seen the keys of an account. Keys from before the second format are
    /// due until they were seen once; the others say themselves when they are due.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn swept(&self, account: AccountId) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await?;
        sqlx::query("UPDATE keys SET due = NULL WHERE account = ? AND due = 0")
            .bind(account.0)
            .execute(&mut *writer)
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}

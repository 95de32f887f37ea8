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

    async fn sub_accounts(&self, master: AccountId) -> Result<Vec<Account>, StoreError> {
        let rows: Vec<Vec<u8>> = sqlx::query_scalar("SELECT record FROM accounts WHERE master = ? ORDER BY id")
            .bind(master.0)
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        rows.iter().map(|record| read::decode(record)).collect()
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

//! Short-lived records: what the faces keep between two requests.
//!
//! Each call is one statement, so of those who ask at once one comes first, and the others see what it left.

use latchkey_authority::ports::{Shelf, ShelfItem, ShelfKind, StoreError};
use latchkey_protocol::{AccountId, Timestamp};
use sqlx::sqlite::SqliteConnection;

use super::{SqliteStore, signed, unavailable, unreadable, unsigned};

/// The columns of an item, as [`item`] reads them.
type Raw = (Vec<u8>, Option<i64>, Vec<u8>, i64, i64);

impl Shelf for SqliteStore {
    async fn put(
        &self,
        kind: ShelfKind,
        key: [u8; 32],
        owner: Option<AccountId>,
        value: &[u8],
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut writer = self.writer.lock().await?;
        // What takes the place of an expired item goes on with its version: a late swap of that one must not hit.
        let done = sqlx::query(
            "INSERT INTO shelf (kind, key, owner, value, version, made, expires) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6) \
             ON CONFLICT (kind, key) DO UPDATE \
             SET owner = ?3, value = ?4, version = version + 1, made = ?5, expires = ?6 WHERE expires <= ?5",
        )
        .bind(kind.name())
        .bind(key.as_slice())
        .bind(owner.map(|owner| owner.0))
        .bind(value)
        .bind(now.as_micros())
        .bind(expires.as_micros())
        .execute(&mut *writer)
        .await
        .map_err(unavailable)?;
        Ok(done.rows_affected() == 1)
    }

    async fn get(&self, kind: ShelfKind, key: [u8; 32], now: Timestamp) -> Result<Option<ShelfItem>, StoreError> {
        let found: Option<Raw> = sqlx::query_as(
            "SELECT key, owner, value, version, expires FROM shelf WHERE kind = ? AND key = ? AND expires > ?",
        )
        .bind(kind.name())
        .bind(key.as_slice())
        .bind(now.as_micros())
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        found.map(item).transpose()
    }

    async fn swap(
        &self,
        kind: ShelfKind,
        key: [u8; 32],
        version: u64,
        value: &[u8],
        expires: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut writer = self.writer.lock().await?;
        let done = sqlx::query(
            "UPDATE shelf SET value = ?, version = version + 1, expires = ? WHERE kind = ? AND key = ? AND version = ?",
        )
        .bind(value)
        .bind(expires.as_micros())
        .bind(kind.name())
        .bind(key.as_slice())
        .bind(signed(version)?)
        .execute(&mut *writer)
        .await
        .map_err(unavailable)?;
        Ok(done.rows_affected() == 1)
    }

    async fn take(&self, kind: ShelfKind, key: [u8; 32], now: Timestamp) -> Result<Option<ShelfItem>, StoreError> {
        let mut writer = self.writer.lock().await?;
        let found: Option<Raw> = sqlx::query_as(
            "DELETE FROM shelf WHERE kind = ? AND key = ? AND expires > ? \
             RETURNING key, owner, value, version, expires",
        )
        .bind(kind.name())
        .bind(key.as_slice())
        .bind(now.as_micros())
        .fetch_optional(&mut *writer)
        .await
        .map_err(unavailable)?;
        found.map(item).transpose()
    }

    async fn list(
        &self,
        kind: ShelfKind,
        owner: Option<AccountId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<ShelfItem>, StoreError> {
        let query = match owner {
            None => sqlx::query_as(
                "SELECT key, owner, value, version, expires FROM shelf \
                 WHERE kind = ?1 AND expires > ?2 ORDER BY made DESC, key LIMIT ?3",
            ),
            Some(_) => sqlx::query_as(
                "SELECT key, owner, value, version, expires FROM shelf \
                 WHERE kind = ?1 AND expires > ?2 AND owner = ?4 ORDER BY made DESC, key LIMIT ?3",
            ),
        };
        let mut query = query.bind(kind.name()).bind(now.as_micros()).bind(limit);
        if let Some(owner) = owner {
            query = query.bind(owner.0);
        }
        let rows: Vec<Raw> = query.fetch_all(&self.readers).await.map_err(unavailable)?;
        rows.into_iter().map(item).collect()
    }

    async fn remove_owner(&self, kind: ShelfKind, owner: AccountId) -> Result<u64, StoreError> {
        let mut writer = self.writer.lock().await?;
        remove_owner(&mut writer, kind, owner).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.writer.lock().await?;
        let done = sqlx::query("DELETE FROM shelf WHERE expires <= ?")
            .bind(now.as_micros())
            .execute(&mut *writer)
            .await
            .map_err(unavailable)?;
        Ok(done.rows_affected())
    }
}

/// Takes every item of a kind that belongs to `owner`; how many they were.
pub(super) async fn remove_owner(
    connection: &mut SqliteConnection,
    kind: ShelfKind,
    owner: AccountId,
) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM shelf WHERE kind = ? AND owner = ?")
        .bind(kind.name())
        .bind(owner.0)
        .execute(connection)
        .await
        .map_err(unavailable)?;
    Ok(done.rows_affected())
}

/// Takes an item away.
pub(super) async fn remove(
    connection: &mut SqliteConnection,
    kind: ShelfKind,
    key: [u8; 32],
) -> Result<(), StoreError> {
    let gone = sqlx::query("DELETE FROM shelf WHERE kind = ? AND key = ?").bind(kind.name()).bind(key.as_slice());
    gone.execute(connection).await.map_err(unavailable)?;
    Ok(())
}

fn item((key, owner, value, version, expires): Raw) -> Result<ShelfItem, StoreError> {
    let key = key.try_into().map_err(|_| unreadable("a name of another length"))?;
    let expires = Timestamp::from_micros(expires);
    Ok(ShelfItem { key, owner: owner.map(AccountId), value, version: unsigned(version)?, expires })
}

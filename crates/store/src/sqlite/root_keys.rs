//! Where wrapped root keys and the canary rest.

use latchkey_authority::ports::StoreError;

use super::{SqliteStore, unavailable};

impl SqliteStore {
    /// The wrapped root keys and the canary; `None` in a new store.
    pub(crate) async fn root_keys(&self) -> Result<Option<(Vec<u8>, Vec<u8>)>, StoreError> {
        sqlx::query_as("SELECT wrapped, canary FROM root_keys").fetch_optional(&self.readers).await.map_err(unavailable)
    }

    /// Keeps the first root keys, unless there are some.
    pub(crate) async fn insert_root_keys(&self, wrapped: &[u8], canary: &[u8]) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await?;
        sqlx::query("INSERT INTO root_keys (one, wrapped, canary) VALUES (1, ?, ?) ON CONFLICT DO NOTHING")
            .bind(wrapped)
            .bind(canary)
            .execute(&mut *writer)
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}

//! When and from where keys were last used: facts that a restart keeps, and no changes. They take no revision and leave
//! no audit record.

use std::net::IpAddr;

use latchkey_authority::ports::StoreError;
use latchkey_protocol::{KeyId, Timestamp};
use sqlx::Connection as _;

use super::{SqliteStore, commit, unavailable, unreadable};

/// The last use of a key.
pub type Used = (KeyId, Timestamp, IpAddr);

impl SqliteStore {
    /// Writes last uses in one transaction. A few hundred at a time keep changes from waiting.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: then none is written.
    pub async fn write_uses(&self, uses: &[Used]) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await?;
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
        for (key, at, from) in uses {
            let from = match from {
                IpAddr::V4(from) => from.octets().to_vec(),
                IpAddr::V6(from) => from.octets().to_vec(),
            };
            sqlx::query("UPDATE keys SET used_at = ?, used_from = ? WHERE id = ?")
                .bind(at.as_micros())
                .bind(from)
                .bind(commit::key_id(*key))
                .execute(&mut *transaction)
                .await
                .map_err(unavailable)?;
        }
        transaction.commit().await.map_err(unavailable)
    }
}

/// The last use that two columns tell.
pub(super) fn read(key: KeyId, at: Option<i64>, from: Option<Vec<u8>>) -> Result<Option<Used>, StoreError> {
    let Some((at, from)) = at.zip(from) else { return Ok(None) };
    let (short, long) = (<[u8; 4]>::try_from(from.as_slice()), <[u8; 16]>::try_from(from.as_slice()));
    let from = short.map(IpAddr::from).or(long.map(IpAddr::from));
    let from = from.map_err(|_| unreadable("an address of another length"))?;
    Ok(Some((key, Timestamp::from_micros(at), from)))
}

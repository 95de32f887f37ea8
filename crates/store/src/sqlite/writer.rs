//! The one connection that writes.

use latchkey_authority::ports::StoreError;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::unavailable;

/// The connection, until the store is closed. Who writes holds it alone.
#[derive(Debug)]
pub(super) struct Writer(Mutex<Option<SqliteConnection>>);

impl Writer {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self(Mutex::new(Some(connection)))
    }

    /// Waits for the connection.
    pub(super) async fn lock(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, StoreError> {
        MutexGuard::try_map(self.0.lock().await, Option::as_mut)
            .map_err(|_| StoreError::Unavailable("the store is closed".into()))
    }

    /// Closes the connection, which writes the log to the file when it is the last one.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        match self.0.lock().await.take() {
            Some(connection) => connection.close().await.map_err(unavailable),
            None => Ok(()),
        }
    }
}

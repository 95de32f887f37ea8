//! Filling the live map at start, on every processor.
//!
//! Accounts come first, then the keys in parts, several at a time. A part may see a later revision than another: each
//! record says its own, and the map keeps the newest.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use latchkey_authority::key::KeyRecord;
use latchkey_authority::ports::StoreError;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;
use tokio::task::JoinSet;

use super::uses::{self, Used};
use super::{Row, SqliteStore, read, unavailable, unsigned};
use crate::live::LiveMap;

/// How many keys are read at once.
const PART: i64 = 4096;

impl SqliteStore {
    /// Puts every account and every key that is not deleted in force. A key that waits for the exchange, or whose last
    /// change does, is left out: it goes live when that change is settled.
    ///
    /// # Errors
    /// [`StoreError::Record`] for a record that is not readable: a start must not go on without it.
    pub async fn load_live(&self, live: &Arc<LiveMap>) -> Result<(), StoreError> {
        let mut snapshot = self.readers.acquire().await.map_err(unavailable)?;
        let mut rows = Vec::new();
        read::each_account(&mut snapshot, &mut |row| rows.push(row)).await?;
        live.load(rows);
        let last: Option<i64> =
            sqlx::query_scalar("SELECT max(rowid) FROM keys").fetch_one(&mut *snapshot).await.map_err(unavailable)?;
        let Some(last) = last else { return Ok(()) };
        let waiting: Vec<i64> = sqlx::query_scalar("SELECT DISTINCT revision FROM outbox WHERE done = 0")
            .fetch_all(&mut *snapshot)
            .await
            .map_err(unavailable)?;
        drop(snapshot);
        let parts = Arc::new(Parts { last, next: AtomicI64::new(0), waiting: waiting.into_iter().collect() });
        let mut workers = JoinSet::new();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..processors.min(self.readers.options().get_max_connections() as usize) {
            workers.spawn(work(self.readers.clone(), Arc::clone(live), Arc::clone(&parts)));
        }
        while let Some(done) = workers.join_next().await {
            done.map_err(|error| StoreError::Unavailable(Box::new(error)))??;
        }
        Ok(())
    }
}

/// What is left to read.
struct Parts {
    last: i64,
    next: AtomicI64,
    /// Changes with an effect that is not done.
    waiting: BTreeSet<i64>,
}

async fn work(readers: SqlitePool, live: Arc<LiveMap>, parts: Arc<Parts>) -> Result<(), StoreError> {
    let mut connection = readers.acquire().await.map_err(unavailable)?;
    loop {
        let after = parts.next.fetch_add(PART, Ordering::Relaxed);
        if after >= parts.last {
            return Ok(());
        }
        let (rows, uses) = part(&mut connection, after, &parts.waiting).await?;
        live.load(rows);
        live.used(uses);
    }
}

/// The columns of a key: the changes that wrote it and that it waits for, its record, and its last use.
type Raw = (i64, Option<i64>, Vec<u8>, Option<i64>, Option<Vec<u8>>);

async fn part(
    connection: &mut SqliteConnection,
    after: i64,
    waiting: &BTreeSet<i64>,
) -> Result<(Vec<Row>, Vec<Used>), StoreError> {
    let rows: Vec<Raw> = sqlx::query_as(
        "SELECT revision, waits, record, used_at, used_from FROM keys \
         WHERE rowid > ? AND rowid <= ? AND deleted = 0 ORDER BY rowid",
    )
    .bind(after)
    .bind(after.saturating_add(PART))
    .fetch_all(connection)
    .await
    .map_err(unavailable)?;
    let is_ready = |(revision, waits, ..): &Raw| {
        !waiting.contains(revision) && !waits.is_some_and(|waits| waiting.contains(&waits))
    };
    let (mut ready, mut uses) = (Vec::new(), Vec::new());
    for (revision, _, record, used_at, used_from) in rows.into_iter().filter(is_ready) {
        let key: KeyRecord = read::decode(&record)?;
        uses.extend(uses::read(key.id, used_at, used_from)?);
        ready.push(Row::Key { revision: unsigned(revision)?, key });
    }
    Ok((ready, uses))
}

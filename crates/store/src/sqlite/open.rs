//! Opening a store, and bringing an older one up to date.

use std::path::Path;
use std::time::Duration;

use latchkey_authority::ports::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use super::writer::Writer;
use super::{OpenError, Probe, Row, SqliteSettings, SqliteStore, StoreId, read, unavailable};
use crate::folder;

/// The steps from an empty file to the newest format, which is their count. They only go forward, and each suits the
/// program of the step before, which may still be running. The last line of a step says its number.
const MIGRATIONS: &[&str] =
    &[include_str!("0001.sql"), include_str!("0002.sql"), include_str!("0003.sql"), include_str!("0004.sql")];

/// The step after which the masters of accounts are filled in from their records.
const MASTERS: usize = 2;

/// The newest format.
pub(super) const FORMAT: usize = MIGRATIONS.len();

/// Stands in the file's header and says whose it is: `LKST`.
const APPLICATION_ID: i64 = 0x4c4b_5354;

/// How many rows a reader may be ahead of who asked. A start reads every key: with fewer, the two threads would wake
/// each other all the time.
const ROWS: usize = 1024;

/// How long a statement waits for a lock that another process holds.
const BUSY: Duration = Duration::from_secs(5);

pub(super) async fn open(settings: &SqliteSettings, probe: Option<Probe>) -> Result<SqliteStore, OpenError> {
    let path = settings.path.as_path();
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        folder::create_private(parent)?;
    }
    if path.exists() {
        folder::check_private(path)?;
    } else {
        // The log and its index take their modes from this file.
        folder::create_file(path)?;
    }
    let failed = |source| OpenError::Database { path: path.to_owned(), source };
    let options = options(path);
    let mut writer = options.connect().await.map_err(failed)?;
    migrate(path, &mut writer).await?;
    let id = store_id(&mut writer, settings.new_store_id).await.map_err(failed)?;
    let id = <[u8; 16]>::try_from(id.as_slice()).map_err(|_| OpenError::Foreign { path: path.to_owned() })?;
    if let Some(mut probe) = probe {
        let mut handle = writer.lock_handle().await.map_err(failed)?;
        handle.set_progress_handler(1, move || {
            probe();
            true
        });
    }
    let readers = SqlitePoolOptions::new()
        .max_connections(settings.readers.max(1))
        .connect_with(options.pragma("query_only", "ON").row_buffer_size(ROWS))
        .await
        .map_err(failed)?;
    Ok(SqliteStore { id: StoreId(id), writer: Writer::new(writer), readers })
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .disable_statement_logging()
}

async fn migrate(path: &Path, writer: &mut SqliteConnection) -> Result<(), OpenError> {
    let failed = |source| OpenError::Database { path: path.to_owned(), source };
    // One transaction for all steps: a second program that starts meanwhile waits and then finds them done.
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let application: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *transaction).await.map_err(failed)?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await.map_err(failed)?;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *transaction).await.map_err(failed)?;
    let empty = (application, found, tables) == (0, 0, 0);
    if !empty && application != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let done = usize::try_from(found).ok().filter(|done| *done <= FORMAT);
    let Some(done) = done else { return Err(OpenError::Newer { path: path.to_owned(), found }) };
    for step in MIGRATIONS.iter().skip(done) {
        sqlx::raw_sql(*step).execute(&mut *transaction).await.map_err(failed)?;
    }
    if !empty && done < MASTERS {
        fill_masters(&mut transaction).await.map_err(|source| OpenError::Migration {
            path: path.to_owned(),
            step: MASTERS,
            source,
        })?;
    }
    if empty {
        sqlx::raw_sql("PRAGMA application_id = 0x4c4b5354").execute(&mut *transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// Copies each account's master from its record to its column.
async fn fill_masters(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut subs = Vec::new();
    read::each_account(connection, &mut |row| {
        if let Row::Account { account, .. } = row
            && let Some(master) = account.master
        {
            subs.push((account.id, master));
        }
    })
    .await?;
    for (id, master) in subs {
        sqlx::query("UPDATE accounts SET master = ? WHERE id = ?")
            .bind(master.0)
            .bind(id.0)
            .execute(&mut *connection)
            .await
            .map_err(unavailable)?;
    }
    Ok(())
}

async fn store_id(writer: &mut SqliteConnection, fresh: StoreId) -> Result<Vec<u8>, sqlx::Error> {
    sqlx::query("INSERT INTO meta (one, store_id) VALUES (1, ?) ON CONFLICT DO NOTHING")
        .bind(fresh.0.as_slice())
        .execute(&mut *writer)
        .await?;
    sqlx::query_scalar("SELECT store_id FROM meta").fetch_one(writer).await
}

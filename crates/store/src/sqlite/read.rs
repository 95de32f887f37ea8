//! Reading records.

use latchkey_authority::account::Account;
use latchkey_authority::key::{KeyRecord, KeyState};
use latchkey_authority::ports::StoreError;
use latchkey_authority::stored::Stored;
use latchkey_protocol::AccountId;
use sqlx::sqlite::SqliteConnection;

use super::{Row, signed, unavailable, unsigned};

pub(super) fn decode<T: Stored>(record: &[u8]) -> Result<T, StoreError> {
    Ok(T::decode(record)?)
}

pub(super) const fn is_deleted(key: &KeyRecord) -> bool {
    matches!(key.state, KeyState::Deleted { .. })
}

pub(super) async fn account(connection: &mut SqliteConnection, id: AccountId) -> Result<Option<Account>, StoreError> {
    let found: Option<Vec<u8>> = sqlx::query_scalar("SELECT record FROM accounts WHERE id = ?")
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(unavailable)?;
    found.map(|record| decode(&record)).transpose()
}

/// Every key of an account, oldest first.
pub(super) async fn keys_of(
    connection: &mut SqliteConnection,
    account: AccountId,
) -> Result<Vec<KeyRecord>, StoreError> {
    let rows: Vec<Vec<u8>> = sqlx::query_scalar("SELECT record FROM keys WHERE account = ?")
        .bind(account.0)
        .fetch_all(connection)
        .await
        .map_err(unavailable)?;
    let mut keys = rows.iter().map(|record| decode::<KeyRecord>(record)).collect::<Result<Vec<_>, _>>()?;
    // An owner may make keys faster than the clock ticks; their ids tell which came first.
    keys.sort_by_key(|key| (key.created, key.id));
    Ok(keys)
}

pub(super) async fn revision(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let value = sqlx::query_scalar("SELECT value FROM revision").fetch_one(connection).await.map_err(unavailable)?;
    unsigned(value)
}

/// How many rows are read at once when all are.
const CHUNK: i64 = 4096;

/// Where a record lies, the change that wrote it last, and its bytes.
type Raw = (i64, i64, Vec<u8>);

pub(super) async fn each_account(
    connection: &mut SqliteConnection,
    each: &mut (impl FnMut(Row) + Send),
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let rows: Vec<Raw> =
            sqlx::query_as("SELECT id, revision, record FROM accounts WHERE id > ? ORDER BY id LIMIT ?")
                .bind(after)
                .bind(CHUNK)
                .fetch_all(&mut *connection)
                .await
                .map_err(unavailable)?;
        let Some((last, ..)) = rows.last() else { return Ok(()) };
        after = *last;
        for (_, revision, record) in &rows {
            each(Row::Account { revision: unsigned(*revision)?, account: decode(record)? });
        }
    }
}

pub(super) async fn each_key(
    connection: &mut SqliteConnection,
    each: &mut (impl FnMut(Row) + Send),
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT rowid, revision, record FROM keys WHERE rowid > ? AND deleted = 0 ORDER BY rowid LIMIT ?",
        )
        .bind(after)
        .bind(CHUNK)
        .fetch_all(&mut *connection)
        .await
        .map_err(unavailable)?;
        let Some((last, ..)) = rows.last() else { return Ok(()) };
        after = *last;
        for (_, revision, record) in &rows {
            each(Row::Key { revision: unsigned(*revision)?, key: decode(record)? });
        }
    }
}

/// What a change wrote that no later one has written again, and the keys that wait for it.
pub(super) async fn settled(connection: &mut SqliteConnection, revision: u64) -> Result<Vec<Row>, StoreError> {
    let number = signed(revision)?;
    let accounts: Vec<Vec<u8>> = sqlx::query_scalar("SELECT record FROM accounts WHERE revision = ? ORDER BY id")
        .bind(number)
        .fetch_all(&mut *connection)
        .await
        .map_err(unavailable)?;
    // A key that waits for another change's effects stays out of force, whatever this one wrote of it.
    let keys: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT revision, record FROM keys WHERE (revision = ?1 OR waits = ?1 AND deleted = 0) \
         AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.revision = keys.waits AND outbox.done = 0)",
    )
    .bind(number)
    .fetch_all(connection)
    .await
    .map_err(unavailable)?;
    let account = |record: &Vec<u8>| Ok(Row::Account { revision, account: decode(record)? });
    let key =
        |(revision, record): &(i64, Vec<u8>)| Ok(Row::Key { revision: unsigned(*revision)?, key: decode(record)? });
    accounts.iter().map(account).chain(keys.iter().map(key)).collect()
}

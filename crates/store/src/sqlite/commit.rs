//! Writing a change, whole or not at all.

use latchkey_authority::account::Account;
use latchkey_authority::change::{Change, Committed, Direction, Effect, EffectId, Guard, Write};
use latchkey_authority::claim::Settled;
use latchkey_authority::key::KeyRecord;
use latchkey_authority::ports::{ShelfKind, StoreError, Unique};
use latchkey_authority::stored::Stored as _;
use latchkey_protocol::{KeyId, Timestamp};
use sqlx::Connection as _;
use sqlx::error::ErrorKind;
use sqlx::sqlite::SqliteConnection;

use super::{StoreId, audit, notes, read, shelf, signed, unavailable, unreadable, unsigned};

pub(super) async fn commit(
    store: StoreId,
    writer: &mut SqliteConnection,
    change: Change,
) -> Result<Committed, StoreError> {
    // Whatever leaves this function early rolls back, a caller that stops waiting included.
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
    for guard in &change.guards {
        check(&mut transaction, *guard).await?;
    }
    let revision = next_revision(&mut transaction).await?;
    for write in &change.accounts {
        write_account(&mut transaction, revision, write).await?;
    }
    // What widens is in force when its effects are done, and so is a successor of a key that waits.
    let waits = (change.direction == Direction::Widening && !change.effects.is_empty()).then_some(revision);
    for write in &change.keys {
        let succeeds = |other: &&Write<KeyRecord>| {
            other.record.retiring.is_some_and(|retiring| retiring.successor == write.record.id)
        };
        let predecessor = change.keys.iter().find(succeeds).map(|other| other.record.id);
        write_key(&mut transaction, revision, write, Waits { revision: waits, predecessor }).await?;
    }
    let waiting = waiting(&mut transaction, revision, &change.keys).await?;
    let mut effects = Vec::with_capacity(change.effects.len());
    for effect in &change.effects {
        effects.push(write_effect(&mut transaction, revision, effect).await?);
    }
    for notice in &change.notices {
        notes::append(&mut transaction, revision, change.audit.at, notice).await?;
    }
    if let Some(settled) = &change.settled {
        settle(&mut transaction, settled).await?;
    }
    if let Some(owner) = change.signed_out {
        for kind in ShelfKind::OF_SIGNED_IN {
            shelf::remove_owner(&mut transaction, kind, owner).await?;
        }
    }
    audit::append(store, &mut transaction, revision, &change.audit).await?;
    transaction.commit().await.map_err(unavailable)?;
    Ok(Committed {
        revision: unsigned(revision)?,
        effects,
        accounts: change.accounts.into_iter().map(|write| write.record).collect(),
        keys: change.keys.into_iter().map(|write| write.record).collect(),
        waiting,
    })
}

/// What a new key waits for: the effects of the change that makes it, or what its predecessor waits for.
#[derive(Clone, Copy)]
struct Waits {
    revision: Option<i64>,
    predecessor: Option<KeyId>,
}

/// The keys that wait for effects of a change before this one.
async fn waiting(
    connection: &mut SqliteConnection,
    revision: i64,
    keys: &[Write<KeyRecord>],
) -> Result<Vec<KeyId>, StoreError> {
    let mut waiting = Vec::new();
    let any = "SELECT EXISTS (SELECT 1 FROM outbox WHERE done = 0 AND revision <> ?)";
    if keys.is_empty()
        || !sqlx::query_scalar(any).bind(revision).fetch_one(&mut *connection).await.map_err(unavailable)?
    {
        return Ok(waiting);
    }
    for Write { record, .. } in keys {
        let waits = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM keys JOIN outbox ON outbox.revision = keys.waits \
             WHERE keys.id = ? AND keys.waits <> ? AND outbox.done = 0)",
        );
        if waits.bind(key_id(record.id)).bind(revision).fetch_one(&mut *connection).await.map_err(unavailable)? {
            waiting.push(record.id);
        }
    }
    Ok(waiting)
}

/// Takes the number of a change, whose transaction it is.
pub(super) async fn next_revision(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar("UPDATE revision SET value = value + 1 RETURNING value")
        .fetch_one(connection)
        .await
        .map_err(unavailable)
}

async fn check(connection: &mut SqliteConnection, guard: Guard) -> Result<(), StoreError> {
    let found: Option<i64> = sqlx::query_scalar("SELECT version FROM accounts WHERE id = ?")
        .bind(guard.account.0)
        .fetch_optional(connection)
        .await
        .map_err(unavailable)?;
    if found == Some(signed(guard.version)?) { Ok(()) } else { Err(StoreError::Conflict) }
}

async fn write_account(
    connection: &mut SqliteConnection,
    revision: i64,
    Write { record, expected }: &Write<Account>,
) -> Result<(), StoreError> {
    let query = match expected {
        None => {
            sqlx::query("INSERT INTO accounts (email, master, version, revision, record, id) VALUES (?, ?, ?, ?, ?, ?)")
        }
        Some(_) => sqlx::query(
            "UPDATE accounts SET email = ?, master = ?, version = ?, revision = ?, record = ? \
             WHERE id = ? AND version = ?",
        ),
    };
    let mut query = query
        .bind(record.email.as_str())
        .bind(record.master.map(|master| master.0))
        .bind(signed(record.version)?)
        .bind(revision)
        .bind(record.encode())
        .bind(record.id.0);
    if let Some(expected) = expected {
        query = query.bind(signed(*expected)?);
    }
    one_row(query.execute(connection).await)
}

async fn write_key(
    connection: &mut SqliteConnection,
    revision: i64,
    Write { record, expected }: &Write<KeyRecord>,
    waits: Waits,
) -> Result<(), StoreError> {
    // A key keeps its account, its public name, its material and what it waits for.
    let query = match expected {
        None => sqlx::query(
            "INSERT INTO keys (deleted, due, version, revision, record, id, account, api_key, fingerprint, waits) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, coalesce(?, (SELECT waits FROM keys WHERE id = ?)))",
        ),
        Some(_) => sqlx::query(
            "UPDATE keys SET deleted = ?, due = ?, version = ?, revision = ?, record = ? \
             WHERE id = ? AND account = ? AND api_key = ? AND fingerprint IS ? AND version = ?",
        ),
    };
    let mut query = query
        .bind(read::is_deleted(record))
        .bind(record.watch.due.map(Timestamp::as_micros))
        .bind(signed(record.version)?)
        .bind(revision)
        .bind(record.encode())
        .bind(key_id(record.id))
        .bind(record.account.0)
        .bind(record.api_key.as_str())
        .bind(record.material.public().map(|public| public.fingerprint.to_vec()));
    query = match expected {
        Some(expected) => query.bind(signed(*expected)?),
        None => query.bind(waits.revision).bind(waits.predecessor.map(key_id)),
    };
    one_row(query.execute(connection).await)
}

async fn write_effect(
    connection: &mut SqliteConnection,
    revision: i64,
    effect: &Effect,
) -> Result<EffectId, StoreError> {
    let id = sqlx::query_scalar("INSERT INTO outbox (revision, effect) VALUES (?, ?) RETURNING id")
        .bind(revision)
        .bind(serde_json::to_vec(effect).map_err(unreadable)?)
        .fetch_one(connection)
        .await
        .map_err(unavailable)?;
    Ok(EffectId(id))
}

/// Notes what was made under a claim that is still as it was.
async fn settle(connection: &mut SqliteConnection, settled: &Settled) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE shelf SET value = ?, version = version + 1, expires = ? WHERE kind = ? AND key = ? AND version = ?",
    )
    .bind(settled.encode())
    .bind(settled.claim.kept_until.as_micros())
    .bind(ShelfKind::Idempotency.name())
    .bind(settled.claim.name.as_slice())
    .bind(signed(settled.claim.version)?)
    .execute(connection)
    .await
    .map_err(unavailable)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::ClaimLost) }
}

/// A write that met no record met another version of it.
fn one_row(done: Result<sqlx::sqlite::SqliteQueryResult, sqlx::Error>) -> Result<(), StoreError> {
    match done {
        Ok(done) if done.rows_affected() == 1 => Ok(()),
        Ok(_) => Err(StoreError::Conflict),
        Err(error) => Err(taken(&error).map_or_else(|| unavailable(error), StoreError::Taken)),
    }
}

/// Which value another record has already.
fn taken(error: &sqlx::Error) -> Option<Unique> {
    let error = error.as_database_error().filter(|error| error.kind() == ErrorKind::UniqueViolation)?;
    let (_, column) = error.message().rsplit_once('.')?;
    Some(match column {
        "email" => Unique::Email,
        "api_key" => Unique::ApiKey,
        _ => Unique::Id,
    })
}

pub(super) fn key_id(id: KeyId) -> Vec<u8> {
    id.0.to_be_bytes().to_vec()
}

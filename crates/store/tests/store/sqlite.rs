use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use latchkey_authority::account::Email;
use latchkey_authority::change::{Effect, EffectId, Guard};
use latchkey_authority::key::{KeyRecord, Material, PublicMaterial};
use latchkey_authority::ports::{Directory as _, Store as _, StoreError, Unique};
use latchkey_authority::stored::Stored as _;
use latchkey_protocol::{AccountId, KeyId};
use latchkey_store::random;
use latchkey_store::sqlite::outbox::ParkedEffect;
use latchkey_store::sqlite::{OpenError, Row, SqliteSettings, SqliteStore};
use sqlx::Connection as _;

use crate::records::{NOW, account, change, deleted, key, open, with_account, with_effect, with_key};

const LEAVE: Effect = Effect::LeaveSpecialMode { owner: AccountId(1) };
const CANCEL: Effect = Effect::CancelEverything { owner: AccountId(1) };

/// Everything that a change can touch.
async fn everything(store: &SqliteStore) -> (u64, Vec<String>, usize, usize) {
    let mut rows = Vec::new();
    let revision = store.each_row(|row| rows.push(format!("{row:?}"))).await.unwrap();
    let audit = store.audit(None, 0, 1000).await.unwrap().len();
    (revision, rows, audit, store.pending_effects(1000).await.unwrap().len())
}

fn public(mut record: KeyRecord, fingerprint: u8) -> KeyRecord {
    record.material =
        Material::Ed25519(PublicMaterial { der: vec![fingerprint], fingerprint: [fingerprint; 32], shared: false });
    record
}

#[tokio::test]
async fn what_was_committed_is_loaded_also_after_a_restart() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let mut sub = account(2);
    sub.master = Some(AccountId(1));
    let first = with_account(with_account(change(1), account(1), None), sub.clone(), None);
    let first = with_key(with_key(with_effect(first, CANCEL), key(8, 2), None), key(7, 2), None);
    let committed = store.commit(first).await.unwrap();
    assert_eq!((committed.revision, committed.effects.as_slice()), (1, [EffectId(1)].as_slice()));
    assert_eq!((committed.accounts.len(), committed.keys.len()), (2, 2));
    let gone = deleted(key(8, 2));
    store.commit(with_key(change(2), gone.clone(), Some(1))).await.unwrap();
    let id = store.id();
    store.close().await.unwrap();

    let store = open(scratch.path()).await;
    assert_eq!(store.id(), id, "a store keeps its id");
    let loaded = store.load(AccountId(2)).await.unwrap().unwrap();
    assert_eq!((&loaded.account, loaded.master.as_ref()), (&sub, Some(&account(1))));
    assert_eq!(loaded.keys, [key(7, 2)], "deleted keys are left out");
    assert_eq!(store.all_keys(AccountId(2)).await.unwrap(), [key(7, 2), gone.clone()]);
    assert_eq!(store.key(gone.api_key).await.unwrap(), Some(gone));
    assert_eq!(store.key(key(9, 2).api_key).await.unwrap(), None);
    assert!(store.load(AccountId(3)).await.unwrap().is_none());
    let email = Email::parse("USER2@example.com").unwrap();
    assert_eq!(store.account_by_email(&email).await.unwrap(), Some(AccountId(2)));
    assert_eq!(everything(&store).await.0, 2);
}

#[tokio::test]
async fn a_change_that_fails_at_any_of_its_parts_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let first = with_key(with_account(change(1), account(1), None), public(key(7, 1), 3), None);
    store.commit(first).await.unwrap();
    let before = everything(&store).await;

    // Each has parts before the bad one that would go through alone.
    let good = || with_effect(with_key(with_account(change(1), account(5), None), key(9, 5), None), CANCEL);
    let mut twin = account(6);
    twin.email = account(1).email;
    let mut again = key(7, 1);
    again.api_key = key(11, 5).api_key;
    let mut named = key(10, 5);
    named.api_key = key(7, 1).api_key;
    let mut guarded = good();
    guarded.guards.push(Guard { account: AccountId(1), version: 2 });
    let mut ghost = good();
    ghost.guards.push(Guard { account: AccountId(99), version: 1 });
    let mut moved = public(key(7, 5), 3);
    moved.version = 2;
    let mut newer = account(1);
    newer.version = 3;
    let cases = [
        (with_account(good(), twin, None), Some(Unique::Email)),
        (with_account(good(), account(1), None), Some(Unique::Id)),
        (with_key(good(), named, None), Some(Unique::ApiKey)),
        (with_key(good(), again, None), Some(Unique::Id)),
        (with_account(good(), newer, Some(2)), None),
        (with_account(good(), account(77), Some(1)), None),
        (with_key(good(), public(key(7, 1), 3), Some(4)), None),
        (with_key(good(), moved, Some(1)), None),
        (guarded, None),
        (ghost, None),
    ];
    for (number, (bad, taken)) in cases.into_iter().enumerate() {
        match (store.commit(bad).await.unwrap_err(), taken) {
            (StoreError::Taken(found), Some(unique)) if found == unique => {}
            (StoreError::Conflict, None) => {}
            (error, _) => panic!("case {number}: {error:?}"),
        }
        assert_eq!(everything(&store).await, before, "case {number}");
    }
    let orphan = store.commit(with_key(change(1), key(20, 88), None)).await;
    assert!(matches!(orphan, Err(StoreError::Unavailable(_))), "a key without an account: {orphan:?}");
    assert_eq!(everything(&store).await, before);
    assert_eq!(store.commit(good()).await.unwrap().revision, 2, "no revision was lost");
}

#[tokio::test]
async fn a_caller_that_stops_waiting_leaves_a_whole_change_or_none() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    for polls in 1..40 {
        let id = polls + 100;
        let whole = with_key(with_account(change(id), account(id), None), key(id as u128, id), None);
        let mut future = Box::pin(store.commit(whole));
        let mut left = polls;
        // Poll so many times, then drop it where it stands.
        std::future::poll_fn(|context| {
            left -= 1;
            match future.as_mut().poll(context) {
                std::task::Poll::Pending if left > 0 => std::task::Poll::Pending,
                _ => std::task::Poll::Ready(()),
            }
        })
        .await;
        drop(future);
        // What was under way comes to its end before the writer does anything else.
        store.next_account_id().await.unwrap();
        let loaded = store.load(AccountId(id)).await.unwrap();
        assert_eq!(loaded.map(|loaded| loaded.keys.len()).unwrap_or(1), 1);
        let (revision, rows, audit, _) = everything(&store).await;
        assert_eq!((revision as usize, rows.len()), (audit, audit * 2), "after {polls} polls");
    }
    assert!(store.revision().await.unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn revisions_have_no_gaps_under_sixteen_tasks() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Arc::new(open(scratch.path()).await);
    store.commit(with_account(change(1), account(1), None)).await.unwrap();
    let tasks: Vec<_> = (0..16_i64)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut revisions = Vec::new();
                for round in 0..10_i64 {
                    let id = 100 + task * 100 + round;
                    revisions.push(store.commit(with_account(change(id), account(id), None)).await.unwrap().revision);
                    // One that everybody fights for: load, decide, commit again until it holds.
                    loop {
                        let mut shared = store.load(AccountId(1)).await.unwrap().unwrap().account;
                        let seen = shared.version;
                        shared.version += 1;
                        match store.commit(with_account(change(1), shared, Some(seen))).await {
                            Ok(committed) => break revisions.push(committed.revision),
                            Err(StoreError::Conflict) => {}
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                }
                assert!(revisions.is_sorted());
                revisions
            })
        })
        .collect();
    let mut all = BTreeSet::new();
    for task in tasks {
        for revision in task.await.unwrap() {
            assert!(all.insert(revision), "{revision} was given twice");
        }
    }
    assert!(all.into_iter().eq(2..=321));
    let shared = store.load(AccountId(1)).await.unwrap().unwrap().account;
    assert_eq!(shared.version, 161, "no change was lost");
}

#[tokio::test]
async fn shared_public_keys_are_known_until_the_last_one_is_deleted() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    assert!(!store.public_key_known([3; 32]).await.unwrap());
    let both = with_key(with_account(change(1), account(1), None), public(key(7, 1), 3), None);
    store.commit(with_key(both, public(key(8, 1), 3), None)).await.unwrap();
    for id in [7, 8] {
        assert!(store.public_key_known([3; 32]).await.unwrap());
        store.commit(with_key(change(1), deleted(public(key(id, 1), 3)), Some(1))).await.unwrap();
    }
    assert!(!store.public_key_known([3; 32]).await.unwrap());
}

#[tokio::test]
async fn account_ids_never_come_back() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let first = store.next_account_id().await.unwrap();
    assert!(first.0 > 0);
    store.close().await.unwrap();
    assert!(open(scratch.path()).await.next_account_id().await.unwrap() > first);
}

#[tokio::test]
async fn effects_are_pending_in_order_until_they_are_done() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    store.commit(with_effect(with_effect(change(1), LEAVE), CANCEL)).await.unwrap();
    store.commit(with_effect(change(1), CANCEL)).await.unwrap();
    let pending = store.pending_effects(10).await.unwrap();
    let shape: Vec<_> = pending.iter().map(|pending| (pending.id.0, pending.revision, pending.effect)).collect();
    assert_eq!(shape, [(1, 1, LEAVE), (2, 1, CANCEL), (3, 2, CANCEL)]);
    assert_eq!(store.pending_effects(2).await.unwrap(), pending[..2]);
    store.mark_done(&[EffectId(1), EffectId(2)]).await.unwrap();
    store.mark_done(&[EffectId(2)]).await.unwrap();
    store.close().await.unwrap();
    let store = open(scratch.path()).await;
    assert_eq!(store.pending_effects(10).await.unwrap(), pending[2..]);
}

#[tokio::test]
async fn a_parked_effect_lets_those_behind_it_go_on_until_it_is_taken_up() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    store.commit(with_effect(with_effect(change(1), LEAVE), CANCEL)).await.unwrap();
    let pending = store.pending_effects(10).await.unwrap();
    store.park(EffectId(1), "the account owes something").await.unwrap();
    assert_eq!(store.pending_effects(10).await.unwrap(), pending[1..]);
    store.mark_done(&[EffectId(2)]).await.unwrap();
    store.park(EffectId(2), "too late").await.unwrap();
    store.close().await.unwrap();
    let store = open(scratch.path()).await;
    let parked = store.parked_effects(10).await.unwrap();
    let reason = "the account owes something".to_owned();
    assert_eq!(parked, [ParkedEffect { effect: pending[0], reason }], "one that is done is not parked");
    assert!(!store.is_settled(1).await.unwrap(), "what is parked is not done");
    store.take_up(EffectId(1)).await.unwrap();
    assert_eq!(store.pending_effects(10).await.unwrap(), pending[..1]);
    assert!(store.parked_effects(10).await.unwrap().is_empty());
    store.mark_done(&[EffectId(1)]).await.unwrap();
    assert!(store.is_settled(1).await.unwrap());
}

#[tokio::test]
async fn a_closed_store_refuses_and_leaves_one_whole_file() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Arc::new(open(scratch.path()).await);
    store.commit(with_account(change(1), account(1), None)).await.unwrap();
    let other = Arc::clone(&store);
    store.close().await.unwrap();
    other.close().await.unwrap();
    let refused = other.commit(with_account(change(2), account(2), None)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(other.load(AccountId(1)).await.is_err());
    let files: Vec<_> =
        fs::read_dir(scratch.path().join("data")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["latchkey.db"], "the log is in the file");
    assert_eq!(everything(&open(scratch.path()).await).await.0, 1);
}

#[tokio::test]
async fn a_store_of_the_first_format_is_brought_up_to_date() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("latchkey.db");
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let mut sub = account(2);
    sub.master = Some(AccountId(1));
    {
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let mut old = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(include_str!("../../src/sqlite/0001.sql")).execute(&mut old).await.unwrap();
        sqlx::raw_sql("PRAGMA application_id = 0x4c4b5354").execute(&mut old).await.unwrap();
        for account in [account(1), sub.clone()] {
            sqlx::query("INSERT INTO accounts (id, email, version, revision, record) VALUES (?, ?, 1, 1, ?)")
                .bind(account.id.0)
                .bind(account.email.as_str())
                .bind(account.encode())
                .execute(&mut old)
                .await
                .unwrap();
        }
        let record = key(7, 2);
        sqlx::query(
            "INSERT INTO keys (id, account, api_key, deleted, version, revision, record) VALUES (?, 2, ?, 0, 1, 1, ?)",
        )
        .bind(record.id.0.to_be_bytes().as_slice())
        .bind(record.api_key.as_str())
        .bind(record.encode())
        .execute(&mut old)
        .await
        .unwrap();
        old.close().await.unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let settings = SqliteSettings::new(&path, &mut random::fill);
    let store = SqliteStore::open(&settings).await.unwrap();
    let loaded = store.load(AccountId(2)).await.unwrap().unwrap();
    assert_eq!((loaded.master, loaded.keys), (Some(account(1)), vec![key(7, 2)]));
    assert_eq!(store.due(NOW, 9).await.unwrap(), [AccountId(2)], "the rules look at it once");
    store.swept(AccountId(2)).await.unwrap();
    assert!(store.due(NOW, 9).await.unwrap().is_empty());
    store.close().await.unwrap();
    let url = format!("sqlite://{}", path.display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let masters: Vec<(i64, Option<i64>)> =
        sqlx::query_as("SELECT id, master FROM accounts ORDER BY id").fetch_all(&mut connection).await.unwrap();
    assert_eq!(masters, [(1, None), (2, Some(1))]);
}

#[tokio::test]
async fn a_late_change_brings_only_what_no_other_has_written_again() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let first = with_key(with_account(change(1), account(1), None), key(7, 1), None);
    let committed = store.commit(with_effect(with_key(first, key(8, 1), None), CANCEL)).await.unwrap();
    store.mark_done(&committed.effects).await.unwrap();
    let (account, [one, other]) = (account(1), [key(7, 1), key(8, 1)].map(|key| Row::Key { revision: 1, key }));
    let account = Row::Account { revision: 1, account };
    assert_eq!(store.settled(1).await.unwrap(), [account.clone(), one, other.clone()]);
    store.commit(with_key(change(1), deleted(key(7, 1)), Some(1))).await.unwrap();
    assert_eq!(store.settled(1).await.unwrap(), [account, other]);
}

#[tokio::test]
async fn every_row_comes_with_its_revision_in_more_than_one_chunk() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let mut large = with_account(change(1), account(1), None);
    for id in 0..5000 {
        large = with_key(large, key(id, 1), None);
    }
    store.commit(large).await.unwrap();
    store.commit(with_key(change(1), deleted(key(4998, 1)), Some(1))).await.unwrap();
    let mut edited = key(4999, 1);
    edited.version = 2;
    store.commit(with_key(change(1), edited, Some(1))).await.unwrap();
    let (mut accounts, mut keys, mut late) = (0, BTreeSet::new(), Vec::new());
    let revision = store
        .each_row(|row| match row {
            Row::Account { revision, .. } => {
                assert!(keys.is_empty() && revision == 1, "accounts come first");
                accounts += 1;
            }
            Row::Key { revision, key } => {
                assert!(keys.insert(key.id));
                if revision == 3 {
                    late.push(key.id);
                }
            }
        })
        .await
        .unwrap();
    assert_eq!((revision, accounts, keys.len(), late), (3, 1, 4999, vec![KeyId(4999)]));
}

#[tokio::test]
async fn files_are_private_and_what_others_can_open_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    store.commit(with_account(change(1), account(1), None)).await.unwrap();
    let data = scratch.path().join("data");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let mut files = 0;
    for entry in fs::read_dir(&data).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
        files += 1;
    }
    assert_eq!(files, 3, "database, log and index");
    store.close().await.unwrap();
    let path = data.join("latchkey.db");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = SqliteStore::open(&SqliteSettings::new(&path, &mut random::fill)).await.unwrap_err();
    assert!(error.to_string().contains("0644"), "{error}");
}

#[tokio::test]
async fn newer_and_foreign_databases_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    open(scratch.path()).await.close().await.unwrap();
    let path = scratch.path().join("data/latchkey.db");
    let url = format!("sqlite://{}", path.display());
    let refused = async |pragma: &'static str| {
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(pragma).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        SqliteStore::open(&SqliteSettings::new(&path, &mut random::fill)).await.unwrap_err()
    };
    let error = refused("PRAGMA user_version = 9").await;
    assert!(matches!(error, OpenError::Newer { found: 9, .. }), "{error:?}");
    assert!(error.to_string().contains("format 9, newer than format 4"), "{error}");
    let error = refused("PRAGMA application_id = 7").await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    fs::write(&path, b"this is no database at all, though it is long enough to be looked at").unwrap();
    let error = SqliteStore::open(&SqliteSettings::new(&path, &mut random::fill)).await.unwrap_err();
    assert!(matches!(error, OpenError::Database { .. }), "{error:?}");
}

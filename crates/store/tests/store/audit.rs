use latchkey_authority::ports::Store as _;
use latchkey_protocol::AccountId;
use latchkey_store::sqlite::audit::{AuditRecord, Chain};
use latchkey_store::sqlite::{SqliteStore, StoreId};
use sqlx::Connection as _;

use crate::records::{change, open};

/// Nine changes of three accounts in turn.
async fn filled(folder: &std::path::Path) -> SqliteStore {
    let store = open(folder).await;
    for number in 0..9 {
        store.commit(change(1 + number % 3)).await.unwrap();
    }
    store
}

fn holds(mut chain: Chain, records: &[AuditRecord]) -> bool {
    records.iter().all(|record| chain.follow(record).is_ok())
}

#[tokio::test]
async fn the_whole_chain_and_that_of_each_account_verify() {
    let scratch = tempfile::tempdir().unwrap();
    let store = filled(scratch.path()).await;
    let all = store.audit(None, 0, 100).await.unwrap();
    assert!(all.iter().map(|record| record.revision).eq(1..=9));
    assert!(holds(Chain::of_store(store.id()), &all));
    assert_eq!(all[0].read_event().unwrap(), change(1).audit);
    for account in 1..=3 {
        let own = store.audit(Some(AccountId(account)), 0, 100).await.unwrap();
        assert_eq!(own.len(), 3);
        assert!(holds(Chain::of_account(store.id()), &own));
    }
    assert!(!holds(Chain::of_store(StoreId([9; 16])), &all), "records of another store");
    assert_eq!(store.audit(None, 4, 2).await.unwrap(), all[4..6]);
}

#[tokio::test]
async fn a_removed_swapped_or_changed_record_breaks_the_chain() {
    let scratch = tempfile::tempdir().unwrap();
    let store = filled(scratch.path()).await;
    let all = store.audit(None, 0, 100).await.unwrap();
    let own = store.audit(Some(AccountId(2)), 0, 100).await.unwrap();
    let broken = |records: &[AuditRecord]| !holds(Chain::of_store(store.id()), records);
    for index in 0..all.len() {
        let mut records = all.clone();
        records.remove(index);
        assert!(broken(&records) || index == all.len() - 1);
        let mut records = all.clone();
        records[index].event.push(b' ');
        assert!(broken(&records));
        records[index].hash = records[index].digest(store.id());
        assert!(broken(&records) || index == all.len() - 1, "hashed anew, the next one tells");
        // Mended as far as one can without hashing all that follows anew.
        let mut records = all.clone();
        records[index].event.push(b' ');
        records[index].hash = records[index].digest(store.id());
        let (account, hash) = (records[index].account, records[index].hash);
        for later in records.iter_mut().skip(index + 1).take(1) {
            later.previous = hash;
        }
        if let Some(later) = records.iter_mut().skip(index + 1).find(|later| later.account == account) {
            later.account_previous = hash;
        }
        assert!(broken(&records) || index == all.len() - 1);
        let mut records = all.clone();
        records.swap(index, (index + 1) % all.len());
        assert!(broken(&records));
    }
    for index in 0..2 {
        let mut records = own.clone();
        records[index].event.push(b' ');
        records[index].hash = records[index].digest(store.id());
        records[index + 1].account_previous = records[index].hash;
        assert!(!holds(Chain::of_account(store.id()), &records));
        let mut records = own.clone();
        records.remove(index);
        assert!(!holds(Chain::of_account(store.id()), &records));
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_rewrite_audit_records() {
    let scratch = tempfile::tempdir().unwrap();
    filled(scratch.path()).await.close().await.unwrap();
    let url = format!("sqlite://{}", scratch.path().join("data/latchkey.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    for statement in ["DELETE FROM audit WHERE revision = 9", "UPDATE audit SET account = 2 WHERE revision = 1"] {
        let error = sqlx::raw_sql(statement).execute(&mut connection).await.unwrap_err();
        assert!(error.to_string().contains("audit records are not"), "{error}");
    }
}

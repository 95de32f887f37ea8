use latchkey_authority::change::{Action, Actor, AuditState};
use latchkey_authority::ip::IpRestriction;
use latchkey_authority::ports::{Directory as _, Store as _, StoreError, Unique};
use latchkey_crypto::sign::Signer;
use latchkey_protocol::AccountId;
use latchkey_store::random;
use latchkey_store::sqlite::import::Import;

use crate::records::{NOW, account, key, open};

fn batch(first: i64) -> Import {
    let owners = first..first + 3;
    let keys = (0..30).map(|place| key((first * 100 + place) as u128, first + place % 3));
    Import {
        accounts: owners.map(account).collect(),
        keys: keys.collect(),
        who: Actor::Operator("carol".into()),
        from: None,
        at: NOW,
    }
}

#[tokio::test]
async fn a_batch_is_there_whole_with_one_audit_record_of_its_digest() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    for (number, first) in [1, 11].into_iter().enumerate() {
        let committed = store.import(batch(first)).await.unwrap();
        assert_eq!((committed.revision, committed.keys.len()), (number as u64 + 1, 30));
    }
    assert_eq!(store.load(AccountId(12)).await.unwrap().unwrap().keys.len(), 10);
    let records = store.audit(None, 0, 10).await.unwrap();
    assert_eq!(records.len(), 2);
    let event = records[1].read_event().unwrap();
    assert_eq!(
        (event.action, event.after.as_slice()),
        (Action::KeysImported, [AuditState::Import(batch(11).summary())].as_slice())
    );
    let mut other = batch(11);
    assert_eq!(other.summary(), batch(11).summary());
    other.keys.swap(0, 1);
    assert_ne!(other.summary().digest, batch(11).summary().digest, "the order counts");
    let mut other = batch(11);
    other.keys[29].version = 2;
    assert_ne!(other.summary().digest, batch(11).summary().digest);
    let public = Signer::generate_ed25519(&mut random::fill).public_key().unwrap();
    assert_eq!(store.verify_tail(std::slice::from_ref(&public)).await.unwrap().last, 2);
}

#[tokio::test]
async fn keys_without_an_ip_list_are_looked_at_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let mut import = batch(1);
    import.keys[4].ip = IpRestriction::Unrestricted;
    store.import(import).await.unwrap();
    assert_eq!(store.due(NOW, 9).await.unwrap(), [AccountId(2)]);
}

#[tokio::test]
async fn a_batch_with_one_bad_record_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    store.import(batch(1)).await.unwrap();
    let (mut twin, mut named, mut orphan) = (batch(11), batch(11), batch(11));
    twin.accounts[2].email = account(1).email;
    named.keys[29].api_key = key(100, 1).api_key;
    orphan.keys[29].account = AccountId(99);
    assert!(matches!(store.import(twin).await, Err(StoreError::Taken(Unique::Email))));
    assert!(matches!(store.import(named).await, Err(StoreError::Taken(Unique::ApiKey))));
    assert!(matches!(store.import(orphan).await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.revision().await.unwrap(), 1);
    assert!(store.load(AccountId(11)).await.unwrap().is_none());
}

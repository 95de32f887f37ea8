//! A claim is settled with the change that it was made for, or the change is not made.

use latchkey_authority::change::Change;
use latchkey_authority::claim::{Claim, Claimed, Made, Settled};
use latchkey_authority::ports::{Shelf as _, ShelfKind, Store as _, StoreError};
use latchkey_authority::stored::Stored as _;
use latchkey_protocol::{AccountId, KeyId, Timestamp};
use latchkey_store::sqlite::SqliteStore;

use crate::records::{NOW, account, change, key, open, with_account, with_key};

const NAME: [u8; 32] = [4; 32];
const REQUEST: [u8; 32] = [5; 32];

fn later(minutes: i64) -> Timestamp {
    NOW.plus_millis(minutes * 60_000)
}

async fn claim(store: &SqliteStore, now: Timestamp) -> Option<Claim> {
    let bytes = Claimed { request: REQUEST, made: None }.encode();
    let (kind, owner, expires) = (ShelfKind::Idempotency, Some(AccountId(1)), now.plus_millis(120_000));
    if !store.put(kind, NAME, owner, &bytes, now, expires).await.unwrap() {
        return None;
    }
    let version = store.get(kind, NAME, now).await.unwrap().unwrap().version;
    Some(Claim { name: NAME, version, request: REQUEST, kept_until: now.plus_millis(86_400_000) })
}

/// A change that makes a key under a claim.
fn made(id: u128, claim: Claim) -> Change {
    let settled = Some(Settled { claim, made: Made::Key(KeyId(id)) });
    with_key(Change { settled, ..change(1) }, key(id, 1), None)
}

async fn known(store: &SqliteStore, now: Timestamp) -> Option<Made> {
    let item = store.get(ShelfKind::Idempotency, NAME, now).await.unwrap()?;
    let claimed = Claimed::decode(&item.value).unwrap();
    assert_eq!(claimed.request, REQUEST);
    claimed.made
}

async fn keys(store: &SqliteStore) -> Vec<KeyId> {
    store.all_keys(AccountId(1)).await.unwrap().iter().map(|key| key.id).collect()
}

#[tokio::test]
async fn what_was_made_is_known_by_its_claim_also_after_a_restart_and_is_made_once() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    store.commit(with_account(change(1), account(1), None)).await.unwrap();
    let held = claim(&store, NOW).await.unwrap();
    assert_eq!(known(&store, NOW).await, None, "nothing was made yet");
    store.commit(made(7, held)).await.unwrap();
    store.close().await.unwrap();

    let store = open(scratch.path()).await;
    // Long after a claim without a record would have run out.
    for minutes in [0, 3, 60 * 23] {
        assert_eq!(known(&store, later(minutes)).await, Some(Made::Key(KeyId(7))));
        assert!(claim(&store, later(minutes)).await.is_none(), "it is not free");
    }
    let revision = store.revision().await.unwrap();
    assert!(matches!(store.commit(made(8, held)).await, Err(StoreError::ClaimLost)));
    assert_eq!((keys(&store).await, store.revision().await.unwrap()), (vec![KeyId(7)], revision));
    assert!(claim(&store, later(60 * 25)).await.is_some(), "a day later the name is free");
}

#[tokio::test]
async fn a_claim_that_ran_out_and_was_taken_over_or_swept_makes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    store.commit(with_account(change(1), account(1), None)).await.unwrap();
    let slow = claim(&store, NOW).await.unwrap();
    assert!(claim(&store, later(1)).await.is_none(), "it is held");
    let next = claim(&store, later(3)).await.unwrap();
    assert!(matches!(store.commit(made(7, slow)).await, Err(StoreError::ClaimLost)));
    store.commit(made(8, next)).await.unwrap();
    assert_eq!(keys(&store).await, [KeyId(8)], "one of the two made its key");

    let swept = claim(&store, later(60 * 48)).await.unwrap();
    store.sweep(later(60 * 49)).await.unwrap();
    assert!(matches!(store.commit(made(9, swept)).await, Err(StoreError::ClaimLost)));
    assert_eq!(keys(&store).await, [KeyId(8)]);
}

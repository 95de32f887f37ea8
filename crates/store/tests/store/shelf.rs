use std::sync::Arc;

use latchkey_authority::ports::{Notes as _, Shelf as _, ShelfKind};
use latchkey_protocol::{AccountId, Timestamp};
use latchkey_store::sqlite::SqliteStore;

use crate::records::{NOW, change, open};

const OWNER: Option<AccountId> = Some(AccountId(1));

fn later(seconds: i64) -> Timestamp {
    NOW.plus_millis(seconds * 1000)
}

async fn put(store: &SqliteStore, kind: ShelfKind, name: u8, now: Timestamp) -> bool {
    store.put(kind, [name; 32], OWNER, &[name], now, now.plus_millis(10_000)).await.unwrap()
}

#[tokio::test]
async fn an_item_is_there_until_it_expires_also_after_a_restart() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    for kind in ShelfKind::ALL {
        assert!(put(&store, kind, 1, NOW).await);
        assert!(!put(&store, kind, 1, later(9)).await, "it is there");
    }
    store.close().await.unwrap();
    let store = open(scratch.path()).await;
    for kind in ShelfKind::ALL {
        let item = store.get(kind, [1; 32], later(9)).await.unwrap().unwrap();
        assert_eq!((item.key, item.owner, item.value.as_slice(), item.version), ([1; 32], OWNER, [1].as_slice(), 1));
        assert_eq!(item.expires, later(10));
        assert_eq!(store.get(kind, [1; 32], later(10)).await.unwrap(), None);
        assert_eq!(store.get(kind, [2; 32], NOW).await.unwrap(), None);
        assert_eq!(store.take(kind, [1; 32], later(10)).await.unwrap(), None, "too late");
        assert!(put(&store, kind, 1, later(10)).await, "another takes its place");
        assert!(!store.swap(kind, [1; 32], 1, b"late", later(99)).await.unwrap(), "what saw the one before");
        assert_eq!(store.get(kind, [1; 32], later(10)).await.unwrap().unwrap().value, [1]);
    }
}

#[tokio::test]
async fn a_swap_needs_the_version_that_was_seen() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let (kind, name) = (ShelfKind::Attempts, [1; 32]);
    assert!(!store.swap(kind, name, 1, b"new", later(20)).await.unwrap(), "nothing is there");
    put(&store, kind, 1, NOW).await;
    assert!(store.swap(kind, name, 1, b"new", later(20)).await.unwrap());
    assert!(!store.swap(kind, name, 1, b"again", later(20)).await.unwrap());
    assert!(!store.swap(ShelfKind::Session, name, 2, b"other", later(20)).await.unwrap());
    let item = store.get(kind, name, NOW).await.unwrap().unwrap();
    assert_eq!((item.value.as_slice(), item.version, item.expires), (b"new".as_slice(), 2, later(20)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_put_swap_or_take_at_once_one_comes_first() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Arc::new(open(scratch.path()).await);
    let kind = ShelfKind::Ceremony;
    for name in 0..5 {
        let race = async |step: u8| {
            let tasks: Vec<_> = (0..16)
                .map(|_| {
                    let store = Arc::clone(&store);
                    tokio::spawn(async move {
                        match step {
                            0 => put(&store, kind, name, NOW).await,
                            1 => store.swap(kind, [name; 32], 1, b"mine", later(10)).await.unwrap(),
                            _ => store.take(kind, [name; 32], NOW).await.unwrap().is_some(),
                        }
                    })
                })
                .collect();
            let mut first = 0;
            for task in tasks {
                first += usize::from(task.await.unwrap());
            }
            first
        };
        for step in 0..3 {
            assert_eq!(race(step).await, 1, "step {step}");
        }
        assert_eq!(store.get(kind, [name; 32], NOW).await.unwrap(), None);
    }
}

#[tokio::test]
async fn items_are_listed_newest_first_and_removed_by_owner_and_by_time() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let kind = ShelfKind::Session;
    for name in 1..=4 {
        put(&store, kind, name, later(i64::from(name))).await;
    }
    let end = later(60);
    store.put(kind, [9; 32], Some(AccountId(2)), b"", later(5), end).await.unwrap();
    store.put(ShelfKind::Mailbox, [1; 32], OWNER, b"", NOW, end).await.unwrap();
    let names = async |owner, now, limit| {
        let items = store.list(kind, owner, now, limit).await.unwrap();
        items.into_iter().map(|item| item.key[0]).collect::<Vec<_>>()
    };
    assert_eq!(names(None, NOW, 9).await, [9, 4, 3, 2, 1]);
    assert_eq!(names(None, NOW, 2).await, [9, 4]);
    assert_eq!(names(OWNER, NOW, 9).await, [4, 3, 2, 1]);
    assert_eq!(names(OWNER, later(12), 9).await, [4, 3], "what has expired is not there");
    assert_eq!(store.sweep(later(12)).await.unwrap(), 2);
    assert_eq!(store.sweep(later(12)).await.unwrap(), 0);
    assert_eq!(store.remove_owner(kind, AccountId(1)).await.unwrap(), 2);
    assert_eq!(names(None, NOW, 9).await, [9], "another's stay");
    assert!(store.get(ShelfKind::Mailbox, [1; 32], NOW).await.unwrap().is_some(), "other kinds stay");
}

#[tokio::test]
async fn what_a_record_ends_goes_with_the_record() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let kind = ShelfKind::OperatorToken;
    for name in 1..=3 {
        put(&store, kind, name, NOW).await;
        put(&store, ShelfKind::Session, name, NOW).await;
    }
    let first = store.note(change(1).audit).await.unwrap();
    assert_eq!(store.note_end(change(1).audit, kind, &[[1; 32], [3; 32], [7; 32]]).await.unwrap(), first + 1);
    let left = async |kind| store.list(kind, None, NOW, 9).await.unwrap().len();
    assert_eq!((left(kind).await, left(ShelfKind::Session).await), (1, 3));
}

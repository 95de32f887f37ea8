//! When and from where keys were last used, over a restart.

use std::path::Path;
use std::sync::Arc;

use latchkey_admission::last_use::LastUse;
use latchkey_admission::ports::{Clock, Keys as _};
use latchkey_authority::key::KeyRecord;
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::Store as _;
use latchkey_protocol::{KeyId, Timestamp};
use latchkey_store::live::LiveMap;
use latchkey_store::sqlite::SqliteStore;

use crate::records::{NOW, account, change, deleted, key, open, with_account, with_key};

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

async fn start(folder: &Path) -> (SqliteStore, Arc<LiveMap>) {
    let store = open(folder).await;
    let live = Arc::new(LiveMap::new(Policy::default(), Arc::new(Still), 42));
    store.load_live(&live).await.unwrap();
    (store, live)
}

fn at(seconds: i64) -> Timestamp {
    NOW.plus_micros(seconds * 1_000_000)
}

#[tokio::test]
async fn last_uses_come_back_after_a_restart_and_take_no_revision() {
    let scratch = tempfile::tempdir().unwrap();
    let (store, _) = start(scratch.path()).await;
    let mut made = with_account(change(1), account(1), None);
    for id in [10, 11, 12] {
        made = with_key(made, key(id, 1), None);
    }
    store.commit(made).await.unwrap();
    store.close().await.unwrap();
    let (store, live) = start(scratch.path()).await;
    let found = |live: &LiveMap, id| live.find(&key(id, 1).api_key).unwrap();
    assert!(live.unstored_uses().is_empty());
    let uses = [(10, at(3), "192.0.2.7"), (11, at(4), "2001:db8::7")].map(|(id, at, from)| {
        let from = from.parse().unwrap();
        found(&live, id).used(at, from);
        (KeyId(id), at, from)
    });
    let mut unstored: Vec<_> = live.unstored_uses().iter().map(|(key, last)| (key.id, *last)).collect();
    unstored.sort_by_key(|(id, _)| *id);
    assert_eq!(unstored, uses.map(|(id, at, from)| (id, LastUse { at, from: Some(from) })));
    let before = store.revision().await.unwrap();
    store.write_uses(&uses).await.unwrap();
    assert_eq!(store.revision().await.unwrap(), before, "a use is no change");
    found(&live, 10).use_stored(at(3));
    assert_eq!(live.unstored_uses().iter().map(|(key, _)| key.id).collect::<Vec<_>>(), [KeyId(11)]);

    // An edit leaves it alone, and a deleted key has none any more.
    let edited = KeyRecord { version: 2, ..key(10, 1) };
    store.commit(with_key(with_key(change(1), edited, Some(1)), deleted(key(11, 1)), Some(1))).await.unwrap();
    store.close().await.unwrap();
    let (_store, live) = start(scratch.path()).await;
    assert_eq!(found(&live, 10).last_use(), Some(LastUse { at: at(3), from: "192.0.2.7".parse().ok() }));
    assert_eq!(found(&live, 12).last_use(), None);
    assert!(live.find(&key(11, 1).api_key).is_none());
    assert!(live.unstored_uses().is_empty(), "what was read is not written again");
}

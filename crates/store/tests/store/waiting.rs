//! A key whose making waits for the exchange is not in force, whatever is written of it meanwhile.

use std::path::Path;
use std::sync::Arc;

use latchkey_admission::ports::{Clock, Keys as _};
use latchkey_authority::change::{AnswerAfter, Change, Direction, Effect, EffectId};
use latchkey_authority::key::{KeyRecord, Retiring};
use latchkey_authority::label::Label;
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::{Live as _, Store as _};
use latchkey_protocol::{AccountId, KeyId, Timestamp};
use latchkey_store::live::LiveMap;
use latchkey_store::sqlite::SqliteStore;

use crate::records::{NOW, account, change, deleted, key, open, with_account, with_effect, with_key};

const ENTER: Effect = Effect::EnterSpecialMode { owner: AccountId(1) };
const CANCEL: Effect = Effect::CancelEverything { owner: AccountId(1) };

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// A node: its store, and what it admits.
struct Node {
    store: SqliteStore,
    live: Arc<LiveMap>,
}

impl Node {
    /// Opens the store and loads what is in force.
    async fn start(folder: &Path) -> Self {
        let store = open(folder).await;
        let live = Arc::new(LiveMap::new(Policy::default(), Arc::new(Still), 42));
        store.load_live(&live).await.unwrap();
        Self { store, live }
    }

    /// Starts again on what is stored.
    async fn again(self, folder: &Path) -> Self {
        self.store.close().await.unwrap();
        Self::start(folder).await
    }

    /// Commits a change without effects, and puts it in force.
    async fn change(&self, change: Change) {
        self.live.apply(&self.store.commit(change).await.unwrap());
    }

    fn admits(&self, id: u128) -> bool {
        self.live.find(&key(id, 1).api_key).is_some()
    }

    /// The exchange has done these effects of change `revision`.
    async fn done(&self, revision: u64, effects: &[EffectId]) {
        self.store.mark_done(effects).await.unwrap();
        if self.store.is_settled(revision).await.unwrap() {
            self.live.load(self.store.settled(revision).await.unwrap());
        }
    }
}

fn edited(record: KeyRecord, label: &str) -> KeyRecord {
    KeyRecord { version: record.version + 1, label: Label::parse(label).unwrap(), ..record }
}

fn narrowing(change: Change) -> Change {
    Change { direction: Direction::Narrowing, answer_after: AnswerAfter::AllNodes, ..change }
}

/// A node with a key whose effect the exchange refused, and the effect.
async fn refused(folder: &Path) -> (Node, EffectId) {
    let node = Node::start(folder).await;
    node.change(with_account(change(1), account(1), None)).await;
    let made = node.store.commit(with_effect(with_key(change(1), key(7, 1), None), ENTER)).await.unwrap();
    node.store.park(made.effects[0], "no such pair").await.unwrap();
    assert!(!node.admits(7));
    (node, made.effects[0])
}

#[tokio::test]
async fn an_edit_puts_no_key_in_force_whose_making_the_exchange_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let (node, effect) = refused(scratch.path()).await;
    node.change(narrowing(with_key(change(1), edited(key(7, 1), "another name"), Some(1)))).await;
    assert!(!node.admits(7), "an unrelated edit");
    let node = node.again(scratch.path()).await;
    assert!(!node.admits(7), "a start");
    // An operator mended the exchange: the key comes in force as it is now.
    node.store.take_up(effect).await.unwrap();
    node.done(2, &[effect]).await;
    let live = node.live.find(&key(7, 1).api_key).unwrap();
    assert_eq!(node.store.load(AccountId(1)).await.unwrap().unwrap().keys[0].label.as_str(), "another name");
    assert_eq!(live.id, KeyId(7));
    assert!(node.again(scratch.path()).await.admits(7));
}

#[tokio::test]
async fn neither_a_freeze_nor_its_effects_put_it_in_force() {
    let scratch = tempfile::tempdir().unwrap();
    let (node, _) = refused(scratch.path()).await;
    let frozen = with_effect(with_key(change(1), edited(key(7, 1), "frozen"), Some(1)), CANCEL);
    let frozen = node.store.commit(narrowing(frozen)).await.unwrap();
    node.live.apply(&frozen);
    node.done(frozen.revision, &frozen.effects).await;
    assert!(!node.admits(7));
    assert!(!node.again(scratch.path()).await.admits(7));
}

#[tokio::test]
async fn a_successor_waits_for_what_its_predecessor_waits_for() {
    let scratch = tempfile::tempdir().unwrap();
    let (node, effect) = refused(scratch.path()).await;
    let retiring = Some(Retiring { successor: KeyId(8), since: NOW, at: NOW.plus_millis(1000), idle_hours: None });
    let old = KeyRecord { retiring, ..edited(key(7, 1), "old") };
    node.change(with_key(with_key(change(1), old.clone(), Some(1)), key(8, 1), None)).await;
    assert!(!node.admits(8));
    node.change(narrowing(with_key(change(1), KeyRecord { version: 3, ..deleted(old) }, Some(2)))).await;
    node.change(narrowing(with_key(change(1), edited(key(8, 1), "new"), Some(1)))).await;
    let node = node.again(scratch.path()).await;
    assert!(!node.admits(8));
    node.store.take_up(effect).await.unwrap();
    node.done(2, &[effect]).await;
    assert!(node.admits(8) && !node.admits(7));
}

#[tokio::test]
async fn a_key_that_is_ready_is_changed_as_ever_while_others_wait() {
    let scratch = tempfile::tempdir().unwrap();
    let (node, _) = refused(scratch.path()).await;
    node.change(with_key(change(1), key(9, 1), None)).await;
    assert!(node.admits(9));
    node.change(narrowing(with_key(change(1), deleted(key(9, 1)), Some(1)))).await;
    let state = node.live.find(&key(9, 1).api_key).unwrap();
    assert!(!format!("{:?}", state.state().standing).contains("Alive"));
    let special = with_effect(with_key(change(1), key(10, 1), None), ENTER);
    let special = node.store.commit(special).await.unwrap();
    assert!(special.waiting.is_empty(), "its own effects are its maker's affair");
    node.done(special.revision, &special.effects).await;
    assert!(node.admits(10));
}

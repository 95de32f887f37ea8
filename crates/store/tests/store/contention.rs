//! Many tasks change the keys of one account at once, over the real store: the rules hold at every revision.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use latchkey_admission::ports::{Clock, Keys as _};
use latchkey_authority::caller::{Caller, Via};
use latchkey_authority::change::{Action, AuditState, EffectId};
use latchkey_authority::issue::{FixedText, KeyEdit, NewKey, NewProof};
use latchkey_authority::key::{KeyRecord, KeyState};
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::{NotSettled, Outbox, Ports, Store as _};
use latchkey_authority::refusal::Refusal;
use latchkey_authority::service::{Authority, AuthorityError};
use latchkey_crypto::entropy::draw;
use latchkey_crypto::seal::wrap::WrappingKey;
use latchkey_crypto::sign::Signer;
use latchkey_protocol::{AccountId, KeyId, PermissionSet, Timestamp};
use latchkey_store::live::LiveMap;
use latchkey_store::random;
use latchkey_store::secrets::Vault;
use latchkey_store::sqlite::SqliteStore;

use crate::records::{NOW, account, cases, change, open, with_account};

const OWNER: AccountId = AccountId(1);
const TASKS: usize = 64;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// No change here has effects.
struct NoExchange;

impl Outbox for NoExchange {
    async fn settle(&self, effects: &[EffectId]) -> Result<(), NotSettled> {
        if effects.is_empty() { Ok(()) } else { Err(NotSettled) }
    }
}

struct House {
    store: SqliteStore,
    vault: Vault,
    live: LiveMap,
    outbox: NoExchange,
}

impl Ports for House {
    type Store = SqliteStore;
    type Secrets = Vault;
    type Live = LiveMap;
    type Outbox = NoExchange;
    type Shelf = SqliteStore;

    fn store(&self) -> &SqliteStore {
        &self.store
    }

    fn secrets(&self) -> &Vault {
        &self.vault
    }

    fn live(&self) -> &LiveMap {
        &self.live
    }

    fn outbox(&self) -> &NoExchange {
        &self.outbox
    }

    fn shelf(&self) -> &SqliteStore {
        &self.store
    }
}

async fn authority(folder: &std::path::Path) -> Authority<House> {
    let store = open(folder).await;
    let vault = Vault::unlock(&store, &WrappingKey::generate(&mut random::fill)).await.unwrap();
    store.commit(with_account(change(1), account(1), None)).await.unwrap();
    let live = LiveMap::new(Policy::default(), Arc::new(Still), 42);
    live.load([latchkey_store::sqlite::Row::Account { revision: 1, account: account(1) }]);
    Authority::new(House { store, vault, live, outbox: NoExchange }, Policy::default())
}

fn world() -> Caller {
    Caller { account: OWNER, from: None, via: Via::World, step_up: None, claim: None }
}

fn new_key(task: usize) -> NewKey {
    NewKey {
        label: format!("task {task}"),
        proof: NewProof::Hmac,
        permissions: PermissionSet::READING,
        ips: Some("127.0.0.1".into()),
        symbols: None,
        fixed: FixedText::default(),
        created: None,
    }
}

/// What was decided; `None` when others were faster, and one asks again.
fn decided<T>(done: Result<T, AuthorityError>) -> Option<Result<T, Refusal>> {
    match done {
        Ok(done) => Some(Ok(done)),
        Err(AuthorityError::Refused(refusal)) => Some(Err(refusal)),
        Err(AuthorityError::Busy) => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// What one task got answered.
#[derive(Default)]
struct Answered {
    created: Vec<KeyId>,
    deleted: Vec<KeyId>,
    edited: Vec<KeyId>,
    refused: usize,
}

async fn work(authority: Arc<Authority<House>>, task: usize, rounds: u64) -> Answered {
    let (mut answered, caller) = (Answered::default(), world());
    for _ in 0..rounds {
        let loaded = authority.ports().store().load(OWNER).await.unwrap().unwrap();
        let counted = loaded.keys.iter().filter(|key| key.counts(&loaded.keys, authority.policy(), NOW)).count();
        assert!(counted <= 30, "{counted} keys at once");
        let chance = u16::from_le_bytes(draw(&mut random::fill));
        let some = loaded.keys.get(usize::from(chance >> 2) % loaded.keys.len().max(1));
        match (chance % 4, some) {
            (0 | 1, _) | (_, None) => {
                let new = new_key(task);
                let done = loop {
                    if let Some(done) = decided(authority.create_key(&caller, OWNER, &new, NOW).await) {
                        break done;
                    }
                };
                match done {
                    Ok(created) => answered.created.push(created.record.id),
                    Err(Refusal::TooManyKeys(30)) => answered.refused += 1,
                    Err(refusal) => panic!("{refusal:?}"),
                }
            }
            (2, Some(key)) => {
                // An edit of what was seen, and of nothing newer.
                let (seen, label) = (Some(key.version), Some(format!("{} of {task}", key.version)));
                let edit = KeyEdit { label, ..KeyEdit::default() };
                let done = loop {
                    if let Some(done) = decided(authority.edit_key(&caller, OWNER, key.id, &edit, seen, NOW).await) {
                        break done;
                    }
                };
                match done {
                    Ok(edited) => {
                        assert_eq!(edited.version, key.version + 1);
                        answered.edited.push(key.id);
                    }
                    Err(Refusal::Stale { .. } | Refusal::KeyUnknown | Refusal::KeyDead(_)) => answered.refused += 1,
                    Err(refusal) => panic!("{refusal:?}"),
                }
            }
            (_, Some(key)) => {
                let done = loop {
                    if let Some(done) = decided(authority.delete_key(&caller, OWNER, key.id, NOW).await) {
                        break done;
                    }
                };
                match done {
                    Ok(()) => answered.deleted.push(key.id),
                    Err(Refusal::KeyUnknown | Refusal::KeyDead(_)) => answered.refused += 1,
                    Err(refusal) => panic!("{refusal:?}"),
                }
            }
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_tasks_never_exceed_the_limit_nor_lose_a_change() {
    let scratch = tempfile::tempdir().unwrap();
    let authority = Arc::new(authority(scratch.path()).await);
    let rounds = cases(256).div_ceil(TASKS as u64);
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(work(Arc::clone(&authority), task, rounds))).collect();
    let (mut created, mut deleted, mut edits, mut refused) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new(), 0);
    for task in tasks {
        let answered = task.await.unwrap();
        for id in answered.created {
            assert!(created.insert(id), "{id} was made twice");
        }
        deleted.extend(answered.deleted);
        for id in answered.edited {
            *edits.entry(id).or_insert(0) += 1;
        }
        refused += answered.refused;
    }
    let store = authority.ports().store();
    let keys = store.all_keys(OWNER).await.unwrap();
    let gone = |key: &KeyRecord| matches!(key.state, KeyState::Deleted { .. });
    assert_eq!(keys.iter().map(|key| key.id).collect::<BTreeSet<_>>(), created, "each answered key, and no other");
    let ids = |gone_ones| keys.iter().filter(|key| gone(key) == gone_ones).map(|key| key.id).collect::<BTreeSet<_>>();
    assert_eq!(ids(true), deleted);
    for key in &keys {
        let changes = edits.get(&key.id).copied().unwrap_or(0) + u64::from(gone(key));
        assert_eq!(key.version, 1 + changes, "every answered change of {} counts once", key.id);
        match authority.ports().live().find(&key.api_key) {
            Some(live) => assert_eq!(live.state().record, *key, "the last one is in force"),
            None => assert!(gone(key), "only deleted keys are let go"),
        }
    }

    // The chain holds, and tells the same story: at no revision were there more than thirty.
    let public = Signer::generate_ed25519(&mut random::fill).public_key().unwrap();
    let last = store.verify_tail(std::slice::from_ref(&public)).await.unwrap().last;
    let (mut alive, mut made, mut noted) = (0_usize, 0, 0);
    for record in store.audit(None, 0, u32::MAX).await.unwrap() {
        let event = record.read_event().unwrap();
        match event.action {
            _ if !event.outcome.is_done() => noted += 1,
            Action::KeyCreated => (alive, made) = (alive + 1, made + 1),
            Action::KeyDeleted => alive -= 1,
            Action::KeyEdited => assert!(event.after.iter().any(|after| matches!(after, AuditState::Key(_)))),
            Action::AccountCreated => {}
            other => panic!("{other:?}"),
        }
        assert!(alive <= 30, "revision {}", record.revision);
    }
    assert_eq!((made, alive), (created.len(), ids(false).len()));
    let changes = 1 + created.len() + deleted.len() + edits.values().sum::<u64>() as usize + noted;
    assert_eq!(last as usize, changes, "one record a change");
    assert!(refused > 0 && !edits.is_empty() && !deleted.is_empty(), "the tasks did not meet");
}

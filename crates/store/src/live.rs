//! The live keys: everything that admission asks, in memory.
//!
//! ```text
//! a call    ─ find(api key) ─▶ concurrent map ─▶ Arc<LiveKey>, the same one for the key's whole life
//! a change  ─ apply(records) ─▶ registry (one lock, changes alone) ─▶ swaps states, raises generations
//! ```
//!
//! A key that is deleted stays for a while, dead, so that a call with it is recorded with the exact reason: the last
//! [`GRAVES_MAX`] of them since the start. An older one is unknown, which is the same answer on the wire. Nothing that
//! a caller sends is ever put into the map.

use std::borrow::Borrow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use latchkey_admission::hash::Seeded;
use latchkey_admission::last_use::LastUse;
use latchkey_admission::live::{LiveAccount, LiveKey};
use latchkey_admission::ports::{Clock, Keys};
use latchkey_authority::account::Account;
use latchkey_authority::change::Committed;
use latchkey_authority::key::{KeyRecord, KeyState};
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::Live;
use latchkey_protocol::{AccountId, ApiKey, KeyId, Timestamp};

use crate::sqlite::Row;

/// The live keys of one node.
pub struct LiveMap {
    policy: Policy,
    clock: Arc<dyn Clock>,
    keys: papaya::HashSet<Named, Seeded>,
    registry: Mutex<Registry>,
}

/// A key under its public name, which so lies in memory once.
struct Named(Arc<LiveKey>);

impl Borrow<ApiKey> for Named {
    fn borrow(&self) -> &ApiKey {
        &self.0.api_key
    }
}

impl Hash for Named {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.api_key.hash(state);
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.0.api_key == other.0.api_key
    }
}

impl Eq for Named {}

/// How many deleted keys are kept as they were, dead.
pub const GRAVES_MAX: usize = 1024;

/// How many ids of deleted keys are kept, so that a change that comes late cannot bring one back. A change would have
/// to be late by as many deletions.
const DELETED_MAX: usize = 1 << 20;

/// What changes need and calls do not.
#[derive(Default)]
struct Registry {
    accounts: BTreeMap<AccountId, AccountEntry>,
    keys: BTreeMap<KeyId, KeyEntry>,
    /// Deleted keys that are still in the map, oldest deletion first.
    graves: VecDeque<KeyId>,
    /// Every deleted key; of too many, those made first are let go.
    deleted: BTreeSet<KeyId>,
    /// Records whose account or master is not here yet: changes may arrive out of order.
    waiting: Vec<Row>,
}

struct AccountEntry {
    live: Arc<LiveAccount>,
    revision: u64,
    keys: Vec<KeyId>,
    sub_accounts: Vec<AccountId>,
}

struct KeyEntry {
    live: Arc<LiveKey>,
    revision: u64,
}

impl LiveMap {
    /// An empty map. `seed` is random, one a process, so that nobody can foresee where a key lies in it.
    pub fn new(policy: Policy, clock: Arc<dyn Clock>, seed: u64) -> Self {
        let keys = papaya::HashSet::builder().hasher(Seeded::new(seed)).build();
        Self { policy, clock, keys, registry: Mutex::default() }
    }

    /// Puts stored records in force, in whatever order; accounts first, masters before their sub-accounts, is fastest.
    pub fn load(&self, rows: impl IntoIterator<Item = Row>) {
        let now = self.clock.now();
        let mut registry = self.registry();
        for row in rows {
            self.put(&mut registry, row, now);
        }
        self.settle(&mut registry, now);
    }

    /// How many keys there are, those that were just deleted too.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// An account that is live.
    pub fn account(&self, id: AccountId) -> Option<Arc<LiveAccount>> {
        self.registry().accounts.get(&id).map(|entry| Arc::clone(&entry.live))
    }

    /// The keys of an account in the order they came in, those that were just deleted too; its sub-accounts' are not among them.
    pub fn keys_of(&self, id: AccountId) -> Vec<Arc<LiveKey>> {
        let registry = self.registry();
        let ids = registry.accounts.get(&id).map(|entry| entry.keys.as_slice()).unwrap_or_default();
        ids.iter().filter_map(|id| registry.keys.get(id)).map(|entry| Arc::clone(&entry.live)).collect()
    }

    /// Takes over when and from where keys were used before the start, as the store has it.
    pub(crate) fn used(&self, uses: impl IntoIterator<Item = (KeyId, Timestamp, IpAddr)>) {
        let registry = self.registry();
        for (id, at, from) in uses {
            if let Some(entry) = registry.keys.get(&id) {
                entry.live.used(at, from);
                entry.live.use_stored(at);
            }
        }
    }

    /// The keys that were used since the store last had it. Looks at every key: nothing is noted for this on a call.
    pub fn unstored_uses(&self) -> Vec<(Arc<LiveKey>, LastUse)> {
        let keys = self.keys.pin();
        keys.iter().filter_map(|Named(key)| Some((Arc::clone(key), key.unstored_use()?))).collect()
    }

    /// A panic of another change leaves at worst some keys in their former state; the records tell them apart.
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries again what waits, as long as that helps.
    fn settle(&self, registry: &mut Registry, now: Timestamp) {
        loop {
            let waiting = std::mem::take(&mut registry.waiting);
            let before = waiting.len();
            for row in waiting {
                self.put(registry, row, now);
            }
            if registry.waiting.is_empty() || registry.waiting.len() == before {
                return;
            }
        }
    }

    fn put(&self, registry: &mut Registry, row: Row, now: Timestamp) {
        match row {
            Row::Account { revision, account } => self.put_account(registry, revision, account, now),
            Row::Key { revision, key } => self.put_key(registry, revision, key, now),
        }
    }

    fn put_account(&self, registry: &mut Registry, revision: u64, account: Account, now: Timestamp) {
        let id = account.id;
        if let Some(entry) = registry.accounts.get_mut(&id) {
            if revision < entry.revision {
                return;
            }
            entry.revision = revision;
            let lends_the_same = account.lends_like(&entry.live.record());
            entry.live.replace(account);
            self.refresh(registry, id, !lends_the_same, now);
            return;
        }
        let master = match account.master {
            None => None,
            Some(master) => match registry.accounts.get_mut(&master) {
                None => return registry.waiting.push(Row::Account { revision, account }),
                Some(entry) => {
                    entry.sub_accounts.push(id);
                    Some(Arc::clone(&entry.live))
                }
            },
        };
        let live = Arc::new(LiveAccount::new(account, master));
        let entry = AccountEntry { live, revision, keys: Vec::new(), sub_accounts: Vec::new() };
        registry.accounts.insert(id, entry);
    }

    fn put_key(&self, registry: &mut Registry, revision: u64, key: KeyRecord, now: Timestamp) {
        let Some(account) = registry.accounts.get_mut(&key.account) else {
            return registry.waiting.push(Row::Key { revision, key });
        };
        let (id, gone) = (key.id, matches!(key.state, KeyState::Deleted { .. }));
        match registry.keys.entry(id) {
            Entry::Occupied(mut entry) => {
                let entry = entry.get_mut();
                if revision < entry.revision {
                    return;
                }
                entry.revision = revision;
                entry.live.refresh(&key, &self.policy, now);
            }
            Entry::Vacant(_) if registry.deleted.contains(&id) => return,
            Entry::Vacant(entry) => {
                let live = Arc::new(LiveKey::new(&key, Arc::clone(&account.live), &self.policy, now));
                account.keys.push(id);
                self.keys.pin().insert(Named(Arc::clone(&live)));
                entry.insert(KeyEntry { live, revision });
            }
        }
        if gone && registry.deleted.insert(id) {
            registry.graves.push_back(id);
            self.clear_graves(registry);
        }
    }

    /// Lets go of the oldest deleted keys when there are too many.
    fn clear_graves(&self, registry: &mut Registry) {
        while registry.graves.len() > GRAVES_MAX {
            let Some(entry) = registry.graves.pop_front().and_then(|id| registry.keys.remove(&id)) else { continue };
            self.keys.pin().remove(&entry.live.api_key);
            if let Some(account) = registry.accounts.get_mut(&entry.live.account.id) {
                account.keys.retain(|id| *id != entry.live.id);
            }
        }
        while registry.deleted.len() > DELETED_MAX {
            registry.deleted.pop_first();
        }
    }

    /// Judges every key of an account anew, and those of its sub-accounts when what they have from it changed.
    fn refresh(&self, registry: &Registry, account: AccountId, sub_accounts: bool, now: Timestamp) {
        let Some(entry) = registry.accounts.get(&account) else { return };
        for key in entry.keys.iter().filter_map(|id| registry.keys.get(id)) {
            key.live.judge_again(&self.policy, now);
        }
        for sub_account in entry.sub_accounts.iter().filter(|_| sub_accounts) {
            self.refresh(registry, *sub_account, true, now);
        }
    }
}

impl Live for LiveMap {
    fn apply(&self, committed: &Committed) {
        let revision = committed.revision;
        let accounts = committed.accounts.iter().map(|account| Row::Account { revision, account: account.clone() });
        // What is in force by mistake is at least changed.
        let absent = |id: &&KeyId| !self.registry().keys.contains_key(*id);
        let waiting: Vec<KeyId> = committed.waiting.iter().filter(absent).copied().collect();
        let keys = committed.keys.iter().filter(|key| !waiting.contains(&key.id));
        self.load(accounts.chain(keys.map(|key| Row::Key { revision, key: key.clone() })));
    }
}

impl Keys for LiveMap {
    fn find(&self, api_key: &ApiKey) -> Option<Arc<LiveKey>> {
        self.keys.pin().get(api_key).map(|named| Arc::clone(&named.0))
    }
}

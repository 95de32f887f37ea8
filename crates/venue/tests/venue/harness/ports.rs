//! The authority's ports and the line's keys over plain memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use latchkey_admission::live::{LiveAccount, LiveKey};
use latchkey_admission::ports::{Clock, Keys as KeysPort, OpenMaterial};
use latchkey_authority::account::{Account, Email, Sealed};
use latchkey_authority::change::{AuditEvent, Change, Committed, Effect, EffectId};
use latchkey_authority::key::{KeyRecord, KeyState, Material};
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::{
    Directory, KeptNotice, Live, Loaded, NotSettled, Notes, Outbox, Ports, SealBroken, SealFor, Secrets, Shelf,
    ShelfItem, ShelfKind, Store, StoreError,
};
use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::verify::Verifier;
use latchkey_protocol::{AccountId, ApiKey, KeyId, Timestamp};
use latchkey_venue::sequencer::Exchange;
use zeroize::Zeroizing;

use super::HandClock;

/// The records.
pub(crate) struct Rows {
    inner: Mutex<Inner>,
    counter: AtomicU64,
}

#[derive(Default)]
struct Inner {
    revision: u64,
    accounts: BTreeMap<AccountId, Account>,
    keys: BTreeMap<KeyId, KeyRecord>,
    effects: BTreeMap<i64, Effect>,
}

impl Rows {
    pub(crate) fn of(accounts: impl IntoIterator<Item = Account>) -> Arc<Self> {
        let accounts = accounts.into_iter().map(|account| (account.id, account)).collect();
        Arc::new(Self { inner: Mutex::new(Inner { accounts, ..Inner::default() }), counter: AtomicU64::new(1) })
    }

    pub(crate) fn next_key(&self) -> u128 {
        self.counter.fetch_add(1, Ordering::Relaxed).into()
    }

    pub(crate) fn put_key(&self, record: &KeyRecord) {
        self.inner.lock().unwrap().keys.insert(record.id, record.clone());
    }

    pub(crate) fn key(&self, id: KeyId) -> Option<KeyRecord> {
        self.inner.lock().unwrap().keys.get(&id).cloned()
    }

    pub(crate) fn account(&self, id: AccountId) -> Option<Account> {
        self.inner.lock().unwrap().accounts.get(&id).cloned()
    }
}

/// The live keys; a sealed secret is the secret itself.
pub(crate) struct Keys {
    policy: Policy,
    clock: Arc<HandClock>,
    live: Mutex<BTreeMap<ApiKey, Arc<LiveKey>>>,
    accounts: Mutex<BTreeMap<AccountId, Arc<LiveAccount>>>,
}

impl Keys {
    pub(crate) fn new(policy: Policy, clock: Arc<HandClock>) -> Self {
        Self { policy, clock, live: Mutex::default(), accounts: Mutex::default() }
    }

    pub(crate) fn live(&self, api_key: &ApiKey) -> Option<Arc<LiveKey>> {
        self.live.lock().unwrap().get(api_key).cloned()
    }

    fn account(&self, id: AccountId, rows: &Rows) -> Arc<LiveAccount> {
        let record = rows.account(id).unwrap();
        let master = record.master.map(|master| self.account(master, rows));
        let fresh = || Arc::new(LiveAccount::new(record, master));
        self.accounts.lock().unwrap().entry(id).or_insert_with(fresh).clone()
    }

    /// Puts a record in force.
    pub(crate) fn put(&self, record: &KeyRecord, rows: &Rows) {
        let now = self.clock.now();
        if let Some(live) = self.live(&record.api_key) {
            live.refresh(record, &self.policy, now);
            return;
        }
        let account = self.account(record.account, rows);
        let live = Arc::new(LiveKey::new(record, account, &self.policy, now));
        self.live.lock().unwrap().insert(record.api_key, live);
    }
}

impl KeysPort for Keys {
    fn find(&self, api_key: &ApiKey) -> Option<Arc<LiveKey>> {
        self.live(api_key)
    }
}

impl OpenMaterial for Keys {
    fn open(&self, _: AccountId, _: KeyId, material: &Material) -> Option<Verifier> {
        match material {
            Material::Hmac { sealed } => Some(Verifier::hmac(&SecretKey::parse(&sealed.0).ok()?)),
            Material::Rsa(_) | Material::Ed25519(_) => None,
        }
    }
}

/// All four ports.
pub(crate) struct MemoryPorts {
    rows: Arc<Rows>,
    keys: Arc<Keys>,
    exchange: Exchange,
}

impl MemoryPorts {
    pub(crate) fn new(rows: Arc<Rows>, keys: Arc<Keys>, exchange: Exchange) -> Self {
        Self { rows, keys, exchange }
    }

    pub(crate) fn rows(&self) -> &Rows {
        &self.rows
    }
}

impl Store for MemoryPorts {
    async fn load(&self, account: AccountId) -> Result<Option<Loaded>, StoreError> {
        let inner = self.rows.inner.lock().unwrap();
        let keys = inner.keys.values().filter(|key| key.account == account);
        let keys = keys.filter(|key| !matches!(key.state, KeyState::Deleted { .. })).cloned().collect();
        let find = |id| inner.accounts.get(&id).cloned();
        let loaded = |account: Account| Loaded { master: account.master.and_then(find), account, keys };
        Ok(find(account).map(loaded))
    }

    async fn account_by_email(&self, email: &Email) -> Result<Option<AccountId>, StoreError> {
        let inner = self.rows.inner.lock().unwrap();
        Ok(inner.accounts.values().find(|account| account.email == *email).map(|account| account.id))
    }

    async fn key(&self, api_key: ApiKey) -> Result<Option<KeyRecord>, StoreError> {
        let inner = self.rows.inner.lock().unwrap();
        Ok(inner.keys.values().find(|key| key.api_key == api_key).cloned())
    }

    async fn all_keys(&self, account: AccountId) -> Result<Vec<KeyRecord>, StoreError> {
        let inner = self.rows.inner.lock().unwrap();
        Ok(inner.keys.values().filter(|key| key.account == account).cloned().collect())
    }

    async fn public_key_known(&self, _: [u8; 32]) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn next_account_id(&self) -> Result<AccountId, StoreError> {
        let next = i64::try_from(self.rows.counter.fetch_add(1, Ordering::Relaxed)).unwrap();
        Ok(AccountId(1000 + next))
    }

    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let mut inner = self.rows.inner.lock().unwrap();
        inner.revision += 1;
        let mut effects = Vec::new();
        for effect in change.effects {
            let id = i64::try_from(inner.effects.len()).unwrap() + 1;
            inner.effects.insert(id, effect);
            effects.push(EffectId(id));
        }
        let accounts: Vec<Account> = change.accounts.into_iter().map(|write| write.record).collect();
        let keys: Vec<KeyRecord> = change.keys.into_iter().map(|write| write.record).collect();
        inner.accounts.extend(accounts.iter().map(|account| (account.id, account.clone())));
        inner.keys.extend(keys.iter().map(|key| (key.id, key.clone())));
        Ok(Committed { revision: inner.revision, effects, accounts, keys, waiting: Vec::new() })
    }
}

impl Directory for MemoryPorts {
    async fn accounts(&self, after: AccountId, limit: u32) -> Result<Vec<Account>, StoreError> {
        let inner = self.rows.inner.lock().unwrap();
        let later = inner.accounts.values().filter(|account| account.id > after);
        Ok(later.take(usize::try_from(limit).unwrap()).cloned().collect())
    }

    async fn sub_accounts(&self, master: AccountId, skip: u64, limit: u32) -> Result<Vec<Account>, StoreError> {
        let (skip, limit) = (usize::try_from(skip).unwrap(), usize::try_from(limit).unwrap());
        let inner = self.rows.inner.lock().unwrap();
        let found = inner.accounts.values().filter(|account| account.master == Some(master));
        Ok(found.skip(skip).take(limit).cloned().collect())
    }

    async fn count_sub_accounts(&self, master: AccountId) -> Result<u64, StoreError> {
        self.sub_accounts(master, 0, u32::MAX).await.map(|all| all.len() as u64)
    }

    async fn account_of_key(&self, key: KeyId) -> Result<Option<AccountId>, StoreError> {
        Ok(self.rows.key(key).map(|key| key.account))
    }

    async fn due(&self, _: Timestamp, _: u32) -> Result<Vec<AccountId>, StoreError> {
        Ok(Vec::new())
    }
}

/// Notes that nobody reads here.
impl Notes for MemoryPorts {
    async fn note(&self, _: AuditEvent) -> Result<u64, StoreError> {
        let mut inner = self.rows.inner.lock().unwrap();
        inner.revision += 1;
        Ok(inner.revision)
    }

    async fn notices(&self, _: AccountId, _: u64, _: u32) -> Result<Vec<KeptNotice>, StoreError> {
        Ok(Vec::new())
    }

    async fn unsent_notices(&self, _: Timestamp, _: u32) -> Result<Vec<KeptNotice>, StoreError> {
        Ok(Vec::new())
    }

    async fn postpone(&self, _: u64, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn mark_sent(&self, _: &[u64]) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Signed calls keep nothing on the shelf.
impl Shelf for MemoryPorts {
    async fn put(
        &self,
        _: ShelfKind,
        _: [u8; 32],
        _: Option<AccountId>,
        _: &[u8],
        _: Timestamp,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn get(&self, _: ShelfKind, _: [u8; 32], _: Timestamp) -> Result<Option<ShelfItem>, StoreError> {
        unreachable!()
    }

    async fn swap(&self, _: ShelfKind, _: [u8; 32], _: u64, _: &[u8], _: Timestamp) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn take(&self, _: ShelfKind, _: [u8; 32], _: Timestamp) -> Result<Option<ShelfItem>, StoreError> {
        unreachable!()
    }

    async fn list(
        &self,
        _: ShelfKind,
        _: Option<AccountId>,
        _: Timestamp,
        _: u32,
    ) -> Result<Vec<ShelfItem>, StoreError> {
        unreachable!()
    }

    async fn remove_owner(&self, _: ShelfKind, _: AccountId) -> Result<u64, StoreError> {
        unreachable!()
    }

    async fn sweep(&self, _: Timestamp) -> Result<u64, StoreError> {
        unreachable!()
    }
}

impl Secrets for MemoryPorts {
    fn seal(&self, _: SealFor, secret: &[u8]) -> Sealed {
        Sealed(secret.to_vec())
    }

    fn open(&self, _: SealFor, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealBroken> {
        Ok(Zeroizing::new(sealed.0.clone()))
    }

    fn random(&self, bytes: &mut [u8]) {
        let seed = self.rows.counter.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let stream = (0u8..).flat_map(|block| latchkey_crypto::digest::sha256(&[&seed[..], &[block]].concat()));
        bytes.iter_mut().zip(stream).for_each(|(byte, drawn)| *byte = drawn);
    }
}

impl Live for MemoryPorts {
    fn apply(&self, committed: &Committed) {
        for record in &committed.keys {
            self.keys.put(record, &self.rows);
        }
    }
}

impl Outbox for MemoryPorts {
    async fn settle(&self, effects: &[EffectId]) -> Result<(), NotSettled> {
        for id in effects {
            let effect = self.rows.inner.lock().unwrap().effects[&id.0];
            self.exchange.deliver(*id, &effect).await.map_err(|_| NotSettled)?;
        }
        Ok(())
    }
}

impl Ports for MemoryPorts {
    type Store = Self;
    type Secrets = Self;
    type Live = Self;
    type Outbox = Self;
    type Shelf = Self;

    fn store(&self) -> &Self {
        self
    }

    fn secrets(&self) -> &Self {
        self
    }

    fn live(&self) -> &Self {
        self
    }

    fn outbox(&self) -> &Self {
        self
    }

    fn shelf(&self) -> &Self {
        self
    }
}

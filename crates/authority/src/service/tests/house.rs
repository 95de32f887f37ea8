//! All ports over plain memory.

use crate::account::{Account, Email, Sealed};
use crate::change::{AuditEvent, Change, Committed, Effect, EffectId, Notice, Write};
use crate::key::{KeyRecord, KeyState};
use crate::ports::{
    Directory, KeptNotice, Live, Loaded, NotSettled, Notes, Outbox, Ports, SealBroken, SealFor, Secrets, Shelf,
    ShelfItem, ShelfKind, Store, StoreError, Unique,
};
use crate::stored::Stored;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::task::{Context, Poll, Waker};
use latchkey_protocol::{AccountId, ApiKey, KeyId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use zeroize::Zeroizing;

/// Runs a future whose ports answer at once.
pub(super) fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a port waited"),
    }
}

/// What happened outside, in order.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Event {
    Committed(u64),
    Settled(Vec<EffectId>),
    Live(u64),
}

/// All ports over plain memory; records rest encoded, as in a store.
#[derive(Default)]
pub(super) struct House {
    pub(super) rows: Mutex<Rows>,
    pub(super) events: Mutex<Vec<Event>>,
    pub(super) signed_out: Mutex<Vec<(ShelfKind, AccountId)>>,
    pub(super) counter: AtomicU64,
    pub(super) exchange_is_down: AtomicBool,
    pub(super) always_conflict: AtomicBool,
    pub(super) let_in_between: Mutex<Option<Interference>>,
}

/// What happens between a load and the commit that follows.
pub(super) type Interference = Box<dyn FnOnce(&House) + Send>;

#[derive(Default)]
pub(super) struct Rows {
    pub(super) revision: u64,
    pub(super) accounts: BTreeMap<AccountId, Vec<u8>>,
    pub(super) keys: BTreeMap<KeyId, Vec<u8>>,
    pub(super) effects: Vec<Effect>,
    pub(super) audit: Vec<AuditEvent>,
    pub(super) notices: Vec<Notice>,
}

impl Rows {
    pub(super) fn account(&self, id: AccountId) -> Option<Account> {
        self.accounts.get(&id).map(|bytes| Account::decode(bytes).unwrap())
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = KeyRecord> {
        self.keys.values().map(|bytes| KeyRecord::decode(bytes).unwrap())
    }

    fn holds<T>(write: &Write<T>, stored: Option<u64>) -> bool {
        write.expected == stored
    }

    fn commit(&mut self, change: Change) -> Result<Committed, StoreError> {
        let key_version = |id| self.keys.get(&id).map(|bytes| KeyRecord::decode(bytes).unwrap().version);
        let version = |id| self.account(id).map(|account| account.version);
        let fresh = change.accounts.iter().all(|write| Self::holds(write, version(write.record.id)))
            && change.keys.iter().all(|write| Self::holds(write, key_version(write.record.id)))
            && change.guards.iter().all(|guard| version(guard.account) == Some(guard.version));
        if !fresh {
            return Err(StoreError::Conflict);
        }
        let inserted = change.keys.iter().filter(|write| write.expected.is_none());
        if inserted.into_iter().any(|write| self.keys().any(|key| key.api_key == write.record.api_key)) {
            return Err(StoreError::Taken(Unique::ApiKey));
        }
        self.revision += 1;
        let first = i64::try_from(self.revision).unwrap() * 1000;
        let effects = (first..).take(change.effects.len()).map(EffectId).collect();
        self.effects.extend(change.effects);
        self.audit.push(change.audit);
        self.notices.extend(change.notices);
        let accounts: Vec<Account> = change.accounts.into_iter().map(|write| write.record).collect();
        let keys: Vec<KeyRecord> = change.keys.into_iter().map(|write| write.record).collect();
        self.accounts.extend(accounts.iter().map(|account| (account.id, account.encode())));
        self.keys.extend(keys.iter().map(|key| (key.id, key.encode())));
        Ok(Committed { revision: self.revision, effects, accounts, keys, waiting: Vec::new() })
    }
}

impl Store for House {
    async fn load(&self, account: AccountId) -> Result<Option<Loaded>, StoreError> {
        let loaded = {
            let rows = self.rows.lock().unwrap();
            rows.account(account).map(|account| Loaded {
                master: account.master.and_then(|master| rows.account(master)),
                keys: rows
                    .keys()
                    .filter(|key| key.account == account.id && !matches!(key.state, KeyState::Deleted { .. }))
                    .collect(),
                account,
            })
        };
        if let Some(act) = self.let_in_between.lock().unwrap().take() {
            act(self);
        }
        Ok(loaded)
    }

    async fn account_by_email(&self, email: &Email) -> Result<Option<AccountId>, StoreError> {
        let rows = self.rows.lock().unwrap();
        Ok(rows.accounts.keys().copied().find(|id| rows.account(*id).unwrap().email == *email))
    }

    async fn key(&self, api_key: ApiKey) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self.rows.lock().unwrap().keys().find(|key| key.api_key == api_key))
    }

    async fn all_keys(&self, account: AccountId) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(self.rows.lock().unwrap().keys().filter(|key| key.account == account).collect())
    }

    async fn public_key_known(&self, fingerprint: [u8; 32]) -> Result<bool, StoreError> {
        let known = |key: &KeyRecord| key.material.public().is_some_and(|public| public.fingerprint == fingerprint);
        Ok(self.rows.lock().unwrap().keys().any(|key| known(&key)))
    }

    async fn next_account_id(&self) -> Result<AccountId, StoreError> {
        Ok(AccountId(1000 + i64::try_from(self.counter.fetch_add(1, Ordering::Relaxed)).unwrap()))
    }

    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        if self.always_conflict.load(Ordering::Relaxed) {
            return Err(StoreError::Conflict);
        }
        let committed = self.rows.lock().unwrap().commit(change)?;
        self.events.lock().unwrap().push(Event::Committed(committed.revision));
        Ok(committed)
    }
}

impl Secrets for House {
    fn seal(&self, what: SealFor, secret: &[u8]) -> Sealed {
        let mut sealed = what.purpose.as_str().as_bytes().to_vec();
        sealed.extend(what.account.0.to_be_bytes());
        sealed.extend(secret.iter().map(|byte| byte ^ 0xff));
        Sealed(sealed)
    }

    fn open(&self, what: SealFor, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealBroken> {
        let bound = self.seal(what, &[]).0;
        let secret = sealed.0.strip_prefix(bound.as_slice()).ok_or(SealBroken)?;
        Ok(Zeroizing::new(secret.iter().map(|byte| byte ^ 0xff).collect()))
    }

    fn random(&self, bytes: &mut [u8]) {
        let seed = self.counter.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let stream = (0u8..).flat_map(|block| latchkey_crypto::digest::sha256(&[&seed[..], &[block]].concat()));
        bytes.iter_mut().zip(stream).for_each(|(byte, drawn)| *byte = drawn);
    }
}

impl Live for House {
    fn apply(&self, committed: &Committed) {
        self.events.lock().unwrap().push(Event::Live(committed.revision));
    }
}

impl Outbox for House {
    async fn settle(&self, effects: &[EffectId]) -> Result<(), NotSettled> {
        if self.exchange_is_down.load(Ordering::Relaxed) {
            return Err(NotSettled);
        }
        self.events.lock().unwrap().push(Event::Settled(effects.to_vec()));
        Ok(())
    }
}

impl Directory for House {
    async fn accounts(&self, after: AccountId, limit: u32) -> Result<Vec<Account>, StoreError> {
        let rows = self.rows.lock().unwrap();
        let ids = rows.accounts.keys().filter(|id| **id > after).take(usize::try_from(limit).unwrap());
        Ok(ids.map(|id| rows.account(*id).unwrap()).collect())
    }

    async fn sub_accounts(&self, master: AccountId, skip: u64, limit: u32) -> Result<Vec<Account>, StoreError> {
        let (skip, limit) = (usize::try_from(skip).unwrap(), usize::try_from(limit).unwrap());
        let rows = self.rows.lock().unwrap();
        let accounts = rows.accounts.keys().map(|id| rows.account(*id).unwrap());
        Ok(accounts.filter(|account| account.master == Some(master)).skip(skip).take(limit).collect())
    }

    async fn count_sub_accounts(&self, master: AccountId) -> Result<u64, StoreError> {
        self.sub_accounts(master, 0, u32::MAX).await.map(|all| all.len() as u64)
    }

    async fn account_of_key(&self, key: KeyId) -> Result<Option<AccountId>, StoreError> {
        Ok(self.rows.lock().unwrap().keys().find(|record| record.id == key).map(|record| record.account))
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError> {
        let rows = self.rows.lock().unwrap();
        let due = |key: &KeyRecord| key.watch.due.is_some_and(|due| due <= now);
        let accounts: BTreeSet<AccountId> = rows.keys().filter(due).map(|key| key.account).collect();
        Ok(accounts.into_iter().take(usize::try_from(limit).unwrap()).collect())
    }
}

impl Notes for House {
    async fn note(&self, event: AuditEvent) -> Result<u64, StoreError> {
        let mut rows = self.rows.lock().unwrap();
        rows.revision += 1;
        rows.audit.push(event);
        Ok(rows.revision)
    }

    async fn notices(&self, _: AccountId, _: u64, _: u32) -> Result<Vec<KeptNotice>, StoreError> {
        unreachable!("the authority writes notices and never reads them")
    }

    async fn unsent_notices(&self, _: Timestamp, _: u32) -> Result<Vec<KeptNotice>, StoreError> {
        unreachable!("the authority writes notices and never reads them")
    }

    async fn postpone(&self, _: u64, _: Timestamp) -> Result<(), StoreError> {
        unreachable!("the authority sends nothing")
    }

    async fn mark_sent(&self, _: &[u64]) -> Result<(), StoreError> {
        unreachable!("the authority sends nothing")
    }
}

/// The authority itself keeps nothing there.
impl Shelf for House {
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

    async fn remove_owner(&self, kind: ShelfKind, owner: AccountId) -> Result<u64, StoreError> {
        self.signed_out.lock().unwrap().push((kind, owner));
        Ok(1)
    }

    async fn sweep(&self, _: Timestamp) -> Result<u64, StoreError> {
        unreachable!()
    }
}

impl Ports for House {
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

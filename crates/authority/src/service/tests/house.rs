//! A house in memory that tells what happened, and that others may interfere with.

use crate::account::{Account, Sealed};
use crate::change::{Change, Committed, EffectId};
use crate::key::KeyRecord;
use crate::memory::{InMemory, Records};
use crate::ports::{Live, NotSettled, Outbox, SealBroken, SealFor, Secrets, StoreError};
use crate::stored::Stored;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::task::{Context, Poll, Waker};
use latchkey_protocol::{AccountId, KeyId};
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

/// All ports over plain memory.
#[derive(Default)]
pub(super) struct House {
    memory: Mutex<Records>,
    pub(super) events: Mutex<Vec<Event>>,
    drawn: AtomicU64,
    pub(super) exchange_is_down: AtomicBool,
    pub(super) always_conflict: AtomicBool,
    pub(super) let_in_between: Mutex<Option<Interference>>,
}

/// What happens between a load and the commit that follows.
pub(super) type Interference = Box<dyn FnOnce(&House) + Send>;

impl House {
    pub(super) fn insert(&self, account: Account) {
        self.records().accounts.insert(account.id, account);
    }

    pub(super) fn account(&self, id: AccountId) -> Account {
        self.records().accounts[&id].clone()
    }

    pub(super) fn key(&self, id: KeyId) -> KeyRecord {
        self.records().keys[&id].clone()
    }
}

impl InMemory for House {
    fn memory(&self) -> &Mutex<Records> {
        &self.memory
    }

    fn before_commit(&self, change: &Change) -> Result<(), StoreError> {
        if let Some(act) = self.let_in_between.lock().unwrap().take() {
            act(self);
        }
        if self.always_conflict.load(Ordering::Relaxed) {
            return Err(StoreError::Conflict);
        }
        for write in &change.accounts {
            assert_eq!(Account::decode(&write.record.encode()).unwrap(), write.record, "it rests as it is");
        }
        for write in &change.keys {
            assert_eq!(KeyRecord::decode(&write.record.encode()).unwrap(), write.record, "it rests as it is");
        }
        Ok(())
    }

    fn after_commit(&self, committed: &Committed) -> Result<(), StoreError> {
        self.events.lock().unwrap().push(Event::Committed(committed.revision));
        Ok(())
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
        let seed = self.drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes();
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

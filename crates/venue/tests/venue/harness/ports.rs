//! The authority's ports and the line's keys over plain memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use latchkey_admission::live::{LiveAccount, LiveKey};
use latchkey_admission::ports::{Clock, Keys as KeysPort, OpenMaterial};
use latchkey_authority::account::{Account, Sealed};
use latchkey_authority::change::{Committed, EffectId};
use latchkey_authority::key::{KeyRecord, Material};
use latchkey_authority::memory::{InMemory, Records};
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::{Live, NotSettled, Outbox, SealBroken, SealFor, Secrets};
use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::verify::Verifier;
use latchkey_protocol::{AccountId, ApiKey, KeyId};
use latchkey_venue::sequencer::Exchange;
use zeroize::Zeroizing;

use super::HandClock;

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

    fn account(&self, id: AccountId, records: &Records) -> Arc<LiveAccount> {
        let record = records.accounts[&id].clone();
        let master = record.master.map(|master| self.account(master, records));
        let fresh = || Arc::new(LiveAccount::new(record, master));
        self.accounts.lock().unwrap().entry(id).or_insert_with(fresh).clone()
    }

    /// Puts a record in force.
    pub(crate) fn put(&self, record: &KeyRecord, records: &Records) {
        let now = self.clock.now();
        if let Some(live) = self.live(&record.api_key) {
            live.refresh(record, &self.policy, now);
            return;
        }
        let account = self.account(record.account, records);
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

/// Every port of the authority.
pub(crate) struct MemoryPorts {
    records: Mutex<Records>,
    drawn: AtomicU64,
    keys: Arc<Keys>,
    exchange: Exchange,
}

impl MemoryPorts {
    pub(crate) fn new(accounts: impl IntoIterator<Item = Account>, keys: Arc<Keys>, exchange: Exchange) -> Self {
        let mut records = Records::default();
        records.accounts.extend(accounts.into_iter().map(|account| (account.id, account)));
        Self { records: Mutex::new(records), drawn: AtomicU64::new(1), keys, exchange }
    }

    /// A number that was never given before.
    pub(crate) fn next(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::Relaxed)
    }

    /// Stores a key and puts it in force.
    pub(crate) fn put(&self, record: KeyRecord) {
        let mut records = self.records();
        self.keys.put(&record, &records);
        records.keys.insert(record.id, record);
    }
}

impl InMemory for MemoryPorts {
    fn memory(&self) -> &Mutex<Records> {
        &self.records
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
        let seed = self.next().to_be_bytes();
        let stream = (0u8..).flat_map(|block| latchkey_crypto::digest::sha256(&[&seed[..], &[block]].concat()));
        bytes.iter_mut().zip(stream).for_each(|(byte, drawn)| *byte = drawn);
    }
}

impl Live for MemoryPorts {
    fn apply(&self, committed: &Committed) {
        for record in &committed.keys {
            self.keys.put(record, &self.records());
        }
    }
}

impl Outbox for MemoryPorts {
    async fn settle(&self, effects: &[EffectId]) -> Result<(), NotSettled> {
        for id in effects {
            let effect = self.records().effects[usize::try_from(id.0).unwrap() - 1];
            self.exchange.deliver(*id, &effect).await.map_err(|_| NotSettled)?;
        }
        Ok(())
    }
}

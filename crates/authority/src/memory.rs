//! Records in plain memory: what a world is rehearsed in before it is made for good, and what tests stand on.
//!
//! Whatever is [`InMemory`] answers every port of records by the rules that a store on a disk keeps: versions, guards,
//! claims, names that are never given twice. Nothing is durable, and no record is ever forgotten.

use crate::account::{Account, Email};
use crate::change::{AuditEvent, Change, Committed, Effect, EffectId, Write};
use crate::claim::Settled;
use crate::key::{KeyRecord, KeyState};
use crate::ports::{
    Directory, KeptNotice, Live, Loaded, Notes, Outbox, Ports, Secrets, Shelf, ShelfItem, ShelfKind, Store, StoreError,
    Unique,
};
use latchkey_protocol::{AccountId, ApiKey, KeyId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Everything that is kept.
#[derive(Default)]
pub struct Records {
    /// How many changes and notes were written.
    pub revision: u64,
    /// The accounts.
    pub accounts: BTreeMap<AccountId, Account>,
    /// The keys, deleted ones too.
    pub keys: BTreeMap<KeyId, KeyRecord>,
    /// The audit records with their revisions, oldest first.
    pub audit: Vec<(u64, AuditEvent)>,
    /// The effects, oldest first; the first has the id 1.
    pub effects: Vec<Effect>,
    /// The notices, oldest first.
    pub notices: Vec<KeptNotice>,
    /// What lies on the shelf, by the name of its kind and its own.
    pub shelf: BTreeMap<(&'static str, [u8; 32]), ShelfItem>,
    last_account: i64,
}

/// What keeps its records in memory. Its secrets, live keys and outbox are its own; the rest follows.
pub trait InMemory: Send + Sync {
    /// Where they are.
    fn memory(&self) -> &Mutex<Records>;

    /// Looks at them.
    fn records(&self) -> MutexGuard<'_, Records> {
        self.memory().lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes between the decision of a change and its commit.
    ///
    /// # Errors
    /// What the commit answers instead; nothing is written then.
    fn before_commit(&self, _change: &Change) -> Result<(), StoreError> {
        Ok(())
    }

    /// Comes between a commit and its answer.
    ///
    /// # Errors
    /// What is answered instead; the change is written all the same.
    fn after_commit(&self, _committed: &Committed) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Records {
    fn is_fresh(&self, change: &Change) -> bool {
        let account = |id| self.accounts.get(&id).map(|account| account.version);
        let key = |id| self.keys.get(&id).map(|key| key.version);
        change.accounts.iter().all(|write| write.expected == account(write.record.id))
            && change.keys.iter().all(|write| write.expected == key(write.record.id))
            && change.guards.iter().all(|guard| account(guard.account) == Some(guard.version))
    }

    fn taken(&self, change: &Change) -> Option<Unique> {
        let email = |Write { record, .. }: &Write<Account>| {
            self.accounts.values().any(|other| other.email == record.email && other.id != record.id)
        };
        let api_key = |Write { record, .. }: &Write<KeyRecord>| {
            self.keys.values().any(|other| other.api_key == record.api_key && other.id != record.id)
        };
        if change.accounts.iter().any(email) {
            Some(Unique::Email)
        } else if change.keys.iter().any(api_key) {
            Some(Unique::ApiKey)
        } else {
            None
        }
    }

    fn settle(&mut self, settled: &Settled) -> Result<(), StoreError> {
        let name = (ShelfKind::Idempotency.name(), settled.claim.name);
        let claim = self.shelf.get_mut(&name).filter(|item| item.version == settled.claim.version);
        let claim = claim.ok_or(StoreError::ClaimLost)?;
        (claim.value, claim.expires) = (settled.encode(), settled.claim.kept_until);
        claim.version += 1;
        Ok(())
    }

    fn remove_owner(&mut self, kind: ShelfKind, owner: AccountId) -> u64 {
        let gone =
            |(name, _): &(&str, [u8; 32]), item: &mut ShelfItem| *name == kind.name() && item.owner == Some(owner);
        self.shelf.extract_if(.., gone).count() as u64
    }

    fn write(&mut self, event: AuditEvent) -> u64 {
        self.revision += 1;
        self.audit.push((self.revision, event));
        self.revision
    }

    fn commit(&mut self, change: Change) -> Result<Committed, StoreError> {
        if !self.is_fresh(&change) {
            return Err(StoreError::Conflict);
        }
        if let Some(unique) = self.taken(&change) {
            return Err(StoreError::Taken(unique));
        }
        if let Some(settled) = &change.settled {
            self.settle(settled)?;
        }
        if let Some(owner) = change.signed_out {
            for kind in ShelfKind::OF_SIGNED_IN {
                self.remove_owner(kind, owner);
            }
        }
        let at = change.audit.at;
        for notice in change.notices {
            let id = self.notices.len() as u64 + 1;
            self.notices.push(KeptNotice { id, at, notice, sent: false });
        }
        let first = self.effects.len() as i64 + 1;
        let effects = (first..).take(change.effects.len()).map(EffectId).collect();
        self.effects.extend(change.effects);
        let accounts: Vec<Account> = change.accounts.into_iter().map(|write| write.record).collect();
        let keys: Vec<KeyRecord> = change.keys.into_iter().map(|write| write.record).collect();
        self.accounts.extend(accounts.iter().map(|account| (account.id, account.clone())));
        self.keys.extend(keys.iter().map(|key| (key.id, key.clone())));
        Ok(Committed { revision: self.write(change.audit), effects, accounts, keys, waiting: Vec::new() })
    }
}

impl<T: InMemory> Store for T {
    async fn load(&self, account: AccountId) -> Result<Option<Loaded>, StoreError> {
        let records = self.records();
        let Some(account) = records.accounts.get(&account).cloned() else { return Ok(None) };
        let master = account.master.and_then(|master| records.accounts.get(&master)).cloned();
        let is_his = |key: &&KeyRecord| key.account == account.id && !matches!(key.state, KeyState::Deleted { .. });
        let keys = records.keys.values().filter(is_his).cloned().collect();
        Ok(Some(Loaded { account, master, keys }))
    }

    async fn account_by_email(&self, email: &Email) -> Result<Option<AccountId>, StoreError> {
        Ok(self.records().accounts.values().find(|account| account.email == *email).map(|account| account.id))
    }

    async fn key(&self, api_key: ApiKey) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self.records().keys.values().find(|key| key.api_key == api_key).cloned())
    }

    async fn all_keys(&self, account: AccountId) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(self.records().keys.values().filter(|key| key.account == account).cloned().collect())
    }

    async fn public_key_known(&self, fingerprint: [u8; 32]) -> Result<bool, StoreError> {
        let known = |key: &KeyRecord| key.material.public().is_some_and(|public| public.fingerprint == fingerprint);
        Ok(self.records().keys.values().any(known))
    }

    async fn next_account_id(&self) -> Result<AccountId, StoreError> {
        let mut records = self.records();
        let highest = records.accounts.keys().next_back().map_or(0, |id| id.0);
        records.last_account = records.last_account.max(highest) + 1;
        Ok(AccountId(records.last_account))
    }

    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        self.before_commit(&change)?;
        let committed = self.records().commit(change)?;
        self.after_commit(&committed)?;
        Ok(committed)
    }
}

impl<T: InMemory> Directory for T {
    async fn accounts(&self, after: AccountId, limit: u32) -> Result<Vec<Account>, StoreError> {
        let records = self.records();
        let later = records.accounts.values().filter(|account| account.id > after);
        Ok(later.take(limit as usize).cloned().collect())
    }

    async fn sub_accounts(&self, master: AccountId, skip: u64, limit: u32) -> Result<Vec<Account>, StoreError> {
        let records = self.records();
        let found = records.accounts.values().filter(|account| account.master == Some(master));
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Ok(found.skip(skip).take(limit as usize).cloned().collect())
    }

    async fn count_sub_accounts(&self, master: AccountId) -> Result<u64, StoreError> {
        Ok(self.records().accounts.values().filter(|account| account.master == Some(master)).count() as u64)
    }

    async fn account_of_key(&self, key: KeyId) -> Result<Option<AccountId>, StoreError> {
        Ok(self.records().keys.get(&key).map(|key| key.account))
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError> {
        let records = self.records();
        let due = records.keys.values().filter(|key| key.watch.due.is_some_and(|due| due <= now));
        let accounts: BTreeSet<AccountId> = due.map(|key| key.account).collect();
        Ok(accounts.into_iter().take(limit as usize).collect())
    }
}

impl<T: InMemory> Notes for T {
    async fn note(&self, event: AuditEvent) -> Result<u64, StoreError> {
        Ok(self.records().write(event))
    }

    async fn note_end(&self, event: AuditEvent, kind: ShelfKind, items: &[[u8; 32]]) -> Result<u64, StoreError> {
        let mut records = self.records();
        for item in items {
            records.shelf.remove(&(kind.name(), *item));
        }
        Ok(records.write(event))
    }

    async fn notices(&self, account: AccountId, after: u64, limit: u32) -> Result<Vec<KeptNotice>, StoreError> {
        let records = self.records();
        let own = records.notices.iter().filter(|kept| kept.notice.account == account && kept.id > after);
        Ok(own.take(limit as usize).cloned().collect())
    }

    /// None of them: nobody sends letters of what is not durable.
    async fn unsent_notices(&self, _now: Timestamp, _limit: u32) -> Result<Vec<KeptNotice>, StoreError> {
        Ok(Vec::new())
    }

    async fn postpone(&self, _id: u64, _due: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn mark_sent(&self, _ids: &[u64]) -> Result<(), StoreError> {
        Ok(())
    }
}

impl<T: InMemory> Shelf for T {
    async fn put(
        &self,
        kind: ShelfKind,
        key: [u8; 32],
        owner: Option<AccountId>,
        value: &[u8],
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut records = self.records();
        let name = (kind.name(), key);
        let before = records.shelf.get(&name);
        if before.is_some_and(|item| now < item.expires) {
            return Ok(false);
        }
        // What takes the place of an expired item goes on with its version: a late swap of that one must not hit.
        let version = before.map_or(0, |item| item.version) + 1;
        records.shelf.insert(name, ShelfItem { key, owner, value: value.to_vec(), version, expires });
        Ok(true)
    }

    async fn get(&self, kind: ShelfKind, key: [u8; 32], now: Timestamp) -> Result<Option<ShelfItem>, StoreError> {
        Ok(self.records().shelf.get(&(kind.name(), key)).filter(|item| now < item.expires).cloned())
    }

    async fn swap(
        &self,
        kind: ShelfKind,
        key: [u8; 32],
        version: u64,
        value: &[u8],
        expires: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut records = self.records();
        let Some(item) = records.shelf.get_mut(&(kind.name(), key)).filter(|item| item.version == version) else {
            return Ok(false);
        };
        (item.value, item.expires) = (value.to_vec(), expires);
        item.version += 1;
        Ok(true)
    }

    async fn take(&self, kind: ShelfKind, key: [u8; 32], now: Timestamp) -> Result<Option<ShelfItem>, StoreError> {
        let taken = self.records().shelf.remove(&(kind.name(), key));
        Ok(taken.filter(|item| now < item.expires))
    }

    /// By name: what is kept does not say when it was put.
    async fn list(
        &self,
        kind: ShelfKind,
        owner: Option<AccountId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<ShelfItem>, StoreError> {
        let records = self.records();
        let of_kind = records.shelf.iter().filter(|((name, _), _)| *name == kind.name()).map(|(_, item)| item);
        let wanted = of_kind.filter(|item| now < item.expires && (owner.is_none() || item.owner == owner));
        Ok(wanted.take(limit as usize).cloned().collect())
    }

    async fn remove_owner(&self, kind: ShelfKind, owner: AccountId) -> Result<u64, StoreError> {
        Ok(self.records().remove_owner(kind, owner))
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.records().shelf.extract_if(.., |_, item| item.expires <= now).count() as u64)
    }
}

impl<T: InMemory + Secrets + Live + Outbox> Ports for T {
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

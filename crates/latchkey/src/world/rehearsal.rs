//! A house in memory: a world is made here first, so that one that is refused leaves nothing behind.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use latchkey_authority::account::{Account, Email};
use latchkey_authority::change::{AuditEvent, Change, Committed, EffectId};
use latchkey_authority::key::{KeyRecord, KeyState};
use latchkey_authority::ports::{
    Directory, KeptNotice, Live, Loaded, NotSettled, Notes, Outbox, Ports, Secrets, Shelf, ShelfItem, ShelfKind, Store,
    StoreError, Unique,
};
use latchkey_protocol::{AccountId, ApiKey, KeyId, Timestamp};

/// Ports that keep records in memory and have no exchange behind them.
pub(super) struct Rehearsal<'a, S> {
    secrets: &'a S,
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    revision: u64,
    last_account: i64,
    accounts: BTreeMap<AccountId, Account>,
    keys: BTreeMap<KeyId, KeyRecord>,
}

impl<'a, S> Rehearsal<'a, S> {
    /// An empty house that seals with `secrets`.
    pub(super) fn new(secrets: &'a S) -> Self {
        Self { secrets, rows: Mutex::default() }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that was made, accounts and keys in the order of their ids.
    #[cfg(test)]
    pub(super) fn records(&self) -> (Vec<Account>, Vec<KeyRecord>) {
        let rows = self.rows();
        (rows.accounts.values().cloned().collect(), rows.keys.values().cloned().collect())
    }
}

impl Rows {
    fn is_fresh(&self, change: &Change) -> bool {
        let account = |id| self.accounts.get(&id).map(|account| account.version);
        let key = |id| self.keys.get(&id).map(|key| key.version);
        change.accounts.iter().all(|write| write.expected == account(write.record.id))
            && change.keys.iter().all(|write| write.expected == key(write.record.id))
            && change.guards.iter().all(|guard| account(guard.account) == Some(guard.version))
    }

    fn taken(&self, change: &Change) -> Option<Unique> {
        let email = |account: &Account| {
            self.accounts.values().any(|other| other.email == account.email && other.id != account.id)
        };
        let api_key =
            |key: &KeyRecord| self.keys.values().any(|other| other.api_key == key.api_key && other.id != key.id);
        if change.accounts.iter().any(|write| email(&write.record)) {
            Some(Unique::Email)
        } else if change.keys.iter().any(|write| api_key(&write.record)) {
            Some(Unique::ApiKey)
        } else {
            None
        }
    }
}

impl<S: Secrets> Store for Rehearsal<'_, S> {
    async fn load(&self, account: AccountId) -> Result<Option<Loaded>, StoreError> {
        let rows = self.rows();
        let Some(account) = rows.accounts.get(&account).cloned() else { return Ok(None) };
        let master = account.master.and_then(|master| rows.accounts.get(&master)).cloned();
        let is_his = |key: &&KeyRecord| key.account == account.id && !matches!(key.state, KeyState::Deleted { .. });
        let keys = rows.keys.values().filter(is_his).cloned().collect();
        Ok(Some(Loaded { account, master, keys }))
    }

    async fn account_by_email(&self, email: &Email) -> Result<Option<AccountId>, StoreError> {
        Ok(self.rows().accounts.values().find(|account| account.email == *email).map(|account| account.id))
    }

    async fn key(&self, api_key: ApiKey) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self.rows().keys.values().find(|key| key.api_key == api_key).cloned())
    }

    async fn all_keys(&self, account: AccountId) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(self.rows().keys.values().filter(|key| key.account == account).cloned().collect())
    }

    async fn public_key_known(&self, fingerprint: [u8; 32]) -> Result<bool, StoreError> {
        let known = |key: &KeyRecord| key.material.public().is_some_and(|public| public.fingerprint == fingerprint);
        Ok(self.rows().keys.values().any(known))
    }

    async fn next_account_id(&self) -> Result<AccountId, StoreError> {
        let mut rows = self.rows();
        rows.last_account += 1;
        Ok(AccountId(rows.last_account))
    }

    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let mut rows = self.rows();
        if !rows.is_fresh(&change) {
            return Err(StoreError::Conflict);
        }
        if let Some(unique) = rows.taken(&change) {
            return Err(StoreError::Taken(unique));
        }
        rows.revision += 1;
        let accounts: Vec<Account> = change.accounts.into_iter().map(|write| write.record).collect();
        let keys: Vec<KeyRecord> = change.keys.into_iter().map(|write| write.record).collect();
        rows.accounts.extend(accounts.iter().map(|account| (account.id, account.clone())));
        rows.keys.extend(keys.iter().map(|key| (key.id, key.clone())));
        let effects = change.effects.iter().map(|_| EffectId(0)).collect();
        Ok(Committed { revision: rows.revision, effects, accounts, keys, waiting: Vec::new() })
    }
}

impl<S: Secrets> Directory for Rehearsal<'_, S> {
    async fn accounts(&self, after: AccountId, limit: u32) -> Result<Vec<Account>, StoreError> {
        let rows = self.rows();
        let later = rows.accounts.values().filter(|account| account.id > after);
        Ok(later.take(limit as usize).cloned().collect())
    }

    async fn sub_accounts(&self, master: AccountId, skip: u64, limit: u32) -> Result<Vec<Account>, StoreError> {
        let (skip, limit) = (usize::try_from(skip).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(usize::MAX));
        let rows = self.rows();
        let found = rows.accounts.values().filter(|account| account.master == Some(master));
        Ok(found.skip(skip).take(limit).cloned().collect())
    }

    async fn count_sub_accounts(&self, master: AccountId) -> Result<u64, StoreError> {
        self.sub_accounts(master, 0, u32::MAX).await.map(|all| all.len() as u64)
    }

    async fn account_of_key(&self, key: KeyId) -> Result<Option<AccountId>, StoreError> {
        Ok(self.rows().keys.get(&key).map(|key| key.account))
    }

    async fn due(&self, _: Timestamp, _: u32) -> Result<Vec<AccountId>, StoreError> {
        Ok(Vec::new())
    }
}

impl<S: Secrets> Notes for Rehearsal<'_, S> {
    async fn note(&self, _: AuditEvent) -> Result<u64, StoreError> {
        let mut rows = self.rows();
        rows.revision += 1;
        Ok(rows.revision)
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

/// No face opens onto a rehearsal, so nothing is ever put here.
impl<S: Secrets> Shelf for Rehearsal<'_, S> {
    async fn put(
        &self,
        _: ShelfKind,
        _: [u8; 32],
        _: Option<AccountId>,
        _: &[u8],
        _: Timestamp,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn get(&self, _: ShelfKind, _: [u8; 32], _: Timestamp) -> Result<Option<ShelfItem>, StoreError> {
        Ok(None)
    }

    async fn swap(&self, _: ShelfKind, _: [u8; 32], _: u64, _: &[u8], _: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn take(&self, _: ShelfKind, _: [u8; 32], _: Timestamp) -> Result<Option<ShelfItem>, StoreError> {
        Ok(None)
    }

    async fn list(
        &self,
        _: ShelfKind,
        _: Option<AccountId>,
        _: Timestamp,
        _: u32,
    ) -> Result<Vec<ShelfItem>, StoreError> {
        Ok(Vec::new())
    }

    async fn remove_owner(&self, _: ShelfKind, _: AccountId) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn sweep(&self, _: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }
}

impl<S: Secrets> Live for Rehearsal<'_, S> {
    fn apply(&self, _: &Committed) {}
}

impl<S: Secrets> Outbox for Rehearsal<'_, S> {
    async fn settle(&self, _: &[EffectId]) -> Result<(), NotSettled> {
        Ok(())
    }
}

impl<S: Secrets> Ports for Rehearsal<'_, S> {
    type Store = Self;
    type Secrets = S;
    type Live = Self;
    type Outbox = Self;
    type Shelf = Self;

    fn store(&self) -> &Self {
        self
    }

    fn secrets(&self) -> &S {
        self.secrets
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

//! Accounts: opened, edited, frozen.

use super::{ATTEMPTS_MAX, Ask, Authority, AuthorityError, Reach, unreturned};
use crate::account::Account;
use crate::caller::Caller;
use crate::change::Action;
use crate::issue::{self, AccountEdit, NewAccount, NewSubAccount};
use crate::ports::{Ports, Purpose, SealFor, Secrets as _, Store as _};
use crate::refusal::Refusal;
use latchkey_protocol::{AccountId, Timestamp};

impl<P: Ports> Authority<P> {
    /// Opens an account.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::create_account`].
    pub async fn create_account(
        &self,
        caller: &Caller,
        new: &NewAccount,
        now: Timestamp,
    ) -> Result<Account, AuthorityError> {
        let opened = self.open(caller, new, now).await;
        if let Err(AuthorityError::Refused(refusal)) = &opened {
            let account = caller.account;
            let ask = Ask { caller, account, key: None, action: Action::AccountCreated, reach: Reach::Account, now };
            self.note_refusal(ask, refusal).await?;
        }
        opened
    }

    async fn open(&self, caller: &Caller, new: &NewAccount, now: Timestamp) -> Result<Account, AuthorityError> {
        let store = self.ports.store();
        if store.account_by_email(&new.email).await.map_err(AuthorityError::Store)?.is_some() {
            return Err(Refusal::EmailTaken.into());
        }
        let id = store.next_account_id().await.map_err(AuthorityError::Store)?;
        let seal = SealFor { purpose: Purpose::TotpSeed, account: id, key: None };
        let totp = new.totp.as_ref().map(|seed| self.ports.secrets().seal(seal, seed.expose()));
        for _ in 0..ATTEMPTS_MAX {
            let master = self.master(new).await?;
            let change = issue::create_account(caller, new, id, totp.clone(), master.as_ref(), now)?;
            if let Some(committed) = self.commit(change).await? {
                return committed.accounts.into_iter().next().ok_or_else(unreturned);
            }
        }
        Err(AuthorityError::Busy)
    }

    /// The account that `new` names as its master.
    async fn master(&self, new: &NewAccount) -> Result<Option<Account>, AuthorityError> {
        let Some(email) = &new.sub_of else { return Ok(None) };
        match self.ports.store().account_by_email(email).await.map_err(AuthorityError::Store)? {
            Some(id) => Ok(Some(self.load(id).await?.account)),
            None => Ok(None),
        }
    }

    /// Opens a sub-account of `master`.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::create_sub_account`].
    pub async fn create_sub_account(
        &self,
        caller: &Caller,
        master: AccountId,
        new: &NewSubAccount,
        now: Timestamp,
    ) -> Result<Account, AuthorityError> {
        let store = self.ports.store();
        let taken = store.account_by_email(&new.email).await.map_err(AuthorityError::Store)?.is_some();
        let id = store.next_account_id().await.map_err(AuthorityError::Store)?;
        let action = Action::AccountCreated;
        let ask = Ask { caller, account: master, key: None, action, reach: Reach::Count, now };
        let committed = self.change(ask, |case, family| match issue::create_sub_account(case, new, id, family.count) {
            Ok(_) if taken => Err(Refusal::EmailTaken),
            decided => decided.map(Some),
        });
        let accounts = committed.await?.map(|committed| committed.accounts).unwrap_or_default();
        accounts.into_iter().find(|account| account.id == id).ok_or_else(unreturned)
    }

    /// Edits facts of `account`; `expected_version` is the one that the caller saw.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::edit_account`].
    pub async fn edit_account(
        &self,
        caller: &Caller,
        account: AccountId,
        edit: &AccountEdit,
        expected_version: Option<u64>,
        now: Timestamp,
    ) -> Result<Account, AuthorityError> {
        let reach = if edit.controls.is_some() { Reach::SubAccounts } else { Reach::Account };
        let ask = Ask { caller, account, key: None, action: Action::AccountEdited, reach, now };
        let decided =
            self.change(ask, |case, family| issue::edit_account(case, edit, expected_version, &family.subs)).await?;
        match decided.and_then(|committed| committed.accounts.into_iter().find(|written| written.id == account)) {
            Some(written) => Ok(written),
            None => Ok(self.load(account).await?.account),
        }
    }

    /// Freezes an account and with it its sub-accounts: none of their keys is admitted when this returns.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::freeze_account`].
    pub async fn freeze_account(
        &self,
        caller: &Caller,
        account: AccountId,
        reason: &str,
        cancel_orders: bool,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let ask = Ask { caller, account, key: None, action: Action::AccountFrozen, reach: Reach::Account, now };
        self.change(ask, |case, _| issue::freeze_account(case, reason, cancel_orders)).await.map(drop)
    }

    /// Ends a freeze.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::unfreeze_account`].
    pub async fn unfreeze_account(
        &self,
        caller: &Caller,
        account: AccountId,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let ask = Ask { caller, account, key: None, action: Action::AccountUnfrozen, reach: Reach::Account, now };
        self.change(ask, |case, _| issue::unfreeze_account(case)).await.map(drop)
    }
}

//! Standard and tax keys: made, edited, rotated, put out of use, ended.

use super::{Ask, Authority, AuthorityError, Created, Reach};
use crate::caller::Caller;
use crate::change::{Action, Committed};
use crate::issue::{self, FixedText, KeyEdit, NewKey, NewProof, Rotation};
use crate::key::KeyRecord;
use crate::ports::Ports;
use crate::refusal::Refusal;
use latchkey_protocol::{AccountId, KeyId, Timestamp};

impl<P: Ports> Authority<P> {
    /// Makes a standard key for `account`.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::create_key`].
    pub async fn create_key(
        &self,
        caller: &Caller,
        account: AccountId,
        new: &NewKey,
        now: Timestamp,
    ) -> Result<Created, AuthorityError> {
        let (minted, secret) = self.mint(account, &new.proof, &new.fixed, now).await?;
        let ask = Ask { caller, account, key: None, action: Action::KeyCreated, reach: Reach::Account, now };
        let committed = self.change(ask, |case, _| issue::create_key(case, new, &minted).map(Some)).await?;
        Created::of(committed, minted.id, secret)
    }

    /// Makes the tax report key of `account`.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::create_tax_key`].
    pub async fn create_tax_key(
        &self,
        caller: &Caller,
        account: AccountId,
        label: &str,
        proof: &NewProof,
        now: Timestamp,
    ) -> Result<Created, AuthorityError> {
        let (minted, secret) = self.mint(account, proof, &FixedText::default(), now).await?;
        let ask = Ask { caller, account, key: None, action: Action::TaxKeyCreated, reach: Reach::Account, now };
        let committed = self.change(ask, |case, _| issue::create_tax_key(case, label, &minted).map(Some)).await?;
        Created::of(committed, minted.id, secret)
    }

    /// Edits a key of `account`; `expected_version` is the one that the caller saw.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::edit_key`].
    pub async fn edit_key(
        &self,
        caller: &Caller,
        account: AccountId,
        key: KeyId,
        edit: &KeyEdit,
        expected_version: Option<u64>,
        now: Timestamp,
    ) -> Result<KeyRecord, AuthorityError> {
        let ask = Ask { caller, account, key: Some(key), action: Action::KeyEdited, reach: Reach::Account, now };
        let committed = self.change(ask, |case, _| issue::edit_key(case, key, edit, expected_version)).await?;
        let written = match committed {
            Some(committed) => committed.keys,
            None => self.load(account).await?.keys,
        };
        written.into_iter().find(|record| record.id == key).ok_or_else(|| Refusal::KeyUnknown.into())
    }

    /// Gives a key of `account` a successor.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::rotate_key`].
    pub async fn rotate_key(
        &self,
        caller: &Caller,
        account: AccountId,
        key: KeyId,
        rotation: &Rotation,
        now: Timestamp,
    ) -> Result<Created, AuthorityError> {
        let (minted, secret) = self.mint(account, &rotation.proof, &FixedText::default(), now).await?;
        let ask = Ask { caller, account, key: Some(key), action: Action::KeyRotated, reach: Reach::Account, now };
        let committed = self.change(ask, |case, _| issue::rotate_key(case, key, rotation, &minted).map(Some)).await?;
        Created::of(committed, minted.id, secret)
    }

    /// Deletes a key of `account`; it is dead when this returns.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::delete_key`].
    pub async fn delete_key(
        &self,
        caller: &Caller,
        account: AccountId,
        key: KeyId,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let ask = Ask { caller, account, key: Some(key), action: Action::KeyDeleted, reach: Reach::Account, now };
        self.change(ask, |case, _| issue::delete_key(case, key)).await.map(drop)
    }

    /// Deletes every key of `account`; how many they were.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::delete_all_keys`].
    pub async fn delete_all_keys(
        &self,
        caller: &Caller,
        account: AccountId,
        now: Timestamp,
    ) -> Result<usize, AuthorityError> {
        let ask = Ask { caller, account, key: None, action: Action::KeysDeleted, reach: Reach::Account, now };
        Ok(written(self.change(ask, |case, _| issue::delete_all_keys(case)).await?))
    }

    /// Puts a key of `account` out of use; it is refused when this returns.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::disable_key`].
    pub async fn disable_key(
        &self,
        caller: &Caller,
        account: AccountId,
        key: KeyId,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let ask = Ask { caller, account, key: Some(key), action: Action::KeyDisabled, reach: Reach::Account, now };
        self.change(ask, |case, _| issue::disable_key(case, key)).await.map(drop)
    }

    /// Puts every key of `account` out of use at once; how many they were.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::freeze_keys`].
    pub async fn freeze_keys(
        &self,
        caller: &Caller,
        account: AccountId,
        cancel_orders: bool,
        now: Timestamp,
    ) -> Result<usize, AuthorityError> {
        let ask = Ask { caller, account, key: None, action: Action::KeysDisabled, reach: Reach::Account, now };
        Ok(written(self.change(ask, |case, _| issue::freeze_keys(case, cancel_orders)).await?))
    }

    /// Puts a disabled key of `account` back into use.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::enable_key`].
    pub async fn enable_key(
        &self,
        caller: &Caller,
        account: AccountId,
        key: KeyId,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let ask = Ask { caller, account, key: Some(key), action: Action::KeyEnabled, reach: Reach::Account, now };
        self.change(ask, |case, _| issue::enable_key(case, key)).await.map(drop)
    }

    /// The keys that `key` of `account` made, directly or not, and that are not deleted: what
    /// [`Authority::end_descendants`] would end.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::descendants`].
    pub async fn descendants(
        &self,
        caller: &Caller,
        account: AccountId,
        key: KeyId,
        now: Timestamp,
    ) -> Result<Vec<KeyRecord>, AuthorityError> {
        let loaded = self.load(account).await?;
        let maker = self.maker(caller, &loaded).await?.map_err(|()| AuthorityError::Busy)?;
        let family = self.family(&loaded, Reach::Lineage).await?;
        let case = issue::Case { policy: &self.policy, loaded: &loaded, caller, maker: maker.as_ref(), now };
        let found = issue::descendants(case, &family.subs, &family.makers, key)?;
        Ok(found.into_iter().map(|(_, record)| record.clone()).collect())
    }

    /// Deletes every key that `key` of `account` made, directly or not, those of sub-accounts too; how many they were.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::end_descendants`].
    pub async fn end_descendants(
        &self,
        caller: &Caller,
        account: AccountId,
        key: KeyId,
        now: Timestamp,
    ) -> Result<usize, AuthorityError> {
        let ask = Ask { caller, account, key: Some(key), action: Action::KeysDeleted, reach: Reach::Lineage, now };
        let decide = |case: issue::Case<'_>, family: &super::Family| {
            issue::end_descendants(case, &family.subs, &family.makers, key)
        };
        Ok(written(self.change(ask, decide).await?))
    }
}

/// How many keys a change wrote.
fn written(committed: Option<Committed>) -> usize {
    committed.map_or(0, |committed| committed.keys.len())
}

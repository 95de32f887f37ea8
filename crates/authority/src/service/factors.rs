//! Second factors, recovery codes and the password of an account. Whoever asks has verified what is enrolled.

use super::{Ask, Authority, AuthorityError, Reach};
use crate::account::{Passkey, PasswordHash, RecoveryCode, Sealed};
use crate::caller::{Caller, Via};
use crate::change::Action;
use crate::issue::{self, FactorChange};
use crate::ports::Ports;
use latchkey_protocol::{AccountId, Timestamp};

impl<P: Ports> Authority<P> {
    /// Enrols one-time codes; `sealed` is the seed, sealed for [`crate::ports::Purpose::TotpSeed`].
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::change_factors`].
    pub async fn add_totp(
        &self,
        caller: &Caller,
        account: AccountId,
        sealed: Sealed,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        self.change_factors(caller, account, FactorChange::SetTotp(sealed), Action::FactorAdded, now).await
    }

    /// Takes one-time codes away.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::change_factors`].
    pub async fn remove_totp(&self, caller: &Caller, account: AccountId, now: Timestamp) -> Result<(), AuthorityError> {
        self.change_factors(caller, account, FactorChange::RemoveTotp, Action::FactorRemoved, now).await
    }

    /// Enrols a passkey.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::change_factors`].
    pub async fn add_passkey(
        &self,
        caller: &Caller,
        account: AccountId,
        passkey: Passkey,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        self.change_factors(caller, account, FactorChange::AddPasskey(passkey), Action::FactorAdded, now).await
    }

    /// Takes the passkey of this id away.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::change_factors`].
    pub async fn remove_passkey(
        &self,
        caller: &Caller,
        account: AccountId,
        id: &str,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let change = FactorChange::RemovePasskey(id.to_owned());
        self.change_factors(caller, account, change, Action::FactorRemoved, now).await
    }

    /// Replaces the recovery codes.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::change_factors`].
    pub async fn set_recovery_codes(
        &self,
        caller: &Caller,
        account: AccountId,
        codes: Vec<RecoveryCode>,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let change = FactorChange::SetRecovery(codes);
        self.change_factors(caller, account, change, Action::RecoveryCodesMade, now).await
    }

    /// Changes the password. Whoever is signed in as the owner, or began to, is not any more.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::change_factors`].
    pub async fn change_password(
        &self,
        caller: &Caller,
        account: AccountId,
        hash: PasswordHash,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let reset = matches!(caller.via, Via::SentCode);
        let action = if reset { Action::PasswordReset } else { Action::PasswordChanged };
        self.change_factors(caller, account, FactorChange::SetPassword(hash), action, now).await
    }

    async fn change_factors(
        &self,
        caller: &Caller,
        account: AccountId,
        change: FactorChange,
        action: Action,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let ask = Ask { caller, account, key: None, action, reach: Reach::SubAccounts, now };
        self.change(ask, |case, family| issue::change_factors(case, &change, &family.subs).map(Some)).await.map(drop)
    }

    /// Spends a recovery code outside of a change: of those who try one at once, one succeeds.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::use_recovery_code`].
    pub async fn use_recovery_code(
        &self,
        caller: &Caller,
        account: AccountId,
        code: RecoveryCode,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let ask = Ask { caller, account, key: None, action: Action::RecoveryCodeUsed, reach: Reach::Account, now };
        self.change(ask, |case, _| issue::use_recovery_code(case, code).map(Some)).await.map(drop)
    }

    /// Takes every second factor of `account` away, for an owner who lost them. Whoever is signed in as the owner, or
    /// began to, is not any more.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::reset_factors`].
    pub async fn reset_factors(
        &self,
        caller: &Caller,
        account: AccountId,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let ask = Ask { caller, account, key: None, action: Action::FactorsReset, reach: Reach::Account, now };
        self.change(ask, |case, _| issue::reset_factors(case).map(Some)).await.map(drop)
    }
}

//! Margin special keys, through their own routes.

use super::{Ask, Authority, AuthorityError, Created, Reach};
use crate::caller::Caller;
use crate::change::Action;
use crate::issue::{self, Case, NewSpecialKey, SpecialTarget};
use crate::key::Scope;
use crate::ports::{ExchangeFacts, Ports};
use crate::view::SpecialKeyView;
use latchkey_protocol::{AccountId, ApiKey, Timestamp};

impl<P: Ports> Authority<P> {
    /// Makes a margin special key for `account`; the exchange is in special-key mode before it is in use.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::create_special_key`].
    pub async fn create_special_key(
        &self,
        caller: &Caller,
        account: AccountId,
        new: &NewSpecialKey,
        facts: ExchangeFacts,
        now: Timestamp,
    ) -> Result<Created, AuthorityError> {
        let (minted, secret) = self.mint(account, &new.proof, &new.fixed, now).await?;
        let decide = |case: Case<'_>| issue::create_special_key(case, new, &minted, &facts).map(Some);
        let committed =
            self.change(Ask { account, ..own(caller, Action::SpecialKeyCreated, now) }, |case, _| decide(case)).await?;
        Created::of(committed, minted.id, secret)
    }

    /// Replaces the IP list of a special key of `scope`.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::edit_special_key_ip`].
    pub async fn edit_special_key_ip(
        &self,
        caller: &Caller,
        api_key: ApiKey,
        scope: Scope,
        ips: &str,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let decide = |case: Case<'_>| issue::edit_special_key_ip(case, api_key, scope, ips).map(Some);
        self.change(own(caller, Action::KeyIpEdited, now), |case, _| decide(case)).await.map(drop)
    }

    /// Deletes special keys of `scope`; they are dead when this returns.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::delete_special_keys`].
    pub async fn delete_special_keys(
        &self,
        caller: &Caller,
        target: &SpecialTarget,
        scope: Scope,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let decide = |case: Case<'_>| issue::delete_special_keys(case, target, scope).map(Some);
        self.change(own(caller, Action::KeyDeleted, now), |case, _| decide(case)).await.map(drop)
    }

    /// Leaves special-key mode: the special keys of the cross margin account are dead when this returns, and the
    /// exchange has left the mode.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::exit_special_key_mode`].
    pub async fn exit_special_key_mode(
        &self,
        caller: &Caller,
        facts: ExchangeFacts,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let ask = own(caller, Action::SpecialModeLeft, now);
        self.change(ask, |case, _| issue::exit_special_key_mode(case, &facts)).await.map(drop)
    }

    /// One special key of `scope`.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::special_key`].
    pub async fn special_key(
        &self,
        caller: &Caller,
        api_key: ApiKey,
        scope: Scope,
        now: Timestamp,
    ) -> Result<SpecialKeyView, AuthorityError> {
        let loaded = self.load(caller.account).await?;
        let case = Case { policy: &self.policy, loaded: &loaded, caller, maker: None, now };
        Ok(issue::special_key(case, api_key, scope)?)
    }

    /// The special keys of `scope`.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::special_keys`].
    pub async fn special_keys(
        &self,
        caller: &Caller,
        scope: Scope,
        now: Timestamp,
    ) -> Result<Vec<SpecialKeyView>, AuthorityError> {
        let loaded = self.load(caller.account).await?;
        let case = Case { policy: &self.policy, loaded: &loaded, caller, maker: None, now };
        Ok(issue::special_keys(case, scope)?)
    }
}

/// What a caller asks for its own account.
const fn own(caller: &Caller, action: Action, now: Timestamp) -> Ask<'_> {
    Ask { caller, account: caller.account, key: None, action, reach: Reach::Account, now }
}

//! What a signed call may ask about its own key and account.

use super::{Authority, AuthorityError};
use crate::account::Account;
use crate::caller::Caller;
use crate::effective::effective_permissions;
use crate::ports::{Directory as _, Ports};
use crate::refusal::Refusal;
use crate::view::{AccountInfoView, ApiRestrictionsView};
use latchkey_protocol::{AccountId, Timestamp};

/// Sub-accounts that are read at a time.
const PAGE: u32 = 200;

impl<P: Ports> Authority<P> {
    /// What the calling key may do now.
    ///
    /// # Errors
    /// [`Refusal::KeyUnknown`] when the caller is no key; [`AuthorityError::Store`].
    pub async fn api_restrictions(
        &self,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<ApiRestrictionsView, AuthorityError> {
        let loaded = self.load(caller.account).await?;
        let owner = loaded.owner()?;
        let key = loaded.keys.iter().find(|key| Some(key.id) == caller.key()).ok_or(Refusal::KeyUnknown)?;
        Ok(ApiRestrictionsView::of(key, &effective_permissions(&self.policy, &owner, key, now)))
    }

    /// Every sub-account of `master`, oldest first.
    ///
    /// # Errors
    /// [`AuthorityError::Store`].
    pub async fn sub_accounts(&self, master: AccountId) -> Result<Vec<Account>, AuthorityError> {
        let mut all = Vec::new();
        loop {
            let page = self.ports.store().sub_accounts(master, all.len() as u64, PAGE);
            let page = page.await.map_err(AuthorityError::Store)?;
            let last = page.len() < PAGE as usize;
            all.extend(page);
            if last {
                return Ok(all);
            }
        }
    }

    /// Level and products of the caller's account.
    ///
    /// # Errors
    /// [`AuthorityError::Store`].
    pub async fn account_info(&self, caller: &Caller, now: Timestamp) -> Result<AccountInfoView, AuthorityError> {
        let loaded = self.load(caller.account).await?;
        Ok(AccountInfoView::of(&loaded.owner()?, now))
    }
}

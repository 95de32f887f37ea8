//! What a signed call may ask about its own key and account.

use super::{Authority, AuthorityError};
use crate::caller::Caller;
use crate::effective::effective_permissions;
use crate::ports::Ports;
use crate::refusal::Refusal;
use crate::view::{AccountInfoView, ApiRestrictionsView};
use latchkey_protocol::Timestamp;

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

    /// Level and products of the caller's account.
    ///
    /// # Errors
    /// [`AuthorityError::Store`].
    pub async fn account_info(&self, caller: &Caller, now: Timestamp) -> Result<AccountInfoView, AuthorityError> {
        let loaded = self.load(caller.account).await?;
        Ok(AccountInfoView::of(&loaded.owner()?, now))
    }
}

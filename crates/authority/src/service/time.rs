//! What comes with time.

use super::{Ask, Authority, AuthorityError, Reach};
use crate::caller::{Caller, Via};
use crate::change::Action;
use crate::issue;
use crate::ports::{Directory as _, Ports};
use latchkey_protocol::{AccountId, KeyId, Timestamp};

/// Kinds of ends that one sweep can find, and the renewal of what is kept; more rounds are not needed.
const ROUNDS_MAX: usize = 8;

impl<P: Ports> Authority<P> {
    /// Does what is due for the keys of `account`; how many keys were written. `used` says when a key was last used: a
    /// program that does not know from before its start says its start.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::sweep`].
    pub async fn sweep(
        &self,
        account: AccountId,
        used: &(dyn Fn(KeyId) -> Option<Timestamp> + Sync),
        now: Timestamp,
    ) -> Result<usize, AuthorityError> {
        let caller = &Caller { account, from: None, via: Via::System, step_up: None, claim: None };
        let ask = Ask { caller, account, key: None, action: Action::KeysWatched, reach: Reach::Account, now };
        let mut count = 0;
        for _ in 0..ROUNDS_MAX {
            match self.change(ask, |case, _| issue::sweep(case, &used)).await? {
                Some(committed) => count += committed.keys.len(),
                None => break,
            }
        }
        Ok(count)
    }

    /// Accounts for which something is due by what was written with their keys. A change of policy shows only in a
    /// sweep of every account, which whoever starts the house owes it.
    ///
    /// # Errors
    /// [`AuthorityError::Store`].
    pub async fn due_accounts(&self, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, AuthorityError> {
        self.ports.store().due(now, limit).await.map_err(AuthorityError::Store)
    }
}

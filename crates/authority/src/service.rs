//! The one way to change an account or a key: load, decide, save, tell.
//!
//! A future of this service must be driven to its end once started: one that is dropped between the commit and the
//! word to the live keys leaves a durable change that is not in force until the store's feed brings it.

use crate::account::Account;
use crate::caller::Caller;
use crate::change::{Change, Committed, Direction};
use crate::effective::effective_permissions;
use crate::issue::{
    self, Case, FixedText, Minted, MintedProof, NewAccount, NewKey, NewProof, NewSpecialKey, SpecialTarget,
};
use crate::key::{KeyRecord, Scope, make_key_id};
use crate::policy::Policy;
use crate::ports::{
    ExchangeFacts, Live, Loaded, NotSettled, Outbox, Ports, Purpose, SealFor, Secrets, Store, StoreError, Unique,
};
use crate::refusal::Refusal;
use crate::view::{AccountInfoView, ApiRestrictionsView, SpecialKeyView};
use latchkey_crypto::entropy::draw;
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::public_key::PublicKey;
use latchkey_crypto::secret::{SecretKey, generate_key_text};
use latchkey_protocol::{AccountId, ApiKey, KeyId, Timestamp};

/// The service that every door asks: consoles, signed endpoints, worlds.
pub struct Authority<P> {
    ports: P,
    policy: Policy,
}

/// A key just made. The secret is here and nowhere else: it is shown once.
pub struct Created {
    /// The key.
    pub record: KeyRecord,
    /// The secret of an HMAC key.
    pub secret: Option<SecretKey>,
}

impl Created {
    fn of(committed: Option<Committed>, secret: Option<SecretKey>) -> Result<Self, AuthorityError> {
        let record = only(committed.map(|committed| committed.keys).unwrap_or_default())?;
        Ok(Self { record, secret })
    }
}

/// The one record that a change wrote.
fn only<T>(records: Vec<T>) -> Result<T, AuthorityError> {
    let missing = || AuthorityError::Store(StoreError::Unavailable("the store did not return what it wrote".into()));
    records.into_iter().next().ok_or_else(missing)
}

/// Why the service did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A rule refused it; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Others changed the same account again and again; nothing was changed.
    #[error("the account is being changed by others")]
    Busy,
    /// The store failed.
    #[error("the change was not stored")]
    Store(#[source] StoreError),
    /// The change is stored, and will be in force when the exchange has done its part.
    #[error("the change is stored, but not in force yet")]
    NotSettled(#[from] NotSettled),
}

/// Tries before [`AuthorityError::Busy`]. Each round at least one of those who compete commits, so this is how many
/// changes of one account may be under way at a time.
const ATTEMPTS_MAX: usize = 128;

impl<P: Ports> Authority<P> {
    /// A service over `ports` under `policy`.
    pub const fn new(ports: P, policy: Policy) -> Self {
        Self { ports, policy }
    }

    /// The policy in force.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The ports.
    pub const fn ports(&self) -> &P {
        &self.ports
    }

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
                return only(committed.accounts);
            }
        }
        Err(AuthorityError::Busy)
    }

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
        let decide = |case: Case<'_>| issue::create_key(case, new, &minted).map(Some);
        Created::of(self.change(caller, account, now, decide).await?, secret)
    }

    /// Makes a margin special key for the caller's account; the exchange is in special-key mode before it is in use.
    ///
    /// # Errors
    /// [`AuthorityError`]; see [`issue::create_special_key`].
    pub async fn create_special_key(
        &self,
        caller: &Caller,
        new: &NewSpecialKey,
        facts: ExchangeFacts,
        now: Timestamp,
    ) -> Result<Created, AuthorityError> {
        let (minted, secret) = self.mint(caller.account, &new.proof, &new.fixed, now).await?;
        let decide = |case: Case<'_>| issue::create_special_key(case, new, &minted, &facts).map(Some);
        Created::of(self.change(caller, caller.account, now, decide).await?, secret)
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
        self.change(caller, caller.account, now, decide).await.map(drop)
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
        self.change(caller, caller.account, now, decide).await.map(drop)
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
        Ok(issue::special_key(
            Case { policy: &self.policy, loaded: &loaded, caller, maker: None, now },
            api_key,
            scope,
        )?)
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
        Ok(issue::special_keys(Case { policy: &self.policy, loaded: &loaded, caller, maker: None, now }, scope)?)
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
        self.change(caller, account, now, |case| issue::delete_key(case, key)).await.map(drop)
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
        self.change(caller, account, now, |case| issue::disable_key(case, key)).await.map(drop)
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
        self.change(caller, account, now, |case| issue::enable_key(case, key)).await.map(drop)
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
        let decide = |case: Case<'_>| issue::freeze_account(case, reason, cancel_orders);
        self.change(caller, account, now, decide).await.map(drop)
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
        self.change(caller, account, now, issue::unfreeze_account).await.map(drop)
    }

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

    async fn load(&self, account: AccountId) -> Result<Loaded, AuthorityError> {
        let loaded = self.ports.store().load(account).await.map_err(AuthorityError::Store)?;
        loaded.ok_or_else(|| Refusal::AccountUnknown.into())
    }

    /// The account that `new` names as its master.
    async fn master(&self, new: &NewAccount) -> Result<Option<Account>, AuthorityError> {
        let Some(email) = &new.sub_of else { return Ok(None) };
        match self.ports.store().account_by_email(email).await.map_err(AuthorityError::Store)? {
            Some(id) => Ok(Some(self.load(id).await?.account)),
            None => Ok(None),
        }
    }

    /// Loads and decides until the decision commits on what it saw. `None`: there was nothing to change.
    async fn change(
        &self,
        caller: &Caller,
        account: AccountId,
        now: Timestamp,
        decide: impl Fn(Case<'_>) -> Result<Option<Change>, Refusal>,
    ) -> Result<Option<Committed>, AuthorityError> {
        for _ in 0..ATTEMPTS_MAX {
            let loaded = self.load(account).await?;
            let Some(change) = decide(Case { policy: &self.policy, loaded: &loaded, caller, maker: None, now })? else {
                return Ok(None);
            };
            if let Some(committed) = self.commit(change).await? {
                return Ok(Some(committed));
            }
        }
        Err(AuthorityError::Busy)
    }

    /// Saves a change and puts it in force, in the order of its direction. `None`: others were faster.
    async fn commit(&self, change: Change) -> Result<Option<Committed>, AuthorityError> {
        let direction = change.direction;
        let committed = match self.ports.store().commit(change).await {
            Ok(committed) => committed,
            Err(StoreError::Conflict) => return Ok(None),
            Err(StoreError::Taken(Unique::Email)) => return Err(Refusal::EmailTaken.into()),
            Err(StoreError::Taken(Unique::ApiKey)) => return Err(Refusal::ApiKeyTaken.into()),
            Err(error) => return Err(AuthorityError::Store(error)),
        };
        let settled = async {
            if committed.effects.is_empty() { Ok(()) } else { self.ports.outbox().settle(&committed.effects).await }
        };
        match direction {
            Direction::Narrowing => {
                self.ports.live().apply(&committed);
                settled.await?;
            }
            Direction::Widening => {
                settled.await?;
                self.ports.live().apply(&committed);
            }
        }
        Ok(Some(committed))
    }

    /// Draws the texts of a new key and seals its secret.
    async fn mint(
        &self,
        account: AccountId,
        proof: &NewProof,
        fixed: &FixedText,
        now: Timestamp,
    ) -> Result<(Minted, Option<SecretKey>), AuthorityError> {
        let secrets = self.ports.secrets();
        let id = make_key_id(now, draw(&mut |bytes: &mut [u8]| secrets.random(bytes)));
        let api_key = fixed.api_key.unwrap_or_else(|| draw_api_key(secrets));
        let (proof, secret) = match proof {
            NewProof::Hmac => {
                let given = fixed.secret.as_ref().and_then(|given| SecretKey::parse(given.expose()).ok());
                let secret =
                    given.unwrap_or_else(|| SecretKey::generate(&mut |bytes: &mut [u8]| secrets.random(bytes)));
                let seal = SealFor { purpose: Purpose::HmacSecret, account, key: Some((id, KeyType::Hmac)) };
                (MintedProof::Hmac(secrets.seal(seal, secret.expose().as_bytes())), Some(secret))
            }
            NewProof::Public(text) => {
                let key = PublicKey::parse(text);
                let shared = match &key {
                    Ok(key) => self.ports.store().public_key_known(key.fingerprint()).await,
                    // The decision refuses it, in its order.
                    Err(_) => Ok(false),
                };
                (MintedProof::Public { key, shared: shared.map_err(AuthorityError::Store)? }, None)
            }
        };
        Ok((Minted { id, api_key, proof }, secret))
    }
}

fn draw_api_key(secrets: &impl Secrets) -> ApiKey {
    let text = generate_key_text(&mut |bytes: &mut [u8]| secrets.random(bytes));
    // INVARIANT: the generator draws 64 characters from the alphabet that the parser takes.
    #[expect(clippy::expect_used, reason = "the generator yields what the parser takes")]
    ApiKey::parse(text.as_bytes()).expect("a drawn API key has the shape of one")
}

#[cfg(test)]
mod tests;

//! The one way to change an account or a key: load, decide, save, tell.
//!
//! What a rule refuses is noted in the audit chain, unless time or a world asked; a demand for a proof is no refusal.
//!
//! A future of this service must be driven to its end once started: one that is dropped between the commit and the
//! word to the live keys leaves a durable change that is not in force until the store's feed brings it.

use crate::caller::{Caller, Via};
use crate::change::{Action, AuditEvent, Change, Committed, Direction, Outcome};
use crate::issue::{Case, FixedText, Makers, Minted, MintedProof, NewProof};
use crate::key::{KeyRecord, make_key_id};
use crate::policy::Policy;
use crate::ports::{
    Directory, Live, Loaded, NotSettled, Notes, Outbox, Ports, Purpose, SealFor, Secrets, Store, StoreError, Unique,
};
use crate::refusal::Refusal;
use latchkey_crypto::entropy::draw;
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::public_key::PublicKey;
use latchkey_crypto::secret::{SecretKey, generate_key_text};
use latchkey_protocol::{AccountId, ApiKey, KeyId, Timestamp};

mod accounts;
mod factors;
mod import;
mod keys;
mod lookup;
mod special;
mod time;

pub use import::{ImportError, ImportRow, Imported};

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
    fn of(committed: Option<Committed>, id: KeyId, secret: Option<SecretKey>) -> Result<Self, AuthorityError> {
        let keys = committed.map(|committed| committed.keys).unwrap_or_default();
        let record = keys.into_iter().find(|key| key.id == id).ok_or_else(unreturned)?;
        Ok(Self { record, secret })
    }
}

fn unreturned() -> AuthorityError {
    AuthorityError::Store(StoreError::Unavailable("the store did not return what it wrote".into()))
}

/// Why the service did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A rule refused it; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Others changed the same account again and again, or took the claim of the request over; nothing was changed.
    #[error("the account is being changed by others")]
    Busy,
    /// The store failed.
    #[error("the change was not stored")]
    Store(#[source] StoreError),
    /// The change is stored, and will be in force when the exchange has done its part.
    #[error("the change is stored, but not in force yet")]
    NotSettled(#[from] NotSettled),
}

/// Who asks for what, and what must be loaded to decide on it.
#[derive(Clone, Copy)]
struct Ask<'a> {
    caller: &'a Caller,
    account: AccountId,
    /// The key that is addressed, for the note of a refusal.
    key: Option<KeyId>,
    action: Action,
    reach: Reach,
    now: Timestamp,
}

/// How much a decision sees besides the account, its master and its keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Nothing.
    Account,
    /// How many sub-accounts there are.
    Count,
    /// The sub-accounts with their keys.
    SubAccounts,
    /// Those, and which key made which.
    Lineage,
}

/// What [`Reach`] asked for.
#[derive(Default)]
struct Family {
    count: u64,
    subs: Vec<Loaded>,
    makers: Makers,
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

    async fn load(&self, account: AccountId) -> Result<Loaded, AuthorityError> {
        let loaded = self.ports.store().load(account).await.map_err(AuthorityError::Store)?;
        loaded.ok_or_else(|| Refusal::AccountUnknown.into())
    }

    /// Loads and decides until the decision commits on what it saw. `None`: there was nothing to change.
    async fn change(
        &self,
        ask: Ask<'_>,
        decide: impl Fn(Case<'_>, &Family) -> Result<Option<Change>, Refusal>,
    ) -> Result<Option<Committed>, AuthorityError> {
        let changed = self.try_change(ask, decide).await;
        if let Err(AuthorityError::Refused(refusal)) = &changed {
            self.note_refusal(ask, refusal).await?;
        }
        changed
    }

    async fn try_change(
        &self,
        ask: Ask<'_>,
        decide: impl Fn(Case<'_>, &Family) -> Result<Option<Change>, Refusal>,
    ) -> Result<Option<Committed>, AuthorityError> {
        let Ask { caller, account, now, .. } = ask;
        for _ in 0..ATTEMPTS_MAX {
            let loaded = self.load(account).await?;
            let Ok(maker) = self.maker(caller, &loaded).await? else { continue };
            let family = self.family(&loaded, ask.reach).await?;
            let case = Case { policy: &self.policy, loaded: &loaded, caller, maker: maker.as_ref(), now };
            let Some(change) = decide(case, &family)? else { return Ok(None) };
            if let Some(committed) = self.commit(change).await? {
                return Ok(Some(committed));
            }
        }
        Err(AuthorityError::Busy)
    }

    /// The calling key, when it is one of the master and acts on a sub-account. `Err`: the master changed meanwhile.
    async fn maker(&self, caller: &Caller, loaded: &Loaded) -> Result<Result<Option<KeyRecord>, ()>, AuthorityError> {
        let (Some(id), Some(master)) = (caller.key(), &loaded.master) else { return Ok(Ok(None)) };
        if caller.account != master.id {
            return Ok(Ok(None));
        }
        let keeper = self.load(master.id).await?;
        if keeper.account.version != master.version {
            return Ok(Err(()));
        }
        Ok(Ok(keeper.keys.into_iter().find(|key| key.id == id)))
    }

    async fn family(&self, loaded: &Loaded, reach: Reach) -> Result<Family, AuthorityError> {
        let mut family = Family::default();
        if reach == Reach::Account {
            return Ok(family);
        }
        let store = self.ports.store();
        if reach == Reach::Count {
            family.count = store.count_sub_accounts(loaded.account.id).await.map_err(AuthorityError::Store)?;
            return Ok(family);
        }
        for sub in self.sub_accounts(loaded.account.id).await? {
            family.subs.push(self.load(sub.id).await?);
        }
        if reach == Reach::Lineage {
            let mut keys = Vec::new();
            for of in core::iter::once(loaded).chain(&family.subs) {
                keys.extend(store.all_keys(of.account.id).await.map_err(AuthorityError::Store)?);
            }
            family.makers = keys.iter().collect();
        }
        Ok(family)
    }

    /// Writes down what was refused. An attempt on somebody else's account is told of the one who made it.
    async fn note_refusal(&self, ask: Ask<'_>, refusal: &Refusal) -> Result<(), AuthorityError> {
        let Ask { caller, account, key, action, now, .. } = ask;
        let account = match (&caller.via, refusal) {
            (Via::World | Via::System, _) | (_, Refusal::StepUpNeeded(_)) => return Ok(()),
            (Via::Owner | Via::SentCode | Via::Key { .. }, Refusal::NotYourAccount | Refusal::AccountUnknown) => {
                caller.account
            }
            (Via::Owner | Via::SentCode | Via::Key { .. } | Via::Operator(_), _) => account,
        };
        let event = AuditEvent {
            at: now,
            who: caller.actor(),
            from: caller.from,
            action,
            account,
            key,
            before: Vec::new(),
            after: Vec::new(),
            outcome: Outcome::Refused(refusal.to_string()),
            with: caller.factors(),
        };
        self.ports.store().note(event).await.map(drop).map_err(AuthorityError::Store)
    }

    /// Saves a change and puts it in force, in the order of its direction. `None`: others were faster.
    async fn commit(&self, change: Change) -> Result<Option<Committed>, AuthorityError> {
        let direction = change.direction;
        let committed = match self.ports.store().commit(change).await {
            Ok(committed) => committed,
            Err(StoreError::Conflict) => return Ok(None),
            Err(StoreError::ClaimLost) => return Err(AuthorityError::Busy),
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

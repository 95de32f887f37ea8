//! What this crate asks of the world. Adapters on the fourth floor answer.

use crate::account::{Account, Email, Owner, Sealed};
use crate::change::{AuditEvent, Change, Committed, EffectId, Notice};
use crate::key::KeyRecord;
use crate::refusal::Refusal;
use core::future::Future;
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::{AccountId, ApiKey, KeyId, Timestamp};
use zeroize::Zeroizing;

/// The ports, tied together by whoever assembles the house.
pub trait Ports: Send + Sync {
    /// Where records rest.
    type Store: Store + Notes + Directory;
    /// What seals secrets and delivers randomness.
    type Secrets: Secrets;
    /// What admits calls on this node.
    type Live: Live;
    /// What delivers effects to the exchange.
    type Outbox: Outbox;
    /// Where faces keep short-lived records.
    type Shelf: Shelf;

    /// The store.
    fn store(&self) -> &Self::Store;
    /// The secrets.
    fn secrets(&self) -> &Self::Secrets;
    /// The live keys.
    fn live(&self) -> &Self::Live;
    /// The outbox.
    fn outbox(&self) -> &Self::Outbox;
    /// The shelf.
    fn shelf(&self) -> &Self::Shelf;
}

/// Where accounts, keys, audit records and the outbox rest.
pub trait Store: Send + Sync {
    /// An account with its master and its keys, all read at one revision; `None` when there is no such account.
    /// Deleted keys are left out; disabled and expired ones are there.
    fn load(&self, account: AccountId) -> impl Future<Output = Result<Option<Loaded>, StoreError>> + Send;

    /// The account that signs in with `email`.
    fn account_by_email(&self, email: &Email) -> impl Future<Output = Result<Option<AccountId>, StoreError>> + Send;

    /// A key by its public name, deleted ones too.
    fn key(&self, api_key: ApiKey) -> impl Future<Output = Result<Option<KeyRecord>, StoreError>> + Send;

    /// Every key of an account, deleted ones too, oldest first.
    fn all_keys(&self, account: AccountId) -> impl Future<Output = Result<Vec<KeyRecord>, StoreError>> + Send;

    /// Whether a key that is not deleted, of whatever account, has a public key with this SHA-256.
    fn public_key_known(&self, fingerprint: [u8; 32]) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Takes a number for a new account, above zero and never given before; gaps do no harm.
    fn next_account_id(&self) -> impl Future<Output = Result<AccountId, StoreError>> + Send;

    /// Applies a change whole or not at all: checks every expected version, guard and claim, takes the next revision,
    /// writes the records, the outbox and the audit record, ends sessions, and makes all of it durable.
    fn commit(&self, change: Change) -> impl Future<Output = Result<Committed, StoreError>> + Send;
}

/// Finds accounts and keys across a store.
pub trait Directory: Send + Sync {
    /// The accounts whose id is above `after`, in that order, at most `limit`.
    fn accounts(&self, after: AccountId, limit: u32) -> impl Future<Output = Result<Vec<Account>, StoreError>> + Send;

    /// The sub-accounts of `master`, oldest first, without the first `skip`, at most `limit`.
    fn sub_accounts(
        &self,
        master: AccountId,
        skip: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Account>, StoreError>> + Send;

    /// How many sub-accounts `master` has.
    fn count_sub_accounts(&self, master: AccountId) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Whose key it is, deleted or not.
    fn account_of_key(&self, key: KeyId) -> impl Future<Output = Result<Option<AccountId>, StoreError>> + Send;

    /// Accounts with a key whose [`crate::key::Watch::due`] is not after `now`, each once, at most `limit`.
    fn due(&self, now: Timestamp, limit: u32) -> impl Future<Output = Result<Vec<AccountId>, StoreError>> + Send;
}

/// What is written down without a change, and what owners are told.
pub trait Notes: Send + Sync {
    /// Writes an audit record of something that changed nothing: what was refused, a sign-in. It takes a revision
    /// of its own, which is the answer.
    fn note(&self, event: AuditEvent) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Writes an audit record and takes the items that it is about off the shelf: both or neither.
    fn note_end(
        &self,
        event: AuditEvent,
        kind: ShelfKind,
        items: &[[u8; 32]],
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// The notices for `account` with a number above `after`, oldest first, at most `limit`.
    fn notices(
        &self,
        account: AccountId,
        after: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<KeptNotice>, StoreError>> + Send;

    /// Notices that were not sent yet and do not wait for a later try, at most `limit`: the oldest of each account, then
    /// the second of each, so that no account's letters hold up another's.
    fn unsent_notices(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<KeptNotice>, StoreError>> + Send;

    /// Lets a notice's letter wait until `due`.
    fn postpone(&self, id: u64, due: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Marks notices as sent.
    fn mark_sent(&self, ids: &[u64]) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A notice as it rests.
#[derive(Clone, PartialEq, Debug)]
pub struct KeptNotice {
    /// Its number, above zero, in the order of writing.
    pub id: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    pub notice: Notice,
    /// Whether it was sent.
    pub sent: bool,
}

/// Short-lived records of the faces: sessions, ceremonies, attempts. None of them is a fact of an account.
///
/// Names are SHA-256 of random tokens or of texts, never a token itself. An item that has expired is not there.
pub trait Shelf: Send + Sync {
    /// Puts an item where none is. `false`: there is one that has not expired; nothing was changed. `now` is the time
    /// by which expiry of the one before is judged.
    fn put(
        &self,
        kind: ShelfKind,
        key: [u8; 32],
        owner: Option<AccountId>,
        value: &[u8],
        now: Timestamp,
        expires: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Looks at an item.
    fn get(
        &self,
        kind: ShelfKind,
        key: [u8; 32],
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<ShelfItem>, StoreError>> + Send;

    /// Replaces an item that is still at `version`. `false`: it is not.
    fn swap(
        &self,
        kind: ShelfKind,
        key: [u8; 32],
        version: u64,
        value: &[u8],
        expires: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Takes an item away and answers with it: of those who ask at once, one gets it.
    fn take(
        &self,
        kind: ShelfKind,
        key: [u8; 32],
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<ShelfItem>, StoreError>> + Send;

    /// The items of a kind, of one owner or of all, newest first, at most `limit`.
    fn list(
        &self,
        kind: ShelfKind,
        owner: Option<AccountId>,
        now: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<ShelfItem>, StoreError>> + Send;

    /// Takes away every item of a kind that belongs to `owner`; how many they were.
    fn remove_owner(&self, kind: ShelfKind, owner: AccountId) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Takes away what has expired; how many they were.
    fn sweep(&self, now: Timestamp) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// What lies on the shelf.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ShelfKind {
    /// A browser's or program's session.
    Session,
    /// A sign-in between the password and the second factor.
    SignIn,
    /// A step-up ceremony.
    Ceremony,
    /// A one-time code, or the counter of a passkey, that was used.
    TotpStep,
    /// Failed attempts, and when the next is heard.
    Attempts,
    /// What a creation made, for repeats of it; see [`crate::claim`].
    Idempotency,
    /// A token of an operator.
    OperatorToken,
    /// A message of the demo's mailbox.
    Mailbox,
}

impl ShelfKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Session,
        Self::SignIn,
        Self::Ceremony,
        Self::TotpStep,
        Self::Attempts,
        Self::Idempotency,
        Self::OperatorToken,
        Self::Mailbox,
    ];

    /// What lets somebody act as an account's owner, or is on the way to that.
    pub const OF_SIGNED_IN: [Self; 3] = [Self::Session, Self::SignIn, Self::Ceremony];

    /// The name under which a store keeps it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::SignIn => "sign-in",
            Self::Ceremony => "ceremony",
            Self::TotpStep => "totp-step",
            Self::Attempts => "attempts",
            Self::Idempotency => "idempotency",
            Self::OperatorToken => "operator-token",
            Self::Mailbox => "mailbox",
        }
    }
}

/// An item of the shelf.
#[derive(Clone, PartialEq, Eq)]
pub struct ShelfItem {
    /// Its name.
    pub key: [u8; 32],
    /// Whose it is.
    pub owner: Option<AccountId>,
    /// What it holds; may be private, so it does not print.
    pub value: Vec<u8>,
    /// Counts its changes, from 1.
    pub version: u64,
    /// When it is gone.
    pub expires: Timestamp,
}

impl core::fmt::Debug for ShelfItem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ShelfItem({:?}, version {}, {} bytes)", self.owner, self.version, self.value.len())
    }
}

/// An account and what decisions about it ask.
#[derive(Clone, PartialEq, Debug)]
pub struct Loaded {
    /// The account.
    pub account: Account,
    /// Its master, when it is a sub-account.
    pub master: Option<Account>,
    /// Its keys but the deleted ones.
    pub keys: Vec<KeyRecord>,
}

impl Loaded {
    /// The account with its master, as the rules ask for it.
    ///
    /// # Errors
    /// [`Refusal::AccountUnknown`] when the store paired it with the wrong master, which then admits nothing.
    pub fn owner(&self) -> Result<Owner<'_>, Refusal> {
        Owner::new(&self.account, self.master.as_ref()).ok_or(Refusal::AccountUnknown)
    }
}

/// Why the store did not do as asked. Nothing was changed, except after `Unavailable`, where it is not known.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A record or guard is at another version: load, decide and commit again.
    #[error("a record was changed meanwhile")]
    Conflict,
    /// The claim that the change settles is another's by now, or has run out and is gone.
    #[error("the claim of the request was taken over")]
    ClaimLost,
    /// Another record has this value, which must be unique.
    #[error("the {0} is already taken")]
    Taken(Unique),
    /// A stored record is not readable.
    #[error("a stored record is not readable")]
    Record(#[from] crate::stored::RecordError),
    /// The store does not answer.
    #[error("the store does not answer")]
    Unavailable(#[source] Box<dyn core::error::Error + Send + Sync>),
}

/// What two records of a store never share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unique {
    /// The e-mail address of an account.
    Email,
    /// The public name of a key, deleted ones included.
    ApiKey,
    /// The id of an account or key.
    Id,
}

impl core::fmt::Display for Unique {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Email => "e-mail address",
            Self::ApiKey => "API key",
            Self::Id => "id",
        })
    }
}

/// What a sealed secret is for; part of what the seal is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// The secret of an HMAC key.
    HmacSecret,
    /// The seed of one-time codes.
    TotpSeed,
    /// What was drawn for a change that waits for its proof.
    PendingChange,
}

impl Purpose {
    /// The text that goes into the seal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HmacSecret => "hmac-secret",
            Self::TotpSeed => "totp-seed",
            Self::PendingChange => "pending-change",
        }
    }
}

/// What a sealed secret belongs to; the same value must be given to open it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SealFor {
    /// What it is for.
    pub purpose: Purpose,
    /// Whose it is.
    pub account: AccountId,
    /// Of which key and type; `None` for secrets of the account itself.
    pub key: Option<(KeyId, KeyType)>,
}

/// A seal that does not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the seal does not open")]
pub struct SealBroken;

/// Seals and opens secrets, and delivers randomness.
pub trait Secrets: Send + Sync {
    /// Seals `secret`, bound to what it is for.
    fn seal(&self, what: SealFor, secret: &[u8]) -> Sealed;

    /// Opens what was sealed for `what`.
    ///
    /// # Errors
    /// [`SealBroken`] when it was sealed for something else, elsewhere, or is damaged.
    fn open(&self, what: SealFor, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealBroken>;

    /// Fills `bytes` from the system's random source, or stops the program.
    fn random(&self, bytes: &mut [u8]);
}

/// What admits calls on this node. It is told after a commit and before the answer.
pub trait Live: Send + Sync {
    /// Puts the records of a change in force: when it returns, no call is admitted against the former state.
    /// Changes may arrive out of order; a revision older than that of the record in force is ignored.
    fn apply(&self, committed: &Committed);
}

/// Delivers effects to the exchange.
pub trait Outbox: Send + Sync {
    /// Returns when the exchange has carried out these effects, in order and durably.
    fn settle(&self, effects: &[EffectId]) -> impl Future<Output = Result<(), NotSettled>> + Send;
}

/// The exchange did not carry out an effect yet; it stays in the outbox and is tried again.
#[derive(Debug, thiserror::Error)]
#[error("the exchange has not carried out the change yet")]
pub struct NotSettled;

/// What the exchange knows and decisions ask: values, read by the venue just before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExchangeFacts {
    /// The account is in special-key mode.
    pub special_mode: bool,
    /// It owes something in its cross margin account.
    pub has_liability: bool,
    /// It is being liquidated.
    pub in_liquidation: bool,
    /// Whether the addressed pair can be traded on isolated margin; unasked is `false`.
    pub isolated_pair: bool,
}

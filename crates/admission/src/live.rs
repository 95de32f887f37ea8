//! Keys and accounts as the line sees them: stable objects whose state is swapped under them.
//!
//! One `Arc<LiveKey>` a key id for as long as the key exists. An edit stores the new state, then raises the
//! generation; a permit that saw an older generation is judged again at the hand-over, by the state in force then.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use latchkey_authority::account::{Account, Owner};
use latchkey_authority::effective::{DeadReason, Effective, Standing, effective_permissions};
use latchkey_authority::ip::{IpMatcher, IpRestriction};
use latchkey_authority::key::{AcceptedProofs, KeyKind, KeyRecord};
use latchkey_authority::policy::{Policy, ReplayRule};
use latchkey_authority::trading::trading_account;
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::verify::Verifier;
use latchkey_protocol::catalog::Endpoint;
use latchkey_protocol::{AccountId, ApiKey, KeyId, PermissionSet, RiskPath, Symbol, Timestamp, TradingAccount};

use crate::Reason;
use crate::call::canonical;
use crate::last_use::{Kept, LastUse};
use crate::ports::OpenMaterial;
use crate::replay::{Replay, Share};
use crate::trail::IpMatch;

/// An account, shared by its keys and by those of its sub-accounts.
pub struct LiveAccount {
    /// Its id.
    pub id: AccountId,
    /// Its master, for a sub-account.
    pub master: Option<Arc<LiveAccount>>,
    record: ArcSwap<Account>,
    generation: AtomicU64,
}

impl LiveAccount {
    /// An account as stored.
    pub fn new(record: Account, master: Option<Arc<Self>>) -> Self {
        Self { id: record.id, master, record: ArcSwap::from_pointee(record), generation: AtomicU64::new(0) }
    }

    /// The stored facts.
    pub fn record(&self) -> Arc<Account> {
        self.record.load_full()
    }

    /// The VIP level that counts: the higher of the account's and its master's.
    pub fn vip(&self) -> u8 {
        let own = self.record.load().vip;
        self.master.as_ref().map_or(own, |master| own.max(master.vip()))
    }

    /// Puts new facts in force, then raises the generation.
    pub fn replace(&self, record: Account) {
        self.record.store(Arc::new(record));
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts the changes of this account and of its master.
    pub fn generation(&self) -> u64 {
        let own = self.generation.load(Ordering::SeqCst);
        self.master.as_ref().map_or(own, |master| own.wrapping_add(master.generation()))
    }
}

/// How a call was signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scheme {
    /// The compatible scheme: `signature` over the payload.
    Payload,
    /// A message signature (RFC 9421).
    Message9421,
}

/// What a key may do now. Made from records whenever one of them changes.
pub struct KeyState {
    /// Whether the key is admitted at all.
    pub standing: Standing,
    /// The permissions in force.
    pub permissions: PermissionSet,
    /// Up to when this holds; later the key is expired.
    pub until: Option<Timestamp>,
    /// Which addresses may call.
    pub ip: IpMatcher,
    /// The wallet that it reads and trades.
    pub trading: TradingAccount,
    /// Which margin checks its orders meet.
    pub risk: RiskPath,
    /// Which calls may not be repeated.
    pub replay: ReplayRule,
    /// The key as stored.
    pub record: KeyRecord,
}

impl KeyState {
    /// Whether the key is alive at `now`.
    ///
    /// # Errors
    /// [`Reason::KeyDead`].
    pub fn alive(&self, now: Timestamp) -> Result<(), Reason> {
        match self.standing {
            Standing::Dead(reason) => Err(Reason::KeyDead(reason)),
            Standing::Alive if self.until.is_some_and(|until| until <= now) => {
                let retired = self.record.retiring.is_some_and(|retiring| retiring.at <= now);
                Err(Reason::KeyDead(if retired { DeadReason::Retired } else { DeadReason::Expired }))
            }
            Standing::Alive => Ok(()),
        }
    }

    /// Whether the key may be used from `peer`.
    ///
    /// # Errors
    /// [`Reason::IpNotAllowed`].
    pub fn placed(&self, peer: IpAddr) -> Result<(), Reason> {
        if self.ip.allows(canonical(peer)) { Ok(()) } else { Err(Reason::IpNotAllowed) }
    }

    /// Whether the key accepts what was signed by `scheme`. Told like a wrong signature, before one is looked at, so that
    /// nobody learns a key's setting without signing.
    ///
    /// # Errors
    /// [`Reason::ProofNotAccepted`].
    pub(crate) fn accepts(&self, scheme: Scheme) -> Result<(), Reason> {
        match (self.record.accepts, scheme) {
            (AcceptedProofs::Both, Scheme::Payload | Scheme::Message9421)
            | (AcceptedProofs::Payload, Scheme::Payload)
            | (AcceptedProofs::Message9421, Scheme::Message9421) => Ok(()),
            (AcceptedProofs::Payload, Scheme::Message9421) | (AcceptedProofs::Message9421, Scheme::Payload) => {
                Err(Reason::ProofNotAccepted)
            }
        }
    }

    /// The entry of the key's list that covers `peer`, for the record of the call.
    pub fn entry(&self, peer: IpAddr) -> IpMatch {
        match &self.record.ip {
            IpRestriction::Unrestricted => IpMatch::Unrestricted,
            IpRestriction::Listed(rules) => {
                let covers = rules.iter().find(|rule| rule.contains(peer));
                covers.map_or(IpMatch::NoEntry, |rule| IpMatch::Entry(*rule))
            }
        }
    }

    /// Whether the permissions in force reach `row`.
    ///
    /// # Errors
    /// [`Reason::PermissionMissing`].
    pub fn permitted(&self, row: &Endpoint) -> Result<(), Reason> {
        match row.permission {
            Some(permission) if !self.permissions.contains(permission) => Err(Reason::PermissionMissing(permission)),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the pair that a changing call names is one that the key may trade.
    ///
    /// # Errors
    /// [`Reason::SymbolNotWhitelisted`].
    pub fn tradable(&self, row: &Endpoint, symbol: Option<Symbol>) -> Result<(), Reason> {
        match (symbol, &self.record.symbols) {
            (Some(symbol), Some(symbols)) if row.changes_state && !symbols.contains(&symbol) => {
                Err(Reason::SymbolNotWhitelisted)
            }
            _ => Ok(()),
        }
    }
}

/// A key, one object for its whole life.
pub struct LiveKey {
    /// Its internal name.
    pub id: KeyId,
    /// Its public name.
    pub api_key: ApiKey,
    /// Standard, special or tax.
    pub kind: KeyKind,
    /// Its owner.
    pub account: Arc<LiveAccount>,
    /// When it was made.
    pub created: Timestamp,
    /// Apart from the rest: most keys of a large store are never used, and theirs takes no room.
    verifier: OnceLock<Box<Verifier>>,
    share: OnceLock<Arc<Share>>,
    state: ArcSwap<KeyState>,
    generation: AtomicU64,
    /// As the verifier: apart, and there once the key was used.
    last_use: OnceLock<Box<Kept>>,
}

impl LiveKey {
    /// A key as stored, with the state that it has at `now`.
    pub fn new(record: &KeyRecord, account: Arc<LiveAccount>, policy: &Policy, now: Timestamp) -> Self {
        Self {
            id: record.id,
            api_key: record.api_key,
            kind: record.kind,
            created: record.created,
            verifier: OnceLock::new(),
            share: OnceLock::new(),
            state: ArcSwap::from_pointee(Self::judge(record.clone(), &account, policy, now)),
            account,
            generation: AtomicU64::new(0),
            last_use: OnceLock::new(),
        }
    }

    /// Puts the state of a changed record in force, then raises the generation.
    pub fn refresh(&self, record: &KeyRecord, policy: &Policy, now: Timestamp) {
        self.state.store(Arc::new(Self::judge(record.clone(), &self.account, policy, now)));
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Judges the same record by changed account facts, puts that in force, then raises the generation.
    /// Changes of one key come one after another: whoever makes them sees to that.
    pub fn judge_again(&self, policy: &Policy, now: Timestamp) {
        self.refresh(&self.state().record, policy, now);
    }

    fn judge(record: KeyRecord, account: &LiveAccount, policy: &Policy, now: Timestamp) -> KeyState {
        let facts = account.record();
        let master = account.master.as_ref().map(|master| master.record());
        let effective = Owner::new(&facts, master.as_deref()).map_or_else(
            // A sub-account without its master admits nothing.
            || Effective {
                standing: Standing::Dead(DeadReason::AccountFrozen),
                permissions: PermissionSet::EMPTY,
                withheld: Vec::new(),
                until: None,
            },
            |owner| effective_permissions(policy, &owner, &record, now),
        );
        let (trading, risk) = trading_account(&facts, &record);
        KeyState {
            standing: effective.standing,
            permissions: effective.permissions,
            until: effective.until,
            ip: record.ip.matcher(),
            trading,
            risk,
            replay: record.replay.unwrap_or(policy.replay),
            record,
        }
    }

    /// The state in force.
    pub fn state(&self) -> Arc<KeyState> {
        self.state.load_full()
    }

    /// Counts the changes of this key.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// The type of its material.
    pub fn key_type(&self) -> KeyType {
        self.state.load().record.key_type()
    }

    /// The verifier, prepared on first use. `None` when the material cannot be opened.
    pub fn verifier(&self, opener: &dyn OpenMaterial) -> Option<&Verifier> {
        if let Some(verifier) = self.verifier.get() {
            return Some(verifier);
        }
        let verifier = opener.open(self.account.id, self.id, &self.state().record.material)?;
        Some(self.verifier.get_or_init(|| Box::new(verifier)))
    }

    /// Where the signatures of its verifying key are remembered, found on first use.
    pub(crate) fn share(&self, replay: &Replay, verifier: &Verifier) -> &Share {
        self.share.get_or_init(|| replay.share(self.account.id, verifier))
    }

    /// Notes a verified call: when and from where it came.
    pub fn used(&self, at: Timestamp, from: IpAddr) {
        self.last_use.get_or_init(|| Box::new(Kept::first(at, from))).note(at, from);
    }

    /// The last verified call.
    pub fn last_use(&self) -> Option<LastUse> {
        self.last_use.get().map(|kept| kept.read())
    }

    /// The last verified call, unless the store has it.
    pub fn unstored_use(&self) -> Option<LastUse> {
        self.last_use.get().and_then(|kept| kept.unstored())
    }

    /// Notes that the store has the verified call of `at`.
    pub fn use_stored(&self, at: Timestamp) {
        if let Some(kept) = self.last_use.get() {
            kept.stored(at);
        }
    }
}

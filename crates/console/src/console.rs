//! What every route of the management API shares.

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_authority::account::{Account, PasswordHash};
use latchkey_authority::caller::{Caller, Via};
use latchkey_authority::change::{Action, AuditEvent, Outcome};
use latchkey_authority::ports::{Loaded, Notes, Ports, Store};
use latchkey_authority::service::Authority;
use latchkey_authority::step_up::FactorSet;
use latchkey_crypto::password::{self, PasswordError};
use latchkey_protocol::{AccountId, Timestamp};
use passki::Passki;
use zeroize::Zeroizing;

use crate::api::calls::{Exports, Reads};
use crate::attempts::{self, Counter, Refused};
use crate::cookie::Cookies;
use crate::hashing::{For, Hashing, Turn};
use crate::problem::{self, Problem};
use crate::session::Signed;
use crate::{Services, Settings};

/// A hash of no password, with the costs of a real one: an unknown address takes as long as a wrong password.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The console behind the management API.
pub(crate) struct Console<P> {
    pub(crate) services: Services<P>,
    pub(crate) cookies: Cookies,
    pub(crate) passkeys: Passki,
    pub(crate) exports: Exports,
    pub(crate) reads: Reads,
    pub(crate) hashing: Hashing,
}

impl<P: Ports + 'static> Console<P> {
    /// A console for pages at the origin of `settings`.
    pub(crate) fn new(settings: &Settings, services: Services<P>) -> Self {
        let origin = settings.origin.as_str();
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        Self {
            services,
            cookies: Cookies::of(origin),
            passkeys: Passki::new(name, &[origin], "Latchkey"),
            exports: Exports::default(),
            reads: Reads::default(),
            hashing: Hashing::default(),
        }
    }

    pub(crate) fn authority(&self) -> &Authority<P> {
        &self.services.authority
    }

    pub(crate) fn store(&self) -> &P::Store {
        self.authority().ports().store()
    }

    pub(crate) fn shelf(&self) -> &P::Shelf {
        self.authority().ports().shelf()
    }

    pub(crate) fn secrets(&self) -> &P::Secrets {
        self.authority().ports().secrets()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.services.clock.now()
    }

    /// An account that exists.
    pub(crate) async fn load(&self, account: AccountId) -> Result<Loaded, Problem> {
        self.store().load(account).await?.ok_or_else(|| problem::ACCOUNT_UNKNOWN.into())
    }

    /// The account of whoever is signed in.
    pub(crate) async fn own(&self, signed: &Signed) -> Result<Account, Problem> {
        Ok(self.load(signed.account).await?.account)
    }

    /// The account that a path names, if the caller speaks for it: its own as `me` or by its uid, or a sub-account's.
    pub(crate) async fn reach(&self, signed: &Signed, segment: &str) -> Result<Loaded, Problem> {
        let loaded = self.load(self.named(signed, segment)?).await?;
        let speaks = loaded.account.id == signed.account || loaded.account.master == Some(signed.account);
        if speaks { Ok(loaded) } else { Err(problem::ACCOUNT_UNKNOWN.into()) }
    }

    fn named(&self, signed: &Signed, segment: &str) -> Result<AccountId, Problem> {
        if segment == "me" {
            return Ok(signed.account);
        }
        let digits = segment.len() <= 18 && segment.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits && !segment.starts_with('0') { segment.parse().ok() } else { None };
        number.map(AccountId).ok_or_else(|| problem::ACCOUNT_UNKNOWN.into())
    }

    /// Whether `password` is that of `account`; without an account it takes as long and is not.
    pub(crate) async fn password_holds(
        &self,
        whose: For,
        account: Option<&Account>,
        password: String,
    ) -> Result<bool, Problem> {
        let hash = account.and_then(|account| account.password_hash.as_ref()).map(|hash| hash.expose().to_owned());
        let known = hash.is_some();
        let (hash, password) = (Zeroizing::new(hash.unwrap_or_else(|| DECOY.to_owned())), Zeroizing::new(password));
        let holds = self.hashing.run(whose, move || password::verify(&password, &hash)).await?;
        match holds {
            Ok(()) => Ok(known),
            Err(PasswordError::Wrong | PasswordError::Length) => Ok(false),
            Err(error @ (PasswordError::Hash | PasswordError::Library)) => {
                tracing::error!(%error, "a password could not be checked");
                Err(problem::UNAVAILABLE.into())
            }
        }
    }

    /// Hashes a new password.
    async fn hash_password(self: &Arc<Self>, whose: For, password: String) -> Result<String, Problem> {
        self.hash_password_in(self.hashing.turn(whose).await?, password).await
    }

    /// Hashes a new password in a turn that was taken before.
    pub(crate) async fn hash_password_in(self: &Arc<Self>, turn: Turn, password: String) -> Result<String, Problem> {
        let (console, password) = (Arc::clone(self), Zeroizing::new(password));
        let hashed = turn.run(move || {
            use latchkey_authority::ports::Secrets as _;
            password::hash(&password, &mut |bytes: &mut [u8]| console.secrets().random(bytes))
        });
        hashed.await?.map_err(|error| match error {
            PasswordError::Length => crate::wire::invalid("password", error.to_string()),
            PasswordError::Wrong | PasswordError::Hash | PasswordError::Library => {
                tracing::error!(%error, "a password could not be hashed");
                problem::UNAVAILABLE.into()
            }
        })
    }

    /// The hash of a new password: `drawn` when it is of the same one, so that the proof of the change fits. What
    /// `caller` asks without a proof is counted first, because a hash is dear and the demand needs it.
    pub(crate) async fn hash_password_again(
        self: &Arc<Self>,
        caller: &Caller,
        password: String,
        drawn: Option<Zeroizing<String>>,
    ) -> Result<PasswordHash, Problem> {
        let whose = For::Account(caller.account);
        if caller.step_up.is_none() {
            let counter = Counter::NewPassword(caller.account);
            drop(attempts::reserve(self.authority().ports(), counter, self.now()).await?);
        }
        if let Some(drawn) = drawn {
            let (given, hash) = (Zeroizing::new(password.clone()), drawn.clone());
            if self.hashing.run(whose, move || password::verify(&given, &hash)).await?.is_ok() {
                return Ok(PasswordHash::new(drawn.to_string()));
            }
        }
        self.hash_password(whose, password).await.map(PasswordHash::new)
    }

    /// Puts a refused proof into the audit chain, which is never thinned: whoever fails without end has only the first of
    /// them noted, and then one after each wait.
    pub(crate) async fn note_failure(&self, fact: Fact) {
        match attempts::reserve(self.authority().ports(), Counter::Noted(fact.account), self.now()).await {
            Ok(reserved) => {
                // Not taken back: notes are what is limited.
                drop(reserved);
                self.note(fact).await;
            }
            Err(Refused::Wait(seconds)) => {
                let (account, from) = (fact.account, fact.from);
                tracing::warn!(%account, ?from, seconds, "a refused proof is not audited: too many were lately");
            }
            Err(Refused::Store(error)) => tracing::error!(%error, "a refused proof could not be audited"),
        }
    }

    /// Puts a refusal, a sign-in or another fact without a change into the audit chain.
    pub(crate) async fn note(&self, fact: Fact) {
        let event = AuditEvent {
            at: self.now(),
            who: Caller { account: fact.account, from: fact.from, via: Via::Owner, step_up: None, claim: None }.actor(),
            from: fact.from,
            action: fact.action,
            account: fact.account,
            key: None,
            before: Vec::new(),
            after: Vec::new(),
            outcome: fact.outcome,
            with: fact.with,
        };
        if let Err(error) = self.store().note(event).await {
            tracing::error!(%error, "an audit record could not be written");
        }
    }
}

/// Something to be noted about an account.
pub(crate) struct Fact {
    pub(crate) account: AccountId,
    pub(crate) from: Option<IpAddr>,
    pub(crate) action: Action,
    pub(crate) outcome: Outcome,
    pub(crate) with: FactorSet,
}

/// Whether two digests are the same; the time says nothing about where they differ.
pub(crate) fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.iter().zip(other).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoy_costs_as_much_as_a_password() {
        let real = password::hash("x", &mut |bytes: &mut [u8]| bytes.fill(1)).unwrap();
        let costs = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(costs(DECOY), costs(&real));
        assert_eq!(DECOY.len(), real.len());
        assert_eq!(password::verify("x", DECOY), Err(PasswordError::Wrong));
    }

    #[test]
    fn digests_are_the_same_only_when_every_byte_is() {
        let one = [7; 32];
        assert!(same(&one, &[7; 32]));
        for place in 0..32 {
            let mut other = one;
            other[place] ^= 1;
            assert!(!same(&one, &other));
        }
    }
}

//! Who asks, and what that allows.

use crate::account::Owner;
use crate::change::Actor;
use crate::claim::Claim;
use crate::effective::{Standing, effective_permissions};
use crate::hold::Holder;
use crate::issue::Case;
use crate::key::{KeyKind, KeyRecord};
use crate::refusal::Refusal;
use crate::step_up::{FactorSet, StepUp, StepUpFlaw};
use core::net::IpAddr;
use latchkey_protocol::{AccountId, KeyId, Permission};

/// Who asks for something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The account that the caller speaks for; for operators, worlds and rules the one that is acted upon.
    pub account: AccountId,
    /// From where, when it came over the network.
    pub from: Option<IpAddr>,
    /// How the caller was recognised.
    pub via: Via,
    /// What an owner showed for this one change; nobody else shows anything.
    pub step_up: Option<StepUp>,
    /// What this request claimed, so that it creates once however often it is sent.
    pub claim: Option<Claim>,
}

/// How a caller was recognised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Via {
    /// By a signed call that was admitted. What the key may do is asked of its record, as it is when the change is
    /// decided.
    Key {
        /// With this key.
        key: KeyId,
    },
    /// As the owner, signed in.
    Owner,
    /// As the owner, by a code that was sent to the account's address: for a new password, and nothing else.
    SentCode,
    /// As an operator of this name.
    Operator(String),
    /// As the world file of a demo.
    World,
    /// As a rule that acts with time.
    System,
}

/// What a caller wants to do, as far as it decides who may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Power {
    /// Make or edit special keys, or look at them.
    Special,
    /// Make or widen a standard key.
    Widen,
    /// Take something away, or give back what was taken: delete, disable, enable, freeze, release.
    Hold,
    /// Change one's own factors.
    Own,
    /// Choose one's own password anew.
    Password,
    /// Do what comes with time.
    Sweep,
    /// Bring standard keys in from a file.
    Import,
}

impl Caller {
    /// The caller as records name it.
    pub fn actor(&self) -> Actor {
        match &self.via {
            Via::Key { key, .. } => Actor::Key { account: self.account, key: *key },
            Via::Owner | Via::SentCode => Actor::Owner(self.account),
            Via::Operator(name) => Actor::Operator(name.clone()),
            Via::World => Actor::World,
            Via::System => Actor::System,
        }
    }

    /// What the caller is to `account`.
    pub(crate) fn holder(&self, account: AccountId) -> Holder {
        Holder::of(&self.actor(), account)
    }

    /// What was shown for this change.
    pub fn factors(&self) -> FactorSet {
        self.step_up.as_ref().map_or(FactorSet::EMPTY, StepUp::factors)
    }

    /// The key that made the call, when it was a signed one.
    pub const fn key(&self) -> Option<KeyId> {
        match self.via {
            Via::Key { key, .. } => Some(key),
            Via::Owner | Via::SentCode | Via::Operator(_) | Via::World | Via::System => None,
        }
    }
}

/// Refuses a caller that may not do this to the account of `case`.
///
/// A master acts on its sub-accounts. Operators never make, widen or enable a customer's key, save by an import, which
/// nobody but them may do. A signed call reaches special keys, and the standard keys of sub-accounts, but never the standard keys of its own account.
/// Source: SAPI change log, 2021-11-17: no endpoint lets a key edit itself.
pub(crate) fn authorise(case: &Case<'_>, owner: &Owner<'_>, power: Power) -> Result<(), Refusal> {
    let caller = case.caller;
    let own = caller.account == owner.account().id;
    let speaks_for = own || Some(caller.account) == owner.account().master;
    match &caller.via {
        Via::Key { .. } | Via::Owner | Via::SentCode if power == Power::Import => Err(Refusal::OnlyByOperator),
        Via::Key { .. } | Via::Owner | Via::SentCode if !speaks_for => Err(Refusal::NotYourAccount),
        Via::SentCode if !own || power != Power::Password => Err(Refusal::StepUpWrong(StepUpFlaw::TooWeak)),
        Via::Key { key } => {
            let keeper = if own { Some(*owner) } else { Owner::new(owner.master(), None) };
            let calling = case.calling_key().filter(|calling| calling.id == *key);
            let (calling, keeper) = calling.zip(keeper).ok_or(Refusal::CallerKeyDead)?;
            check_calling(case, calling, &keeper)?;
            if own && power != Power::Special { Err(Refusal::NotBySignedCall) } else { Ok(()) }
        }
        Via::Owner if matches!(power, Power::Own | Power::Password) && !own => Err(Refusal::NotYourAccount),
        Via::Operator(_) if matches!(power, Power::Special | Power::Widen | Power::Own | Power::Password) => {
            Err(Refusal::NotByOperator)
        }
        Via::Owner | Via::Operator(_) if power == Power::Sweep => Err(Refusal::OnlyByOperator),
        Via::Owner | Via::SentCode | Via::Operator(_) | Via::World | Via::System => Ok(()),
    }
}

/// Refuses a key that manages no keys. The line admitted it; a change that committed since then may have ended it, or
/// have taken away what it may do or where it may be used.
fn check_calling(case: &Case<'_>, calling: &KeyRecord, keeper: &Owner<'_>) -> Result<(), Refusal> {
    if calling.kind != KeyKind::Standard {
        return Err(Refusal::CallerKeyNotStandard);
    }
    let effective = effective_permissions(case.policy, keeper, calling, case.now);
    if effective.standing != Standing::Alive {
        return Err(Refusal::CallerKeyDead);
    }
    let inside = |address| calling.ip.matcher().allows(address);
    if calling.ip.is_listed() && !case.caller.from.is_some_and(inside) {
        return Err(Refusal::CallerNotFromItsIps);
    }
    let needed = Permission::SpotAndMarginTrading;
    if effective.permissions.contains(needed) { Ok(()) } else { Err(Refusal::CallerLacksPermission(needed)) }
}

//! What a key may do now: its standing, and which of its granted permissions are in force.
//!
//! Recomputed with each change of key, account or master. Between changes only time moves: [`Effective::until`]
//! says up to when the answer holds.

use crate::account::{Kyc, Owner};
use crate::key::{KeyKind, KeyRecord, KeyState};
use crate::permission_rules::{Need, Subject, unmet};
use crate::policy::Policy;
use latchkey_protocol::{Permission, PermissionSet, Timestamp};

/// Whether a key is admitted at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is.
    Alive,
    /// It is not.
    Dead(DeadReason),
}

/// Why a key is not admitted; told to its owner alone. In this order, the first that applies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeadReason {
    /// Deleted.
    Deleted,
    /// Its life without an IP list is over.
    Expired,
    /// Put out of use.
    Disabled,
    /// Its account, or the master of it, is frozen.
    AccountFrozen,
    /// Its owner is not verified-plus.
    KycTooLow,
    /// A successor took its place, and the overlap is over.
    Retired,
    /// A special key whose owner lives where margin is restricted.
    ResidenceRestricted,
}

impl DeadReason {
    /// The short name, as records spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
            Self::AccountFrozen => "account-frozen",
            Self::KycTooLow => "kyc-too-low",
            Self::Retired => "retired",
            Self::ResidenceRestricted => "residence-restricted",
        }
    }
}

/// A granted permission that is not in force, and the condition that withholds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Withheld {
    /// Which permission.
    pub permission: Permission,
    /// What it lacks.
    pub need: Need,
}

/// What a key may do now, and why not more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effective {
    /// Whether the key is admitted.
    pub standing: Standing,
    /// The permissions in force; none for a dead key. Never more than were granted.
    pub permissions: PermissionSet,
    /// What was granted to a living key and is not in force.
    pub withheld: Vec<Withheld>,
    /// The first moment at which a living key is dead unless it changes; `None` is never.
    pub until: Option<Timestamp>,
}

/// Where a key stands at `now`.
/// Sources: Binance support, "How to Create API Keys on Binance" (KYC); API key guide (90 days); margin special API
/// key FAQ, 2026-05-14 (residence).
pub fn key_standing(policy: &Policy, owner: &Owner<'_>, key: &KeyRecord, now: Timestamp) -> Standing {
    let restricted = || key.kind.scope().is_some() && owner.restricted_residence(policy).is_some();
    let dead = match (&key.state, key.over(policy, now)) {
        (KeyState::Deleted { .. }, _) => DeadReason::Deleted,
        (KeyState::Expired { .. }, _) => DeadReason::Expired,
        (KeyState::Active | KeyState::Disabled { .. }, Some(over)) => over,
        (KeyState::Disabled { .. }, None) => DeadReason::Disabled,
        (KeyState::Active, None) if owner.frozen().is_some() => DeadReason::AccountFrozen,
        (KeyState::Active, None) if owner.kyc() < Kyc::VerifiedPlus => DeadReason::KycTooLow,
        (KeyState::Active, None) if restricted() => DeadReason::ResidenceRestricted,
        (KeyState::Active, None) => return Standing::Alive,
    };
    Standing::Dead(dead)
}

/// What `key` may do at `now`. A key is judged with what its account could do when it was made.
pub fn effective_permissions(policy: &Policy, owner: &Owner<'_>, key: &KeyRecord, now: Timestamp) -> Effective {
    let standing = key_standing(policy, owner, key, now);
    let mut effective = Effective { standing, permissions: PermissionSet::EMPTY, withheld: Vec::new(), until: None };
    if standing != Standing::Alive {
        return effective;
    }
    effective.until = [key.life_end(policy), key.retiring.map(|retiring| retiring.at)].into_iter().flatten().min();
    let subject = Subject {
        policy,
        owner: *owner,
        key_type: key.key_type(),
        listed: key.ip.is_listed(),
        capabilities: key.capabilities,
        at: now,
    };
    for permission in key.permissions.intersection(reach(key.kind)).iter() {
        match unmet(permission, &subject) {
            None => effective.permissions = effective.permissions.with(permission),
            Some(need) => effective.withheld.push(Withheld { permission, need }),
        }
    }
    effective
}

/// The most that a key of this kind may ever be granted: a special key never borrows, a tax key only reads.
pub fn reach(kind: KeyKind) -> PermissionSet {
    match kind {
        KeyKind::Standard => Permission::ALL.iter().copied().collect(),
        KeyKind::Special { mode, .. } => mode.permissions(),
        KeyKind::Tax => PermissionSet::READING,
    }
}

//! A successor for a key: the same restrictions, other material, and a while in which both live.

use super::create::{
    Parts, check_account, check_callers_ips, check_callers_symbols, check_permissions, check_signed_creation, made,
    material, record,
};
use super::life::check_not_ended;
use super::special::check_eligibility;
use super::{Case, Draft, Minted, NewProof, asked};
use crate::caller::{Power, authorise};
use crate::change::{Action, Change};
use crate::key::{KeyKind, KeyRecord, KeyState, PermissionMode, Retiring};
use crate::policy::HOUR;
use crate::refusal::Refusal;
use crate::step_up::IntentKind;
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::{KeyId, Permission};
use serde_json::json;

/// A rotation as it is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotation {
    /// How long both keys live.
    pub overlap: Overlap,
    /// How the successor proves requests.
    pub proof: NewProof,
}

/// How long a key lives beside its successor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// So many hours.
    For(u16),
    /// Until it was not used for so many hours, and at most as long as policy allows.
    WhenIdle {
        /// At least one.
        hours: u16,
    },
}

/// Decides on a successor. The old key does not count towards the keys of its account while the successor lives; when
/// that ends first, it counts again, and still ends with its overlap.
///
/// # Errors
/// [`Refusal`], in this order: the caller, the key, the overlap, the account, what the kind needs, the permissions, the
/// proof. The successor is judged like any new key.
pub fn rotate_key(case: Case<'_>, id: KeyId, rotation: &Rotation, minted: &Minted) -> Result<Change, Refusal> {
    let owner = case.owner()?;
    authorise(&case, &owner, Power::Widen)?;
    check_signed_creation(&case)?;
    let before = case.loaded.keys.iter().find(|key| key.id == id).ok_or(Refusal::KeyUnknown)?;
    check_not_ended(&case, before)?;
    // Otherwise the successor would be in use where whoever disabled the key meant that it is not.
    if before.state != KeyState::Active {
        return Err(Refusal::KeyNotActive);
    }
    // One overlap at a time: otherwise successors of successors would be keys beyond the count.
    let succeeds = |key: &KeyRecord| {
        key.retiring.is_some_and(|retiring| retiring.successor == id) && key.lives(case.policy, case.now)
    };
    if before.retiring.is_some() || case.loaded.keys.iter().any(succeeds) {
        return Err(Refusal::RotationUnderWay);
    }
    let retiring = retiring(&case, rotation.overlap, minted.id)?;
    let material = material(minted)?;
    check_account(&owner)?;
    if let KeyKind::Special { mode, .. } = before.kind {
        if mode == PermissionMode::Read && material.key_type() != KeyType::Ed25519 {
            return Err(Refusal::RotationChangesType);
        }
        check_eligibility(case.policy, &owner, case.now)?;
    }
    let parts = Parts { at: case.now, label: before.label.clone(), material, ip: before.ip.clone() };
    let fresh = record(&case, &owner, minted, parts);
    let successor = KeyRecord {
        permissions: before.permissions,
        symbols: before.symbols.clone(),
        kind: before.kind,
        // Whoever asks learns its secret.
        made_by: case.caller.key().or(before.made_by),
        accepts: before.accepts,
        replay: before.replay,
        ..fresh
    };
    check_callers_ips(&case, &successor.ip)?;
    check_callers_symbols(&case, &successor)?;
    if before.kind == KeyKind::Standard {
        check_permissions(&case, &owner, &successor, successor.permissions, case.now)?;
    }
    let withdraws = successor.permissions.contains(Permission::Withdrawals);
    let kind = if withdraws { IntentKind::GrantWithdrawals } else { IntentKind::RotateKey };
    let after = json!({ "key": id.to_string(), "overlap": rotation.overlap, "successor": asked(&successor) });
    case.confirm_widening(kind, after)?;
    let draft = Draft::new(case).replace(before, KeyRecord { retiring: Some(retiring), ..before.clone() });
    Ok(made(draft, &case, successor, Action::KeyRotated))
}

fn retiring(case: &Case<'_>, overlap: Overlap, successor: KeyId) -> Result<Retiring, Refusal> {
    let max = case.policy.rotation_overlap_max_hours;
    let (hours, idle_hours) = match overlap {
        Overlap::For(hours) if hours <= max => (hours, None),
        Overlap::WhenIdle { hours } if (1..=max).contains(&hours) => (max, Some(hours)),
        Overlap::For(_) | Overlap::WhenIdle { .. } => return Err(Refusal::OverlapOutOfRange(max)),
    };
    let at = case.now.plus_micros(i64::from(hours) * HOUR);
    Ok(Retiring { successor, since: case.now, at, idle_hours })
}

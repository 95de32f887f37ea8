//! Second factors, recovery codes and the password of an account.

use super::life::narrowing;
use super::{Case, Draft};
use crate::account::{Account, Passkey, PasswordHash, RecoveryCode, Sealed};
use crate::caller::{Power, Via, authorise};
use crate::change::{Action, AnswerAfter, Change, Direction, NoticeKind};
use crate::policy::HOUR;
use crate::ports::Loaded;
use crate::refusal::Refusal;
use crate::step_up::IntentKind;
use latchkey_crypto::digest::{sha256, to_hex};
use serde_json::{Value, json};

/// A change of factors as it is asked for.
#[derive(Clone, PartialEq, Debug)]
pub enum FactorChange {
    /// One-time codes are enrolled by this seed, sealed for [`crate::ports::Purpose::TotpSeed`]; a former one is
    /// replaced.
    SetTotp(Sealed),
    /// One-time codes are taken away.
    RemoveTotp,
    /// A passkey is enrolled.
    AddPasskey(Passkey),
    /// The passkey of this id is taken away.
    RemovePasskey(String),
    /// New recovery codes replace the former ones.
    SetRecovery(Vec<RecoveryCode>),
    /// The password changes.
    SetPassword(PasswordHash),
}

/// Decides on a change of factors. `subs` are the sub-accounts of the account, whose keys live by its factors too.
///
/// # Errors
/// [`Refusal`]: the caller, who is the owner alone; the factor; the proof.
pub fn change_factors(case: Case<'_>, change: &FactorChange, subs: &[Loaded]) -> Result<Change, Refusal> {
    let power = if matches!(change, FactorChange::SetPassword(_)) { Power::Password } else { Power::Own };
    authorise(&case, &case.owner()?, power)?;
    if matches!(case.caller.via, Via::Key { .. }) {
        return Err(Refusal::NotBySignedCall);
    }
    let stored = &case.loaded.account;
    let account = applied(change, stored)?;
    if stored.has_factor() && !account.has_factor() && has_living_keys(&case, subs) {
        return Err(Refusal::LastFactor);
    }
    let (kind, action, what) = match (change, &case.caller.via) {
        (FactorChange::SetPassword(_), Via::SentCode) => {
            let what = "The password was chosen anew, by a code that was sent to this address.";
            (IntentKind::ChangePassword, Action::PasswordReset, what)
        }
        _ => described(change, stored),
    };
    case.confirm(kind, asked(change))?;
    let draft = Draft::new(case).account(account).tell(NoticeKind::Factors, None, what);
    let draft = draft.sign_out(matches!(change, FactorChange::SetPassword(_)));
    Ok(draft.finish(action, AnswerAfter::Local, Direction::Widening))
}

fn applied(change: &FactorChange, stored: &Account) -> Result<Account, Refusal> {
    let mut account = stored.clone();
    match change {
        FactorChange::SetTotp(sealed) => account.totp = Some(sealed.clone()),
        FactorChange::RemoveTotp => {
            account.totp.take().ok_or(Refusal::TotpUnknown)?;
        }
        FactorChange::AddPasskey(passkey) => {
            if account.passkeys.iter().any(|known| known.id == passkey.id) {
                return Err(Refusal::PasskeyKnown);
            }
            account.passkeys.push(passkey.clone());
        }
        FactorChange::RemovePasskey(id) => {
            account.passkeys.retain(|known| known.id != *id);
            if account.passkeys.len() == stored.passkeys.len() {
                return Err(Refusal::PasskeyUnknown);
            }
        }
        FactorChange::SetRecovery(_) if !stored.has_factor() => return Err(Refusal::NoSecondFactor),
        FactorChange::SetRecovery(codes) => account.recovery.clone_from(codes),
        FactorChange::SetPassword(hash) => account.password_hash = Some(hash.clone()),
    }
    if !account.has_factor() {
        account.recovery.clear();
    }
    Ok(account)
}

/// Whether a key lives that needs this account to have a factor: its own, and those of sub-accounts without one.
fn has_living_keys(case: &Case<'_>, subs: &[Loaded]) -> bool {
    if case.loaded.master.as_ref().is_some_and(Account::has_factor) {
        return false;
    }
    let dependent = subs.iter().filter(|sub| !sub.account.has_factor());
    let mut keys = core::iter::once(case.loaded).chain(dependent).flat_map(|of| &of.keys);
    keys.any(|key| key.lives(case.policy, case.now))
}

fn described(change: &FactorChange, stored: &Account) -> (IntentKind, Action, &'static str) {
    let adds = if stored.has_factor() { IntentKind::AddFactor } else { IntentKind::AddFirstFactor };
    let password = if stored.has_factor() { IntentKind::ChangePassword } else { IntentKind::AddFirstFactor };
    match change {
        FactorChange::SetTotp(_) => (adds, Action::FactorAdded, "One-time codes were enrolled."),
        FactorChange::AddPasskey(_) => (adds, Action::FactorAdded, "A passkey was added."),
        FactorChange::RemoveTotp => {
            (IntentKind::RemoveFactor, Action::FactorRemoved, "One-time codes were taken away.")
        }
        FactorChange::RemovePasskey(_) => {
            (IntentKind::RemoveFactor, Action::FactorRemoved, "A passkey was taken away.")
        }
        FactorChange::SetRecovery(_) => (
            IntentKind::RecoveryCodes,
            Action::RecoveryCodesMade,
            "New recovery codes were made; the old ones are void.",
        ),
        FactorChange::SetPassword(_) => (password, Action::PasswordChanged, "The password was changed."),
    }
}

/// The change as its proof names it. What is drawn for it, a salt too, is part of it: whoever asks draws once, and keeps
/// that until the proof is given.
fn asked(change: &FactorChange) -> Value {
    match change {
        FactorChange::SetTotp(sealed) => json!({ "totp": to_hex(&sha256(&sealed.0)) }),
        FactorChange::RemoveTotp => json!({ "totp": null }),
        FactorChange::AddPasskey(passkey) => {
            json!({ "passkey": passkey.id, "label": passkey.label, "credential": passkey.credential })
        }
        FactorChange::RemovePasskey(id) => json!({ "remove-passkey": id }),
        FactorChange::SetRecovery(codes) => {
            json!({ "recovery-codes": codes.iter().map(|code| to_hex(&code.0)).collect::<Vec<_>>() })
        }
        FactorChange::SetPassword(hash) => json!({ "password": hash.fingerprint() }),
    }
}

/// Decides on spending a recovery code outside of a change, as a sign-in does.
///
/// # Errors
/// [`Refusal`]: the caller, the code.
pub fn use_recovery_code(case: Case<'_>, code: RecoveryCode) -> Result<Change, Refusal> {
    authorise(&case, &case.owner()?, Power::Own)?;
    let mut account = case.loaded.account.clone();
    account.recovery.retain(|known| *known != code);
    if account.recovery.len() == case.loaded.account.recovery.len() {
        return Err(Refusal::RecoveryCodeUnknown);
    }
    let text = format!("A recovery code was used; {} are left.", account.recovery.len());
    let draft = Draft::new(case).account(account).tell(NoticeKind::Factors, None, text);
    Ok(narrowing(draft, Action::RecoveryCodeUsed))
}

/// Decides on taking every second factor away, for an owner who lost them. Nothing is widened for a while after.
///
/// # Errors
/// [`Refusal`] of the caller, who is an operator.
pub fn reset_factors(case: Case<'_>) -> Result<Change, Refusal> {
    if !matches!(case.caller.via, Via::Operator(_)) {
        return Err(Refusal::OnlyByOperator);
    }
    authorise(&case, &case.owner()?, Power::Hold)?;
    let until = case.now.plus_micros(i64::from(case.policy.reset_hold_hours) * HOUR);
    let account = Account {
        totp: None,
        passkeys: Vec::new(),
        recovery: Vec::new(),
        widening_held_until: Some(until),
        ..case.loaded.account.clone()
    };
    let text = format!(
        "An operator took every second factor of the account away. Nothing can be widened before {}. If this was \
         not asked for, freeze the account.",
        until.as_millis()
    );
    let draft = Draft::new(case).account(account).tell(NoticeKind::Factors, None, text);
    Ok(narrowing(draft.sign_out(true), Action::FactorsReset))
}

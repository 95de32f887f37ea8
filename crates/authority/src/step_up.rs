//! Proofs beyond being signed in, each for one exact change.
//!
//! ```text
//! ask without a proof ─→ Refusal::StepUpNeeded(Demand) ─→ the console's ceremony ─→ StepUp ─→ ask again
//! ```
//!
//! A [`Demand`] names the change by a digest over account, kind, version before and state after. Every change raises
//! the version, so a proof that was used fits nothing again.

use crate::account::{Owner, RecoveryCode};
use crate::policy::Policy;
use crate::stored::hex;
use latchkey_crypto::digest::sha256_framed;
use latchkey_protocol::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

/// One thing that an owner can show.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Factor {
    /// The password.
    Password,
    /// A one-time code.
    Totp,
    /// A passkey, with its user verified.
    Passkey,
    /// A code sent by e-mail.
    EmailCode,
    /// A code sent as a text message.
    SmsCode,
    /// A recovery code; it counts for changes of factors alone.
    RecoveryCode,
}

impl Factor {
    /// Every factor.
    pub const ALL: [Self; 6] =
        [Self::Password, Self::Totp, Self::Passkey, Self::EmailCode, Self::SmsCode, Self::RecoveryCode];
}

/// Factors that were shown. Rests as a list of names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FactorSet(u8);

impl FactorSet {
    /// Nothing.
    pub const EMPTY: Self = Self(0);

    /// Whether `factor` was shown.
    pub const fn contains(self, factor: Factor) -> bool {
        self.0 & (1 << factor as u8) != 0
    }

    /// The set with `factor`.
    #[must_use]
    pub const fn with(self, factor: Factor) -> Self {
        Self(self.0 | 1 << factor as u8)
    }

    /// Whether nothing was shown.
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// The factors in the order of [`Factor::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Factor> {
        Factor::ALL.into_iter().filter(move |factor| self.contains(*factor))
    }
}

impl FromIterator<Factor> for FactorSet {
    fn from_iter<I: IntoIterator<Item = Factor>>(factors: I) -> Self {
        factors.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl core::fmt::Debug for FactorSet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for FactorSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for FactorSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Factor>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// What must be shown. A *factor* here is a passkey or a one-time code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepUpRule {
    /// Nothing: being signed in is enough.
    None,
    /// A factor.
    Factor,
    /// A factor, and a code sent by e-mail.
    FactorAndEmail,
    /// A factor, and a code sent as a text message.
    FactorAndSms,
    /// The password, and a code sent by e-mail.
    PasswordAndEmail,
    /// The password.
    Password,
}

impl StepUpRule {
    /// Every rule.
    pub const ALL: [Self; 6] =
        [Self::None, Self::Factor, Self::FactorAndEmail, Self::FactorAndSms, Self::PasswordAndEmail, Self::Password];

    /// Whether `shown` is enough.
    pub const fn met(self, shown: FactorSet) -> bool {
        let factor = shown.contains(Factor::Passkey) || shown.contains(Factor::Totp);
        match self {
            Self::None => true,
            Self::Factor => factor,
            Self::FactorAndEmail => factor && shown.contains(Factor::EmailCode),
            Self::FactorAndSms => factor && shown.contains(Factor::SmsCode),
            Self::PasswordAndEmail => shown.contains(Factor::Password) && shown.contains(Factor::EmailCode),
            Self::Password => shown.contains(Factor::Password),
        }
    }

    /// Whether it needs a passkey or a one-time code.
    pub const fn needs_factor(self) -> bool {
        matches!(self, Self::Factor | Self::FactorAndEmail | Self::FactorAndSms)
    }

    /// Whether it needs the password.
    pub const fn needs_password(self) -> bool {
        matches!(self, Self::Password | Self::PasswordAndEmail)
    }

    /// Whether it needs a code sent by e-mail.
    pub const fn needs_email(self) -> bool {
        matches!(self, Self::FactorAndEmail | Self::PasswordAndEmail)
    }

    /// Whether it needs a code sent as a text message.
    pub const fn needs_sms(self) -> bool {
        matches!(self, Self::FactorAndSms)
    }
}

/// What kind of change is to be proved.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntentKind {
    /// A key is made.
    CreateKey,
    /// A key may do more, or from more places.
    WidenKey,
    /// A key that may withdraw is made or widened.
    GrantWithdrawals,
    /// Keys are deleted.
    DeleteKey,
    /// A disabled key comes back.
    EnableKey,
    /// A key gets a successor.
    RotateKey,
    /// A freeze ends.
    Unfreeze,
    /// Default Security Controls are turned off.
    ControlsOff,
    /// Terms are signed, or products opened.
    ChangeAccount,
    /// The first second factor is added.
    AddFirstFactor,
    /// Another factor is added.
    AddFactor,
    /// A factor is taken away.
    RemoveFactor,
    /// New recovery codes are made.
    RecoveryCodes,
    /// The password changes.
    ChangePassword,
    /// A sub-account is opened.
    SubAccount,
}

impl IntentKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::CreateKey,
        Self::WidenKey,
        Self::GrantWithdrawals,
        Self::DeleteKey,
        Self::EnableKey,
        Self::RotateKey,
        Self::Unfreeze,
        Self::ControlsOff,
        Self::ChangeAccount,
        Self::AddFirstFactor,
        Self::AddFactor,
        Self::RemoveFactor,
        Self::RecoveryCodes,
        Self::ChangePassword,
        Self::SubAccount,
    ];

    /// What must be shown for it under `policy`.
    pub const fn rule(self, policy: &Policy) -> StepUpRule {
        match self {
            Self::CreateKey
            | Self::WidenKey
            | Self::DeleteKey
            | Self::EnableKey
            | Self::RotateKey
            | Self::Unfreeze
            | Self::ChangeAccount
            | Self::AddFactor
            | Self::RemoveFactor
            | Self::RecoveryCodes
            | Self::ChangePassword
            | Self::SubAccount => policy.step_up_widening,
            Self::GrantWithdrawals => policy.step_up_withdrawals,
            Self::ControlsOff => policy.step_up_controls_off,
            Self::AddFirstFactor => policy.first_factor,
        }
    }

    /// Whether a recovery code counts as a factor: for changes of factors alone.
    pub const fn takes_recovery_code(self) -> bool {
        matches!(self, Self::AddFactor | Self::RemoveFactor | Self::RecoveryCodes | Self::ChangePassword)
    }

    /// Whether `shown` is enough for this kind under `rule`.
    pub const fn met(self, rule: StepUpRule, shown: FactorSet) -> bool {
        let recovered = self.takes_recovery_code() && shown.contains(Factor::RecoveryCode);
        rule.met(if recovered { shown.with(Factor::Totp) } else { shown })
    }
}

/// One exact change that an owner asks for.
#[derive(Clone, PartialEq, Debug)]
pub struct Intent {
    /// Who is signed in.
    pub by: AccountId,
    /// The account that is to change.
    pub account: AccountId,
    /// What kind of change.
    pub kind: IntentKind,
    /// The version of the account's record before.
    pub version: u64,
    /// What was asked for, without anything that was drawn.
    pub after: serde_json::Value,
}

impl Intent {
    /// SHA-256 over all of it.
    pub fn digest(&self) -> [u8; 32] {
        // Maps of this kind of value are sorted by name, so equal values have equal texts.
        let (kind, after) = (serde_json::json!(self.kind).to_string(), self.after.to_string());
        sha256_framed(&[
            b"latchkey step-up 1",
            &self.by.0.to_be_bytes(),
            &self.account.0.to_be_bytes(),
            kind.as_bytes(),
            &self.version.to_be_bytes(),
            after.as_bytes(),
        ])
    }
}

/// What a console must have its user show before the change is made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Demand {
    /// Names the change; see [`Intent::digest`].
    #[serde(with = "hex")]
    pub digest: [u8; 32],
    /// Whose factors are to be shown: who is signed in.
    pub account: AccountId,
    /// What kind of change.
    pub kind: IntentKind,
    /// What must be shown.
    pub rule: StepUpRule,
}

impl Demand {
    /// Whether `shown` is enough.
    pub const fn met(&self, shown: FactorSet) -> bool {
        self.kind.met(self.rule, shown)
    }
}

/// How long a proof holds, in microseconds: five minutes.
pub const STEP_UP_LIFE_MICROS: i64 = 5 * 60 * 1_000_000;

/// A proof: the owner of an account showed factors for one exact change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepUp {
    digest: [u8; 32],
    factors: FactorSet,
    at: Timestamp,
    recovery: Option<RecoveryCode>,
}

impl StepUp {
    /// The proof that the factors of `demand`'s account were shown for the change of this digest.
    /// Made by whoever verified them, and by nobody else.
    pub const fn proven(digest: [u8; 32], factors: FactorSet, at: Timestamp) -> Self {
        Self { digest, factors, at, recovery: None }
    }

    /// Names the recovery code that was shown; it is spent with the change.
    #[must_use]
    pub const fn with_recovery(self, code: RecoveryCode) -> Self {
        Self { recovery: Some(code), ..self }
    }

    /// What was shown.
    pub const fn factors(&self) -> FactorSet {
        self.factors
    }

    /// The recovery code that was shown.
    pub const fn recovery(&self) -> Option<RecoveryCode> {
        self.recovery
    }

    /// Judges the proof against what is demanded at `now`.
    ///
    /// # Errors
    /// [`StepUpFlaw`]: another change before age before strength.
    pub fn judge(&self, demand: &Demand, owner: &Owner<'_>, now: Timestamp) -> Result<(), StepUpFlaw> {
        let age = now.micros_since(self.at);
        let spendable = self.recovery.is_none_or(|code| owner.account().recovery.contains(&code));
        if self.digest != demand.digest {
            Err(StepUpFlaw::OtherChange)
        } else if !(0..STEP_UP_LIFE_MICROS).contains(&age) {
            Err(StepUpFlaw::Stale)
        } else if !demand.met(self.factors) || !spendable {
            Err(StepUpFlaw::TooWeak)
        } else {
            Ok(())
        }
    }
}

/// Why a proof does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StepUpFlaw {
    /// It was given for another change, by another account, or the account changed since.
    #[error("it was given for another change, or the account has changed since")]
    OtherChange,
    /// It is older than five minutes.
    #[error("it is older than five minutes")]
    Stale,
    /// It does not show what this change needs.
    #[error("it does not show what this change needs")]
    TooWeak,
}

#[cfg(test)]
mod tests;

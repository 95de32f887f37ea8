//! What the authority refuses, as problems: one match, no wildcard.

use latchkey_authority::ports::StoreError;
use latchkey_authority::refusal::Refusal;
use latchkey_authority::service::AuthorityError;

use crate::problem::{self, Problem, Row};

impl From<AuthorityError> for Problem {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Refused(refusal) => refusal.into(),
            AuthorityError::Busy => problem::BUSY.into(),
            AuthorityError::Store(error) => error.into(),
            AuthorityError::NotSettled(error) => {
                tracing::warn!(%error, "a change is stored and waits for the exchange");
                Self::from(problem::UNAVAILABLE).detail("the change is stored, but not in force yet: look again")
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn core::error::Error, "the store failed");
        problem::UNAVAILABLE.into()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (row, field) = place(&refusal);
        let problem = Self::from(row).detail(refusal.to_string());
        match field {
            "" => problem,
            field => problem.member("field", field.into()),
        }
    }
}

/// The kind of problem, and the field of the body that it is about.
const fn place(refusal: &Refusal) -> (&'static Row, &'static str) {
    match refusal {
        // Whether an account exists is not told to those who do not speak for it.
        Refusal::AccountUnknown | Refusal::NotYourAccount => (problem::ACCOUNT_UNKNOWN, ""),
        Refusal::KeyUnknown | Refusal::NameUnknown => (problem::KEY_UNKNOWN, ""),
        Refusal::PasskeyUnknown | Refusal::TotpUnknown => (problem::FACTOR_UNKNOWN, ""),

        Refusal::CallerKeyNotStandard
        | Refusal::CallerLacksPermission(_)
        | Refusal::CallerKeyDead
        | Refusal::NotBySignedCall
        | Refusal::NotByOperator
        | Refusal::OnlyByOperator
        | Refusal::SignedCreationDenied
        | Refusal::OutsideCallersIps
        | Refusal::OutsideCallersSymbols
        | Refusal::CallerNotFromItsIps
        | Refusal::DecidedByMaster => (problem::NOT_ALLOWED, ""),

        // A console that asks the authority directly makes a ceremony of it before it gets here.
        Refusal::StepUpNeeded(_) => (problem::STEP_UP_NEEDED, ""),
        Refusal::StepUpWrong(_) => (problem::STEP_UP_WRONG, ""),
        Refusal::RecoveryCodeUnknown => (problem::PROOF_REFUSED, ""),
        Refusal::Stale { .. } => (problem::STALE, ""),

        Refusal::Label(_) => (problem::INVALID, "label"),
        Refusal::Ip(_) | Refusal::IpListEmpty | Refusal::IpNotListed(_) => (problem::INVALID, "ips"),
        Refusal::PublicKey(_) => (problem::INVALID, "publicKey"),
        Refusal::TooManySymbols(_) => (problem::INVALID, "symbols"),
        Refusal::UnknownPair(_) => (problem::INVALID, "scope"),
        Refusal::OverlapOutOfRange(_) => (problem::INVALID, "overlapHours"),
        Refusal::VipOutOfRange => (problem::INVALID, "vip"),
        Refusal::TargetMissing | Refusal::CreatedOutOfRange | Refusal::BalanceNotPositive(_) => (problem::INVALID, ""),
        Refusal::MasterUnknown | Refusal::MasterIsSubAccount => (problem::INVALID, "account"),

        Refusal::AccountFrozen => (problem::FROZEN, ""),
        Refusal::KycTooLow => (problem::KYC, ""),
        Refusal::NoSecondFactor => (problem::NO_FACTOR, ""),
        Refusal::NoDeposit => (problem::NO_DEPOSIT, ""),
        Refusal::PermissionNeeds(..) | Refusal::PermissionsFixed => (problem::PERMISSION, "permissions"),
        Refusal::TooManyKeys(_) | Refusal::TooManySubAccounts(_) | Refusal::TaxKeyExists => (problem::LIMIT, ""),
        Refusal::KeyDead(_) => (problem::KEY_ENDED, ""),
        Refusal::HeldByOperator | Refusal::HeldByMaster | Refusal::HeldByOwner => (problem::HELD, ""),
        Refusal::LastFactor => (problem::LAST_FACTOR, ""),
        Refusal::WideningHeld { .. } => (problem::WIDENING_HELD, ""),
        Refusal::EmailTaken | Refusal::ApiKeyTaken | Refusal::PasskeyKnown => (problem::TAKEN, ""),

        Refusal::NoMarginAccount
        | Refusal::PortfolioMarginUnsupported
        | Refusal::CrossMarginProForbidden
        | Refusal::VipTooLow { .. }
        | Refusal::TermsNotSigned
        | Refusal::Cooldown { .. }
        | Refusal::ResidenceRestricted(_) => (problem::SPECIAL, ""),

        Refusal::RotationUnderWay
        | Refusal::KeyNotActive
        | Refusal::RotationChangesType
        | Refusal::AssetSubAccount
        | Refusal::NotCrossMarginClassic
        | Refusal::InLiquidation
        | Refusal::HasLiability => (problem::RULE, ""),
    }
}

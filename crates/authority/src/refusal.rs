//! Why a change is refused: one exact reason a variant.
//!
//! [`Refusal`] prints as plain English for our own surfaces. [`Refusal::api_error`] is the answer on the compatible
//! routes, which tells less.

use crate::account::Country;
use crate::effective::DeadReason;
use crate::ip::IpError;
use crate::label::LabelError;
use crate::permission_rules::Need;
use crate::step_up::{Demand, StepUpFlaw};
use latchkey_crypto::public_key::PublicKeyError;
use latchkey_protocol::code::{self, ApiError};
use latchkey_protocol::{Asset, Permission, Symbol, Timestamp};

/// Why a change is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The account that is addressed does not exist.
    #[error("there is no such account")]
    AccountUnknown,
    /// The caller speaks for another account.
    #[error("this account is not yours")]
    NotYourAccount,
    /// A special or tax key tried to manage keys.
    #[error("only a standard key may manage keys")]
    CallerKeyNotStandard,
    /// The calling key lacks a permission in force.
    #[error("the calling key lacks the permission `{0}`")]
    CallerLacksPermission(Permission),
    /// The calling key ended while its call was on the way.
    #[error("the calling key is no longer in use")]
    CallerKeyDead,
    /// The IP list of the calling key was narrowed while its call was on the way.
    #[error("the calling key may not be used from this address")]
    CallerNotFromItsIps,
    /// A key would manage the standard keys of its own account.
    #[error("a key cannot manage the standard keys of its own account")]
    NotBySignedCall,
    /// An operator would make or widen a customer's key.
    #[error("operators cannot make, widen or enable a customer's key")]
    NotByOperator,
    /// An owner would do what only operators do.
    #[error("only an operator can do this")]
    OnlyByOperator,

    /// The change needs a proof beyond being signed in.
    #[error("this needs a second look: show your second factor for this change")]
    StepUpNeeded(Box<Demand>),
    /// The proof that was given does not count.
    #[error("the proof does not count: {0}")]
    StepUpWrong(StepUpFlaw),
    /// An operator took the second factors away a short time ago.
    #[error("nothing can be widened until {}, because the second factors were reset", until.as_millis())]
    WideningHeld {
        /// Its end.
        until: Timestamp,
    },
    /// Policy lets no signed call make keys.
    #[error("signed calls cannot make keys here, nor give them more")]
    SignedCreationDenied,
    /// A signed call would open addresses that its own key cannot be used from.
    #[error("a signed call can only open addresses that its own key may be used from")]
    OutsideCallersIps,
    /// A signed call by a key that may trade some pairs only would let another trade more.
    #[error("a signed call can only let a key trade pairs that its own key may trade")]
    OutsideCallersSymbols,
    /// The record was changed since the caller saw it.
    #[error("it was changed meanwhile: it is at version {found}")]
    Stale {
        /// The version that it has.
        found: u64,
    },

    /// The label is none.
    #[error("the label {0}")]
    Label(LabelError),
    /// An entry of the IP list is refused.
    #[error("the IP list is refused: {0}")]
    Ip(IpError),
    /// The IP list has no entry.
    #[error("the IP list is empty")]
    IpListEmpty,
    /// The public key is refused.
    #[error("the public key is refused: {0}")]
    PublicKey(PublicKeyError),
    /// The symbol whitelist is too long.
    #[error("the symbol whitelist has more than {0} symbols")]
    TooManySymbols(u16),
    /// The pair cannot be traded on isolated margin.
    #[error("`{0}` is not an isolated margin pair")]
    UnknownPair(Symbol),
    /// Neither an API key nor a name tells what to delete.
    #[error("either an API key or a name must be given")]
    TargetMissing,
    /// A key would be made before its account, or in the future.
    #[error("the time of creation lies before the account's, or ahead")]
    CreatedOutOfRange,

    /// The account, or its master, is frozen.
    #[error("the account is frozen")]
    AccountFrozen,
    /// The owner is not verified-plus.
    #[error("the identity level must be `verified-plus`")]
    KycTooLow,
    /// No second factor is enrolled.
    #[error("a second factor must be enrolled first")]
    NoSecondFactor,
    /// There was no deposit.
    #[error("the account needs a first deposit")]
    NoDeposit,

    /// Margin is not open.
    #[error("the account has no margin account")]
    NoMarginAccount,
    /// Special keys and the portfolio margin retail program exclude each other.
    #[error("portfolio margin accounts cannot have special keys")]
    PortfolioMarginUnsupported,
    /// Cross Margin Pro without an agreement, or after its sunset.
    #[error("Cross Margin Pro accounts cannot have special keys without an agreement")]
    CrossMarginProForbidden,
    /// The VIP level is too low, and there is no exception.
    #[error("special keys need VIP level {needed}; the account has {has}")]
    VipTooLow {
        /// The lowest level that suffices.
        needed: u8,
        /// The account's level.
        has: u8,
    },
    /// The master has not signed the special-key terms.
    #[error("the terms of margin special keys must be signed by the master account")]
    TermsNotSigned,
    /// The owner lives where margin is restricted.
    #[error("special keys are not for residents of `{0}`")]
    ResidenceRestricted(Country),
    /// The account left special-key mode a short time ago.
    #[error("special-key mode is in cooldown until {}", until.as_millis())]
    Cooldown {
        /// Its end.
        until: Timestamp,
    },
    /// The account has as many keys as it may.
    #[error("the account already has {0} keys")]
    TooManyKeys(u16),
    /// The master has as many sub-accounts as it may.
    #[error("the account already has {0} sub-accounts")]
    TooManySubAccounts(u16),
    /// The account has its tax report key already.
    #[error("the account already has a tax report key")]
    TaxKeyExists,
    /// What special and tax keys may do follows from their kind.
    #[error("the permissions of this kind of key cannot be chosen")]
    PermissionsFixed,
    /// An entry that is to be taken away is not in the list.
    #[error("`{0}` is not in the IP list of the key")]
    IpNotListed(Box<str>),
    /// The key has a successor already, or is one whose predecessor still lives.
    #[error("the key is being rotated already")]
    RotationUnderWay,
    /// The overlap is longer than policy allows, or idle for no time at all.
    #[error("the overlap must be at most {0} hours, and an idle time at least one")]
    OverlapOutOfRange(u16),
    /// A key that only reads by its mode cannot become one of another type.
    #[error("a special key in READ mode stays an Ed25519 key")]
    RotationChangesType,
    /// A permission cannot be granted.
    #[error("the permission `{0}` {explanation}", explanation = .1.explanation())]
    PermissionNeeds(Permission, Need),

    /// There is no such key in reach of the caller.
    #[error("there is no such key")]
    KeyUnknown,
    /// There is no special key of this name in the addressed scope.
    #[error("there is no key of this name")]
    NameUnknown,
    /// The key has ended and cannot be changed.
    #[error("the key is no longer in use: {}", .0.name())]
    KeyDead(DeadReason),
    /// The key is disabled, and a successor would not be.
    #[error("the key is disabled: it must be enabled first")]
    KeyNotActive,
    /// An operator disabled or froze it; the owner cannot undo that.
    #[error("an operator did this; only an operator can undo it")]
    HeldByOperator,
    /// The master disabled or froze it; the sub-account cannot undo that.
    #[error("the master account did this; only the master account can undo it")]
    HeldByMaster,
    /// The owner disabled or froze it; nobody else can undo that.
    #[error("its owner did this; only its owner can undo it")]
    HeldByOwner,

    /// Asset sub-accounts have no keys managed by signed calls.
    #[error("this is not possible for an asset sub-account")]
    AssetSubAccount,
    /// Terms, controls and identity are the master's.
    #[error("this is decided by the master account")]
    DecidedByMaster,

    /// The account is of another type than cross margin classic.
    #[error("only a cross margin classic account can leave special-key mode")]
    NotCrossMarginClassic,
    /// The account is being liquidated.
    #[error("the account is being liquidated")]
    InLiquidation,
    /// The account owes something.
    #[error("the account has an outstanding liability")]
    HasLiability,

    /// There is no passkey of this id.
    #[error("there is no such passkey")]
    PasskeyUnknown,
    /// A passkey of this id is enrolled already.
    #[error("this passkey is enrolled already")]
    PasskeyKnown,
    /// The one-time codes are not enrolled.
    #[error("one-time codes are not enrolled")]
    TotpUnknown,
    /// The last second factor is needed while keys live.
    #[error("the last second factor cannot be removed while keys live")]
    LastFactor,
    /// The recovery code is none of the account's.
    #[error("the recovery code is not one of this account, or was used")]
    RecoveryCodeUnknown,

    /// The e-mail address belongs to another account.
    #[error("the e-mail address is already taken")]
    EmailTaken,
    /// The public name belongs to another key.
    #[error("the API key is already taken")]
    ApiKeyTaken,
    /// The VIP level does not exist.
    #[error("VIP levels go from 0 to 9")]
    VipOutOfRange,
    /// The master does not exist.
    #[error("the master account does not exist")]
    MasterUnknown,
    /// The master is itself a sub-account.
    #[error("a sub-account cannot have sub-accounts")]
    MasterIsSubAccount,
    /// An opening balance is not above zero.
    #[error("the opening balance of `{0}` must be above zero")]
    BalanceNotPositive(Asset),
}

impl Refusal {
    /// The answer on the compatible routes, all of which are `/sapi`.
    ///
    /// Rows without a published number are ours. Source: margin special keys, conditions of the errors.
    pub fn api_error(&self) -> ApiError {
        match self {
            Self::NotYourAccount
            | Self::CallerKeyNotStandard
            | Self::CallerLacksPermission(_)
            | Self::CallerKeyDead
            | Self::NotBySignedCall
            | Self::NotByOperator
            | Self::OnlyByOperator
            | Self::SignedCreationDenied
            | Self::OutsideCallersIps
            | Self::OutsideCallersSymbols
            | Self::CallerNotFromItsIps
            | Self::AccountUnknown => code::REJECTED_KEY_SAPI.plain(),

            Self::Label(_) => invalid("apiName"),
            Self::Ip(_) | Self::IpListEmpty | Self::IpNotListed(_) => invalid("ip"),
            Self::PublicKey(error) => code::BAD_PUBLIC_KEY.with([sentence(&error.to_string())]),
            Self::TooManySymbols(_) => invalid("symbols"),
            Self::CreatedOutOfRange => invalid("created"),
            Self::EmailTaken | Self::MasterUnknown | Self::MasterIsSubAccount => invalid("email"),
            Self::ApiKeyTaken => invalid("apiKey"),
            Self::VipOutOfRange => invalid("vip"),
            Self::BalanceNotPositive(_) => invalid("amount"),
            Self::TargetMissing => code::EITHER_PARAMETER.with(["apiKey", "apiName"]),
            Self::UnknownPair(_) => code::BAD_SYMBOL.plain(),

            Self::NoMarginAccount => code::NO_MARGIN_ACCOUNT.plain(),
            Self::NoSecondFactor => code::NEED_ENABLE_2FA.plain(),
            Self::PortfolioMarginUnsupported
            | Self::NotCrossMarginClassic
            | Self::InLiquidation
            | Self::HasLiability
            | Self::AssetSubAccount
            | Self::PermissionsFixed => code::UNSUPPORTED_OPERATION.plain(),
            Self::CrossMarginProForbidden => code::FORBIDDEN.plain(),
            Self::VipTooLow { .. } => code::NOT_WHITELIST_USER.plain(),
            Self::TermsNotSigned => code::AGREEMENT_NOT_CONFIRMED.plain(),
            Self::Cooldown { until } => code::SPECIAL_KEY_COOLDOWN.with([until.as_millis().to_string()]),
            Self::TooManyKeys(_) => code::TOO_MANY_API_KEYS.plain(),
            Self::AccountFrozen
            | Self::KycTooLow
            | Self::NoDeposit
            | Self::PermissionNeeds(..)
            | Self::StepUpNeeded(_)
            | Self::StepUpWrong(_)
            | Self::WideningHeld { .. }
            | Self::Stale { .. }
            | Self::ResidenceRestricted(_)
            | Self::TaxKeyExists
            | Self::TooManySubAccounts(_)
            | Self::RotationUnderWay
            | Self::KeyNotActive
            | Self::OverlapOutOfRange(_)
            | Self::RotationChangesType
            | Self::DecidedByMaster
            | Self::PasskeyUnknown
            | Self::PasskeyKnown
            | Self::TotpUnknown
            | Self::LastFactor
            | Self::RecoveryCodeUnknown
            | Self::HeldByOperator
            | Self::HeldByMaster
            | Self::HeldByOwner => code::UNAUTHORIZED_SAPI.plain(),

            Self::KeyUnknown | Self::NameUnknown | Self::KeyDead(_) => code::NO_SUCH_API_KEY.plain(),
        }
    }
}

/// The text with a capital and a full stop, as messages of the contract have it.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).chain(['.']).collect()
}

fn invalid(parameter: &str) -> ApiError {
    code::INVALID_PARAMETER.with([parameter])
}

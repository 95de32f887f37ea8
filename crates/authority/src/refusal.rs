//! Why a change is refused: one exact reason a variant.
//!
//! [`Refusal`] prints as plain English for our own surfaces. [`Refusal::api_error`] is the answer on the compatible
//! routes, which tells less.

use crate::effective::DeadReason;
use crate::ip::IpError;
use crate::label::LabelError;
use crate::permission_rules::Need;
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
    /// A key would manage the standard keys of its own account.
    #[error("a key cannot manage the standard keys of its own account")]
    NotBySignedCall,
    /// An operator would make or widen a customer's key.
    #[error("operators cannot make, widen or enable a customer's key")]
    NotByOperator,
    /// An owner would do what only operators do.
    #[error("only an operator can do this")]
    OnlyByOperator,

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
    /// The account left special-key mode a short time ago.
    #[error("special-key mode is in cooldown until {}", until.as_millis())]
    Cooldown {
        /// Its end.
        until: Timestamp,
    },
    /// The account has as many keys as it may.
    #[error("the account already has {0} keys")]
    TooManyKeys(u16),
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
    /// An operator disabled or froze it; the owner cannot undo that.
    #[error("an operator did this; only an operator can undo it")]
    HeldByOperator,

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
            | Self::AccountUnknown => code::REJECTED_KEY_SAPI.plain(),

            Self::Label(_) => invalid("apiName"),
            Self::Ip(_) | Self::IpListEmpty => invalid("ip"),
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
            Self::PortfolioMarginUnsupported => code::UNSUPPORTED_OPERATION.plain(),
            Self::CrossMarginProForbidden => code::FORBIDDEN.plain(),
            Self::VipTooLow { .. } => code::NOT_WHITELIST_USER.plain(),
            Self::TermsNotSigned => code::AGREEMENT_NOT_CONFIRMED.plain(),
            Self::Cooldown { until } => code::SPECIAL_KEY_COOLDOWN.with([until.as_millis().to_string()]),
            Self::TooManyKeys(_) => code::TOO_MANY_API_KEYS.plain(),
            Self::AccountFrozen
            | Self::KycTooLow
            | Self::NoDeposit
            | Self::PermissionNeeds(..)
            | Self::HeldByOperator => code::UNAUTHORIZED_SAPI.plain(),

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

//! Refusals: decisions, not accidents. Exact inside, coarse outside.

use latchkey_authority::effective::DeadReason;
use latchkey_protocol::catalog::Family;
use latchkey_protocol::code::{self, ApiError};
use latchkey_protocol::limits::Window;
use latchkey_protocol::message_signature::MessageSignatureError;
use latchkey_protocol::params::ParamsError;
use latchkey_protocol::{Permission, Timestamp};

use crate::Stage;
use crate::limiter::Exhausted;

/// How much of an unknown method is repeated to its caller, in characters.
pub(crate) const METHOD_SHOWN_MAX: usize = 16;

/// A refused call.
#[derive(Clone, PartialEq, Debug)]
pub struct Rejection {
    /// Where it was refused.
    pub stage: Stage,
    /// Why, exactly; only the key's owner may read this.
    pub reason: Reason,
}

/// The exact reason of a refusal.
#[derive(Clone, PartialEq, Debug)]
pub enum Reason {
    /// The request cannot be read, or did not arrive whole and in time, with the error of its own.
    Unreadable(Box<ApiError>),
    /// No row has this path.
    NoSuchEndpoint,
    /// The path exists, this method does not.
    MethodNotAllowed {
        /// The method, at most sixteen characters of it.
        method: Box<str>,
    },
    /// The row is in the contract, the venue does not offer it.
    NotAvailable {
        /// The row's path.
        path: &'static str,
    },
    /// The key header is absent.
    ApiKeyMissing,
    /// The key header stands several times.
    ApiKeyRepeated,
    /// The key header is not 64 letters and digits.
    ApiKeyMalformed,
    /// The time unit is none.
    TimeUnit,
    /// SBE was asked for.
    SbeDisabled,
    /// Query and body are not parameters.
    Params(ParamsError),
    /// A body on a `GET`.
    BodyOnGet,
    /// A security field is absent.
    FieldMissing(&'static str),
    /// A security field is empty.
    FieldEmpty(&'static str),
    /// A security field has characters that it cannot have.
    FieldIllegal {
        /// Which field.
        name: &'static str,
        /// What it may hold.
        range: &'static str,
    },
    /// A field of one scheme of signing beside another scheme.
    FieldNotRequired(&'static str),
    /// The fields of a message signature cannot be used.
    Message(MessageSignatureError),
    /// `recvWindow` is over the largest.
    RecvWindowTooLarge {
        /// The largest, in milliseconds.
        max_ms: u32,
    },
    /// `recvWindow` has more than three decimals.
    RecvWindowPrecision,
    /// No key has this name.
    KeyUnknown,
    /// The key is not alive.
    KeyDead(DeadReason),
    /// The caller's address is not on the key's list.
    IpNotAllowed,
    /// The key came to unlock another wallet while the call was under way.
    WalletChanged,
    /// Older than its window.
    TimestampTooOld {
        /// How far behind the server, in microseconds.
        behind_us: i64,
    },
    /// A second or more ahead.
    TimestampAhead {
        /// How far ahead of the server, in microseconds.
        ahead_us: i64,
    },
    /// Stamped before the server's memory of signatures begins, and once only.
    StampedBeforeStart,
    /// The key does not accept this scheme of signing.
    ProofNotAccepted,
    /// The signature is not of the shape of the key's type.
    SignatureShape(&'static str),
    /// The signature does not verify.
    SignatureWrong,
    /// The content is not the one that was signed.
    ContentDigestWrong,
    /// The key's material could not be opened.
    KeyUnusable,
    /// The key lacks a permission.
    PermissionMissing(Permission),
    /// Keys of this kind never reach the endpoint.
    KeyKind,
    /// The pair is not on the key's list of symbols.
    SymbolNotWhitelisted,
    /// A parameter, with the contract's own error.
    Parameter(Box<ApiError>),
    /// More parameters than the endpoint has.
    UnreadParameters {
        /// How many the endpoint reads of what was sent.
        read: usize,
        /// How many were sent.
        sent: usize,
        /// Whether the row is a `GET`.
        get: bool,
    },
    /// A limit's window has no room for the call.
    Limited {
        /// Which limit.
        what: Exhausted,
        /// What its window holds at most.
        limit: u32,
    },
    /// The address is banned.
    Banned {
        /// Until when.
        until: Timestamp,
        /// Whether the call was for `/sapi`, which knows no 418.
        sapi: bool,
    },
    /// The account's unfilled orders are too many.
    TooManyOrders {
        /// The most.
        limit: u32,
        /// In which window.
        window: Window,
    },
    /// The signature was handed to the venue before.
    SignatureUsed {
        /// Whether the call places an order.
        order: bool,
    },
    /// The signature was seen on another route.
    SignatureElsewhere {
        /// Whether the call places an order.
        order: bool,
    },
    /// The key's share of the memory of signatures is full.
    ReplayMemoryFull,
    /// A bounded queue is full.
    Busy,
    /// Refused by the venue, with the contract's own error.
    Venue(Box<ApiError>),
}

impl Rejection {
    /// A refusal at a stage.
    pub fn new(stage: Stage, reason: Reason) -> Self {
        Self { stage, reason }
    }

    /// A refusal of what is not a request that can be read.
    pub fn unreadable(error: ApiError) -> Self {
        Self::new(Stage::Edge, Reason::Unreadable(Box::new(error)))
    }

    /// A refusal of the endpoint's parameters.
    pub fn parameter(error: ApiError) -> Self {
        Self::new(Stage::Parameters, Reason::Parameter(Box::new(error)))
    }

    /// A refusal of the venue.
    pub fn venue(error: ApiError) -> Self {
        Self::new(Stage::Venue, Reason::Venue(Box::new(error)))
    }

    /// What the caller is told.
    pub fn error(&self, family: Family) -> ApiError {
        match &self.reason {
            Reason::NoSuchEndpoint => code::NO_SUCH_ENDPOINT.plain(),
            Reason::MethodNotAllowed { method } => code::METHOD_NOT_ALLOWED.with([&**method]),
            Reason::NotAvailable { path } => code::NOT_AVAILABLE.with([*path]),
            Reason::ApiKeyMissing | Reason::ApiKeyRepeated | Reason::ApiKeyMalformed => family.bad_key_format().plain(),
            Reason::TimeUnit => code::INVALID_TIME_UNIT.plain(),
            Reason::SbeDisabled => code::SBE_DISABLED.plain(),
            Reason::Params(error) => match error {
                ParamsError::Duplicate => code::DUPLICATE_PARAMETER.plain(),
                ParamsError::TooMany => code::TOO_MANY_PARAMETERS.plain(),
                ParamsError::MalformedPair | ParamsError::IllegalName | ParamsError::BadEncoding => {
                    code::ILLEGAL_CHARS.plain()
                }
            },
            Reason::BodyOnGet => code::TOO_MANY_PARAMETERS.plain(),
            Reason::FieldMissing(name) => code::MANDATORY_PARAMETER.with([*name]),
            Reason::FieldEmpty(name) => code::PARAMETER_EMPTY.with([*name]),
            Reason::FieldIllegal { name, range } => code::ILLEGAL_CHARS_IN.with([*name, *range]),
            Reason::FieldNotRequired(name) => code::PARAMETER_NOT_REQUIRED.with([*name]),
            // These are found out by what the key is, or is set to: nobody learns that without signing.
            Reason::Message(MessageSignatureError::Algorithm | MessageSignatureError::FieldAbsent) => {
                code::INVALID_SIGNATURE.plain()
            }
            Reason::Message(error) => code::MESSAGE_SIGNATURE_UNUSABLE.with([error.to_string()]),
            Reason::RecvWindowTooLarge { max_ms } => match family {
                Family::Sapi => code::BAD_RECV_WINDOW.with([max_ms.to_string()]),
                Family::Api | Family::Futures | Family::Latchkey => {
                    code::CANNOT_BE_GREATER.with(["recvWindow".to_owned(), max_ms.to_string()])
                }
            },
            Reason::RecvWindowPrecision => code::BAD_PRECISION.with(["recvWindow"]),
            Reason::KeyUnknown | Reason::KeyDead(_) => family.unknown_key().plain(),
            Reason::IpNotAllowed | Reason::WalletChanged | Reason::PermissionMissing(_) | Reason::KeyKind => {
                family.rejected_key().plain()
            }
            Reason::TimestampTooOld { .. } | Reason::StampedBeforeStart => code::OUTSIDE_RECV_WINDOW.plain(),
            Reason::TimestampAhead { .. } => code::AHEAD_OF_SERVER.plain(),
            Reason::ProofNotAccepted
            | Reason::SignatureShape(_)
            | Reason::SignatureWrong
            | Reason::ContentDigestWrong => code::INVALID_SIGNATURE.plain(),
            Reason::KeyUnusable => code::UNKNOWN.plain(),
            Reason::SymbolNotWhitelisted => code::SYMBOL_NOT_WHITELISTED.plain(),
            Reason::UnreadParameters { read, sent, get: true } => {
                code::TOO_MANY_PARAMETERS_COUNTED.with([read.to_string(), sent.to_string()])
            }
            Reason::UnreadParameters { read, sent, get: false } => {
                code::UNREAD_PARAMETERS.with([read.to_string(), sent.to_string()])
            }
            Reason::Limited { what: Exhausted::RawRequests | Exhausted::FailedVerifications, .. } => {
                code::TOO_MANY_REQUESTS.plain()
            }
            Reason::Limited { what, limit } => code::TOO_MUCH_WEIGHT.with([limit.to_string(), span(what.window())]),
            Reason::Banned { until, sapi } => {
                let row = if *sapi { &code::BANNED_SAPI } else { &code::BANNED };
                row.with([until.as_millis().to_string()])
            }
            Reason::TooManyOrders { limit, window } => code::TOO_MANY_ORDERS.with([limit.to_string(), span(*window)]),
            Reason::SignatureUsed { order: true } | Reason::SignatureElsewhere { order: true } => {
                code::DUPLICATE_ORDER.plain()
            }
            Reason::SignatureUsed { order: false } | Reason::SignatureElsewhere { order: false } => {
                code::SIGNATURE_REPLAYED.plain()
            }
            Reason::ReplayMemoryFull | Reason::Busy => code::SERVER_BUSY.plain(),
            Reason::Unreadable(error) | Reason::Parameter(error) | Reason::Venue(error) => (**error).clone(),
        }
    }

    /// When the call may be tried again, in whole seconds from `now`, at least one: the end of the window or ban that
    /// refuses it. `None` where waiting does not help or nobody knows how long.
    pub fn retry_after_secs(&self, now: Timestamp) -> Option<i64> {
        match &self.reason {
            Reason::Limited { what, .. } => Some(what.window().retry_after_secs(now)),
            Reason::TooManyOrders { window, .. } => Some(window.retry_after_secs(now)),
            Reason::Banned { until, .. } => {
                let left = until.micros_since(now).max(1);
                Some(left.saturating_add(999_999) / 1_000_000)
            }
            _ => None,
        }
    }

    /// The name of the exact reason, as records and metrics spell it.
    pub fn name(&self) -> &'static str {
        match &self.reason {
            Reason::Unreadable(_) => "unreadable",
            Reason::NoSuchEndpoint => "no-such-endpoint",
            Reason::MethodNotAllowed { .. } => "method-not-allowed",
            Reason::NotAvailable { .. } => "not-available",
            Reason::ApiKeyMissing => "api-key-missing",
            Reason::ApiKeyRepeated => "api-key-repeated",
            Reason::ApiKeyMalformed => "api-key-malformed",
            Reason::TimeUnit => "time-unit",
            Reason::SbeDisabled => "sbe-disabled",
            Reason::Params(_) => "malformed-parameters",
            Reason::BodyOnGet => "body-on-get",
            Reason::FieldMissing(_) => "field-missing",
            Reason::FieldEmpty(_) => "field-empty",
            Reason::FieldIllegal { .. } => "field-illegal",
            Reason::FieldNotRequired(_) => "field-not-required",
            Reason::Message(_) => "message-signature",
            Reason::RecvWindowTooLarge { .. } => "recv-window-too-large",
            Reason::RecvWindowPrecision => "recv-window-precision",
            Reason::KeyUnknown => "key-unknown",
            Reason::KeyDead(reason) => reason.name(),
            Reason::IpNotAllowed => "ip-not-allowed",
            Reason::WalletChanged => "wallet-changed",
            Reason::TimestampTooOld { .. } => "timestamp-too-old",
            Reason::TimestampAhead { .. } => "timestamp-ahead",
            Reason::StampedBeforeStart => "stamped-before-start",
            Reason::ProofNotAccepted => "proof-not-accepted",
            Reason::SignatureShape(_) => "signature-shape",
            Reason::SignatureWrong => "signature-wrong",
            Reason::ContentDigestWrong => "content-digest-wrong",
            Reason::KeyUnusable => "key-unusable",
            Reason::PermissionMissing(_) => "permission-missing",
            Reason::KeyKind => "key-kind",
            Reason::SymbolNotWhitelisted => "symbol-not-whitelisted",
            Reason::Parameter(_) => "parameter",
            Reason::UnreadParameters { .. } => "unread-parameters",
            Reason::Limited { what, .. } => what.name(),
            Reason::Banned { .. } => "banned",
            Reason::TooManyOrders { .. } => "too-many-orders",
            Reason::SignatureUsed { .. } => "signature-used",
            Reason::SignatureElsewhere { .. } => "signature-elsewhere",
            Reason::ReplayMemoryFull => "replay-memory-full",
            Reason::Busy => "busy",
            Reason::Venue(_) => "venue",
        }
    }
}

/// A window as the texts of limits name it: `1 MINUTE`.
fn span(window: Window) -> String {
    format!("{} {}", window.interval_num, window.interval.as_str())
}

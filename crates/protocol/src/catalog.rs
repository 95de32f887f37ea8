//! What may be called: a row an endpoint.
//!
//! A row says everything that the door needs to judge a call; a stage never asks for a path by name.
//! Every endpoint of the contract has a row, also those that this venue does not offer.

use crate::code::{self, ErrorRow};
use crate::params::RawParams;
use crate::{Permission, TimeUnit};

mod find;
mod kind;
mod market;
mod own;
mod sapi;
mod shared;
mod spot;
mod table;
mod weight;

pub use find::{Catalog, Found};
pub use kind::{Argument, ArgumentError, Arguments, Kind, PEM_MAX, Param};

/// HTTP methods of the contract.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates.
    Post,
    /// Changes.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// Parses the method of a request line; letter case matters.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "GET" => Some(Self::Get),
            "POST" => Some(Self::Post),
            "PUT" => Some(Self::Put),
            "DELETE" => Some(Self::Delete),
            _ => None,
        }
    }

    /// The method of a request line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// The part of the contract that a path belongs to; it decides codes and statuses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Family {
    /// `/api`: spot trading and market data.
    Api,
    /// `/sapi`: margin, wallet, sub-accounts.
    Sapi,
    /// `/fapi` and `/dapi`: futures, only what clients ask at start.
    Futures,
    /// `/latchkey`: our own signed routes.
    Latchkey,
}

impl Family {
    /// The family of a path, by how it begins; what begins like none is answered as `/api` is.
    pub const fn of(path: &str) -> Self {
        match path.as_bytes() {
            [b'/', b's', b'a', b'p', b'i', b'/', ..] => Self::Sapi,
            [b'/', b'f' | b'd', b'a', b'p', b'i', b'/', ..] => Self::Futures,
            [b'/', b'l', b'a', b't', b'c', b'h', b'k', b'e', b'y', b'/', ..] => Self::Latchkey,
            _ => Self::Api,
        }
    }

    /// The row for a missing or misshapen key header.
    pub fn bad_key_format(self) -> &'static ErrorRow {
        match self {
            Self::Api | Self::Futures | Self::Latchkey => &code::BAD_API_KEY_FORMAT,
            Self::Sapi => &code::BAD_API_KEY_FORMAT_SAPI,
        }
    }

    /// The row for a key that does not exist or is not alive.
    pub fn unknown_key(self) -> &'static ErrorRow {
        match self {
            Self::Api | Self::Futures | Self::Latchkey => &code::REJECTED_KEY,
            Self::Sapi => &code::BAD_API_ID,
        }
    }

    /// The row for a key that may not do this, or not from here.
    pub fn rejected_key(self) -> &'static ErrorRow {
        match self {
            Self::Api | Self::Futures | Self::Latchkey => &code::REJECTED_KEY,
            Self::Sapi => &code::REJECTED_KEY_SAPI,
        }
    }
}

/// What a caller must show.
/// Source: REST API, "Request Security"; SAPI general information.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SecurityType {
    /// Nothing; a key header is ignored.
    None,
    /// A living key, no signature.
    MarketData,
    /// A living key; a signature is verified when it is sent.
    UserStream,
    /// A signature.
    UserData,
    /// A signature, and a permission to trade.
    Trade,
    /// A signature, and the permission for margin loans.
    Margin,
}

impl SecurityType {
    /// Whether a key header is read at all.
    pub const fn needs_key(self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether a call without a signature is refused.
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::UserData | Self::Trade | Self::Margin)
    }
}

/// Whose budget a call's weight is taken from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Budget {
    /// The address's request weight (`X-MBX-USED-WEIGHT-1M`).
    Ip,
    /// The endpoint's own budget per address (`X-SAPI-USED-IP-WEIGHT-1M`).
    SapiIp,
    /// The endpoint's own budget per account (`X-SAPI-USED-UID-WEIGHT-1M`).
    SapiUid,
}

/// What a call weighs.
#[derive(Clone, Copy)]
pub enum Weight {
    /// Always the same.
    Fixed(u32),
    /// Depends on the parameters, as sent: weight is due also for a call that is refused later.
    By(fn(&RawParams<'_>) -> u32),
}

/// Which keys may call at all, whatever their permissions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyKinds {
    /// Standard and special keys.
    Any,
    /// Standard keys only: rows that manage keys or funds.
    StandardOnly,
    /// Every key, and the only rows of a tax report key: histories and reports.
    Report,
}

/// One endpoint.
pub struct Endpoint {
    /// Who answers.
    pub route: Route,
    /// Its method.
    pub method: Method,
    /// Its path; a last segment `{id}` stands for any one segment, which becomes the argument `id`.
    pub path: &'static str,
    /// Its family.
    pub family: Family,
    /// What a caller must show.
    pub security: SecurityType,
    /// The permission that the key must hold.
    pub permission: Option<Permission>,
    /// Its parameters, without `timestamp`, `recvWindow` and `signature`.
    pub params: &'static [Param],
    /// Its weight.
    pub weight: Weight,
    /// Where the weight is counted.
    pub budget: Budget,
    /// Whether success gives the weight back under policy `successful_order_weight = zero`.
    pub free_on_success: bool,
    /// Whether it changes anything.
    pub changes_state: bool,
    /// Which keys may call.
    pub key_kinds: KeyKinds,
    /// The largest body, in bytes.
    pub body_max: usize,
    /// Where the row comes from.
    pub source: &'static str,
}

/// The last segment of a path that names one of many.
pub(crate) const ID: &str = "{id}";
/// The largest body of a row that changes state: 64 KiB.
pub const BODY_MAX: usize = 64 * 1024;
/// The largest body of a row that changes state on `/api`, orders above all: 8 KiB.
pub const ORDER_BODY_MAX: usize = 8 * 1024;
/// The largest body of a row that reads: 4 KiB. Parameters of GET stand in the query; a body is tolerated.
pub const GET_BODY_MAX: usize = 4 * 1024;

impl Endpoint {
    /// Whether `timestamp`, `recvWindow` and `signature` are part of a call.
    pub const fn takes_security_fields(&self) -> bool {
        self.security.needs_key() || matches!(self.family, Family::Sapi)
    }

    /// What stands in `path` where this row has `{id}`.
    pub fn id_of<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.path.strip_suffix(ID)?)
    }

    /// Whether it places orders: of the rows whose success gives the weight back, those that create.
    pub const fn places_orders(&self) -> bool {
        self.free_on_success && matches!(self.method, Method::Post)
    }
}

impl core::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {}", self.method.as_str(), self.path)
    }
}

/// The code that answers an endpoint. [`Route::Unavailable`] marks rows of the contract that this venue does
/// not offer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "each variant is named after the one row that carries it")]
pub enum Route {
    Unavailable,
    Ping,
    Time,
    ExchangeInfo,
    Depth,
    Trades,
    HistoricalTrades,
    AggTrades,
    Klines,
    UiKlines,
    AvgPrice,
    Ticker24hr,
    TickerPrice,
    TickerBook,
    Account,
    PlaceOrder,
    TestOrder,
    QueryOrder,
    CancelOrder,
    OpenOrders,
    CancelOpenOrders,
    AllOrders,
    MyTrades,
    RateLimitOrder,
    AccountCommission,
    SpecialKeyCreate,
    SpecialKeyDelete,
    SpecialKeyEditIp,
    SpecialKeyGet,
    SpecialKeyList,
    SpecialKeyExit,
    LiquidationLoan,
    LiquidationLoanRepay,
    LiquidationLoanHistory,
    ApiRestrictions,
    AccountInfo,
    AccountStatus,
    ApiTradingStatus,
    FastWithdrawEnable,
    FastWithdrawDisable,
    CapitalConfig,
    TradeFee,
    MarginAllPairs,
    IsolatedAllPairs,
    MarginAccount,
    IsolatedAccount,
    SubKeyCreate,
    SubKeyCreateV2,
    SubKeyDelete,
    SubKeyList,
    SubKeyPermission,
    SubKeyIpSet,
    SubKeyIpGet,
    SubKeyIpRemove,
    SubAccountCreate,
    SubAccountList,
    SubAccountStatus,
    SubAccountFutures,
    SubAccountOptions,
    BrokerKeyCreate,
    BrokerKeyDelete,
    BrokerKeyList,
    BrokerKeyPermission,
    BrokerKeyTransfer,
    BrokerKeyIpSet,
    BrokerKeyIpGet,
    BrokerKeyIpRemove,
    FuturesExchangeInfo,
    DeliveryExchangeInfo,
    OwnCalls,
    OwnRefusal,
    OwnKey,
}

/// Reads a header or option that names a unit of time.
///
/// # Errors
/// `-1194` when the value names none.
pub fn time_unit(value: Option<&[u8]>) -> Result<TimeUnit, &'static ErrorRow> {
    value.map_or(Ok(TimeUnit::default()), |text| TimeUnit::parse(text).ok_or(&code::INVALID_TIME_UNIT))
}

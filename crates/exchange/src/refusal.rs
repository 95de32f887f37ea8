//! Why the exchange said no, with the contract's own words.

use core::fmt;

use latchkey_protocol::order::OrderType;

use crate::spec::SpecError;

/// A command or query that was refused. It changed nothing.
/// Source of the texts: spot API, errors, 2026-07-21.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A filter of the symbol or exchange.
    Filter(FilterName),
    /// A quantity of zero.
    InvalidQuantity,
    /// A price of zero.
    InvalidPrice,
    /// A quote quantity of zero.
    InvalidQuoteOrderQuantity,
    /// A self-trade prevention that the symbol does not allow.
    SelfTradePreventionNotAllowed,
    /// A parameter that this order needs.
    Missing(&'static str),
    /// One of two parameters that this request needs.
    MissingEither(&'static str, &'static str),
    /// A parameter that this order must not have.
    NotRequired(&'static str),
    /// `strategyType` below 1 000 000.
    StrategyType,
    /// The unfilled-order limit.
    TooManyOrders {
        /// How many orders are allowed.
        limit: u32,
        /// In which window.
        interval: OrderInterval,
    },
    /// A symbol that the exchange does not have.
    BadSymbol,
    /// The symbol does not take orders now.
    MarketClosed,
    /// The symbol does not take this type.
    OrderTypeNotSupported(OrderType),
    /// The symbol does not take iceberg orders.
    IcebergNotSupported,
    /// The symbol does not take market orders by quote quantity.
    QuoteOrderQuantityNotSupported,
    /// The client order id belongs to an open order.
    DuplicateOrder,
    /// Not enough free balance.
    InsufficientBalance,
    /// A maker-only order that would take.
    WouldMatchImmediately,
    /// The wallet's kind may not trade the symbol.
    SymbolNotPermitted,
    /// The isolated wallet belongs to another symbol.
    SymbolRestricted,
    /// The wallet is being liquidated.
    ActionDisabled,
    /// The book offers less than the least quantity.
    Liquidity(LiquidityFloor),
    /// No open order of that name.
    UnknownOrder,
    /// The order is not in the state that the cancel allows.
    CancelRestrictions,
    /// No order of that name, open or closed.
    NoSuchOrder,
    /// Order id and client order id name different orders.
    ClientOrderIdMismatch,
    /// The wallet was never opened.
    NoWallet,
    /// An isolated wallet holds the two assets of its pair only.
    AssetNotInWallet,
    /// An amount that is not above zero.
    AmountNotPositive,
    /// An amount beyond what the ledger can hold.
    AmountTooLarge,
    /// An owner's number that the exchange keeps for itself.
    ReservedAccount,
    /// The open liquidation loan is of another asset.
    LoanInOtherAsset,
    /// More than remains of the liquidation loan, or there is none.
    RepayExceedsLoan,
    /// The spot wallet does not cover the repayment.
    RepayNotCovered,
    /// Special-key mode cannot be left with a liability.
    LiabilityOutstanding,
    /// Special-key mode cannot be left in liquidation.
    InLiquidation,
    /// The symbol exists already.
    SymbolExists,
    /// No room for another symbol or asset.
    NoRoom(&'static str),
    /// The symbol is not consistent.
    BadSpec(SpecError),
}

/// Which row of the contract's error list a refusal is; the number stands in the list, not here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RefusalKind {
    /// `-1013`.
    InvalidMessage,
    /// `-1015`, HTTP 429.
    TooManyOrders,
    /// `-1102`.
    MandatoryParameter,
    /// `-1106`.
    ParameterNotRequired,
    /// `-1121`.
    BadSymbol,
    /// `-1130`.
    InvalidParameter,
    /// `-1134`.
    BadStrategyType,
    /// `-2010`.
    NewOrderRejected,
    /// `-2011`.
    CancelRejected,
    /// `-2013`.
    NoSuchOrder,
    /// `-2039`.
    ClientOrderIdInvalid,
    /// `-3003`.
    NoMarginAccount,
    /// `-3015`.
    RepayExceedsLiability,
    /// `-3041`.
    BalanceNotEnough,
    /// Not on the compatible wire: effects and administration.
    Operation,
}

/// A filter's name on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FilterName {
    /// `PRICE_FILTER`.
    PriceFilter,
    /// `PERCENT_PRICE`.
    PercentPrice,
    /// `PERCENT_PRICE_BY_SIDE`.
    PercentPriceBySide,
    /// `LOT_SIZE`.
    LotSize,
    /// `MARKET_LOT_SIZE`.
    MarketLotSize,
    /// `MIN_NOTIONAL`.
    MinNotional,
    /// `NOTIONAL`.
    Notional,
    /// `MAX_NUM_ORDERS`.
    MaxNumOrders,
    /// `EXCHANGE_MAX_NUM_ORDERS`.
    ExchangeMaxNumOrders,
    /// `MAX_POSITION`.
    MaxPosition,
}

impl FilterName {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PriceFilter => "PRICE_FILTER",
            Self::PercentPrice => "PERCENT_PRICE",
            Self::PercentPriceBySide => "PERCENT_PRICE_BY_SIDE",
            Self::LotSize => "LOT_SIZE",
            Self::MarketLotSize => "MARKET_LOT_SIZE",
            Self::MinNotional => "MIN_NOTIONAL",
            Self::Notional => "NOTIONAL",
            Self::MaxNumOrders => "MAX_NUM_ORDERS",
            Self::ExchangeMaxNumOrders => "EXCHANGE_MAX_NUM_ORDERS",
            Self::MaxPosition => "MAX_POSITION",
        }
    }
}

/// A window of the unfilled-order count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OrderInterval {
    /// Ten seconds, turning at 00, 10, 20 … seconds.
    TenSeconds,
    /// A UTC day.
    Day,
}

impl OrderInterval {
    /// `interval` and `intervalNum` on the wire.
    pub const fn parts(self) -> (&'static str, u32) {
        match self {
            Self::TenSeconds => ("SECOND", 10),
            Self::Day => ("DAY", 1),
        }
    }
}

/// What a market order by quote quantity could not reach.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LiquidityFloor {
    /// `LOT_SIZE`.
    LotSize,
    /// `MARKET_LOT_SIZE`.
    MarketLotSize,
}

impl Refusal {
    /// Which row of the contract's error list this is.
    pub const fn kind(&self) -> RefusalKind {
        match self {
            Self::Filter(_)
            | Self::InvalidQuantity
            | Self::InvalidPrice
            | Self::InvalidQuoteOrderQuantity
            | Self::SelfTradePreventionNotAllowed => RefusalKind::InvalidMessage,
            Self::Missing(_) | Self::MissingEither(..) => RefusalKind::MandatoryParameter,
            Self::NotRequired(_) => RefusalKind::ParameterNotRequired,
            Self::StrategyType => RefusalKind::BadStrategyType,
            Self::TooManyOrders { .. } => RefusalKind::TooManyOrders,
            Self::BadSymbol => RefusalKind::BadSymbol,
            Self::MarketClosed
            | Self::OrderTypeNotSupported(_)
            | Self::IcebergNotSupported
            | Self::QuoteOrderQuantityNotSupported
            | Self::DuplicateOrder
            | Self::InsufficientBalance
            | Self::WouldMatchImmediately
            | Self::SymbolNotPermitted
            | Self::SymbolRestricted
            | Self::ActionDisabled
            | Self::Liquidity(_) => RefusalKind::NewOrderRejected,
            Self::UnknownOrder | Self::CancelRestrictions => RefusalKind::CancelRejected,
            Self::NoSuchOrder => RefusalKind::NoSuchOrder,
            Self::ClientOrderIdMismatch => RefusalKind::ClientOrderIdInvalid,
            Self::NoWallet => RefusalKind::NoMarginAccount,
            Self::LoanInOtherAsset => RefusalKind::InvalidParameter,
            Self::RepayExceedsLoan => RefusalKind::RepayExceedsLiability,
            Self::RepayNotCovered => RefusalKind::BalanceNotEnough,
            Self::AssetNotInWallet
            | Self::AmountNotPositive
            | Self::AmountTooLarge
            | Self::ReservedAccount
            | Self::LiabilityOutstanding
            | Self::InLiquidation
            | Self::SymbolExists
            | Self::NoRoom(_)
            | Self::BadSpec(_) => RefusalKind::Operation,
        }
    }

    /// The message exactly as the contract prints it.
    pub fn text(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fixed = match self {
            Self::Filter(name) => return write!(f, "Filter failure: {}", name.as_str()),
            Self::Missing(name) => {
                return write!(f, "Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
            }
            Self::MissingEither(one, other) => {
                return write!(f, "Param '{one}' or '{other}' must be sent, but both were empty/null!");
            }
            Self::NotRequired(name) => return write!(f, "Parameter '{name}' sent when not required."),
            Self::TooManyOrders { limit, interval } => {
                let (unit, number) = interval.parts();
                return write!(f, "Too many new orders; current limit is {limit} orders per {number} {unit}.");
            }
            Self::OrderTypeNotSupported(kind) => {
                return write!(f, "{} orders are not supported for this symbol.", type_in_words(*kind));
            }
            Self::Liquidity(LiquidityFloor::LotSize) => {
                "Order book liquidity is less than `LOT_SIZE` filter minimum quantity."
            }
            Self::Liquidity(LiquidityFloor::MarketLotSize) => {
                "Order book liquidity is less than `MARKET_LOT_SIZE` filter minimum quantity."
            }
            Self::NoRoom(what) => return write!(f, "No room for another {what}."),
            Self::BadSpec(error) => return write!(f, "The symbol is not consistent: {error}."),
            Self::InvalidQuantity => "Invalid quantity.",
            Self::InvalidPrice => "Invalid price.",
            Self::InvalidQuoteOrderQuantity => "Invalid quote order qty.",
            Self::SelfTradePreventionNotAllowed => {
                "This symbol does not allow the specified self-trade prevention mode."
            }
            Self::StrategyType => "'strategyType' was less than 1000000.",
            Self::BadSymbol => "Invalid symbol.",
            Self::MarketClosed => "Market is closed.",
            Self::IcebergNotSupported => "Iceberg orders are not supported for this symbol.",
            Self::QuoteOrderQuantityNotSupported => "Quote order qty market orders are not support for this symbol.",
            Self::DuplicateOrder => "Duplicate order sent.",
            Self::InsufficientBalance => "Account has insufficient balance for requested action.",
            Self::WouldMatchImmediately => "Order would immediately match and take.",
            Self::SymbolNotPermitted => "This symbol is not permitted for this account.",
            Self::SymbolRestricted => "This symbol is restricted for this account.",
            Self::ActionDisabled => "This action is disabled on this account.",
            Self::UnknownOrder => "Unknown order sent.",
            Self::CancelRestrictions => "Order was not canceled due to cancel restrictions.",
            Self::NoSuchOrder => "Order does not exist.",
            Self::ClientOrderIdMismatch => "Client order ID is not correct for this order ID.",
            Self::NoWallet => "Margin account does not exist.",
            Self::AssetNotInWallet => "The isolated account does not hold this asset.",
            Self::AmountNotPositive => "The amount must be above zero.",
            Self::AmountTooLarge => "The amount is too large.",
            Self::ReservedAccount => "The account belongs to the venue.",
            Self::LoanInOtherAsset => "Data sent for parameter 'asset' is not valid.",
            Self::RepayExceedsLoan => "Repay amount exceeds borrow amount.",
            Self::RepayNotCovered => "Balance is not enough",
            Self::LiabilityOutstanding => "The account has an outstanding liability.",
            Self::InLiquidation => "The account is in liquidation.",
            Self::SymbolExists => "The symbol exists already.",
        };
        f.write_str(fixed)
    }
}

/// The contract's words for an order type in "… orders are not supported for this symbol."
const fn type_in_words(kind: OrderType) -> &'static str {
    match kind {
        OrderType::Limit => "Limit",
        OrderType::Market => "Market",
        OrderType::StopLoss => "Stop loss",
        OrderType::StopLossLimit => "Stop loss limit",
        OrderType::TakeProfit => "Take profit",
        OrderType::TakeProfitLimit => "Take profit limit",
        OrderType::LimitMaker => "Limit maker",
    }
}

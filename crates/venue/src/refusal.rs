//! The exchange's refusals as rows of the contract.

use latchkey_admission::{Outcome, Reason, Rejection, Stage};
use latchkey_exchange::{OrderInterval, Refusal};
use latchkey_protocol::code::{self, ApiError};

use crate::account::{DAY, TEN_SECONDS};

/// The contract's error for a refusal of the exchange: a row a refusal.
pub(crate) fn api_error(refusal: &Refusal) -> ApiError {
    match refusal {
        Refusal::Filter(_)
        | Refusal::InvalidQuantity
        | Refusal::InvalidPrice
        | Refusal::InvalidQuoteOrderQuantity
        | Refusal::SelfTradePreventionNotAllowed => code::INVALID_MESSAGE.with([refusal.text()]),
        Refusal::TooManyOrders { limit, interval } => {
            let (unit, number) = interval.parts();
            code::TOO_MANY_ORDERS.with([limit.to_string(), format!("{number} {unit}")])
        }
        Refusal::Missing(name) => code::MANDATORY_PARAMETER.with([*name]),
        Refusal::MissingEither(one, other) => code::EITHER_PARAMETER.with([*one, *other]),
        Refusal::NotRequired(name) => code::PARAMETER_NOT_REQUIRED.with([*name]),
        Refusal::BadSymbol => code::BAD_SYMBOL.plain(),
        Refusal::StrategyType => code::BAD_STRATEGY_TYPE.plain(),
        Refusal::MarketClosed
        | Refusal::OrderTypeNotSupported(_)
        | Refusal::IcebergNotSupported
        | Refusal::QuoteOrderQuantityNotSupported
        | Refusal::DuplicateOrder
        | Refusal::InsufficientBalance
        | Refusal::WouldMatchImmediately
        | Refusal::SymbolNotPermitted
        | Refusal::SymbolRestricted
        | Refusal::ActionDisabled
        | Refusal::Liquidity(_) => code::NEW_ORDER_REJECTED.with([refusal.text()]),
        Refusal::UnknownOrder | Refusal::CancelRestrictions => code::CANCEL_REJECTED.with([refusal.text()]),
        Refusal::NoSuchOrder => code::NO_SUCH_ORDER.plain(),
        Refusal::ClientOrderIdMismatch => code::CLIENT_ORDER_ID_MISMATCH.plain(),
        Refusal::NoWallet => code::NO_MARGIN_ACCOUNT.plain(),
        Refusal::LoanInOtherAsset => code::INVALID_PARAMETER.with(["asset"]),
        Refusal::RepayExceedsLoan => code::REPAY_EXCEEDS_LIABILITY.plain(),
        Refusal::RepayNotCovered => code::BALANCE_NOT_ENOUGH.plain(),
        Refusal::AmountNotPositive | Refusal::AmountTooLarge => code::INVALID_PARAMETER.with(["amount"]),
        // Effects and administration, which no route of the contract asks for.
        Refusal::AssetNotInWallet
        | Refusal::ReservedAccount
        | Refusal::LiabilityOutstanding
        | Refusal::InLiquidation
        | Refusal::SymbolExists
        | Refusal::NoRoom(_)
        | Refusal::BadSpec(_) => code::ENGINE_MESSAGE.with([refusal.text()]),
    }
}

/// The end of a call that the exchange refused.
pub(crate) fn refused(refusal: &Refusal) -> Outcome {
    Outcome::Rejected(match refusal {
        Refusal::TooManyOrders { limit, interval } => {
            let window = match interval {
                OrderInterval::TenSeconds => TEN_SECONDS,
                OrderInterval::Day => DAY,
            };
            Rejection::new(Stage::Venue, Reason::TooManyOrders { limit: *limit, window })
        }
        other => Rejection::venue(api_error(other)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use latchkey_exchange::{FilterName, LiquidityFloor};

    #[test]
    fn every_refusal_keeps_its_words_and_takes_its_number() {
        let cases = [
            (Refusal::Filter(FilterName::LotSize), -1013),
            (Refusal::InvalidQuantity, -1013),
            (Refusal::SelfTradePreventionNotAllowed, -1013),
            (Refusal::TooManyOrders { limit: 50, interval: OrderInterval::TenSeconds }, -1015),
            (Refusal::Missing("timeInForce"), -1102),
            (Refusal::MissingEither("origClientOrderId", "orderId"), -1102),
            (Refusal::NotRequired("price"), -1106),
            (Refusal::BadSymbol, -1121),
            (Refusal::StrategyType, -1134),
            (Refusal::InsufficientBalance, -2010),
            (Refusal::SymbolRestricted, -2010),
            (Refusal::Liquidity(LiquidityFloor::LotSize), -2010),
            (Refusal::UnknownOrder, -2011),
            (Refusal::CancelRestrictions, -2011),
            (Refusal::NoSuchOrder, -2013),
            (Refusal::ClientOrderIdMismatch, -2039),
            (Refusal::NoWallet, -3003),
            (Refusal::LoanInOtherAsset, -1130),
            (Refusal::RepayExceedsLoan, -3015),
            (Refusal::RepayNotCovered, -3041),
        ];
        for (refusal, number) in cases {
            let error = api_error(&refusal);
            assert_eq!((error.row.code, error.message()), (number, refusal.text()), "{refusal:?}");
        }
        let limited = api_error(&Refusal::TooManyOrders { limit: 9, interval: OrderInterval::Day });
        assert_eq!((limited.row.status, limited.message().contains("9 orders per 1 DAY")), (429, true));
    }
}

//! The exchange's refusals as rows of the contract.

use latchkey_admission::{Outcome, Rejection};
use latchkey_exchange::{Refusal, RefusalKind};
use latchkey_protocol::code::{self, ApiError};

/// The contract's error for a refusal of the exchange.
pub(crate) fn api_error(refusal: &Refusal) -> ApiError {
    match refusal {
        Refusal::TooManyOrders { limit, interval } => {
            let (unit, number) = interval.parts();
            code::TOO_MANY_ORDERS.with([limit.to_string(), format!("{number} {unit}")])
        }
        Refusal::Missing(name) => code::MANDATORY_PARAMETER.with([*name]),
        Refusal::MissingEither(one, other) => code::EITHER_PARAMETER.with([*one, *other]),
        Refusal::NotRequired(name) => code::PARAMETER_NOT_REQUIRED.with([*name]),
        other => by_kind(other),
    }
}

fn by_kind(refusal: &Refusal) -> ApiError {
    match refusal.kind() {
        RefusalKind::InvalidMessage => code::INVALID_MESSAGE.with([refusal.text()]),
        RefusalKind::TooManyOrders => code::TOO_MANY_ORDERS_UNNAMED.plain(),
        RefusalKind::MandatoryParameter => code::MANDATORY_PARAMETER.with([""]),
        RefusalKind::ParameterNotRequired => code::PARAMETER_NOT_REQUIRED.with([""]),
        RefusalKind::BadSymbol => code::BAD_SYMBOL.plain(),
        RefusalKind::BadStrategyType => code::BAD_STRATEGY_TYPE.plain(),
        RefusalKind::NewOrderRejected => code::NEW_ORDER_REJECTED.with([refusal.text()]),
        RefusalKind::CancelRejected => code::CANCEL_REJECTED.with([refusal.text()]),
        RefusalKind::NoSuchOrder => code::NO_SUCH_ORDER.plain(),
        RefusalKind::ClientOrderIdInvalid => code::CLIENT_ORDER_ID_MISMATCH.plain(),
        RefusalKind::NoMarginAccount => code::NO_MARGIN_ACCOUNT.plain(),
        RefusalKind::Operation => code::ENGINE_MESSAGE.with([refusal.text()]),
    }
}

/// The end of a call that the exchange refused.
pub(crate) fn refused(refusal: &Refusal) -> Outcome {
    Outcome::Rejected(Rejection::venue(api_error(refusal)))
}

//! Liquidation loans: what a cross margin account owes after a liquidation that ended below zero.
//! Source: margin API, liquidation loan, 2026-05-05.

use latchkey_admission::{Permit, Rejection, Ticket};
use latchkey_authority::key::Scope;
use latchkey_authority::ports::Ports;
use latchkey_exchange::view::{LoanView, RepaymentView};
use latchkey_exchange::{Command, Reply};
use latchkey_protocol::code;
use latchkey_protocol::{Amount, Timestamp, Value, object};

use crate::margin::{not_its_account, sees};
use crate::venue::{Venue, holder};

const DAY_US: i64 = 86_400_000_000;
/// How far back a history goes when no start is sent.
const DEFAULT_SPAN_US: i64 = 7 * DAY_US;
/// The longest range of a history; the beginning of a longer one is cut off.
const LONGEST_SPAN_US: i64 = 90 * DAY_US;
/// The rows of a page when no number is sent.
const PAGE: i64 = 50;
/// The asset that a debt is shown in as long as there was none.
const USUAL_ASSET: &str = "USDC";
/// A repayment is carried out in one step, so that none is ever `PENDING`.
const STATUS: &str = "SUCCESS";

pub(crate) fn query<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let holder = holder(permit.call())?;
    if !sees(holder, Some(Scope::Cross)) {
        return Err(not_its_account());
    }
    let owner = holder.key().account.id;
    venue.query(permit, move |core, _| Ok(core.liquidation_loan(owner)), |loan| loan_value(loan.as_ref()))
}

fn loan_value(loan: Option<&LoanView>) -> Value {
    let Some(loan) = loan else {
        return object! {
            "asset": USUAL_ASSET,
            "amount": Amount::ZERO,
            "repaidAmount": Amount::ZERO,
            "remainingAmount": Amount::ZERO,
        };
    };
    object! {
        "asset": loan.asset,
        "amount": loan.amount,
        "repaidAmount": loan.repaid,
        "remainingAmount": loan.remaining,
    }
}

pub(crate) fn repay<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let call = permit.call();
    let owner = holder(call)?.key().account.id;
    let missing = |name: &'static str| Rejection::parameter(code::MANDATORY_PARAMETER.with([name]));
    let asset = call.arguments.asset("asset").ok_or_else(|| missing("asset"))?;
    let amount = call.arguments.decimal("amount").ok_or_else(|| missing("amount"))?;
    venue.command(permit, Command::RepayLiquidationLoan { owner, asset, amount }, |reply| match reply {
        Reply::Repaid(repayment) => Some(repayment_value(&repayment).into()),
        _ => None,
    })
}

pub(crate) fn history<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let call = permit.call();
    let holder = holder(call)?;
    if !sees(holder, Some(Scope::Cross)) {
        return Err(not_its_account());
    }
    let owner = holder.key().account.id;
    let arguments = &call.arguments;
    let (start, end) = (arguments.time("startTime"), arguments.time("endTime"));
    let number = |name: &str, absent: i64| usize::try_from(arguments.int(name).unwrap_or(absent)).unwrap_or_default();
    let (page, size) = (number("current", 1), number("size", PAGE));
    if start.zip(end).is_some_and(|(start, end)| start > end) {
        return Err(Rejection::parameter(code::INVALID_PARAMETER.with(["startTime"])));
    }
    venue.query(
        permit,
        move |core, now| {
            let (start, end) = span(start, end, now);
            Ok(core.loan_repayments(owner, start, end, page.saturating_sub(1).saturating_mul(size), size))
        },
        |(total, rows)| {
            object! {
                "total": i64::try_from(total).unwrap_or(i64::MAX),
                "rows": rows.iter().map(repayment_value).collect::<Vec<_>>(),
            }
        },
    )
}

/// The range of a history: seven days by default, ninety at most.
fn span(start: Option<Timestamp>, end: Option<Timestamp>, now: Timestamp) -> (Timestamp, Timestamp) {
    let end = end.unwrap_or(now);
    let start = start.unwrap_or(end.plus_micros(-DEFAULT_SPAN_US));
    (start.max(end.plus_micros(-LONGEST_SPAN_US)), end)
}

fn repayment_value(repayment: &RepaymentView) -> Value {
    object! {
        "repayId": repayment.id,
        "asset": repayment.asset,
        "amount": repayment.amount,
        "status": STATUS,
        "createTime": repayment.time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_seven_days_by_default_and_ninety_at_most() {
        let at = |day: i64| Timestamp::from_micros(day * DAY_US);
        assert_eq!(span(None, None, at(200)), (at(193), at(200)));
        assert_eq!(span(None, Some(at(100)), at(200)), (at(93), at(100)));
        assert_eq!(span(Some(at(199)), None, at(200)), (at(199), at(200)));
        assert_eq!(span(Some(at(110)), Some(at(200)), at(300)), (at(110), at(200)));
        assert_eq!(span(Some(at(109)), Some(at(200)), at(300)), (at(110), at(200)), "the beginning is cut off");
        assert_eq!(span(Some(at(1)), None, at(200)), (at(110), at(200)));
    }
}

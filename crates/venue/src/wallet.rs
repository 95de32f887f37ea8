//! The wallet family: what a key and its account may read back of themselves.

use latchkey_admission::{Outcome, Permit, Rejection, Ticket};
use latchkey_authority::key::KeyKind;
use latchkey_authority::ports::Ports;
use latchkey_exchange::Refusal;
use latchkey_exchange::view::BalanceView;
use latchkey_protocol::{Amount, Timestamp, TradingAccount, Value, Wallet, object};

use crate::account::{balances, empty_balance, rate};
use crate::venue::{Venue, holder, not_done};

/// The fields of `apiRestrictions` in the order of the page.
/// Source: wallet API, "Get API Key Permission", 2026-08-21.
const RESTRICTION_FIELDS: [&str; 11] = [
    "enableReading",
    "enableWithdrawals",
    "enableInternalTransfer",
    "enableMargin",
    "enableFutures",
    "permitsUniversalTransfer",
    "enableVanillaOptions",
    "enableFixApiTrade",
    "enableFixReadOnly",
    "enableSpotAndMarginTrading",
    "enablePortfolioMarginTrading",
];

pub(crate) fn api_restrictions<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, _, caller, now| async move {
        match authority.api_restrictions(&caller, now).await {
            Ok(view) => {
                let mut fields = vec![("ipRestrict", view.ip_restrict.into()), ("createTime", view.created.into())];
                fields.extend(RESTRICTION_FIELDS.map(|name| {
                    let in_force = view.fields().any(|(field, in_force)| field == name && in_force);
                    (name, Value::Bool(in_force))
                }));
                Outcome::Answered(Value::Object(fields).into())
            }
            Err(error) => not_done(&error),
        }
    })
}

pub(crate) fn account_info<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, _, caller, now| async move {
        match authority.account_info(&caller, now).await {
            Ok(view) => Outcome::Answered(
                object! {
                    "vipLevel": u32::from(view.vip_level),
                    "isMarginEnabled": view.margin,
                    "isFutureEnabled": view.futures,
                    "isOptionsEnabled": view.options,
                    "isPortfolioMarginRetailEnabled": view.portfolio_margin_retail,
                }
                .into(),
            ),
            Err(error) => not_done(&error),
        }
    })
}

/// A call that was admitted comes from an account in order.
pub(crate) fn account_status() -> Value {
    object! { "data": "Normal" }
}

/// The switches for fast withdrawals are taken and mean nothing: nothing is withdrawn here, and no call reads them.
pub(crate) fn fast_withdraw_switch() -> Value {
    Value::empty()
}

/// Trading by key is never locked here; the thresholds are the published ones.
/// Source: wallet API, "Account API Trading Status", 2026-08-21.
pub(crate) fn api_trading_status(now: Timestamp) -> Value {
    object! {
        "data": object! {
            "isLocked": false,
            "plannedRecoverTime": 0_i64,
            "triggerCondition": object! { "GCR": 150_i64, "IFER": 150_i64, "UFR": 300_i64 },
            "updateTime": now,
        },
    }
}

pub(crate) fn capital_config<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let holder = holder(permit.call())?;
    let key = holder.key();
    let spot = TradingAccount { owner: holder.trading().owner, wallet: Wallet::Spot };
    // Coins lie in the spot wallet, which a special key does not unlock.
    let sees_balances = key.kind == KeyKind::Standard;
    venue.query(
        permit,
        move |core, _| {
            let blank = || core.assets().into_iter().map(empty_balance).collect();
            Ok(if sees_balances { balances(core, spot, false) } else { blank() })
        },
        |rows| Value::Array(rows.iter().map(coin_value).collect()),
    )
}

/// A coin without networks: nothing comes in or goes out over a chain.
fn coin_value(row: &BalanceView) -> Value {
    object! {
        "coin": row.asset,
        "depositAllEnable": false,
        "free": row.free,
        "freeze": Amount::ZERO,
        "ipoable": Amount::ZERO,
        "ipoing": Amount::ZERO,
        "isLegalMoney": false,
        "locked": row.locked,
        "name": row.asset,
        "networkList": Vec::<Value>::new(),
        "storage": Amount::ZERO,
        "trading": true,
        "withdrawAllEnable": false,
        "withdrawing": Amount::ZERO,
    }
}

pub(crate) fn trade_fee<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let call = permit.call();
    let (account, symbol) = (holder(call)?.trading(), call.arguments.symbol("symbol"));
    venue.query(
        permit,
        move |core, _| match symbol {
            Some(symbol) => core.commission(account, symbol).map(|view| vec![view]),
            None => core.symbols().map(|spec| core.commission(account, spec.symbol)).collect::<Result<_, Refusal>>(),
        },
        |views| {
            let row = |view: &latchkey_exchange::view::CommissionView| {
                object! {
                    "symbol": view.symbol,
                    "makerCommission": rate(view.commission.maker),
                    "takerCommission": rate(view.commission.taker),
                }
            };
            Value::Array(views.iter().map(row).collect())
        },
    )
}

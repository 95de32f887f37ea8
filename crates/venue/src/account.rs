//! What an account may ask about itself.

use latchkey_admission::{Permit, Rejection, Ticket};
use latchkey_authority::ports::Ports;
use latchkey_exchange::view::{AccountTrade, BalanceView, CommissionView};
use latchkey_exchange::{Commission, Core, Rate};
use latchkey_protocol::limits::{Interval, Limit, RateLimitType, Window};
use latchkey_protocol::{
    AccountId, Amount, Asset, Permission, Price, Symbol, Timestamp, TradingAccount, Value, Wallet, code, object,
};

use crate::orders::{self, NEVER, page};
use crate::venue::{Venue, holder};

/// The windows of the unfilled-order count.
pub(crate) const TEN_SECONDS: Window = Window::of(10, Interval::Second);
/// See [`TEN_SECONDS`].
pub(crate) const DAY: Window = Window::of(1, Interval::Day);

/// What `GET /api/v3/account` is made of.
struct Facts {
    commission: Commission,
    in_liquidation: bool,
    updated: Timestamp,
    balances: Vec<BalanceView>,
}

pub(crate) fn account<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let call = permit.call();
    let holder = holder(call)?;
    let account = holder.trading();
    let may_trade = holder.permissions().contains(Permission::SpotAndMarginTrading);
    let omit_zero = call.arguments.bool("omitZeroBalances").unwrap_or(false);
    venue.query(
        permit,
        move |core, _| {
            Ok(Facts {
                commission: core.default_commission(account.owner),
                in_liquidation: core.owner(account.owner).in_liquidation,
                updated: core.balance_update_time(account).unwrap_or(NEVER),
                balances: balances(core, account, omit_zero),
            })
        },
        move |facts| account_value(account, may_trade, &facts),
    )
}

/// The balances of a wallet: of every asset that it can hold, or of those that are not zero.
pub(crate) fn balances(core: &Core, account: TradingAccount, omit_zero: bool) -> Vec<BalanceView> {
    let held = core.balances(account).unwrap_or_default();
    if omit_zero {
        let some = |row: &BalanceView| !row.free.is_zero() || !row.locked.is_zero();
        return held.into_iter().filter(some).collect();
    }
    let assets = match account.wallet {
        Wallet::Spot | Wallet::Cross | Wallet::Portfolio => core.assets(),
        Wallet::Isolated(symbol) => core.symbol(symbol).map_or(Vec::new(), |spec| vec![spec.base, spec.quote]),
    };
    // The exchange answers them by name.
    let place = |asset: Asset| held.binary_search_by_key(&asset, |row| row.asset).ok();
    let row = |asset| place(asset).and_then(|place| held.get(place)).copied().unwrap_or(empty_balance(asset));
    assets.into_iter().map(row).collect()
}

/// Nothing of an asset.
pub(crate) const fn empty_balance(asset: Asset) -> BalanceView {
    BalanceView { asset, free: Amount::ZERO, locked: Amount::ZERO, borrowed: Amount::ZERO, interest: Amount::ZERO }
}

fn account_value(account: TradingAccount, may_trade: bool, facts: &Facts) -> Value {
    let Commission { maker, taker } = facts.commission;
    // Special keys show the margin account that they unlock; the contract does not print its names.
    let (account_type, permission) = match account.wallet {
        Wallet::Spot => ("SPOT", "SPOT"),
        Wallet::Cross | Wallet::Portfolio => ("MARGIN", "MARGIN"),
        Wallet::Isolated(_) => ("ISOLATED_MARGIN", "MARGIN"),
    };
    let is_spot = account.wallet == Wallet::Spot;
    let balances = facts.balances.iter().map(|row| {
        object! { "asset": row.asset, "free": row.free, "locked": row.locked }
    });
    object! {
        "makerCommission": maker.basis_points(),
        "takerCommission": taker.basis_points(),
        "buyerCommission": 0_i64,
        "sellerCommission": 0_i64,
        "commissionRates": rates(facts.commission),
        "canTrade": may_trade && !facts.in_liquidation,
        "canWithdraw": is_spot,
        "canDeposit": is_spot,
        "brokered": false,
        "requireSelfTradePrevention": false,
        "preventSor": false,
        "updateTime": facts.updated,
        "accountType": account_type,
        "balances": balances.collect::<Vec<_>>(),
        "permissions": vec![Value::Text(permission)],
        "uid": account.owner.0,
    }
}

pub(crate) fn my_trades<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let call = permit.call();
    let arguments = &call.arguments;
    let (account, symbol) = (holder(call)?.trading(), orders::symbol(arguments)?);
    let sent = ["orderId", "fromId", "startTime", "endTime"].map(|name| arguments.get(name).is_some());
    // Source: REST API, "Account trade list", 2026-07-21: the combinations that are taken.
    let taken = matches!(sent, [_, _, false, false] | [false, false, _, _]);
    if !taken {
        return Err(Rejection::parameter(code::BAD_COMBINATION.plain()));
    }
    let (order_id, rows) = (arguments.int("orderId"), page(arguments, "fromId")?);
    venue.query(
        permit,
        move |core, _| core.my_trades(account, symbol, order_id, rows),
        move |trades| Value::Array(trades.iter().map(|trade| trade_value(symbol, trade)).collect()),
    )
}

fn trade_value(symbol: Symbol, trade: &AccountTrade) -> Value {
    object! {
        "symbol": symbol,
        "id": trade.id,
        "orderId": trade.order_id,
        "orderListId": -1_i64,
        "price": trade.price,
        "qty": trade.quantity,
        "quoteQty": trade.quote_quantity,
        "commission": trade.commission,
        "commissionAsset": trade.commission_asset,
        "time": trade.time,
        "isBuyer": trade.is_buyer,
        "isMaker": trade.is_maker,
        "isBestMatch": true,
    }
}

pub(crate) fn rate_limit_order<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let owner: AccountId = holder(permit.call())?.trading().owner;
    let tier = venue.tier_limits(&permit)?;
    venue.query(
        permit,
        move |core, now| Ok((tier.unwrap_or(core.limits()), core.order_counts(owner, now))),
        |(limits, counts)| {
            let row = |window, limit, count: u32| {
                Limit::new(RateLimitType::Orders, window, limit).to_value(Some(count.into()))
            };
            Value::Array(vec![
                row(TEN_SECONDS, limits.per_10s, counts.ten_seconds),
                row(DAY, limits.per_day, counts.day),
            ])
        },
    )
}

pub(crate) fn commission<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    let call = permit.call();
    let (account, symbol) = (holder(call)?.trading(), orders::symbol(&call.arguments)?);
    venue.query(
        permit,
        move |core, _| core.commission(account, symbol),
        |view| {
            let none = Commission { maker: Rate::ZERO, taker: Rate::ZERO };
            object! {
                "symbol": view.symbol,
                "standardCommission": rates(view.commission),
                "specialCommission": rates(none),
                "taxCommission": rates(none),
                "discount": discount(),
            }
        },
    )
}

/// What `order/test` answers when it was asked for the rates.
pub(crate) fn test_commission(view: &CommissionView) -> Value {
    let none = Commission { maker: Rate::ZERO, taker: Rate::ZERO };
    let pair = |of: Commission| object! { "maker": rate(of.maker), "taker": rate(of.taker) };
    object! {
        "standardCommissionForOrder": pair(view.commission),
        "specialCommissionForOrder": pair(none),
        "taxCommissionForOrder": pair(none),
        "discount": discount(),
    }
}

/// A rate as the wire prints it: a fraction with eight decimals.
pub(crate) fn rate(rate: Rate) -> Value {
    Price::from_scaled(rate.scaled()).into()
}

fn rates(of: Commission) -> Value {
    object! {
        "maker": rate(of.maker),
        "taker": rate(of.taker),
        "buyer": rate(Rate::ZERO),
        "seller": rate(Rate::ZERO),
    }
}

/// Commissions are taken from what is received; the discount is announced and never in force.
fn discount() -> Value {
    object! {
        "enabledForAccount": false,
        "enabledForSymbol": false,
        "discountAsset": "BNB",
        "discount": Amount::from_scaled(25_000_000),
    }
}

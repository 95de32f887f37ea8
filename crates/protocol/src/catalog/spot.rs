//! Signed `/api/v3`: orders, order lists, the account, and the withdrawn listen keys.

use super::shared::{
    CANCEL_RESTRICTIONS, ID, MAYBE_SYMBOL, ORDER_TYPE, PEG_OFFSET, PEG_OFFSET_TYPE, PEG_PRICE_TYPE, RESPONSE_TYPE,
    SELF_TRADE_PREVENTION, SIDE, STRATEGY_TYPE, SYMBOL, TIME_IN_FORCE, TRAILING_DELTA,
};
use super::table::endpoints;
use super::{Kind, Param};

endpoints! {
    /// Orders and the account.
    ROWS from "REST API, 2026-07-21";
    Post   "/api/v3/order"                     Trade    Ip 1                 => PlaceOrder(ORDER).free();
    Post   "/api/v3/order/test"                Trade    Ip test_order        => TestOrder(TEST_ORDER).changes_nothing();
    Get    "/api/v3/order"                     UserData Ip 4                 => QueryOrder(QUERY_ORDER);
    Delete "/api/v3/order"                     Trade    Ip 1                 => CancelOrder(CANCEL_ORDER).free();
    Get    "/api/v3/openOrders"                UserData Ip open_orders       => OpenOrders(MAYBE_SYMBOL);
    Delete "/api/v3/openOrders"                Trade    Ip 1                 => CancelOpenOrders(SYMBOL).free();
    Get    "/api/v3/allOrders"                 UserData Ip 20                => AllOrders(ALL_ORDERS).report();
    Post   "/api/v3/order/cancelReplace"       Trade    Ip 1                 => Unavailable.free();
    Put    "/api/v3/order/amend/keepPriority"  Trade    Ip 4                 => Unavailable;
    Get    "/api/v3/order/amendments"          UserData Ip 4                 => Unavailable;
    Post   "/api/v3/sor/order"                 Trade    Ip 1                 => Unavailable.free();
    Post   "/api/v3/sor/order/test"            Trade    Ip test_order        => Unavailable.changes_nothing();
    Get    "/api/v3/account"                   UserData Ip 20                => Account(ACCOUNT);
    Get    "/api/v3/account/commission"        UserData Ip 20                => AccountCommission(SYMBOL);
    Get    "/api/v3/myTrades"                  UserData Ip my_trades         => MyTrades(MY_TRADES).report();
    Get    "/api/v3/rateLimit/order"           UserData Ip 40                => RateLimitOrder;
    Get    "/api/v3/myPreventedMatches"        UserData Ip prevented_matches => Unavailable;
    Get    "/api/v3/myAllocations"             UserData Ip 20                => Unavailable.report();
    Get    "/api/v3/myFilters"                 UserData Ip 40                => Unavailable;
}

endpoints! {
    /// Order lists.
    LISTS from "REST API, 2026-07-21";
    Post   "/api/v3/order/oco"                 Trade    Ip 1                 => Unavailable.free();
    Post   "/api/v3/orderList/oco"             Trade    Ip 1                 => Unavailable.free();
    Post   "/api/v3/orderList/oto"             Trade    Ip 1                 => Unavailable.free();
    Post   "/api/v3/orderList/otoco"           Trade    Ip 1                 => Unavailable.free();
    Post   "/api/v3/orderList/opo"             Trade    Ip 1                 => Unavailable.free();
    Post   "/api/v3/orderList/opoco"           Trade    Ip 1                 => Unavailable.free();
    Delete "/api/v3/orderList"                 Trade    Ip 1                 => Unavailable.free();
    Get    "/api/v3/orderList"                 UserData Ip 4                 => Unavailable;
    Get    "/api/v3/allOrderList"              UserData Ip 20                => Unavailable.report();
    Get    "/api/v3/openOrderList"             UserData Ip 6                 => Unavailable;
}

endpoints! {
    /// Listen keys: withdrawn by the contract on 2026-02-20, still asked for by old clients.
    LISTEN_KEYS from "REST API, before 2025-10-24";
    Post   "/api/v3/userDataStream"            UserStream Ip 2               => Unavailable;
    Put    "/api/v3/userDataStream"            UserStream Ip 2               => Unavailable;
    Delete "/api/v3/userDataStream"            UserStream Ip 2               => Unavailable;
}

/// The parameters of a placement, and what else the row has.
macro_rules! order {
    ($($more:expr),*) => {
        &[
            Param::must("symbol", Kind::Symbol),
            Param::must("side", SIDE),
            Param::must("type", ORDER_TYPE),
            Param::may("timeInForce", TIME_IN_FORCE),
            Param::may("quantity", Kind::Decimal),
            Param::may("quoteOrderQty", Kind::Decimal),
            Param::may("price", Kind::Decimal),
            Param::may("newClientOrderId", Kind::ClientOrderId),
            Param::may("strategyId", ID),
            Param::may("strategyType", STRATEGY_TYPE),
            Param::may("stopPrice", Kind::Decimal),
            Param::may("trailingDelta", TRAILING_DELTA),
            Param::may("icebergQty", Kind::Decimal),
            Param::may("newOrderRespType", RESPONSE_TYPE),
            Param::may("selfTradePreventionMode", SELF_TRADE_PREVENTION),
            Param::may("pegPriceType", PEG_PRICE_TYPE),
            Param::may("pegOffsetValue", PEG_OFFSET),
            Param::may("pegOffsetType", PEG_OFFSET_TYPE),
            $($more),*
        ]
    };
}

const ORDER: &[Param] = order!();

const TEST_ORDER: &[Param] = order!(Param::may("computeCommissionRates", Kind::Bool));

const QUERY_ORDER: &[Param] = &[
    Param::must("symbol", Kind::Symbol),
    Param::may("orderId", ID),
    Param::may("origClientOrderId", Kind::ClientOrderId),
];

const CANCEL_ORDER: &[Param] = &[
    Param::must("symbol", Kind::Symbol),
    Param::may("orderId", ID),
    Param::may("origClientOrderId", Kind::ClientOrderId),
    Param::may("newClientOrderId", Kind::ClientOrderId),
    Param::may("cancelRestrictions", CANCEL_RESTRICTIONS),
];

const ALL_ORDERS: &[Param] = &[
    Param::must("symbol", Kind::Symbol),
    Param::may("orderId", ID),
    Param::may("startTime", Kind::Time),
    Param::may("endTime", Kind::Time),
    Param::may("limit", Kind::Limit { max: 1000 }),
];

const ACCOUNT: &[Param] = &[Param::may("omitZeroBalances", Kind::Bool)];

const MY_TRADES: &[Param] = &[
    Param::must("symbol", Kind::Symbol),
    Param::may("orderId", ID),
    Param::may("startTime", Kind::Time),
    Param::may("endTime", Kind::Time),
    Param::may("fromId", ID),
    Param::may("limit", Kind::Limit { max: 1000 }),
];

//! Margin accounts, loans and orders under `/sapi`.

use crate::Permission::Margin as MarginLoans;
use crate::catalog::shared::MAYBE_SYMBOL;
use crate::catalog::table::endpoints;
use crate::catalog::{Kind, Param};

endpoints! {
    /// Margin market data.
    MARKET from "Margin API, 2026-08-21";
    Get    "/sapi/v1/margin/allAssets"                         MarketData SapiIp 1    => Unavailable;
    Get    "/sapi/v1/margin/allPairs"                          MarketData SapiIp 1    => MarginAllPairs(MAYBE_SYMBOL);
    Get    "/sapi/v1/margin/isolated/allPairs"                 MarketData SapiIp 10   => IsolatedAllPairs(MAYBE_SYMBOL);
    Get    "/sapi/v1/margin/crossMarginCollateralRatio"        MarketData SapiIp 100  => Unavailable;
    Get    "/sapi/v1/margin/delist-schedule"                   MarketData SapiIp 100  => Unavailable;
    Get    "/sapi/v1/margin/leverageBracket"                   MarketData SapiIp 1    => Unavailable;
    Get    "/sapi/v1/margin/limit-price-pairs"                 MarketData SapiIp 1    => Unavailable;
    Get    "/sapi/v1/margin/list-schedule"                     MarketData SapiIp 100  => Unavailable;
    Get    "/sapi/v1/margin/priceIndex"                        MarketData SapiIp 10   => Unavailable;
    Get    "/sapi/v1/margin/restricted-asset"                  MarketData SapiIp 1    => Unavailable;
    Get    "/sapi/v1/margin/risk-based-liquidation-ratio"      MarketData SapiIp 1    => Unavailable;
}

endpoints! {
    /// Margin accounts and loans. `borrow-repay` is labelled MARGIN by the pages and USER_DATA by the SDK of
    /// 2026-08-21; the stronger label holds. `max-leverage` moves the loan limits, so reading alone does not suffice.
    ACCOUNT from "Margin API, 2026-08-21";
    Get    "/sapi/v1/margin/account"                           UserData   SapiIp 10   => MarginAccount;
    Get    "/sapi/v1/margin/isolated/account"                  UserData   SapiIp 10   => IsolatedAccount(ISOLATED_ACCOUNT);
    Post   "/sapi/v1/margin/isolated/account"                  Trade      SapiUid 300 => Unavailable;
    Delete "/sapi/v1/margin/isolated/account"                  Trade      SapiUid 300 => Unavailable;
    Get    "/sapi/v1/margin/isolated/accountLimit"             UserData   SapiIp 1    => Unavailable;
    Get    "/sapi/v1/bnbBurn"                                  UserData   SapiIp 1    => Unavailable;
    Get    "/sapi/v1/margin/available-inventory"               UserData   SapiUid 50  => Unavailable;
    Get    "/sapi/v1/margin/borrow-repay"                      UserData   SapiIp 10   => Unavailable.report();
    Post   "/sapi/v1/margin/borrow-repay"                      Margin     SapiUid 1500 => Unavailable;
    Get    "/sapi/v1/margin/capital-flow"                      UserData   SapiIp 100  => Unavailable.report();
    Get    "/sapi/v1/margin/crossMarginData"                   UserData   SapiIp cross_margin_data => Unavailable;
    Get    "/sapi/v1/margin/exchange-small-liability"          UserData   SapiIp 100  => Unavailable;
    Post   "/sapi/v1/margin/exchange-small-liability"          Margin     SapiUid 3000 => Unavailable;
    Get    "/sapi/v1/margin/exchange-small-liability-history"  UserData   SapiUid 100 => Unavailable.report();
    Get    "/sapi/v1/margin/forceLiquidationRec"               UserData   SapiIp 1    => Unavailable.report();
    Get    "/sapi/v1/margin/interestHistory"                   UserData   SapiIp 1    => Unavailable.report();
    Get    "/sapi/v1/margin/interestRateHistory"               UserData   SapiIp 1    => Unavailable;
    Get    "/sapi/v1/margin/isolatedMarginData"                UserData   SapiIp isolated_margin_data => Unavailable;
    Get    "/sapi/v1/margin/isolatedMarginTier"                UserData   SapiIp 1    => Unavailable;
    Post   "/sapi/v1/margin/max-leverage"                      UserData   SapiUid 3000 => Unavailable.needs(MarginLoans);
    Get    "/sapi/v1/margin/maxBorrowable"                     UserData   SapiIp 50   => Unavailable;
    Get    "/sapi/v1/margin/maxTransferable"                   UserData   SapiIp 50   => Unavailable;
    Get    "/sapi/v1/margin/next-hourly-interest-rate"         UserData   SapiIp 100  => Unavailable;
    Get    "/sapi/v1/margin/tradeCoeff"                        UserData   SapiIp 10   => Unavailable;
    Get    "/sapi/v1/margin/transfer"                          UserData   SapiIp 1    => Unavailable.report();
}

endpoints! {
    /// Margin orders with a standard key; special keys trade on `/api/v3`.
    ORDERS from "Margin API, 2026-08-21";
    Post   "/sapi/v1/margin/order"                             Trade      SapiUid margin_order => Unavailable;
    Get    "/sapi/v1/margin/order"                             UserData   SapiIp 10   => Unavailable;
    Delete "/sapi/v1/margin/order"                             Trade      SapiIp 10   => Unavailable;
    Get    "/sapi/v1/margin/openOrders"                        UserData   SapiIp 10   => Unavailable;
    Delete "/sapi/v1/margin/openOrders"                        Trade      SapiIp 1    => Unavailable;
    Get    "/sapi/v1/margin/allOrders"                         UserData   SapiIp 200  => Unavailable.report();
    Get    "/sapi/v1/margin/myTrades"                          UserData   SapiIp 10   => Unavailable.report();
    Get    "/sapi/v1/margin/myPreventedMatches"                UserData   SapiIp 10   => Unavailable;
    Get    "/sapi/v1/margin/rateLimit/order"                   Trade      SapiIp 20   => Unavailable;
    Post   "/sapi/v1/margin/order/oco"                         Trade      SapiUid margin_order => Unavailable;
    Post   "/sapi/v1/margin/order/oto"                         Trade      SapiUid margin_order => Unavailable;
    Post   "/sapi/v1/margin/order/otoco"                       Trade      SapiUid margin_order => Unavailable;
    Get    "/sapi/v1/margin/orderList"                         UserData   SapiIp 10   => Unavailable;
    Delete "/sapi/v1/margin/orderList"                         Trade      SapiUid 1   => Unavailable;
    Get    "/sapi/v1/margin/allOrderList"                      UserData   SapiIp 200  => Unavailable.report();
    Get    "/sapi/v1/margin/openOrderList"                     UserData   SapiIp 10   => Unavailable;
    Post   "/sapi/v1/margin/manual-liquidation"                Trade      SapiUid 3000 => Unavailable;
}

endpoints! {
    /// Streams of margin accounts. The calls under `userDataStream` were withdrawn on 2026-02-20.
    STREAMS from "Margin API, streams, 2026-08-21";
    Post   "/sapi/v1/userListenToken"                          UserStream SapiUid 1   => Unavailable.any_key();
    Post   "/sapi/v1/margin/listen-key"                        UserStream SapiUid 1   => Unavailable.any_key();
    Put    "/sapi/v1/margin/listen-key"                        UserStream SapiUid 1   => Unavailable.any_key();
    Delete "/sapi/v1/margin/listen-key"                        UserStream SapiUid 3000 => Unavailable.any_key();
    Post   "/sapi/v2/margin/listen-key"                        UserStream SapiUid 1   => Unavailable.any_key();
    Put    "/sapi/v2/margin/listen-key"                        UserStream SapiUid 1   => Unavailable.any_key();
    Delete "/sapi/v2/margin/listen-key"                        UserStream SapiUid 3000 => Unavailable.any_key();
    Post   "/sapi/v1/userDataStream"                           UserStream SapiUid 1   => Unavailable.any_key();
    Put    "/sapi/v1/userDataStream"                           UserStream SapiUid 1   => Unavailable.any_key();
    Delete "/sapi/v1/userDataStream"                           UserStream SapiUid 1   => Unavailable.any_key();
    Post   "/sapi/v1/userDataStream/isolated"                  UserStream SapiUid 1   => Unavailable.any_key();
    Put    "/sapi/v1/userDataStream/isolated"                  UserStream SapiUid 1   => Unavailable.any_key();
    Delete "/sapi/v1/userDataStream/isolated"                  UserStream SapiUid 1   => Unavailable.any_key();
}

endpoints! {
    /// The portfolio-margin counterpart of the liquidation loan.
    PORTFOLIO from "Portfolio margin API, 2026-01-15";
    Get    "/sapi/v1/portfolio/pmLoan"                         UserData   SapiUid 500 => Unavailable;
    Post   "/sapi/v1/portfolio/repay"                          UserData   SapiUid 3000 => Unavailable.needs(MarginLoans);
}

/// At most five pairs; more are `-1130` by the one who answers.
const ISOLATED_ACCOUNT: &[Param] = &[Param::may("symbols", Kind::SymbolCsv)];

//! `/sapi`: special keys, the wallet; margin and sub-accounts in modules of their own.

use super::shared::MAYBE_SYMBOL;
use super::table::endpoints;
use super::{Kind, Param};
use crate::Permission::{SpotAndMarginTrading, UniversalTransfer};
use crate::code;

pub(super) mod margin;
pub(super) mod sub_account;

endpoints! {
    /// Margin special keys: called with a standard key that may trade.
    SPECIAL_KEYS from "Margin API, special keys, 2026-08-21";
    Post   "/sapi/v1/margin/apiKey"                            Trade      SapiUid 1   => SpecialKeyCreate(CREATE_KEY);
    Delete "/sapi/v1/margin/apiKey"                            Trade      SapiUid 1   => SpecialKeyDelete(DELETE_KEY);
    Put    "/sapi/v1/margin/apiKey/ip"                         Trade      SapiUid 1   => SpecialKeyEditIp(EDIT_IP);
    Get    "/sapi/v1/margin/apiKey"                            Trade      SapiUid 1   => SpecialKeyGet(QUERY_KEY).standard_only();
    Get    "/sapi/v1/margin/api-key-list"                      Trade      SapiUid 1   => SpecialKeyList(MAYBE_SYMBOL).standard_only();
    Post   "/sapi/v1/margin/exit-special-key-mode"             Trade      SapiUid 10  => SpecialKeyExit;
    Get    "/sapi/v1/margin/liquidation-loan"                  UserData   SapiUid 100 => LiquidationLoan;
    Post   "/sapi/v1/margin/liquidation-loan/repay"            Margin     SapiUid 100 => LiquidationLoanRepay(REPAY);
    Get    "/sapi/v1/margin/liquidation-loan/repay-history"    UserData   SapiUid 100 => LiquidationLoanHistory(REPAY_HISTORY).report();
}

endpoints! {
    /// The wallet. The fast-withdrawal switches need the permission to trade although their label is USER_DATA.
    WALLET from "Wallet API, 2026-08-21";
    Get    "/sapi/v1/account/apiRestrictions"                  UserData   SapiIp 1    => ApiRestrictions;
    Get    "/sapi/v1/account/apiTradingStatus"                 UserData   SapiIp 1    => ApiTradingStatus;
    Get    "/sapi/v1/account/status"                           UserData   SapiIp 1    => AccountStatus;
    Get    "/sapi/v1/account/info"                             UserData   SapiIp 1    => AccountInfo;
    Post   "/sapi/v1/account/enableFastWithdrawSwitch"         UserData   SapiIp 1    => FastWithdrawEnable.needs(SpotAndMarginTrading);
    Post   "/sapi/v1/account/disableFastWithdrawSwitch"        UserData   SapiIp 1    => FastWithdrawDisable.needs(SpotAndMarginTrading);
    Get    "/sapi/v1/capital/config/getall"                    UserData   SapiIp 10   => CapitalConfig;
    Get    "/sapi/v1/asset/tradeFee"                           UserData   SapiIp 1    => TradeFee(MAYBE_SYMBOL);
    Post   "/sapi/v1/asset/transfer"                           UserData   SapiUid 300 => Unavailable.needs(UniversalTransfer);
}

const SYMBOL: Param = Param::may("symbol", Kind::Symbol);

/// Thirty addresses with commas, the longest spelling of each.
const IP_LIST: Kind = Kind::Text { max: 1500 };
const API_KEY: Kind = Kind::Text { max: 64 };
/// The longest label.
const API_NAME: Kind = Kind::Text { max: 60 };
const PERMISSION_MODE: Kind = Kind::Choice { values: &["TRADE", "READ"], error: &code::INVALID_PARAMETER };

const CREATE_KEY: &[Param] = &[
    Param::must("apiName", API_NAME),
    SYMBOL,
    Param::may("ip", IP_LIST),
    Param::may("publicKey", Kind::Pem),
    Param::may("permissionMode", PERMISSION_MODE),
];

const DELETE_KEY: &[Param] = &[Param::may("apiKey", API_KEY), Param::may("apiName", API_NAME), SYMBOL];

const EDIT_IP: &[Param] = &[Param::must("apiKey", API_KEY), Param::must("ip", IP_LIST), SYMBOL];

const QUERY_KEY: &[Param] = &[Param::must("apiKey", API_KEY), SYMBOL];

const REPAY: &[Param] = &[Param::must("asset", Kind::Asset), Param::must("amount", Kind::Decimal)];

const REPAY_HISTORY: &[Param] = &[
    Param::may("startTime", Kind::Time),
    Param::may("endTime", Kind::Time),
    Param::may("current", Kind::Int { min: 1, max: 1_000_000 }),
    Param::may("size", Kind::Limit { max: 100 }),
];

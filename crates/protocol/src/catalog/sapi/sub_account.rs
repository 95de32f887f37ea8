//! Keys of sub-accounts, called by the master; the same for brokers.

use super::{API_KEY, API_NAME, IP_LIST};
use crate::Permission::SpotAndMarginTrading as Trading;
use crate::catalog::table::endpoints;
use crate::catalog::{Kind, Param};
use crate::code;

endpoints! {
    /// Every call that writes needs the permission to trade although its label is USER_DATA.
    ROWS from "Sub-account API, 2026-08-21";
    Post   "/sapi/v1/sub-account/subAccountApi"                      UserData SapiUid 3000 => SubKeyCreate(CREATE).needs(Trading);
    Delete "/sapi/v1/sub-account/subAccountApi"                      UserData SapiUid 3000 => SubKeyDelete(ONE_KEY).needs(Trading);
    Get    "/sapi/v1/sub-account/subAccountApi"                      UserData SapiUid 3000 => SubKeyList(LIST).standard_only();
    Post   "/sapi/v2/sub-account/subAccountApi"                      Trade    SapiUid 3000 => SubKeyCreateV2(CREATE_V2);
    Post   "/sapi/v1/sub-account/subAccountApiPermission"            UserData SapiUid 3000 => SubKeyPermission(PERMISSION).needs(Trading);
    Post   "/sapi/v2/sub-account/subAccountApi/ipRestriction"        UserData SapiUid 3000 => SubKeyIpSet(IP_SET).needs(Trading);
    Get    "/sapi/v1/sub-account/subAccountApi/ipRestriction"        UserData SapiUid 3000 => SubKeyIpGet(ONE_KEY).standard_only();
    Delete "/sapi/v1/sub-account/subAccountApi/ipRestriction/ipList" UserData SapiUid 3000 => SubKeyIpRemove(IP_REMOVE).needs(Trading);
    Post   "/sapi/v1/sub-account/virtualSubAccount"                  UserData SapiIp 1     => SubAccountCreate(VIRTUAL).needs(Trading);
    Get    "/sapi/v1/sub-account/list"                               UserData SapiIp 1     => SubAccountList(SUB_ACCOUNTS).standard_only();
    Get    "/sapi/v1/sub-account/status"                             UserData SapiIp 10    => SubAccountStatus(MAYBE_EMAIL).standard_only();
    Post   "/sapi/v1/sub-account/futures/enable"                     UserData SapiIp 1     => SubAccountFutures(MUST_EMAIL).needs(Trading);
    Post   "/sapi/v1/sub-account/eoptions/enable"                    UserData SapiIp 1     => SubAccountOptions(MUST_EMAIL).needs(Trading);
}

endpoints! {
    /// Where no weight is published the row has the one of its neighbours, 3000.
    BROKER from "Link program API, 2024-04-30";
    Post   "/sapi/v1/broker/subAccountApi"                           Trade    SapiUid 3000 => BrokerKeyCreate(BROKER_CREATE);
    Delete "/sapi/v1/broker/subAccountApi"                           Trade    SapiUid 3000 => BrokerKeyDelete(BROKER_ONE_KEY);
    Get    "/sapi/v1/broker/subAccountApi"                           Trade    SapiUid 3000 => BrokerKeyList(BROKER_LIST).standard_only();
    Post   "/sapi/v1/broker/subAccountApi/permission"                Trade    SapiUid 3000 => BrokerKeyPermission(BROKER_PERMISSION);
    Post   "/sapi/v1/broker/subAccountApi/permission/universalTransfer" Trade SapiUid 3000 => BrokerKeyTransfer(BROKER_TRANSFER);
    Post   "/sapi/v2/broker/subAccountApi/ipRestriction"             Trade    SapiUid 3000 => BrokerKeyIpSet(BROKER_IP_SET);
    Get    "/sapi/v1/broker/subAccountApi/ipRestriction"             Trade    SapiUid 3000 => BrokerKeyIpGet(BROKER_ONE_KEY).standard_only();
    Delete "/sapi/v1/broker/subAccountApi/ipRestriction/ipList"      Trade    SapiUid 3000 => BrokerKeyIpRemove(BROKER_IP_REMOVE);
}

/// The longest e-mail address.
const EMAIL: Kind = Kind::Text { max: 254 };
/// At most 500 characters; whoever answers says so, since the text is refused only with `status=2`.
const IP_ADDRESS: Kind = IP_LIST;
/// 1 unrestricted, 2 trusted addresses only, 3 the addresses of a named third party.
const STATUS: Kind = Kind::Choice { values: &["1", "2", "3"], error: &code::INVALID_PARAMETER };
/// 1 unrestricted, 2 trusted addresses only.
const IP_STATUS: Kind = Kind::Choice { values: &["1", "2"], error: &code::INVALID_PARAMETER };
const PAGE: Kind = Kind::Int { min: 1, max: 1_000_000 };
/// A broker's name for a sub-account: its uid.
const SUB_ACCOUNT_ID: Kind = Kind::Text { max: 20 };

/// The parameters of a creation, and what else a row has.
macro_rules! create {
    ($($more:expr),*) => {
        &[
            Param::must("email", EMAIL),
            Param::must("apiName", API_NAME),
            Param::must("status", STATUS),
            Param::may("canTrade", Kind::Bool),
            Param::may("canMarginLoanRepay", Kind::Bool),
            Param::may("canFuturesTrade", Kind::Bool),
            Param::may("canUniversalTransfer", Kind::Bool),
            Param::may("canVanillaOptions", Kind::Bool),
            Param::may("ipAddress", IP_ADDRESS),
            Param::may("thirdPartyName", Kind::Text { max: 60 }),
            $($more),*
        ]
    };
}

const CREATE: &[Param] = create!(Param::may("publicKey", Kind::Pem));

const CREATE_V2: &[Param] = create!(
    Param::may("canFixApiTrading", Kind::Bool),
    Param::may("canFixApiReading", Kind::Bool),
    Param::in_body("publicKey", Kind::Pem)
);

const ONE_KEY: &[Param] = &[Param::must("email", EMAIL), Param::must("subAccountApiKey", API_KEY)];

const LIST: &[Param] = &[
    Param::must("email", EMAIL),
    Param::may("subAccountApiKey", API_KEY),
    Param::may("page", PAGE),
    Param::may("size", Kind::Limit { max: 100 }),
];

const PERMISSION: &[Param] = &[
    Param::must("email", EMAIL),
    Param::must("subAccountApiKey", API_KEY),
    Param::may("canTrade", Kind::Bool),
    Param::may("canMarginLoanRepay", Kind::Bool),
    Param::may("canFuturesTrade", Kind::Bool),
    Param::may("canUniversalTransfer", Kind::Bool),
    Param::may("canVanillaOptions", Kind::Bool),
];

const IP_SET: &[Param] = &[
    Param::must("email", EMAIL),
    Param::must("subAccountApiKey", API_KEY),
    Param::must("status", IP_STATUS),
    Param::may("ipAddress", IP_ADDRESS),
];

const IP_REMOVE: &[Param] =
    &[Param::must("email", EMAIL), Param::must("subAccountApiKey", API_KEY), Param::must("ipAddress", IP_ADDRESS)];

const VIRTUAL: &[Param] = &[Param::must("subAccountString", Kind::Text { max: 32 })];

const SUB_ACCOUNTS: &[Param] = &[
    Param::may("email", EMAIL),
    Param::may("isFreeze", Kind::Bool),
    Param::may("page", PAGE),
    Param::may("limit", Kind::Limit { max: 200 }),
];

const MAYBE_EMAIL: &[Param] = &[Param::may("email", EMAIL)];

const MUST_EMAIL: &[Param] = &[Param::must("email", EMAIL)];

const BROKER_CREATE: &[Param] = &[
    Param::must("subAccountId", SUB_ACCOUNT_ID),
    Param::must("canTrade", Kind::Bool),
    Param::may("marginTrade", Kind::Bool),
    Param::may("futuresTrade", Kind::Bool),
    Param::may("publicKey", Kind::Pem),
];

const BROKER_ONE_KEY: &[Param] =
    &[Param::must("subAccountId", SUB_ACCOUNT_ID), Param::must("subAccountApiKey", API_KEY)];

const BROKER_LIST: &[Param] = &[
    Param::must("subAccountId", SUB_ACCOUNT_ID),
    Param::may("subAccountApiKey", API_KEY),
    Param::may("page", PAGE),
    Param::may("size", Kind::Limit { max: 500 }),
];

const BROKER_PERMISSION: &[Param] = &[
    Param::must("subAccountId", SUB_ACCOUNT_ID),
    Param::must("subAccountApiKey", API_KEY),
    Param::must("canTrade", Kind::Bool),
    Param::must("marginTrade", Kind::Bool),
    Param::must("futuresTrade", Kind::Bool),
];

const BROKER_TRANSFER: &[Param] = &[
    Param::must("subAccountId", SUB_ACCOUNT_ID),
    Param::must("subAccountApiKey", API_KEY),
    Param::must("canUniversalTransfer", Kind::Bool),
];

const BROKER_IP_SET: &[Param] = &[
    Param::must("subAccountId", SUB_ACCOUNT_ID),
    Param::must("subAccountApiKey", API_KEY),
    Param::must("status", IP_STATUS),
    Param::may("ipAddress", IP_ADDRESS),
];

const BROKER_IP_REMOVE: &[Param] = &[
    Param::must("subAccountId", SUB_ACCOUNT_ID),
    Param::must("subAccountApiKey", API_KEY),
    Param::must("ipAddress", IP_ADDRESS),
];

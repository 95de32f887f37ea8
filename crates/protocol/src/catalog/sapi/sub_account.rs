//! Keys of sub-accounts, called by the master; the same for brokers.

use crate::Permission::SpotAndMarginTrading as Trading;
use crate::catalog::table::endpoints;

endpoints! {
    /// Every call that writes needs the permission to trade although its label is USER_DATA.
    ROWS from "Sub-account API, 2026-08-21";
    Post   "/sapi/v1/sub-account/subAccountApi"                      UserData SapiUid 3000 => Unavailable.needs(Trading);
    Delete "/sapi/v1/sub-account/subAccountApi"                      UserData SapiUid 3000 => Unavailable.needs(Trading);
    Get    "/sapi/v1/sub-account/subAccountApi"                      UserData SapiUid 3000 => Unavailable.standard_only();
    Post   "/sapi/v2/sub-account/subAccountApi"                      Trade    SapiUid 3000 => Unavailable;
    Post   "/sapi/v1/sub-account/subAccountApiPermission"            UserData SapiUid 3000 => Unavailable.needs(Trading);
    Post   "/sapi/v2/sub-account/subAccountApi/ipRestriction"        UserData SapiUid 3000 => Unavailable.needs(Trading);
    Get    "/sapi/v1/sub-account/subAccountApi/ipRestriction"        UserData SapiUid 3000 => Unavailable.standard_only();
    Delete "/sapi/v1/sub-account/subAccountApi/ipRestriction/ipList" UserData SapiUid 3000 => Unavailable.needs(Trading);
    Post   "/sapi/v1/sub-account/virtualSubAccount"                  UserData SapiIp 1     => Unavailable.needs(Trading);
    Get    "/sapi/v1/sub-account/list"                               UserData SapiIp 1     => Unavailable.standard_only();
    Get    "/sapi/v1/sub-account/status"                             UserData SapiIp 10    => Unavailable.standard_only();
    Post   "/sapi/v1/sub-account/futures/enable"                     UserData SapiIp 1     => Unavailable.needs(Trading);
    Post   "/sapi/v1/sub-account/eoptions/enable"                    UserData SapiIp 1     => Unavailable.needs(Trading);
}

endpoints! {
    /// Where no weight is published the row has the one of its neighbours, 3000.
    BROKER from "Link program API, 2024-04-30";
    Post   "/sapi/v1/broker/subAccountApi"                           Trade    SapiUid 3000 => Unavailable;
    Delete "/sapi/v1/broker/subAccountApi"                           Trade    SapiUid 3000 => Unavailable;
    Get    "/sapi/v1/broker/subAccountApi"                           Trade    SapiUid 3000 => Unavailable.standard_only();
    Post   "/sapi/v1/broker/subAccountApi/permission"                Trade    SapiUid 3000 => Unavailable;
    Post   "/sapi/v1/broker/subAccountApi/permission/universalTransfer" Trade SapiUid 3000 => Unavailable;
    Post   "/sapi/v2/broker/subAccountApi/ipRestriction"             Trade    SapiUid 3000 => Unavailable;
    Get    "/sapi/v1/broker/subAccountApi/ipRestriction"             Trade    SapiUid 3000 => Unavailable.standard_only();
    Delete "/sapi/v1/broker/subAccountApi/ipRestriction/ipList"      Trade    SapiUid 3000 => Unavailable;
}

//! Errors of `/sapi` about funds, sub-accounts and portfolio margin.

use super::rows;

rows! {
    /// Not an operation of the capital service.
    CAPITAL_INVALID = -4001 "CAPITAL_INVALID" 400 "Invalid operation." Sapi;
    /// Not a query of the capital service.
    CAPITAL_INVALID_GET = -4002 "CAPITAL_IG" 400 "Invalid get." Sapi;
    /// Not an e-mail address.
    CAPITAL_INVALID_EMAIL = -4003 "CAPITAL_IEV" 400 "Your input email is invalid." Sapi;
    /// Not logged in, in the capital service.
    CAPITAL_UNAUTHORIZED = -4004 "CAPITAL_UA" 400 "You don't login or auth." Sapi;
    /// Too many calls of the capital service.
    CAPITAL_TOO_MANY_REQUESTS = -4005 "CAPAITAL_TOO_MANY_REQUEST" 429 "Too many new requests." Sapi;
    /// For the master account only.
    PRIMARY_ACCOUNT_ONLY = -4006 "CAPITAL_ONLY_SUPPORT_PRIMARY_ACCOUNT" 400 "Support main account only." Sapi;
    /// Withdrawals need a second factor.
    WITHDRAW_NEEDS_2FA = -4013 "CAPITAL_WITHDRAW_2FA_VERIFY" 400 "2FA is not opened." Sapi;
    /// Unknown asset.
    CAPITAL_NO_SUCH_ASSET = -4018 "CAPITAL_WITHDRAW_ASSET_NOT_EXIST" 400 "We don't have this asset." Sapi;
    /// The account does not hold the asset.
    CAPITAL_USER_HAS_NO_ASSET = -4024 "CAPITAL_WITHDRAW_USER_NO_ASSET" 400 "You don't have this asset." Sapi;
    /// The balance does not suffice.
    CAPITAL_INSUFFICIENT_BALANCE = -4026 "CAPITAL_WITHDRAW_USER_ASSET_NOT_ENOUGH" 400 "You have insufficient balance." Sapi;
    /// Unknown user.
    CAPITAL_NO_SUCH_USER = -4039 "CAPITAL_USER_EMPTY" 400 "The user does not exist." Sapi;
    /// Too soon.
    CAPITAL_TRY_IN_A_MINUTE = -4041 "CAPITAL_MINUTE_TOO_SMALL" 400 "Please try again in one minute." Sapi;
    /// The assets could not be read.
    CAPITAL_ASSETS_UNAVAILABLE = -4045 "CAPITAL_GET_ASSET_ERROR" 400 "Failure to acquire assets." Sapi;
    /// A range of dates longer than 90 days.
    CAPITAL_DATE_INTERVAL_LIMIT = -4047 "CAPITAL_DATE_INTERVAL_LIMIT" 400 "Time interval must be within 0-90 days" Sapi;

    /// The balance does not suffice for a transfer.
    ASSET_NOT_ENOUGH = -5002 "ASSET_ASSET_NOT_ENOUGH" 400 "You have insufficient balance." Sapi;
    /// The account does not hold the asset to be transferred.
    USER_HAS_NO_ASSET = -5003 "ASSET_USER_HAVE_NO_ASSET" 400 "You don't have this asset." Sapi;
    /// A transfer of nothing.
    AMOUNT_OVER_ZERO = -5007 "AMOUNT_OVER_ZERO" 400 "Quantity must be greater than zero." Sapi;
    /// Not a product.
    PRODUCT_NOT_EXIST = -5009 "PRODUCT_NOT_EXIST" 400 "Product does not exist." Sapi;
    /// The transfer did not happen.
    TRANSFER_FAIL = -5010 "TRANSFER_FAIL" 400 "Asset transfer fail." Sapi;
    /// The account has no futures wallet.
    NO_FUTURES_ACCOUNT = -5011 "FUTURE_ACCT_NOT_EXIST" 400 "future account not exists." Sapi;
    /// The transfer is under way.
    TRANSFER_PENDING = -5012 "TRANSFER_PENDING" 400 "Asset transfer is in pending." Sapi;
    /// No futures wallet, or not one's sub-account.
    NO_FUTURES_ACCOUNT_OR_RELATION = -5012 "FUTURE_ACCT_OR_SUBRELATION_NOT_EXIST" 400 "future account or sub relation not exists." Sapi;
    /// The e-mail is not that of a sub-account of the caller.
    NO_SUCH_SUB_ACCOUNT = -5021 "PARENT_SUB_HAVE_NO_RELATION" 400 "This parent sub have no relation" Sapi;

    /// Not a portfolio margin account.
    NOT_A_PORTFOLIO_MARGIN_ACCOUNT = -21001 "USER_IS_NOT_UNIACCOUNT" 400 "Request ID is not a Portfolio Margin Account." Sapi;
    /// A portfolio margin account does not transfer from margin to futures.
    PORTFOLIO_MARGIN_NO_TRANSFER = -21002 "UNI_ACCOUNT_CANT_TRANSFER_FUTURE" 400 "Portfolio Margin Account doesn't support transfer from margin to futures." Sapi;
    /// The margin assets of a portfolio margin account could not be read.
    PORTFOLIO_MARGIN_ASSETS = -21003 "NET_ASSET_MUST_LTE_RATIO" 400 "Fail to retrieve margin assets." Sapi;
    /// Nothing is owed.
    PORTFOLIO_MARGIN_NO_LOAN = -21004 "USER_NO_LIABILITY" 400 "User doesn’t have portfolio margin bankruptcy loan" Sapi;
    /// The spot wallet does not cover the loan.
    PORTFOLIO_MARGIN_LOAN_NOT_COVERED = -21005 "NO_ENOUGH_ASSET" 400 "User’s spot wallet doesn’t have enough BUSD to repay portfolio margin bankruptcy loan" Sapi;
    /// An earlier repayment is not finished.
    PORTFOLIO_MARGIN_REPAY_PENDING = -21006 "HAD_IN_PROCESS_REPAY" 400 "User had portfolio margin bankruptcy loan repayment in process" Sapi;
    /// The account is in liquidation.
    PORTFOLIO_MARGIN_LIQUIDATION = -21007 "IN_FORCE_LIQUIDATION" 400 "User failed to repay portfolio margin bankruptcy loan since liquidation was in process" Sapi;
}

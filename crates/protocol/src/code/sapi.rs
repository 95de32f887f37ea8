//! Errors of `/sapi` about margin accounts and special keys.

use super::rows;

rows! {
    /// A fault of ours.
    INNER_FAILURE = -3000 "INNER_FAILURE" 400 "Internal server error." Sapi;
    /// The account has no second factor.
    NEED_ENABLE_2FA = -3001 "NEED_ENABLE_2FA" 400 "Please enable 2FA first." Sapi;
    /// Unknown asset.
    ASSET_DEFICIENCY = -3002 "ASSET_DEFICIENCY" 400 "We don't have this asset." Sapi;
    /// The account has no margin wallet.
    NO_MARGIN_ACCOUNT = -3003 "NO_OPENED_MARGIN_ACCOUNT" 400 "Margin account does not exist." Sapi;
    /// A sub-account call names an unknown e-mail.
    NO_SUCH_USER = -3003 "NO_OPENED_MARGIN_ACCOUNT" 400 "User does not exist" Seen;
    /// Trading is closed.
    TRADE_NOT_ALLOWED = -3004 "TRADE_NOT_ALLOWED" 400 "Trade not allowed." Sapi;
    /// Nothing may be moved out.
    TRANSFER_OUT_NOT_ALLOWED = -3005 "TRANSFER_OUT_NOT_ALLOWED" 400 "Transferring out not allowed." Sapi;
    /// More than the account may borrow.
    EXCEED_MAX_BORROWABLE = -3006 "EXCEED_MAX_BORROWABLE" 400 "Your borrow amount has exceed maximum borrow amount." Sapi;
    /// More than the account may borrow at once.
    EXCEED_ACCOUNT_BORROWABLE = -11008 "EXCEED_ACCOUNT_BORROWABLE" 400 "Exceeding the account's maximum borrowable limit." Seen;
    /// An earlier call is not finished.
    HAS_PENDING_TRANSACTION = -3007 "HAS_PENDING_TRANSACTION" 400 "You have pending transaction, please try again later." Sapi;
    /// Borrowing is closed.
    BORROW_NOT_ALLOWED = -3008 "BORROW_NOT_ALLOWED" 400 "Borrow not allowed." Sapi;
    /// The asset is not collateral.
    ASSET_NOT_MORTGAGEABLE = -3009 "ASSET_NOT_MORTGAGEABLE" 400 "This asset are not allowed to transfer into margin account currently." Sapi;
    /// Repaying is closed.
    REPAY_NOT_ALLOWED = -3010 "REPAY_NOT_ALLOWED" 400 "Repay not allowed." Sapi;
    /// Not a range of dates.
    BAD_DATE_RANGE = -3011 "BAD_DATE_RANGE" 400 "Your input date is invalid." Sapi;
    /// The asset is not lent.
    ASSET_BORROW_BANNED = -3012 "ASSET_ADMIN_BAN_BORROW" 400 "Borrow is banned for this asset." Sapi;
    /// Less than the least loan.
    BELOW_MIN_BORROWABLE = -3013 "LT_MIN_BORROWABLE" 400 "Borrow amount less than minimum borrow amount." Sapi;
    /// The account may not borrow.
    ACCOUNT_BORROW_BANNED = -3014 "ACCOUNT_BAN_BORROW" 400 "Borrow is banned for this account." Sapi;
    /// More than is owed.
    REPAY_EXCEEDS_LIABILITY = -3015 "REPAY_EXCEED_LIABILITY" 400 "Repay amount exceeds borrow amount." Sapi;
    /// Less than the least repayment.
    BELOW_MIN_REPAY = -3016 "LT_MIN_REPAY" 400 "Repay amount less than minimum repay amount." Sapi;
    /// The asset is not collateral at present.
    ASSET_MORTGAGE_BANNED = -3017 "ASSET_ADMIN_BAN_MORTGAGE" 400 "This asset are not allowed to transfer into margin account currently." Sapi;
    /// The account may not move in.
    ACCOUNT_TRANSFER_IN_BANNED = -3018 "ACCOUNT_BAN_MORTGAGE" 400 "Transferring in has been banned for this account." Sapi;
    /// The account may not move out.
    ACCOUNT_TRANSFER_OUT_BANNED = -3019 "ACCOUNT_BAN_ROLLOUT" 400 "Transferring out has been banned for this account." Sapi;
    /// More than may be moved out.
    EXCEED_MAX_TRANSFER_OUT = -3020 "EXCEED_MAX_ROLLOUT" 400 "Transfer out amount exceeds max amount." Sapi;
    /// The pair is closed to margin.
    PAIR_TRADE_BANNED = -3021 "PAIR_ADMIN_BAN_TRADE" 400 "Margin account are not allowed to trade this trading pair." Sapi;
    /// The account may not trade.
    ACCOUNT_TRADE_BANNED = -3022 "ACCOUNT_BAN_TRADE" 400 "You account's trading is banned." Sapi;
    /// The margin level is too low.
    WARNING_MARGIN_LEVEL = -3023 "WARNING_MARGIN_LEVEL" 400 "You can't transfer out/place order under current margin level." Sapi;
    /// What would be left is below the least debt.
    FEW_LIABILITY_LEFT = -3024 "FEW_LIABILITY_LEFT" 400 "The unpaid debt is too small after this repayment." Sapi;
    /// Not a time of effect.
    INVALID_EFFECTIVE_TIME = -3025 "INVALID_EFFECTIVE_TIME" 400 "Your input date is invalid." Sapi;
    /// A parameter is wrong.
    VALIDATION_FAILED = -3026 "VALIDATION_FAILED" 400 "Your input param is invalid." Sapi;
    /// The asset is not a margin asset.
    NOT_VALID_MARGIN_ASSET = -3027 "NOT_VALID_MARGIN_ASSET" 400 "Not a valid margin asset." Sapi;
    /// The pair is not a margin pair.
    NOT_VALID_MARGIN_PAIR = -3028 "NOT_VALID_MARGIN_PAIR" 400 "Not a valid margin pair." Sapi;
    /// The transfer did not happen.
    TRANSFER_FAILED = -3029 "TRANSFER_FAILED" 400 "Transfer failed." Sapi;
    /// The account may not repay.
    ACCOUNT_REPAY_BANNED = -3036 "ACCOUNT_BAN_REPAY" 400 "This account is not allowed to repay." Sapi;
    /// Profit and loss are being cleared.
    PNL_CLEARING = -3037 "PNL_CLEARING" 400 "PNL is clearing. Wait a second." Sapi;
    /// The balance does not suffice.
    BALANCE_NOT_ENOUGH = -3041 "BALANCE_NOT_CLEARED" 400 "Balance is not enough" Sapi;
    /// The pair has no index price.
    PRICE_INDEX_NOT_FOUND = -3042 "PRICE_INDEX_NOT_FOUND" 400 "PriceIndex not available for this margin pair." Sapi;
    /// Nothing may be moved in.
    TRANSFER_IN_NOT_ALLOWED = -3043 "TRANSFER_IN_NOT_ALLOWED" 400 "Transferring in not allowed." Sapi;
    /// Too much at once.
    SYSTEM_BUSY = -3044 "SYSTEM_BUSY" 400 "System busy." Sapi;
    /// Nothing is left to lend.
    NOT_ENOUGH_INVENTORY = -3045 "SYSTEM" 400 "The system doesn't have enough asset now." Sapi;
    /// A limit price too far from the index price.
    EXCEED_PRICE_LIMIT = -3064 "EXCEED_PRICE_LIMIT" 400 "Limit price needs to be within (-15%,15%) of current index price for this margin trading pair. This rule only impact limit sell price lower than index price and limit buy price higher than index price." Sapi;

    /// The account's tier is too low, or it was not invited.
    NOT_WHITELIST_USER = -3999 "NOT_WHITELIST_USER" 400 "This function is only available for invited users." Sapi;
    /// The account's product needs an agreement that it has not; the number is not published.
    FORBIDDEN = -1002 "UNAUTHORIZED" 403 "Forbidden" Ours;
    /// The terms were not accepted; the contract has the condition, not the error.
    AGREEMENT_NOT_CONFIRMED = -4046 "CAPITAL_AGREEMENT_NOT_CONFIRMED" 400 "Agreement not confirmed." Ours;
    /// Special-key mode was left a short time ago; the argument is the end in milliseconds.
    SPECIAL_KEY_COOLDOWN = -1020 "UNSUPPORTED_OPERATION" 400 "Special key mode is in cooldown until %s." Ours;
    /// Special-key mode cannot be left with a liability.
    SPECIAL_KEY_LIABILITY = -1020 "UNSUPPORTED_OPERATION" 400 "Special key mode cannot be left with an outstanding liability." Ours;
    /// Special-key mode cannot be left in liquidation.
    SPECIAL_KEY_LIQUIDATION = -1020 "UNSUPPORTED_OPERATION" 400 "Special key mode cannot be left in liquidation." Ours;
    /// The account holds as many keys as it may, normal and special together.
    TOO_MANY_API_KEYS = -1130 "INVALID_PARAMETER" 400 "Too many API keys." Ours;
    /// A public key that is not taken; the argument says what is wrong with it.
    BAD_PUBLIC_KEY = -1130 "INVALID_PARAMETER" 400 "Data sent for parameter 'publicKey' is not valid. %s" Ours;
    /// The account has no such key.
    NO_SUCH_API_KEY = -1130 "INVALID_PARAMETER" 400 "The API key does not exist." Ours;
    /// Two keys of an account with one description; from old lists.
    DUPLICATE_API_KEY_DESCRIPTION = -2009 "DUPLICATE_API_KEY_DESC" 400 "API-key desc already exists." Seen;
}

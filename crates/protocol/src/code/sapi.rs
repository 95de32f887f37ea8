//! Errors of `/sapi`: margin, capital, sub-accounts.

use super::rows;

rows! {
    /// The account has no margin wallet.
    NO_MARGIN_ACCOUNT = -3003 "NO_OPENED_MARGIN_ACCOUNT" 400 "Margin account does not exist." Sapi;
}

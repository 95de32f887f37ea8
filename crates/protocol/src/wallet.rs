//! What a key acts on.

use crate::{AccountId, Symbol};

/// One of an account's wallets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum Wallet {
    /// The spot wallet.
    Spot,
    /// The cross margin wallet.
    Cross,
    /// The isolated margin wallet of one pair.
    Isolated(Symbol),
    /// The pooled wallet of Portfolio Margin Pro.
    Portfolio,
}

/// Which pre-trade checks an order meets.
/// Source: margin special API key FAQ, 2026-05-14: special keys skip the open-order-loss check.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum RiskPath {
    /// Every margin check.
    Full,
    /// Free balance only, as on spot.
    Light,
}

/// The account and wallet that a call reads and trades; resolved once, when the key is loaded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub struct TradingAccount {
    /// Who owns the wallet.
    pub owner: AccountId,
    /// Which wallet.
    pub wallet: Wallet,
}

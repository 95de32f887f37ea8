//! Which wallet a key unlocks.

use crate::account::{Account, PortfolioMargin};
use crate::key::{KeyKind, KeyRecord, Scope};
use latchkey_protocol::{RiskPath, TradingAccount, Wallet};

/// The wallet that a key reads and trades through the spot endpoints, and the checks that its orders meet.
///
/// A standard key unlocks spot; a special key the margin account it is bound to, on the light path. Under Portfolio
/// Margin Pro the cross account is the pooled one.
/// Source: margin special API key FAQ, 2026-05-14.
pub fn trading_account(account: &Account, key: &KeyRecord) -> (TradingAccount, RiskPath) {
    let (wallet, risk) = match key.kind {
        KeyKind::Standard | KeyKind::Tax => (Wallet::Spot, RiskPath::Full),
        KeyKind::Special { scope, .. } => (margin_wallet(account, scope), RiskPath::Light),
    };
    (TradingAccount { owner: key.account, wallet }, risk)
}

/// The wallet of a margin scope.
pub fn margin_wallet(account: &Account, scope: Scope) -> Wallet {
    match (scope, account.portfolio_margin) {
        (Scope::Isolated(symbol), _) => Wallet::Isolated(symbol),
        (Scope::Cross, PortfolioMargin::Pro { .. }) => Wallet::Portfolio,
        (Scope::Cross, PortfolioMargin::None | PortfolioMargin::Retail { .. }) => Wallet::Cross,
    }
}

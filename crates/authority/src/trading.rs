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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::PermissionMode;
    use crate::tests::{NOW, account, key};
    use latchkey_protocol::Symbol;

    #[test]
    fn a_key_unlocks_spot_or_the_one_margin_account_it_is_bound_to() {
        let symbol = Symbol::parse("BTCUSDT").unwrap();
        let special = |scope| KeyKind::Special { scope, mode: PermissionMode::Trade };
        let (classic, mut pro) = (account(1), account(1));
        pro.portfolio_margin = PortfolioMargin::Pro { since: NOW };
        for (account, kind, wallet, risk) in [
            (&classic, KeyKind::Standard, Wallet::Spot, RiskPath::Full),
            (&pro, KeyKind::Standard, Wallet::Spot, RiskPath::Full),
            (&classic, KeyKind::Tax, Wallet::Spot, RiskPath::Full),
            (&classic, special(Scope::Cross), Wallet::Cross, RiskPath::Light),
            (&classic, special(Scope::Isolated(symbol)), Wallet::Isolated(symbol), RiskPath::Light),
            (&pro, special(Scope::Cross), Wallet::Portfolio, RiskPath::Light),
            (&pro, special(Scope::Isolated(symbol)), Wallet::Isolated(symbol), RiskPath::Light),
        ] {
            let expected = (TradingAccount { owner: account.id, wallet }, risk);
            assert_eq!(trading_account(account, &KeyRecord { kind, ..key(1) }), expected);
        }
    }
}

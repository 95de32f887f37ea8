//! What each permission needs: one row a permission.
//!
//! The same rows decide whether a permission can be granted and, at every change, whether a granted one is in
//! force. A permission without a row does not exist, because the table is as long as the list of permissions.

use crate::account::{Owner, Product};
use crate::key::Capabilities;
use crate::policy::Policy;
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::{Permission, Timestamp};

/// A condition of a permission.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Need {
    /// Under Default Security Controls an HMAC key without an IP list only reads.
    /// Source: Binance support, "How to Create API Keys on Binance".
    IpListForHmac,
    /// The key has an IP list.
    IpList,
    /// The margin account is open.
    MarginOpen,
    /// The futures account was open when the key was made.
    FuturesOpenBeforeKey,
    /// Portfolio margin is not active.
    NoPortfolioMargin,
    /// The options account is open.
    OptionsOpen,
    /// Portfolio margin is active, and was when the key was made.
    PortfolioMarginBeforeKey,
    /// The key is an Ed25519 key.
    Ed25519,
}

/// A row: a permission and its conditions, in the order in which they are asked.
#[derive(Clone, Copy, Debug)]
pub struct PermissionRule {
    /// Which permission.
    pub permission: Permission,
    /// All of these must hold.
    pub needs: &'static [Need],
    /// Where the conditions are published.
    pub source: &'static str,
}

const SUPPORT: &str = "Binance support, \"How to Create API Keys on Binance\"";
const WALLET: &str = "wallet API, \"Get API Key Permission\", 2026-01-15";
const FIX: &str = "FIX API, 2026-07-21";

/// Every permission with its conditions, in the order of [`Permission::ALL`].
pub const PERMISSION_RULES: [PermissionRule; 11] = {
    use Need::*;
    use Permission::*;
    const fn row(permission: Permission, needs: &'static [Need], source: &'static str) -> PermissionRule {
        PermissionRule { permission, needs, source }
    }
    [
        row(Reading, &[], SUPPORT),
        row(SpotAndMarginTrading, &[IpListForHmac], SUPPORT),
        row(Margin, &[IpListForHmac, MarginOpen], WALLET),
        row(Futures, &[IpListForHmac, NoPortfolioMargin, FuturesOpenBeforeKey], WALLET),
        row(InternalTransfer, &[IpListForHmac], WALLET),
        row(UniversalTransfer, &[IpListForHmac], WALLET),
        row(Withdrawals, &[IpListForHmac, IpList], WALLET),
        row(VanillaOptions, &[IpListForHmac, OptionsOpen], WALLET),
        row(PortfolioMarginTrading, &[IpListForHmac, PortfolioMarginBeforeKey], WALLET),
        row(FixApiTrade, &[Ed25519], FIX),
        row(FixReadOnly, &[Ed25519], FIX),
    ]
};

/// Of what the conditions are asked.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The numbers in force.
    pub policy: &'a Policy,
    /// Whose key.
    pub owner: Owner<'a>,
    /// Its type.
    pub key_type: KeyType,
    /// Whether it has an IP list.
    pub listed: bool,
    /// What the account could do when it was made.
    pub capabilities: Capabilities,
    /// The time that counts.
    pub at: Timestamp,
}

impl Need {
    /// Every condition.
    pub const ALL: [Self; 8] = [
        Self::IpListForHmac,
        Self::IpList,
        Self::MarginOpen,
        Self::FuturesOpenBeforeKey,
        Self::NoPortfolioMargin,
        Self::OptionsOpen,
        Self::PortfolioMarginBeforeKey,
        Self::Ed25519,
    ];

    /// Whether the condition holds.
    pub fn met(self, subject: &Subject<'_>) -> bool {
        let account = subject.owner.account();
        match self {
            Self::IpListForHmac => {
                subject.listed
                    || subject.key_type != KeyType::Hmac
                    || !subject.owner.controls()
                    || !subject.policy.hmac_without_ip_reads_only
            }
            Self::IpList => subject.listed,
            Self::MarginOpen => account.products.is_open(Product::Margin, subject.at),
            Self::FuturesOpenBeforeKey => subject.capabilities.futures,
            Self::NoPortfolioMargin => !account.portfolio_margin.active(subject.at),
            Self::OptionsOpen => account.products.is_open(Product::Options, subject.at),
            Self::PortfolioMarginBeforeKey => {
                subject.capabilities.portfolio_margin && account.portfolio_margin.active(subject.at)
            }
            Self::Ed25519 => subject.key_type == KeyType::Ed25519,
        }
    }

    /// The short name, as tests and records spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IpListForHmac => "ip-list-for-hmac",
            Self::IpList => "ip-list",
            Self::MarginOpen => "margin-open",
            Self::FuturesOpenBeforeKey => "futures-open-before-key",
            Self::NoPortfolioMargin => "no-portfolio-margin",
            Self::OptionsOpen => "options-open",
            Self::PortfolioMarginBeforeKey => "portfolio-margin-before-key",
            Self::Ed25519 => "ed25519",
        }
    }

    /// What an owner is told when it does not hold.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::IpListForHmac => {
                "an HMAC key without an IP list only reads while Default Security Controls are on: \
                 add an IP list, use an RSA or Ed25519 key, or turn the controls off"
            }
            Self::IpList => "needs an IP list",
            Self::MarginOpen => "needs an open margin account",
            Self::FuturesOpenBeforeKey => "needs a key made after the futures account was opened",
            Self::NoPortfolioMargin => "is not possible while portfolio margin is active",
            Self::OptionsOpen => "needs an open options account",
            Self::PortfolioMarginBeforeKey => "needs a key made after portfolio margin was activated",
            Self::Ed25519 => "needs an Ed25519 key",
        }
    }
}

/// The first condition of `permission` that does not hold.
pub fn unmet(permission: Permission, subject: &Subject<'_>) -> Option<Need> {
    let rule = PERMISSION_RULES.iter().find(|rule| rule.permission == permission)?;
    rule.needs.iter().copied().find(|need| !need.met(subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_has_its_row_in_order() {
        assert!(PERMISSION_RULES.iter().map(|rule| &rule.permission).eq(Permission::ALL));
    }
}

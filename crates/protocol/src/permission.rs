//! What a key may do.

use crate::order::wire_enum;

wire_enum! {
    /// A permission of a key, named as in the world file and the management API.
    /// Source: wallet API, "Get API Key Permission"; Binance support, "How to Create API Keys on Binance".
    Permission {
        /// Read the account; the only default.
        Reading = "reading",
        /// Spot and margin orders, and the endpoints that administer keys.
        SpotAndMarginTrading = "spot-and-margin-trading",
        /// Margin loan, repay and transfer.
        Margin = "margin-loan-repay-transfer",
        /// Futures.
        Futures = "futures",
        /// Instant transfer between master and sub-accounts.
        InternalTransfer = "internal-transfer",
        /// Universal transfer.
        UniversalTransfer = "universal-transfer",
        /// Withdrawals; always with an IP list.
        Withdrawals = "withdrawals",
        /// European options.
        VanillaOptions = "vanilla-options",
        /// Portfolio margin trading.
        PortfolioMarginTrading = "portfolio-margin-trading",
        /// FIX order entry; Ed25519 only.
        FixApiTrade = "fix-api-trade",
        /// FIX drop copy and market data; Ed25519 only.
        FixReadOnly = "fix-read-only",
    }
}

impl Permission {
    /// The field of `GET /sapi/v1/account/apiRestrictions`.
    pub const fn wire_field(self) -> &'static str {
        match self {
            Self::Reading => "enableReading",
            Self::SpotAndMarginTrading => "enableSpotAndMarginTrading",
            Self::Margin => "enableMargin",
            Self::Futures => "enableFutures",
            Self::InternalTransfer => "enableInternalTransfer",
            Self::UniversalTransfer => "permitsUniversalTransfer",
            Self::Withdrawals => "enableWithdrawals",
            Self::VanillaOptions => "enableVanillaOptions",
            Self::PortfolioMarginTrading => "enablePortfolioMarginTrading",
            Self::FixApiTrade => "enableFixApiTrade",
            Self::FixReadOnly => "enableFixReadOnly",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct PermissionSet(u16);

impl PermissionSet {
    /// Nothing at all.
    pub const EMPTY: Self = Self(0);
    /// Reading, the default of a new key.
    pub const READING: Self = Self(Permission::Reading.bit());

    /// Whether `permission` is in the set.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// The set with `permission`.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | permission.bit())
    }

    /// The set without `permission`.
    #[must_use]
    pub const fn without(self, permission: Permission) -> Self {
        Self(self.0 & !permission.bit())
    }

    /// What both sets hold.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The permissions in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |p| self.contains(*p))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl core::fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

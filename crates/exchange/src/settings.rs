//! What an exchange starts from: symbols, limits, rates, and whether it makes a market for itself.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::spec::{SpecError, SymbolSpec};

/// Everything that a new core is made of. It is the first record of a command log, so that a replay starts from
/// the same market whatever the configuration says by then.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MarketSettings {
    /// Who keeps the books alive.
    pub flow: Flow,
    /// Seed of the synthetic market: the same seed and the same commands make the same market.
    pub seed: u64,
    /// The symbols at the start; more come by [`crate::Command::AddSymbol`].
    pub symbols: Vec<SymbolSpec>,
    /// The unfilled-order limits of every owner.
    pub limits: OrderLimits,
    /// The rates where neither the owner nor the symbol has its own.
    pub commission: Commission,
    /// Open orders of one trading account over all symbols (`EXCHANGE_MAX_NUM_ORDERS`); `None` switches it off.
    pub exchange_max_num_orders: Option<u32>,
}

impl MarketSettings {
    /// The built-in eight symbols with the synthetic market, published limits and rates.
    pub fn builtin(seed: u64) -> Self {
        Self {
            flow: Flow::Synthetic,
            seed,
            symbols: SymbolSpec::builtin(),
            limits: OrderLimits::default(),
            commission: Commission::default(),
            exchange_max_num_orders: None,
        }
    }

    /// No symbols and no flow: what tests and empty venues start from.
    pub fn empty() -> Self {
        Self { flow: Flow::None, symbols: Vec::new(), ..Self::builtin(0) }
    }
}

/// Who keeps the books alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Flow {
    /// A seeded market maker and a seeded stream of takers, driven by [`crate::Command::Tick`].
    Synthetic,
    /// Nobody: books hold the orders of accounts alone.
    None,
}

/// The unfilled-order limits, per owner over all its wallets and doors.
/// Source: spot API, rate limits, 2026-07-21.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderLimits {
    /// Orders in one clock-aligned window of ten seconds.
    pub per_10s: u32,
    /// Orders in one UTC day.
    pub per_day: u32,
}

impl Default for OrderLimits {
    fn default() -> Self {
        Self { per_10s: 100, per_day: 200_000 }
    }
}

/// A commission rate: a fraction of the amount received, scaled by 10^8 (0.1 % is 100 000).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct Rate(i64);

impl Rate {
    /// No commission.
    pub const ZERO: Self = Self(0);

    /// From the scaled fraction; `None` below zero or above one.
    pub const fn from_scaled(scaled: i64) -> Option<Self> {
        if scaled < 0 || scaled > latchkey_protocol::decimal::ONE { None } else { Some(Self(scaled)) }
    }

    /// The scaled fraction.
    pub const fn scaled(self) -> i64 {
        self.0
    }

    /// Whole basis points, rounded down, as `makerCommission` prints them.
    pub const fn basis_points(self) -> i64 {
        self.0 / 10_000
    }

    /// The commission on a received amount, half-up at eight decimals.
    pub(crate) fn of(self, received: i128) -> i128 {
        let one = i128::from(latchkey_protocol::decimal::ONE);
        if self.0 == 0 {
            return 0;
        }
        match received.checked_mul(i128::from(self.0)) {
            Some(product) => crate::order::descale(product + one / 2),
            None => received / one * i128::from(self.0),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        latchkey_protocol::Price::from_scaled(self.0).fmt(f)
    }
}

/// Maker and taker rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Commission {
    /// For an order that rested on the book.
    pub maker: Rate,
    /// For an order that took from it.
    pub taker: Rate,
}

impl Default for Commission {
    /// 0.10 % each.
    fn default() -> Self {
        Self { maker: Rate(100_000), taker: Rate(100_000) }
    }
}

/// Why settings do not make an exchange.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// One of its symbols is not consistent.
    #[error("symbol `{symbol}` cannot be traded")]
    Symbol {
        /// Which.
        symbol: latchkey_protocol::Symbol,
        /// Why.
        #[source]
        source: SpecError,
    },
    /// A symbol appears twice.
    #[error("symbol `{0}` appears twice")]
    Duplicate(latchkey_protocol::Symbol),
    /// More symbols than the core can number.
    #[error("more than {max} symbols", max = crate::MAX_SYMBOLS)]
    TooManySymbols,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commission_rounds_half_up_at_eight_decimals() {
        // 17491.25 × 0.0000023 is printed as 0.04022988 in the commission FAQ.
        let rate = Rate::from_scaled(230).expect("a rate");
        assert_eq!(rate.of(1_749_125_000_000), 4_022_988);
        assert_eq!(Rate::from_scaled(50_000_000).expect("half").of(1), 1);
        assert_eq!(Rate::ZERO.of(i128::MAX), 0);
        assert_eq!(Rate::from_scaled(100_000_001), None);
        assert_eq!(Commission::default().maker.basis_points(), 10);
        assert_eq!(Commission::default().maker.to_string(), "0.00100000");
    }
}

//! What a restart must not forget, as plain values.

use std::net::IpAddr;

use super::ban::HeldBan;
use super::counter::Counter;

/// Bans, and the counts that lead to them. Budgets of endpoints and keys are not kept: they lead to no ban and turn
/// with the minute.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// Addresses that sent requests in the windows that run.
    pub addresses: Vec<HeldAddress>,
    /// Bans that run or are remembered.
    pub bans: Vec<HeldBan>,
    /// Failed verifications of the minute that runs.
    pub failed: Vec<(IpAddr, HeldCount)>,
}

/// What one address used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeldAddress {
    /// The address, or the network of one.
    pub address: IpAddr,
    /// Its requests.
    pub raw: HeldCount,
    /// Its weight.
    pub weight: Option<HeldCount>,
    /// Refusals for want of weight.
    pub refused_weight: Option<HeldCount>,
    /// Refusals for too many requests.
    pub refused_raw: Option<HeldCount>,
}

/// The count of one window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeldCount {
    /// The number of the window since the epoch.
    pub window: u32,
    /// What it holds.
    pub count: u32,
}

impl HeldCount {
    /// What a counter holds, unless its window is over.
    pub(super) fn of(counter: &Counter, window: u32) -> Option<Self> {
        counter
            .held()
            .filter(|(held, count)| *held >= window && *count > 0)
            .map(|(window, count)| Self { window, count })
    }

    /// The counter again, unless its window is over. A window that lies ahead, because the clock was set back since,
    /// goes on as the one that runs.
    pub(super) fn restore(self, window: u32) -> Option<Counter> {
        (self.window >= window).then(|| Counter::restored(window, self.count))
    }
}

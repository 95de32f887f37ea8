//! What a restart must not forget, as plain values.

use std::net::IpAddr;

use latchkey_protocol::catalog::Catalog;
use latchkey_protocol::limits::Window;
use latchkey_protocol::{AccountId, KeyId, Timestamp};

use super::ban::HeldBan;
use super::counter::{Counter, number};
use super::table::{Subject, Table};
use super::{FIVE_MINUTES, Limiter, MINUTE, Row};

/// Bans, counts of windows that run, and which keys are at home where. Each list in order, so that equal states are
/// equal; none longer than the table that it comes from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// Addresses that sent requests in the windows that run.
    pub addresses: Vec<HeldAddress>,
    /// Bans that run or are remembered.
    pub bans: Vec<HeldBan>,
    /// Failed verifications of the minute that runs.
    pub failed: Vec<(IpAddr, HeldCount)>,
    /// Connections of the five minutes that run.
    pub connections: Vec<(IpAddr, HeldCount)>,
    /// Weight of endpoints that was used by addresses.
    pub endpoints_of_addresses: Vec<((Row, IpAddr), HeldCount)>,
    /// Weight of endpoints that was used by accounts.
    pub endpoints_of_accounts: Vec<((Row, AccountId), HeldCount)>,
    /// Weight that was used by keys.
    pub keys: Vec<(KeyId, HeldCount)>,
    /// Weight of addresses that was used by single keys.
    pub shares: Vec<((KeyId, IpAddr), HeldCount)>,
    /// When keys last verified from addresses.
    pub verified: Vec<((KeyId, IpAddr), Timestamp)>,
}

/// The endpoint of a method and a path, as it is counted; `None` for one that is not in the contract any more.
pub fn counted_row(method: &str, path: &str) -> Option<Row> {
    Catalog::rows().find(|row| row.method.as_str() == method && row.path == path).map(super::name)
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

impl Limiter {
    /// What must outlive a restart.
    pub fn export(&self, now: Timestamp) -> Held {
        Held {
            addresses: self.addresses.export(now),
            bans: self.bans.export(now),
            failed: counts(&self.failed, MINUTE, now),
            connections: counts(&self.connections, FIVE_MINUTES, now),
            endpoints_of_addresses: counts(&self.endpoints_of_addresses, MINUTE, now),
            endpoints_of_accounts: counts(&self.endpoints_of_accounts, MINUTE, now),
            keys: counts(&self.keys, MINUTE, now),
            shares: counts(&self.shares, MINUTE, now),
            verified: self.verified.export(now),
        }
    }

    /// Takes over what was held before a restart; counts of windows that are over are left behind.
    pub fn import(&self, held: &Held, now: Timestamp) {
        self.bans.import(&held.bans, now);
        self.addresses.import(&held.addresses, now);
        resume(&self.failed, &held.failed, MINUTE, now);
        resume(&self.connections, &held.connections, FIVE_MINUTES, now);
        resume(&self.endpoints_of_addresses, &held.endpoints_of_addresses, MINUTE, now);
        resume(&self.endpoints_of_accounts, &held.endpoints_of_accounts, MINUTE, now);
        resume(&self.keys, &held.keys, MINUTE, now);
        resume(&self.shares, &held.shares, MINUTE, now);
        self.verified.import(&held.verified, now);
    }
}

fn counts<K: Subject + Ord>(table: &Table<K, Counter>, window: Window, now: Timestamp) -> Vec<(K, HeldCount)> {
    let window = number(window, now);
    let mut held = Vec::new();
    table.each(|subject, counter| held.extend(HeldCount::of(counter, window).map(|count| (subject.clone(), count))));
    held.sort_by(|(one, _), (other, _)| one.cmp(other));
    held
}

fn resume<K: Subject>(table: &Table<K, Counter>, held: &[(K, HeldCount)], window: Window, now: Timestamp) {
    let window = number(window, now);
    for (subject, count) in held {
        if let Some(counter) = count.restore(window) {
            table.restore(subject.clone(), counter);
        }
    }
}

//! What the limiter holds and did, in numbers for operators.

use std::sync::atomic::Ordering;

use latchkey_protocol::Timestamp;

use super::Limiter;

/// Numbers without names of callers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figures {
    /// Every table.
    pub tables: [TableFigures; 9],
    /// Bans that run now.
    pub bans_running: usize,
    /// Bans that began since the start.
    pub bans_begun: u64,
    /// Signatures that did not hold since the start.
    pub failed_verifications: u64,
}

/// How full a table is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableFigures {
    /// Which one.
    pub name: &'static str,
    /// How many subjects it counts each by itself.
    pub kept: usize,
    /// How many at most.
    pub max: usize,
    /// How often somebody found no place in it since the start.
    pub crowded: u64,
}

impl Limiter {
    /// What it holds at `now`, and did since the start.
    pub fn figures(&self, now: Timestamp) -> Figures {
        Figures {
            tables: [
                self.addresses.figures("addresses"),
                self.bans.figures("bans"),
                self.connections.figures("connections"),
                self.failed.figures("failed-verifications"),
                self.verified.figures("homes"),
                self.endpoints_of_addresses.figures("sapi-ip"),
                self.endpoints_of_accounts.figures("sapi-uid"),
                self.keys.figures("keys"),
                self.shares.figures("key-shares"),
            ],
            bans_running: self.bans.running(now),
            bans_begun: self.bans_begun.load(Ordering::Relaxed),
            failed_verifications: self.failed_verifications.load(Ordering::Relaxed),
        }
    }
}

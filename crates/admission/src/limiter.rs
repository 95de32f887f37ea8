//! Counts weight per address, endpoint and account in fixed, clock-aligned windows.
//!
//! Counters only report for now: every charge goes through here, so that a limit is one comparison away.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use latchkey_protocol::catalog::{Budget, Endpoint, Weight};
use latchkey_protocol::limits::{Interval, Window};
use latchkey_protocol::params::RawParams;
use latchkey_protocol::{AccountId, Timestamp};
use papaya::HashMap;

use crate::call::canonical;
use crate::state::{Charged, Ready, Routed, Timely, Whole};
use crate::trail::{Trail, Used};
use crate::{Admission, Rejection};

/// The window of every weight: one minute.
pub const WEIGHT_WINDOW: Window = Window::of(1, Interval::Minute);

/// The most counters that are kept; beyond it those of past windows are dropped, and who still finds no place is
/// counted together.
pub const COUNTERS_MAX: usize = 1 << 16;

/// What a counter counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Subject {
    Address(IpAddr),
    EndpointOfAddress(&'static str, &'static str, IpAddr),
    EndpointOfAccount(&'static str, &'static str, AccountId),
}

/// Window number in the upper half, count in the lower: one word, so that a turn of the window and a charge
/// are one step.
#[derive(Default)]
struct Counter(AtomicU64);

impl Counter {
    fn add(&self, window: u32, weight: u32) -> u32 {
        let step = |word: u64| {
            let (held, count) = split(word);
            // A clock that steps back never reopens a window.
            let count = if window > held { weight } else { count.saturating_add(weight) };
            Some(join(window.max(held), count))
        };
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, step) {
            Ok(before) | Err(before) => {
                let (held, count) = split(before);
                if window > held { weight } else { count.saturating_add(weight) }
            }
        }
    }

    fn is_past(&self, window: u32) -> bool {
        split(self.0.load(Ordering::Acquire)).0 < window
    }
}

const fn split(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, (word & 0xffff_ffff) as u32)
}

const fn join(window: u32, count: u32) -> u64 {
    (window as u64) << 32 | count as u64
}

/// All counters.
#[derive(Default)]
pub struct Limiter {
    counters: HashMap<Subject, Arc<Counter>>,
    kept: AtomicUsize,
    /// The last window in which past counters were dropped: once a window is enough.
    swept: AtomicU32,
    /// Everyone who came when all counters were taken.
    others: Counter,
}

impl Limiter {
    /// A limiter that has counted nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Charges the caller's address on arrival, whatever becomes of the call.
    ///
    /// # Errors
    /// None yet; the place of `-1003`.
    pub fn arrive(&self, call: &Admission<'_, Routed<'_>>, trail: &mut Trail) -> Result<(), Rejection> {
        let row = call.row;
        let weight = weigh(row, call.state.params.as_ref().ok());
        let address = limited_address(call.raw.peer);
        let subject = match row.budget {
            Budget::Ip => Subject::Address(address),
            Budget::SapiIp => Subject::EndpointOfAddress(row.method.as_str(), row.path, address),
            // Belongs to the account: charged once the signature held.
            Budget::SapiUid => return Ok(()),
        };
        let used = self.charge_subject(subject, weight, trail.arrived());
        trail.charged(Used { budget: row.budget, weight, used });
        Ok(())
    }

    /// Charges a call that no row matched: one, to its address.
    pub fn arrive_unrouted(&self, peer: IpAddr, now: Timestamp) {
        self.charge_subject(Subject::Address(limited_address(peer)), 1, now);
    }

    /// Looks at the budgets of key and account without changing them.
    ///
    /// # Errors
    /// None yet; the place of budgets that refuse before the signature is verified.
    pub fn budget<'a>(&self, call: Admission<'a, Timely<'a>>) -> Result<Admission<'a, Ready<'a>>, Rejection> {
        Ok(call.into(|Timely(known)| Ready(known)))
    }

    /// Charges the account's own counters; only proven calls come here.
    ///
    /// # Errors
    /// None yet; the place of the account's limits and of replay.
    pub fn charge<'a>(
        &self,
        call: Admission<'a, Whole<'a>>,
        trail: &mut Trail,
    ) -> Result<Admission<'a, Charged<'a>>, Rejection> {
        if let (Budget::SapiUid, Some(held)) = (call.row.budget, &call.state.known.held) {
            let weight = weigh(call.row, Some(&call.state.known.shaped.params));
            let subject = Subject::EndpointOfAccount(call.row.method.as_str(), call.row.path, held.key.account.id);
            let used = self.charge_subject(subject, weight, trail.arrived());
            trail.charged(Used { budget: Budget::SapiUid, weight, used });
        }
        Ok(call.into(Charged))
    }

    fn charge_subject(&self, subject: Subject, weight: u32, now: Timestamp) -> u32 {
        let window = window_number(now);
        let counters = self.counters.pin();
        if let Some(counter) = counters.get(&subject) {
            return counter.add(window, weight);
        }
        if self.kept.load(Ordering::Relaxed) >= COUNTERS_MAX {
            if self.swept.fetch_max(window, Ordering::Relaxed) < window {
                counters.retain(|_, counter| !counter.is_past(window));
                self.kept.store(counters.len(), Ordering::Relaxed);
            }
            if self.kept.load(Ordering::Relaxed) >= COUNTERS_MAX {
                return self.others.add(window, weight);
            }
        }
        self.kept.fetch_add(1, Ordering::Relaxed);
        counters.get_or_insert_with(subject, Arc::default).add(window, weight)
    }
}

/// The number of the window since the epoch; fits 32 bits for minutes until the year 10136.
fn window_number(now: Timestamp) -> u32 {
    u32::try_from(now.as_micros().div_euclid(WEIGHT_WINDOW.micros())).unwrap_or(u32::MAX)
}

fn weigh(row: &Endpoint, params: Option<&RawParams<'_>>) -> u32 {
    match row.weight {
        Weight::Fixed(weight) => weight,
        Weight::By(rule) => params.map_or_else(|| rule(&RawParams::default()), rule),
    }
}

/// The address that limits count: an IPv6 caller counts as its /64.
fn limited_address(peer: IpAddr) -> IpAddr {
    match canonical(peer) {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_starts_at_zero_and_a_clock_that_steps_back_does_not_reopen_it() {
        let counter = Counter::default();
        assert_eq!(counter.add(10, 5), 5);
        assert_eq!(counter.add(10, 2), 7);
        assert_eq!(counter.add(11, 1), 1);
        assert_eq!(counter.add(10, 1), 2);
    }

    #[test]
    fn an_ipv6_caller_counts_as_its_network() {
        let limiter = Limiter::new();
        let now = Timestamp::from_millis(1_732_000_000_000);
        let charge = |text: &str| {
            let address = limited_address(text.parse().expect("an address"));
            limiter.charge_subject(Subject::Address(address), 1, now)
        };
        assert_eq!(charge("2001:db8::1"), 1);
        assert_eq!(charge("2001:db8::ffff:2"), 2);
        assert_eq!(charge("2001:db8:0:1::1"), 1);
        assert_eq!(charge("192.0.2.1"), 1);
        assert_eq!(charge("192.0.2.2"), 1);
    }

    #[test]
    fn counters_of_past_windows_make_room() {
        let limiter = Limiter::new();
        let now = Timestamp::from_millis(1_732_000_000_000);
        for n in 0..u32::try_from(COUNTERS_MAX).expect("fits") {
            limiter.charge_subject(Subject::Address(IpAddr::V4(n.into())), 1, now);
        }
        assert_eq!(limiter.counters.len(), COUNTERS_MAX);
        let charge = |n: u32, now| limiter.charge_subject(Subject::Address(IpAddr::V4(n.into())), 1, now);
        assert_eq!((charge(u32::MAX, now), charge(u32::MAX - 1, now)), (1, 2), "who finds no place shares one counter");
        assert_eq!(limiter.counters.len(), COUNTERS_MAX);
        assert_eq!(charge(u32::MAX, now.plus_millis(60_000)), 1);
        assert_eq!(limiter.counters.len(), 1);
    }
}

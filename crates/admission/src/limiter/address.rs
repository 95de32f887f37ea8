//! What every request costs its address: one of its requests, and its weight.

use std::net::IpAddr;

use latchkey_protocol::Timestamp;
use latchkey_protocol::limits::Window;

use super::counter::{Charge, Counter, number};
use super::figures::TableFigures;
use super::held::{HeldAddress, HeldCount};
use super::limits::{Exhausted, Limits};
use super::table::{SHARED, Slot, Table};
use super::{FIVE_MINUTES, MINUTE};

/// The counters of one address. `raw` is touched first by every arrival, so closing it closes all.
#[derive(Default)]
struct Address {
    raw: Counter,
    weight: Counter,
    /// Refusals for want of weight, in the window of the weight.
    refused_weight: Counter,
    /// Refusals for too many requests, in their window.
    refused_raw: Counter,
}

impl Slot for Address {
    fn close(&self, window: Window, now: Timestamp) -> bool {
        self.raw.close(number(window, now))
    }

    fn is_closed(&self) -> bool {
        self.raw.is_closed()
    }
}

/// What an arrival came to.
pub(super) struct Arrival {
    /// The weight that the window holds.
    pub(super) used: u32,
    /// What the arrival went over, when it is refused.
    pub(super) over: Option<Over>,
}

/// A refused arrival.
#[derive(Clone, Copy)]
pub(super) struct Over {
    pub(super) what: Exhausted,
    pub(super) limit: u32,
    /// How many were refused in the window, this one included; `None` when it does not count towards a ban.
    pub(super) refusals: Option<u32>,
}

/// All addresses.
pub(super) struct Addresses(Table<IpAddr, Address>);

impl Addresses {
    pub(super) fn new(max: usize) -> Self {
        Self(Table::new(max, SHARED, FIVE_MINUTES))
    }

    pub(super) const fn seed(&mut self, seed: u64) {
        self.0.seed(seed);
    }

    /// Counts a request and its weight; with no `requests`, the weight alone of one that was counted before. A refused
    /// one counts as a request, unless that is what it is refused for, and leaves no weight.
    pub(super) fn arrive(
        &self,
        address: IpAddr,
        requests: u32,
        weight: Option<u32>,
        escalates: bool,
        limits: &Limits,
        now: Timestamp,
    ) -> Arrival {
        let (minute, five) = (number(MINUTE, now), number(FIVE_MINUTES, now));
        let arrival = self.0.slot(address, now, |slot, own| {
            let refused = |what, limit, counter: &Counter, window| {
                let refusals = if own && escalates { counter.add(window, 1) } else { None };
                Some(Over { what, limit, refusals })
            };
            if let Charge::Full(_) = slot.raw.charge(five, requests, limits.raw_requests_per_5m)? {
                let over = refused(Exhausted::RawRequests, limits.raw_requests_per_5m, &slot.refused_raw, five);
                return Some(Arrival { used: slot.weight.used(minute), over });
            }
            let limit = limits.request_weight_per_minute;
            Some(match weight.and_then(|weight| slot.weight.charge(minute, weight, limit)) {
                None => Arrival { used: slot.weight.used(minute), over: None },
                Some(Charge::Taken(used)) => Arrival { used, over: None },
                Some(Charge::Full(used)) => {
                    Arrival { used, over: refused(Exhausted::RequestWeight, limit, &slot.refused_weight, minute) }
                }
            })
        });
        // INVARIANT: a table that shares slots always answers.
        arrival.unwrap_or(Arrival { used: 0, over: None })
    }

    /// Takes weight back that was charged in `window`. Returns what is held now.
    pub(super) fn give_back(&self, address: IpAddr, window: u32, weight: u32) -> Option<u32> {
        self.0.existing(&address, |slot| slot.weight.give_back(window, weight))
    }

    pub(super) fn export(&self, now: Timestamp) -> Vec<HeldAddress> {
        let (minute, five) = (number(MINUTE, now), number(FIVE_MINUTES, now));
        let mut held = Vec::new();
        self.0.each(|address, slot| {
            if let Some(raw) = HeldCount::of(&slot.raw, five) {
                held.push(HeldAddress {
                    address: *address,
                    raw,
                    weight: HeldCount::of(&slot.weight, minute),
                    refused_weight: HeldCount::of(&slot.refused_weight, minute),
                    refused_raw: HeldCount::of(&slot.refused_raw, five),
                });
            }
        });
        held.sort_by_key(|of| of.address);
        held
    }

    pub(super) fn import(&self, held: &[HeldAddress], now: Timestamp) {
        let (minute, five) = (number(MINUTE, now), number(FIVE_MINUTES, now));
        for of in held {
            let counter = |count: Option<HeldCount>, window| count.and_then(|count| count.restore(window));
            let Some(raw) = counter(Some(of.raw), five) else { continue };
            self.0.restore(
                of.address,
                Address {
                    raw,
                    weight: counter(of.weight, minute).unwrap_or_default(),
                    refused_weight: counter(of.refused_weight, minute).unwrap_or_default(),
                    refused_raw: counter(of.refused_raw, five).unwrap_or_default(),
                },
            );
        }
    }

    pub(super) fn figures(&self, name: &'static str) -> TableFigures {
        self.0.figures(name)
    }
}

//! Counts and refuses: weight and requests of addresses, budgets of endpoints and keys, failed verifications, bans.
//!
//! Windows are fixed and turn with the clock. A request takes its place in a window in one atomic step or not at all,
//! so that none ever admits more than its limit, however many threads race. An address is an IPv4 address or an IPv6
//! /64. Memory is bounded by [`COUNTERS_MAX`] a table; who finds no place of its own then shares one with others, under
//! the limit of one, and is not banned: a flood costs newcomers their room, never the known ones, and nobody is let
//! through uncounted.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use latchkey_protocol::catalog::{Budget, Endpoint, Family, Method, Weight};
use latchkey_protocol::limits::{Interval, Window};
use latchkey_protocol::params::RawParams;
use latchkey_protocol::{AccountId, KeyId, Timestamp};

use crate::call::limited_address;
use crate::live::LiveAccount;
use crate::state::{Charged, Credential, Ready, Routed, Timely, Whole};
use crate::trail::{Trail, Used};
use crate::{Admission, Outcome, Reason, Rejection, Stage};

mod address;
mod ban;
mod counter;
mod figures;
mod held;
mod limits;
mod table;
mod verified;

pub use ban::HeldBan;
pub use figures::{Figures, TableFigures};
pub use held::{Held, HeldAddress, HeldCount, counted_row};
pub use limits::{Exhausted, Limits};

use address::{Addresses, Arrival};
use ban::Bans;
use counter::{Charge, Counter, number};
use table::{SHARED, Table};
use verified::Verified;

const MINUTE: Window = Window::of(1, Interval::Minute);
const FIVE_MINUTES: Window = Window::of(5, Interval::Minute);

/// The most subjects that one table holds each by itself.
pub const COUNTERS_MAX: usize = 1 << 16;

/// What is told when a ban begins, so that it can be kept before anything else happens.
pub type Alarm = Arc<dyn Fn() + Send + Sync>;

/// An endpoint, by its method and path, as both stand in the catalog.
pub type Row = (&'static str, &'static str);

/// How the verification of a call is paid for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Verification {
    /// No signature is verified.
    #[default]
    None,
    /// The key verified from this address in the last hour.
    Remembered {
        /// Whether it is time to note that it did so again.
        stale: bool,
    },
    /// One of the address's failures is set aside until the signature holds.
    SetAside {
        /// In which minute.
        window: u32,
    },
}

/// All counters and bans.
pub struct Limiter {
    limits: Limits,
    addresses: Addresses,
    bans: Bans,
    connections: Table<IpAddr, Counter>,
    failed: Table<IpAddr, Counter>,
    verified: Verified,
    endpoints_of_addresses: Table<(Row, IpAddr), Counter>,
    endpoints_of_accounts: Table<(Row, AccountId), Counter>,
    keys: Table<KeyId, Counter>,
    shares: Table<(KeyId, IpAddr), Counter>,
    alarm: Option<Alarm>,
    bans_begun: AtomicU64,
    failed_verifications: AtomicU64,
}

impl Limiter {
    /// A limiter that has counted nothing.
    pub fn new(limits: Limits) -> Self {
        Self::sized(limits, COUNTERS_MAX)
    }

    /// One whose tables have places for `max` each.
    fn sized(limits: Limits, max: usize) -> Self {
        Self {
            limits,
            addresses: Addresses::new(max),
            bans: Bans::new(max),
            connections: Table::new(max, SHARED, FIVE_MINUTES),
            failed: Table::new(max, SHARED, MINUTE),
            verified: Verified::new(max),
            endpoints_of_addresses: Table::new(max, SHARED, MINUTE),
            endpoints_of_accounts: Table::new(max, SHARED, MINUTE),
            keys: Table::new(max, SHARED, MINUTE),
            shares: Table::new(max, SHARED, MINUTE),
            alarm: None,
            bans_begun: AtomicU64::new(0),
            failed_verifications: AtomicU64::new(0),
        }
    }

    /// The same limiter, which rings `alarm` whenever a ban begins.
    #[must_use]
    pub fn with_alarm(self, alarm: Alarm) -> Self {
        Self { alarm: Some(alarm), ..self }
    }

    /// The same limiter, in whose full tables nobody can tell beforehand with whom they share; `seed` is random.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.addresses.seed(seed);
        self.connections.seed(seed);
        self.failed.seed(seed);
        self.endpoints_of_addresses.seed(seed);
        self.endpoints_of_accounts.seed(seed);
        self.keys.seed(seed);
        self.shares.seed(seed);
        self
    }

    /// Whether `peer` may open one more connection.
    pub fn connect(&self, peer: IpAddr, now: Timestamp) -> bool {
        let limit = self.limits.connections_per_5m;
        limit == 0 || {
            let window = number(FIVE_MINUTES, now);
            let charge = self.connections.slot(limited_address(peer), now, |slot, _| slot.charge(window, 1, limit));
            !matches!(charge, Some(Charge::Full(_)))
        }
    }

    /// Refuses whoever is banned, unread; nothing is counted and the ban grows no longer.
    ///
    /// # Errors
    /// [`Reason::Banned`]: 418 `-1003`; 429 on `/sapi`, which knows no 418.
    pub fn admit(&self, peer: IpAddr, path: &str, now: Timestamp) -> Result<(), Rejection> {
        match self.bans.until(limited_address(peer), now) {
            None => Ok(()),
            Some(until) => {
                let sapi = Family::of(path) == Family::Sapi;
                Err(Rejection::new(Stage::Limits, Reason::Banned { until, sapi }))
            }
        }
    }

    /// Charges the caller's address on arrival, whatever becomes of the call.
    ///
    /// # Errors
    /// [`Reason::Limited`]: 429 `-1003`. On `/api`, every `ban_after`-th within one window bans the address.
    pub fn arrive(&self, call: &Admission<'_, Routed<'_>>, trail: &mut Trail) -> Result<(), Rejection> {
        self.arrive_with(call, Some(weigh(call.row, call.state.params.as_ref().ok())), 1, trail)
    }

    /// Charges the caller's address for a call whose body is still to come. What only the body tells the weight of is
    /// weighed by [`Self::arrive_whole`].
    ///
    /// # Errors
    /// As [`Self::arrive`].
    pub fn arrive_head(&self, call: &Admission<'_, Routed<'_>>, trail: &mut Trail) -> Result<(), Rejection> {
        let weight = (!body_weighs(call.row)).then(|| weigh(call.row, call.state.params.as_ref().ok()));
        self.arrive_with(call, weight, 1, trail)
    }

    /// Charges what [`Self::arrive_head`] left open of a call whose body came.
    ///
    /// # Errors
    /// As [`Self::arrive`].
    pub fn arrive_whole(&self, call: &Admission<'_, Routed<'_>>, trail: &mut Trail) -> Result<(), Rejection> {
        if !body_weighs(call.row) {
            return Ok(());
        }
        self.arrive_with(call, Some(weigh(call.row, call.state.params.as_ref().ok())), 0, trail)
    }

    fn arrive_with(
        &self,
        call: &Admission<'_, Routed<'_>>,
        weight: Option<u32>,
        requests: u32,
        trail: &mut Trail,
    ) -> Result<(), Rejection> {
        let row = call.row;
        let (address, now) = (limited_address(call.raw.peer), trail.arrived());
        let escalates = row.family != Family::Sapi;
        match (row.budget, weight) {
            (Budget::Ip, weight) => self.arrive_weighing(address, requests, weight, escalates, trail),
            (Budget::SapiIp, Some(weight)) => {
                self.arrive_weighing(address, requests, None, escalates, trail)?;
                self.charge_endpoint_of_address(row, address, weight, now, trail)
            }
            // The weight belongs to the account, and is charged once the signature held, or is not known yet.
            (Budget::SapiUid, _) | (Budget::SapiIp, None) => {
                self.arrive_weighing(address, requests, None, escalates, trail)
            }
        }
    }

    /// Charges a call that no row matched: one, to its address.
    ///
    /// # Errors
    /// As [`Self::arrive`].
    pub fn arrive_unrouted(&self, peer: IpAddr, path: &str, trail: &mut Trail) -> Result<(), Rejection> {
        let escalates = Family::of(path) != Family::Sapi;
        self.arrive_weighing(limited_address(peer), 1, escalates.then_some(1), escalates, trail)
    }

    fn arrive_weighing(
        &self,
        address: IpAddr,
        requests: u32,
        weight: Option<u32>,
        escalates: bool,
        trail: &mut Trail,
    ) -> Result<(), Rejection> {
        let now = trail.arrived();
        let Arrival { used, over } = self.weigh_in(address, requests, weight, escalates, now);
        let limit = self.limits.request_weight_per_minute;
        let taken = if over.is_some() { Some(0) } else { weight };
        if let Some(weight) = taken.filter(|_| weight.is_some()) {
            trail.charged(Used { budget: Budget::Ip, weight, used, limit, window: number(MINUTE, now) });
        }
        over.map_or(Ok(()), |over| Err(limited(Stage::Limits, over.what, over.limit)))
    }

    fn weigh_in(
        &self,
        address: IpAddr,
        requests: u32,
        weight: Option<u32>,
        escalates: bool,
        now: Timestamp,
    ) -> Arrival {
        let arrival = self.addresses.arrive(address, requests, weight, escalates, &self.limits, now);
        if let (Some(over), true) = (arrival.over, escalates) {
            self.escalate(address, over.refusals, now);
        }
        arrival
    }

    /// Bans the address when this was one refusal too many.
    fn escalate(&self, address: IpAddr, refusals: Option<u32>, now: Timestamp) {
        let after = u32::from(self.limits.ban_after);
        let too_many = refusals.is_some_and(|refusals| refusals.checked_rem(after) == Some(0));
        if !too_many {
            self.bans.refused(address, now);
        } else if self.bans.begin(address, now) {
            self.bans_begun.fetch_add(1, Ordering::Relaxed);
            if let Some(alarm) = &self.alarm {
                alarm();
            }
        }
    }

    /// Looks at the budgets of key and account without changing them, and sets aside one of the address's failures for
    /// a key that it does not know: whoever fails too often gets no further verification.
    ///
    /// # Errors
    /// [`Reason::Limited`]: 429 `-1003`.
    pub fn budget<'a>(
        &self,
        call: Admission<'a, Timely<'a>>,
        trail: &mut Trail,
    ) -> Result<Admission<'a, Ready<'a>>, Rejection> {
        let known = &call.state.0;
        let signed = !matches!(known.shaped.credential, Credential::None | Credential::KeyOnly(_));
        if let (Some(held), true) = (&known.held, signed) {
            let (address, now) = (limited_address(call.raw.peer), trail.arrived());
            let weight = weigh(call.row, Some(&known.shaped.params));
            let vip = || held.key.account.vip();
            self.look(call.row, held.key.account.id, held.key.id, address, vip, weight, now)
                .inspect_err(|_| self.give_back(trail, None))?;
            trail.verification = self.set_aside(held.key.id, address, now)?;
        }
        Ok(call.into(|Timely(known)| Ready(known)))
    }

    #[expect(clippy::too_many_arguments, reason = "what a call is counted by")]
    fn look(
        &self,
        row: &'static Endpoint,
        account: AccountId,
        key: KeyId,
        address: IpAddr,
        vip: impl Fn() -> u8,
        weight: u32,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        let window = number(MINUTE, now);
        let over = |used: Option<u32>, limit: u32| used.unwrap_or(0).saturating_add(weight) > limit;
        let used = |counter: &Counter| counter.used(window);
        if row.budget == Budget::SapiUid {
            let limit = self.limits.sapi_uid_weight(vip());
            if over(self.endpoints_of_accounts.existing(&(name(row), account), used), limit) {
                return Err(limited(Stage::Budget, Exhausted::EndpointOfAccount, limit));
            }
        }
        if let Some(limit) = self.limits.of_key()
            && over(self.keys.existing(&key, used), limit)
        {
            return Err(limited(Stage::Budget, Exhausted::Key, limit));
        }
        if let (Budget::Ip, Some(limit)) = (row.budget, self.limits.share_of_key())
            && over(self.shares.existing(&(key, address), used), limit)
        {
            return Err(limited(Stage::Budget, Exhausted::KeyShare, limit));
        }
        Ok(())
    }

    fn set_aside(&self, key: KeyId, address: IpAddr, now: Timestamp) -> Result<Verification, Rejection> {
        if let Some(stale) = self.verified.from(key, address, now) {
            return Ok(Verification::Remembered { stale });
        }
        let (window, limit) = (number(MINUTE, now), self.limits.failed_verifications_per_minute);
        match self.failed.slot(address, now, |slot, _| slot.charge(window, 1, limit)) {
            Some(Charge::Full(_)) => Err(limited(Stage::Budget, Exhausted::FailedVerifications, limit)),
            Some(Charge::Taken(_)) | None => Ok(Verification::SetAside { window }),
        }
    }

    /// Settles the verification: a signature that held costs its address nothing and lets it know the key, one that
    /// did not is counted.
    ///
    /// # Errors
    /// The one that it was given.
    pub fn verified<T>(&self, result: Result<T, Rejection>, trail: &mut Trail) -> Result<T, Rejection> {
        let (address, now) = (limited_address(trail.peer()), trail.arrived());
        // A key that cannot be opened is no fault of the caller's.
        let failed = result.as_ref().is_err_and(|rejection| rejection.reason != Reason::KeyUnusable);
        let key = trail.key().filter(|_| result.is_ok());
        self.settle_verification(std::mem::take(&mut trail.verification), key, address, now, failed);
        result
    }

    /// `key` is the one whose signature held.
    fn settle_verification(
        &self,
        verification: Verification,
        key: Option<KeyId>,
        address: IpAddr,
        now: Timestamp,
        failed: bool,
    ) {
        if failed && verification != Verification::None {
            self.failed_verifications.fetch_add(1, Ordering::Relaxed);
        }
        match verification {
            Verification::SetAside { window } if !failed => {
                self.failed.existing(&address, |counter| counter.give_back(window, 1));
            }
            Verification::Remembered { .. } if failed => {
                let window = number(MINUTE, now);
                self.failed.slot(address, now, |slot, _| slot.add(window, 1));
            }
            Verification::Remembered { stale: true } => {}
            Verification::SetAside { .. } | Verification::Remembered { .. } | Verification::None => return,
        }
        if let Some(key) = key {
            self.verified.note(key, address, now);
        }
    }

    /// Charges the account's and the key's own counters; only proven calls reach those.
    ///
    /// # Errors
    /// [`Reason::Limited`]: 429 `-1003`. What a refused call had charged here is given back.
    pub fn charge<'a>(
        &self,
        call: Admission<'a, Whole<'a>>,
        trail: &mut Trail,
    ) -> Result<Admission<'a, Charged<'a>>, Rejection> {
        let known = &call.state.known;
        let (row, address, now) = (call.row, limited_address(call.raw.peer), trail.arrived());
        if let Some(held) = &known.held {
            let weight = weigh(row, Some(&known.shaped.params));
            let (account, key) = (&held.key.account, held.key.id);
            match (row.budget, trail.is_proven()) {
                (Budget::SapiUid, true) => {
                    self.charge_endpoint_of_account(row, account, weight, trail)?;
                    self.charge_key(key, weight, now).inspect_err(|_| self.give_back(trail, None))?;
                }
                // Named by a key that showed no signature: nothing of its owner is charged.
                (Budget::SapiUid, false) => self.charge_endpoint_of_address(row, address, weight, now, trail)?,
                (Budget::Ip, true) => {
                    let charged = self.charge_key(key, weight, now).and_then(|()| {
                        let share = self.charge_share(key, address, weight, now);
                        share.inspect_err(|_| self.give_back_key(key, weight, now))
                    });
                    charged.inspect_err(|_| self.give_back(trail, None))?;
                }
                (Budget::SapiIp, true) => self.charge_key(key, weight, now)?,
                (Budget::Ip | Budget::SapiIp, false) => {}
            }
        }
        Ok(call.into(Charged))
    }

    fn charge_endpoint_of_address(
        &self,
        row: &'static Endpoint,
        address: IpAddr,
        weight: u32,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<(), Rejection> {
        let (window, limit) = (number(MINUTE, now), self.limits.sapi_ip_weight_per_minute);
        let (used, weight, full) = taken(self.endpoint_of_address(row, address, weight, now), weight);
        trail.charged(Used { budget: Budget::SapiIp, weight, used, limit, window });
        if full { Err(limited(Stage::Limits, Exhausted::EndpointOfAddress, limit)) } else { Ok(()) }
    }

    fn endpoint_of_address(&self, row: &Endpoint, address: IpAddr, weight: u32, now: Timestamp) -> Option<Charge> {
        let (window, limit) = (number(MINUTE, now), self.limits.sapi_ip_weight_per_minute);
        self.endpoints_of_addresses.slot((name(row), address), now, |slot, _| slot.charge(window, weight, limit))
    }

    fn charge_endpoint_of_account(
        &self,
        row: &'static Endpoint,
        account: &LiveAccount,
        weight: u32,
        trail: &mut Trail,
    ) -> Result<(), Rejection> {
        let now = trail.arrived();
        let window = number(MINUTE, now);
        let (charge, limit) = self.endpoint_of_account(row, account.id, weight, account.vip(), now);
        let (used, weight, full) = taken(charge, weight);
        trail.charged(Used { budget: Budget::SapiUid, weight, used, limit, window });
        if full { Err(limited(Stage::Charge, Exhausted::EndpointOfAccount, limit)) } else { Ok(()) }
    }

    /// The charge, and the limit that it was made under.
    fn endpoint_of_account(
        &self,
        row: &Endpoint,
        account: AccountId,
        weight: u32,
        vip: u8,
        now: Timestamp,
    ) -> (Option<Charge>, u32) {
        let (window, limit) = (number(MINUTE, now), self.limits.sapi_uid_weight(vip));
        let key = (name(row), account);
        (self.endpoints_of_accounts.slot(key, now, |slot, _| slot.charge(window, weight, limit)), limit)
    }

    fn charge_key(&self, key: KeyId, weight: u32, now: Timestamp) -> Result<(), Rejection> {
        let Some(limit) = self.limits.of_key() else { return Ok(()) };
        let window = number(MINUTE, now);
        match self.keys.slot(key, now, |slot, _| slot.charge(window, weight, limit)) {
            Some(Charge::Full(_)) => Err(limited(Stage::Charge, Exhausted::Key, limit)),
            Some(Charge::Taken(_)) | None => Ok(()),
        }
    }

    fn charge_share(&self, key: KeyId, address: IpAddr, weight: u32, now: Timestamp) -> Result<(), Rejection> {
        let Some(limit) = self.limits.share_of_key() else { return Ok(()) };
        let window = number(MINUTE, now);
        match self.shares.slot((key, address), now, |slot, _| slot.charge(window, weight, limit)) {
            Some(Charge::Full(_)) => Err(limited(Stage::Charge, Exhausted::KeyShare, limit)),
            Some(Charge::Taken(_)) | None => Ok(()),
        }
    }

    fn give_back_key(&self, key: KeyId, weight: u32, now: Timestamp) {
        let window = number(MINUTE, now);
        self.keys.existing(&key, |counter| counter.give_back(window, weight));
    }

    /// Gives back what the call was charged, to the window that was charged; `key` names a key whose counters were
    /// charged too.
    fn give_back(&self, trail: &mut Trail, key: Option<KeyId>) {
        let Some(charged) = trail.used() else { return };
        let Used { budget, weight, window, .. } = charged;
        let address = limited_address(trail.peer());
        let back = |counter: &Counter| counter.give_back(window, weight);
        let left = match (budget, trail.row(), trail.account()) {
            (Budget::Ip, ..) => self.addresses.give_back(address, window, weight),
            (Budget::SapiUid, Some(row), Some(account)) => {
                self.endpoints_of_accounts.existing(&(name(row), account), back)
            }
            (Budget::SapiIp, ..) | (Budget::SapiUid, ..) => None,
        };
        if let Some(key) = key {
            self.keys.existing(&key, back);
            self.shares.existing(&(key, address), back);
        }
        if let Some(used) = left {
            trail.charged(Used { weight: 0, used, ..charged });
        }
    }

    /// Settles the weight when the call has ended: under `successful_order_weight = zero` a placement or cancel that
    /// succeeded gets it back. What failed, and what nobody knows the end of, keeps it.
    /// Source: spot API change log, 2026-04-02.
    pub fn settle(&self, outcome: &Outcome, trail: &mut Trail) {
        let free = self.limits.successful_orders_are_free
            && matches!(outcome, Outcome::Answered(_))
            && trail.row().is_some_and(|row| row.free_on_success);
        if free {
            let key = trail.key();
            self.give_back(trail, key);
        }
    }
}

fn limited(stage: Stage, what: Exhausted, limit: u32) -> Rejection {
    Rejection::new(stage, Reason::Limited { what, limit })
}

/// What the window holds, what this call added, and whether it found no room.
fn taken(charge: Option<Charge>, weight: u32) -> (u32, u32, bool) {
    match charge {
        Some(Charge::Taken(used)) => (used, weight, false),
        Some(Charge::Full(used)) => (used, 0, true),
        // INVARIANT: a table that shares slots always answers.
        None => (0, 0, false),
    }
}

fn name(row: &Endpoint) -> Row {
    (row.method.as_str(), row.path)
}

/// Whether the body of a call tells what it weighs.
fn body_weighs(row: &Endpoint) -> bool {
    row.method != Method::Get && matches!(row.weight, Weight::By(_))
}

fn weigh(row: &Endpoint, params: Option<&RawParams<'_>>) -> u32 {
    match row.weight {
        Weight::Fixed(weight) => weight,
        Weight::By(rule) => params.map_or_else(|| rule(&RawParams::default()), rule),
    }
}

#[cfg(test)]
mod tests;

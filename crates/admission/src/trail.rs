//! The trail of one call: what was learned so far, recorded however the call ends.

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_authority::ip::IpRule;
use latchkey_protocol::catalog::{Budget, Endpoint};
use latchkey_protocol::{AccountId, ApiKey, KeyId, TimeUnit, Timestamp};

use crate::call::{FoundBy, RequestId, Source, Transport};
use crate::limiter::Verification;
use crate::ports::{Clock, Recorder};
use crate::{Outcome, Rejection};

/// How a recorded call ended.
#[derive(Clone, PartialEq, Debug)]
pub enum End {
    /// Answered.
    Answered,
    /// Refused.
    Rejected(Rejection),
    /// The venue did not answer.
    Unknown,
    /// The caller went away before the call was handed over.
    ClientGone,
}

/// The weight that a call was charged, and what its window holds now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Used {
    /// Where it was counted.
    pub budget: Budget,
    /// The weight of this call.
    pub weight: u32,
    /// The weight used in the window.
    pub used: u32,
    /// The weight that the window holds at most.
    pub limit: u32,
    /// The number of the window since the epoch.
    pub window: u32,
}

/// What the key's IP list said of the caller's address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IpMatch {
    /// The key has no list.
    Unrestricted,
    /// This entry covers the address.
    Entry(IpRule),
    /// No entry does.
    NoEntry,
}

impl IpMatch {
    /// How records spell a key without a list.
    pub const UNRESTRICTED: &'static str = "unrestricted";
    /// How records spell an address that no entry covers.
    pub const NO_ENTRY: &'static str = "none";

    /// How records spell it.
    pub fn text(self) -> Box<str> {
        match self {
            Self::Unrestricted => Self::UNRESTRICTED.into(),
            Self::Entry(rule) => rule.to_string().into(),
            Self::NoEntry => Self::NO_ENTRY.into(),
        }
    }
}

/// The record of one call.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// Its id.
    pub id: RequestId,
    /// Its door.
    pub transport: Transport,
    /// When it arrived.
    pub arrived: Timestamp,
    /// How long it took, in microseconds.
    pub took_us: i64,
    /// Where it came from.
    pub peer: IpAddr,
    /// How that was found.
    pub found_by: FoundBy,
    /// What the key's IP list said, once it was asked.
    pub ip: Option<IpMatch>,
    /// Its row.
    pub row: Option<&'static Endpoint>,
    /// The key that it named.
    pub api_key: Option<ApiKey>,
    /// The key that was found.
    pub key: Option<(AccountId, KeyId)>,
    /// Whether its signature held.
    pub proven: bool,
    /// The client's clock minus ours, in microseconds; from its `timestamp`.
    pub clock_us: Option<i64>,
    /// What it weighed.
    pub used: Option<Used>,
    /// What a signature that did not hold was computed over, as its owner may see it.
    pub payload: Option<Box<str>>,
    /// How it ended.
    pub end: End,
}

impl CallRecord {
    /// The record of a call of which nothing is known yet but where it came from.
    const fn opened(id: RequestId, arrived: Timestamp, source: Source) -> Self {
        Self {
            id,
            transport: Transport::Rest,
            arrived,
            took_us: 0,
            peer: source.address,
            found_by: source.found_by,
            ip: None,
            row: None,
            api_key: None,
            key: None,
            proven: false,
            clock_us: None,
            used: None,
            payload: None,
            end: End::ClientGone,
        }
    }

    /// How the caller's address was found.
    pub const fn found_by(&self) -> &'static str {
        self.found_by.name()
    }
}

/// Collects a call's record and hands it over when the call ends, even when it is dropped half way.
pub struct Trail {
    recorder: Arc<dyn Recorder>,
    clock: Arc<dyn Clock>,
    record: CallRecord,
    /// The unit of times in the answer.
    pub unit: TimeUnit,
    /// How the call's verification is paid for.
    pub(crate) verification: Verification,
    submitted: bool,
    finished: bool,
}

impl Trail {
    /// Opens the trail of a call that has just arrived.
    pub fn open(recorder: Arc<dyn Recorder>, clock: Arc<dyn Clock>, id: RequestId, source: Source) -> Self {
        let record = CallRecord::opened(id, clock.now(), source);
        Self {
            recorder,
            clock,
            record,
            unit: TimeUnit::default(),
            verification: Verification::None,
            submitted: false,
            finished: false,
        }
    }

    /// The call's id.
    pub fn id(&self) -> RequestId {
        self.record.id
    }

    /// When the call arrived.
    pub fn arrived(&self) -> Timestamp {
        self.record.arrived
    }

    /// The row, once found.
    pub fn row(&self) -> Option<&'static Endpoint> {
        self.record.row
    }

    /// Where the call came from.
    pub(crate) fn peer(&self) -> IpAddr {
        self.record.peer
    }

    /// The key that the call named.
    pub(crate) fn api_key(&self) -> Option<ApiKey> {
        self.record.api_key
    }

    /// The key that was found.
    pub(crate) fn key(&self) -> Option<KeyId> {
        self.record.key.map(|(_, key)| key)
    }

    /// The account of the key that was found.
    pub(crate) fn account(&self) -> Option<AccountId> {
        self.record.key.map(|(account, _)| account)
    }

    /// Whether the signature held.
    pub(crate) fn is_proven(&self) -> bool {
        self.record.proven
    }

    /// What was charged.
    pub fn used(&self) -> Option<Used> {
        self.record.used
    }

    /// The client's clock minus ours in microseconds, once the signature held.
    pub fn proven_clock_us(&self) -> Option<i64> {
        self.record.clock_us.filter(|_| self.record.proven)
    }

    pub(crate) fn routed(&mut self, row: &'static Endpoint) {
        self.record.row = Some(row);
    }

    pub(crate) fn charged(&mut self, used: Used) {
        self.record.used = Some(used);
    }

    pub(crate) fn named(&mut self, api_key: ApiKey) {
        self.record.api_key = Some(api_key);
    }

    pub(crate) fn known(&mut self, account: AccountId, key: KeyId) {
        self.record.key = Some((account, key));
    }

    pub(crate) fn placed(&mut self, ip: IpMatch) {
        self.record.ip = Some(ip);
    }

    pub(crate) fn timed(&mut self, clock_us: i64) {
        self.record.clock_us = Some(clock_us);
    }

    /// Keeps what a signature that did not hold was computed over, as its owner may see it.
    pub(crate) fn unproven(&mut self, shown: Box<str>) {
        self.record.payload = Some(shown);
    }

    pub(crate) fn proven(&mut self) {
        self.record.proven = true;
    }

    /// Notes that a call whose head arrived before is there whole: it arrives now.
    pub fn whole(&mut self) {
        self.record.arrived = self.clock.now();
    }

    /// Notes that the call was handed to the venue: from here on silence is an unknown outcome.
    pub fn submitted(&mut self) {
        self.submitted = true;
    }

    /// Records the end.
    pub fn finish(mut self, outcome: Outcome) {
        self.close(match outcome {
            Outcome::Answered(_) => End::Answered,
            Outcome::Rejected(rejection) => End::Rejected(rejection),
            Outcome::Unknown => End::Unknown,
        });
    }

    /// Hands the record over; whatever comes later is nobody's.
    fn close(&mut self, end: End) {
        if !self.finished {
            self.finished = true;
            self.record.end = end;
            self.record.took_us = self.clock.now().micros_since(self.record.arrived);
            let CallRecord { id, arrived, peer, found_by, .. } = self.record;
            let left = CallRecord::opened(id, arrived, Source { address: peer, found_by });
            self.recorder.record(std::mem::replace(&mut self.record, left));
        }
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        self.close(if self.submitted { End::Unknown } else { End::ClientGone });
    }
}

//! Call records as they are kept and shown: what an owner may read about one call.
//!
//! A [`CallRecord`] is what the line leaves behind. A [`CallEntry`] is the same without ties to the running program:
//! names instead of rows, texts instead of reasons. It holds no secret, no signature, and the signed payload of a
//! refused signature alone, shortened and without the values of secret parameters.

pub mod columns;
pub mod csv;
pub mod sheet;

use std::net::IpAddr;

use latchkey_protocol::catalog::Budget;
use latchkey_protocol::{AccountId, KeyId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::call::RequestId;
use crate::trail::{CallRecord, End, IpMatch};

/// One kept call, or several that are told together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CallEntry {
    /// Its id, as `x-mbx-uuid` told it.
    pub id: RequestId,
    /// When it arrived.
    pub at: Timestamp,
    /// How long it took, in microseconds.
    pub took_us: i64,
    /// Whose key it named.
    pub account: AccountId,
    /// Which key.
    pub key: KeyId,
    /// The request's method.
    pub method: Box<str>,
    /// The route, as the contract writes it.
    pub path: Box<str>,
    /// Where it came from.
    pub source: IpAddr,
    /// How that address was found.
    pub found_by: Box<str>,
    /// The entry of the key's IP list that let it in, [`IpMatch::NO_ENTRY`], [`IpMatch::UNRESTRICTED`], or nothing
    /// when the call ended before the list was asked.
    pub ip_entry: Option<Box<str>>,
    /// Whether its signature held.
    pub proven: bool,
    /// Whether its route changes something.
    pub changes_state: bool,
    /// The client's clock minus ours, in microseconds.
    pub clock_us: Option<i64>,
    /// What it weighed.
    pub used: Option<UsedEntry>,
    /// How it ended.
    pub end: EntryEnd,
    /// How many calls this entry stands for: more than one where unproven calls are told together.
    pub count: u32,
}

/// The weight of a call and what its window holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UsedEntry {
    /// Where it was counted: `ip`, `sapi-ip` or `sapi-uid`.
    pub budget: Box<str>,
    /// The weight of this call.
    pub weight: u32,
    /// The weight used in the window, this call included.
    pub used: u32,
    /// The weight that the window holds at most; records of format 1 do not tell.
    pub allowed: Option<u32>,
}

/// How a kept call ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum EntryEnd {
    /// Answered.
    Answered,
    /// Refused.
    Rejected(Box<RefusalEntry>),
    /// The venue did not answer: whether it acted must be asked.
    Unknown,
    /// The caller went away before the call was handed over.
    ClientGone,
}

impl EntryEnd {
    /// The short name, as queries and exports spell it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Rejected(_) => "rejected",
            Self::Unknown => "unknown",
            Self::ClientGone => "client-gone",
        }
    }
}

/// Why a call was refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RefusalEntry {
    /// Where on the line.
    pub stage: Box<str>,
    /// The exact reason's name.
    pub reason: Box<str>,
    /// The code that the caller was told.
    pub code: i32,
    /// The message that the caller was told.
    pub told: Box<str>,
    /// What the owner is told: the exact reason with what the server saw.
    pub explanation: Box<str>,
    /// What the signature was computed over, of a signature that did not hold.
    pub payload: Option<Box<str>>,
}

impl CallEntry {
    /// The entry of a record; `None` when the call named no key that exists, so that it has no owner.
    pub fn of(record: &CallRecord) -> Option<Self> {
        let (account, key) = record.key?;
        let (method, path) = record.row.map_or(("", ""), |row| (row.method.as_str(), row.path));
        Some(Self {
            id: record.id,
            at: record.arrived,
            took_us: record.took_us,
            account,
            key,
            method: method.into(),
            path: path.into(),
            source: record.peer,
            found_by: record.found_by().into(),
            ip_entry: record.ip.map(IpMatch::text),
            proven: record.proven,
            changes_state: record.row.is_some_and(|row| row.changes_state),
            clock_us: record.clock_us,
            used: record.used.map(|used| UsedEntry {
                budget: budget_name(used.budget).into(),
                weight: used.weight,
                used: used.used,
                allowed: Some(used.limit),
            }),
            end: end(record),
            count: 1,
        })
    }

    /// An entry that stands for `count` further calls like `self`, from whatever address.
    pub fn summary(&self, count: u32) -> Self {
        Self { count, ..self.clone() }
    }
}

fn end(record: &CallRecord) -> EntryEnd {
    match &record.end {
        End::Answered => EntryEnd::Answered,
        End::Unknown => EntryEnd::Unknown,
        End::ClientGone => EntryEnd::ClientGone,
        End::Rejected(rejection) => {
            let family = record.row.map_or(latchkey_protocol::catalog::Family::Api, |row| row.family);
            let told = rejection.error(family);
            EntryEnd::Rejected(Box::new(RefusalEntry {
                stage: rejection.stage.as_str().into(),
                reason: rejection.name().into(),
                code: told.row.code,
                told: told.message().into(),
                explanation: rejection.explain(record).into(),
                payload: record.payload.clone(),
            }))
        }
    }
}

/// A budget as records spell it.
pub const fn budget_name(budget: Budget) -> &'static str {
    match budget {
        Budget::Ip => "ip",
        Budget::SapiIp => "sapi-ip",
        Budget::SapiUid => "sapi-uid",
    }
}

/// What to look for among an owner's calls. Absent parts match everything.
#[derive(Clone, PartialEq, Debug)]
pub struct CallQuery {
    /// Whose calls; nobody else's are ever found.
    pub account: AccountId,
    /// Of this key.
    pub key: Option<KeyId>,
    /// Not earlier than this.
    pub from: Option<Timestamp>,
    /// Earlier than this.
    pub until: Option<Timestamp>,
    /// On this route.
    pub path: Option<Box<str>>,
    /// With this end, as [`EntryEnd::name`] spells it, or this exact reason.
    pub outcome: Option<Box<str>>,
    /// From this address.
    pub source: Option<IpAddr>,
    /// With this id.
    pub id: Option<RequestId>,
    /// Older than this one: where the page before ended.
    pub before: Option<Cursor>,
    /// At most so many, 1 to [`PAGE_MAX`].
    pub limit: usize,
}

/// The most entries of one page; what is asked for over the network is bounded by [`ASKED_MAX`].
pub const PAGE_MAX: usize = 1 << 14;

/// The most entries that one request is answered with.
pub const ASKED_MAX: usize = 1000;

impl CallQuery {
    /// Every call of `account`, one page of it.
    pub const fn of(account: AccountId) -> Self {
        Self {
            account,
            key: None,
            from: None,
            until: None,
            path: None,
            outcome: None,
            source: None,
            id: None,
            before: None,
            limit: 100,
        }
    }

    /// Whether `entry` is one that is looked for.
    pub fn matches(&self, entry: &CallEntry) -> bool {
        entry.account == self.account
            && self.key.is_none_or(|key| key == entry.key)
            && self.from.is_none_or(|from| entry.at >= from)
            && self.until.is_none_or(|until| entry.at < until)
            && self.path.as_ref().is_none_or(|path| *path == entry.path)
            && self.outcome.as_ref().is_none_or(|outcome| has_outcome(entry, outcome))
            && self.source.is_none_or(|source| source == entry.source)
            && self.id.is_none_or(|id| id == entry.id)
            && self.before.is_none_or(|before| Cursor::of(entry) < before)
    }
}

fn has_outcome(entry: &CallEntry, outcome: &str) -> bool {
    match &entry.end {
        EntryEnd::Rejected(refusal) if &*refusal.reason == outcome => true,
        end => end.name() == outcome,
    }
}

/// A place in an owner's calls, which are told newest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cursor {
    /// When the call arrived.
    pub at: Timestamp,
    /// Which of those of the same moment.
    pub id: RequestId,
}

impl Cursor {
    /// The place of `entry`.
    pub const fn of(entry: &CallEntry) -> Self {
        Self { at: entry.at, id: entry.id }
    }

    /// The text for the wire: microseconds, a dot, the id.
    pub fn text(self) -> String {
        format!("{}.{}", self.at.as_micros(), self.id)
    }

    /// Reads what [`Cursor::text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('.')?;
        Some(Self { at: Timestamp::from_micros(at.parse().ok()?), id: RequestId::parse(id)? })
    }
}

/// One page of an owner's calls, newest first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CallPage {
    /// The entries.
    pub entries: Vec<CallEntry>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<Cursor>,
}

//! The permit: proof that a call passed every check, and the last question before a venue acts.

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_authority::policy::ReplayRule;
use latchkey_protocol::catalog::{Arguments, Endpoint};
use latchkey_protocol::{PermissionSet, RecvWindow, RiskPath, TimeUnit, Timestamp, TradingAccount};

use crate::call::RequestId;
use crate::live::{KeyState, LiveKey, Scheme};
use crate::replay::{Once, Replay};
use crate::{Reason, Rejection, Stage};

/// How far ahead of the server a `timestamp` may not be, in microseconds: one second.
pub const AHEAD_MAX_US: i64 = 1_000_000;

/// `timestamp` and `recvWindow` of a signed call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// The client's time.
    pub timestamp: Timestamp,
    /// How long the call stays valid.
    pub recv_window: RecvWindow,
}

impl Window {
    /// Accepts when `timestamp` is less than one second ahead of `now` and at most `recvWindow` behind it.
    /// Source: REST API, "Timing security".
    ///
    /// # Errors
    /// The reason, with the distance.
    pub fn check(&self, now: Timestamp) -> Result<(), Reason> {
        let behind_us = now.micros_since(self.timestamp);
        if behind_us <= -AHEAD_MAX_US {
            return Err(Reason::TimestampAhead { ahead_us: behind_us.saturating_neg() });
        }
        self.check_age(now)
    }

    /// When it closes.
    pub(crate) fn end(&self) -> Timestamp {
        self.timestamp.plus_micros(self.recv_window.as_micros())
    }

    fn check_age(&self, now: Timestamp) -> Result<(), Reason> {
        let behind_us = now.micros_since(self.timestamp);
        if behind_us > self.recv_window.as_micros() { Err(Reason::TimestampTooOld { behind_us }) } else { Ok(()) }
    }
}

/// What is asked of a signed call once more.
pub(crate) struct Signed {
    pub(crate) scheme: Scheme,
    pub(crate) window: Window,
    /// Whether everything that was stamped when the call was is remembered.
    pub(crate) remembered: bool,
    /// The right to act once; absent when the memory had no place for it.
    pub(crate) once: Option<Once>,
}

impl Signed {
    /// Uses the signature up, whatever the rule is; refuses a spent one where the call may act only once.
    fn take(&self, row: &Endpoint, rule: ReplayRule) -> Result<(), Reason> {
        let taken = self.once.as_ref().map(Once::take);
        match taken {
            _ if !Replay::acts_once(rule, row) => Ok(()),
            _ if !self.remembered => Err(Reason::StampedBeforeStart),
            None => Err(Reason::ReplayMemoryFull),
            Some(taken) => taken.map_err(|spent| spent.reason(row)),
        }
    }
}

/// The key behind a call, with what it was allowed when the call was judged.
#[derive(Clone)]
pub struct Holder {
    key: Arc<LiveKey>,
    state: Arc<KeyState>,
    key_generation: u64,
    account_generation: u64,
}

impl Holder {
    pub(crate) fn new(key: Arc<LiveKey>, state: Arc<KeyState>, key_generation: u64, account_generation: u64) -> Self {
        Self { key, state, key_generation, account_generation }
    }

    /// Judges the call by the state in force now, when it is another than the one seen before. Returns the rule about
    /// repetitions that is in force.
    fn judge_again(&self, call: &Call, scheme: Option<Scheme>, now: Timestamp) -> Result<ReplayRule, Reason> {
        let unchanged =
            self.key.generation() == self.key_generation && self.key.account.generation() == self.account_generation;
        if unchanged {
            return self.state.alive(now).map(|()| self.state.replay);
        }
        let state = self.key.state();
        state.alive(now)?;
        state.placed(call.peer)?;
        if (state.trading, state.risk) != (self.state.trading, self.state.risk) {
            return Err(Reason::WalletChanged);
        }
        scheme.map_or(Ok(()), |scheme| state.accepts(scheme))?;
        state.permitted(call.row)?;
        state.tradable(call.row, call.arguments.symbol("symbol"))?;
        Ok(state.replay)
    }

    /// The key.
    pub fn key(&self) -> &LiveKey {
        &self.key
    }

    /// The wallet that the call reads and trades; another one at the hand-over refuses the call.
    pub fn trading(&self) -> TradingAccount {
        self.state.trading
    }

    /// Which margin checks its orders meet.
    pub fn risk(&self) -> RiskPath {
        self.state.risk
    }

    /// The permissions that were in force.
    pub fn permissions(&self) -> PermissionSet {
        self.state.permissions
    }
}

/// An admitted call: everything that a venue needs to answer it.
pub struct Call {
    /// Its id.
    pub id: RequestId,
    /// Its row.
    pub row: &'static Endpoint,
    /// Its parameters, parsed.
    pub arguments: Arguments,
    /// The unit of times in its answer.
    pub unit: TimeUnit,
    /// Where it came from.
    pub peer: IpAddr,
    /// When it arrived.
    pub arrived: Timestamp,
    /// Its key; none on public endpoints.
    pub holder: Option<Holder>,
}

/// Proof that a call passed the line. A venue accepts nothing else.
pub struct Permit {
    call: Call,
    signed: Option<Signed>,
}

impl Permit {
    pub(crate) fn new(call: Call, signed: Option<Signed>) -> Self {
        Self { call, signed }
    }

    /// The call.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// The last question, asked by the venue in the instant before it acts: is the call still in time, and does the
    /// key still allow it? A key or account that changed since the call was judged is judged again, by the state in
    /// force now. The signature is used up here, so that what was refused before may be sent again unchanged. **This is
    /// the moment of admission.**
    ///
    /// # Errors
    /// `-1021`, `-2015`, `-1022` when the key no longer accepts the scheme, or `-2010` and `-1020` for a signature that
    /// was used, with the exact reason.
    pub fn hand_over(self, now: Timestamp) -> Result<Call, Rejection> {
        let refuse = |reason| Rejection::new(Stage::HandOver, reason);
        if let Some(signed) = &self.signed {
            signed.window.check_age(now).map_err(refuse)?;
        }
        if let Some(holder) = &self.call.holder {
            let scheme = self.signed.as_ref().map(|signed| signed.scheme);
            let rule = holder.judge_again(&self.call, scheme, now).map_err(refuse)?;
            if let Some(signed) = &self.signed {
                signed.take(self.call.row, rule).map_err(refuse)?;
            }
        }
        Ok(self.call)
    }
}

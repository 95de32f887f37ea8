//! One call from the first byte to a certain outcome, as a state machine without I/O.
//!
//! ```text
//!            ┌─ measure the clock ◄─── -1021, once ───┐
//!   begin ───┤                                        │
//!            └─► send the request ──► reply ──────────┤
//!                   ▲    ▲              ├─ 2xx ──────► answered
//!                   │    └── wait ◄─────┤ 429, 418, 503 that say "not executed"; no connection;
//!                   │                   │ a read without a certain answer
//!                   │                   ├─ a refusal ► refused
//!                   │                   └─ a change without a certain answer:
//!                   │                        an order ──► query it ──► found ► answered
//!                   │                        anything else ► unknown ▲ │
//!                   │                                                │ └─ not there, window open:
//!                   │                                                └─── wait, ask the venue for its time
//!                   └─ not there, and by the venue's own clock the window was over before the query left
//! ```
//!
//! A change is sent again only when it is certain that it was not executed: the venue said so, no connection was
//! made, or the venue has no such order after it can no longer admit the request. That moment is read off the
//! venue's clock alone: a request whose timestamp is ahead stays good for longer than this machine would think.
//! Attempts and waiting are bounded by [`Limits`]; when they are used up the call ends with the best that is known.

use core::time::Duration;

use latchkey_protocol::{RecvWindow, Timestamp};

use crate::clock::ServerClock;
use crate::outcome::{Answer, Cause, Outcome, Refusal, Unknown};
use crate::placement::Placement;
use crate::request::{Proof, Request};
use crate::timing::Moment;
use crate::transport::{Reply, TransportError};
use crate::verdict::{Verdict, judge};

/// How far a call goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The most requests that one call may send; measurements for a timestamp (at most two) are not counted.
    pub sends_max: u32,
    /// A request that could not be sent for want of a connection is tried again up to this attempt, counted like
    /// `sends_max`; 1 fails at once.
    pub connects_max: u32,
    /// The most time that one call may spend waiting between them.
    pub wait_max: Duration,
    /// The first wait where the venue names none; it doubles each time.
    pub backoff_first: Duration,
    /// The longest wait where the venue names none.
    pub backoff_max: Duration,
    /// Added to an order's window before a venue without it is taken to never have it: the time that the venue may
    /// need from its last look at the clock to a book in which the order is found.
    pub settle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sends_max: 10,
            connects_max: 4,
            wait_max: Duration::from_secs(60),
            backoff_first: Duration::from_millis(500),
            backoff_max: Duration::from_secs(10),
            settle: Duration::from_secs(2),
        }
    }
}

/// A way of signing requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Scheme {
    /// `timestamp` and `signature` among the parameters.
    #[default]
    Compatible,
    /// Message signatures (RFC 9421), which cover method, recipient and route too.
    Message9421,
}

/// How calls are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Bounds of one call.
    pub limits: Limits,
    /// How signed requests are signed.
    pub scheme: Scheme,
    /// Sent as `recvWindow` with signed requests that name none; `None` leaves the venue's default of 5000 ms.
    pub recv_window: Option<RecvWindow>,
    /// Measures the venue's clock before the first signed request instead of only when a timestamp is refused.
    pub measure_first: bool,
}

/// What happened since the last step.
#[derive(Clone, Debug)]
pub enum Input {
    /// The call begins.
    Begin,
    /// What was sent came back with an answer.
    Reply(Reply),
    /// What was sent came back with none.
    Lost(TransportError),
    /// The wait is over.
    Woken,
}

/// What to do next.
#[derive(Clone, Debug)]
pub enum Output {
    /// Seal this request with this timestamp, send it once, and step with what comes back.
    Send(Request, Timestamp),
    /// Wait, then step with [`Input::Woken`].
    Wait(Duration),
    /// The call is over.
    Done(Result<Outcome, NotSent>),
}

/// Nothing of the request ever left: no connection could be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the request was not sent")]
pub struct NotSent(#[source] pub TransportError);

/// The state machine of one call.
#[derive(Debug)]
pub struct Call {
    request: Request,
    placement: Option<Placement>,
    policy: Policy,
    clock: ServerClock,
    signed: bool,
    dice: Dice,
    state: State,
    sends: u32,
    failures: u32,
    waited: Duration,
    /// The clock was measured after a `-1021` of this call.
    refreshed: bool,
    /// The request was sent again after a query did not find it.
    resent: bool,
    /// When the request was last sent, and the timestamp it carried.
    sent_at: Duration,
    timestamp: Timestamp,
    /// The venue's clock was past the window of what was last sent.
    closed: bool,
    /// Why the outcome of the last sending is unknown.
    doubt: Option<Cause>,
}

#[derive(Clone, Debug)]
enum State {
    New,
    Measuring { since: Moment, then: Goal, refusal: Option<Refusal> },
    Sent(Goal),
    Waiting(Goal),
    Over,
}

/// What is to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Goal {
    /// The request itself.
    Request,
    /// The query for the order whose answer was lost.
    Query,
    /// The venue's time, to see whether the order's window is over.
    Settle,
}

impl Call {
    /// Prepares a call. `placement` comes from [`crate::placement::prepare`], `clock` from the calls before, `seed`
    /// is random and spreads the waits; `signed` says whether the request will carry a timestamp made here.
    pub fn new(
        request: Request,
        placement: Option<Placement>,
        policy: Policy,
        clock: ServerClock,
        has_credentials: bool,
        seed: u64,
    ) -> Self {
        let signed = request.proof(has_credentials) == Proof::Signed && request.value("timestamp").is_none();
        Self {
            request,
            placement,
            policy,
            clock,
            signed,
            dice: Dice(seed),
            state: State::New,
            sends: 0,
            failures: 0,
            waited: Duration::ZERO,
            refreshed: false,
            resent: false,
            sent_at: Duration::ZERO,
            timestamp: Timestamp::default(),
            closed: false,
            doubt: None,
        }
    }

    /// The clock as this call knows it; the next call starts with it.
    pub fn clock(&self) -> ServerClock {
        self.clock
    }

    /// Takes one step.
    ///
    /// # Panics
    /// When the input does not answer the output before: a fault of the driver.
    pub fn step(&mut self, now: Moment, input: Input) -> Output {
        match (core::mem::replace(&mut self.state, State::Over), input) {
            (State::New, Input::Begin) if self.policy.measure_first && self.signed && !self.clock.is_measured() => {
                self.measure(now, Goal::Request, None)
            }
            (State::New, Input::Begin) => self.send(now, Goal::Request),
            (State::Waiting(goal), Input::Woken) => self.send(now, goal),
            (State::Measuring { since, then, refusal }, Input::Reply(reply)) => {
                match server_time(&reply) {
                    Some(server) => self.clock.measure(since, now, server),
                    None => {
                        if let Some(refusal) = refusal {
                            return self.conclude(then, Cause::Said(refusal));
                        }
                    }
                }
                self.send(now, then)
            }
            (State::Measuring { then, refusal, .. }, Input::Lost(_)) => match refusal {
                Some(refusal) => self.conclude(then, Cause::Said(refusal)),
                None => self.send(now, then),
            },
            (State::Sent(Goal::Request), Input::Reply(reply)) => self.answered(now, reply),
            (State::Sent(Goal::Request), Input::Lost(error)) => self.lost(now, error),
            (State::Sent(Goal::Query), Input::Reply(reply)) => self.query_answered(now, reply),
            (State::Sent(Goal::Settle), Input::Reply(reply)) => self.settle_answered(now, reply),
            (State::Sent(goal), Input::Lost(error)) => self.retry(now, goal, None, Cause::Lost(error)),
            (state, input) => panic!("a call in state {state:?} cannot take {input:?}"),
        }
    }

    fn answered(&mut self, now: Moment, reply: Reply) -> Output {
        if is_success(&reply) {
            return Output::Done(Ok(Outcome::Answered(answer(reply, false))));
        }
        let refusal = Refusal::read(reply);
        match judge(&refusal) {
            Verdict::Busy => self.back_off(now, Goal::Request, refusal),
            Verdict::ClockOff if self.signed && !self.refreshed => self.refresh(now, Goal::Request, refusal),
            Verdict::Uncertain if self.request.changes_state() => self.doubt(now, Cause::Said(refusal)),
            Verdict::Uncertain => self.retry(now, Goal::Request, refusal.retry_after_s, Cause::Said(refusal)),
            // What was sent before arrived after all.
            Verdict::Duplicate if self.resent => self.doubt(now, Cause::Said(refusal)),
            Verdict::ClockOff | Verdict::Duplicate | Verdict::NoSuchOrder | Verdict::Refused => {
                Output::Done(Ok(Outcome::Refused(refusal)))
            }
        }
    }

    fn lost(&mut self, now: Moment, error: TransportError) -> Output {
        match error {
            TransportError::NotSent(_) if self.sends >= self.policy.limits.connects_max => {
                self.conclude(Goal::Request, Cause::Lost(error))
            }
            TransportError::NotSent(_) => self.retry(now, Goal::Request, None, Cause::Lost(error)),
            _ if self.request.changes_state() => self.doubt(now, Cause::Lost(error)),
            TransportError::NoAnswer(_) => self.retry(now, Goal::Request, None, Cause::Lost(error)),
            TransportError::TooLarge { .. } => self.unknown(Cause::Lost(error)),
        }
    }

    fn query_answered(&mut self, now: Moment, reply: Reply) -> Output {
        if is_success(&reply) {
            return Output::Done(Ok(Outcome::Answered(answer(reply, true))));
        }
        let refusal = Refusal::read(reply);
        match judge(&refusal) {
            Verdict::NoSuchOrder if self.closed => self.resend(now, refusal),
            Verdict::NoSuchOrder => {
                let rest = (self.sent_at + self.open_for()).saturating_sub(now.elapsed);
                self.wait(now, Goal::Settle, rest, Cause::Said(refusal))
            }
            Verdict::Busy => self.back_off(now, Goal::Query, refusal),
            Verdict::ClockOff if !self.refreshed => self.refresh(now, Goal::Query, refusal),
            Verdict::Uncertain => self.retry(now, Goal::Query, refusal.retry_after_s, Cause::Said(refusal)),
            Verdict::ClockOff | Verdict::Duplicate | Verdict::Refused => self.unknown(Cause::Said(refusal)),
        }
    }

    /// The venue told its time, which was at most what it is now: a query that leaves from here on sees everything
    /// that the venue could still have admitted when that time is past the window.
    fn settle_answered(&mut self, now: Moment, reply: Reply) -> Output {
        let Some(server) = server_time(&reply) else {
            let refusal = Refusal::read(reply);
            return self.retry(now, Goal::Settle, refusal.retry_after_s, Cause::Said(refusal));
        };
        let rest = self.timestamp.plus_micros(in_micros(self.open_for())).micros_since(server);
        self.closed = rest <= 0;
        let cause = Cause::Said(Refusal::read(reply));
        match u64::try_from(rest) {
            Ok(rest) if rest > 0 => self.wait(now, Goal::Settle, Duration::from_micros(rest), cause),
            _ => self.wait(now, Goal::Query, Duration::ZERO, cause),
        }
    }

    /// How long after its timestamp an order may still appear.
    fn open_for(&self) -> Duration {
        let window = self.request.recv_window(self.policy.recv_window).as_micros();
        Duration::from_micros(u64::try_from(window).unwrap_or(0)) + self.policy.limits.settle
    }

    /// The request may have been executed: from here it is only queried.
    fn doubt(&mut self, now: Moment, cause: Cause) -> Output {
        self.doubt = Some(cause.clone());
        if self.placement.is_none() {
            return self.unknown(cause);
        }
        self.wait(now, Goal::Query, Duration::ZERO, cause)
    }

    /// The venue has no such order, and can no longer admit the request that was lost.
    fn resend(&mut self, now: Moment, refusal: Refusal) -> Output {
        if self.sends >= self.policy.limits.sends_max {
            return self.unknown(Cause::Said(refusal));
        }
        self.doubt = None;
        self.closed = false;
        self.resent = true;
        self.send(now, Goal::Request)
    }

    fn refresh(&mut self, now: Moment, then: Goal, refusal: Refusal) -> Output {
        self.refreshed = true;
        self.measure(now, then, Some(refusal))
    }

    fn measure(&mut self, now: Moment, then: Goal, refusal: Option<Refusal>) -> Output {
        self.state = State::Measuring { since: now, then, refusal };
        Output::Send(Request::time(), now.wall)
    }

    fn send(&mut self, now: Moment, goal: Goal) -> Output {
        self.sends += 1;
        self.state = State::Sent(goal);
        let timestamp = self.clock.read(now.wall);
        match (goal, &self.placement) {
            (Goal::Settle, _) => Output::Send(Request::time(), timestamp),
            (Goal::Query, Some(placement)) => Output::Send(placement.find.clone(), timestamp),
            (Goal::Request | Goal::Query, _) => {
                self.sent_at = now.elapsed;
                let own = self.request.value("timestamp").and_then(|text| text.parse().ok());
                self.timestamp = own.map_or(timestamp, Timestamp::from_wire);
                Output::Send(self.request.clone(), timestamp)
            }
        }
    }

    /// The venue said "not now", and when: `Retry-After`. A ban without an end is not waited for.
    fn back_off(&mut self, now: Moment, goal: Goal, refusal: Refusal) -> Output {
        let after = refusal.retry_after_s;
        if refusal.status == 418 && after.is_none() {
            return self.conclude(goal, Cause::Said(refusal));
        }
        self.retry(now, goal, after, Cause::Said(refusal))
    }

    fn retry(&mut self, now: Moment, goal: Goal, after_s: Option<u32>, cause: Cause) -> Output {
        let own = self.backoff();
        let wait = after_s.map_or(own, |s| Duration::from_secs(s.into()) + self.dice.up_to(SPREAD)).max(own);
        self.failures = self.failures.saturating_add(1);
        self.wait(now, goal, wait, cause)
    }

    fn wait(&mut self, now: Moment, goal: Goal, wait: Duration, cause: Cause) -> Output {
        let limits = self.policy.limits;
        if self.sends >= limits.sends_max || self.waited.saturating_add(wait) > limits.wait_max {
            return self.conclude(goal, cause);
        }
        if wait.is_zero() {
            return self.send(now, goal);
        }
        self.waited += wait;
        self.state = State::Waiting(goal);
        Output::Wait(wait)
    }

    /// Doubles with every failure, and is spread over its upper half, so that callers who failed together do not
    /// return together.
    fn backoff(&mut self) -> Duration {
        let limits = self.policy.limits;
        let doubled = limits.backoff_first.saturating_mul(1 << self.failures.min(16));
        let half = doubled.min(limits.backoff_max) / 2;
        half + self.dice.up_to(half)
    }

    fn conclude(&mut self, goal: Goal, cause: Cause) -> Output {
        match cause {
            cause if goal != Goal::Request => self.unknown(cause),
            Cause::Said(refusal) => Output::Done(Ok(Outcome::Refused(refusal))),
            Cause::Lost(error @ TransportError::NotSent(_)) => Output::Done(Err(NotSent(error))),
            cause @ Cause::Lost(_) => self.unknown(cause),
        }
    }

    /// Ends without knowing. The first reason to doubt says more than why asking did not help.
    fn unknown(&mut self, cause: Cause) -> Output {
        let client_order_id = self.placement.as_ref().map(|placement| placement.client_order_id.clone());
        let cause = self.doubt.take().unwrap_or(cause);
        Output::Done(Ok(Outcome::Unknown(Unknown { cause, client_order_id })))
    }
}

/// Added at random to a wait that the venue named.
const SPREAD: Duration = Duration::from_millis(250);

/// A small generator (SplitMix64) for spreading waits; nothing secret comes from it.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(mixed % micros.saturating_add(1))
    }
}

fn in_micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn is_success(reply: &Reply) -> bool {
    (200..300).contains(&reply.status)
}

fn answer(reply: Reply, found_by_query: bool) -> Answer {
    Answer { status: reply.status, headers: reply.headers, body: reply.body, found_by_query }
}

fn server_time(reply: &Reply) -> Option<Timestamp> {
    let body: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
    let time = body.get("serverTime")?.as_i64().filter(|time| *time > 0 && is_success(reply))?;
    Some(Timestamp::from_wire(time))
}

//! The straight line of a request: [`Line::admit`] decides without a wait, [`Line::serve`] hands over and answers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use latchkey_admission::call::{RawCall, RequestIds, Source};
use latchkey_admission::limiter::Limiter;
use latchkey_admission::ports::{Clock, Keys, OpenMaterial, Recorder, Venue};
use latchkey_admission::replay::Replay;
use latchkey_admission::state::Routed;
use latchkey_admission::{Admission, Outcome, Permit, Rejection, Rules, Trail, check};
use latchkey_protocol::catalog::Catalog;
use latchkey_protocol::code::ApiError;

use crate::respond::{Reply, respond};

/// How long a venue may stay silent before the outcome is unknown.
/// Source: REST API, "Timing security": ten seconds.
const VENUE_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything that the line asks.
pub struct Parts {
    /// What may be called.
    pub catalog: Catalog,
    /// The live keys.
    pub keys: Arc<dyn Keys>,
    /// Opens key material on first use.
    pub opener: Arc<dyn OpenMaterial>,
    /// The numbers in force.
    pub rules: Rules,
    /// Counts weight.
    pub limiter: Arc<Limiter>,
    /// Remembers signatures.
    pub replay: Arc<Replay>,
    /// Where admitted calls go.
    pub venue: Arc<dyn Venue>,
    /// Takes the record of every call.
    pub recorder: Arc<dyn Recorder>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Names requests.
    pub ids: RequestIds,
}

/// The line, shared by every connection.
pub struct Line {
    parts: Parts,
}

impl Line {
    /// A line over its parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Whether `peer` may open one more connection.
    pub fn may_connect(&self, peer: IpAddr) -> bool {
        self.parts.limiter.connect(peer, self.parts.clock.now())
    }

    /// Takes a request from its bytes to its reply.
    pub async fn serve(&self, raw: RawCall<'_>) -> Reply {
        let mut trail = self.trail(raw.source());
        let admitted = self.admit(&raw, &mut trail);
        self.answer(&raw, admitted, trail).await
    }

    /// Takes the head of a request whose body is still to come: its address pays now, whatever becomes of the body, and
    /// what the head alone decides is decided. `head` has an empty body. [`Line::serve_whole`] goes on with the trail.
    ///
    /// # Errors
    /// A refusal that needs no body.
    pub fn take_head(&self, head: &RawCall<'_>, t: &mut Trail) -> Result<(), Rejection> {
        let routed = self.route(head, t)?;
        self.parts.limiter.arrive_head(&routed, t)?;
        check::head(&routed)
    }

    /// Takes a request whose head was taken before to its reply.
    pub async fn serve_whole(&self, raw: RawCall<'_>, mut trail: Trail) -> Reply {
        let Parts { catalog, limiter, .. } = &self.parts;
        trail.whole();
        let admitted = check::route(&raw, catalog, &mut trail).and_then(|routed| {
            limiter.arrive_whole(&routed, &mut trail)?;
            self.judge(routed, &mut trail)
        });
        self.answer(&raw, admitted, trail).await
    }

    /// The reply to a request that cannot be read; it costs its address one.
    pub fn unreadable(&self, source: Source, path: &str, error: ApiError) -> Reply {
        let Parts { limiter, .. } = &self.parts;
        let mut trail = self.trail(source);
        let counted = limiter
            .admit(source.address, path, trail.arrived())
            .and_then(|()| limiter.arrive_unrouted(source.address, path, &mut trail));
        finish(Outcome::Rejected(counted.err().unwrap_or_else(|| Rejection::unreadable(error))), trail)
    }

    /// Ends a request of this head with a refusal.
    pub fn refuse(&self, head: &RawCall<'_>, rejection: Rejection, mut trail: Trail) -> Reply {
        check::owner(head, &rejection, self.parts.keys.as_ref(), &mut trail);
        finish(Outcome::Rejected(rejection), trail)
    }

    /// The trail of a request that has just arrived.
    pub fn trail(&self, source: Source) -> Trail {
        let parts = &self.parts;
        Trail::open(Arc::clone(&parts.recorder), Arc::clone(&parts.clock), parts.ids.next(), source)
    }

    /// Hands over what was admitted, and answers.
    async fn answer(&self, raw: &RawCall<'_>, admitted: Result<Permit, Rejection>, mut trail: Trail) -> Reply {
        let parts = &self.parts;
        let outcome = match admitted {
            Ok(permit) => match parts.venue.submit(permit) {
                Ok(ticket) => {
                    trail.submitted();
                    tokio::time::timeout(VENUE_TIMEOUT, ticket).await.unwrap_or(Outcome::Unknown)
                }
                Err(rejection) => Outcome::Rejected(rejection),
            },
            Err(rejection) => {
                check::owner(raw, &rejection, parts.keys.as_ref(), &mut trail);
                Outcome::Rejected(rejection)
            }
        };
        parts.limiter.settle(&outcome, &mut trail);
        finish(outcome, trail)
    }

    /// Decides. The first failing check names the answer.
    ///
    /// # Errors
    /// The refusal of the first check that fails.
    pub fn admit(&self, raw: &RawCall<'_>, t: &mut Trail) -> Result<Permit, Rejection> {
        let routed = self.route(raw, t)?;
        self.parts.limiter.arrive(&routed, t)?;
        self.judge(routed, t)
    }

    /// Refuses the banned, and finds the row; a call without one costs its address one.
    fn route<'a>(&self, raw: &'a RawCall<'a>, t: &mut Trail) -> Result<Admission<'a, Routed<'a>>, Rejection> {
        let Parts { catalog, limiter, .. } = &self.parts;
        limiter.admit(raw.peer, raw.path, t.arrived())?;
        match check::route(raw, catalog, t) {
            Ok(routed) => Ok(routed),
            Err(rejection) => {
                limiter.arrive_unrouted(raw.peer, raw.path, t)?;
                Err(rejection)
            }
        }
    }

    /// Everything behind the charge of the address.
    fn judge<'a>(&self, routed: Admission<'a, Routed<'a>>, t: &mut Trail) -> Result<Permit, Rejection> {
        let Parts { keys, opener, rules, limiter, replay, .. } = &self.parts;
        let shaped = check::shape(routed, rules, t)?;
        let known = check::key(shaped, keys.as_ref(), t)?;
        let placed = check::ip(known, t)?;
        let timely = check::timing(placed, replay, t)?;
        let ready = limiter.budget(timely, t)?;
        let proven = check::signature(ready, opener.as_ref(), replay, t);
        let proven = limiter.verified(proven, t)?;
        let granted = check::permission(proven)?;
        let whole = check::parameters(granted)?;
        let charged = limiter.charge(whole, t)?;
        let fresh = check::replay(charged)?;
        Ok(fresh.permit(t.id(), t.arrived()))
    }
}

fn finish(outcome: Outcome, trail: Trail) -> Reply {
    let reply = respond(&outcome, &trail);
    trail.finish(outcome);
    reply
}

//! The straight line of a request: [`Line::admit`] decides without a wait, [`Line::serve`] hands over and answers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use latchkey_admission::call::{RawCall, RequestIds, Source};
use latchkey_admission::limiter::Limiter;
use latchkey_admission::ports::{Clock, Keys, OpenMaterial, Recorder, Venue};
use latchkey_admission::replay::Replay;
use latchkey_admission::{Outcome, Permit, Rejection, Rules, Trail, check};
use latchkey_protocol::catalog::Catalog;

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

    /// The largest body that the row of a request takes; `None` when no row matches.
    pub fn body_max(&self, method: &str, path: &str) -> Option<usize> {
        let method = latchkey_protocol::catalog::Method::parse(method)?;
        match self.parts.catalog.find(method, path) {
            latchkey_protocol::catalog::Found::Endpoint(row) => Some(row.body_max),
            latchkey_protocol::catalog::Found::OtherMethod | latchkey_protocol::catalog::Found::Nothing => None,
        }
    }

    /// Whether `peer` may open one more connection.
    pub fn may_connect(&self, peer: IpAddr) -> bool {
        self.parts.limiter.connect(peer, self.parts.clock.now())
    }

    /// The reply to a caller that is banned, before its body is read; `None` for everyone else.
    pub fn turn_away(&self, source: Source, path: &str) -> Option<Reply> {
        let parts = &self.parts;
        let rejection = parts.limiter.admit(source.address, path, parts.clock.now()).err()?;
        let (recorder, clock) = (Arc::clone(&parts.recorder), Arc::clone(&parts.clock));
        let mut trail = Trail::open(recorder, clock, parts.ids.next(), source);
        let outcome = Outcome::Rejected(rejection);
        trail.finish(&outcome);
        Some(respond(&outcome, &trail))
    }

    /// Takes a request from its bytes to its reply.
    pub async fn serve(&self, raw: RawCall<'_>) -> Reply {
        let parts = &self.parts;
        let (recorder, clock) = (Arc::clone(&parts.recorder), Arc::clone(&parts.clock));
        let mut trail = Trail::open(recorder, clock, parts.ids.next(), raw.source());
        let outcome = match self.admit(&raw, &mut trail) {
            Ok(permit) => match parts.venue.submit(permit) {
                Ok(ticket) => {
                    trail.submitted();
                    tokio::time::timeout(VENUE_TIMEOUT, ticket).await.unwrap_or(Outcome::Unknown)
                }
                Err(rejection) => Outcome::Rejected(rejection),
            },
            Err(rejection) => {
                check::owner(&raw, &rejection, parts.keys.as_ref(), &mut trail);
                Outcome::Rejected(rejection)
            }
        };
        parts.limiter.settle(&outcome, &mut trail);
        trail.finish(&outcome);
        respond(&outcome, &trail)
    }

    /// Decides. The first failing check names the answer.
    ///
    /// # Errors
    /// The refusal of the first check that fails.
    pub fn admit(&self, raw: &RawCall<'_>, t: &mut Trail) -> Result<Permit, Rejection> {
        let Parts { catalog, keys, opener, rules, limiter, replay, .. } = &self.parts;
        limiter.admit(raw.peer, raw.path, t.arrived())?;
        let routed = match check::route(raw, catalog, t) {
            Ok(routed) => routed,
            Err(rejection) => {
                limiter.arrive_unrouted(raw.peer, raw.path, t)?;
                return Err(rejection);
            }
        };
        limiter.arrive(&routed, t)?;
        let shaped = check::shape(routed, rules, t)?;
        let known = check::key(shaped, keys.as_ref(), t)?;
        let placed = check::ip(known)?;
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

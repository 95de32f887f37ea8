use crate::state::{Credential, Placed, Timely};
use crate::trail::Trail;
use crate::{Admission, Rejection, Stage};

/// Accepts `timestamp` when it is less than 1 s ahead of the arrival and at most `recvWindow` behind it.
/// Source: REST API, "Timing security".
///
/// # Errors
/// `-1021`, with the signed distance for the call record.
pub fn timing<'a>(call: Admission<'a, Placed<'a>>, trail: &mut Trail) -> Result<Admission<'a, Timely<'a>>, Rejection> {
    if let Credential::Payload { window, .. } = &call.state.0.shaped.credential {
        let now = trail.arrived();
        trail.timed(window.timestamp.micros_since(now));
        window.check(now).map_err(|reason| Rejection::new(Stage::Timing, reason))?;
    }
    Ok(call.into(|Placed(known)| Timely(known)))
}

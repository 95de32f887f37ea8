use crate::replay::Replay;
use crate::state::{Credential, Placed, Timely};
use crate::trail::Trail;
use crate::{Admission, Reason, Rejection, Stage};

/// Accepts `timestamp`, or `created` of a message signature, when it is less than 1 s ahead of the arrival and at most `recvWindow` behind it, and, for a
/// call that may act once, when the memory of signatures reaches back to it.
/// Source: REST API, "Timing security".
///
/// # Errors
/// `-1021`, with the signed distance for the call record.
pub fn timing<'a>(
    call: Admission<'a, Placed<'a>>,
    replay: &Replay,
    trail: &mut Trail,
) -> Result<Admission<'a, Timely<'a>>, Rejection> {
    let refuse = |reason| Rejection::new(Stage::Timing, reason);
    let known = &call.state.0;
    let window = match &known.shaped.credential {
        Credential::None | Credential::KeyOnly(_) => None,
        Credential::Payload { window, .. } | Credential::Message9421 { window, .. } => Some(window),
    };
    if let Some(window) = window {
        let now = trail.arrived();
        trail.timed(window.timestamp.micros_since(now));
        window.check(now).map_err(refuse)?;
        let once = known.held.as_ref().is_some_and(|held| Replay::acts_once(held.state.replay, call.row));
        let remembered = replay.reaches(window.timestamp);
        if once && !remembered {
            return Err(refuse(Reason::StampedBeforeStart));
        }
        return Ok(call.into(|Placed(mut known)| {
            if let Some(held) = &mut known.held {
                held.remembered = remembered;
            }
            Timely(known)
        }));
    }
    Ok(call.into(|Placed(known)| Timely(known)))
}

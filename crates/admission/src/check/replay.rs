use crate::replay::{Once, Replay, Trace};
use crate::state::{Charged, Fresh};
use crate::{Admission, Reason, Rejection, Stage};

/// Refuses a call that may act once when its signature did already, or was seen on another route. What passes is asked
/// again at the hand-over, where the signature is used up.
///
/// # Errors
/// `-2010` for placements and `-1020` for other changes; `-1008` when the key's share of the memory is full.
pub fn replay<'a>(call: Admission<'a, Charged<'a>>) -> Result<Admission<'a, Fresh<'a>>, Rejection> {
    let refuse = |reason| Rejection::new(Stage::Charge, reason);
    let held = call.state.0.known.held.as_ref();
    let once = match held.filter(|held| Replay::acts_once(held.state.replay, call.row)).map(|held| &held.trace) {
        None | Some(Trace::None) => None,
        Some(Trace::Full) => return Err(refuse(Reason::ReplayMemoryFull)),
        Some(Trace::Kept(mark)) => {
            let once = Once::new(mark.clone());
            once.look().map_err(|spent| refuse(spent.reason(call.row)))?;
            Some(once)
        }
    };
    Ok(call.into(|Charged(whole)| Fresh { whole, once }))
}

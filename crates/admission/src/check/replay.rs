use crate::replay::{Once, Replay, Trace};
use crate::state::{Charged, Fresh};
use crate::{Admission, Reason, Rejection, Stage};

/// Refuses a call that may act once when its signature did already, or was seen on another route. What passes is asked
/// again at the hand-over, where every signature is used up, also one that may act again by the rule in force now.
///
/// # Errors
/// `-2010` for placements and `-1020` for other changes; `-1008` when the key's share of the memory is full.
pub fn replay<'a>(call: Admission<'a, Charged<'a>>) -> Result<Admission<'a, Fresh<'a>>, Rejection> {
    let refuse = |reason| Rejection::new(Stage::Charge, reason);
    let once = match &call.state.0.known.held {
        None => None,
        Some(held) => {
            let acts_once = Replay::acts_once(held.state.replay, call.row);
            match &held.trace {
                Trace::Full if acts_once => return Err(refuse(Reason::ReplayMemoryFull)),
                Trace::None | Trace::Full => None,
                Trace::Kept(mark) => {
                    let once = Once::new(mark.clone());
                    if acts_once {
                        once.look().map_err(|spent| refuse(spent.reason(call.row)))?;
                    }
                    Some(once)
                }
            }
        }
    };
    Ok(call.into(|Charged(whole)| Fresh { whole, once }))
}

use crate::state::{Known, Placed};
use crate::trail::Trail;
use crate::{Admission, Rejection, Stage};

/// Compares the caller's address with the key's list.
///
/// # Errors
/// [`Reason::IpNotAllowed`](crate::Reason::IpNotAllowed) (`-2015`).
pub fn ip<'a>(call: Admission<'a, Known<'a>>, trail: &mut Trail) -> Result<Admission<'a, Placed<'a>>, Rejection> {
    if let Some(held) = &call.state.held {
        trail.placed(held.state.entry(call.raw.peer));
        held.state.placed(call.raw.peer).map_err(|reason| Rejection::new(Stage::Ip, reason))?;
    }
    Ok(call.into(Placed))
}

use crate::state::{Known, Placed};
use crate::{Admission, Rejection, Stage};

/// Compares the caller's address with the key's list.
///
/// # Errors
/// [`Reason::IpNotAllowed`](crate::Reason::IpNotAllowed) (`-2015`).
pub fn ip<'a>(call: Admission<'a, Known<'a>>) -> Result<Admission<'a, Placed<'a>>, Rejection> {
    if let Some(held) = &call.state.held {
        held.state.placed(call.raw.peer).map_err(|reason| Rejection::new(Stage::Ip, reason))?;
    }
    Ok(call.into(Placed))
}

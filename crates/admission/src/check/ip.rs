use crate::call::canonical;
use crate::state::{Known, Placed};
use crate::{Admission, Reason, Rejection, Stage};

/// Compares the caller's address with the key's list.
///
/// # Errors
/// [`Reason::IpNotAllowed`] (`-2015`).
pub fn ip<'a>(call: Admission<'a, Known<'a>>) -> Result<Admission<'a, Placed<'a>>, Rejection> {
    let allowed = call.state.held.as_ref().is_none_or(|held| held.state.ip.allows(canonical(call.raw.peer)));
    if allowed { Ok(call.into(Placed)) } else { Err(Rejection::new(Stage::Ip, Reason::IpNotAllowed)) }
}

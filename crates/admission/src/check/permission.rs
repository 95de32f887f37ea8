use crate::state::{Granted, Proven};
use crate::{Admission, Rejection, Stage, decide};

/// Compares the row's demands with the permissions in force. Never told to one who cannot sign.
///
/// # Errors
/// [`Reason::PermissionMissing`](crate::Reason::PermissionMissing), [`Reason::KeyKind`](crate::Reason::KeyKind) (`-2015`).
pub fn permission<'a>(call: Admission<'a, Proven<'a>>) -> Result<Admission<'a, Granted<'a>>, Rejection> {
    let refuse = |reason| Rejection::new(Stage::Permission, reason);
    if let Some(held) = &call.state.0.held {
        held.state.permitted(call.row).map_err(refuse)?;
        decide::kind(held.key.kind, call.row).map_err(refuse)?;
    }
    Ok(call.into(|Proven(known)| Granted(known)))
}

use latchkey_authority::key::KeyKind;
use latchkey_protocol::catalog::KeyKinds;

use crate::state::{Granted, Proven};
use crate::{Admission, Reason, Rejection, Stage};

/// Compares the row's demands with the permissions in force. Never told to one who cannot sign.
///
/// # Errors
/// [`Reason::PermissionMissing`], [`Reason::KeyKind`] (`-2015`).
pub fn permission<'a>(call: Admission<'a, Proven<'a>>) -> Result<Admission<'a, Granted<'a>>, Rejection> {
    let refuse = |reason| Rejection::new(Stage::Permission, reason);
    if let Some(held) = &call.state.0.held {
        held.state.permitted(call.row).map_err(refuse)?;
        if call.row.key_kinds == KeyKinds::StandardOnly && held.key.kind != KeyKind::Standard {
            return Err(refuse(Reason::KeyKind));
        }
    }
    Ok(call.into(|Proven(known)| Granted(known)))
}

use latchkey_protocol::ApiKey;

use crate::call::{Field, RawCall};
use crate::ports::Keys;
use crate::trail::Trail;
use crate::{Reason, Rejection, Stage};

/// Finds whose call was refused before its key was looked up, so that the owner can read why. Nothing is charged to
/// that owner: whoever knows a key's public name can send such a call, and its record counts as unproven.
///
/// A header that names no key, several or none that exists leaves the call without an owner, and so does a route that
/// asks for no key. Of a caller who is banned nothing is read.
pub fn owner(raw: &RawCall<'_>, rejection: &Rejection, keys: &dyn Keys, trail: &mut Trail) {
    let asks_for_a_key = trail.row().is_none_or(|row| row.security.needs_key());
    let is_unread = matches!(rejection.reason, Reason::Banned { .. });
    if rejection.stage >= Stage::Key || !asks_for_a_key || is_unread {
        return;
    }
    let header = match raw.api_key {
        Field::One(text) => ApiKey::parse(text),
        Field::Absent | Field::Several => None,
    };
    let Some(api_key) = trail.api_key().or(header) else { return };
    trail.named(api_key);
    if let Some(key) = keys.find(&api_key) {
        trail.known(key.account.id, key.id);
    }
}

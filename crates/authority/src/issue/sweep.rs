//! What time does to keys: the end of a life without an IP list, of an overlap, of the grace of a violator, and the
//! notices before. The line refuses ended keys by itself; the sweep writes the ends down and tells their owners.

use super::life::{deleted, narrowing};
use super::watch::{grace_end, idle_end, renewed, violates};
use super::{Case, Draft};
use crate::caller::{Power, authorise};
use crate::change::{Action, Change, NoticeKind};
use crate::effective::DeadReason;
use crate::key::{DeleteReason, KeyRecord, KeyState};
use crate::refusal::Refusal;
use latchkey_protocol::{KeyId, Timestamp};

/// Decides on what is due for the keys of one account, one kind of end at a time; asked again until `None`: nothing is
/// due. `used` says when a key was last used, for overlaps that end when it is idle.
///
/// # Errors
/// [`Refusal`] of the caller.
pub fn sweep(case: Case<'_>, used: &dyn Fn(KeyId) -> Option<Timestamp>) -> Result<Option<Change>, Refusal> {
    authorise(&case, &case.owner()?, Power::Sweep)?;
    let ends: [End<'_>; 3] = [
        (Action::KeyExpired, &|key| expired(&case, key)),
        (Action::KeyRetired, &|key| retired(&case, key, used)),
        (Action::KeysDeleted, &|key| condemned(&case, key)),
    ];
    for (action, end) in ends {
        let mut draft = Draft::new(case);
        for key in &case.loaded.keys {
            let Some((state, why)) = end(key) else { continue };
            let text = format!("The key \"{}\" has ended: {why}.", key.label);
            draft =
                draft.tell(NoticeKind::KeyEnded, Some(key.id), text).replace(key, KeyRecord { state, ..key.clone() });
        }
        if !draft.is_empty() {
            return Ok(Some(narrowing(draft, action)));
        }
    }
    renew(case)
}

/// A kind of end: what it is called, and the state and reason of a key that meets it now.
type End<'a> = (Action, &'a dyn Fn(&KeyRecord) -> Option<(KeyState, &'static str)>);

fn expired(case: &Case<'_>, key: &KeyRecord) -> Option<(KeyState, &'static str)> {
    let over = !key.state.is_final() && key.over(case.policy, case.now) == Some(DeadReason::Expired);
    over.then_some((KeyState::Expired { at: case.now }, "its life without an IP list is over"))
}

fn retired(
    case: &Case<'_>,
    key: &KeyRecord,
    used: &dyn Fn(KeyId) -> Option<Timestamp>,
) -> Option<(KeyState, &'static str)> {
    let over = key.over(case.policy, case.now) == Some(DeadReason::Retired);
    let idle = || idle_end(key, used(key.id)).is_some_and(|end| end <= case.now);
    let ends = !key.state.is_final() && (over || idle());
    ends.then(|| (deleted(case, DeleteReason::Retired), "a successor took its place"))
}

fn condemned(case: &Case<'_>, key: &KeyRecord) -> Option<(KeyState, &'static str)> {
    let owner = case.owner().ok()?;
    let since = key.watch.violating.filter(|_| violates(case.policy, &owner, key, case.now))?;
    let over = grace_end(case.policy, since) <= case.now;
    over.then(|| (deleted(case, DeleteReason::ControlsViolated), "it violated Default Security Controls too long"))
}

/// Writes down what changed without an end: warnings, and violations that facts of a master or of the policy made.
fn renew(case: Case<'_>) -> Result<Option<Change>, Refusal> {
    let owner = case.owner()?;
    let mut draft = Draft::new(case);
    for key in &case.loaded.keys {
        let (watch, _) = renewed(case.policy, &owner, key, case.now);
        if watch != key.watch {
            draft = draft.replace(key, key.clone());
        }
    }
    Ok((!draft.is_empty()).then(|| narrowing(draft, Action::KeysWatched)))
}

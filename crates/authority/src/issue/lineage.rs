//! Keys that signed calls made, and ending all of them in one step.

use super::life::{deleted, doer, narrowing, tell_of_others};
use super::{Case, Draft};
use crate::caller::{Power, authorise};
use crate::change::{Action, Change};
use crate::key::{DeleteReason, KeyRecord, KeyState};
use crate::ports::Loaded;
use crate::refusal::Refusal;
use crate::step_up::IntentKind;
use latchkey_protocol::KeyId;
use serde_json::json;
use std::collections::BTreeMap;

/// Which key made which, ended ones too. A successor that its owner made has the maker of the key that it followed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Makers(BTreeMap<KeyId, KeyId>);

impl Makers {
    /// Whether `key` was made by `ancestor`, directly or not.
    pub fn descends(&self, key: KeyId, ancestor: KeyId) -> bool {
        let mut maker = self.0.get(&key);
        // A chain has no more links than there are keys; a damaged one that is closed must end too.
        for _ in 0..=self.0.len() {
            match maker {
                None => return false,
                Some(id) if *id == ancestor => return true,
                Some(id) => maker = self.0.get(id),
            }
        }
        false
    }
}

impl<'a> FromIterator<&'a KeyRecord> for Makers {
    fn from_iter<I: IntoIterator<Item = &'a KeyRecord>>(keys: I) -> Self {
        let mut makers = Self::default();
        for key in keys {
            makers.0.extend(key.made_by.map(|maker| (key.id, maker)));
        }
        makers
    }
}

/// The keys of the account and of its sub-accounts that `ancestor` made, directly or not, and that are not deleted.
///
/// # Errors
/// [`Refusal`] of the caller.
pub fn descendants<'a>(
    case: Case<'a>,
    subs: &'a [Loaded],
    makers: &Makers,
    ancestor: KeyId,
) -> Result<Vec<(&'a Loaded, &'a KeyRecord)>, Refusal> {
    authorise(&case, &case.owner()?, Power::Hold)?;
    let accounts = core::iter::once(case.loaded).chain(subs);
    let keys = accounts.flat_map(|of| of.keys.iter().map(move |key| (of, key)));
    let there = |key: &KeyRecord| !matches!(key.state, KeyState::Deleted { .. });
    Ok(keys.filter(|(_, key)| there(key) && makers.descends(key.id, ancestor)).collect())
}

/// Decides on ending every key that `ancestor` made. `None`: there is none.
///
/// # Errors
/// [`Refusal`]: the caller, the proof.
pub fn end_descendants(
    case: Case<'_>,
    subs: &[Loaded],
    makers: &Makers,
    ancestor: KeyId,
) -> Result<Option<Change>, Refusal> {
    let doomed = descendants(case, subs, makers, ancestor)?;
    if doomed.is_empty() {
        return Ok(None);
    }
    case.confirm(IntentKind::DeleteKey, json!({ "deleted": "descendants", "of": ancestor.to_string() }))?;
    let text = format!("Every key that one key made was deleted by {}.", doer(&case));
    let state = deleted(&case, DeleteReason::MakerEnded);
    let draft = tell_of_others(Draft::new(case), &case, Some(ancestor), text);
    let draft = doomed
        .into_iter()
        .fold(draft, |draft, (of, key)| draft.replace_in(of, key, KeyRecord { state: state.clone(), ..key.clone() }));
    Ok(Some(narrowing(draft, Action::KeysDeleted)))
}

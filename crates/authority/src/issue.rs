//! The decisions: facts in, a [`Change`](crate::change::Change) or an exact [`Refusal`] out. Nothing here reads, writes or waits.
//!
//! A decision sees one account with its master and keys, all read at one revision. Each change writes the account
//! too, so that two decisions about one account cannot both commit: this is what holds the number of keys, and what
//! makes a proof for one change fit no other.
//!
//! What an owner must prove is asked last, so that nobody shows a factor for a change that is refused anyway.

use crate::account::Owner;
use crate::caller::{Caller, Via};
use crate::key::KeyRecord;
use crate::policy::Policy;
use crate::ports::Loaded;
use crate::refusal::Refusal;
use crate::step_up::{Demand, Intent, IntentKind, StepUpRule};
use draft::Draft;
use latchkey_protocol::Timestamp;
use serde_json::{Value, json};

mod account;
mod create;
mod draft;
mod edit;
mod exit;
mod factors;
mod facts;
mod freeze;
mod import;
mod life;
mod lineage;
mod rotate;
mod special;
mod sub_account;
mod sweep;
mod watch;

pub use account::{NewAccount, OpeningBalance, create_account};
pub use create::{FixedText, Minted, MintedProof, NewKey, NewProof, create_key, create_tax_key};
pub use edit::{IpChange, KeyEdit, edit_key};
pub use exit::exit_special_key_mode;
pub use factors::{FactorChange, change_factors, reset_factors, use_recovery_code};
pub use facts::{AccountEdit, edit_account};
pub use freeze::{freeze_account, unfreeze_account};
pub use import::{ImportedKey, RowRefused, import_keys};
pub use life::{delete_all_keys, delete_key, disable_key, enable_key, freeze_keys};
pub use lineage::{Makers, descendants, end_descendants};
pub use rotate::{Overlap, Rotation, rotate_key};
pub use special::{
    NewSpecialKey, SpecialTarget, create_special_key, delete_special_keys, edit_special_key_ip, special_key,
    special_keys,
};
pub use sub_account::{NewSubAccount, create_sub_account};
pub use sweep::sweep;

/// What every decision starts from.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The numbers in force.
    pub policy: &'a Policy,
    /// The account that is acted upon, with its master and its keys.
    pub loaded: &'a Loaded,
    /// Who asks.
    pub caller: &'a Caller,
    /// The key that asks, when it is one of the master and acts on a sub-account; its own account's keys are loaded.
    pub maker: Option<&'a KeyRecord>,
    /// When.
    pub now: Timestamp,
}

impl<'a> Case<'a> {
    fn owner(&self) -> Result<Owner<'a>, Refusal> {
        self.loaded.owner()
    }

    /// The key that asks, of whichever account it is.
    pub(crate) fn calling_key(&self) -> Option<&'a KeyRecord> {
        let id = self.caller.key()?;
        let own = || self.loaded.keys.iter().find(|key| key.id == id);
        self.maker.filter(|key| key.id == id).or_else(own)
    }

    /// Has an owner prove this exact change. Nobody else proves anything: keys cannot, operators have their own door.
    fn confirm(&self, kind: IntentKind, after: Value) -> Result<(), Refusal> {
        let rule = kind.rule(self.policy);
        if self.caller.via != Via::Owner || rule == StepUpRule::None {
            return Ok(());
        }
        let stored = &self.loaded.account;
        let by = self.caller.account;
        let intent = Intent { by, account: stored.id, kind, version: stored.version, after };
        let demand = Demand { digest: intent.digest(), account: by, kind, rule };
        match &self.caller.step_up {
            None => Err(Refusal::StepUpNeeded(Box::new(demand))),
            Some(proof) => proof.judge(&demand, &self.owner()?, self.now).map_err(Refusal::StepUpWrong),
        }
    }

    /// As [`Self::confirm`], for what widens: refused while a reset of the second factors is fresh.
    fn confirm_widening(&self, kind: IntentKind, after: Value) -> Result<(), Refusal> {
        let acts_for_itself = matches!(self.caller.via, Via::Owner | Via::Key { .. });
        match self.owner()?.held(self.now) {
            Some(until) if acts_for_itself => Err(Refusal::WideningHeld { until }),
            _ => self.confirm(kind, after),
        }
    }
}

/// A key as it was asked for: everything that is not drawn for it.
fn asked(key: &KeyRecord) -> Value {
    json!({
        "label": key.label,
        "type": key.key_type().name(),
        "public_key": key.material.public().map(|public| const_hex::encode(public.fingerprint)),
        "permissions": key.permissions.iter().map(|permission| permission.as_str()).collect::<Vec<_>>(),
        "ip": key.ip,
        "symbols": key.symbols,
        "kind": key.kind,
        "accepts": key.accepts,
        "replay": key.replay,
    })
}

#[cfg(test)]
mod tests;

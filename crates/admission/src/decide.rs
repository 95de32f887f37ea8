//! "May this key do that?": the rules of the line that need no request, asked one by one.
//!
//! The answers come from the very methods that the checks of the line call, over the state that is in force. What a
//! request alone can tell (signature, timing, limits, the other parameters) is not asked.

use std::net::IpAddr;

use latchkey_authority::key::KeyKind;
use latchkey_protocol::catalog::{Endpoint, KeyKinds, Route};
use latchkey_protocol::{Symbol, Timestamp};

use crate::live::{KeyState, LiveKey};
use crate::{Reason, Stage};

/// What is asked about a key.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The endpoint.
    pub row: &'static Endpoint,
    /// When the call would arrive.
    pub at: Timestamp,
    /// From where, if that is asked.
    pub from: Option<IpAddr>,
    /// The pair that it would name.
    pub symbol: Option<Symbol>,
}

/// One rule that was asked, and what it said.
#[derive(Debug)]
pub struct Ruling {
    /// The stage of the line that asks it.
    pub stage: Stage,
    /// What it said.
    pub said: Result<(), Reason>,
}

/// Asks every rule about `key`, in the order of the line; each is asked whatever the ones before it said. The call
/// may pass when none refuses.
pub fn decide(key: &LiveKey, asked: &Asked) -> Vec<Ruling> {
    rulings(&key.state(), key.kind, asked)
}

fn rulings(state: &KeyState, key_kind: KeyKind, asked: &Asked) -> Vec<Ruling> {
    let row = asked.row;
    let mut rulings = vec![Ruling { stage: Stage::Route, said: offered(row) }];
    // A public endpoint asks nothing of a key.
    if !row.security.needs_key() {
        return rulings;
    }
    rulings.push(Ruling { stage: Stage::Key, said: state.alive(asked.at) });
    if let Some(from) = asked.from {
        rulings.push(Ruling { stage: Stage::Ip, said: state.placed(from) });
    }
    rulings.push(Ruling { stage: Stage::Permission, said: state.permitted(row) });
    rulings.push(Ruling { stage: Stage::Permission, said: kind(key_kind, row) });
    rulings.push(Ruling { stage: Stage::Parameters, said: state.tradable(row, asked.symbol) });
    rulings
}

/// Whether this venue answers the endpoint.
///
/// # Errors
/// [`Reason::NotAvailable`].
pub(crate) fn offered(row: &'static Endpoint) -> Result<(), Reason> {
    if row.route == Route::Unavailable { Err(Reason::NotAvailable { path: row.path }) } else { Ok(()) }
}

/// Whether keys of this kind reach `row`.
///
/// # Errors
/// [`Reason::KeyKind`].
pub(crate) fn kind(kind: KeyKind, row: &Endpoint) -> Result<(), Reason> {
    match (row.key_kinds, kind) {
        (KeyKinds::Any, KeyKind::Standard | KeyKind::Special { .. })
        | (KeyKinds::StandardOnly, KeyKind::Standard)
        | (KeyKinds::Report, _) => Ok(()),
        (KeyKinds::Any | KeyKinds::StandardOnly, _) => Err(Reason::KeyKind),
    }
}

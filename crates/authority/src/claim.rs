//! Requests that may be sent again: what a creation made is noted under the name that its request claimed, in the
//! transaction that makes it.
//!
//! ```text
//! unknown ─ claimed ─┬─ settled with the change: a repetition finds what was made
//!                    └─ refused, or the process ended: nothing was made, and the claim runs out
//! ```
//!
//! A claim that somebody else took over meanwhile settles nothing, and its change is not made.

use crate::stored::{Stored, hex, key_id};
use latchkey_protocol::{AccountId, KeyId, Timestamp};
use serde::{Deserialize, Serialize};

/// A name that a request claimed, on the shelf of [`crate::ports::ShelfKind::Idempotency`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The name.
    pub name: [u8; 32],
    /// The version at which the item must still be.
    pub version: u64,
    /// A digest of what was asked for.
    pub request: [u8; 32],
    /// How long what was made is remembered.
    pub kept_until: Timestamp,
}

/// What a creation made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Made {
    /// A key.
    Key(#[serde(with = "key_id")] KeyId),
    /// An account.
    Account(AccountId),
}

/// What rests under a name that was claimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claimed {
    /// The digest of what was asked for.
    #[serde(with = "hex")]
    pub request: [u8; 32],
    /// What was made; none while the request is under way.
    pub made: Option<Made>,
}

impl Stored for Claimed {}

/// A claim and what was made under it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settled {
    /// The claim.
    pub claim: Claim,
    /// What was made.
    pub made: Made,
}

impl Settled {
    /// The bytes that take the claim's place.
    pub fn encode(&self) -> Vec<u8> {
        Claimed { request: self.claim.request, made: Some(self.made) }.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_reads_back() {
        let claim = Claim { name: [1; 32], version: 1, request: [2; 32], kept_until: crate::tests::NOW };
        for made in [Made::Key(KeyId(7)), Made::Account(AccountId(3))] {
            let bytes = Settled { claim, made }.encode();
            assert_eq!(Claimed::decode(&bytes).unwrap(), Claimed { request: [2; 32], made: Some(made) });
        }
    }
}

//! Second factors and their spare ones, as an account keeps them.

use crate::label::Label;
use crate::stored::hex;
use core::fmt;
use latchkey_protocol::Timestamp;
use serde::{Deserialize, Serialize};

/// A passkey: public data alone, its private half never leaves the owner's device.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passkey {
    /// The credential id in base64url, unique in its account.
    pub id: String,
    /// The owner's name for it.
    pub label: Label,
    /// What verifies it, in the form of whoever holds the ceremonies.
    pub credential: String,
    /// When it was enrolled.
    pub added: Timestamp,
}

/// A recovery code, hashed. Codes hold 80 random bits, so a plain SHA-256 of the normalised text suffices.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryCode(#[serde(with = "hex")] pub [u8; 32]);

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

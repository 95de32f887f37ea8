//! The three kinds of key that can prove a request.

use std::fmt;
use std::str::FromStr;

/// How a key proves a request: a shared secret, or a pair whose public half is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyType {
    /// HMAC-SHA-256 under a 64-character secret; signatures travel as hex.
    Hmac,
    /// RSASSA-PKCS1-v1_5 with SHA-256 and a 2048 to 4096 bit modulus; signatures travel as base64.
    Rsa,
    /// Pure Ed25519; signatures travel as base64.
    Ed25519,
}

/// The text names no key type; it must be `hmac`, `rsa` or `ed25519`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown key type: use `hmac`, `rsa` or `ed25519`")]
pub struct UnknownKeyType;

impl KeyType {
    /// Every key type.
    pub const ALL: [Self; 3] = [Self::Hmac, Self::Rsa, Self::Ed25519];

    /// The name in configuration and world files: `hmac`, `rsa`, `ed25519`. [`FromStr`] reads it back.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hmac => "hmac",
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }

    /// The name in API answers: `HMAC_SHA256`, `RSA`, `Ed25519`.
    pub const fn wire_name(self) -> &'static str {
        match self {
            Self::Hmac => "HMAC_SHA256",
            Self::Rsa => "RSA",
            Self::Ed25519 => "Ed25519",
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyType {
    type Err = UnknownKeyType;

    fn from_str(text: &str) -> Result<Self, UnknownKeyType> {
        Self::ALL.into_iter().find(|key_type| key_type.name() == text).ok_or(UnknownKeyType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_only_in_their_own_spelling() {
        for key_type in KeyType::ALL {
            assert_eq!(key_type.name().parse(), Ok(key_type));
        }
        for text in ["", "HMAC", "Ed25519", "hmac ", "HMAC_SHA256", "ecdsa"] {
            assert_eq!(text.parse::<KeyType>(), Err(UnknownKeyType), "{text}");
        }
    }
}

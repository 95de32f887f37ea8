//! The algorithms of message signatures, and what belongs to them.
//! Source: RFC 9421, section 6.2.2 (the registry of algorithms); RFC 9530, section 5.

use crate::digest::sha256;
use crate::key_type::KeyType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha512};

/// How a message signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageAlgorithm {
    /// HMAC with SHA-256.
    HmacSha256,
    /// Pure Ed25519.
    Ed25519,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaV15Sha256,
    /// RSASSA-PSS with SHA-512 and a salt of 64 bytes.
    RsaPssSha512,
}

impl MessageAlgorithm {
    /// Every algorithm; of those of one type of key, the one that is meant when none is named comes first.
    pub const ALL: [Self; 4] = [Self::HmacSha256, Self::Ed25519, Self::RsaV15Sha256, Self::RsaPssSha512];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::Ed25519 => "ed25519",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
            Self::RsaPssSha512 => "rsa-pss-sha512",
        }
    }

    /// The type of key that it takes.
    pub const fn key_type(self) -> KeyType {
        match self {
            Self::HmacSha256 => KeyType::Hmac,
            Self::Ed25519 => KeyType::Ed25519,
            Self::RsaV15Sha256 | Self::RsaPssSha512 => KeyType::Rsa,
        }
    }

    /// The one that a signer uses: for RSA the newer padding.
    pub const fn preferred(key_type: KeyType) -> Self {
        match key_type {
            KeyType::Hmac => Self::HmacSha256,
            KeyType::Ed25519 => Self::Ed25519,
            KeyType::Rsa => Self::RsaPssSha512,
        }
    }
}

/// SHA-256 of a request's content, as base64.
pub fn content_sha_256(content: &[u8]) -> String {
    STANDARD.encode(sha256(content))
}

/// SHA-512 of a request's content, as base64.
pub fn content_sha_512(content: &[u8]) -> String {
    STANDARD.encode(Sha512::digest(content))
}

//! Signed heads: where a chain stood at some time, in a line of text that can be kept elsewhere.
//!
//! ```text
//! latchkey-audit-head 1 store=0f… account=all revision=42 hash=9c… at=1790000000000000 signature=MEUC…
//! ```
//!
//! `at` is in microseconds since the Unix epoch. The signature (Ed25519, standard base64) covers every byte before
//! ` signature=`. The key that signs does not lie in the store, so who rewrites the store cannot sign anew.

use std::fmt;
use std::str::FromStr;

use latchkey_crypto::digest::{from_hex, to_hex};
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::public_key::PublicKey;
use latchkey_crypto::sign::{LibraryError, Signer};
use latchkey_crypto::verify::Verifier;
use latchkey_protocol::{AccountId, Timestamp};

use super::export::{store_from_hex, store_hex};
use crate::sqlite::StoreId;

/// Starts every head: what it is, and in which format.
const MAGIC: &str = "latchkey-audit-head 1";
/// Starts heads of whatever format.
const MAGIC_NAME: &str = "latchkey-audit-head ";
/// Divides what is signed from its signature.
const SIGNATURE: &str = " signature=";

/// Where a chain stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The deployment.
    pub store: StoreId,
    /// The account whose records alone are meant; `None` is the whole chain.
    pub account: Option<AccountId>,
    /// The last record.
    pub revision: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// When it was signed.
    pub at: Timestamp,
}

/// A head with its signature, as text on one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedHead(String);

/// Why a text is no head of the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeadError {
    /// Something else.
    #[error("this is no signed audit head")]
    Malformed,
    /// Written by a newer program.
    #[error("the signed audit head is of a newer format than this program reads")]
    Newer,
    /// The key is of another type.
    #[error("the audit key must be an Ed25519 key")]
    KeyType,
    /// The signature is not that of the key.
    #[error("the signature of the audit head does not hold: it was altered, or another key signed it")]
    Signature,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MAGIC} store={} account=", store_hex(self.store))?;
        match self.account {
            None => f.write_str("all")?,
            Some(account) => write!(f, "{account}")?,
        }
        write!(f, " revision={} hash={} at={}", self.revision, to_hex(&self.hash), self.at.as_micros())
    }
}

impl Head {
    /// Signs the head with the audit key.
    ///
    /// # Errors
    /// [`HeadError::KeyType`] for a key that is not Ed25519, or [`HeadError::Signature`] when the library fails.
    pub fn sign(&self, key: &Signer) -> Result<SignedHead, HeadError> {
        if key.key_type() != KeyType::Ed25519 {
            return Err(HeadError::KeyType);
        }
        let text = self.to_string();
        let signature = key.sign(&[text.as_bytes()]).map_err(|LibraryError| HeadError::Signature)?;
        Ok(SignedHead(format!("{text}{SIGNATURE}{signature}")))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_prefix(MAGIC)?.strip_prefix(' ')?.split(' ');
        let mut field = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
        let head = Self {
            store: store_from_hex(field("store")?)?,
            account: match field("account")? {
                "all" => None,
                id => Some(AccountId(id.parse().ok()?)),
            },
            revision: field("revision")?.parse().ok()?,
            hash: from_hex(field("hash")?)?,
            at: Timestamp::from_micros(field("at")?.parse().ok()?),
        };
        // One head has one text: what was not read, or was spelled otherwise, was not signed by this house.
        (head.to_string() == text).then_some(head)
    }
}

impl SignedHead {
    /// Reads the head, once its signature holds.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn open(&self, key: &PublicKey) -> Result<Head, HeadError> {
        let (text, signature) = self.0.split_once(SIGNATURE).ok_or(HeadError::Malformed)?;
        if key.key_type() != KeyType::Ed25519 {
            return Err(HeadError::KeyType);
        }
        let verifier = Verifier::public(key);
        let signature = verifier.decode(signature.as_bytes()).map_err(|_| HeadError::Signature)?;
        verifier.verify(&[text.as_bytes()], &signature).map_err(|_| HeadError::Signature)?;
        Head::parse(text).ok_or(HeadError::Malformed)
    }

    /// As [`Self::open`], by whichever of `keys` signed it: audit keys are rotated, heads stay.
    ///
    /// # Errors
    /// [`HeadError`] of the last key; [`HeadError::Signature`] without any.
    pub fn open_by(&self, keys: &[PublicKey]) -> Result<Head, HeadError> {
        let mut found = Err(HeadError::Signature);
        for key in keys {
            found = self.open(key);
            if found.is_ok() {
                break;
            }
        }
        found
    }

    /// The line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SignedHead {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let text = text.trim_ascii();
        let signed = text.split_once(SIGNATURE).map(|(signed, _)| signed);
        match signed {
            Some(signed) if Head::parse(signed).is_some() => Ok(Self(text.to_owned())),
            Some(signed) if signed.starts_with(MAGIC_NAME) && !signed.starts_with(&format!("{MAGIC} ")) => {
                Err(HeadError::Newer)
            }
            _ => Err(HeadError::Malformed),
        }
    }
}

impl fmt::Display for SignedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn head() -> Head {
        let at = Timestamp::from_micros(1_790_000_000_000_001);
        Head { store: StoreId([7; 16]), account: None, revision: 42, hash: [9; 32], at }
    }

    #[test]
    fn a_head_reads_back_under_its_own_key_alone() {
        let (key, other) = (Signer::generate_ed25519(&mut random::fill), Signer::generate_ed25519(&mut random::fill));
        for head in [head(), Head { account: Some(AccountId(100_000_001)), ..head() }] {
            let signed = head.sign(&key).unwrap();
            let read: SignedHead = format!("{signed}\n").parse().unwrap();
            assert_eq!(read.open(&key.public_key().unwrap()), Ok(head));
            assert_eq!(read.open(&other.public_key().unwrap()), Err(HeadError::Signature));
        }
    }

    #[test]
    fn every_changed_byte_of_a_head_is_found() {
        let key = Signer::generate_ed25519(&mut random::fill);
        let public = key.public_key().unwrap();
        let signed = head().sign(&key).unwrap();
        for place in 0..signed.as_str().len() {
            for flip in [1, 2, 16, 32] {
                let mut bytes = signed.as_str().as_bytes().to_vec();
                bytes[place] ^= flip;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                let read = text.parse::<SignedHead>().and_then(|head| head.open(&public));
                assert!(read.is_err(), "{text}");
            }
        }
    }

    #[test]
    fn newer_heads_and_other_keys_are_refused_by_name() {
        let key = Signer::generate_ed25519(&mut random::fill);
        let signed = head().sign(&key).unwrap();
        let newer = signed.as_str().replacen("head 1", "head 2", 1);
        assert_eq!(newer.parse::<SignedHead>(), Err(HeadError::Newer));
        assert_eq!("0x42".parse::<SignedHead>(), Err(HeadError::Malformed));
        let secret = latchkey_crypto::secret::SecretKey::generate(&mut random::fill);
        assert_eq!(head().sign(&Signer::hmac(&secret)), Err(HeadError::KeyType));
    }
}

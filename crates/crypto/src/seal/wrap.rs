//! The key above the root keys: it comes from outside the store and wraps them.

use super::envelope::{self, Envelope};
use super::{FORMAT, Keyring, RootKey, SealError};
use crate::entropy::Entropy;
use zeroize::Zeroizing;

const MAGIC: [u8; 4] = *b"LKRK";
const RECORD_LEN: usize = 36;

/// The key-encryption key: 32 bytes from a file or another provider, never in the store.
pub struct WrappingKey(Zeroizing<[u8; 32]>);

/// The text is no key-encryption key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key-encryption key is 64 hex digits")]
pub struct WrappingKeyError;

impl WrappingKey {
    /// Takes the key from its 32 bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// Makes a new key.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut key = Self(Zeroizing::default());
        entropy.fill(key.0.as_mut_slice());
        key
    }

    /// Reads a key file: 64 hex digits of any case, with white space around them.
    ///
    /// # Errors
    /// [`WrappingKeyError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, WrappingKeyError> {
        let digits = text.trim();
        let mut key = Self(Zeroizing::default());
        // The library would also take a `0x` prefix.
        if digits.len() != 64 || const_hex::decode_to_slice(digits, key.0.as_mut_slice()).is_err() {
            return Err(WrappingKeyError);
        }
        Ok(key)
    }

    /// The content of a key file: 64 hex digits and a line break, for the one who writes the file.
    pub fn expose_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(const_hex::encode(self.0.as_slice()));
        text.reserve_exact(1);
        text.push('\n');
        text
    }

    /// Wraps all root keys of a keyring for one store. Rotating this key means wrapping again;
    /// no secret needs to be re-sealed for it.
    pub fn wrap(&self, store_id: &[u8], keyring: &Keyring, entropy: &mut dyn Entropy) -> Vec<u8> {
        let mut records = Zeroizing::new(Vec::with_capacity(keyring.keys.len() * RECORD_LEN));
        for key in &keyring.keys {
            records.extend_from_slice(&key.version.to_be_bytes());
            records.extend_from_slice(key.bytes.as_slice());
        }
        ENVELOPE.seal(&self.0, &[store_id], &records, entropy)
    }

    /// Opens wrapped root keys, once at start.
    ///
    /// # Errors
    /// [`SealError`]; [`SealError::Refused`] with another key or for another store.
    pub fn unwrap(&self, store_id: &[u8], blob: &[u8]) -> Result<Keyring, SealError> {
        envelope::check_header(MAGIC, FORMAT, blob)?;
        let records = ENVELOPE.open(&self.0, &[store_id], blob)?;
        let (records, rest) = records.as_chunks::<RECORD_LEN>();
        let mut keys = Vec::with_capacity(records.len());
        for record in records {
            let (version, bytes) = record.split_first_chunk().ok_or(SealError::NotSealed)?;
            let bytes = bytes.try_into().map_err(|_| SealError::NotSealed)?;
            keys.push(RootKey::new(u32::from_be_bytes(*version), bytes));
        }
        match Keyring::new(keys) {
            Ok(keyring) if rest.is_empty() => Ok(keyring),
            _ => Err(SealError::NotSealed),
        }
    }
}

const ENVELOPE: Envelope<'static> = Envelope { magic: MAGIC, format: FORMAT, extra: &[] };

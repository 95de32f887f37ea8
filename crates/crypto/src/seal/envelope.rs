//! The blob itself: one secret, one salt, one derived key.

use super::SealError;
use crate::entropy::{Entropy, draw};
use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Magic and format version.
pub(super) const HEADER_LEN: usize = 5;
const SALT_LEN: usize = 32;
/// The derived key encrypts a single message, because its salt is drawn for that message; so the
/// nonce has nothing to keep apart and is fixed.
const NONCE: [u8; 12] = [0; 12];

/// What stands in front of the salt.
pub(super) struct Envelope<'a> {
    pub(super) magic: [u8; 4],
    pub(super) format: u8,
    /// Readable without a key, and authenticated; its length is fixed by the kind of blob.
    pub(super) extra: &'a [u8],
}

impl Envelope<'_> {
    /// `magic ‖ format ‖ extra ‖ salt ‖ ciphertext ‖ tag`.
    pub(super) fn seal(
        &self,
        key: &[u8; 32],
        fields: &[&[u8]],
        plaintext: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Vec<u8> {
        let salt: [u8; SALT_LEN] = draw(entropy);
        let mut blob = self.head();
        let aad = self.associated_data(fields);
        blob.extend_from_slice(&salt);
        let payload = Payload { msg: plaintext, aad: &aad };
        // INVARIANT: AES-GCM fails only above 64 GiB, and no secret comes near.
        #[expect(clippy::expect_used, reason = "the error cannot occur")]
        let sealed = cipher(key, &salt).encrypt(&Nonce::from(NONCE), payload).expect("a secret is short");
        blob.extend_from_slice(&sealed);
        blob
    }

    /// The plaintext of a blob whose head must be exactly this envelope's.
    pub(super) fn open(&self, key: &[u8; 32], fields: &[&[u8]], blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let rest = blob.strip_prefix(self.head().as_slice()).ok_or(SealError::NotSealed)?;
        let (salt, sealed) = rest.split_first_chunk::<SALT_LEN>().ok_or(SealError::NotSealed)?;
        let aad = self.associated_data(fields);
        cipher(key, salt)
            .decrypt(&Nonce::from(NONCE), Payload { msg: sealed, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| SealError::Refused)
    }

    fn head(&self) -> Vec<u8> {
        [self.magic.as_slice(), &[self.format], self.extra].concat()
    }

    /// The head and the fields, each preceded by its length as four big-endian bytes, so that no
    /// two lists of fields look alike.
    fn associated_data(&self, fields: &[&[u8]]) -> Vec<u8> {
        let head = self.head();
        let mut data = Vec::new();
        for field in std::iter::once(head.as_slice()).chain(fields.iter().copied()) {
            // INVARIANT: fields are ids and names; 4 GiB of them would not be in memory.
            #[expect(clippy::expect_used, reason = "fields are short")]
            let length = u32::try_from(field.len()).expect("a field is short");
            data.extend_from_slice(&length.to_be_bytes());
            data.extend_from_slice(field);
        }
        data
    }
}

/// Refuses what is not of this kind, and by name what a newer program wrote.
pub(super) fn check_header(magic: [u8; 4], newest: u8, blob: &[u8]) -> Result<(), SealError> {
    match blob.strip_prefix(&magic).and_then(<[u8]>::first) {
        None | Some(0) => Err(SealError::NotSealed),
        Some(found) if *found > newest => Err(SealError::NewerFormat { found: *found }),
        Some(_) => Ok(()),
    }
}

fn cipher(key: &[u8; 32], salt: &[u8; SALT_LEN]) -> Aes256Gcm {
    let mut derived = Zeroizing::new([0; 32]);
    // INVARIANT: HKDF-SHA-256 yields up to 8160 bytes (RFC 5869, section 2.3).
    #[expect(clippy::expect_used, reason = "the error cannot occur")]
    Hkdf::<Sha256>::new(Some(salt), key)
        .expand(b"latchkey seal", derived.as_mut_slice())
        .expect("32 bytes can be derived");
    Aes256Gcm::new(&(*derived).into())
}

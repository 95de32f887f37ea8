//! The proof on a request: its text on the wire, and the check.

use crate::digest::sha256;
use crate::key_type::KeyType;
use crate::message::MessageAlgorithm;
use crate::public_key::{PublicKey, RsaPublicKey};
use crate::secret::SecretKey;
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PSS_2048_8192_SHA512};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::ed25519::signature::MultipartVerifier as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::sync::OnceLock;

/// The encoding of the neutral point of Curve25519: y = 1, sign 0.
const IDENTITY: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

/// A key made ready to check signatures; prepared once, used for each request.
pub enum Verifier {
    /// HMAC-SHA-256 with the padded key already hashed in.
    Hmac(HmacVerifier),
    /// Pure Ed25519.
    Ed25519(Ed25519Verifier),
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rsa(RsaVerifier),
}

/// The HMAC case of [`Verifier`].
pub struct HmacVerifier {
    keyed: Hmac<Sha256>,
}

/// The Ed25519 case of [`Verifier`].
pub struct Ed25519Verifier {
    point: VerifyingKey,
}

/// The RSA case of [`Verifier`].
pub struct RsaVerifier {
    key: ParsedPublicKey,
    /// The same key for the other padding, prepared on first use.
    pss: OnceLock<Option<ParsedPublicKey>>,
    modulus_len: usize,
}

/// A decoded signature; it has the shape of its key's type and proves nothing yet.
#[derive(Clone, PartialEq, Eq)]
pub enum Signature {
    /// The 32 bytes of the code.
    Hmac([u8; 32]),
    /// R and s.
    Ed25519([u8; 64]),
    /// As many bytes as the key's modulus.
    Rsa(Box<[u8]>),
}

/// The text cannot be a signature of this key, whatever was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureShape {
    /// An HMAC signature is 64 hex digits of any case.
    #[error("the signature must match `{}`", Self::HEX_PATTERN)]
    Hex,
    /// The base64 text has another length than this key's signatures have.
    #[error("the signature must be {0} characters of base64")]
    Length(usize),
    /// The text is not canonical standard base64 with padding.
    #[error("the signature must be standard base64 with padding")]
    Base64,
    /// The base64 holds spaces: somewhere a `+` was taken for one.
    #[error("the signature holds a space: send `+` as `%2B`")]
    PlusLost,
}

/// The signature does not prove the payload under this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not valid for the payload")]
pub struct BadSignature;

impl Signature {
    /// The bytes of the signature.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Hmac(bytes) => bytes,
            Self::Ed25519(bytes) => bytes,
            Self::Rsa(bytes) => bytes,
        }
    }
}

impl SignatureShape {
    /// The pattern that callers are told for an HMAC signature.
    /// Source: published answer `-1100` for the parameter `signature`.
    pub const HEX_PATTERN: &str = "^[A-Fa-f0-9]{64}$";
}

impl Verifier {
    /// Prepares an HMAC key. The code is keyed with the ASCII bytes of the secret.
    pub fn hmac(secret: &SecretKey) -> Self {
        Self::Hmac(HmacVerifier::new(secret.expose().as_bytes()))
    }

    /// Prepares a registered public key.
    pub fn public(key: &PublicKey) -> Self {
        match key {
            PublicKey::Rsa(key) => Self::Rsa(RsaVerifier::new(key)),
            PublicKey::Ed25519(key) => Self::Ed25519(Ed25519Verifier { point: *key.point() }),
        }
    }

    /// A name of the key: the same for the same key, and telling nothing of a secret.
    pub fn identity(&self) -> [u8; 32] {
        match self {
            Self::Hmac(key) => key.absorb(&[b"latchkey: the name of this key"]).finalize().into_bytes().into(),
            Self::Ed25519(key) => sha256(key.point.as_bytes()),
            Self::Rsa(key) => sha256(key.key.as_ref()),
        }
    }

    /// The type of the key behind this verifier.
    pub const fn key_type(&self) -> KeyType {
        match self {
            Self::Hmac(_) => KeyType::Hmac,
            Self::Ed25519(_) => KeyType::Ed25519,
            Self::Rsa(_) => KeyType::Rsa,
        }
    }

    /// Decodes a signature from its text on the wire, already percent-decoded where it came in a
    /// URL: 64 hex digits of any case for HMAC; for the others canonical standard base64 with
    /// padding, of exactly 64 bytes for Ed25519 and of the modulus' length for RSA.
    /// Source: request security, "Signature encodings".
    ///
    /// # Errors
    /// [`SignatureShape`] when no signature of this key looks like that.
    pub fn decode(&self, text: &[u8]) -> Result<Signature, SignatureShape> {
        match self {
            Self::Hmac(_) => decode_hex(text).map(Signature::Hmac),
            Self::Ed25519(_) => {
                let mut bytes = [0; 64];
                decode_base64(text, &mut bytes)?;
                Ok(Signature::Ed25519(bytes))
            }
            Self::Rsa(key) => {
                let mut bytes = vec![0; key.modulus_len].into_boxed_slice();
                decode_base64(text, &mut bytes)?;
                Ok(Signature::Rsa(bytes))
            }
        }
    }

    /// Decodes the bytes of a message signature, which are canonical standard base64 with padding for every type of key.
    /// Source: RFC 9421, section 4.2.
    ///
    /// # Errors
    /// [`SignatureShape::Length`], [`SignatureShape::Base64`].
    pub fn decode_message(&self, text: &[u8]) -> Result<Signature, SignatureShape> {
        match self {
            Self::Hmac(_) => {
                let mut bytes = [0; 32];
                decode_base64(text, &mut bytes)?;
                Ok(Signature::Hmac(bytes))
            }
            Self::Ed25519(_) | Self::Rsa(_) => self.decode(text),
        }
    }

    /// The algorithm of a message signature that names `name`, or none: the one that the key is registered for. An RSA
    /// key has two. `None` when the algorithm is not one of the key's type.
    pub fn message_algorithm(&self, name: Option<&str>) -> Option<MessageAlgorithm> {
        let mut algorithms = MessageAlgorithm::ALL.into_iter().filter(|known| known.key_type() == self.key_type());
        match name {
            None => algorithms.next(),
            Some(name) => algorithms.find(|known| known.name() == name),
        }
    }

    /// Checks that `signature` proves the base of a message signature.
    ///
    /// # Errors
    /// [`BadSignature`], also for an algorithm or a signature of another type of key.
    pub fn verify_message(
        &self,
        algorithm: MessageAlgorithm,
        base: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        match (self, algorithm, signature) {
            (Self::Rsa(key), MessageAlgorithm::RsaPssSha512, Signature::Rsa(bytes)) => key.verify_pss(base, bytes),
            _ if algorithm.key_type() == self.key_type() => self.verify(&[base], signature),
            _ => Err(BadSignature),
        }
    }

    /// Checks that `signature` proves the payload, which is the parts one after another with
    /// nothing between them. Where they are divided makes no difference.
    ///
    /// # Errors
    /// [`BadSignature`], also for a signature that was decoded for another type of key.
    pub fn verify(&self, parts: &[&[u8]], signature: &Signature) -> Result<(), BadSignature> {
        match (self, signature) {
            (Self::Hmac(key), Signature::Hmac(code)) => key.verify(parts, code),
            (Self::Ed25519(key), Signature::Ed25519(bytes)) => key.verify(parts, bytes),
            (Self::Rsa(key), Signature::Rsa(bytes)) => key.verify(parts, bytes),
            (Self::Hmac(_) | Self::Ed25519(_) | Self::Rsa(_), _) => Err(BadSignature),
        }
    }
}

impl HmacVerifier {
    pub(crate) fn new(secret: &[u8]) -> Self {
        // INVARIANT: HMAC takes keys of any length (RFC 2104, section 3).
        #[expect(clippy::expect_used, reason = "the error cannot occur")]
        let keyed = Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
        Self { keyed }
    }

    /// The code over the parts, not yet finished.
    pub(crate) fn absorb(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut code = self.keyed.clone();
        for part in parts {
            code.update(part);
        }
        code
    }

    fn verify(&self, parts: &[&[u8]], code: &[u8; 32]) -> Result<(), BadSignature> {
        self.absorb(parts).verify_slice(code).map_err(|_| BadSignature)
    }
}

impl Ed25519Verifier {
    /// Cofactorless verification. Keys are of prime order, so the R that verification computes
    /// is of small order only if it is the neutral point; refusing that one encoding makes this
    /// agree with strict verification and saves decompressing R.
    fn verify(&self, parts: &[&[u8]], bytes: &[u8; 64]) -> Result<(), BadSignature> {
        if bytes.starts_with(&IDENTITY) {
            return Err(BadSignature);
        }
        let signature = ed25519_dalek::Signature::from_bytes(bytes);
        self.point.multipart_verify(parts, &signature).map_err(|_| BadSignature)
    }
}

impl RsaVerifier {
    fn new(key: &RsaPublicKey) -> Self {
        Self { key: key.parsed().clone(), pss: OnceLock::new(), modulus_len: key.modulus_len() }
    }

    fn verify_pss(&self, base: &[u8], bytes: &[u8]) -> Result<(), BadSignature> {
        let parse = || ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA512, self.key.as_ref()).ok();
        let key = self.pss.get_or_init(parse).as_ref().ok_or(BadSignature)?;
        key.verify_sig(base, bytes).map_err(|_| BadSignature)
    }

    fn verify(&self, parts: &[&[u8]], bytes: &[u8]) -> Result<(), BadSignature> {
        let mut hash = Context::new(&SHA256);
        for part in parts {
            hash.update(part);
        }
        self.key.verify_digest_sig(&hash.finish(), bytes).map_err(|_| BadSignature)
    }
}

fn decode_hex(text: &[u8]) -> Result<[u8; 32], SignatureShape> {
    // The library would also take a `0x` prefix, so the length is ours to check.
    if text.len() != 64 {
        return Err(SignatureShape::Hex);
    }
    const_hex::decode_to_array(text).map_err(|_| SignatureShape::Hex)
}

/// Fills the whole of `bytes` from canonical base64.
fn decode_base64(text: &[u8], bytes: &mut [u8]) -> Result<(), SignatureShape> {
    let text_len = bytes.len().div_ceil(3) * 4;
    if text.len() != text_len {
        return Err(SignatureShape::Length(text_len));
    }
    match STANDARD.decode_slice(text, bytes) {
        Ok(filled) if filled == bytes.len() => Ok(()),
        // With less or more padding, the same number of characters is another number of bytes.
        Ok(_) => Err(SignatureShape::Base64),
        Err(_) if text.contains(&b' ') => Err(SignatureShape::PlusLost),
        Err(_) => Err(SignatureShape::Base64),
    }
}

#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod tests;

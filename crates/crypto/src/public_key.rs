//! Registered public keys: what is accepted, and a precise reason for what is not.

use crate::der::{self, NotDer, Reader};
use crate::digest::sha256;
use crate::key_type::KeyType;
use crate::pem::{self, ArmorError, Block};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::{SigningKey, VerifyingKey};

/// Smallest accepted RSA modulus, in bits. Source: API key types, "RSA".
pub const RSA_BITS_MIN: usize = 2048;
/// Largest accepted RSA modulus, in bits. Source: API key types, "RSA".
pub const RSA_BITS_MAX: usize = 4096;

const LABEL: &str = "PUBLIC KEY";
const ED25519_LEN: usize = 32;

/// A public key that may be registered: well-formed, strong, and with a single encoding.
#[derive(Clone, Debug)]
pub enum PublicKey {
    /// An RSA key of 2048 to 4096 bits with exponent 65537.
    Rsa(RsaPublicKey),
    /// An Ed25519 key: a canonically encoded point of the prime-order subgroup.
    Ed25519(Ed25519PublicKey),
}

/// The RSA case of [`PublicKey`].
#[derive(Clone, Debug)]
pub struct RsaPublicKey {
    parsed: ParsedPublicKey,
    modulus_len: usize,
}

/// The Ed25519 case of [`PublicKey`].
#[derive(Clone, Debug)]
pub struct Ed25519PublicKey {
    point: VerifyingKey,
}

/// Why a text is no public key that may be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// The text around the key is broken.
    #[error(transparent)]
    Armor(#[from] ArmorError),
    /// It is a private key, in whatever form. It must count as leaked if it was sent anywhere.
    #[error("this is a private key: keep it to yourself and register the public key that belongs to it")]
    PrivateKey,
    /// It is an encrypted private key.
    #[error("this is an encrypted private key: keep it to yourself and register the public key that belongs to it")]
    EncryptedPrivateKey,
    /// It is a certificate or a request for one.
    #[error(
        "this is a certificate, not a public key: extract the key, for instance with `openssl x509 -pubkey -noout`"
    )]
    Certificate,
    /// It is an RSA key in the PKCS#1 form.
    #[error(
        "this is a PKCS#1 `RSA PUBLIC KEY`: convert it to `PUBLIC KEY`, for instance with `openssl rsa -RSAPublicKey_in -pubout`"
    )]
    Pkcs1,
    /// It is an SSH public key.
    #[error("this is an SSH key: convert it to `PUBLIC KEY`, for instance with `ssh-keygen -e -m pkcs8`")]
    Ssh,
    /// Its header line names something else.
    #[error("the header line must say `-----BEGIN PUBLIC KEY-----`")]
    Label,
    /// The bytes are no `SubjectPublicKeyInfo`.
    #[error("the key is malformed: copy it whole, with its lines in order")]
    Malformed,
    /// Bytes follow the key.
    #[error("there are extra bytes after the key")]
    TrailingData,
    /// It is a key of another algorithm.
    #[error("{0} keys are not supported: use RSA or Ed25519")]
    Algorithm(&'static str),
    /// The RSA modulus is shorter or longer than allowed.
    #[error("the RSA key has {0} bits: use {RSA_BITS_MIN} to {RSA_BITS_MAX}")]
    RsaSize(usize),
    /// The RSA modulus is even or has another small factor, as when the key's lines were shuffled,
    /// or the library finds another fault.
    #[error("the RSA key is not valid: copy it whole, with its lines in order")]
    RsaInvalid,
    /// The RSA exponent is unusual.
    #[error("the RSA key must have the public exponent 65537")]
    RsaExponent,
    /// The Ed25519 key has another length.
    #[error("the Ed25519 key must have 32 bytes, not {0}")]
    Ed25519Length(usize),
    /// The bytes encode no point of the curve, or not in the one canonical way.
    #[error("the Ed25519 key is not a canonically encoded point of the curve")]
    Ed25519Encoding,
    /// The point has small order: signatures under it would prove nothing.
    #[error("the Ed25519 key is weak: its point has small order")]
    Ed25519SmallOrder,
    /// The point lies outside the prime-order subgroup: verifiers would disagree about signatures.
    #[error("the Ed25519 key is not valid: its point lies outside the prime-order subgroup")]
    Ed25519MixedOrder,
}

impl PublicKey {
    /// Reads a key as its owner pastes it: PEM with the label `PUBLIC KEY`, or the same base64
    /// without header and footer, with any white space, at most [`pem::TEXT_MAX`] bytes.
    /// Source: API key types, "Ed25519" and "RSA".
    ///
    /// # Errors
    /// [`PublicKeyError`], whose text tells the owner what is wrong and often what to do.
    pub fn parse(text: &str) -> Result<Self, PublicKeyError> {
        if text.trim_start().starts_with("ssh-") {
            return Err(PublicKeyError::Ssh);
        }
        let block = Block::find(text)?;
        if let Some(label) = &block.label {
            check_label(label)?;
        }
        Self::from_der(&block.decode()?)
    }

    /// Reads a key from the DER of its `SubjectPublicKeyInfo`, as [`PublicKey::to_der`] writes it.
    ///
    /// # Errors
    /// [`PublicKeyError`]; never the variants about armor and labels.
    pub fn from_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        let mut outer = Reader::new(der);
        let mut info = outer.inside(der::SEQUENCE).map_err(malformed)?;
        if !outer.is_empty() {
            return Err(PublicKeyError::TrailingData);
        }
        refuse_other_structures(info)?;
        let mut algorithm = info.inside(der::SEQUENCE).map_err(malformed)?;
        let oid = algorithm.element(der::OID).map_err(malformed)?;
        match oid {
            der::OID_RSA => {
                let parameters = algorithm.element(der::NULL).map_err(malformed)?;
                if !parameters.is_empty() {
                    return Err(PublicKeyError::Malformed);
                }
                algorithm.finish().map_err(malformed)?;
                let key = info.whole_bits().map_err(malformed)?;
                info.finish().map_err(malformed)?;
                RsaPublicKey::check(key, der).map(Self::Rsa)
            }
            der::OID_ED25519 => {
                algorithm.finish().map_err(malformed)?;
                let key = info.whole_bits().map_err(malformed)?;
                info.finish().map_err(malformed)?;
                Ed25519PublicKey::from_bytes(key).map(Self::Ed25519)
            }
            other => Err(PublicKeyError::Algorithm(algorithm_name(other))),
        }
    }

    /// [`KeyType::Rsa`] or [`KeyType::Ed25519`].
    pub const fn key_type(&self) -> KeyType {
        match self {
            Self::Rsa(_) => KeyType::Rsa,
            Self::Ed25519(_) => KeyType::Ed25519,
        }
    }

    /// The one DER encoding of this key's `SubjectPublicKeyInfo`: 44 bytes for Ed25519, at most
    /// 550 for RSA.
    pub fn to_der(&self) -> Vec<u8> {
        match self {
            // The parser accepted exactly one encoding, so the bytes it took are that encoding.
            Self::Rsa(key) => key.parsed.as_ref().to_vec(),
            Self::Ed25519(key) => [ED25519_PREFIX, key.point.as_bytes()].concat(),
        }
    }

    /// The key as PEM, with lines of 64 characters and a final line break.
    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &self.to_der()).to_string()
    }

    /// SHA-256 of [`PublicKey::to_der`]: equal for equal keys, whatever form they were pasted in.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.to_der())
    }
}

/// Everything of an Ed25519 `SubjectPublicKeyInfo` before its 32 bytes (RFC 8410, section 4).
const ED25519_PREFIX: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl RsaPublicKey {
    /// Length of the modulus in bytes, 256 to 512; each signature has the same length.
    pub const fn modulus_len(&self) -> usize {
        self.modulus_len
    }

    /// The key in the form that verifies.
    pub(crate) const fn parsed(&self) -> &ParsedPublicKey {
        &self.parsed
    }

    /// Checks the numbers in `key`, then lets the library check and prepare the whole `der`.
    fn check(key: &[u8], der: &[u8]) -> Result<Self, PublicKeyError> {
        const EXPONENT: &[u8] = &[0x01, 0x00, 0x01];

        let mut outer = Reader::new(key);
        let mut numbers = outer.inside(der::SEQUENCE).map_err(malformed)?;
        outer.finish().map_err(malformed)?;
        let modulus = numbers.positive_integer().map_err(malformed)?;
        let exponent = numbers.positive_integer().map_err(malformed)?;
        numbers.finish().map_err(malformed)?;

        let unused = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        let bits = modulus.len() * 8 - unused;
        if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
            return Err(PublicKeyError::RsaSize(bits));
        }
        if exponent != EXPONENT {
            return Err(PublicKeyError::RsaExponent);
        }
        if has_small_factor(modulus) {
            return Err(PublicKeyError::RsaInvalid);
        }
        let parsed = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).map_err(|_| PublicKeyError::RsaInvalid)?;
        Ok(Self { parsed, modulus_len: modulus.len() })
    }
}

impl Ed25519PublicKey {
    /// Checks the 32 bytes of a point.
    ///
    /// # Errors
    /// The variants of [`PublicKeyError`] that name Ed25519.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        let bytes: &[u8; ED25519_LEN] = bytes.try_into().map_err(|_| PublicKeyError::Ed25519Length(bytes.len()))?;
        let point = CompressedEdwardsY(*bytes).decompress().ok_or(PublicKeyError::Ed25519Encoding)?;
        // The library also takes encodings that RFC 8032 forbids: y not reduced, or a sign on x = 0.
        if point.compress().as_bytes() != bytes {
            return Err(PublicKeyError::Ed25519Encoding);
        }
        if point.is_small_order() {
            return Err(PublicKeyError::Ed25519SmallOrder);
        }
        if !point.is_torsion_free() {
            return Err(PublicKeyError::Ed25519MixedOrder);
        }
        Ok(Self { point: VerifyingKey::from(point) })
    }

    /// The public half of a signing key, which is always a point of prime order.
    pub(crate) fn of(key: &SigningKey) -> Self {
        Self { point: key.verifying_key() }
    }

    /// The 32 bytes of the point.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.point.as_bytes()
    }

    /// The key in the form that verifies.
    pub(crate) const fn point(&self) -> &VerifyingKey {
        &self.point
    }
}

/// Whether a number, big-endian, has a prime factor below 752. No real modulus has, and it tells
/// most numbers that were garbled on their way.
/// Source: NIST SP 800-89, section 5.3.3.
fn has_small_factor(modulus: &[u8]) -> bool {
    let is_prime = |n: &u64| !(3..28).step_by(2).any(|d| n.is_multiple_of(d) && *n != d);
    let (head, words) = modulus.as_rchunks::<4>();
    let divides = |prime: u64| {
        let head = head.iter().fold(0, |rest, byte| (rest << 8 | u64::from(*byte)) % prime);
        let rest = words.iter().fold(head, |rest, word| (rest << 32 | u64::from(u32::from_be_bytes(*word))) % prime);
        rest == 0
    };
    divides(2) || (3..752).step_by(2).filter(is_prime).any(divides)
}

fn malformed(_: NotDer) -> PublicKeyError {
    PublicKeyError::Malformed
}

fn check_label(label: &str) -> Result<(), PublicKeyError> {
    Err(match label {
        LABEL => return Ok(()),
        "RSA PUBLIC KEY" => PublicKeyError::Pkcs1,
        "ENCRYPTED PRIVATE KEY" => PublicKeyError::EncryptedPrivateKey,
        _ if label.ends_with("PRIVATE KEY") => PublicKeyError::PrivateKey,
        _ if label.contains("CERTIFICATE") => PublicKeyError::Certificate,
        _ if label.starts_with("SSH2") => PublicKeyError::Ssh,
        _ => PublicKeyError::Label,
    })
}

/// Recognizes, by their first elements, the structures that are pasted by mistake without header.
fn refuse_other_structures(info: Reader<'_>) -> Result<(), PublicKeyError> {
    let mut first = info;
    if let Ok(number) = first.element(der::INTEGER) {
        // Private keys start with a version number, a PKCS#1 public key with its modulus.
        let is_version = number.len() == 1;
        return Err(if is_version { PublicKeyError::PrivateKey } else { PublicKeyError::Pkcs1 });
    }
    let mut first = info;
    if let Ok(inner) = first.inside(der::SEQUENCE) {
        // An encrypted private key is an algorithm and an octet string; what a certificate signs
        // starts with a tagged version or a serial number instead of an algorithm.
        if inner.next_tag() == Some(der::OID) && first.next_tag() == Some(der::OCTET_STRING) {
            return Err(PublicKeyError::EncryptedPrivateKey);
        }
        if matches!(inner.next_tag(), Some(0xa0 | der::INTEGER)) {
            return Err(PublicKeyError::Certificate);
        }
    }
    Ok(())
}

/// The algorithms people try, by object identifier.
fn algorithm_name(oid: &[u8]) -> &'static str {
    match oid {
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01] => "elliptic-curve (ECDSA)",
        [0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01] => "DSA",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a] => "RSA-PSS",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07] => "RSA-OAEP",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01] => "Diffie-Hellman",
        [0x2b, 0x65, 0x6e] => "X25519",
        [0x2b, 0x65, 0x6f] => "X448",
        [0x2b, 0x65, 0x71] => "Ed448",
        _ => "other",
    }
}

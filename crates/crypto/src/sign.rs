//! The caller's side: private keys, and signatures in their wire encoding.

use crate::der::{self, Reader};
use crate::entropy::{Entropy, draw};
use crate::key_type::KeyType;
use crate::pem::{self, ArmorError, Block};
use crate::public_key::{Ed25519PublicKey, PublicKey, PublicKeyError};
use crate::secret::SecretKey;
use crate::verify::HmacVerifier;
use aws_lc_rs::digest::{Context, SHA256, SHA512};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA512};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::ed25519::signature::MultipartSigner as _;
use hmac::Mac as _;
use zeroize::Zeroizing;

const LABEL: &str = "PRIVATE KEY";

/// Signs payloads as their sender. It has no `Debug` and no `Clone`.
pub struct Signer(Key);

enum Key {
    Hmac(HmacVerifier),
    Ed25519(SigningKey),
    Rsa { pair: rsa::KeyPair, public: PublicKey },
}

/// A private key as PKCS#8 PEM. Like [`SecretKey`], it wipes itself, cannot be printed, and opens
/// only through [`PrivatePem::expose`].
pub struct PrivatePem(Zeroizing<String>);

/// Sizes of RSA keys that are generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaSize {
    /// 2048 bits.
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

/// Why a text is no private key that can sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyError {
    /// The text around the key is broken.
    #[error(transparent)]
    Armor(#[from] ArmorError),
    /// It is encrypted.
    #[error("the private key is encrypted: remove the passphrase, for instance with `openssl pkey -in FILE -out NEW`")]
    Encrypted,
    /// It is a public key.
    #[error("this is a public key: signing needs the private key that belongs to it")]
    PublicKey,
    /// It is a private key in another form.
    #[error("this is a `{0}`: convert it to PKCS#8, for instance with `openssl pkcs8 -topk8 -nocrypt`")]
    NotPkcs8(&'static str),
    /// Its header line names something else.
    #[error("the header line must say `-----BEGIN PRIVATE KEY-----`")]
    Label,
    /// The bytes are no PKCS#8 private key.
    #[error("the private key is malformed: copy it whole, with its lines in order")]
    Malformed,
    /// It is a key of another algorithm.
    #[error("private keys of this algorithm are not supported: use RSA or Ed25519")]
    Algorithm,
    /// The RSA numbers do not fit together.
    #[error("the RSA private key is not valid")]
    RsaInvalid,
    /// The public key that belongs to it could not be registered.
    #[error("the public half cannot be registered")]
    Public(#[source] PublicKeyError),
}

/// The library refused to generate a key or to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library failed")]
pub struct LibraryError;

impl Signer {
    /// Signs with the secret of an HMAC key.
    pub fn hmac(secret: &SecretKey) -> Self {
        Self(Key::Hmac(HmacVerifier::new(secret.expose().as_bytes())))
    }

    /// Makes a new Ed25519 key from 32 bytes of entropy.
    pub fn generate_ed25519(entropy: &mut dyn Entropy) -> Self {
        let seed = Zeroizing::new(draw(entropy));
        Self(Key::Ed25519(SigningKey::from_bytes(&seed)))
    }

    /// Makes a new RSA key. This is the one place of the crate that does not take its randomness
    /// as an argument: the library searches for primes with its own random source. A 4096-bit
    /// key can take seconds.
    ///
    /// # Errors
    /// [`LibraryError`] when the library cannot make one.
    pub fn generate_rsa(size: RsaSize) -> Result<Self, LibraryError> {
        let size = match size {
            RsaSize::Bits2048 => rsa::KeySize::Rsa2048,
            RsaSize::Bits3072 => rsa::KeySize::Rsa3072,
            RsaSize::Bits4096 => rsa::KeySize::Rsa4096,
        };
        let pair = rsa::KeyPair::generate(size).map_err(|_| LibraryError)?;
        Self::from_rsa(pair).map_err(|_| LibraryError)
    }

    /// Reads a private key: PEM with the label `PRIVATE KEY` (PKCS#8), or the same base64 without
    /// header and footer, with any white space, at most [`pem::TEXT_MAX`] bytes.
    ///
    /// # Errors
    /// [`PrivateKeyError`], whose text says what is wrong and often what to do.
    pub fn from_pem(text: &str) -> Result<Self, PrivateKeyError> {
        let block = Block::find(text)?;
        if block.is_encrypted() {
            return Err(PrivateKeyError::Encrypted);
        }
        if let Some(label) = &block.label {
            check_label(label)?;
        }
        Self::from_pkcs8(&block.decode()?)
    }

    /// Reads a private key from the DER of an unencrypted PKCS#8 structure.
    ///
    /// # Errors
    /// [`PrivateKeyError`]; never the variants about armor and labels.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, PrivateKeyError> {
        let parsed = Pkcs8::parse(der)?;
        match parsed.algorithm {
            der::OID_ED25519 => parsed.ed25519().map(|key| Self(Key::Ed25519(key))),
            der::OID_RSA => {
                let pair = rsa::KeyPair::from_pkcs8(der).map_err(|_| PrivateKeyError::RsaInvalid)?;
                Self::from_rsa(pair)
            }
            _ => Err(PrivateKeyError::Algorithm),
        }
    }

    fn from_rsa(pair: rsa::KeyPair) -> Result<Self, PrivateKeyError> {
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| PrivateKeyError::RsaInvalid)?;
        let public = PublicKey::from_der(der.as_ref()).map_err(PrivateKeyError::Public)?;
        Ok(Self(Key::Rsa { pair, public }))
    }

    /// The type of the key.
    pub const fn key_type(&self) -> KeyType {
        match self.0 {
            Key::Hmac(_) => KeyType::Hmac,
            Key::Ed25519(_) => KeyType::Ed25519,
            Key::Rsa { .. } => KeyType::Rsa,
        }
    }

    /// The public key to register; `None` for HMAC, which has none.
    pub fn public_key(&self) -> Option<PublicKey> {
        match &self.0 {
            Key::Hmac(_) => None,
            Key::Ed25519(key) => Some(PublicKey::Ed25519(Ed25519PublicKey::of(key))),
            Key::Rsa { public, .. } => Some(public.clone()),
        }
    }

    /// The private key as PKCS#8 PEM; `None` for HMAC, whose secret is its own text.
    ///
    /// # Errors
    /// [`LibraryError`] when the library cannot write the RSA key.
    pub fn private_pem(&self) -> Result<Option<PrivatePem>, LibraryError> {
        let pem = match &self.0 {
            Key::Hmac(_) => return Ok(None),
            Key::Ed25519(key) => {
                let der = Zeroizing::new([ED25519_PREFIX, key.as_bytes()].concat());
                pem::encode(LABEL, &der)
            }
            Key::Rsa { pair, .. } => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| LibraryError)?;
                pem::encode(LABEL, der.as_ref())
            }
        };
        Ok(Some(PrivatePem(pem)))
    }

    /// The signature's text on the wire over the parts one after another: lower-case hex for
    /// HMAC, padded standard base64 for the others. In a URL the base64 must be percent-encoded.
    ///
    /// # Errors
    /// [`LibraryError`] when the library cannot sign; only with RSA.
    pub fn sign(&self, parts: &[&[u8]]) -> Result<String, LibraryError> {
        match &self.0 {
            Key::Hmac(key) => Ok(const_hex::encode(key.absorb(parts).finalize().into_bytes())),
            Key::Ed25519(key) => {
                let signature = key.try_multipart_sign(parts).map_err(|_| LibraryError)?;
                Ok(STANDARD.encode(signature.to_bytes()))
            }
            Key::Rsa { pair, .. } => {
                let mut hash = Context::new(&SHA256);
                for part in parts {
                    hash.update(part);
                }
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(&RSA_PKCS1_SHA256, &hash.finish(), &mut signature).map_err(|_| LibraryError)?;
                Ok(STANDARD.encode(signature))
            }
        }
    }
}

impl Signer {
    /// A message signature over its base, as base64, by the preferred algorithm of the key's type.
    ///
    /// # Errors
    /// [`LibraryError`] when the library cannot sign; only with RSA.
    pub fn sign_message(&self, base: &[u8]) -> Result<String, LibraryError> {
        match &self.0 {
            Key::Hmac(key) => Ok(STANDARD.encode(key.absorb(&[base]).finalize().into_bytes())),
            Key::Ed25519(_) => self.sign(&[base]),
            Key::Rsa { pair, .. } => {
                let mut hash = Context::new(&SHA512);
                hash.update(base);
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(&RSA_PSS_SHA512, &hash.finish(), &mut signature).map_err(|_| LibraryError)?;
                Ok(STANDARD.encode(signature))
            }
        }
    }
}

impl PrivatePem {
    /// The text itself. Each caller must keep it out of logs, records and error texts.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Everything of an Ed25519 PKCS#8 structure before its 32 bytes (RFC 8410, section 7).
const ED25519_PREFIX: &[u8] =
    &[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// An unencrypted PKCS#8 structure (RFC 5208, RFC 5958), opened as far as both algorithms need.
struct Pkcs8<'a> {
    algorithm: &'a [u8],
    key: &'a [u8],
    /// The public key that the second version may carry along.
    public: Option<&'a [u8]>,
}

impl<'a> Pkcs8<'a> {
    fn parse(der: &'a [u8]) -> Result<Self, PrivateKeyError> {
        /// Optional attributes; nobody needs them.
        const ATTRIBUTES: u8 = 0xa0;
        /// The public key, an implicitly tagged bit string.
        const PUBLIC_KEY: u8 = 0x81;

        let malformed = |_| PrivateKeyError::Malformed;
        let mut outer = Reader::new(der);
        let mut info = outer.inside(der::SEQUENCE).map_err(malformed)?;
        outer.finish().map_err(malformed)?;
        if info.next_tag() == Some(der::SEQUENCE) {
            return Err(other_structure(info));
        }
        let version = info.element(der::INTEGER).map_err(malformed)?;
        match (version, info.next_tag()) {
            ([0 | 1], Some(der::SEQUENCE)) => {}
            ([0], Some(der::INTEGER)) => return Err(PrivateKeyError::NotPkcs8("RSA PRIVATE KEY")),
            ([1], Some(der::OCTET_STRING)) => return Err(PrivateKeyError::NotPkcs8("EC PRIVATE KEY")),
            _ => return Err(PrivateKeyError::Malformed),
        }
        let mut algorithm = info.inside(der::SEQUENCE).map_err(malformed)?;
        let algorithm = algorithm.element(der::OID).map_err(malformed)?;
        let key = info.element(der::OCTET_STRING).map_err(malformed)?;
        if info.next_tag() == Some(ATTRIBUTES) {
            info.element(ATTRIBUTES).map_err(malformed)?;
        }
        let public = match info.next_tag() {
            Some(PUBLIC_KEY) => match info.element(PUBLIC_KEY).map_err(malformed)?.split_first() {
                Some((0, bytes)) => Some(bytes),
                _ => return Err(PrivateKeyError::Malformed),
            },
            _ => None,
        };
        info.finish().map_err(malformed)?;
        Ok(Self { algorithm, key, public })
    }

    fn ed25519(&self) -> Result<SigningKey, PrivateKeyError> {
        let malformed = |_| PrivateKeyError::Malformed;
        let mut inner = Reader::new(self.key);
        let seed = inner.element(der::OCTET_STRING).map_err(malformed)?;
        inner.finish().map_err(malformed)?;
        let key = SigningKey::try_from(seed).map_err(|_| PrivateKeyError::Malformed)?;
        match self.public {
            Some(public) if public != key.verifying_key().as_bytes() => Err(PrivateKeyError::Malformed),
            _ => Ok(key),
        }
    }
}

fn check_label(label: &str) -> Result<(), PrivateKeyError> {
    Err(match label {
        LABEL => return Ok(()),
        "ENCRYPTED PRIVATE KEY" => PrivateKeyError::Encrypted,
        "RSA PRIVATE KEY" => PrivateKeyError::NotPkcs8("RSA PRIVATE KEY"),
        "EC PRIVATE KEY" => PrivateKeyError::NotPkcs8("EC PRIVATE KEY"),
        "OPENSSH PRIVATE KEY" => PrivateKeyError::NotPkcs8("OPENSSH PRIVATE KEY"),
        _ if label.ends_with("PUBLIC KEY") => PrivateKeyError::PublicKey,
        _ => PrivateKeyError::Label,
    })
}

/// What starts with an algorithm instead of a version is a public or an encrypted private key.
fn other_structure(mut info: Reader<'_>) -> PrivateKeyError {
    let algorithm = info.element(der::SEQUENCE);
    match (algorithm, info.next_tag()) {
        (Ok(_), Some(der::BIT_STRING)) => PrivateKeyError::PublicKey,
        (Ok(_), Some(der::OCTET_STRING)) => PrivateKeyError::Encrypted,
        _ => PrivateKeyError::Malformed,
    }
}

//! Envelope sealing: how secrets rest in the store.
//!
//! ```text
//! key-encryption key (file, command, vault)        seal::wrap
//!   └─ wraps the root keys, a few versions         Keyring
//!        └─ root key + salt of its own             HKDF-SHA-256
//!             └─ one key for one secret            AES-256-GCM, bound to its SealContext
//! ```
//!
//! A sealed blob opens only in the place it was made for: store, purpose, account, key id and type
//! are authenticated with it, so a blob moved to another record is as good as a damaged one.

mod envelope;
pub mod wrap;

use crate::entropy::Entropy;
use crate::key_type::KeyType;
use envelope::{Envelope, HEADER_LEN};
use zeroize::Zeroizing;

/// The newest format of sealed blobs and of wrapped root keys; older ones are read, newer refused.
pub const FORMAT: u8 = 1;

const MAGIC: [u8; 4] = *b"LKSB";
const VERSION_LEN: usize = 4;
const CANARY: &[u8] = b"latchkey canary";

/// One version of the key that secrets are sealed under.
pub struct RootKey {
    version: u32,
    bytes: Zeroizing<[u8; 32]>,
}

/// The root keys of a store. The highest version is current and seals; all open.
pub struct Keyring {
    /// In rising order of version; never empty.
    keys: Vec<RootKey>,
    current: u32,
}

/// What a blob is bound to; it must be the same for sealing and for opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealContext<'a> {
    /// Which deployment the store belongs to.
    pub store_id: &'a [u8],
    /// What the secret is for, `hmac-secret` or `totp-seed` for instance.
    pub purpose: &'a str,
    /// The account that owns it; 0 if none does.
    pub account: i64,
    /// The key that it belongs to; empty if it belongs to none.
    pub key_id: &'a [u8],
    /// The type of that key.
    pub key_type: Option<KeyType>,
}

/// Opened bytes. They wipe themselves, cannot be printed, and open only through
/// [`Opened::expose`].
pub struct Opened(Zeroizing<Vec<u8>>);

/// Why a blob does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The bytes are no sealed blob of the kind that was expected.
    #[error("these bytes are not sealed data of this kind")]
    NotSealed,
    /// A newer program wrote it.
    #[error("sealed in format {found}, newer than format {FORMAT} that this program reads: upgrade it")]
    NewerFormat {
        /// The format it was written in.
        found: u8,
    },
    /// It is sealed under a root key that the keyring does not hold.
    #[error("sealed under root key version {0}, which is not in the keyring")]
    UnknownRootKey(u32),
    /// The key is another, the bytes were changed, or they were made for another place.
    #[error("sealed data does not open: wrong key, wrong place, or changed bytes")]
    Refused,
}

/// Root keys that make no keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// There is none.
    #[error("a keyring needs at least one root key")]
    Empty,
    /// Two have the same version.
    #[error("root key version {0} is there twice")]
    Duplicate(u32),
}

impl RootKey {
    /// Takes a root key from its 32 bytes.
    pub fn new(version: u32, bytes: &[u8; 32]) -> Self {
        Self { version, bytes: Zeroizing::new(*bytes) }
    }

    /// Makes a new root key.
    pub fn generate(version: u32, entropy: &mut dyn Entropy) -> Self {
        let mut key = Self { version, bytes: Zeroizing::default() };
        entropy.fill(key.bytes.as_mut_slice());
        key
    }

    /// The version that blobs name it by.
    pub const fn version(&self) -> u32 {
        self.version
    }
}

impl Keyring {
    /// Makes a keyring; the key with the highest version becomes current.
    ///
    /// # Errors
    /// [`KeyringError`] without keys, or with two of one version.
    pub fn new(mut keys: Vec<RootKey>) -> Result<Self, KeyringError> {
        keys.sort_by_key(RootKey::version);
        let current = keys.last().ok_or(KeyringError::Empty)?.version;
        let versions = keys.iter().map(RootKey::version);
        match versions.clone().zip(versions.skip(1)).find(|(a, b)| a == b) {
            Some((version, _)) => Err(KeyringError::Duplicate(version)),
            None => Ok(Self { keys, current }),
        }
    }

    /// Adds a newly made root key, which becomes current, and returns its version: one above the
    /// last. The keyring must be wrapped and saved before anything is sealed under it.
    ///
    /// # Panics
    /// After four thousand million rotations.
    pub fn rotate(&mut self, entropy: &mut dyn Entropy) -> u32 {
        self.current += 1;
        self.keys.push(RootKey::generate(self.current, entropy));
        self.current
    }

    /// The version that new blobs are sealed under.
    pub const fn current_version(&self) -> u32 {
        self.current
    }

    /// The versions that it opens, in rising order.
    pub fn versions(&self) -> impl Iterator<Item = u32> {
        self.keys.iter().map(RootKey::version)
    }

    /// Seals `plaintext` under the current root key. The blob is 57 bytes longer: magic, format,
    /// root-key version, salt, ciphertext, tag. The salt is drawn here, because two secrets
    /// sealed with one salt would betray each other.
    pub fn seal(&self, context: &SealContext<'_>, plaintext: &[u8], entropy: &mut dyn Entropy) -> Vec<u8> {
        // INVARIANT: `current` names the last key, and the keyring is never empty.
        #[expect(clippy::expect_used, reason = "the current key is always there")]
        let key = self.key(self.current).expect("the current root key is in the keyring");
        let version = self.current.to_be_bytes();
        let envelope = Envelope { magic: MAGIC, format: FORMAT, extra: &version };
        context.with_fields(|fields| envelope.seal(&key.bytes, fields, plaintext, entropy))
    }

    /// Opens a blob sealed for the same context under any root key of the keyring.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, context: &SealContext<'_>, blob: &[u8]) -> Result<Opened, SealError> {
        let version = root_key_version(blob)?;
        let key = self.key(version).ok_or(SealError::UnknownRootKey(version))?;
        let extra = version.to_be_bytes();
        let envelope = Envelope { magic: MAGIC, format: FORMAT, extra: &extra };
        context.with_fields(|fields| envelope.open(&key.bytes, fields, blob)).map(Opened)
    }

    /// Seals a known text. Kept beside the store's data, it tells a wrong key at start, before any
    /// secret is needed.
    pub fn seal_canary(&self, store_id: &[u8], entropy: &mut dyn Entropy) -> Vec<u8> {
        self.seal(&canary_context(store_id), CANARY, entropy)
    }

    /// Checks the canary of this store.
    ///
    /// # Errors
    /// [`SealError`] when the keyring is not the one that the store's secrets are sealed under.
    pub fn check_canary(&self, store_id: &[u8], blob: &[u8]) -> Result<(), SealError> {
        match self.open(&canary_context(store_id), blob)?.expose() {
            CANARY => Ok(()),
            _ => Err(SealError::Refused),
        }
    }

    fn key(&self, version: u32) -> Option<&RootKey> {
        self.keys.iter().rfind(|key| key.version == version)
    }
}

/// The version of the root key that a blob is sealed under, so that rotation finds what to re-seal.
///
/// # Errors
/// [`SealError::NotSealed`] or [`SealError::NewerFormat`]; the blob is not authenticated here.
pub fn root_key_version(blob: &[u8]) -> Result<u32, SealError> {
    envelope::check_header(MAGIC, FORMAT, blob)?;
    blob.get(HEADER_LEN..HEADER_LEN + VERSION_LEN)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u32::from_be_bytes)
        .ok_or(SealError::NotSealed)
}

impl Opened {
    /// The bytes themselves. Each caller must keep them out of logs, records and error texts.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl SealContext<'_> {
    /// Hands over the fields in the order they are authenticated; the envelope adds the lengths.
    fn with_fields<T>(&self, take: impl FnOnce(&[&[u8]]) -> T) -> T {
        let account = self.account.to_be_bytes();
        let key_type = self.key_type.map_or("", KeyType::name);
        take(&[self.store_id, self.purpose.as_bytes(), &account, self.key_id, key_type.as_bytes()])
    }
}

const fn canary_context(store_id: &[u8]) -> SealContext<'_> {
    SealContext { store_id, purpose: "canary", account: 0, key_id: &[], key_type: None }
}

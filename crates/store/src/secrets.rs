//! The secrets of a store: opened once at start, sealed ever after.
//!
//! The key-encryption key comes from outside and unwraps the root keys that rest in the store; a sealed canary proves
//! that they are the right ones before anything is served. A sealed secret is opened on its key's first use.

pub mod key_file;

use latchkey_admission::ports::OpenMaterial;
use latchkey_authority::account::Sealed;
use latchkey_authority::key::Material;
use latchkey_authority::ports::{Purpose, SealBroken, SealFor, Secrets, StoreError};
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::public_key::PublicKey;
use latchkey_crypto::seal::wrap::WrappingKey;
use latchkey_crypto::seal::{Keyring, KeyringError, Opened, RootKey, SealContext, SealError};
use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::verify::Verifier;
use latchkey_protocol::{AccountId, KeyId};
use zeroize::Zeroizing;

use crate::random;
use crate::sqlite::{SqliteStore, StoreId};

/// The root keys of one store, unwrapped.
pub struct Vault {
    store: StoreId,
    keyring: Keyring,
}

/// Why the secrets of a store do not open.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// The key is not the one that the store was made with.
    #[error("the key-encryption key is not the one that this store was sealed with")]
    WrongKey,
    /// The store holds records and no root keys.
    #[error("the store holds records but no root keys: it is not whole")]
    Missing,
    /// What is wrapped or sealed is not readable.
    #[error("the root keys of the store cannot be opened")]
    Sealed(#[source] SealError),
    /// Fresh root keys do not make a keyring.
    #[error("the root keys cannot be used")]
    Keyring(#[from] KeyringError),
    /// The store does not answer.
    #[error("the root keys cannot be read")]
    Store(#[from] StoreError),
}

impl Vault {
    /// Unwraps the root keys of a store and proves them. A store without any records gets its first ones.
    ///
    /// # Errors
    /// [`UnlockError`]; the server must not start then.
    pub async fn unlock(store: &SqliteStore, key: &WrappingKey) -> Result<Self, UnlockError> {
        let id = store.id();
        let mut rest = store.root_keys().await?;
        if rest.is_none() {
            if store.revision().await? != 0 {
                return Err(UnlockError::Missing);
            }
            let fresh = Keyring::new(vec![RootKey::generate(1, &mut random::fill)])?;
            let wrapped = key.wrap(&id.0, &fresh, &mut random::fill);
            let canary = fresh.seal_canary(&id.0, &mut random::fill);
            store.insert_root_keys(&wrapped, &canary).await?;
            // Another process may have been first: what the store has holds.
            rest = store.root_keys().await?;
        }
        let (wrapped, canary) = rest.ok_or(UnlockError::Missing)?;
        let keyring = key.unwrap(&id.0, &wrapped).map_err(refused)?;
        keyring.check_canary(&id.0, &canary).map_err(refused)?;
        Ok(Self { store: id, keyring })
    }

    /// Opens what was sealed for `what`.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, what: SealFor, sealed: &Sealed) -> Result<Opened, SealError> {
        let key_id = key_id(what);
        self.keyring.open(&self.context(what, &key_id), &sealed.0)
    }

    fn context<'a>(&'a self, what: SealFor, key_id: &'a [u8]) -> SealContext<'a> {
        SealContext {
            store_id: &self.store.0,
            purpose: what.purpose.as_str(),
            account: what.account.0,
            key_id,
            key_type: what.key.map(|(_, key_type)| key_type),
        }
    }

    fn hmac_verifier(&self, account: AccountId, key: KeyId, sealed: &Sealed) -> Option<Verifier> {
        let what = SealFor { purpose: Purpose::HmacSecret, account, key: Some((key, KeyType::Hmac)) };
        let opened = self.open(what, sealed);
        let opened =
            opened.inspect_err(|error| tracing::error!(%account, %key, %error, "a secret does not open")).ok()?;
        let secret = SecretKey::parse(opened.expose());
        let secret =
            secret.inspect_err(|error| tracing::error!(%account, %key, %error, "a secret is no secret")).ok()?;
        Some(Verifier::hmac(&secret))
    }
}

impl Secrets for Vault {
    fn seal(&self, what: SealFor, secret: &[u8]) -> Sealed {
        let key_id = key_id(what);
        Sealed(self.keyring.seal(&self.context(what, &key_id), secret, &mut random::fill))
    }

    fn open(&self, what: SealFor, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealBroken> {
        let opened = Self::open(self, what, sealed).map_err(|_| SealBroken)?;
        Ok(Zeroizing::new(opened.expose().to_vec()))
    }

    fn random(&self, bytes: &mut [u8]) {
        random::fill(bytes);
    }
}

impl OpenMaterial for Vault {
    fn open(&self, account: AccountId, key: KeyId, material: &Material) -> Option<Verifier> {
        match material {
            Material::Hmac { sealed } => self.hmac_verifier(account, key, sealed),
            Material::Rsa(public) | Material::Ed25519(public) => match PublicKey::from_der(&public.der) {
                Ok(public) if public.key_type() == material.key_type() => Some(Verifier::public(&public)),
                Ok(_) => {
                    tracing::error!(%account, %key, "a public key is of another type than its record says");
                    None
                }
                Err(error) => {
                    tracing::error!(%account, %key, %error, "a public key is not readable");
                    None
                }
            },
        }
    }
}

/// The bytes that name a key in the seal; none for secrets of the account.
fn key_id(what: SealFor) -> Vec<u8> {
    what.key.map(|(id, _)| id.0.to_be_bytes().to_vec()).unwrap_or_default()
}

fn refused(error: SealError) -> UnlockError {
    match error {
        SealError::Refused => UnlockError::WrongKey,
        other => UnlockError::Sealed(other),
    }
}

//! An API key and what signs for it.

use core::fmt;
use core::str::FromStr as _;

use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::secret::{KeyTextError, SecretKey};
use latchkey_crypto::sign::{PrivateKeyError, Signer};
use latchkey_protocol::ApiKey;

/// Who calls: the public API key and the signer that proves it. `Debug` shows the API key and the key's type.
pub struct Credentials {
    api_key: ApiKey,
    signer: Signer,
}

/// Why texts are no credentials. No message quotes a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The API key has another shape.
    #[error("the API key must be 64 characters `[A-Za-z0-9]`")]
    ApiKey,
    /// The type names none.
    #[error("unknown key type `{0}`: use `hmac`, `rsa` or `ed25519`")]
    KeyType(String),
    /// The HMAC secret has another shape.
    #[error("the HMAC secret {0}")]
    Secret(KeyTextError),
    /// The private key cannot be read.
    #[error("the private key cannot be used")]
    PrivateKey(#[source] PrivateKeyError),
    /// The private key is of another type than was said.
    #[error("the private key is of type `{found}`, not `{wanted}`")]
    OtherType {
        /// The type that was asked for.
        wanted: KeyType,
        /// The type of the key.
        found: KeyType,
    },
}

impl Credentials {
    /// Puts an API key and a signer together.
    pub fn new(api_key: ApiKey, signer: Signer) -> Self {
        Self { api_key, signer }
    }

    /// Reads both from text: 64 characters for the API key, and for the secret what [`signer`] takes.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn parse(api_key: &str, key_type: KeyType, secret: &str) -> Result<Self, CredentialsError> {
        let api_key = ApiKey::parse(api_key.as_bytes()).ok_or(CredentialsError::ApiKey)?;
        Ok(Self { api_key, signer: signer(key_type, secret)? })
    }

    /// The public API key, sent in `X-MBX-APIKEY`.
    pub fn api_key(&self) -> ApiKey {
        self.api_key
    }

    /// What signs.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }
}

/// Reads a secret: 64 characters for HMAC, an unencrypted PKCS#8 private key (PEM, or its base64 alone) for the
/// other types. White space around it is passed over.
///
/// # Errors
/// [`CredentialsError`], also when a private key is of another type than `key_type`.
pub fn signer(key_type: KeyType, secret: &str) -> Result<Signer, CredentialsError> {
    let secret = secret.trim_ascii();
    if key_type == KeyType::Hmac {
        return SecretKey::parse(secret).map(|secret| Signer::hmac(&secret)).map_err(CredentialsError::Secret);
    }
    let signer = Signer::from_pem(secret).map_err(CredentialsError::PrivateKey)?;
    let found = signer.key_type();
    if found == key_type { Ok(signer) } else { Err(CredentialsError::OtherType { wanted: key_type, found }) }
}

/// Reads the name of a key type: `hmac`, `rsa` or `ed25519`, in any letter case.
///
/// # Errors
/// [`CredentialsError::KeyType`].
pub fn key_type(name: &str) -> Result<KeyType, CredentialsError> {
    KeyType::from_str(&name.to_ascii_lowercase()).map_err(|_| CredentialsError::KeyType(name.to_owned()))
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("api_key", &self.api_key)
            .field("key_type", &self.signer.key_type())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u";

    #[test]
    fn debug_output_has_no_secret() {
        let text = format!("{:?}", Credentials::parse(API_KEY, KeyType::Hmac, SECRET).unwrap());
        assert!(text.contains(API_KEY) && text.contains("Hmac"), "{text}");
        assert!(!text.contains(SECRET), "{text}");
    }

    #[test]
    fn errors_do_not_quote_the_secret() {
        for secret in [&SECRET[1..], "-----BEGIN PRIVATE KEY-----5ec2e7", "5ec2e7"] {
            for key_type in KeyType::ALL {
                let error = Credentials::parse(API_KEY, key_type, secret).unwrap_err();
                let text = format!("{error} {error:?}");
                assert!(!text.contains(secret) && !text.contains("5ec2e7"), "{text}");
            }
        }
    }

    #[test]
    fn the_key_must_be_of_the_type_that_was_said() {
        assert!(signer(KeyType::Ed25519, &format!("\n{ED25519}\n")).is_ok());
        let error = signer(KeyType::Rsa, ED25519).err();
        assert_eq!(error, Some(CredentialsError::OtherType { wanted: KeyType::Rsa, found: KeyType::Ed25519 }));
        assert_eq!(key_type("Ed25519"), Ok(KeyType::Ed25519));
        assert!(key_type("ecdsa").is_err());
    }
}

//! The audit key in a file: Ed25519, PKCS#8 in PEM, mode 0600, outside the store.

use std::path::{Path, PathBuf};

use latchkey_crypto::entropy::Entropy;
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::sign::{PrivateKeyError, Signer};

use crate::folder::{self, FolderError};

/// A key file is never longer than this, in bytes.
const FILE_MAX: u64 = 8 * 1024;

/// Why an audit key is not usable. No text holds anything of the key.
#[derive(Debug, thiserror::Error)]
pub enum AuditKeyError {
    /// There is none.
    #[error("there is no audit key `{}`", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Others than its owner can open it, or it cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// It holds something else.
    #[error("`{}` is no private key", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: PrivateKeyError,
    },
    /// It holds a key of another type, or one that cannot be written.
    #[error("`{}` does not hold an Ed25519 key", path.display())]
    KeyType {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the audit key.
///
/// # Errors
/// [`AuditKeyError`].
pub fn read(path: &Path) -> Result<Signer, AuditKeyError> {
    let path = path.to_owned();
    let Some(text) = folder::read_secret(&path, FILE_MAX)? else { return Err(AuditKeyError::Missing { path }) };
    match Signer::from_pem(&text) {
        Ok(key) if key.key_type() == KeyType::Ed25519 => Ok(key),
        Ok(_) => Err(AuditKeyError::KeyType { path }),
        Err(source) => Err(AuditKeyError::Content { path, source }),
    }
}

/// Makes an audit key in a file that must not be there yet. The folder must be there.
///
/// # Errors
/// [`AuditKeyError`].
pub fn create(path: &Path, entropy: &mut dyn Entropy) -> Result<Signer, AuditKeyError> {
    let key = Signer::generate_ed25519(entropy);
    let pem = key.private_pem().ok().flatten().ok_or_else(|| AuditKeyError::KeyType { path: path.to_owned() })?;
    folder::create_secret(path, pem.expose())?;
    Ok(key)
}

/// Reads the audit key, making it when it is absent.
///
/// # Errors
/// [`AuditKeyError`].
pub fn read_or_create(path: &Path, entropy: &mut dyn Entropy) -> Result<Signer, AuditKeyError> {
    match read(path) {
        Err(AuditKeyError::Missing { .. }) => create(path, entropy),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::random;

    #[test]
    fn a_made_key_reads_back_and_what_others_can_open_or_is_no_key_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("audit.pem");
        assert!(matches!(read(&path), Err(AuditKeyError::Missing { .. })));
        let made = read_or_create(&path, &mut random::fill).unwrap().public_key().unwrap();
        assert_eq!(read_or_create(&path, &mut random::fill).unwrap().public_key().unwrap().to_pem(), made.to_pem());
        assert!(create(&path, &mut random::fill).is_err(), "never written over");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read(&path).err().unwrap().to_string().contains("0640"));
        fs::remove_file(&path).unwrap();
        folder::create_secret(&path, "no key").unwrap();
        assert!(matches!(read(&path), Err(AuditKeyError::Content { .. })));
    }
}

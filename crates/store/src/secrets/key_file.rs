//! The key-encryption key in a file: 64 hex digits, mode 0600.

use std::path::{Path, PathBuf};

use latchkey_crypto::entropy::Entropy;
use latchkey_crypto::seal::wrap::{WrappingKey, WrappingKeyError};

use crate::folder::{self, FolderError};

/// A key file is never longer than this, in bytes.
const FILE_MAX: u64 = 1024;

/// Why a key file is not usable. No text holds anything of the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is none.
    #[error("there is no key-encryption file `{}`", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Others than its owner can open it, or it cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// It holds something else.
    #[error("`{}` is no key-encryption file", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        #[source]
        source: WrappingKeyError,
    },
}

/// Reads the key file.
///
/// # Errors
/// [`KeyFileError`].
pub fn read(path: &Path) -> Result<WrappingKey, KeyFileError> {
    let text = folder::read_secret(path, FILE_MAX)?.ok_or_else(|| KeyFileError::Missing { path: path.to_owned() })?;
    WrappingKey::parse(&text).map_err(|source| KeyFileError::Content { path: path.to_owned(), source })
}

/// Makes a key file that must not be there yet, with a fresh key. The folder must be there.
///
/// # Errors
/// [`KeyFileError`].
pub fn create(path: &Path, entropy: &mut dyn Entropy) -> Result<WrappingKey, KeyFileError> {
    let key = WrappingKey::generate(entropy);
    folder::create_secret(path, &key.expose_text())?;
    Ok(key)
}

/// Reads the key file, making it when it is absent: for a demo, whose key lies beside its data.
///
/// # Errors
/// [`KeyFileError`].
pub fn read_or_create(path: &Path, entropy: &mut dyn Entropy) -> Result<WrappingKey, KeyFileError> {
    match read(path) {
        Err(KeyFileError::Missing { .. }) => create(path, entropy),
        other => other,
    }
}

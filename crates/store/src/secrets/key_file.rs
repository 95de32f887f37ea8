//! The key-encryption key in a file: 64 hex digits, mode 0600.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use latchkey_crypto::entropy::Entropy;
use latchkey_crypto::seal::wrap::{WrappingKey, WrappingKeyError};
use zeroize::Zeroizing;

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
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(KeyFileError::Missing { path: path.to_owned() });
        }
        Err(error) => return Err(FolderError::at(path)(error).into()),
    };
    // Asked of the open file, so that it cannot be another by the time it is read.
    folder::check_mode(path, file.metadata().map_err(FolderError::at(path))?.permissions().mode())?;
    let mut text = Zeroizing::new(String::with_capacity(FILE_MAX as usize));
    file.take(FILE_MAX).read_to_string(&mut text).map_err(FolderError::at(path))?;
    WrappingKey::parse(&text).map_err(|source| KeyFileError::Content { path: path.to_owned(), source })
}

/// Makes a key file that must not be there yet, with a fresh key. The folder must be there.
///
/// # Errors
/// [`KeyFileError`].
pub fn create(path: &Path, entropy: &mut dyn Entropy) -> Result<WrappingKey, KeyFileError> {
    let key = WrappingKey::generate(entropy);
    let written = folder::create_file(path).and_then(|mut file| {
        let text = key.expose_text();
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(FolderError::at(path))
    });
    if let Err(error) = written {
        // Half a key file would be taken for a wrong one at the next start.
        if !matches!(&error, FolderError::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists) {
            let _ = fs::remove_file(path);
        }
        return Err(error.into());
    }
    folder::sync_folder(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
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

//! Folders and files that belong to one server alone: private modes, durable names, a lock.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use zeroize::Zeroizing;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// The permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;
const LOCK_NAME: &str = "lock";

/// Why a folder or file is not usable.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The file system failed.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// What was asked for.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another server holds it.
    #[error("another server uses the folder `{}`", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// Others than its owner may read or write it.
    #[error("`{}` has mode {mode:04o}: others than its owner can open it", path.display())]
    Open {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl FolderError {
    /// Tells which path an error of the file system is about.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// A folder that this process alone uses, until the value is dropped or the process ends in whatever way.
#[derive(Debug)]
pub struct FolderLock {
    path: PathBuf,
    _file: File,
}

impl FolderLock {
    /// Makes the folder (mode 0700) with its parents when it is absent, and locks it.
    ///
    /// # Errors
    /// [`FolderError::Locked`] when another process, or another value of this one, holds it.
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        create_private(path)?;
        let name = path.join(LOCK_NAME);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&name)
            .map_err(FolderError::at(&name))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.to_owned(), _file: file }),
            Err(Errno::WOULDBLOCK) => Err(FolderError::Locked { path: path.to_owned() }),
            Err(error) => Err(FolderError::Io { path: name, source: error.into() }),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes a folder (mode 0700) with its parents, durably, when it is absent. One that is there keeps its mode, which
/// [`check_private`] judges.
///
/// # Errors
/// [`FolderError::Io`].
pub fn create_private(path: &Path) -> Result<(), FolderError> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path).map_err(FolderError::at(path))?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => sync_folder(Path::new(".")),
    }
}

/// Checks that nobody but its owner can open a file or folder.
///
/// # Errors
/// [`FolderError::Open`] with its mode.
pub fn check_private(path: &Path) -> Result<(), FolderError> {
    check_mode(path, fs::metadata(path).map_err(FolderError::at(path))?.permissions().mode())
}

/// Checks the mode of a file that is open already.
pub(crate) fn check_mode(path: &Path, mode: u32) -> Result<(), FolderError> {
    if mode & OTHERS == 0 { Ok(()) } else { Err(FolderError::Open { path: path.to_owned(), mode: mode & 0o7777 }) }
}

/// Makes a file that must not be there yet, with mode 0600 from its first moment.
pub(crate) fn create_file(path: &Path) -> Result<File, FolderError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE_MODE).open(path).map_err(FolderError::at(path))
}

/// Reads a small secret text file that its owner alone can open; `None` when there is none.
pub(crate) fn read_secret(path: &Path, max: u64) -> Result<Option<Zeroizing<String>>, FolderError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FolderError::at(path)(error)),
    };
    // Asked of the open file, so that it cannot be another by the time it is read.
    check_mode(path, file.metadata().map_err(FolderError::at(path))?.permissions().mode())?;
    let mut text = Zeroizing::new(String::with_capacity(max as usize));
    file.take(max).read_to_string(&mut text).map_err(FolderError::at(path))?;
    Ok(Some(text))
}

/// Writes a secret text file that must not be there yet, durably. The folder must be there.
pub(crate) fn create_secret(path: &Path, text: &str) -> Result<(), FolderError> {
    let written = create_file(path).and_then(|mut file| {
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(FolderError::at(path))
    });
    if let Err(error) = written {
        // Half a key file would be taken for a wrong one at the next start.
        if !matches!(&error, FolderError::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists) {
            let _ = fs::remove_file(path);
        }
        return Err(error);
    }
    sync_folder(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// Puts a file in place whole or not at all: a new file beside it, made durable, then renamed over the name.
pub(crate) fn write_whole(path: &Path, parts: &[&[u8]]) -> Result<(), FolderError> {
    let temporary = path.with_extension(TEMPORARY);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(FolderError::Io { path: temporary, source: error });
        }
        _ => {}
    }
    let mut file = create_file(&temporary)?;
    let written = parts.iter().try_for_each(|part| file.write_all(part)).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // On a full disk half a file would hold the space that others wait for.
        let _ = fs::remove_file(&temporary);
        return Err(FolderError::at(&temporary)(error));
    }
    fs::rename(&temporary, path).map_err(FolderError::at(path))?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// The extension of files that are not in place yet.
const TEMPORARY: &str = "new";

/// The files `PREFIX-NUMBER.EXTENSION` of a folder by their number, in rising order.
pub(crate) fn numbered(folder: &Path, prefix: &str, extension: &str) -> Result<Vec<(u64, PathBuf)>, FolderError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(FolderError::at(folder))? {
        let path = entry.map_err(FolderError::at(folder))?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_prefix(prefix)?.strip_prefix('-')?.strip_suffix(extension)?.strip_suffix('.'))
            .filter(|digits| digits.len() == NUMBER_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok());
        if let Some(number) = number {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The path that [`numbered`] finds.
pub(crate) fn numbered_path(folder: &Path, prefix: &str, extension: &str, number: u64) -> PathBuf {
    folder.join(format!("{prefix}-{number:0NUMBER_DIGITS$}.{extension}"))
}

/// As many digits as the largest number has, so that names sort as numbers do.
const NUMBER_DIGITS: usize = 20;

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), FolderError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(FolderError::at(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_user_at_a_time() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("a/b");
        let lock = FolderLock::take(&path).unwrap();
        assert!(matches!(FolderLock::take(&path), Err(FolderError::Locked { .. })));
        drop(lock);
        FolderLock::take(&path).unwrap();
    }

    #[test]
    fn what_is_made_is_private_and_what_is_open_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("data");
        create_private(&path).unwrap();
        create_file(&path.join("file")).unwrap();
        check_private(&path).unwrap();
        check_private(&path.join("file")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        let error = check_private(&path).unwrap_err();
        assert!(matches!(error, FolderError::Open { mode: 0o750, .. }));
        assert!(error.to_string().contains("0750"), "{error}");
    }
}

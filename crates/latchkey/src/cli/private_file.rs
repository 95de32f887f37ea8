//! Files that hold secrets: made for their owner alone, and refused when others can read them.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The most bytes of a private file.
pub(super) const SIZE_MAX: u64 = 1024 * 1024;

/// Why a file is not read or not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrivateFileError {
    #[error("cannot read `{0}`")]
    Read(PathBuf, #[source] std::io::Error),
    #[error("`{0}` is not a file")]
    NotAFile(PathBuf),
    #[error("`{path}` can be read by other users (mode {mode:04o}): run `chmod 600 {path}`")]
    Open { path: PathBuf, mode: u32 },
    #[error("`{path}` can be changed by other users (mode {mode:04o}): run `chmod go-w {path}`")]
    Writable { path: PathBuf, mode: u32 },
    #[error("`{0}` belongs to another user")]
    Foreign(PathBuf),
    #[error("`{0}` is larger than {SIZE_MAX} bytes")]
    TooLarge(PathBuf),
    #[error("`{0}` is not UTF-8 text")]
    NotText(PathBuf),
    #[error("`{0}` exists already and is not overwritten: choose another path")]
    Exists(PathBuf),
    #[error("cannot write `{0}`")]
    Write(PathBuf, #[source] std::io::Error),
}

/// Reads a file that holds a secret.
///
/// # Errors
/// [`PrivateFileError`], also when group or others may read or write it, or when it belongs to another user.
pub(super) fn read_secret(path: &Path) -> Result<Zeroizing<String>, PrivateFileError> {
    let (file, mode) = open(path)?;
    if mode & 0o077 != 0 {
        return Err(PrivateFileError::Open { path: path.to_owned(), mode });
    }
    read(path, file)
}

/// Reads a file that holds no secret but decides what is run: others may read it, not write it.
///
/// # Errors
/// [`PrivateFileError`].
pub(super) fn read_trusted(path: &Path) -> Result<Zeroizing<String>, PrivateFileError> {
    let (file, mode) = open(path)?;
    if mode & 0o022 != 0 {
        return Err(PrivateFileError::Writable { path: path.to_owned(), mode });
    }
    read(path, file)
}

/// Opens the file first and judges what was opened, so that nobody can exchange it in between. A pipe is taken too
/// (`--secret-file <(command)`).
fn open(path: &Path) -> Result<(File, u32), PrivateFileError> {
    let failed = |error| PrivateFileError::Read(path.to_owned(), error);
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() && !metadata.file_type().is_fifo() {
        return Err(PrivateFileError::NotAFile(path.to_owned()));
    }
    let own = rustix::process::geteuid().as_raw();
    if own != 0 && metadata.uid() != own && metadata.uid() != 0 {
        return Err(PrivateFileError::Foreign(path.to_owned()));
    }
    Ok((file, metadata.permissions().mode() & 0o7777))
}

fn read(path: &Path, file: File) -> Result<Zeroizing<String>, PrivateFileError> {
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(SIZE_MAX + 1).read_to_end(&mut bytes).map_err(|error| PrivateFileError::Read(path.to_owned(), error))?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size > SIZE_MAX) {
        return Err(PrivateFileError::TooLarge(path.to_owned()));
    }
    let text = core::str::from_utf8(&bytes).map_err(|_| PrivateFileError::NotText(path.to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// A new file for a secret that is shown once, made before the secret is. Dropped unwritten, it is removed.
pub(super) struct NewFile {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl NewFile {
    /// Makes an empty file that only its owner can read (mode 0600).
    ///
    /// # Errors
    /// [`PrivateFileError`], also when something is there already; it is left as it is.
    pub(super) fn make(path: &Path) -> Result<Self, PrivateFileError> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = made.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => PrivateFileError::Exists(path.to_owned()),
            _ => PrivateFileError::Write(path.to_owned(), error),
        })?;
        Ok(Self { path: path.to_owned(), file, is_written: false })
    }

    /// Writes all of it, through to the disk.
    ///
    /// # Errors
    /// [`PrivateFileError::Write`]; the file is removed then.
    pub(super) fn write(mut self, text: &str) -> Result<(), PrivateFileError> {
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all());
        self.is_written = written.is_ok();
        written.map_err(|error| PrivateFileError::Write(self.path.clone(), error))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_written {
            // Half a key helps nobody; that it cannot be removed is told by what went wrong before.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Writes a new file that only its owner can read (mode 0600).
///
/// # Errors
/// [`PrivateFileError`], also when something is there already; it is left as it is.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), PrivateFileError> {
    NewFile::make(path)?.write(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn with_mode(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "text").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_secret_that_others_can_reach_is_refused() {
        for mode in [0o600, 0o400, 0o700] {
            let (_folder, path) = with_mode(mode);
            assert_eq!(*read_secret(&path).unwrap(), "text");
        }
        for mode in [0o640, 0o604, 0o620, 0o602, 0o601, 0o644, 0o666] {
            let (_folder, path) = with_mode(mode);
            let error = read_secret(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("mode {mode:04o}")) && error.contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn a_trusted_file_may_be_read_but_not_changed_by_others() {
        for (mode, is_fine) in [(0o644, true), (0o600, true), (0o664, false), (0o646, false)] {
            let (_folder, path) = with_mode(mode);
            assert_eq!(read_trusted(&path).is_ok(), is_fine, "{mode:o}");
        }
    }

    #[test]
    fn a_link_is_judged_by_what_it_leads_to() {
        let (folder, path) = with_mode(0o644);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(read_secret(&link), Err(PrivateFileError::Open { mode: 0o644, .. })));
        assert!(matches!(read_secret(folder.path()), Err(PrivateFileError::NotAFile(_))));
        assert!(matches!(read_secret(&folder.path().join("none")), Err(PrivateFileError::Read(..))));
    }

    #[test]
    fn a_new_file_is_private_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        write_new(&path, "first").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(write_new(&path, "second"), Err(PrivateFileError::Exists(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        let unwritten = folder.path().join("unwritten");
        let made = NewFile::make(&unwritten).unwrap();
        assert_eq!(fs::metadata(&unwritten).unwrap().permissions().mode() & 0o777, 0o600);
        drop(made);
        assert!(!unwritten.exists(), "what was not written does not stay");
        let link = folder.path().join("dangling");
        std::os::unix::fs::symlink(folder.path().join("target"), &link).unwrap();
        assert!(matches!(write_new(&link, "second"), Err(PrivateFileError::Exists(_))));
    }

    #[test]
    fn the_size_is_bounded() {
        let (_folder, path) = with_mode(0o600);
        fs::write(&path, "x".repeat(usize::try_from(SIZE_MAX).unwrap() + 1)).unwrap();
        assert!(matches!(read_secret(&path), Err(PrivateFileError::TooLarge(_))));
    }
}

//! What the file system says about the paths of a configuration.

use core::fmt;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::config::{Config, OperatorCredential};

/// Everything that [`super::check`] asks of the file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// The data folder.
    pub data_dir: PathFact,
    /// The key-encryption file.
    pub key_file: PathFact,
    /// The key that signs the heads of the audit chain.
    pub audit_key_file: PathFact,
    /// Every other file that must be its owner's alone.
    pub private: Vec<PrivateFile>,
}

/// A file with a secret, by the field that names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrivateFile {
    /// The field, as it is written in the configuration.
    pub field: String,
    /// As it is written there.
    pub path: PathBuf,
    /// What is there.
    pub fact: FileFact,
}

/// A path, resolved, with what is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathFact {
    /// Absolute and without links, as far as it exists.
    pub path: PathBuf,
    /// What is there.
    pub fact: FileFact,
}

/// What is at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileFact {
    /// Nothing.
    Missing,
    /// A file.
    File(Access),
    /// A folder.
    Folder(Access),
    /// A device, a socket, a pipe.
    Other,
}

/// Who reaches a file or folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Its permission bits.
    pub mode: u32,
    /// Whether it belongs to neither the user that runs this program nor root.
    pub foreign: bool,
}

impl Access {
    /// Whether its owner alone reaches it, and the owner is the right one.
    pub const fn is_private(self) -> bool {
        self.mode & 0o077 == 0 && !self.foreign
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.foreign {
            f.write_str("belongs to another user")
        } else {
            write!(f, "is open to other users (mode {:04o})", self.mode)
        }
    }
}

/// Reads the facts about the paths of `config`.
///
/// # Errors
/// Of the file system, but that something is missing is a fact.
pub fn read(config: &Config) -> io::Result<Facts> {
    let mut private = Vec::new();
    for (name, credential) in &config.operators {
        if let OperatorCredential::File(path) = credential {
            private.push((format!("[operators.{name}] token_file"), path));
        }
    }
    let tls = [("[api.tls] key", &config.api.tls), ("[ops.tls] key", &config.ops.tls)];
    for (field, tls) in tls {
        private.extend(tls.as_ref().map(|tls| (field.to_owned(), &tls.key)));
    }
    let password = config.mail.as_ref().and_then(|mail| mail.password_file.as_ref());
    private.extend(password.map(|path| ("[mail] password_file".to_owned(), path)));
    let private = private.into_iter().map(|(field, path)| {
        let fact = fact(path)?;
        Ok(PrivateFile { field, path: path.clone(), fact })
    });
    Ok(Facts {
        data_dir: path_fact(&config.data_dir)?,
        key_file: path_fact(&config.keys.encryption_key_file)?,
        audit_key_file: path_fact(&config.keys.audit_key_file)?,
        private: private.collect::<io::Result<_>>()?,
    })
}

fn path_fact(path: &Path) -> io::Result<PathFact> {
    Ok(PathFact { path: resolve(&std::path::absolute(path)?)?, fact: fact(path)? })
}

fn fact(path: &Path) -> io::Result<FileFact> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FileFact::Missing),
        Err(error) => return Err(error),
    };
    let own = rustix::process::geteuid().as_raw();
    let foreign = metadata.uid() != own && metadata.uid() != 0;
    let access = Access { mode: metadata.permissions().mode() & 0o7777, foreign };
    Ok(match (metadata.is_file(), metadata.is_dir()) {
        (true, _) => FileFact::File(access),
        (_, true) => FileFact::Folder(access),
        _ => FileFact::Other,
    })
}

/// The path without links as far as it exists; what does not exist yet is added as it is written.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match std::fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => Ok(resolve(parent)?.join(name)),
            _ => Err(error),
        },
        resolved => resolved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn links_are_followed_and_what_is_missing_is_named_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(root.join("data")).unwrap();
        std::os::unix::fs::symlink(root.join("data"), root.join("link")).unwrap();
        assert_eq!(resolve(&root.join("link/sub/key")).unwrap(), root.join("data/sub/key"));
        assert_eq!(resolve(&root.join("data/../link")).unwrap(), root.join("data"));
    }

    #[test]
    fn what_is_there_is_told_with_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        assert_eq!(fact(&path).unwrap(), FileFact::Missing);
        fs::write(&path, "").unwrap();
        for (mode, is_private) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o610, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let access = Access { mode, foreign: false };
            assert_eq!(fact(&path).unwrap(), FileFact::File(access));
            assert_eq!(access.is_private(), is_private, "{mode:o}");
        }
        assert!(matches!(fact(folder.path()).unwrap(), FileFact::Folder(_)));
        assert_eq!(fact(Path::new("/dev/null")).unwrap(), FileFact::Other);
        assert!(!Access { mode: 0o600, foreign: true }.is_private());
    }
}

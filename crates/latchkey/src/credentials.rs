//! `credentials.json`: everything that a demo made at its start, for its user alone (mode 0600).
//!
//! The file is a list: one entry a key, one a sign-in that was drawn, and last the operator's token.
//! [`crate::cli`] reads the keys from it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The name of the file in a demo's folder.
pub const FILE: &str = "credentials.json";

/// One entry of the file; nothing of it prints.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Credential {
    /// An API key.
    Key(KeyCredential),
    /// An account's password and second factor, where they were drawn.
    SignIn(SignIn),
    /// What opens the operators' door.
    Operator(Operator),
}

/// An API key with what proves it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyCredential {
    /// The e-mail address of its account.
    pub account: String,
    /// Its label.
    pub label: String,
    /// `hmac`, `rsa` or `ed25519`.
    #[serde(rename = "type")]
    pub key_type: String,
    /// Its public name.
    pub api_key: String,
    /// The secret of an HMAC key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<String>,
    /// The file with the private key that was made for it, from the folder of the credentials file.
    /// A key whose public half was given has neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key_path: Option<String>,
    /// `cross` or a symbol for a margin special key; `null` for a standard one.
    pub special: Option<String>,
    /// What it was granted.
    pub permissions: Vec<String>,
    /// Its IP list; `null` is unrestricted.
    pub ips: Option<Vec<String>>,
}

/// How an owner signs in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The e-mail address of the account.
    pub account: String,
    /// Its password.
    pub password: String,
    /// The seed of its one-time codes, base32.
    pub totp: String,
}

/// What opens the operators' door.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operator {
    /// The bearer token.
    pub operator_token: String,
    /// The URL of the door.
    pub ops: String,
}

/// The content of the file.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    made: Vec<Credential>,
    operator: Operator,
}

/// Why the file is not read or not written.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// It cannot be read.
    #[error("cannot read `{0}`")]
    Read(PathBuf, #[source] io::Error),
    /// It is something else. What stands in it is not repeated.
    #[error("`{0}` is not a credentials file")]
    NotOne(PathBuf),
    /// It cannot be written.
    #[error("cannot write `{0}`")]
    Write(PathBuf, #[source] io::Error),
}

impl Credentials {
    /// What was made, and the operator's token.
    pub fn new(made: Vec<Credential>, operator_token: &str) -> Self {
        Self { made, operator: Operator { operator_token: operator_token.to_owned(), ops: String::new() } }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn read(path: &Path) -> Result<Self, CredentialsError> {
        let text = Zeroizing::new(fs::read(path).map_err(|error| CredentialsError::Read(path.to_owned(), error))?);
        let not_one = || CredentialsError::NotOne(path.to_owned());
        let mut made: Vec<Credential> = serde_json::from_slice(&text).map_err(|_| not_one())?;
        match made.pop() {
            Some(Credential::Operator(operator)) => Ok(Self { made, operator }),
            _ => Err(not_one()),
        }
    }

    /// Writes the file in one step: a reader sees the former content or this one.
    ///
    /// # Errors
    /// [`CredentialsError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), CredentialsError> {
        let operator = Credential::Operator(self.operator.clone());
        let list: Vec<&Credential> = self.made.iter().chain([&operator]).collect();
        let failed = |error| CredentialsError::Write(path.to_owned(), error);
        let mut text = Zeroizing::new(serde_json::to_string_pretty(&list).map_err(|error| failed(error.into()))?);
        text.push('\n');
        write_private(path, text.as_bytes()).map_err(failed)
    }

    /// The operator's bearer token.
    pub fn operator_token(&self) -> &str {
        &self.operator.operator_token
    }

    /// Notes where the operators' door is.
    pub fn set_ops(&mut self, url: &str) {
        url.clone_into(&mut self.operator.ops);
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &KeyCredential> {
        self.made.iter().filter_map(|made| match made {
            Credential::Key(key) => Some(key),
            Credential::SignIn(_) | Credential::Operator(_) => None,
        })
    }

    /// The first standard key that trades from this machine and whose secret is in the file, as `ACCOUNT/LABEL`.
    pub fn trading_key(&self) -> Option<String> {
        let here = |key: &&KeyCredential| {
            key.ips.as_ref().is_none_or(|ips| ips.iter().any(|ip| ip == "127.0.0.1"))
                && key.special.is_none()
                && key.permissions.iter().any(|permission| permission == "spot-and-margin-trading")
                && (key.secret_key.is_some() || key.private_key_path.is_some())
        };
        self.keys().find(here).map(|key| format!("{}/{}", key.account, key.label))
    }
}

/// Writes a file of mode 0600 in one step, in place of what is there.
///
/// # Errors
/// Of the file system.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".new");
    let new = folder.join(name);
    // What an interrupted start left behind.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn key(label: &str) -> KeyCredential {
        KeyCredential {
            account: "alice@example.com".into(),
            label: label.into(),
            key_type: "hmac".into(),
            api_key: "a".repeat(64),
            secret_key: Some("s".repeat(64)),
            private_key_path: None,
            special: None,
            permissions: vec!["reading".into(), "spot-and-margin-trading".into()],
            ips: Some(vec!["127.0.0.1".into()]),
        }
    }

    fn credentials() -> Credentials {
        let special = KeyCredential { special: Some("cross".into()), ..key("special") };
        let elsewhere = KeyCredential { ips: Some(vec!["127.0.0.9".into()]), ..key("elsewhere") };
        let reader = KeyCredential { permissions: vec!["reading".into()], ..key("reader") };
        let given = KeyCredential { secret_key: None, key_type: "rsa".into(), ..key("given") };
        let pair =
            KeyCredential { private_key_path: Some("keys/bot.pem".into()), secret_key: None, ips: None, ..key("bot") };
        let sign_in = SignIn { account: "alice@example.com".into(), password: "p".into(), totp: "T".into() };
        let mut made: Vec<Credential> = [special, elsewhere, reader, given, pair].map(Credential::Key).into();
        made.push(Credential::SignIn(sign_in));
        let mut credentials = Credentials::new(made, "token");
        credentials.set_ops("http://127.0.0.1:8602");
        credentials
    }

    #[test]
    fn what_is_written_is_private_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, "former").unwrap();
        fs::write(folder.path().join("credentials.json.new"), "left behind").unwrap();
        let written = credentials();
        written.write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Credentials::read(&path).unwrap() == written);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_list_has_the_documented_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        credentials().write(&path).unwrap();
        let list: Vec<serde_json::Value> = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let names = |entry: &serde_json::Value| entry.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            names(&list[0]),
            ["account", "apiKey", "ips", "label", "permissions", "secretKey", "special", "type"]
        );
        assert!(names(&list[4]).contains(&"privateKeyPath".to_owned()));
        assert!(list[4]["special"].is_null() && list[4]["ips"].is_null());
        assert_eq!(names(list.last().unwrap()), ["operatorToken", "ops"]);
    }

    #[test]
    fn the_key_to_try_first_trades_from_here() {
        assert_eq!(credentials().trading_key().as_deref(), Some("alice@example.com/bot"));
        assert_eq!(Credentials::new(Vec::new(), "token").trading_key(), None);
    }

    #[test]
    fn what_is_no_such_file_is_refused_without_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert!(matches!(Credentials::read(&path), Err(CredentialsError::Read(..))));
        for text in ["", "{}", "[]", "[{\"operatorToken\": \"planted\"}]", "[{\"secretKey\": \"planted\"}]"] {
            fs::write(&path, text).unwrap();
            let Err(error) = Credentials::read(&path) else { panic!("{text}") };
            assert!(matches!(error, CredentialsError::NotOne(_)) && !format!("{error:?}").contains("planted"));
        }
    }
}

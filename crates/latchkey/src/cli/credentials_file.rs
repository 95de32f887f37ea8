//! The credentials file that `latchkey demo` writes.

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use latchkey_client::credentials::{self, Credentials};
use latchkey_crypto::key_type::KeyType;
use zeroize::Zeroizing;

use super::private_file;

/// One key of the file, of whose fields only these matter here.
struct Entry {
    account: String,
    label: String,
    key_type: String,
    api_key: String,
    secret: Secret,
}

enum Secret {
    Text(Zeroizing<String>),
    Path(String),
}

/// Takes one key out of a credentials file.
///
/// # Errors
/// When the file is not private or not one, or `wanted` (`LABEL` or `ACCOUNT/LABEL`) names none or several.
pub(super) fn load(path: &Path, wanted: Option<&str>) -> anyhow::Result<Credentials> {
    let text = private_file::read_secret(path)?;
    let broken = || anyhow!("`{}` is not a credentials file", path.display());
    let list: Vec<serde_json::Value> = serde_json::from_str(&text).map_err(|_| broken())?;
    // The list also names credentials that are no API keys.
    let entries: Vec<Entry> = list.iter().filter_map(Entry::read).collect();
    let entry = choose(&entries, wanted).with_context(|| format!("in `{}`", path.display()))?;
    let whose = || format!("key `{}` of `{}`", entry.name(), path.display());
    let read;
    let secret = match &entry.secret {
        Secret::Text(text) => text,
        Secret::Path(name) => {
            read = private_file::read_secret(&path.parent().unwrap_or(Path::new(".")).join(name))?;
            &read
        }
    };
    let key_type = entry.key_type().with_context(whose)?;
    Credentials::parse(&entry.api_key, key_type, secret).with_context(whose)
}

fn choose<'a>(entries: &'a [Entry], wanted: Option<&str>) -> anyhow::Result<&'a Entry> {
    let fits = |entry: &&Entry| wanted.is_none_or(|wanted| entry.label == wanted || entry.name() == wanted);
    let mut fitting = entries.iter().filter(fits);
    let names = || entries.iter().map(|entry| format!("`{}`", entry.name())).collect::<Vec<_>>().join(", ");
    match (fitting.next(), fitting.next()) {
        (Some(entry), None) => Ok(entry),
        (None, _) => bail!("there is no such key; there are: {}", names()),
        (Some(_), Some(_)) => bail!("several keys fit: choose one with --key, of {}", names()),
    }
}

impl Entry {
    fn read(value: &serde_json::Value) -> Option<Self> {
        let text = |name| value.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
        let account = value.get("account")?;
        let secret = text("secretKey").map(|secret| Secret::Text(Zeroizing::new(secret)));
        Some(Self {
            account: account.as_str().map_or_else(|| account.to_string(), str::to_owned),
            label: text("label").unwrap_or_default(),
            key_type: text("type")?,
            api_key: text("apiKey")?,
            secret: secret.or_else(|| text("privateKeyPath").map(Secret::Path))?,
        })
    }

    /// How one entry is told from another.
    fn name(&self) -> String {
        format!("{}/{}", self.account, self.label)
    }

    fn key_type(&self) -> anyhow::Result<KeyType> {
        let on_wire = KeyType::ALL.into_iter().find(|key_type| key_type.wire_name() == self.key_type);
        Ok(on_wire.map_or_else(|| credentials::key_type(&self.key_type), Ok)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u";

    fn check(wanted: Option<&str>) -> Result<KeyType, String> {
        let folder = tempfile::tempdir().unwrap();
        let (path, pem) = (folder.path().join("credentials.json"), folder.path().join("bot.pem"));
        let text = format!(
            r#"[{{"operatorToken": "t"}},
                {{"account": "alice@example.com", "label": "bot", "type": "ed25519", "apiKey": "{API_KEY}",
                  "privateKeyPath": "bot.pem", "special": null, "permissions": ["reading"], "ips": ["127.0.0.1"]}},
                {{"account": "alice@example.com", "label": "old", "type": "hmac", "apiKey": "{API_KEY}", "secretKey": "{SECRET}"}},
                {{"account": 7, "label": "old", "type": "HMAC_SHA256", "apiKey": "{API_KEY}", "secretKey": "{SECRET}"}}]"#
        );
        for (path, text) in [(&path, text.as_str()), (&pem, ED25519)] {
            private_file::write_new(path, text).unwrap();
        }
        let loaded = load(&path, wanted);
        loaded.map(|credentials| credentials.signer().key_type()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_key_is_found_by_label_or_account_and_label() {
        assert_eq!(check(Some("bot")), Ok(KeyType::Ed25519));
        assert_eq!(check(Some("alice@example.com/old")), Ok(KeyType::Hmac));
        assert_eq!(check(Some("7/old")), Ok(KeyType::Hmac));
    }

    #[test]
    fn what_is_not_clear_is_refused_with_the_choices() {
        let choices = "`alice@example.com/bot`, `alice@example.com/old`, `7/old`";
        for wanted in [None, Some("old")] {
            assert!(
                check(wanted).unwrap_err().ends_with(&format!("several keys fit: choose one with --key, of {choices}"))
            );
        }
        assert!(check(Some("none")).unwrap_err().ends_with(&format!("there is no such key; there are: {choices}")));
    }

    #[test]
    fn the_file_must_be_private_and_is_never_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        private_file::write_new(&path, &format!("{{\"secretKey\": \"{SECRET}\"}}")).unwrap();
        let error = format!("{:?}", load(&path, None).unwrap_err());
        assert!(error.contains("is not a credentials file") && !error.contains(SECRET), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load(&path, None).unwrap_err().to_string().contains("chmod 600"));
    }
}

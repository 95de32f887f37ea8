//! The profiles file: who calls which venue, and where the secret is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use latchkey_client::credentials::{self, Credentials};
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::ApiKey;

use super::private_file;
use super::secret_source::{SecretSource, secret_text};

/// A profile, checked; its secret is not read yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) base_url: Option<String>,
    pub(super) allow_plain_http: bool,
    pub(super) trusted_certificates: Option<PathBuf>,
    pub(super) proxy: Option<String>,
    api_key: String,
    pub(super) key_type: KeyType,
    pub(super) source: SecretSource,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    profile: BTreeMap<String, Table>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    base_url: Option<String>,
    #[serde(default)]
    allow_plain_http: bool,
    trusted_certificates: Option<PathBuf>,
    proxy: Option<String>,
    api_key: String,
    key_type: String,
    secret_env: Option<String>,
    secret_file: Option<PathBuf>,
    #[serde(default)]
    secret_prompt: bool,
    secret_command: Option<Vec<String>>,
}

/// Where the profiles file is when no flag says so.
///
/// # Errors
/// When the environment names neither a file nor a home.
pub(super) fn default_path() -> anyhow::Result<PathBuf> {
    if let Some(path) = super::environment("LATCHKEY_PROFILES") {
        return Ok(PathBuf::from(path));
    }
    let folder = super::environment("XDG_CONFIG_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| super::environment("HOME").map(|home| Path::new(&home).join(".config")));
    let folder = folder.context("no profiles file: give --profiles FILE or set LATCHKEY_PROFILES")?;
    Ok(folder.join("latchkey/profiles.toml"))
}

impl Profile {
    /// Loads one profile.
    ///
    /// # Errors
    /// When the file is not one, can be changed by others, or the profile is not in it or not whole.
    pub(super) fn load(path: &Path, name: &str) -> anyhow::Result<Self> {
        let text = private_file::read_trusted(path)?;
        Self::parse(&text, name, path.parent().unwrap_or(Path::new(".")))
            .with_context(|| format!("in the profiles file `{}`", path.display()))
    }

    fn parse(text: &str, name: &str, folder: &Path) -> anyhow::Result<Self> {
        let mut file: File = toml::from_str(text).map_err(|error| explain(text, &error))?;
        let Some(table) = file.profile.remove(name) else {
            let names: Vec<String> = file.profile.keys().map(|name| format!("`{name}`")).collect();
            bail!("there is no profile `{name}`; there are: {}", names.join(", "));
        };
        table.check(name, folder).with_context(|| format!("profile `{name}`"))
    }

    /// Reads the secret and puts it together with the API key.
    ///
    /// # Errors
    /// When the secret cannot be had or does not fit the key's type.
    pub(super) fn credentials(&self) -> anyhow::Result<Credentials> {
        let whose = format!("profile `{}`", self.name);
        let secret = secret_text(self.key_type, &self.source.read(&whose)?)?;
        Credentials::parse(&self.api_key, self.key_type, &secret).context(whose)
    }
}

impl Table {
    fn check(self, name: &str, folder: &Path) -> anyhow::Result<Profile> {
        if ApiKey::parse(self.api_key.as_bytes()).is_none() {
            bail!("`api_key` must be 64 characters `[A-Za-z0-9]`");
        }
        let mut sources = Vec::new();
        sources.extend(self.secret_env.map(SecretSource::Environment));
        sources.extend(self.secret_file.map(|path| SecretSource::File(beside(folder, &path))));
        sources.extend(self.secret_prompt.then_some(SecretSource::Prompt));
        sources.extend(self.secret_command.map(SecretSource::Command));
        let source = match (sources.pop(), sources.is_empty()) {
            (Some(source), true) => source,
            _ => {
                bail!("exactly one of `secret_env`, `secret_file`, `secret_prompt = true`, `secret_command` is needed")
            }
        };
        if matches!(&source, SecretSource::Command(words) if words.is_empty()) {
            bail!("`secret_command` must name a program, for instance `[\"vault\", \"kv\", \"get\", …]`");
        }
        Ok(Profile {
            name: name.to_owned(),
            base_url: self.base_url,
            allow_plain_http: self.allow_plain_http,
            trusted_certificates: self.trusted_certificates.map(|path| beside(folder, &path)),
            proxy: self.proxy,
            api_key: self.api_key,
            key_type: credentials::key_type(&self.key_type)?,
            source,
        })
    }
}

/// A path of the file: `~/` is the home folder, a relative one starts at the file's folder.
fn beside(folder: &Path, path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), super::environment("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => folder.join(path),
    }
}

/// Says what is wrong and where without quoting the line: somebody may have put a secret there.
fn explain(text: &str, error: &toml::de::Error) -> anyhow::Error {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let message = match error.message() {
        message if message.starts_with("unknown field") || message.starts_with("missing field") => message,
        _ => "this is not the TOML of a profile",
    };
    if message.starts_with("unknown field `secret") {
        return anyhow!(
            "line {line}: {message}; a secret itself never stands here: name its place with `secret_env`, \
             `secret_file`, `secret_prompt` or `secret_command`"
        );
    }
    anyhow!("line {line}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

    fn parse(lines: &str) -> Result<Profile, String> {
        let text = format!("[profile.bot]\napi_key = \"{API_KEY}\"\nkey_type = \"hmac\"\n{lines}\n");
        Profile::parse(&text, "bot", Path::new("/etc/keys")).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn each_source_is_read() {
        let source = |lines| parse(lines).unwrap().source;
        assert_eq!(source("secret_env = \"BOT\""), SecretSource::Environment("BOT".to_owned()));
        assert_eq!(source("secret_file = \"bot.key\""), SecretSource::File("/etc/keys/bot.key".into()));
        assert_eq!(source("secret_file = \"/run/bot\""), SecretSource::File("/run/bot".into()));
        assert_eq!(source("secret_prompt = true"), SecretSource::Prompt);
        let words = vec!["vault".to_owned(), "read".to_owned()];
        assert_eq!(source("secret_command = [\"vault\", \"read\"]"), SecretSource::Command(words));
    }

    #[test]
    fn exactly_one_source_is_taken() {
        for lines in [
            "",
            "secret_prompt = false",
            "secret_env = \"A\"\nsecret_file = \"b\"",
            "secret_env = \"A\"\nsecret_prompt = true",
        ] {
            assert!(parse(lines).unwrap_err().contains("exactly one of"), "{lines}");
        }
        assert!(parse("secret_command = []").unwrap_err().contains("must name a program"));
    }

    #[test]
    fn unknown_fields_are_refused_and_no_error_quotes_a_value() {
        for lines in [
            format!("secret = \"{SECRET}\""),
            format!("secret_key = \"{SECRET}\""),
            format!("secret_prompt = \"{SECRET}\""),
            format!("secret_command = \"{SECRET}\""),
            format!("secret_env = \"A\"\nbase_url = {SECRET}"),
            format!("secret_env = \"A\"\nallow_plain_http = \"{SECRET}\""),
        ] {
            let error = parse(&lines).unwrap_err();
            assert!(!error.contains(SECRET), "{error}");
            assert!(error.contains("line "), "{error}");
        }
        let error = parse("secret = \"x\"").unwrap_err();
        assert!(error.contains("line 4: unknown field `secret`") && error.contains("name its place"), "{error}");
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let error = Profile::parse("[profile.a]\n", "bot", Path::new("/")).unwrap_err();
        assert!(error.to_string().contains("missing field `api_key`"), "{error}");
        let text = format!("[profile.a]\napi_key = \"{API_KEY}\"\nkey_type = \"hmac\"\nsecret_prompt = true\n");
        let error = Profile::parse(&text, "bot", Path::new("/")).unwrap_err();
        assert_eq!(error.to_string(), "there is no profile `bot`; there are: `a`");
        let short = text.replace(API_KEY, "abc");
        assert!(format!("{:#}", Profile::parse(&short, "a", Path::new("/")).unwrap_err()).contains("64 characters"));
        let other = text.replace("hmac", "ecdsa");
        assert!(format!("{:#}", Profile::parse(&other, "a", Path::new("/")).unwrap_err()).contains("`ecdsa`"));
    }

    #[test]
    fn the_files_of_a_profile_must_be_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (profiles, secret) = (folder.path().join("profiles.toml"), folder.path().join("secret"));
        let text = format!("[profile.bot]\napi_key = \"{API_KEY}\"\nkey_type = \"hmac\"\nsecret_file = \"secret\"\n");
        std::fs::write(&profiles, text).unwrap();
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(&profiles, 0o644);
        mode(&secret, 0o600);
        let profile = Profile::load(&profiles, "bot").unwrap();
        assert_eq!(profile.credentials().unwrap().api_key().as_str(), API_KEY);
        mode(&secret, 0o640);
        let error = format!("{:#}", profile.credentials().unwrap_err());
        assert!(error.contains("chmod 600"), "{error}");
        mode(&profiles, 0o666);
        assert!(Profile::load(&profiles, "bot").is_err());
    }
}

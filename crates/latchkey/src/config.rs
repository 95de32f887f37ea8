//! The configuration of `latchkey serve`: one TOML file, read once at the start.
//!
//! A field that is not known is refused, so that a misspelt one never has the effect of its default. Paths are relative to
//! the file's folder. What is well-formed but unsafe is told by [`crate::safety`], all of it at once.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use latchkey_authority::ip::{IpForms, IpRule};
use latchkey_authority::policy::{Policy, PolicyOverrides, Profile};
use latchkey_authority::tier::Tiers;
use latchkey_store::records::RecordSettings;
use serde::Deserialize;
use toml::Spanned;

pub mod listen;
pub mod mail;
pub mod origin;
mod records;
pub mod source;

use listen::{AddressFrom, Listen, ListenFlags, Listeners};
use mail::{Mail, Sms};
use origin::Origin;
use records::RecordsTable;
use source::{Problem, Source};

/// The configuration, typed and complete.
#[derive(Clone, Debug)]
pub struct Config {
    /// `data_dir`: the folder of the store, the journal and the records.
    pub data_dir: PathBuf,
    /// `profile` and `[policy]`.
    pub policy: Policy,
    /// `[policy.tier.NAME]`.
    pub tiers: Tiers,
    /// The addresses of `[api]`, `[console]` and `[ops]`, with the flags of the command line applied.
    pub listeners: Listeners,
    /// `[api]` but for the address.
    pub api: Api,
    /// `[console]` but for the address.
    pub console: Console,
    /// `[ops]` but for the address.
    pub ops: Ops,
    /// `[keys]`.
    pub keys: Keys,
    /// `[venue]`.
    pub venue: Venue,
    /// `[sandbox]`.
    pub sandbox: Sandbox,
    /// `[operators.NAME]`: who may use the ops listener.
    pub operators: BTreeMap<String, OperatorCredential>,
    /// `[mail]`: where letters go; absent, none is sent.
    pub mail: Option<Mail>,
    /// `[sms]`: what sends text messages; absent, none is sent.
    pub sms: Option<Sms>,
    /// `[records]`: how the records of calls are kept.
    pub records: RecordSettings,
    /// `[log]`.
    pub log: Log,
    /// `world`: known only so that it can be refused by its name.
    pub world: Option<PathBuf>,
}

/// What machines call.
#[derive(Clone, Debug)]
pub struct Api {
    /// `names`: the host names and addresses that it answers to, beside the address that it is bound to.
    pub names: Vec<String>,
    /// `[api.tls]`.
    pub tls: Option<Tls>,
    /// `behind_proxy`: the proxies whose word on the caller's address is taken.
    pub behind_proxy: Vec<IpRule>,
    /// `address_from`: how those proxies tell for whom they call.
    pub address_from: Option<AddressFrom>,
}

/// What people use.
#[derive(Clone, Debug)]
pub struct Console {
    /// `origin`: what browsers see; `http://localhost:PORT` unless said.
    pub origin: Origin,
    /// `behind_proxy`: see [`Api::behind_proxy`].
    pub behind_proxy: Vec<IpRule>,
    /// `address_from`: see [`Api::address_from`]; a header.
    pub address_from: Option<AddressFrom>,
}

/// What operators use.
#[derive(Clone, Debug)]
pub struct Ops {
    /// `names`: see [`Api::names`].
    pub names: Vec<String>,
    /// `[ops.tls]`.
    pub tls: Option<Tls>,
    /// `imports`: whether operators may bring customers' keys in from a file.
    pub imports: bool,
}

/// A certificate and its key.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// What seals secrets at rest, and what signs the heads of the audit chain.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The file with the key that wraps the root keys: 64 hex digits, mode 0600, outside the data folder.
    pub encryption_key_file: PathBuf,
    /// The file with the Ed25519 key that signs the heads of the audit chain, as `latchkey keygen --type ed25519` makes
    /// it: mode 0600, outside the data folder.
    pub audit_key_file: PathBuf,
    /// The public halves, PEM, of audit keys that signed heads before this one; the newest head may still be theirs.
    #[serde(default)]
    pub audit_former_keys: Vec<PathBuf>,
}

/// Where admitted calls go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Venue {
    /// Which venue.
    pub kind: VenueKind,
    /// When an answer leaves.
    pub log: VenueLog,
    /// Whether the ops listener offers the sandbox: funds, clock and market at an operator's word. Needs
    /// [`Sandbox::enabled`] too, so that no single line turns it on.
    pub sandbox_calls: bool,
}

/// Which venue answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VenueKind {
    /// The exchange inside this program.
    #[default]
    Embedded,
}

/// When an answer of the embedded venue leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VenueLog {
    /// After its command is on disk.
    #[default]
    Durable,
    /// After its command is handed to the operating system; a power failure may lose it.
    Buffered,
}

/// Whether the sandbox may exist at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sandbox {
    /// Says that this venue holds play money.
    pub enabled: bool,
}

/// How an operator proves to be one: by a bearer token, of which only the hash is kept, or which rests in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OperatorCredential {
    /// `token_sha256`: SHA-256 of the token, 64 hex digits.
    Sha256([u8; 32]),
    /// `token_file`: a private file with the token.
    File(PathBuf),
}

/// What goes to standard error.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Which events: `error`, `warn`, `info`, `debug`, `trace`, or a list of `target=level`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into() }
    }
}

impl Config {
    /// Reads a configuration file and applies the flags of the command line.
    ///
    /// # Errors
    /// [`Problem`]: the file cannot be read, or what does not fit in it, with its line.
    pub fn load(path: &Path, flags: &ListenFlags) -> Result<Self, Problem> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Source::new(name.clone(), String::new()).whole(format_args!("cannot be read: {error}")))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::parse(name, text, folder, flags)
    }

    /// Reads a configuration whose relative paths start at `folder`.
    ///
    /// # Errors
    /// [`Problem`] names what does not fit, with its line.
    pub fn parse(name: String, text: String, folder: &Path, flags: &ListenFlags) -> Result<Self, Problem> {
        let source = Source::new(name, text);
        let file: File = source.read()?;
        let path = |path: PathBuf| folder.join(path);
        let tls = |tls: Tls| Tls { certificate: path(tls.certificate), key: path(tls.key) };
        let own = Listeners::default();
        let listeners = Listeners {
            api: file.api.listen.unwrap_or(own.api),
            console: file.console.listen.unwrap_or(own.console),
            ops: file.ops.listen.unwrap_or(own.ops),
        }
        .with(flags);
        let operators = file.operators.into_iter();
        let policy = policy(&source, file.profile, &file.policy)?;
        let data_dir = path(file.data_dir);
        Ok(Self {
            records: file.records.checked(&source, &data_dir)?,
            data_dir,
            tiers: tiers(&source, &policy, &file.policy)?,
            policy,
            listeners,
            api: Api {
                names: file.api.names,
                tls: file.api.tls.map(tls),
                behind_proxy: proxies(&source, &file.api.behind_proxy)?,
                address_from: file.api.address_from,
            },
            console: Console {
                origin: file.console.origin.unwrap_or_else(|| Origin::localhost(listeners.console.0.port())),
                behind_proxy: proxies(&source, &file.console.behind_proxy)?,
                address_from: file.console.address_from,
            },
            ops: Ops { names: file.ops.names, tls: file.ops.tls.map(tls), imports: file.ops.imports },
            keys: Keys {
                encryption_key_file: path(file.keys.encryption_key_file),
                audit_key_file: path(file.keys.audit_key_file),
                audit_former_keys: file.keys.audit_former_keys.into_iter().map(path).collect(),
            },
            venue: file.venue,
            sandbox: file.sandbox,
            operators: operators
                .map(|(name, operator)| credential(operator, &source, folder).map(|credential| (name, credential)))
                .collect::<Result<_, _>>()?,
            mail: file.mail.map(|mail| Mail::checked(mail, &source, folder)).transpose()?,
            sms: file.sms.map(|sms| Sms::checked(sms, &source)).transpose()?,
            log: file.log,
            world: file.world.map(path),
        })
    }
}

/// The policy of a profile with single fields replaced, as configuration and world files give it.
///
/// # Errors
/// [`Problem`] at the first field that is out of its bounds.
pub fn policy(source: &Source, profile: Profile, overrides: &PolicyOverrides) -> Result<Policy, Problem> {
    Policy::new(profile, overrides).map_err(|error| {
        let span = toml::de::DeTable::parse(source.text()).ok().and_then(|table| {
            let policy = table.get_ref().get("policy")?.get_ref().as_table()?;
            Some(policy.get_key_value(error.field)?.0.span())
        });
        span.map_or_else(|| source.whole(&error), |span| source.problem(&span, &error))
    })
}

/// The tiers of a policy, as configuration and world files give them.
///
/// # Errors
/// [`Problem`] at the first tier that does not fit.
pub fn tiers(source: &Source, policy: &Policy, overrides: &PolicyOverrides) -> Result<Tiers, Problem> {
    Tiers::new(policy, &overrides.tier).map_err(|error| {
        let span = toml::de::DeTable::parse(source.text()).ok().and_then(|table| {
            let policy = table.get_ref().get("policy")?.get_ref().as_table()?;
            let tiers = policy.get("tier")?.get_ref().as_table()?;
            Some(tiers.get_key_value(error.tier())?.0.span())
        });
        span.map_or_else(|| source.whole(&error), |span| source.problem(&span, &error))
    })
}

/// Networks of any width, but never all addresses: nobody's proxy is everybody.
fn proxies(source: &Source, listed: &[Spanned<String>]) -> Result<Vec<IpRule>, Problem> {
    let any_width = Policy { ip_prefix_min_v4: 1, ip_prefix_min_v6: 1, ..Policy::default() };
    let read = |text: &Spanned<String>| {
        IpRule::parse(text.get_ref(), IpForms::AddressesAndNetworks, &any_width)
            .map_err(|problem| source.problem(&text.span(), format_args!("`{}` {problem}", text.get_ref())))
    };
    listed.iter().map(read).collect()
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data_dir: PathBuf,
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    policy: PolicyOverrides,
    #[serde(default)]
    api: ApiTable,
    #[serde(default)]
    console: ConsoleTable,
    #[serde(default)]
    ops: OpsTable,
    keys: Keys,
    #[serde(default)]
    venue: Venue,
    #[serde(default)]
    sandbox: Sandbox,
    #[serde(default)]
    operators: BTreeMap<String, Spanned<OperatorTable>>,
    mail: Option<Spanned<Mail>>,
    sms: Option<Spanned<Sms>>,
    #[serde(default)]
    records: RecordsTable,
    #[serde(default)]
    log: Log,
    world: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ApiTable {
    listen: Option<Listen>,
    names: Vec<String>,
    tls: Option<Tls>,
    behind_proxy: Vec<Spanned<String>>,
    address_from: Option<AddressFrom>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ConsoleTable {
    listen: Option<Listen>,
    origin: Option<Origin>,
    behind_proxy: Vec<Spanned<String>>,
    address_from: Option<AddressFrom>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OpsTable {
    listen: Option<Listen>,
    names: Vec<String>,
    tls: Option<Tls>,
    imports: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperatorTable {
    token_sha256: Option<Spanned<String>>,
    token_file: Option<PathBuf>,
}

fn credential(operator: Spanned<OperatorTable>, source: &Source, folder: &Path) -> Result<OperatorCredential, Problem> {
    let span = operator.span();
    match operator.into_inner() {
        OperatorTable { token_sha256: Some(hash), token_file: None } => {
            latchkey_crypto::digest::from_hex(hash.get_ref())
                .map(OperatorCredential::Sha256)
                .ok_or_else(|| source.problem(&hash.span(), "must be the 64 hex digits of a SHA-256"))
        }
        OperatorTable { token_sha256: None, token_file: Some(file) } => Ok(OperatorCredential::File(folder.join(file))),
        _ => Err(source.problem(&span, "an operator has either `token_sha256` or `token_file`")),
    }
}

impl Config {
    /// The names that the api listener answers to: the listed ones and the address that it is bound to.
    pub fn api_names(&self) -> Vec<String> {
        names(&self.api.names, self.listeners.api)
    }

    /// The names that the ops listener answers to.
    pub fn ops_names(&self) -> Vec<String> {
        names(&self.ops.names, self.listeners.ops)
    }

    /// SHA-256 of every operator's token, by the operator's name. Token files are read here; white space around
    /// their token does not count.
    ///
    /// # Errors
    /// [`TokenError`] names the operator.
    pub fn operator_hashes(&self) -> Result<BTreeMap<String, [u8; 32]>, TokenError> {
        let hash = |(name, credential): (&String, &OperatorCredential)| {
            let hash = match credential {
                OperatorCredential::Sha256(hash) => *hash,
                OperatorCredential::File(path) => hash_token(path).map_err(|problem| TokenError {
                    operator: name.clone(),
                    path: path.clone(),
                    problem,
                })?,
            };
            Ok((name.clone(), hash))
        };
        self.operators.iter().map(hash).collect()
    }
}

/// An operator's token file is of no use.
#[derive(Debug, thiserror::Error)]
#[error("the token of operator `{operator}` cannot be taken from `{path}`", path = path.display())]
pub struct TokenError {
    /// Whose.
    pub operator: String,
    /// Which file.
    pub path: PathBuf,
    #[source]
    problem: std::io::Error,
}

/// Fewest characters of a token: 128 bits in hex.
const TOKEN_MIN: usize = 32;

fn hash_token(path: &Path) -> std::io::Result<[u8; 32]> {
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(path)?);
    let token = text.trim();
    if token.len() < TOKEN_MIN {
        return Err(std::io::Error::other(format!("a token has at least {TOKEN_MIN} characters")));
    }
    Ok(latchkey_crypto::digest::sha256(token.as_bytes()))
}

/// The names that a listener answers to: the listed ones, its own address unless that is every address, and
/// `localhost` on loopback.
pub fn names(listed: &[String], listen: Listen) -> Vec<String> {
    let own = match listen.0.ip() {
        address if address.is_unspecified() => None,
        IpAddr::V4(address) => Some(address.to_string()),
        IpAddr::V6(address) => Some(format!("[{address}]")),
    };
    let local = listen.is_loopback().then(|| "localhost".to_owned());
    listed.iter().cloned().chain(own).chain(local).collect()
}

#[cfg(test)]
mod tests;

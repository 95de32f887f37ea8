//! What `latchkey serve` refuses to start with, every reason at once.
//!
//! [`check`] is pure: it asks the configuration and [`Facts`], which [`facts::read`] takes from the file system.

use std::path::PathBuf;

use crate::config::listen::{AddressFrom, Listen};
use crate::config::mail::MailTls;
use crate::config::{Config, VenueKind, VenueLog};

pub mod facts;

use facts::{Access, Facts, FileFact, PathFact};

/// Largest `recvWindow` outside the demo, in milliseconds. Source: REST API, "Timing security".
const RECV_WINDOW_MAX_MS: u32 = 60_000;

/// Why a configuration is not safe to serve with.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unsafe {
    /// Other machines reach the api over plain text.
    #[error(
        "`[api] listen` is `{0}`, which other machines reach: give it `[api.tls]` or list its proxies in `behind_proxy`"
    )]
    PublicApi(Listen),
    /// Other machines reach the console over plain text.
    #[error("`[console] listen` is `{0}`, which other machines reach: list its proxies in `behind_proxy`")]
    PublicConsole(Listen),
    /// Proxies are listed, and nothing says how they tell who calls; or the other way round.
    #[error(
        "`[{0}]` needs both `behind_proxy` and `address_from` or neither: which proxies, and by which word of theirs a \
         caller's address is found"
    )]
    ProxyWord(&'static str),
    /// A preamble before the console's requests.
    #[error("`[console] address_from` is `proxy-protocol`: the console takes `forwarded` or `x-forwarded-for`")]
    ConsolePreamble,
    /// Other machines reach the operators' listener over plain text.
    #[error("`[ops] listen` is `{0}`, which other machines reach: give it `[ops.tls]` or a loopback address")]
    PublicOps(Listen),
    /// A world file, which brings accounts and keys that others may know.
    #[error("`world` names a world file: worlds are for `latchkey demo` alone")]
    WorldFile,
    /// Sandbox calls where nothing says that the money is play money.
    #[error("`[venue] sandbox_calls` is on: it needs `[sandbox] enabled = true` and the embedded venue")]
    SandboxCalls,
    /// A key file cannot be used.
    #[error("`[keys] {field}`: `{path}` {problem}", path = path.display())]
    KeyFile {
        /// Which field names it.
        field: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: KeyFileProblem,
    },
    /// Others may read or change the data.
    #[error("`data_dir`: `{path}` {access}: run `chmod 700 {path}` as its owner", path = path.display())]
    DataOpen {
        /// Which folder.
        path: PathBuf,
        /// Who reaches it.
        access: Access,
    },
    /// The data folder is something else.
    #[error("`data_dir`: `{0}` is not a folder")]
    DataNotAFolder(PathBuf),
    /// Answers would leave before their command is on disk.
    #[error("`[venue] log` is not `durable`: an answered order could be lost")]
    LogNotDurable,
    /// The console would be used over plain text.
    #[error("`[console] origin` is `{0}`: it must begin with `https://`")]
    PlainOrigin(String),
    /// Nobody could use the ops listener.
    #[error("no operator has a credential: add `[operators.NAME]` with `token_sha256` or `token_file`")]
    NoOperator,
    /// A file with a secret cannot be used.
    #[error("`{field}`: `{path}` {problem}", path = path.display())]
    PrivateFile {
        /// Which field names it.
        field: String,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Letters, codes in them included, would cross the network in plain text.
    #[error("`[mail] tls` is `none` and `{0}` is another machine: use `starttls` or `implicit`")]
    PlainMail(String),
    /// Owners could not show what the policy asks of them.
    #[error("`[policy] {field}` asks for a code by {channel}: add `[{table}]`, or choose another rule")]
    NoChannel {
        /// Which rule.
        field: &'static str,
        /// The way of the code.
        channel: &'static str,
        /// What is not configured.
        table: &'static str,
    },
    /// Signed requests would live longer than the contract says.
    #[error("`[policy] recv_window_max_ms` is `{0}`: more than {RECV_WINDOW_MAX_MS} is for the demo alone")]
    RecvWindow(u32),
}

/// What is wrong with a key file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyFileProblem {
    /// Nothing is there.
    #[error("does not exist")]
    Missing,
    /// Something else is there.
    #[error("is not a file")]
    NotAFile,
    /// The key would lie beside what it protects.
    #[error("lies inside the data folder, where one copy takes both")]
    InsideData,
    /// Others may read or change it.
    #[error("{0}: run `chmod 600` on it as its owner")]
    Open(Access),
}

/// Every reason not to serve; none is fit to serve.
pub fn check(config: &Config, facts: &Facts) -> Vec<Unsafe> {
    let mut found = listeners(config);
    if config.world.is_some() {
        found.push(Unsafe::WorldFile);
    }
    let play_money = config.sandbox.enabled && config.venue.kind == VenueKind::Embedded;
    if config.venue.sandbox_calls && !play_money {
        found.push(Unsafe::SandboxCalls);
    }
    found.extend(key_file("encryption_key_file", &facts.key_file, facts));
    found.extend(key_file("audit_key_file", &facts.audit_key_file, facts));
    found.extend(data(facts));
    if config.venue.log != VenueLog::Durable {
        found.push(Unsafe::LogNotDurable);
    }
    if !config.console.origin.is_secure() {
        found.push(Unsafe::PlainOrigin(config.console.origin.to_string()));
    }
    if config.operators.is_empty() {
        found.push(Unsafe::NoOperator);
    }
    found.extend(private(facts));
    if let Some(mail) = config.mail.as_ref().filter(|mail| mail.tls == MailTls::None && !mail.is_local()) {
        found.push(Unsafe::PlainMail(mail.host.clone()));
    }
    found.extend(channels(config));
    if config.policy.recv_window_max_ms > RECV_WINDOW_MAX_MS {
        found.push(Unsafe::RecvWindow(config.policy.recv_window_max_ms));
    }
    found
}

fn listeners(config: &Config) -> Vec<Unsafe> {
    let at = config.listeners;
    let mut found = Vec::new();
    if !at.api.is_loopback() && config.api.tls.is_none() && config.api.behind_proxy.is_empty() {
        found.push(Unsafe::PublicApi(at.api));
    }
    if !at.console.is_loopback() && config.console.behind_proxy.is_empty() {
        found.push(Unsafe::PublicConsole(at.console));
    }
    let (api, console) = (&config.api, &config.console);
    for (table, listed, word) in
        [("api", &api.behind_proxy, api.address_from), ("console", &console.behind_proxy, console.address_from)]
    {
        if listed.is_empty() == word.is_some() {
            found.push(Unsafe::ProxyWord(table));
        }
    }
    if console.address_from == Some(AddressFrom::ProxyProtocol) {
        found.push(Unsafe::ConsolePreamble);
    }
    if !at.ops.is_loopback() && config.ops.tls.is_none() {
        found.push(Unsafe::PublicOps(at.ops));
    }
    found
}

fn key_file(field: &'static str, file: &PathFact, facts: &Facts) -> Vec<Unsafe> {
    let problem = match file.fact {
        FileFact::Missing => Some(KeyFileProblem::Missing),
        FileFact::File(access) if access.is_private() => None,
        FileFact::File(access) => Some(KeyFileProblem::Open(access)),
        FileFact::Folder(_) | FileFact::Other => Some(KeyFileProblem::NotAFile),
    };
    let inside = file.path.starts_with(&facts.data_dir.path).then_some(KeyFileProblem::InsideData);
    let of = |problem| Unsafe::KeyFile { field, path: file.path.clone(), problem };
    inside.into_iter().chain(problem).map(of).collect()
}

/// A data folder that does not exist yet is made private at the start.
fn data(facts: &Facts) -> Option<Unsafe> {
    let path = facts.data_dir.path.clone();
    match facts.data_dir.fact {
        FileFact::Missing => None,
        FileFact::Folder(access) if access.is_private() => None,
        FileFact::Folder(access) => Some(Unsafe::DataOpen { path, access }),
        FileFact::File(_) | FileFact::Other => Some(Unsafe::DataNotAFolder(path)),
    }
}

/// Rules of confirmation whose codes could not be sent.
fn channels(config: &Config) -> Vec<Unsafe> {
    let policy = &config.policy;
    let rules = [
        ("step_up_widening", policy.step_up_widening),
        ("step_up_withdrawals", policy.step_up_withdrawals),
        ("step_up_controls_off", policy.step_up_controls_off),
        ("first_factor", policy.first_factor),
    ];
    let mut found = Vec::new();
    for (field, rule) in rules {
        if rule.needs_email() && config.mail.is_none() {
            found.push(Unsafe::NoChannel { field, channel: "e-mail", table: "mail" });
        }
        if rule.needs_sms() && config.sms.is_none() {
            found.push(Unsafe::NoChannel { field, channel: "text message", table: "sms" });
        }
    }
    found
}

fn private(facts: &Facts) -> impl Iterator<Item = Unsafe> {
    facts.private.iter().filter_map(|file| {
        let problem = match file.fact {
            FileFact::File(access) if access.is_private() => return None,
            FileFact::File(access) => access.to_string(),
            FileFact::Folder(_) | FileFact::Other => "is not a file".into(),
            FileFact::Missing => "does not exist".into(),
        };
        Some(Unsafe::PrivateFile { field: file.field.clone(), path: file.path.clone(), problem })
    })
}

#[cfg(test)]
mod tests;

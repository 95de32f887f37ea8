//! How letters and messages leave: `[mail]` and `[sms]`.

use core::time::Duration;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::source::{Problem, Source};

/// `[mail]`: the server that takes letters.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Its host name.
    pub host: String,
    /// Its port; unless said 587 for `starttls`, 465 for `implicit`, 25 for `none`.
    port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: MailTls,
    /// Who signs in there; absent: nobody.
    pub user: Option<String>,
    /// The file with that user's password: one line, mode 0600.
    pub password_file: Option<PathBuf>,
    /// The sender: an address, or `Name <address>`.
    pub from: String,
    /// Certificates (PEM) that are trusted instead of the public ones.
    pub trusted_certificates: Option<PathBuf>,
}

/// How a connection to the mail server is protected. There is no way to go on in plain text when TLS fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailTls {
    /// TLS is asked for first thing; without it nothing is sent.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// None; for a mail server on this machine.
    None,
}

impl Mail {
    /// The port of the server.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            MailTls::Starttls => 587,
            MailTls::Implicit => 465,
            MailTls::None => 25,
        })
    }

    /// Whether the server is on this machine.
    pub fn is_local(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse().is_ok_and(|address: core::net::IpAddr| address.is_loopback())
    }

    pub(super) fn checked(mail: Spanned<Self>, source: &Source, folder: &Path) -> Result<Self, Problem> {
        let span = mail.span();
        let mail = mail.into_inner();
        if mail.user.is_some() != mail.password_file.is_some() {
            return Err(source.problem(&span, "`user` and `password_file` belong together"));
        }
        let path = |path: PathBuf| folder.join(path);
        Ok(Self {
            password_file: mail.password_file.map(path),
            trusted_certificates: mail.trusted_certificates.map(path),
            ..mail
        })
    }
}

/// `[sms]`: the program that sends a text message.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// Program and arguments, run without a shell. What to send stands on its standard input.
    pub command: Vec<String>,
    /// How long it may take.
    #[serde(default = "ten")]
    timeout_seconds: u8,
}

const fn ten() -> u8 {
    10
}

impl Sms {
    pub(super) fn checked(sms: Spanned<Self>, source: &Source) -> Result<Self, Problem> {
        if sms.get_ref().command.is_empty() {
            return Err(source.problem(&sms.span(), "`command` names no program"));
        }
        Ok(sms.into_inner())
    }

    /// How long the program may take.
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds as u64)
    }
}

//! The command line's verbs: key pairs, signatures and signed calls; accounts, keys and records of a server.
//!
//! Each verb has `Args` (clap) and `run`, which prints and says how the program ends. A secret never comes from the
//! command line, where other users of the machine could see it: it comes from the environment, a private file, a
//! prompt, or another command's output.

use core::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use latchkey_admission::records::columns::steers;
use latchkey_client::credentials;
use latchkey_crypto::key_type::KeyType;

pub mod account;
pub mod audit;
pub mod call;
pub mod calls;
mod confirm;
mod credentials_file;
pub mod doctor;
pub mod factor;
pub mod import;
mod json;
pub mod key;
pub mod keygen;
mod private_file;
mod profiles;
mod remote;
mod secret_source;
pub mod session;
pub mod sign;
mod table;
pub mod token;

/// Where a verb takes its key from.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct KeyArgs {
    /// Use this profile of the profiles file
    #[arg(long, value_name = "NAME", conflicts_with = "credentials")]
    profile: Option<String>,

    /// The profiles file [default: $LATCHKEY_PROFILES, else ~/.config/latchkey/profiles.toml]
    #[arg(long, value_name = "FILE", requires = "profile")]
    profiles: Option<PathBuf>,

    /// Use a key of this credentials file, as `latchkey demo` writes it
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,

    /// Which key of the credentials file: LABEL or ACCOUNT/LABEL; needless when it holds one
    #[arg(long, value_name = "LABEL", requires = "credentials")]
    key: Option<String>,
}

/// How a request is signed.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SchemeArg {
    /// `timestamp` and `signature` among the parameters
    #[default]
    Compatible,
    /// HTTP message signatures, which cover method, host and path too
    Rfc9421,
}

/// Ends a verb: what kept it from being done is told on standard error.
fn done(result: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    match result {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if is_reader_gone(&error) => Err(error),
        Err(error) => {
            tell(&error, &mut std::io::stderr().lock())?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Whether whoever read the output has gone, as `head` does: there is nobody to tell, and nothing went wrong.
pub fn is_reader_gone(error: &anyhow::Error) -> bool {
    let is_gone = |cause: &(dyn core::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    };
    error.chain().any(is_gone)
}

/// Why something that is shown once was not shown: that is told even when the reader has gone.
fn cut_off(error: std::io::Error) -> anyhow::Error {
    anyhow::anyhow!("what is shown once could not be shown, make another: {error}")
}

/// Tells why a verb cannot be done. The whole chain stands on one line, and no trace of calls is ever printed.
fn tell(error: &anyhow::Error, notes: &mut dyn Write) -> std::io::Result<()> {
    writeln!(notes, "error: {}", Printable(&format!("{error:#}")))
}

/// A value of the environment. The command line is one of the two places that may ask for it.
fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty())
}

/// Reads the name of a key type for clap.
fn parse_key_type(name: &str) -> Result<KeyType, credentials::CredentialsError> {
    credentials::key_type(name)
}

/// Text from elsewhere on its way to a terminal: what would steer it is shown, not obeyed.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\n' | '\t' => write!(f, "{character}")?,
                steering if steers(steering) => write!(f, "{}", steering.escape_unicode())?,
                plain => write!(f, "{plain}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_steered_from_outside() {
        assert_eq!(Printable("a\u{1b}[2Jb\r\u{9b}c\n").to_string(), "a\\u{1b}[2Jb\\u{d}\\u{9b}c\n");
        assert_eq!(Printable("\u{202e}txt.exe").to_string(), "\\u{202e}txt.exe");
    }
}

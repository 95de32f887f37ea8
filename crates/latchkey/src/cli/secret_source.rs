//! The four places that a secret may come from.

use core::time::Duration;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use anyhow::{Context as _, anyhow, bail, ensure};
use latchkey_crypto::key_type::KeyType;
use rustix::process::{Pid, Signal, kill_process};
use zeroize::Zeroizing;

use super::private_file;

/// Where a secret comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum SecretSource {
    /// A variable of the environment.
    Environment(String),
    /// A file that only its owner can read.
    File(PathBuf),
    /// Typed in, unseen.
    Prompt,
    /// What a command prints; program and arguments, run without a shell.
    Command(Vec<String>),
}

/// The most bytes that a command may print.
const OUTPUT_MAX: u64 = 64 * 1024;
/// How long a command may take: long enough to touch a token.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

impl SecretSource {
    /// Fetches the secret; `whose` is named in a prompt and in errors.
    ///
    /// # Errors
    /// When it cannot be had; no message quotes it.
    pub(super) fn read(&self, whose: &str) -> anyhow::Result<Zeroizing<String>> {
        let secret = match self {
            Self::Environment(name) => {
                let value = super::environment(name).map(Zeroizing::new);
                value.ok_or_else(|| anyhow!("the environment variable `{name}` is not set"))?
            }
            Self::File(path) => private_file::read_secret(path)?,
            Self::Prompt => {
                let typed = rpassword::prompt_password(format!("Secret of {whose}: "));
                let instead = "name its place with `secret_env`, `secret_file` or `secret_command`";
                Zeroizing::new(typed.with_context(|| format!("cannot ask here (secret of {whose}?): {instead}"))?)
            }
            Self::Command(words) => {
                run(words, COMMAND_TIMEOUT).with_context(|| format!("the secret command of {whose} failed"))?
            }
        };
        ensure!(!secret.trim_ascii().is_empty(), "the secret of {whose} is empty");
        Ok(secret)
    }
}

/// Takes the secret out of what a source gave. An HMAC secret may also stand in a file as `latchkey keygen` writes
/// it, beside its API key.
///
/// # Errors
/// When such a file is broken; no message quotes it.
pub(super) fn secret_text(key_type: KeyType, text: &str) -> anyhow::Result<Zeroizing<String>> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        #[serde(rename = "api_key")]
        _api_key: String,
        secret_key: String,
    }
    if key_type != KeyType::Hmac || !text.contains('=') {
        return Ok(Zeroizing::new(text.to_owned()));
    }
    match toml::from_str::<Pair>(text) {
        Ok(pair) => Ok(Zeroizing::new(pair.secret_key)),
        Err(_) => {
            bail!("the HMAC secret must be 64 characters `[A-Za-z0-9]`, alone or as `secret_key` beside `api_key`")
        }
    }
}

/// Runs a command without a shell and without input; its errors go to the terminal.
fn run(words: &[String], timeout: Duration) -> anyhow::Result<Zeroizing<String>> {
    let (program, arguments) = words.split_first().context("no program is named")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("cannot run `{program}`"))?;
    let process = Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        // Taken by value: the pipe is closed before the wait, so a command that still writes ends.
        let read = child.stdout.take().map(|stdout| stdout.take(OUTPUT_MAX + 1).read_to_end(&mut bytes));
        let status = child.wait();
        // After the timeout nobody listens any more.
        let _ = sender.send((read.transpose().map(|_| bytes), status));
    });
    let Ok((output, status)) = receiver.recv_timeout(timeout) else {
        // It may have ended in this moment; either way it must not stay behind.
        let _ = kill_process(process, Signal::KILL);
        bail!("`{program}` did not end within {} s", timeout.as_secs());
    };
    let output = output.with_context(|| format!("cannot read what `{program}` prints"))?;
    let size = u64::try_from(output.len()).unwrap_or(u64::MAX);
    ensure!(size <= OUTPUT_MAX, "`{program}` prints more than {OUTPUT_MAX} bytes");
    let status = status.with_context(|| format!("cannot wait for `{program}`"))?;
    ensure!(status.success(), "`{program}` ended with {status}");
    let text = core::str::from_utf8(&output).map_err(|_| anyhow!("`{program}` does not print UTF-8 text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str], timeout: Duration) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        run(&words, timeout).map(|text| text.to_string()).map_err(|error| format!("{error:#}"))
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_command_is_run_without_a_shell() {
        assert_eq!(command(&["printf", "%s", "$HOME; `id`"], LONG).unwrap(), "$HOME; `id`");
    }

    #[test]
    fn a_command_that_fails_gives_no_secret() {
        assert!(command(&["sh", "-c", "echo secret; exit 3"], LONG).unwrap_err().contains("exit status: 3"));
        assert!(command(&["/no/such/program"], LONG).unwrap_err().contains("cannot run `/no/such/program`"));
        assert!(command(&[], LONG).is_err());
    }

    #[test]
    fn output_and_time_are_bounded() {
        assert!(
            command(&["head", "-c", "65537", "/dev/zero"], LONG).unwrap_err().contains("prints more than 65536 bytes")
        );
        assert!(command(&["yes"], LONG).unwrap_err().contains("prints more than 65536 bytes"));
        assert!(command(&["sleep", "30"], Duration::from_millis(50)).unwrap_err().contains("did not end within"));
    }

    #[test]
    fn an_empty_secret_is_none() {
        let source = SecretSource::Command(vec!["echo".to_owned()]);
        assert_eq!(source.read("profile `a`").unwrap_err().to_string(), "the secret of profile `a` is empty");
        let missing = SecretSource::Environment("LATCHKEY_TEST_NOT_SET".to_owned());
        assert!(missing.read("profile `a`").unwrap_err().to_string().contains("`LATCHKEY_TEST_NOT_SET` is not set"));
    }

    #[test]
    fn an_hmac_secret_may_stand_beside_its_api_key() {
        let text = |text| secret_text(KeyType::Hmac, text).map(|secret| secret.to_string());
        assert_eq!(text("abc\n").unwrap(), "abc\n");
        assert_eq!(text("# a comment = here\napi_key = \"k\"\nsecret_key = \"s\"\n").unwrap(), "s");
        let error = format!("{:?}", text("secret_key = \"5ec2e7").unwrap_err());
        assert!(!error.contains("5ec2e7"), "{error}");
        assert_eq!(secret_text(KeyType::Rsa, "a=b").unwrap().as_str(), "a=b");
    }
}

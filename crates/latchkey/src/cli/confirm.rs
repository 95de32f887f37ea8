//! What proves who one is: passwords and codes, asked for or given by programs, and the confirmation of changes.

use core::time::Duration;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use ureq::http::Method;
use zeroize::Zeroizing;

use super::private_file;
use super::remote::{Refused, Remote, Reply, TrustArgs};
use super::secret_source::SecretSource;

/// Where passwords and codes come from.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct ConfirmArgs {
    /// A command that prints the one-time code, run without a shell [default: $LATCHKEY_TOTP, else a prompt]
    #[arg(long, value_name = "COMMAND", global = true)]
    totp_command: Option<String>,

    /// A command that prints the code that was sent by e-mail [default: a prompt]
    #[arg(long, value_name = "COMMAND", global = true)]
    email_code_command: Option<String>,

    /// A recovery code stands for the factor.
    #[arg(skip)]
    by_recovery: bool,
}

/// Confirmations in a row before a change is given up.
const ROUNDS_MAX: usize = 3;
/// A one-time code lives so long; each is good for one use.
const STEP: Duration = Duration::from_secs(30);
/// What gives a password where nobody can be asked.
const PASSWORD_INSTEAD: &str = "set LATCHKEY_PASSWORD, or give --password-file where the verb has it";
/// What gives the first code of a new seed where nobody can be asked.
const FIRST_INSTEAD: &str = "give --first-code-command COMMAND";

/// Asks for a line. Where nobody can be asked, `instead` says what else gives it.
pub(super) fn ask(what: &str, instead: &str) -> anyhow::Result<String> {
    let mut terminal = std::io::stderr().lock();
    write!(terminal, "{what}: ")?;
    terminal.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let line = line.trim();
    ensure!(!line.is_empty(), "nothing was typed ({what}?): {instead}");
    Ok(line.to_owned())
}

/// Asks for a line that is not shown. Where nobody can be asked, `instead` says what else gives it.
pub(super) fn ask_unseen(what: &str, instead: &str) -> anyhow::Result<Zeroizing<String>> {
    let typed = rpassword::prompt_password(format!("{what}: "))
        .with_context(|| format!("cannot ask here ({what}?): {instead}"))?;
    let typed = Zeroizing::new(typed);
    ensure!(!typed.trim().is_empty(), "nothing was typed ({what}?)");
    Ok(Zeroizing::new(typed.trim().to_owned()))
}

fn command(text: &str, what: &str) -> anyhow::Result<Zeroizing<String>> {
    let words = text.split_whitespace().map(str::to_owned).collect();
    let printed = SecretSource::Command(words).read(what)?;
    Ok(Zeroizing::new(printed.trim().to_owned()))
}

impl ConfirmArgs {
    /// The password: from a private file, the environment, or a prompt.
    pub(super) fn password(&self, file: Option<&Path>) -> anyhow::Result<Zeroizing<String>> {
        if let Some(path) = file {
            let text = private_file::read_secret(path)?;
            return Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()));
        }
        match super::environment("LATCHKEY_PASSWORD") {
            Some(password) => Ok(Zeroizing::new(password)),
            None => ask_unseen("Password", PASSWORD_INSTEAD),
        }
    }

    /// The same, with a recovery code in place of the factor.
    pub(super) fn by_recovery(&self, is_given: bool) -> Self {
        Self { by_recovery: is_given, ..self.clone() }
    }

    /// Shows a one-time code. One that a program gave and that was used before is followed by the next one.
    pub(super) fn totp(&self, show: impl FnMut(&str) -> anyhow::Result<Reply>) -> anyhow::Result<Reply> {
        let Some(words) = &self.totp_command else { return self.typed_totp(show) };
        printed_totp(words, show)
    }

    fn typed_totp(&self, mut show: impl FnMut(&str) -> anyhow::Result<Reply>) -> anyhow::Result<Reply> {
        match super::environment("LATCHKEY_TOTP") {
            Some(code) => show(&Zeroizing::new(code)),
            None => show(&ask_unseen("One-time code", "give --totp-command COMMAND or LATCHKEY_TOTP")?),
        }
    }

    /// Shows the first code of a seed that is about to be enrolled: what `words` prints, else what is typed. Where no
    /// seed is enrolled yet, the command for one-time codes can only mean the new one.
    pub(super) fn first_totp(
        &self,
        words: Option<&str>,
        is_first: bool,
        mut show: impl FnMut(&str) -> anyhow::Result<Reply>,
    ) -> anyhow::Result<Reply> {
        if let Some(words) = words.or(self.totp_command.as_deref().filter(|_| is_first)) {
            return printed_totp(words, show);
        }
        for _ in 1..ROUNDS_MAX {
            match show(&ask_unseen("One-time code of the new seed", FIRST_INSTEAD)?) {
                Err(error) if is_refused_proof(&error) => {
                    writeln!(std::io::stderr(), "that code does not fit the seed: take the one that is shown now")?;
                }
                other => return other,
            }
        }
        show(&ask_unseen("One-time code of the new seed", FIRST_INSTEAD)?)
    }

    /// A recovery code.
    pub(super) fn recovery_code(&self) -> anyhow::Result<Zeroizing<String>> {
        match super::environment("LATCHKEY_RECOVERY_CODE") {
            Some(code) => Ok(Zeroizing::new(code)),
            None => ask_unseen("Recovery code", "set LATCHKEY_RECOVERY_CODE"),
        }
    }

    /// A new password: as [`Self::password`], but typed twice.
    pub(super) fn new_password(&self, file: Option<&Path>) -> anyhow::Result<Zeroizing<String>> {
        if file.is_some() || super::environment("LATCHKEY_PASSWORD").is_some() {
            return self.password(file);
        }
        let password = ask_unseen("New password", PASSWORD_INSTEAD)?;
        ensure!(*ask_unseen("The same again", PASSWORD_INSTEAD)? == *password, "the two passwords differ");
        Ok(password)
    }

    /// The code that was sent by e-mail.
    pub(super) fn email_code(&self) -> anyhow::Result<Zeroizing<String>> {
        match &self.email_code_command {
            Some(words) => command(words, "the code that was sent by e-mail"),
            None => ask_unseen("Code that was sent by e-mail", "give --email-code-command COMMAND"),
        }
    }

    /// Sends a change, and confirms it when the server asks for that.
    pub(super) fn change(
        &self,
        remote: &Remote,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&'static str, String)],
    ) -> anyhow::Result<Reply> {
        self.confirmed(remote.send(method, path, body, headers), remote, method, path, body, headers)
    }

    /// Confirms a change that was sent already, when its answer asks for that.
    pub(super) fn confirmed(
        &self,
        mut answer: anyhow::Result<Reply>,
        remote: &Remote,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&'static str, String)],
    ) -> anyhow::Result<Reply> {
        let mut headers = headers.to_vec();
        for _ in 0..ROUNDS_MAX {
            let refused = match answer {
                Err(error) => error.downcast::<Refused>()?,
                done => return done,
            };
            let Some(step_up) = &refused.step_up else {
                let lacks_factor = refused.name == "no-factor";
                let error = anyhow::Error::from(refused);
                return Err(if lacks_factor { error.context("`latchkey factor totp` enrols one") } else { error });
            };
            let id = step_up.get("id").and_then(Value::as_str).context("the server names no confirmation")?;
            for need in step_up.get("needs").and_then(Value::as_array).into_iter().flatten() {
                self.prove(remote, id, need.as_str().unwrap_or_default())?;
            }
            headers.retain(|(name, _)| *name != "latchkey-step-up");
            headers.push(("latchkey-step-up", id.to_owned()));
            answer = remote.send(method, path, body, &headers);
        }
        answer
    }

    fn prove(&self, remote: &Remote, id: &str, need: &str) -> anyhow::Result<()> {
        let at = format!("/v1/step-up/{id}");
        let code = |path: &str, code: &str| {
            remote.send(&Method::POST, &format!("{at}/{path}"), Some(&json!({ "code": code })), &[])
        };
        match need {
            "factor" if self.by_recovery => code("recovery", &self.recovery_code()?),
            "factor" => self.totp(|given| code("totp", given)),
            "password" => {
                let password = self.password(None)?;
                let body = json!({ "password": password.as_str() });
                remote.send(&Method::POST, &format!("{at}/password"), Some(&body), &[])
            }
            "email-code" => {
                remote.send(&Method::POST, &format!("{at}/email"), None, &[])?;
                code("email/verify", &self.email_code()?)
            }
            "sms-code" => {
                remote.send(&Method::POST, &format!("{at}/sms"), None, &[])?;
                code("sms/verify", &ask_unseen("Code that was sent by text message", "run it on a terminal")?)
            }
            other => bail!("the server asks for `{other}`, which only a browser can show"),
        }
        .map(drop)
    }
}

fn is_refused_proof(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.name == "proof-refused")
}

/// Shows the code that a command prints, and the next one when that was used before.
fn printed_totp(words: &str, mut show: impl FnMut(&str) -> anyhow::Result<Reply>) -> anyhow::Result<Reply> {
    let used = command(words, "the one-time code")?;
    match show(&used) {
        Err(error) if is_refused_proof(&error) => show(&next_code(words, &used)?),
        other => other,
    }
}

/// Waits until the command prints another code than `used`.
fn next_code(words: &str, used: &str) -> anyhow::Result<Zeroizing<String>> {
    let (_tell, told) = mpsc::channel::<()>();
    for _ in 0..=STEP.as_secs() {
        let code = command(words, "the one-time code")?;
        if *code != used {
            return Ok(code);
        }
        // Nobody tells: this is a pause, and it also keeps to the server's delay after a refused code.
        let _ = told.recv_timeout(Duration::from_secs(1));
    }
    bail!("the command prints a one-time code that was used already")
}

/// Where an operator's token comes from, and where it is shown.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct OperatorArgs {
    /// The operators' address [default: that of --credentials, else http://127.0.0.1:8602]
    #[arg(long, value_name = "URL", global = true)]
    ops: Option<String>,

    /// Take the operator's token from this private file [default: $LATCHKEY_OPERATOR_TOKEN]
    #[arg(long, value_name = "FILE", conflicts_with = "credentials", global = true)]
    token_file: Option<PathBuf>,

    /// Take the operator's token and address from a demo's credentials file
    #[arg(long, value_name = "FILE", global = true)]
    credentials: Option<PathBuf>,
}

impl OperatorArgs {
    /// Whether an operator speaks.
    pub(super) fn given(&self) -> bool {
        self.ops.is_some()
            || self.token_file.is_some()
            || self.credentials.is_some()
            || super::environment("LATCHKEY_OPERATOR_TOKEN").is_some()
    }

    /// The operators' listener, on behalf of the operator.
    pub(super) fn remote(&self, trust: &TrustArgs) -> anyhow::Result<Remote> {
        let mut ops = self.ops.clone();
        let token = if let Some(path) = &self.token_file {
            Zeroizing::new(private_file::read_secret(path)?.trim().to_owned())
        } else if let Some(path) = &self.credentials {
            let text = private_file::read_secret(path)?;
            let list: Vec<Value> = serde_json::from_str(&text)
                .map_err(|_| anyhow::anyhow!("`{}` is not a credentials file", path.display()))?;
            let entry = list.iter().find(|entry| entry.get("operatorToken").is_some());
            let field = |name: &str| entry.and_then(|entry| entry.get(name)?.as_str()).map(str::to_owned);
            ops = ops.or_else(|| field("ops").filter(|url| !url.is_empty()));
            Zeroizing::new(field("operatorToken").context("the credentials file holds no operator's token")?)
        } else {
            let token = super::environment("LATCHKEY_OPERATOR_TOKEN");
            Zeroizing::new(
                token.context("no operator's token: give --token-file, --credentials or LATCHKEY_OPERATOR_TOKEN")?,
            )
        };
        Remote::new(ops.as_deref().unwrap_or("http://127.0.0.1:8602"), Some(token), trust.path())
    }
}

//! `latchkey login` and `latchkey logout`: an owner's session, kept in a private file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::http::Method;
use zeroize::Zeroizing;

use super::confirm::ConfirmArgs;
use super::private_file;
use super::remote::{Refused, Remote, TrustArgs};
use crate::credentials::write_private;

/// Where the console is unless a flag says so.
const DEFAULT_CONSOLE: &str = "http://localhost:8601";

/// Where an owner's session is kept.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct SessionArgs {
    /// The session's file [default: $LATCHKEY_SESSION, else ~/.config/latchkey/session.json]
    #[arg(long, value_name = "FILE", global = true)]
    session: Option<PathBuf>,

    #[command(flatten)]
    pub(super) trust: TrustArgs,
}

/// Sign in as the owner of an account
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct LoginArgs {
    /// The console's address
    #[arg(long, value_name = "URL", default_value = DEFAULT_CONSOLE)]
    console: String,

    /// The e-mail address of the account; asked for when absent
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,

    /// Take the password from this private file [default: $LATCHKEY_PASSWORD, else a prompt]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// Choose a password first, by a code that is sent to the address: the first one, or instead of one that was
    /// forgotten; $LATCHKEY_PASSWORD or --password-file is the new one
    #[arg(long)]
    new_password: bool,

    /// Show a recovery code instead of a one-time code; it is used up
    #[arg(long)]
    recovery: bool,

    #[command(flatten)]
    confirm: ConfirmArgs,

    #[command(flatten)]
    session: SessionArgs,
}

const EXAMPLES: &str = "\
The password and the codes never stand on the command line. The session's token is written to a file of mode 0600 and
ends after 30 minutes without use, after 12 hours at the latest, or with `latchkey logout`.

Examples:
  latchkey login --console https://keys.example.com --email alice@example.com
  latchkey login --email alice@example.com --new-password    # the first time, or when it was forgotten
  LATCHKEY_PASSWORD=… latchkey login --email alice@example.com --totp-command 'oathtool --totp -b @seed'";

/// End the session
#[derive(clap::Args, Clone, Debug)]
pub struct LogoutArgs {
    #[command(flatten)]
    session: SessionArgs,
}

/// What is kept of a session.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    console: String,
    email: String,
    account: i64,
    token: String,
}

impl SessionArgs {
    fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.session {
            return Ok(path.clone());
        }
        if let Some(path) = super::environment("LATCHKEY_SESSION") {
            return Ok(PathBuf::from(path));
        }
        let folder = super::environment("XDG_CONFIG_HOME").map(PathBuf::from);
        let folder = folder.or_else(|| super::environment("HOME").map(|home| Path::new(&home).join(".config")));
        let folder = folder.context("no place for the session: give --session FILE or set LATCHKEY_SESSION")?;
        Ok(folder.join("latchkey/session.json"))
    }

    /// The server that the session is with, on behalf of its owner.
    pub(super) fn remote(&self) -> anyhow::Result<Remote> {
        let path = self.path()?;
        if path.symlink_metadata().is_err() {
            bail!("you are not signed in: run `latchkey login`");
        }
        let text = private_file::read_secret(&path)?;
        let kept: Kept = serde_json::from_str(&text)
            .map_err(|_| anyhow::anyhow!("`{}` is not a session: run `latchkey login`", path.display()))?;
        Remote::new(&kept.console, Some(Zeroizing::new(kept.token)), self.trust.path())
    }
}

/// Signs in and keeps the session.
///
/// # Errors
/// When not even standard error can be written.
pub fn login(args: &LoginArgs) -> anyhow::Result<ExitCode> {
    super::done(sign_in(args, &mut std::io::stderr().lock()))
}

fn sign_in(args: &LoginArgs, notes: &mut dyn Write) -> anyhow::Result<()> {
    let remote = Remote::new(&args.console, None, args.session.trust.path())?;
    let email = match &args.email {
        Some(email) => email.clone(),
        None => super::confirm::ask("E-mail address", "give --email ADDRESS")?,
    };
    let password = if args.new_password {
        choose_password(args, &remote, &email)?
    } else {
        args.confirm.password(args.password_file.as_deref())?
    };
    let body = json!({ "email": email, "password": password.as_str(), "transport": "bearer" });
    let mut reply = remote.send(&Method::POST, "/v1/session", Some(&body), &[])?;
    let has_factor = reply.status == 200;
    if has_factor {
        let pending = reply.json()?;
        let sign_in =
            pending.get("signIn").and_then(serde_json::Value::as_str).context("the answer names no sign-in")?;
        let factors = super::table::cell(pending.get("factors"));
        reply = if args.recovery {
            let code = args.confirm.recovery_code()?;
            let body = json!({ "signIn": sign_in, "code": code.as_str() });
            remote.send(&Method::POST, "/v1/session/recovery", Some(&body), &[])?
        } else if factors.split(',').any(|factor| factor == "totp") {
            args.confirm.totp(|code| {
                let body = json!({ "signIn": sign_in, "code": code });
                remote.send(&Method::POST, "/v1/session/totp", Some(&body), &[])
            })?
        } else {
            bail!("this account's second factor is {factors}: sign in with a browser, or with --recovery");
        };
    }
    let signed_in = reply.json()?;
    let token = signed_in.get("token").and_then(serde_json::Value::as_str).context("the answer holds no token")?;
    let kept = Kept {
        console: remote.base().to_owned(),
        email,
        account: signed_in.get("account").and_then(serde_json::Value::as_i64).unwrap_or_default(),
        token: token.to_owned(),
    };
    let path = args.session.path()?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    }
    let text = Zeroizing::new(serde_json::to_string(&kept)?);
    write_private(&path, text.as_bytes()).with_context(|| format!("cannot write `{}`", path.display()))?;
    writeln!(
        notes,
        "signed in as {} (account {}); the session is kept in {}",
        kept.email,
        kept.account,
        path.display()
    )?;
    if !has_factor {
        writeln!(notes, "this account has no second factor, which every key needs: `latchkey factor totp` enrols one")?;
    }
    Ok(())
}

/// Has a code sent, and sets a new password by it.
fn choose_password(args: &LoginArgs, remote: &Remote, email: &str) -> anyhow::Result<Zeroizing<String>> {
    const PATH: &str = "/v1/password/reset";
    let begun = remote.send(&Method::POST, PATH, Some(&json!({ "email": email })), &[])?.json()?;
    let reset = begun.get("reset").and_then(serde_json::Value::as_str).context("the answer names no reset")?;
    let code = args.confirm.email_code()?;
    let password = args.confirm.new_password(args.password_file.as_deref())?;
    let body = json!({ "reset": reset, "code": code.as_str(), "password": password.as_str() });
    remote.send(&Method::POST, &format!("{PATH}/finish"), Some(&body), &[])?;
    Ok(password)
}

/// Ends the session on the server and removes its file.
///
/// # Errors
/// When not even standard error can be written.
pub fn logout(args: &LogoutArgs) -> anyhow::Result<ExitCode> {
    super::done(sign_out(args, &mut std::io::stderr().lock()))
}

fn sign_out(args: &LogoutArgs, notes: &mut dyn Write) -> anyhow::Result<()> {
    let remote = args.session.remote()?;
    match remote.send(&Method::DELETE, "/v1/session", None, &[]) {
        Ok(_) => {}
        // It is over already.
        Err(error) if error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == 401) => {}
        Err(error) => return Err(error),
    }
    let path = args.session.path()?;
    std::fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
    writeln!(notes, "signed out")?;
    Ok(())
}

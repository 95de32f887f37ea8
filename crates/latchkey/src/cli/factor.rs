//! `latchkey factor`: the second factors of whoever is signed in.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use latchkey_admission::ports::Clock as _;
use latchkey_crypto::totp::TotpSeed;
use serde_json::{Value, json};
use ureq::http::Method;
use zeroize::Zeroizing;

use super::confirm::ConfirmArgs;
use super::cut_off;
use super::key::pretty;
use super::private_file::{self, NewFile};
use super::remote::{Refused, Remote, encoded};
use super::session::SessionArgs;
use super::table::{Table, cell, time};

/// Manage second factors
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,

    /// Print JSON, for programs
    #[arg(long, global = true)]
    json: bool,

    /// Show a recovery code instead of a factor; it is used up [$LATCHKEY_RECOVERY_CODE, else a prompt]
    #[arg(long, global = true)]
    recovery: bool,

    #[command(flatten)]
    confirm: ConfirmArgs,

    #[command(flatten)]
    session: SessionArgs,
}

const EXAMPLES: &str = "\
An owner signs in first (`latchkey login`). The first factor is confirmed by the password and a code that is sent by
e-mail, every further change of factors by a factor that is there or by a recovery code. Passkeys are enrolled through
the API, by a page of your own.

Examples:
  latchkey factor totp                  # shows a seed for the app, then asks for the app's first code
  latchkey factor recovery-codes --secret-out recovery.txt
  latchkey factor list
  latchkey factor totp --recovery       # another app, when the former one is lost
  latchkey factor totp --secret-out bot.seed --totp-command 'latchkey factor code --seed-file bot.seed'
  latchkey factor code --credentials demo/credentials.json --email alice@example.com";

#[derive(clap::Subcommand, Clone, Debug)]
enum Verb {
    /// List the second factors
    List,
    /// Enrol an app for one-time codes; one that is enrolled already is replaced
    Totp(Totp),
    /// Make new recovery codes; the former ones are void
    RecoveryCodes(SecretOut),
    /// Remove a factor
    Remove(Remove),
    /// Print the present one-time code of a seed, for programs and demos
    Code(Code),
}

#[derive(clap::Args, Clone, Debug)]
struct SecretOut {
    /// Write it to this new file of mode 0600 instead of printing it
    #[arg(long, value_name = "FILE")]
    secret_out: Option<PathBuf>,
}

#[derive(clap::Args, Clone, Debug)]
struct Totp {
    #[command(flatten)]
    seed: SecretOut,

    /// A command that prints the first code of the new seed [default: --totp-command when no app is enrolled yet,
    /// else a prompt]
    #[arg(long, value_name = "COMMAND")]
    first_code_command: Option<String>,
}

#[derive(clap::Args, Clone, Debug)]
struct Remove {
    /// `totp`, or the id or label of a passkey
    #[arg(value_name = "FACTOR")]
    factor: String,
}

#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = true)]
struct Code {
    /// The private file that holds the seed in base32, as --secret-out writes it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["credentials", "email"])]
    seed_file: Option<PathBuf>,

    /// The credentials file of a demo
    #[arg(long, value_name = "FILE", requires = "email")]
    credentials: Option<PathBuf>,

    /// Whose seed of the credentials file
    #[arg(long, value_name = "ADDRESS", requires = "credentials")]
    email: Option<String>,
}

/// Does what the verb says; a refusal is told on standard error (exit status 1).
///
/// # Errors
/// When not even standard error can be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    super::done(act(args, &mut std::io::stdout().lock(), &mut std::io::stderr().lock()))
}

fn act(args: &Args, out: &mut dyn Write, notes: &mut dyn Write) -> anyhow::Result<()> {
    if let Verb::Code(code) = &args.verb {
        return print_code(code, out);
    }
    let factors =
        Factors { remote: args.session.remote()?, confirm: args.confirm.by_recovery(args.recovery), json: args.json };
    match &args.verb {
        Verb::List => factors.list(out),
        Verb::Totp(totp) => factors.enrol(totp, out, notes),
        Verb::RecoveryCodes(secret) => factors.recovery_codes(secret.secret_out.as_deref(), out, notes),
        Verb::Remove(remove) => factors.remove(&remove.factor, notes),
        Verb::Code(_) => Ok(()),
    }
}

/// The factors of whoever is signed in.
struct Factors {
    remote: Remote,
    confirm: ConfirmArgs,
    json: bool,
}

const AT: &str = "/v1/factors";

impl Factors {
    fn all(&self) -> anyhow::Result<Value> {
        self.remote.get(AT)?.json()
    }

    fn list(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let factors = self.all()?;
        if self.json {
            writeln!(out, "{}", pretty(&factors))?;
            return Ok(());
        }
        let mut table = Table::new(["FACTOR", "LABEL", "ADDED", "ID"]);
        if is_enrolled(&factors) {
            table.row(["totp", "-", "-", "-"].map(str::to_owned));
        }
        for passkey in passkeys(&factors) {
            let of = |name: &str| cell(passkey.get(name));
            table.row(["passkey".to_owned(), of("label"), time(passkey.get("added")), of("id")]);
        }
        table.print(out)?;
        writeln!(out, "recovery codes left: {}", cell(factors.get("recoveryCodes")))?;
        Ok(())
    }

    fn enrol(&self, totp: &Totp, out: &mut dyn Write, notes: &mut dyn Write) -> anyhow::Result<()> {
        let file = totp.seed.secret_out.as_deref();
        let is_first = !is_enrolled(&self.all()?);
        let new = file.map(NewFile::make).transpose()?;
        let begun = self.remote.send(&Method::POST, &format!("{AT}/totp/begin"), None, &[])?.json()?;
        let text = |name: &str| begun.get(name).and_then(Value::as_str).context("the answer holds no seed");
        let (registration, seed, uri) = (text("registration")?, text("seed")?, text("uri")?);
        // Before the code is asked for: it is the seed's.
        match (new.zip(file), self.json) {
            (Some((new, file)), _) => {
                new.write(&format!("{seed}\n"))?;
                writeln!(notes, "seed: {} (mode 0600)", file.display())?;
            }
            (None, true) => writeln!(out, "{}", pretty(&json!({ "seed": seed, "uri": uri })))?,
            (None, false) => {
                writeln!(out, "seed for the app, shown once: {seed}")?;
                writeln!(out, "the same as a link or QR code: {uri}")?;
            }
        }
        out.flush()?;
        if !is_first {
            writeln!(
                notes,
                "first comes a code of the new seed; then the former app, or a recovery code, confirms it"
            )?;
        }
        let enrolled = self.confirm_seed(totp.first_code_command.as_deref(), registration, is_first);
        if let (Err(error), Some(file)) = (&enrolled, file)
            && error.downcast_ref::<Refused>().is_some_and(|refused| refused.status < 500)
        {
            // A seed that is good for nothing would be taken for one that is enrolled. Of a server that failed nobody knows
            // whether it is.
            let _ = std::fs::remove_file(file);
        }
        enrolled?;
        writeln!(notes, "one-time codes are enrolled; their next code is for the next change")?;
        if is_first {
            writeln!(notes, "`latchkey factor recovery-codes` helps when the app is lost")?;
        }
        Ok(())
    }

    /// Shows the first code, which is judged before anything is confirmed; then confirms.
    fn confirm_seed(&self, words: Option<&str>, registration: &str, is_first: bool) -> anyhow::Result<()> {
        let path = format!("{AT}/totp/confirm");
        let mut body = Value::Null;
        let shown = self.confirm.first_totp(words, is_first, |code| {
            body = json!({ "registration": registration, "code": code });
            self.remote.send(&Method::POST, &path, Some(&body), &[])
        });
        self.confirm.confirmed(shown, &self.remote, &Method::POST, &path, Some(&body), &[]).map(drop)
    }

    fn recovery_codes(&self, file: Option<&Path>, out: &mut dyn Write, notes: &mut dyn Write) -> anyhow::Result<()> {
        // Before the former codes are void.
        let new = file.map(NewFile::make).transpose()?;
        let path = format!("{AT}/recovery-codes");
        let made = self.confirm.change(&self.remote, &Method::POST, &path, None, &[])?.json()?;
        let codes = made.get("codes").and_then(Value::as_array).context("the answer holds no codes")?;
        let lines: Zeroizing<String> =
            Zeroizing::new(codes.iter().filter_map(Value::as_str).map(|code| format!("{code}\n")).collect());
        match (new.zip(file), self.json) {
            (Some((new, file)), _) => {
                if let Err(error) = new.write(&lines) {
                    // They are shown once, and the former ones are void.
                    out.write_all(lines.as_bytes()).map_err(cut_off)?;
                    return Err(error.into());
                }
                writeln!(notes, "recovery codes: {} (mode 0600)", file.display())?;
            }
            (None, true) => writeln!(out, "{}", pretty(&made)).map_err(cut_off)?,
            (None, false) => out.write_all(lines.as_bytes()).map_err(cut_off)?,
        }
        writeln!(notes, "each is good for one use; the former ones are void")?;
        Ok(())
    }

    fn remove(&self, name: &str, notes: &mut dyn Write) -> anyhow::Result<()> {
        let below = if name == "totp" {
            "totp".to_owned()
        } else {
            let factors = self.all()?;
            let is = |passkey: &&Value, field: &str| passkey.get(field).and_then(Value::as_str) == Some(name);
            let fitting: Vec<_> =
                passkeys(&factors).filter(|passkey| is(passkey, "id") || is(passkey, "label")).collect();
            match fitting.as_slice() {
                [one] => format!("passkeys/{}", encoded(&cell(one.get("id")))),
                [] => bail!("there is no factor `{name}`: `latchkey factor list` shows those that there are"),
                _ => bail!("several passkeys are called `{name}`: name one by its id"),
            }
        };
        self.confirm.change(&self.remote, &Method::DELETE, &format!("{AT}/{below}"), None, &[])?;
        writeln!(notes, "{name}: removed")?;
        Ok(())
    }
}

fn is_enrolled(factors: &Value) -> bool {
    factors.get("totp").and_then(Value::as_bool).unwrap_or_default()
}

fn passkeys(factors: &Value) -> impl Iterator<Item = &Value> {
    factors.get("passkeys").and_then(Value::as_array).into_iter().flatten()
}

fn print_code(code: &Code, out: &mut dyn Write) -> anyhow::Result<()> {
    let seed = match (&code.seed_file, &code.credentials, &code.email) {
        (Some(file), _, _) => private_file::read_secret(file)?,
        (None, Some(file), Some(email)) => seed_of(file, email)?,
        _ => bail!("give --seed-file, or --credentials with --email"),
    };
    let seed = TotpSeed::parse(seed.trim()).context("the seed cannot be used")?;
    let seconds = crate::clock::SystemClock::default().now().as_millis() / 1_000;
    writeln!(out, "{}", seed.code(u64::try_from(seconds).unwrap_or_default()))?;
    Ok(())
}

/// The seed of an account in a demo's credentials file.
fn seed_of(file: &Path, email: &str) -> anyhow::Result<Zeroizing<String>> {
    let text = private_file::read_secret(file)?;
    let list: Vec<Value> =
        serde_json::from_str(&text).map_err(|_| anyhow::anyhow!("`{}` is not a credentials file", file.display()))?;
    let is_his = |entry: &&Value| entry.get("account").and_then(Value::as_str) == Some(email);
    let seed = list.iter().filter(is_his).find_map(|entry| entry.get("totp")?.as_str());
    seed.map(|seed| Zeroizing::new(seed.to_owned()))
        .with_context(|| format!("`{}` holds no seed of `{email}`", file.display()))
}

//! `latchkey token`: tokens of operators, each for some tasks and some time.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};
use ureq::http::Method;

use super::confirm::OperatorArgs;
use super::key::pretty;
use super::private_file;
use super::remote::{TrustArgs, encoded};
use super::table::{Table, cell, time};

/// Manage operators' tokens
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,

    /// Print JSON, for programs
    #[arg(long, global = true)]
    json: bool,

    #[command(flatten)]
    operator: OperatorArgs,

    #[command(flatten)]
    trust: TrustArgs,
}

const EXAMPLES: &str = "\
Scopes: accounts:read, accounts:write, keys:hold, audit:read, imports, venue, tokens. A token makes others with at
most its own scopes and its own life. Only the hash of a token is kept.

Examples:
  latchkey token create support --scopes accounts:read,keys:hold --days 30 --out support.token
  latchkey token list
  latchkey token revoke 3f9c2a7b6d51e804";

#[derive(clap::Subcommand, Clone, Debug)]
enum Verb {
    /// Make a token
    Create(Create),
    /// List the tokens that are in force
    List,
    /// End a token
    Revoke(Revoke),
}

#[derive(clap::Args, Clone, Debug)]
struct Create {
    /// Who will use it; stands in the audit records
    #[arg(value_name = "NAME")]
    name: String,

    /// What it is for, with commas
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', required = true)]
    scopes: Vec<String>,

    /// How long it lives
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    days: u16,

    /// Write it to this new file of mode 0600 instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(clap::Args, Clone, Debug)]
struct Revoke {
    /// Its id in the list
    #[arg(value_name = "ID")]
    id: String,
}

/// Does what the verb says; a refusal is told on standard error (exit status 1).
///
/// # Errors
/// When not even standard error can be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    super::done(act(args, &mut std::io::stdout().lock()))
}

fn act(args: &Args, out: &mut dyn Write) -> anyhow::Result<()> {
    const PATH: &str = "/ops/v1/tokens";
    let remote = args.operator.remote(&args.trust)?;
    match &args.verb {
        Verb::Create(create) => {
            if let Some(path) = create.out.as_ref().filter(|path| path.symlink_metadata().is_ok()) {
                // Before the token is made: it is shown once.
                return Err(private_file::PrivateFileError::Exists(path.clone()).into());
            }
            let body = json!({ "name": create.name, "scopes": create.scopes, "days": create.days });
            let mut made = remote.send(&Method::POST, PATH, Some(&body), &[])?.json()?;
            let token = made.get("token").and_then(Value::as_str).context("the answer holds no token")?.to_owned();
            if let Some(path) = &create.out {
                private_file::write_new(path, &format!("{token}\n"))?;
                if let Some(object) = made.as_object_mut() {
                    object.remove("token");
                }
            }
            match (args.json, &create.out) {
                (true, _) => writeln!(out, "{}", pretty(&made))?,
                (false, None) => writeln!(out, "{token}")?,
                (false, Some(path)) => {
                    writeln!(out, "token {}: {} (mode 0600)", cell(made.get("id")), path.display())?;
                }
            }
            Ok(())
        }
        Verb::List => {
            let list = remote.get(PATH)?.json()?;
            let tokens = list.get("tokens").cloned().unwrap_or_default();
            if args.json {
                writeln!(out, "{}", pretty(&tokens))?;
                return Ok(());
            }
            let mut table = Table::new(["ID", "NAME", "SCOPES", "MADE BY", "MADE", "EXPIRES"]);
            for token in tokens.as_array().into_iter().flatten() {
                table.row([
                    cell(token.get("id")),
                    cell(token.get("name")),
                    cell(token.get("scopes")),
                    cell(token.get("madeBy")),
                    time(token.get("made")),
                    time(token.get("expires")),
                ]);
            }
            Ok(table.print(out)?)
        }
        Verb::Revoke(revoke) => {
            remote.send(&Method::DELETE, &format!("{PATH}/{}", encoded(&revoke.id)), None, &[])?;
            if args.json {
                writeln!(out, "{}", pretty(&json!({ "id": revoke.id, "done": "revoke" })))?;
            } else {
                writeln!(out, "token {}: revoked, with those that it made", super::Printable(&revoke.id))?;
            }
            Ok(())
        }
    }
}

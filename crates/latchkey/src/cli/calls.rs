//! `latchkey calls`: what was recorded of an owner's calls, on the screen or as a file.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::Value;

use super::key;
use super::remote::{Remote, encoded};
use super::session::SessionArgs;
use super::table::{Table, cell, time};

mod outcome;

/// List and export the calls of an account
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,

    #[command(flatten)]
    shared: Shared,
}

const EXAMPLES: &str = "\
An owner signs in first (`latchkey login`). Newest calls come first. Why one was refused: `latchkey doctor ID`.

Examples:
  latchkey calls list --outcome rejected
  latchkey calls list --key bot --from 2026-11-01T00:00:00Z --limit 1000 --json
  latchkey calls export --out calls.csv
  latchkey calls export --format parquet --key bot --out bot.parquet";

#[derive(clap::Subcommand, Clone, Debug)]
enum Verb {
    /// Print the newest calls
    List(List),
    /// Write the calls as one file
    Export(Export),
}

#[derive(clap::Args, Clone, Debug)]
struct Shared {
    /// Whose calls: the uid of the account or of a sub-account [default: me]
    #[arg(long, value_name = "ACCOUNT", global = true)]
    account: Option<String>,

    /// Those of this key alone: id, API key or label
    #[arg(long, value_name = "KEY", global = true)]
    key: Option<String>,

    /// Not before this time, as 2026-11-01T00:00:00Z
    #[arg(long, value_name = "TIME", global = true)]
    from: Option<jiff::Timestamp>,

    /// Before this time
    #[arg(long, value_name = "TIME", global = true)]
    until: Option<jiff::Timestamp>,

    /// Those of this route alone, as /api/v3/order
    #[arg(long, value_name = "PATH", global = true)]
    path: Option<String>,

    /// Those that ended so: answered, rejected, unknown, client-gone, or an exact reason as ip-not-allowed
    #[arg(long, value_name = "OUTCOME", global = true, value_parser = outcome::parse)]
    outcome: Option<&'static str>,

    /// Those from this address alone
    #[arg(long, value_name = "ADDRESS", global = true)]
    ip: Option<std::net::IpAddr>,

    #[command(flatten)]
    session: SessionArgs,
}

#[derive(clap::Args, Clone, Debug)]
struct List {
    /// At most so many, 1 to 1000
    #[arg(long, value_name = "COUNT", default_value = "50")]
    limit: u32,

    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Clone, Debug)]
struct Export {
    /// csv, or parquet where the server was built with it
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    format: String,

    /// Write to this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Does what the verb says; a refusal is told on standard error (exit status 1).
///
/// # Errors
/// When not even standard error can be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let out = &mut std::io::stdout().lock();
    super::done(match &args.verb {
        Verb::List(list) => show(list, &args.shared, out),
        Verb::Export(export) => write(export, &args.shared, out, &mut std::io::stderr().lock()),
    })
}

impl Shared {
    /// The part of a query that chooses calls; it ends in `&` unless it is empty.
    fn filter(&self, remote: &Remote, at: &str) -> anyhow::Result<String> {
        let key = match &self.key {
            None => None,
            Some(name) => Some(cell(key::find(remote, &format!("{at}/keys"), name)?.get("id"))),
        };
        let millis = |time: Option<jiff::Timestamp>| time.map(|time| time.as_millisecond().to_string());
        let parts = [
            ("key", key),
            ("startTime", millis(self.from)),
            ("endTime", millis(self.until)),
            ("path", self.path.clone()),
            ("outcome", self.outcome.map(str::to_owned)),
            ("ip", self.ip.map(|ip| ip.to_string())),
        ];
        let part = |(name, value): (&str, Option<String>)| value.map(|value| format!("{name}={}&", encoded(&value)));
        Ok(parts.into_iter().filter_map(part).collect())
    }

    fn at(&self) -> String {
        format!("/v1/accounts/{}", encoded(self.account.as_deref().unwrap_or("me")))
    }
}

fn show(list: &List, shared: &Shared, out: &mut dyn Write) -> anyhow::Result<()> {
    let (remote, at) = (shared.session.remote()?, shared.at());
    let filter = shared.filter(&remote, &at)?;
    let page = remote.get(&format!("{at}/calls?{filter}limit={}", list.limit))?.json()?;
    if list.json {
        writeln!(out, "{page:#}")?;
        return Ok(());
    }
    let mut table = Table::new(["TIME", "CALL", "FROM", "OUTCOME", "REASON", "COUNT", "ID"]);
    for call in page.get("calls").and_then(Value::as_array).into_iter().flatten() {
        let of = |name: &str| cell(call.get(name));
        let reason = call.pointer("/refusal/reason");
        let route = format!("{} {}", of("method"), of("path"));
        table.row([time(call.get("time")), route, of("ip"), of("outcome"), cell(reason), of("count"), of("id")]);
    }
    table.print(out)?;
    Ok(())
}

fn write(export: &Export, shared: &Shared, out: &mut dyn Write, notes: &mut dyn Write) -> anyhow::Result<()> {
    let (remote, at) = (shared.session.remote()?, shared.at());
    let filter = shared.filter(&remote, &at)?;
    let path = format!("{at}/calls/export?{filter}format={}", encoded(&export.format));
    let Some(file) = &export.out else { return remote.download(&path, out) };
    let named = || format!("cannot write `{}`", file.display());
    let mut to = File::create_new(file).with_context(named)?;
    let written = remote.download(&path, &mut to).and_then(|()| to.sync_all().with_context(named));
    if written.is_err() {
        // Half an export would be taken for a whole one.
        let _ = fs::remove_file(file);
    }
    written?;
    writeln!(notes, "calls: {}", file.display())?;
    Ok(())
}

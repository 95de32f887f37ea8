//! `latchkey import`: keys that existed before, from a file.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::Value;

use super::confirm::OperatorArgs;
use super::key::pretty;
use super::remote::{Refused, TrustArgs};
use super::table::{Table, cell};

/// Bring keys in from a file
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
The file is tab-separated: a first line `# latchkey keys 1`, a line that names the columns, then a key a line.
docs/operators.md describes the columns. A line that a rule refuses ends the import; nothing of its batch is stored, and
what was stored before it stays: mend the line and go on with --from-line.

Examples:
  latchkey import keys keys.tsv --token-file imports.token
  gpg --decrypt keys.tsv.gpg | latchkey import keys - --token-file imports.token
  latchkey import keys keys.tsv --from-line 2003 --token-file imports.token";

#[derive(clap::Subcommand, Clone, Debug)]
enum Verb {
    /// Import existing keys: HMAC with their secrets, RSA and Ed25519 with their public keys
    Keys(Keys),
}

#[derive(clap::Args, Clone, Debug)]
struct Keys {
    /// The file, or `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Leave out the keys before this line: they are there from an earlier try
    #[arg(long, value_name = "LINE")]
    from_line: Option<u64>,
}

/// Does what the verb says; a refusal is told on standard error (exit status 1).
///
/// # Errors
/// When not even standard error can be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    super::done(act(args, &mut std::io::stdout().lock()))
}

fn act(args: &Args, out: &mut dyn Write) -> anyhow::Result<()> {
    let Verb::Keys(keys) = &args.verb;
    let remote = args.operator.remote(&args.trust)?;
    let from = keys.from_line.map(|line| format!("?fromLine={line}")).unwrap_or_default();
    let path = format!("/ops/v1/imports/keys{from}");
    let sent = remote.upload(&path, "text/tab-separated-values", open(&keys.file)?);
    match sent {
        Ok(reply) => print(&reply.json()?, args.json, out),
        Err(error) => {
            // What was stored before the line that was refused is worth as much as an answer.
            if let Some(refused) = error.downcast_ref::<Refused>().filter(|refused| stored(&refused.problem) > 0) {
                print(&refused.problem, args.json, out)?;
                if let Some(next) = next_line(&refused.problem) {
                    return Err(error.context(format!("what was stored stays; go on with --from-line {next}")));
                }
            }
            Err(error)
        }
    }
}

fn open(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

fn stored(answer: &Value) -> u64 {
    answer.get("stored").and_then(Value::as_u64).unwrap_or_default()
}

/// The line after the last batch that was stored.
fn next_line(answer: &Value) -> Option<u64> {
    answer.get("batches")?.as_array()?.last()?.get("lastLine")?.as_u64()?.checked_add(1)
}

fn print(answer: &Value, is_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if is_json {
        writeln!(out, "{}", pretty(answer))?;
        return Ok(());
    }
    let mut table = Table::new(["LINES", "KEYS", "AUDIT RECORD", "DIGEST"]);
    for batch in answer.get("batches").and_then(Value::as_array).into_iter().flatten() {
        let of = |name: &str| cell(batch.get(name));
        table.row([format!("{}-{}", of("firstLine"), of("lastLine")), of("keys"), of("sequence"), of("digest")]);
    }
    table.print(out)?;
    writeln!(out, "{} keys stored", stored(answer))?;
    Ok(())
}

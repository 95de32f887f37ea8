//! `latchkey audit`: exports of the audit chain, its signed heads, and whether both hold.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use latchkey_crypto::public_key::PublicKey;
use latchkey_store::audit::export;
use latchkey_store::audit::heads::SignedHead;

use super::confirm::OperatorArgs;
use super::remote::TrustArgs;

/// Export and verify the audit records
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
A head is one line that says where the chain stood at some time, signed with a key that does not lie in the store. Keep
heads, and the public key, where the server's keeper cannot reach them: an export is worth as much as the head that it
is held against.

Examples:
  latchkey audit head --token-file op.token >> heads.txt
  latchkey audit export --token-file op.token --out audit.ndjson
  latchkey audit verify audit.ndjson --head heads.txt --key audit.pub.pem";

#[derive(clap::Subcommand, Clone, Debug)]
enum Verb {
    /// Write the records as lines of JSON
    Export(Export),
    /// Print the newest signed head
    Head(Head),
    /// Print the public key that heads are signed with; compare it with a copy from elsewhere
    Key(Head),
    /// Hold an export against a signed head; says which record was altered, is missing, moved or cut off
    Verify(Verify),
}

#[derive(clap::Args, Clone, Debug)]
struct Export {
    /// The records of this account alone: its uid or e-mail address
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,

    /// Write to this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    operator: OperatorArgs,

    #[command(flatten)]
    trust: TrustArgs,
}

#[derive(clap::Args, Clone, Debug)]
struct Head {
    /// The head of this account's records alone: its uid or e-mail address
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,

    #[command(flatten)]
    operator: OperatorArgs,

    #[command(flatten)]
    trust: TrustArgs,
}

#[derive(clap::Args, Clone, Debug)]
struct Verify {
    /// The export
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The head: the line itself, or a file whose last line it is
    #[arg(long, value_name = "HEAD")]
    head: String,

    /// The public key of the audit key, PEM; given again for each further key that the head may be signed with
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
}

/// Does what the verb says; a refusal, or a chain that does not hold, is told on standard error (exit status 1).
///
/// # Errors
/// When not even standard error can be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let out = &mut std::io::stdout().lock();
    super::done(match &args.verb {
        Verb::Export(export) => write_export(export, out, &mut std::io::stderr().lock()),
        Verb::Head(head) => print(head, "head", out),
        Verb::Key(head) => print(head, "key", out),
        Verb::Verify(verify) => hold(verify, out),
    })
}

fn write_export(args: &Export, out: &mut dyn Write, notes: &mut dyn Write) -> anyhow::Result<()> {
    let remote = args.operator.remote(&args.trust)?;
    let of = match &args.account {
        None => String::new(),
        Some(account) => format!("?account={}", super::account::uid(&remote, account)?),
    };
    let path = format!("/ops/v1/audit/export{of}");
    match &args.out {
        None => remote.download(&path, out),
        Some(file) => {
            let named = || format!("cannot write `{}`", file.display());
            let mut to = File::create_new(file).with_context(named)?;
            remote.download(&path, &mut to)?;
            to.sync_all().with_context(named)?;
            writeln!(notes, "audit records: {}", file.display())?;
            Ok(())
        }
    }
}

fn print(args: &Head, what: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let remote = args.operator.remote(&args.trust)?;
    let of = match &args.account {
        None => String::new(),
        Some(account) => format!("?account={}", super::account::uid(&remote, account)?),
    };
    let text = remote.get(&format!("/ops/v1/audit/{what}{of}"))?.body;
    out.write_all(&text)?;
    Ok(())
}

fn hold(args: &Verify, out: &mut dyn Write) -> anyhow::Result<()> {
    let head = head(&args.head)?;
    let keys = args.key.iter().map(|file| public_key(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let file = File::open(&args.file).with_context(|| format!("cannot read `{}`", args.file.display()))?;
    let verified = export::verify(BufReader::new(file), &head, &keys)
        .with_context(|| format!("`{}` does not hold", args.file.display()))?;
    writeln!(out, "holds: {} records, the last is {}", verified.records, verified.last)?;
    if verified.behind_head > 0 {
        let later = verified.behind_head;
        writeln!(out, "the last {later} are chained to the head but not signed by it: hold them against a newer head")?;
    }
    Ok(())
}

/// A public key from its PEM file.
///
/// # Errors
/// A file that cannot be read, or holds something else.
pub(crate) fn public_key(file: &Path) -> anyhow::Result<PublicKey> {
    let pem = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    PublicKey::parse(&pem).with_context(|| format!("`{}` is not a public key", file.display()))
}

/// The head that was given, or the last line of the file that it names.
fn head(given: &str) -> anyhow::Result<SignedHead> {
    let text = if given.starts_with("latchkey-audit-head ") {
        given.to_owned()
    } else {
        std::fs::read_to_string(Path::new(given)).with_context(|| format!("cannot read the head from `{given}`"))?
    };
    let line = text.lines().rfind(|line| !line.trim().is_empty()).context("the head's file is empty")?;
    line.trim().parse().context("not a head")
}

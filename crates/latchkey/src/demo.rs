//! `latchkey demo`: everything on this machine, ready to use in seconds.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use latchkey_admission::ports::Clock;
use latchkey_crypto::digest::{sha256, to_hex};
use latchkey_crypto::secret::SecretKey;
use latchkey_store::folder::{check_private, create_private};
use latchkey_store::random;
use latchkey_store::records::RecordSettings;
use latchkey_store::segments::Durability;

use crate::assemble::{House, Plan, assemble};
use crate::config::listen::{ListenFlags, Listeners as Addresses};
use crate::credentials::{self, Credentials, write_private};
use crate::listen::{self, Door, Listeners};
use crate::mail::Channels;
use crate::world::{World, populate};

/// How to serve a ready world.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  latchkey demo\n  latchkey demo --dir ./demo --api 127.0.0.1:0\n  \
    latchkey demo --world world.toml\n\nStandard output carries one line, printed when every listener accepts:\n  \
    ready api=URL console=URL ops=URL\nThe log goes to standard error; LATCHKEY_LOG=debug says more.")]
pub struct Args {
    /// Start from this world file instead of the built-in world
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// Keep everything in this folder [default: a new scratch folder, which is kept]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    listen: ListenFlags,
}

/// Names the world that a folder was filled from: its digest and, unless it is the built-in one, its file. The text
/// itself is not kept, since it may hold secrets.
const MARK: &str = "world.mark";

/// Serves until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, named.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    crate::logging::start("info")?;
    crate::memory::keep_out_of_files();
    let Addresses { api, console, ops } = Addresses::default().with(&args.listen);
    for address in [api, console, ops] {
        anyhow::ensure!(
            address.is_loopback(),
            "the demo listens on this machine only, not on {}; use `latchkey serve` elsewhere",
            address.0
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(demo(args))?;
    Ok(ExitCode::SUCCESS)
}

async fn demo(args: &Args) -> anyhow::Result<()> {
    let dir = folder(args.dir.as_deref())?;
    tracing::info!("everything is kept in {}", dir.display());
    let mark = dir.join(MARK);
    let filled = match std::fs::read_to_string(&mark) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).context("the folder's mark cannot be read"),
    };
    let (world, named) = open_world(args.world.as_deref(), filled.as_deref())
        .with_context(|| format!("the world of `{}` cannot be used", dir.display()))?;
    let policy = world.policy();
    let plan = Plan {
        key_file: dir.join("key-encryption.key"),
        audit_key_file: dir.join("audit.pem"),
        audit_former_keys: Vec::new(),
        create_key_files: true,
        policy,
        tiers: world.tiers(),
        market: world.market_settings(),
        durability: Durability::Durable,
        records: RecordSettings::new(&dir.join("calls")),
        data_dir: dir.clone(),
    };
    let (house, sequencing) = assemble(plan).await?;
    tracing::info!("the key-encryption key lies beside the data: fine for a demo, refused by `latchkey serve`");
    let file = dir.join(credentials::FILE);
    let mut credentials = match (house.is_empty().await?, filled.is_some()) {
        (true, _) => fill(&house, &world, &dir).await?,
        (false, true) => Credentials::read(&file)?,
        (false, false) => {
            bail!("`{}` was not filled to the end; remove it, or use an empty folder", dir.display())
        }
    };
    if filled.is_none() {
        // Before anything else can fail: the folder is whole.
        credentials.write(&file)?;
        write_private(&mark, named.as_bytes()).context("the folder's world cannot be kept")?;
    }
    let addresses = Addresses::default().with(&args.listen);
    let token = credentials.operator_token();
    let listeners = Listeners {
        api: Door { address: addresses.api.0, names: Vec::new(), tls: None, proxies: None },
        console: addresses.console.0,
        console_proxies: None,
        console_origin: None,
        ops: Door { address: addresses.ops.0, names: Vec::new(), tls: None, proxies: None },
        operators: vec![("demo".to_owned(), sha256(token.as_bytes()))],
        sandbox: true,
        imports: true,
        channels: Channels::kept(Arc::clone(&house.clock) as _),
    };
    let open = listen::open(house, sequencing, listeners).await.with_context(|| {
        let free = "`--api 127.0.0.1:0 --console 127.0.0.1:0 --ops 127.0.0.1:0` takes free ports";
        format!("the demo cannot open its doors; if another one is running, stop it: {free}")
    })?;
    credentials.set_ops(&open.ops);
    credentials.write(&file)?;
    hint(&dir, &open.api, &credentials)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", open.ready)?;
    out.flush()?;
    drop(out);
    open.until_stopped().await
}

/// The world to serve and its mark: the named one, else that of a used folder, else the built-in one.
fn open_world(asked: Option<&Path>, filled: Option<&str>) -> anyhow::Result<(World, String)> {
    let before =
        filled.and_then(|mark| mark.split_once('\n')).map(|(digest, file)| (digest, Path::new(file.trim_end())));
    let file = match (asked, before) {
        (Some(file), _) => {
            file.canonicalize().with_context(|| format!("there is no world file `{}`", file.display()))?
        }
        (None, Some((_, file))) if !file.as_os_str().is_empty() => file.to_owned(),
        (None, _) => return Ok((World::builtin(), "built-in\n".to_owned())),
    };
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("the world file `{}` cannot be read", file.display()))?;
    let digest = to_hex(&sha256(text.as_bytes()));
    if before.is_some_and(|(before, _)| before != digest) {
        bail!("the folder was filled from another world than `{}`; use an empty folder", file.display());
    }
    Ok((World::parse(&text, &file)?, format!("{digest}\n{}", file.display())))
}

/// The folder of this demo, made when it is not there.
fn folder(asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    let dir = match asked {
        Some(dir) => dir.to_owned(),
        None => {
            let mut name = [0; 8];
            random::fill(&mut name);
            std::env::temp_dir().join(format!("latchkey-demo-{:016x}", u64::from_le_bytes(name)))
        }
    };
    create_private(&dir).with_context(|| format!("the folder `{}` cannot be used", dir.display()))?;
    check_private(&dir).context("the demo's folder must be its owner's alone")?;
    Ok(dir.canonicalize()?)
}

async fn fill(house: &House, world: &World, dir: &Path) -> anyhow::Result<Credentials> {
    let keys = populate(&house.authority, world, house.clock.now(), dir).await?;
    let token = SecretKey::generate(&mut random::fill);
    Ok(Credentials::new(keys, token.expose()))
}

/// Tells three things to try next.
fn hint(dir: &Path, api: &str, credentials: &Credentials) -> anyhow::Result<()> {
    let program = std::env::current_exe()?;
    let (program, file) = (program.display(), dir.join(credentials::FILE));
    let mut notes = std::io::stderr().lock();
    writeln!(notes, "\nTry next:\n  {program} call --base-url {api} GET /api/v3/ticker/price symbol=BTCUSDT")?;
    if let Some(key) = credentials.trading_key() {
        let with = format!("--credentials {} --key {key} --base-url {api}", file.display());
        writeln!(notes, "  {program} call {with} GET /api/v3/account omitZeroBalances=true")?;
        writeln!(
            notes,
            "  {program} call {with} POST /api/v3/order symbol=BTCUSDT side=BUY type=MARKET quantity=0.001\n"
        )?;
    }
    Ok(())
}

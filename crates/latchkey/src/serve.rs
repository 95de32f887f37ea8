//! `latchkey serve`: the same server for real. Refuses to start on unsafe settings, naming each.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use latchkey_exchange::{Flow, MarketSettings};
use latchkey_store::segments::Durability;

use crate::assemble::{Plan, assemble};
use crate::config::listen::ListenFlags;
use crate::config::{Config, Tls, VenueLog};
use crate::listen::{self, Door, Listeners};
use crate::mail::Channels;
use crate::mail::sms::SmsCommand;
use crate::mail::smtp::Smtp;
use crate::safety;

/// How to serve for real.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  latchkey serve --config /etc/latchkey/latchkey.toml\n\n\
    Every field of the configuration is described in docs/configuration.md. Standard output carries one line, printed\n\
    when every listener accepts:\n  ready api=URL console=URL ops=URL console-at=ADDR:PORT\n\
    where `console` is the origin that people type and `console-at` is where the console listens.")]
pub struct Args {
    /// The configuration, TOML; unknown fields are refused
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    listen: ListenFlags,
}

/// Serves until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, named.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config, &args.listen)?;
    crate::logging::start(&config.log.filter)?;
    crate::memory::keep_out_of_files();
    let found = safety::check(&config, &safety::facts::read(&config)?);
    if !found.is_empty() {
        for reason in &found {
            tracing::error!("unsafe: {reason}");
        }
        bail!("{} unsafe settings; nothing was started", found.len());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config))?;
    Ok(ExitCode::SUCCESS)
}

/// The ways to owners that the configuration names.
fn channels(config: &Config) -> anyhow::Result<Channels> {
    let mail = config.mail.as_ref().map(Smtp::new).transpose()?;
    Ok(Channels {
        mail: mail.map(|smtp| Arc::new(smtp) as _),
        sms: config.sms.clone().map(|sms| Arc::new(SmsCommand::new(sms)) as _),
        mailbox: None,
    })
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let tls = |tls: &Option<Tls>| tls.as_ref().map(|tls| listen::tls(&tls.certificate, &tls.key)).transpose();
    let listeners = Listeners {
        api: Door {
            address: config.listeners.api.0,
            names: config.api_names(),
            tls: tls(&config.api.tls)?,
            proxies: listen::proxies(&config.api.behind_proxy, config.api.address_from),
        },
        console: config.listeners.console.0,
        console_proxies: listen::proxies(&config.console.behind_proxy, config.console.address_from),
        console_origin: Some(config.console.origin.to_string()),
        ops: Door {
            address: config.listeners.ops.0,
            names: config.ops_names(),
            tls: tls(&config.ops.tls)?,
            proxies: None,
        },
        operators: config.operator_hashes()?.into_iter().collect(),
        sandbox: config.venue.sandbox_calls,
        imports: config.ops.imports,
        channels: channels(&config)?,
    };
    let plan = Plan {
        data_dir: config.data_dir.clone(),
        records: config.records,
        key_file: config.keys.encryption_key_file.clone(),
        audit_key_file: config.keys.audit_key_file.clone(),
        audit_former_keys: config.keys.audit_former_keys.clone(),
        create_key_files: false,
        policy: config.policy,
        tiers: config.tiers,
        market: MarketSettings { flow: Flow::None, ..MarketSettings::builtin(0) },
        durability: match config.venue.log {
            VenueLog::Durable => Durability::Durable,
            VenueLog::Buffered => Durability::Buffered,
        },
    };
    let (house, sequencing) = assemble(plan).await?;
    let open = listen::open(house, sequencing, listeners).await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", open.ready)?;
    out.flush()?;
    drop(out);
    open.until_stopped().await
}

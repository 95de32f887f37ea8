//! The binary `latchkey`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use latchkey::cli::{call, keygen, sign};
use latchkey::{demo, serve};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Self-hosted API keys on the Binance contract: issue keys, check every signed request, trade on an embedded exchange.
#[derive(Parser)]
#[command(version, about, long_about = None, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Serve a ready world on this machine: accounts, keys and a living market
    Demo(demo::Args),
    /// Serve for real, from a configuration file
    Serve(serve::Args),
    /// Make a key pair
    Keygen(keygen::Args),
    /// Sign bytes as a request is signed
    Sign(sign::Args),
    /// Send a request, signed where the endpoint asks for it
    Call(call::Args),
}

fn main() -> ExitCode {
    let verb = Cli::parse().verb;
    let done = match &verb {
        Verb::Demo(args) => logged(|| demo::run(args)),
        Verb::Serve(args) => logged(|| serve::run(args)),
        Verb::Keygen(args) => keygen::run(args),
        Verb::Sign(args) => sign::run(args),
        Verb::Call(args) => call::run(args),
    };
    done.unwrap_or(ExitCode::FAILURE)
}

/// Runs a server with its log on standard error.
fn logged(run: impl FnOnce() -> anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_from_env("LATCHKEY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    run().inspect_err(|error| tracing::error!("{error:#}"))
}

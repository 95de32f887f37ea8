//! The binary `latchkey`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use latchkey::cli::{call, keygen, sign};
use latchkey::{demo, serve};

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
        Verb::Demo(args) => demo::run(args),
        Verb::Serve(args) => serve::run(args),
        Verb::Keygen(args) => keygen::run(args),
        Verb::Sign(args) => sign::run(args),
        Verb::Call(args) => call::run(args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

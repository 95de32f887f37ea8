//! The binary `latchkey`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use latchkey::cli::is_reader_gone;
use latchkey::cli::{account, audit, call, calls, doctor, factor, import, key, keygen, session, sign, token};
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
    /// List and export the calls of an account
    Calls(calls::Args),
    /// Tell why a call was refused, or whether a key is ready to be used
    Doctor(doctor::Args),
    /// Sign in as the owner of an account
    Login(session::LoginArgs),
    /// End the owner's session
    Logout(session::LogoutArgs),
    /// Manage second factors: one-time codes, recovery codes
    Factor(factor::Args),
    /// Manage API keys
    Key(key::Args),
    /// Manage accounts
    Account(account::Args),
    /// Manage operators' tokens
    Token(token::Args),
    /// Export and verify the audit records
    Audit(audit::Args),
    /// Bring keys in from a file
    Import(import::Args),
}

fn main() -> ExitCode {
    let verb = Cli::parse().verb;
    let done = match &verb {
        Verb::Demo(args) => demo::run(args),
        Verb::Serve(args) => serve::run(args),
        Verb::Keygen(args) => keygen::run(args),
        Verb::Sign(args) => sign::run(args),
        Verb::Call(args) => call::run(args),
        Verb::Calls(args) => calls::run(args),
        Verb::Doctor(args) => doctor::run(args),
        Verb::Login(args) => session::login(args),
        Verb::Logout(args) => session::logout(args),
        Verb::Factor(args) => factor::run(args),
        Verb::Key(args) => key::run(args),
        Verb::Account(args) => account::run(args),
        Verb::Token(args) => token::run(args),
        Verb::Audit(args) => audit::run(args),
        Verb::Import(args) => import::run(args),
    };
    done.unwrap_or_else(|error| {
        if !is_reader_gone(&error) {
            eprintln!("error: {error:#}");
        }
        ExitCode::FAILURE
    })
}

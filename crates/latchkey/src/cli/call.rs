//! `latchkey call`: one call, signed, followed to a certain outcome.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use latchkey_client::call::{Limits, Policy, Scheme};
use latchkey_client::client::{CallError, Client};
use latchkey_client::credentials::Credentials;
use latchkey_client::http::{BaseUrl, HttpSettings, HttpTransport};
use latchkey_client::outcome::Outcome;
use latchkey_client::request::{Proof, Request, SignError};
use latchkey_client::timing::{Moment, SystemTiming, Timing};
use latchkey_client::transport::Headers;
use latchkey_protocol::catalog::Method;

use super::profiles::{self, Profile};
use super::remote::TrustArgs;
use super::{KeyArgs, Printable, SchemeArg, credentials_file, json};

/// Make one call
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    key: KeyArgs,

    /// Where the venue is [default: the profile's, else http://127.0.0.1:8600]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,

    #[command(flatten)]
    trust: TrustArgs,

    /// Send the parameters in the body instead of the query (POST and PUT)
    #[arg(long)]
    body: bool,

    /// How the call is signed; the key must accept it
    #[arg(long, value_name = "SCHEME", value_enum, default_value_t)]
    scheme: SchemeArg,

    /// Send neither key nor signature
    #[arg(long)]
    unsigned: bool,

    /// Print one line of JSON with outcome, status, code, headers and body, and nothing else
    #[arg(long)]
    json: bool,

    /// GET, POST, PUT or DELETE
    #[arg(value_name = "METHOD", value_parser = parse_method)]
    method: Method,

    /// The path, for instance /api/v3/account
    #[arg(value_name = "PATH")]
    path: String,

    /// Parameters in their order; values are percent-encoded for you; `timestamp` and `signature` are added
    #[arg(value_name = "NAME=VALUE", value_parser = parse_parameter)]
    parameters: Vec<(String, String)>,
}

const EXAMPLES: &str = "\
The body is printed to standard output, status and headers of interest to standard error.
An order without newClientOrderId gets one, so that it can be found again; when its answer is lost it is
queried, and sent again only if the venue cannot have it. A call that the venue is too busy for is repeated
as the venue says (Retry-After), for at most 60 seconds.

Exit status: 0 done, 1 refused or not sent, 2 wrong usage, 3 outcome unknown.

Examples:
  latchkey call GET /api/v3/time
  latchkey call --credentials ./demo/credentials.json --key bot GET /api/v3/account
  latchkey call --profile bot --body POST /api/v3/order symbol=BTCUSDT side=BUY type=MARKET quantity=0.001
  latchkey call --profile bot --scheme rfc9421 GET /api/v3/account

A profile names a venue, an API key, and where the secret is, in ~/.config/latchkey/profiles.toml:
  [profile.bot]
  base_url = \"https://keys.example.com\"
  api_key = \"…64 characters…\"
  key_type = \"ed25519\"                       # ed25519, rsa or hmac
  secret_file = \"~/.config/latchkey/bot.pem\"  # or exactly one of:
  # secret_env = \"BOT_SECRET\"
  # secret_prompt = true
  # secret_command = [\"vault\", \"kv\", \"get\", \"-field=secret\", \"kv/bot\"]
  # trusted_certificates = \"ca.pem\"  proxy = \"http://proxy:3128\"  allow_plain_http = true";

/// Refused, or never sent.
const REFUSED: u8 = 1;
/// The call cannot be made as it is written.
const USAGE: u8 = 2;
/// Nobody knows whether the venue did it.
const UNKNOWN: u8 = 3;

const DEFAULT_BASE_URL: &str = "http://127.0.0.1:8600";

fn parse_method(text: &str) -> Result<Method, &'static str> {
    Method::parse(&text.to_ascii_uppercase()).ok_or("use GET, POST, PUT or DELETE")
}

fn parse_parameter(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("use name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Makes the call and prints what came of it.
///
/// # Errors
/// When the output cannot be written; everything else is told on standard error and by the exit status.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    call(args, &mut std::io::stdout().lock(), &mut std::io::stderr().lock()).map(ExitCode::from)
}

fn call(args: &Args, out: &mut dyn Write, notes: &mut dyn Write) -> anyhow::Result<u8> {
    let (mut client, request) = match prepare(args) {
        Ok(prepared) => prepared,
        Err(error) => {
            super::tell(&error, notes)?;
            return Ok(USAGE);
        }
    };
    let result = client.call(&request);
    if args.json { print_json(&result, out) } else { print(&request, &result, out, notes) }
}

/// Tells whoever waits that a call does.
struct Told(SystemTiming);

impl Timing for Told {
    fn now(&mut self) -> Moment {
        self.0.now()
    }

    fn wait(&mut self, duration: Duration) {
        if duration >= Duration::from_secs(1) {
            // Whether or not anybody reads it.
            let _ = writeln!(std::io::stderr(), "not now: the call is sent again in {} s", duration.as_secs() + 1);
        }
        self.0.wait(duration);
    }

    fn entropy(&mut self, bytes: &mut [u8]) {
        self.0.entropy(bytes);
    }
}

fn prepare(args: &Args) -> anyhow::Result<(Client<HttpTransport, Told>, Request)> {
    let mut builder = Request::builder(args.method, args.path.as_str());
    if args.body {
        builder = builder.in_body();
    }
    if args.unsigned {
        builder = builder.proof(Proof::None);
    }
    let parameters = args.parameters.iter().cloned();
    let request = parameters.fold(builder, |builder, (name, value)| builder.param(name, value)).build()?;

    let profile = profile(&args.key)?;
    // A public call needs no secret: nobody is asked for one.
    let credentials = if request.proof(true) == Proof::None { None } else { credentials(&args.key, profile.as_ref())? };
    if credentials.is_none() && request.proof(false) != Proof::None {
        return Err(anyhow!("{}: give --profile NAME or --credentials FILE", SignError::NoCredentials));
    }
    // Somebody waits at a terminal: enough to find a lost order again, no more.
    let limits = Limits { sends_max: 6, connects_max: 1, ..Limits::default() };
    let scheme = match args.scheme {
        SchemeArg::Compatible => Scheme::Compatible,
        SchemeArg::Rfc9421 => Scheme::Message9421,
    };
    let policy = Policy { limits, scheme, ..Policy::default() };
    let transport = transport(args.base_url.as_deref(), profile.as_ref(), &args.trust)?;
    Ok((Client::new(transport, Told(SystemTiming::new()), credentials, policy), request))
}

/// The profile that is named, if one is.
pub(super) fn profile(key: &KeyArgs) -> anyhow::Result<Option<Profile>> {
    let Some(name) = &key.profile else { return Ok(None) };
    let path = key.profiles.clone().map_or_else(profiles::default_path, Ok)?;
    Profile::load(&path, name).map(Some)
}

/// The key to sign with, if one is named.
pub(super) fn credentials(key: &KeyArgs, profile: Option<&Profile>) -> anyhow::Result<Option<Credentials>> {
    match (profile, &key.credentials) {
        (Some(profile), _) => profile.credentials().map(Some),
        (None, Some(path)) => credentials_file::load(path, key.key.as_deref()).map(Some),
        (None, None) => Ok(None),
    }
}

/// The way to the venue.
pub(super) fn transport(
    base_url: Option<&str>,
    profile: Option<&Profile>,
    trust: &TrustArgs,
) -> anyhow::Result<HttpTransport> {
    let url = base_url.or_else(|| profile.and_then(|profile| profile.base_url.as_deref()));
    let url = url.unwrap_or(DEFAULT_BASE_URL);
    let base = if profile.is_some_and(|profile| profile.allow_plain_http) {
        BaseUrl::parse_any(url)
    } else {
        BaseUrl::parse(url)
    };
    let base = base.with_context(|| format!("`{url}`"))?;
    let certificates = trust.path().or_else(|| profile.and_then(|profile| profile.trusted_certificates.as_deref()));
    let settings = HttpSettings {
        trusted_pem: certificates.map(read_certificates).transpose()?,
        proxy: profile.and_then(|profile| profile.proxy.clone()),
        ..HttpSettings::default()
    };
    Ok(HttpTransport::new(base, &settings)?)
}

fn read_certificates(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

type CallResult = Result<Outcome, CallError>;

/// The headers that a caller wants to see.
fn of_interest(headers: &Headers) -> impl Iterator<Item = (&str, &str)> {
    const PREFIXES: [&str; 3] = ["x-mbx-", "x-sapi-", "x-latchkey-"];
    headers.iter().filter(|(name, _)| {
        let name = name.to_ascii_lowercase();
        name == "retry-after" || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

fn print(request: &Request, result: &CallResult, out: &mut dyn Write, notes: &mut dyn Write) -> anyhow::Result<u8> {
    match result {
        Ok(Outcome::Answered(answer)) => {
            if answer.found_by_query {
                writeln!(notes, "the answer to the order was lost; this is the order as the venue has it")?;
            }
            print_head(answer.status, &answer.headers, notes)?;
            print_body(&answer.body, out)?;
            Ok(0)
        }
        Ok(Outcome::Refused(refusal)) => {
            print_head(refusal.status, &refusal.headers, notes)?;
            writeln!(notes, "refused: {}", Printable(&refusal.to_string()))?;
            print_body(&refusal.body, out)?;
            Ok(REFUSED)
        }
        Ok(Outcome::Unknown(unknown)) => {
            writeln!(notes, "outcome unknown: {}", Printable(&unknown.cause.to_string()))?;
            match (&unknown.client_order_id, request.changes_state()) {
                (Some(id), _) => {
                    writeln!(notes, "the order may exist: query it with origClientOrderId={}", Printable(id))?
                }
                (None, true) => writeln!(notes, "the venue may have done it: look before you call again")?,
                (None, false) => {}
            }
            Ok(UNKNOWN)
        }
        Err(error) => {
            super::tell(&error.clone().into(), notes)?;
            Ok(not_called(error))
        }
    }
}

fn print_head(status: u16, headers: &Headers, notes: &mut dyn Write) -> std::io::Result<()> {
    writeln!(notes, "status: {status}")?;
    for (name, value) in of_interest(headers) {
        writeln!(notes, "{name}: {}", Printable(value))?;
    }
    Ok(())
}

fn print_body(body: &[u8], out: &mut dyn Write) -> std::io::Result<()> {
    match json::pretty(body) {
        Some(text) => writeln!(out, "{text}"),
        None if body.is_empty() => Ok(()),
        None => writeln!(out, "{}", Printable(&String::from_utf8_lossy(body))),
    }
}

fn print_json(result: &CallResult, out: &mut dyn Write) -> anyhow::Result<u8> {
    let mut members: Vec<(&str, String)> = Vec::new();
    let exit = match result {
        Ok(Outcome::Answered(answer)) => {
            members.push(("outcome", json::string("answered")));
            members.push(("status", answer.status.to_string()));
            members.push(("foundByQuery", answer.found_by_query.to_string()));
            push_reply(&mut members, &answer.headers, &answer.body);
            0
        }
        Ok(Outcome::Refused(refusal)) => {
            members.push(("outcome", json::string("refused")));
            members.push(("status", refusal.status.to_string()));
            members.extend(refusal.code.map(|code| ("code", code.to_string())));
            members.push(("message", json::string(&refusal.message)));
            members.extend(refusal.request_id.as_deref().map(|id| ("requestId", json::string(id))));
            push_reply(&mut members, &refusal.headers, &refusal.body);
            REFUSED
        }
        Ok(Outcome::Unknown(unknown)) => {
            members.push(("outcome", json::string("unknown")));
            members.push(("message", json::string(&unknown.cause.to_string())));
            members.extend(unknown.client_order_id.as_deref().map(|id| ("clientOrderId", json::string(id))));
            UNKNOWN
        }
        Err(error) => {
            members.push(("outcome", json::string("not-sent")));
            members.push(("message", json::string(&format!("{:#}", anyhow::Error::from(error.clone())))));
            not_called(error)
        }
    };
    writeln!(out, "{}", object(&members))?;
    Ok(exit)
}

fn push_reply(members: &mut Vec<(&str, String)>, headers: &Headers, body: &[u8]) {
    let headers: Vec<_> = of_interest(headers).map(|(name, value)| (name, json::string(value))).collect();
    members.push(("headers", object(&headers)));
    let body = json::compact(body).unwrap_or_else(|| json::string(&String::from_utf8_lossy(body)));
    members.push(("body", body));
}

/// An object of values that are JSON already.
fn object(members: &[(&str, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{}:{value}", json::string(name))).collect();
    format!("{{{}}}", members.join(","))
}

fn not_called(error: &CallError) -> u8 {
    match error {
        CallError::Sign(SignError::NoCredentials) => USAGE,
        CallError::Sign(SignError::Library(_)) | CallError::NotSent(_) => REFUSED,
    }
}

#[cfg(test)]
mod tests;

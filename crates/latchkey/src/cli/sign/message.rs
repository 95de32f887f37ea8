//! `latchkey sign --scheme rfc9421`: the header fields that sign one whole request.

use std::io::Write;

use anyhow::{Context as _, ensure};
use latchkey_client::credentials::Credentials;
use latchkey_client::http::BaseUrl;
use latchkey_client::message;
use latchkey_client::timing::{SystemTiming, Timing as _};
use latchkey_client::transport::Wire;
use latchkey_protocol::Timestamp;
use latchkey_protocol::catalog::Method;
use latchkey_protocol::message_signature::NONCE_MAX;

/// What a message signature covers.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct RequestArgs {
    /// With `--scheme rfc9421`: the method of the request
    #[arg(long, value_name = "METHOD", requires = "url", default_value = "GET", value_parser = parse_method)]
    method: Method,

    /// With `--scheme rfc9421`: the URL of the request, with its query
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// With `--secret-file`: the API key, which the signature names
    #[arg(long, value_name = "KEY", requires = "url")]
    pub(super) api_key: Option<String>,

    /// The second in which the signature is made, since 1970 [default: now]
    #[arg(long, value_name = "SECONDS", requires = "url")]
    created: Option<i64>,

    /// What tells this request from every other of the key [default: random]
    #[arg(long, value_name = "TEXT", requires = "url", value_parser = parse_nonce)]
    nonce: Option<String>,
}

fn parse_method(text: &str) -> Result<Method, &'static str> {
    Method::parse(&text.to_ascii_uppercase()).ok_or("use GET, POST, PUT or DELETE")
}

fn parse_nonce(text: &str) -> Result<String, &'static str> {
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
    let fits = (1..=NONCE_MAX).contains(&text.len());
    if plain && fits { Ok(text.to_owned()) } else { Err("use 1 to 128 printable characters without `\"` and `\\`") }
}

/// Prints a line for each field.
pub(super) fn sign(
    args: &RequestArgs,
    body: Vec<u8>,
    credentials: Credentials,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let url = args.url.as_deref().context("no URL: give --url")?;
    let (place, query) = url.split_once('?').map_or((url, None), |(place, query)| (place, Some(query)));
    let recipient = BaseUrl::parse_any(place).with_context(|| format!("`{url}`"))?.recipient();
    ensure!(!recipient.prefix.is_empty(), "the URL has no path");
    let mut timing = SystemTiming::new();
    let created = args.created.map_or_else(|| timing.now().wall, |seconds| Timestamp::from_millis(seconds * 1000));
    let nonce = args.nonce.clone().unwrap_or_else(|| {
        let mut noise = [0; 16];
        timing.entropy(&mut noise);
        format!("{:032x}", u128::from_be_bytes(noise))
    });
    let body = String::from_utf8(body).ok().context("the body is not text")?;
    let wire = Wire {
        method: args.method,
        // The path is the recipient's own.
        target: query.map_or_else(String::new, |query| format!("?{query}")),
        body: (!body.is_empty()).then_some(body),
        api_key: Some(credentials.api_key()),
        fields: Vec::new(),
    };
    for (name, value) in message::sign(&wire, &credentials, created, &recipient, &nonce)? {
        writeln!(out, "{name}: {value}")?;
    }
    Ok(())
}

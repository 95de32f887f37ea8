//! One JSON API over HTTP: the console's for owners, the operators' for operators.

use core::fmt;
use core::time::Duration;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use latchkey_client::http::BaseUrl;
use serde_json::Value;
use ureq::http::{HeaderValue, Method, Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, SendBody};
use zeroize::Zeroizing;

/// How long one exchange may take: a password check takes part of it.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The most bytes of an answer that is kept in memory.
const ANSWER_MAX: u64 = 64 * 1024 * 1024;

/// Whose certificates are believed.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct TrustArgs {
    /// Trust these certificates (PEM) instead of the public ones
    #[arg(long, value_name = "FILE", global = true)]
    trusted_certificates: Option<PathBuf>,
}

impl TrustArgs {
    /// The file with them.
    pub(super) fn path(&self) -> Option<&Path> {
        self.trusted_certificates.as_deref()
    }
}

/// A server and who speaks to it.
pub(super) struct Remote {
    base: String,
    agent: Agent,
    bearer: Option<Zeroizing<String>>,
}

/// An answer that is no refusal.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) etag: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// The body, which is JSON.
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("the answer is not JSON: is this the right address?")
    }
}

/// A refusal (RFC 9457).
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: u16,
    /// The last part of its documentation link.
    pub(super) name: String,
    detail: String,
    /// What must be confirmed, when that is all that is missing.
    pub(super) step_up: Option<Value>,
    /// When to come again, in seconds.
    retry_after: Option<String>,
    /// The whole problem, for what only some have.
    pub(super) problem: Value,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        if !self.name.is_empty() {
            write!(f, " ({})", self.name)?;
        }
        self.retry_after.as_ref().map_or(Ok(()), |seconds| write!(f, "; try again in {seconds} s"))
    }
}

impl core::error::Error for Refused {}

impl Refused {
    fn of(status: u16, retry_after: Option<String>, body: &[u8]) -> Self {
        let problem: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = text("type");
        let name = kind.rsplit_once('#').map(|(_, name)| name.to_owned()).unwrap_or_default();
        let detail = match (text("detail"), text("title")) {
            (detail, _) if !detail.is_empty() => detail,
            (_, title) if !title.is_empty() => title,
            _ => format!("the server answers with status {status}"),
        };
        Self { status, name, detail, step_up: problem.get("stepUp").cloned(), retry_after, problem }
    }
}

impl Remote {
    /// A server at `base`; plain `http` reaches this machine alone.
    pub(super) fn new(
        base: &str,
        bearer: Option<Zeroizing<String>>,
        trusted_certificates: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let base = BaseUrl::parse(base).with_context(|| format!("`{base}`"))?.to_string();
        let roots = match trusted_certificates {
            None => RootCerts::WebPki,
            Some(path) => {
                let named = || format!("the certificates `{}` cannot be used", path.display());
                let pem = std::fs::read(path).with_context(named)?;
                let items = parse_pem(&pem).filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                });
                let trusted: Vec<Certificate<'static>> = items.collect();
                if trusted.is_empty() {
                    bail!("{}", named());
                }
                RootCerts::new_with_certs(&trusted)
            }
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_global(Some(TIMEOUT))
            .build()
            .new_agent();
        Ok(Self { base, agent, bearer })
    }

    /// Where the server is.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Asks for something.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.send(&Method::GET, path, None, &[])
    }

    /// Sends a request; the body is JSON.
    ///
    /// # Errors
    /// [`Refused`] for a status of 400 or above; else what kept the exchange from being done.
    pub(super) fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&'static str, String)],
    ) -> anyhow::Result<Reply> {
        // A body may hold a password.
        let text = body.map(|body| Zeroizing::new(body.to_string()));
        let mut request = self.request(method, path, headers)?;
        let response = match &text {
            Some(text) => {
                request = request.header("content-type", "application/json");
                self.agent.run(request.body(text.as_str())?)
            }
            None if matches!(*method, Method::GET | Method::DELETE) => self.agent.run(request.body(())?),
            None => self.agent.run(request.body("")?),
        };
        self.answer(response)
    }

    /// Asks for something that may be large, and hands its body over as it arrives.
    pub(super) fn download(&self, path: &str, to: &mut dyn std::io::Write) -> anyhow::Result<()> {
        let request = self.agent.configure_request(self.request(&Method::GET, path, &[])?.body(())?);
        let response = self.agent.run(request.timeout_global(None).build()).map_err(|error| self.lost(&error))?;
        if response.status().as_u16() >= 400 {
            return self.answer(Ok(response)).map(drop);
        }
        std::io::copy(&mut response.into_body().into_reader(), to).context("the answer was cut off")?;
        Ok(())
    }

    /// Sends a file as it is read, however long that takes.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(super) fn upload(&self, path: &str, kind: &str, mut from: impl std::io::Read) -> anyhow::Result<Reply> {
        let request = self.request(&Method::POST, path, &[])?.header("content-type", kind);
        let request = self.agent.configure_request(request.body(SendBody::from_reader(&mut from))?);
        self.answer(self.agent.run(request.timeout_global(None).build()))
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&'static str, String)],
    ) -> anyhow::Result<ureq::http::request::Builder> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(bearer) = &self.bearer {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", bearer.as_str()))
                .map_err(|_| anyhow::anyhow!("the token is not one"))?;
            value.set_sensitive(true);
            request = request.header("authorization", value);
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        Ok(request)
    }

    fn answer(&self, response: Result<Response<Body>, ureq::Error>) -> anyhow::Result<Reply> {
        let mut response = response.map_err(|error| self.lost(&error))?;
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let (etag, retry_after) = (header("etag"), header("retry-after"));
        let body = response.body_mut().with_config().limit(ANSWER_MAX).read_to_vec().context("no whole answer came")?;
        match status {
            200..300 => Ok(Reply { status, etag, body }),
            300..400 => bail!("{} sends elsewhere (status {status}): use the address that people type", self.base),
            _ => Err(Refused::of(status, retry_after, &body).into()),
        }
    }

    fn lost(&self, error: &ureq::Error) -> anyhow::Error {
        anyhow::anyhow!("{}: {error}", self.base)
    }
}

/// A text as one segment of a path or one value of a query.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_and_where_to_read_on() {
        let body = br#"{"type":"/docs/errors#kyc","title":"T.","status":409,"detail":"Verify first."}"#;
        let refused = Refused::of(409, None, body);
        assert_eq!(refused.to_string(), "Verify first. (kyc)");
        let refused = Refused::of(429, Some("8".into()), br#"{"type":"/docs/errors#wait","title":"Wait."}"#);
        assert_eq!(refused.to_string(), "Wait. (wait); try again in 8 s");
        assert_eq!(Refused::of(502, None, b"<html>").to_string(), "the server answers with status 502");
    }

    #[test]
    fn a_segment_stays_one() {
        assert_eq!(encoded("a b/ü?=.~"), "a%20b%2F%C3%BC%3F%3D.~");
    }

    #[test]
    fn tokens_go_to_other_machines_under_tls_alone() {
        let to = |base: &str| Remote::new(base, None, None).map(|remote| remote.base);
        assert!(to("http://keys.example.com").is_err());
        assert_eq!(to("https://keys.example.com/").unwrap(), "https://keys.example.com");
        assert!(to("http://localhost:8601").is_ok());
    }
}

//! The transport over HTTP/1.1.

use core::fmt;
use core::time::Duration;
use std::io;
use std::net::IpAddr;
use std::str::FromStr as _;

use latchkey_protocol::catalog::Method;
use ureq::http::{self, HeaderValue, Uri, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Timeout};

use crate::transport::{Recipient, Reply, Transport, TransportError, Wire};

/// Bounds of one exchange.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// From the look-up of the name to an open connection.
    pub connect_timeout: Duration,
    /// The whole exchange. Longer than the 10 s after which the venue itself answers that it does not know.
    pub exchange_timeout: Duration,
    /// The most bytes of a body.
    pub body_max: u64,
    /// The most bytes of status line and headers.
    pub headers_max: usize,
    /// How long an idle connection is kept for the next call.
    pub idle_max: Duration,
    /// Certificates (PEM) that are trusted instead of the public ones.
    pub trusted_pem: Option<Vec<u8>>,
    /// A proxy, `http://host:port`; none is taken from the environment.
    pub proxy: Option<String>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            exchange_timeout: Duration::from_secs(20),
            body_max: 32 * 1024 * 1024,
            headers_max: 64 * 1024,
            idle_max: Duration::from_secs(15),
            trusted_pem: None,
            proxy: None,
        }
    }
}

/// Why a transport cannot be set up.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// The base URL is not one.
    #[error("the base URL must be `http://HOST[:PORT]` or `https://HOST[:PORT]`, without user, query or fragment")]
    BaseUrl,
    /// The base URL sends everything in plain text to another machine.
    #[error("a plain `http` base URL is allowed for this machine only (`localhost`, `127.0.0.1`): use `https`")]
    PlainText,
    /// The certificates cannot be read.
    #[error("the trusted certificates are not PEM with at least one `CERTIFICATE`")]
    Certificates,
    /// The proxy is not one.
    #[error("the proxy must be `http://HOST:PORT`")]
    Proxy,
}

/// Where the venue is: scheme, host, port and an optional path before every path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Reads a base URL. Plain `http` is taken only for this machine.
    ///
    /// # Errors
    /// [`SettingsError::BaseUrl`], [`SettingsError::PlainText`].
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let base = Self::parse_any(text)?;
        if base.0.starts_with("https://") || base.is_loopback() { Ok(base) } else { Err(SettingsError::PlainText) }
    }

    /// Reads a base URL and takes plain `http` to other machines too: whoever is on the way sees every request and
    /// can hold back or repeat it inside its window.
    ///
    /// # Errors
    /// [`SettingsError::BaseUrl`].
    pub fn parse_any(text: &str) -> Result<Self, SettingsError> {
        let text = text.trim_end_matches('/');
        let uri = Uri::from_str(text).map_err(|_| SettingsError::BaseUrl)?;
        let known_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.host().unwrap_or_default();
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        if !known_scheme || host.is_empty() || authority.contains('@') || uri.query().is_some() || text.contains('#') {
            return Err(SettingsError::BaseUrl);
        }
        Ok(Self(text.to_owned()))
    }

    /// Whom requests to it reach.
    pub fn recipient(&self) -> Recipient {
        let uri = Uri::from_str(&self.0).unwrap_or_default();
        let authority = uri.authority().map_or("", http::uri::Authority::as_str).to_owned();
        Recipient { authority, prefix: uri.path().trim_end_matches('/').to_owned() }
    }

    /// Whether the host is this machine.
    fn is_loopback(&self) -> bool {
        let uri = Uri::from_str(&self.0).unwrap_or_default();
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || IpAddr::from_str(host).is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Sends requests over HTTP/1.1 and keeps connections open. It follows no redirect and repeats nothing by itself.
#[derive(Debug)]
pub struct HttpTransport {
    base: BaseUrl,
    agent: Agent,
    body_max: u64,
}

impl HttpTransport {
    /// Sets the transport up; nothing is connected yet.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn new(base: BaseUrl, settings: &HttpSettings) -> Result<Self, SettingsError> {
        let roots = match &settings.trusted_pem {
            None => RootCerts::WebPki,
            Some(pem) => {
                let certificates = certificates(pem).ok_or(SettingsError::Certificates)?;
                RootCerts::new_with_certs(&certificates)
            }
        };
        let proxy = match &settings.proxy {
            None => None,
            Some(proxy) => Some(ureq::Proxy::new(proxy).map_err(|_| SettingsError::Proxy)?),
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_resolve(Some(settings.connect_timeout))
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_global(Some(settings.exchange_timeout))
            .max_response_header_size(settings.headers_max)
            .max_idle_age(settings.idle_max)
            .build()
            .new_agent();
        Ok(Self { base, agent, body_max: settings.body_max })
    }

    fn send(&self, wire: &Wire) -> Result<http::Response<Body>, ureq::Error> {
        let method = match wire.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Delete => http::Method::DELETE,
        };
        let mut request = http::Request::builder().method(method).uri(format!("{}{}", self.base, wire.target));
        if let Some(api_key) = wire.api_key {
            let mut value = HeaderValue::from_str(api_key.as_str()).map_err(http::Error::from)?;
            value.set_sensitive(true);
            request = request.header("X-MBX-APIKEY", value);
        }
        for (name, value) in &wire.fields {
            request = request.header(*name, value);
        }
        match &wire.body {
            Some(form) => {
                request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                self.agent.run(request.body(form.as_str())?)
            }
            None if matches!(wire.method, Method::Post | Method::Put) => self.agent.run(request.body("")?),
            None => self.agent.run(request.body(())?),
        }
    }
}

impl Transport for HttpTransport {
    fn exchange(&mut self, wire: &Wire) -> Result<Reply, TransportError> {
        let mut response = self.send(wire).map_err(|error| lost(&self.base, &error))?;
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))).collect();
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(self.body_max).read_to_vec();
        let body = body.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(limit) => TransportError::TooLarge { limit },
            // Headers were read: the request is long gone.
            error => TransportError::NoAnswer(describe(&error)),
        })?;
        Ok(Reply { status, headers, body })
    }

    fn recipient(&self) -> Recipient {
        self.base.recipient()
    }
}

/// Sorts errors by whether something was sent. What cannot be told apart counts as sent.
fn lost(base: &BaseUrl, error: &ureq::Error) -> TransportError {
    use ureq::Error;
    let not_sent = match error {
        Error::HostNotFound
        | Error::ConnectionFailed
        | Error::BadUri(_)
        | Error::Http(_)
        | Error::InvalidProxyUrl
        | Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
        // Only an attempt to connect is refused in this way.
        Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => true,
        // A certificate is judged in the handshake, before the first byte of a request; the library tells it apart
        // by its text alone.
        error => error.to_string().contains("invalid peer certificate"),
    };
    let reason = format!("{base}: {}", describe(error));
    if not_sent { TransportError::NotSent(reason) } else { TransportError::NoAnswer(reason) }
}

/// Says what went wrong without a URL, whose query holds a signature.
fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => "the address is not one".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

fn certificates(pem: &[u8]) -> Option<Vec<Certificate<'static>>> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.ok()? {
            certificates.push(certificate);
        }
    }
    (!certificates.is_empty()).then_some(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_leaves_this_machine_only_when_allowed() {
        for good in [
            "http://127.0.0.1:8600",
            "http://localhost:8600/",
            "http://LOCALHOST",
            "http://[::1]:8600",
            "http://127.9.9.9",
            "https://keys.example.com",
            "https://keys.example.com:8443/venue/",
        ] {
            let base = BaseUrl::parse(good).unwrap();
            assert_eq!(base.to_string(), good.trim_end_matches('/'));
        }
        for plain in
            ["http://keys.example.com", "http://10.0.0.1:8600", "http://localhost.example.com", "http://0.0.0.0"]
        {
            assert_eq!(BaseUrl::parse(plain), Err(SettingsError::PlainText), "{plain}");
            assert!(BaseUrl::parse_any(plain).is_ok());
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for bad in [
            "",
            "/",
            "localhost:8600",
            "127.0.0.1",
            "ftp://localhost",
            "http://",
            "http://user:word@localhost",
            "http://localhost/?a=1",
            "http://localhost#a",
            "http://local host",
        ] {
            assert_eq!(BaseUrl::parse(bad), Err(SettingsError::BaseUrl), "{bad}");
        }
    }

    #[test]
    fn only_errors_before_the_first_byte_count_as_not_sent() {
        let io = |kind| ureq::Error::Io(io::Error::from(kind));
        let base = BaseUrl::parse("https://localhost").unwrap();
        let is_not_sent = |error| matches!(lost(&base, &error), TransportError::NotSent(_));
        assert!(is_not_sent(io(io::ErrorKind::ConnectionRefused)));
        assert!(is_not_sent(ureq::Error::HostNotFound));
        assert!(is_not_sent(ureq::Error::Timeout(Timeout::Connect)));
        let certificate = io::Error::new(io::ErrorKind::InvalidData, "invalid peer certificate: UnknownIssuer");
        assert!(is_not_sent(ureq::Error::Io(certificate)));
        for error in [
            io(io::ErrorKind::ConnectionReset),
            io(io::ErrorKind::BrokenPipe),
            io(io::ErrorKind::UnexpectedEof),
            io(io::ErrorKind::HostUnreachable),
            ureq::Error::Timeout(Timeout::Global),
            ureq::Error::Timeout(Timeout::SendRequest),
            ureq::Error::Timeout(Timeout::RecvResponse),
        ] {
            assert!(!is_not_sent(error));
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let base = || BaseUrl::parse("https://localhost").unwrap();
        let settings = HttpSettings { trusted_pem: Some(b"no certificate".to_vec()), ..HttpSettings::default() };
        assert_eq!(HttpTransport::new(base(), &settings).err(), Some(SettingsError::Certificates));
        let settings = HttpSettings { proxy: Some("no proxy://".to_owned()), ..HttpSettings::default() };
        assert_eq!(HttpTransport::new(base(), &settings).err(), Some(SettingsError::Proxy));
    }
}

//! What stands before every page: names, origins, and the bounds of a browser.

use axum::extract::{Request, State};
use axum::http::header::{HOST, LOCATION, ORIGIN};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use latchkey_protocol::Hosts;

/// The names and the origin of one listener.
#[derive(Clone, Debug)]
pub struct Guard {
    hosts: Hosts,
    origin: String,
    /// Addresses of this machine that are sent on to the origin's name.
    aliases: Hosts,
}

impl Guard {
    /// A guard for pages at `origin` (for example `http://localhost:8601`). Where the origin is on `localhost`, a
    /// visit to the loopback address is sent on to it: passkeys need a name.
    pub fn new(origin: &str) -> Self {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let aliases: &[&str] = if name == "localhost" { &["127.0.0.1", "[::1]"] } else { &[] };
        Self { hosts: Hosts::new([name]), origin: origin.to_owned(), aliases: Hosts::new(aliases.iter().copied()) }
    }

    /// A guard for a listener that is reached by any of `names` at `origin`.
    pub fn with_names<'a>(origin: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { hosts: Hosts::new(names), origin: origin.to_owned(), aliases: Hosts::new([] as [&str; 0]) }
    }
}

/// The headers of every reply: nothing inline, nothing framed, nothing sniffed, nothing kept.
const BOUNDS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Refuses a foreign `Host` (421) or `Origin` (403); sends a loopback address on to the origin's name.
pub async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.judge(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal,
    };
    for (name, value) in BOUNDS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

impl Guard {
    #[expect(clippy::result_large_err, reason = "the refusal is the reply; it is made once a refused request")]
    fn judge(&self, request: &Request) -> Result<(), Response> {
        if request.uri().authority().is_some() {
            return Err((StatusCode::BAD_REQUEST, "the target names a host\n").into_response());
        }
        let mut hosts = request.headers().get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err((StatusCode::BAD_REQUEST, "one Host header is needed\n").into_response());
        };
        if !self.hosts.allow(host.as_bytes()) {
            let reads = matches!(*request.method(), Method::GET | Method::HEAD);
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            return match HeaderValue::try_from(format!("{}{path}", self.origin)) {
                Ok(location) if reads && self.aliases.allow(host.as_bytes()) => {
                    Err((StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)]).into_response())
                }
                _ => Err((StatusCode::MISDIRECTED_REQUEST, "this host is not served here\n").into_response()),
            };
        }
        match request.headers().get(ORIGIN) {
            Some(origin) if !origin.as_bytes().eq_ignore_ascii_case(self.origin.as_bytes()) => {
                Err((StatusCode::FORBIDDEN, "foreign origin\n").into_response())
            }
            _ => Ok(()),
        }
    }
}

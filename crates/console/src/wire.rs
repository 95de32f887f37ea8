//! What comes in over HTTP, read strictly: bodies, queries, path segments, entity tags.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use latchkey_crypto::digest::sha256;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::{self, Problem};

/// Largest body, in bytes: a passkey's attestation fits many times.
pub(crate) const BODY_MAX: usize = 64 * 1024;
/// How deep a body may nest.
const DEPTH_MAX: usize = 16;

/// A JSON body: one value, no unknown fields, bounded in size and depth.
pub(crate) struct Input<T> {
    /// What was sent.
    pub(crate) value: T,
    /// SHA-256 of the bytes.
    pub(crate) digest: [u8; 32],
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(problem::MEDIA_TYPE.into());
        }
        let bytes = read(request.into_body()).await?;
        let value = parse(&bytes)?;
        Ok(Self { value, digest: sha256(&bytes) })
    }
}

/// A request without a body; one that has a body is refused, so that nothing is ignored.
pub(crate) struct NoBody;

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let bytes = read(request.into_body()).await?;
        if bytes.is_empty() { Ok(Self) } else { Err(malformed("this request has no body")) }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(text) = value.to_str() else { return false };
    let kind = text.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    to_bytes(body, BODY_MAX).await.map(|bytes| bytes.to_vec()).map_err(|_| problem::TOO_LARGE.into())
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if depth(bytes) > DEPTH_MAX {
        return Err(malformed("the body nests too deep"));
    }
    serde_json::from_slice(bytes).map_err(|error| malformed(plain(&error)))
}

/// What is wrong with a body, without the values in it: they may be secrets.
fn plain(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    let shown = ["missing field", "unknown field", "duplicate field"].iter().any(|head| what.starts_with(head));
    if shown {
        what.split(", expected").next().unwrap_or(what).to_owned()
    } else if error.is_data() {
        format!("a value is not of its type (line {line}, column {column})")
    } else {
        format!("the body is not JSON (line {line}, column {column})")
    }
}

/// How deep brackets nest outside of strings. The text may be no JSON at all; the parser says so.
fn depth(bytes: &[u8]) -> usize {
    let (mut now, mut most, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                now += 1;
                most = most.max(now);
            }
            b'}' | b']' if !quoted => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// What cannot be read.
pub(crate) fn malformed(detail: impl Into<String>) -> Problem {
    Problem::from(problem::MALFORMED).detail(detail)
}

/// A value that was read and is refused; the field is named.
pub(crate) fn invalid(field: &str, detail: impl Into<String>) -> Problem {
    Problem::from(problem::INVALID).detail(detail).member("field", field.into())
}

/// The parameters of the query; unknown ones are refused by the type.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|_| malformed("the query has a parameter that is unknown, missing, repeated or not of its type"))
    }
}

/// The segments of the path, as text.
pub(crate) struct Segments<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(value)| Self(value)).map_err(|_| problem::NOT_FOUND.into())
    }
}

/// The version that the caller saw: the header `If-Match` with one strong entity tag.
pub(crate) struct Expected(pub(crate) u64);

impl<S: Send + Sync> FromRequestParts<S> for Expected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IF_MATCH).iter();
        let Some(value) = values.next() else { return Err(problem::PRECONDITION_NEEDED.into()) };
        let tag = value.to_str().ok().filter(|_| values.next().is_none());
        let version = tag
            .and_then(|tag| tag.strip_prefix("\"v")?.strip_suffix('"'))
            .filter(|digits| !digits.starts_with('+'))
            .and_then(|digits| digits.parse().ok());
        version.map(Self).ok_or_else(|| problem::STALE.into())
    }
}

/// A JSON answer.
pub(crate) fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            Problem::from(problem::UNAVAILABLE).into_response()
        }
    }
}

/// A JSON answer with the version of what it shows.
pub(crate) fn tagged(status: StatusCode, version: u64, body: &impl Serialize) -> Response {
    let mut response = answer(status, body);
    if let Ok(tag) = HeaderValue::try_from(format!("\"v{version}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Done, with nothing to say.
pub(crate) fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        password: String,
    }

    fn detail(body: &str) -> String {
        let problem = parse::<Sample>(body.as_bytes()).unwrap_err();
        format!("{problem:?}")
    }

    #[test]
    fn errors_name_fields_and_never_quote_values() {
        assert!(detail("{}").contains("missing field `password`"));
        assert!(detail(r#"{"password":"a","x":1}"#).contains("unknown field `x`"));
        assert!(detail(r#"{"password":"a","password":"b"}"#).contains("duplicate field `password`"));
        let wrong_type = detail(r#"{"password":123456}"#);
        assert!(wrong_type.contains("not of its type") && !wrong_type.contains("123456"), "{wrong_type}");
        let no_json = detail(r#"{"password":"planted"#);
        assert!(no_json.contains("not JSON") && !no_json.contains("planted"), "{no_json}");
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        assert_eq!(depth(br#"{"a":["[[[\"[["]}"#), 2);
        let deep = format!("{}{}", "[".repeat(DEPTH_MAX + 1), "]".repeat(DEPTH_MAX + 1));
        assert!(detail(&deep).contains("too deep"));
    }
}

//! What became of a call.

use core::fmt;

use crate::transport::{Headers, Reply, TransportError};

/// The three ways a call ends once it was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The venue did it.
    Answered(Answer),
    /// The venue did not do it and says why.
    Refused(Refusal),
    /// Nobody here knows whether the venue did it.
    Unknown(Unknown),
}

/// A successful answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body as received.
    pub body: Vec<u8>,
    /// The answer to the placement was lost; this is the order as a query found it afterwards.
    pub found_by_query: bool,
}

/// A refusal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The contract's code, when the body had one.
    pub code: Option<i32>,
    /// The contract's message, or the start of whatever else the body was.
    pub message: String,
    /// The header `x-mbx-uuid`: the name of this request at the venue.
    pub request_id: Option<String>,
    /// The header `Retry-After`, in seconds.
    pub retry_after_s: Option<u32>,
    /// The headers.
    pub headers: Headers,
    /// The body as received.
    pub body: Vec<u8>,
}

/// An outcome that stayed unknown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unknown {
    /// Why.
    pub cause: Cause,
    /// The id under which the order may exist, when the call placed one: query it later.
    pub client_order_id: Option<String>,
}

/// Why a call has no certain outcome, or none yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// No whole answer came.
    Lost(TransportError),
    /// The venue answered that it does not know, or failed on its side.
    Said(Refusal),
}

/// The most characters of a body without a code that go into [`Refusal::message`].
const EXCERPT_MAX: usize = 200;

impl Refusal {
    pub(crate) fn read(reply: Reply) -> Self {
        let json: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let code = json.get("code").and_then(serde_json::Value::as_i64).and_then(|code| i32::try_from(code).ok());
        let message = match json.get("msg").and_then(serde_json::Value::as_str) {
            Some(message) => message.to_owned(),
            None => String::from_utf8_lossy(&reply.body).trim().chars().take(EXCERPT_MAX).collect(),
        };
        Self {
            status: reply.status,
            code,
            message,
            request_id: reply.headers.find("x-mbx-uuid").map(str::to_owned),
            retry_after_s: reply.headers.find("retry-after").and_then(|text| text.trim().parse().ok()),
            headers: reply.headers,
            body: reply.body,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{code} {} (status {})", self.message, self.status),
            None => write!(f, "status {} {}", self.status, self.message),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(error) => error.fmt(f),
            Self::Said(refusal) => refusal.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)], body: &str) -> Refusal {
        let headers = headers.iter().copied().collect();
        Refusal::read(Reply { status: 429, headers, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn code_message_and_headers_are_read() {
        let refusal = read(&[("X-MBX-UUID", "r-1"), ("Retry-After", "7")], r#"{"code":-1003,"msg":"Too many."}"#);
        assert_eq!((refusal.code, refusal.message.as_str()), (Some(-1003), "Too many."));
        assert_eq!((refusal.request_id.as_deref(), refusal.retry_after_s), (Some("r-1"), Some(7)));
        assert_eq!(refusal.to_string(), "-1003 Too many. (status 429)");
    }

    #[test]
    fn what_is_not_the_contracts_shape_is_quoted_in_part() {
        let page = format!("<html>{}", "x".repeat(5000));
        let refusal = read(&[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")], &page);
        assert_eq!((refusal.code, refusal.retry_after_s), (None, None));
        assert_eq!(refusal.message.chars().count(), EXCERPT_MAX);
        assert_eq!(read(&[], r#"{"code":99999999999,"msg":"m"}"#).code, None);
    }
}

//! What carries requests.

use core::fmt;

use latchkey_protocol::ApiKey;
use latchkey_protocol::catalog::Method;

/// A request as it goes over the wire. `Debug` leaves out parameters and signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Wire {
    /// The method.
    pub method: Method,
    /// Path and query, exactly as signed.
    pub target: String,
    /// The form body, exactly as signed; `None` sends none.
    pub body: Option<String>,
    /// The value of `X-MBX-APIKEY`.
    pub api_key: Option<ApiKey>,
    /// Further header fields: those of a message signature.
    pub fields: Vec<(&'static str, String)>,
}

/// Whom requests reach.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipient {
    /// Host and port, as in `Host`.
    pub authority: String,
    /// The path before every path; often empty.
    pub prefix: String,
}

impl Wire {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({} {})", self.method.as_str(), self.path())
    }
}

/// Headers of a reply, in the order received.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of a header; letter case of the name does not matter.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// A whole answer, whatever its status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// No whole answer came back. The variants differ in what the other side may have seen.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TransportError {
    /// No byte of the request left: no connection could be made.
    #[error("no connection: {0}")]
    NotSent(String),
    /// The request, or a part of it, left; whether it was executed is unknown.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// An answer came that is larger than this side takes. Asking again would not help.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The bound, in bytes.
        limit: u64,
    },
}

/// Carries one request and brings back one reply.
pub trait Transport {
    /// Sends `wire` once and waits for the answer; never sends it twice.
    ///
    /// # Errors
    /// [`TransportError`]. [`TransportError::NotSent`] only when it is certain that nothing was sent.
    fn exchange(&mut self, wire: &Wire) -> Result<Reply, TransportError>;

    /// Whom it reaches: message signatures cover that.
    fn recipient(&self) -> Recipient;
}

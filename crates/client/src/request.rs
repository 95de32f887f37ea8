//! A request, and the exact bytes that are signed.

use core::fmt;
use std::sync::LazyLock;

use latchkey_crypto::sign::LibraryError;
use latchkey_protocol::catalog::{Catalog, Endpoint, Found, Method};
use latchkey_protocol::params::{PARAMS_MAX, Place};
use latchkey_protocol::{RecvWindow, Timestamp};

use crate::credentials::Credentials;
use crate::encode::push_encoded;
use crate::message;
use crate::transport::{Recipient, Wire};

/// The longest path, in bytes.
pub const PATH_MAX: usize = 256;

/// What a request shows of the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Proof {
    /// What the catalog's row for the endpoint asks for; for an endpoint without a row, a signature when there are
    /// credentials and nothing otherwise.
    #[default]
    Catalog,
    /// Nothing.
    None,
    /// The API key alone.
    KeyOnly,
    /// The API key and a signature.
    Signed,
}

/// A request that can be sent: checked, not yet signed. `Debug` shows names of parameters, not their values.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
    home: Place,
    proof: Proof,
}

/// Collects the parts of a [`Request`].
#[derive(Clone)]
pub struct RequestBuilder(Request);

/// Why a request cannot be sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RequestError {
    /// The path is not one.
    #[error("the path must start with `/` and hold only letters, digits and `/ - . _ ~`, at most {PATH_MAX} bytes")]
    Path,
    /// A name is not one.
    #[error("the parameter name `{0}` must be letters, digits and `_ . -`")]
    Name(String),
    /// A name twice.
    #[error("the parameter `{0}` is given twice")]
    Twice(String),
    /// The signature is made, not given.
    #[error("`signature` cannot be given: it is made from the other parameters")]
    Signature,
    /// Too many parameters.
    #[error("more than {PARAMS_MAX} parameters")]
    TooMany,
    /// GET and DELETE carry no body.
    #[error("a {0} request carries its parameters in the query")]
    Body(&'static str),
}

/// Why a request cannot be signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignError {
    /// It needs a key and there is none.
    #[error("this call needs an API key")]
    NoCredentials,
    /// The signature could not be made.
    #[error("the request could not be signed")]
    Library(#[source] LibraryError),
}

impl Request {
    /// Starts a request of any method. Parameters go into the query unless [`RequestBuilder::in_body`] is called.
    pub fn builder(method: Method, path: impl Into<String>) -> RequestBuilder {
        RequestBuilder(Self {
            method,
            path: path.into(),
            query: Vec::new(),
            form: Vec::new(),
            home: Place::Query,
            proof: Proof::Catalog,
        })
    }

    /// Starts a GET request.
    pub fn get(path: impl Into<String>) -> RequestBuilder {
        Self::builder(Method::Get, path)
    }

    /// Starts a POST request.
    pub fn post(path: impl Into<String>) -> RequestBuilder {
        Self::builder(Method::Post, path)
    }

    /// Starts a DELETE request.
    pub fn delete(path: impl Into<String>) -> RequestBuilder {
        Self::builder(Method::Delete, path)
    }

    /// Asks the venue for its time.
    pub(crate) fn time() -> Self {
        Self::builder(Method::Get, "/api/v3/time").proof(Proof::None).0
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value of a parameter, wherever it stands.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().chain(&self.form).find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The same request with one more parameter in the usual place.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: String) -> Self {
        let parameters = if self.home == Place::Body { &mut self.form } else { &mut self.query };
        parameters.push((name.to_owned(), value));
        self
    }

    /// Whether the call may change something at the venue. GET never does; what the catalog does not know does.
    pub fn changes_state(&self) -> bool {
        self.method != Method::Get && self.row().is_none_or(|row| row.changes_state)
    }

    /// What the request will show, given whether there are credentials.
    pub fn proof(&self, has_credentials: bool) -> Proof {
        match (self.proof, self.row()) {
            (Proof::Catalog, Some(row)) if row.security.is_signed() => Proof::Signed,
            (Proof::Catalog, Some(row)) if row.security.needs_key() => Proof::KeyOnly,
            (Proof::Catalog, Some(_)) => Proof::None,
            (Proof::Catalog, None) if has_credentials => Proof::Signed,
            (Proof::Catalog, None) => Proof::None,
            (proof, _) => proof,
        }
    }

    /// How long after its `timestamp` the request stays valid.
    pub fn recv_window(&self, default: Option<RecvWindow>) -> RecvWindow {
        let own = self.value("recvWindow").and_then(|text| RecvWindow::parse(text, u32::MAX).ok());
        own.or(default).unwrap_or(RecvWindow::DEFAULT)
    }

    /// Turns the request into the bytes that go over the wire: percent-encodes, adds `recvWindow` (when one is given
    /// and the request has none) and `timestamp` (when the request has none), signs, and appends `signature`.
    ///
    /// The payload is the query followed at once by the body. What is added stands in the body when there is one.
    /// Source: REST API, "SIGNED request examples".
    ///
    /// # Errors
    /// [`SignError`].
    pub fn seal(
        &self,
        credentials: Option<&Credentials>,
        timestamp: Timestamp,
        recv_window: Option<RecvWindow>,
    ) -> Result<Wire, SignError> {
        let (mut query, mut form) = (join(&self.query), join(&self.form));
        let proof = self.proof(credentials.is_some());
        if proof == Proof::Signed {
            let signer = credentials.ok_or(SignError::NoCredentials)?.signer();
            let in_body = self.home == Place::Body || !form.is_empty();
            let target = if in_body { &mut form } else { &mut query };
            if let Some(window) = recv_window.filter(|_| self.value("recvWindow").is_none()) {
                push_pair(target, "recvWindow", &in_milliseconds(window));
            }
            if self.value("timestamp").is_none() {
                push_pair(target, "timestamp", &timestamp.as_millis().to_string());
            }
            let signature = signer.sign(&[query.as_bytes(), form.as_bytes()]).map_err(SignError::Library)?;
            push_pair(if in_body { &mut form } else { &mut query }, "signature", &signature);
        }
        self.wire(query, form, proof, credentials)
    }

    /// As [`Self::seal`], but with a message signature (RFC 9421) over method, recipient, path, query and body instead
    /// of `timestamp` and `signature`. `nonce` is fresh for every sending.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn seal_message(
        &self,
        credentials: Option<&Credentials>,
        timestamp: Timestamp,
        recv_window: Option<RecvWindow>,
        recipient: &Recipient,
        nonce: &str,
    ) -> Result<Wire, SignError> {
        let (mut query, mut form) = (join(&self.query), join(&self.form));
        let proof = self.proof(credentials.is_some());
        if let Some(window) = recv_window.filter(|_| proof == Proof::Signed && self.value("recvWindow").is_none()) {
            let in_body = self.home == Place::Body || !form.is_empty();
            push_pair(if in_body { &mut form } else { &mut query }, "recvWindow", &in_milliseconds(window));
        }
        let mut wire = self.wire(query, form, proof, credentials)?;
        if proof == Proof::Signed {
            let credentials = credentials.ok_or(SignError::NoCredentials)?;
            wire.fields = message::sign(&wire, credentials, timestamp, recipient, nonce).map_err(SignError::Library)?;
        }
        Ok(wire)
    }

    fn wire(
        &self,
        query: String,
        form: String,
        proof: Proof,
        credentials: Option<&Credentials>,
    ) -> Result<Wire, SignError> {
        let api_key = match proof {
            Proof::Signed | Proof::KeyOnly => Some(credentials.ok_or(SignError::NoCredentials)?.api_key()),
            Proof::Catalog | Proof::None => None,
        };
        let target = if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) };
        let body = (!form.is_empty()).then_some(form);
        Ok(Wire { method: self.method, target, body, api_key, fields: Vec::new() })
    }

    fn row(&self) -> Option<&'static Endpoint> {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);
        match CATALOG.find(self.method, &self.path) {
            Found::Endpoint(row) => Some(row),
            Found::OtherMethod | Found::Nothing => None,
        }
    }
}

impl RequestBuilder {
    /// Puts the parameters that follow, and what signing adds, into the form body. For POST and PUT.
    #[must_use]
    pub fn in_body(mut self) -> Self {
        self.0.home = Place::Body;
        self
    }

    /// Adds a parameter in the usual place, after those before it.
    #[must_use]
    pub fn param(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Self(self.0.with(&name.into(), value.into()))
    }

    /// Adds a parameter to the query, whatever the usual place is.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.query.push((name.into(), value.into()));
        self
    }

    /// Says what to show of the caller; [`Proof::Catalog`] unless called.
    #[must_use]
    pub fn proof(mut self, proof: Proof) -> Self {
        self.0.proof = proof;
        self
    }

    /// Checks the parts.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn build(self) -> Result<Request, RequestError> {
        let request = self.0;
        let in_path = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'.' | b'_' | b'~');
        if !request.path.starts_with('/') || request.path.len() > PATH_MAX || !request.path.bytes().all(in_path) {
            return Err(RequestError::Path);
        }
        if request.home == Place::Body && matches!(request.method, Method::Get | Method::Delete) {
            return Err(RequestError::Body(request.method.as_str()));
        }
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in request.query.iter().chain(&request.form) {
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
                return Err(RequestError::Name(name.clone()));
            }
            if name == "signature" {
                return Err(RequestError::Signature);
            }
            if names.contains(&name.as_str()) {
                return Err(RequestError::Twice(name.clone()));
            }
            if names.len() == PARAMS_MAX {
                return Err(RequestError::TooMany);
            }
            names.push(name);
        }
        Ok(request)
    }
}

fn join(parameters: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, value) in parameters {
        push_pair(&mut text, name, value);
    }
    text
}

fn push_pair(target: &mut String, name: &str, value: &str) {
    if !target.is_empty() {
        target.push('&');
    }
    target.push_str(name);
    target.push('=');
    push_encoded(target, value);
}

/// Milliseconds with up to three decimals, as `recvWindow` takes them.
fn in_milliseconds(window: RecvWindow) -> String {
    let micros = window.as_micros();
    match micros % 1000 {
        0 => (micros / 1000).to_string(),
        rest => format!("{}.{rest:03}", micros / 1000),
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.query.iter().chain(&self.form).map(|(name, _)| name.as_str()).collect();
        write!(f, "Request({} {} {names:?})", self.method.as_str(), self.path)
    }
}

impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(builder: RequestBuilder) -> RequestError {
        builder.build().unwrap_err()
    }

    #[test]
    fn what_could_be_read_two_ways_is_not_built() {
        let get = || Request::get("/api/v3/order");
        for path in ["", "api", "/a b", "/a?b=1", "/a#b", "/a%20", "/é", &format!("/{}", "a".repeat(PATH_MAX))] {
            assert_eq!(error(Request::get(path)), RequestError::Path, "{path}");
        }
        for name in ["", "a b", "a=b", "a&b", "é", "a%20"] {
            assert_eq!(error(get().param(name, "1")), RequestError::Name(name.to_owned()));
        }
        assert_eq!(error(get().param("signature", "1")), RequestError::Signature);
        assert_eq!(error(get().param("a", "1").query("a", "2")), RequestError::Twice("a".to_owned()));
        let many = (0..=PARAMS_MAX).fold(get(), |builder, n| builder.param(format!("p{n}"), "1"));
        assert_eq!(error(many), RequestError::TooMany);
        assert_eq!(error(get().in_body().param("a", "1")), RequestError::Body("GET"));
        assert_eq!(error(Request::delete("/a").in_body()), RequestError::Body("DELETE"));
    }

    #[test]
    fn a_window_is_written_in_milliseconds() {
        let written = |text| in_milliseconds(RecvWindow::parse(text, 60_000).unwrap());
        assert_eq!(written("5000"), "5000");
        assert_eq!(written("6000.346"), "6000.346");
        assert_eq!(written("0.05"), "0.050");
    }

    #[test]
    fn an_unknown_endpoint_is_signed_when_there_is_a_key() {
        let request = Request::post("/backend/own").build().unwrap();
        assert_eq!(request.proof(true), Proof::Signed);
        assert_eq!(request.proof(false), Proof::None);
        assert!(request.changes_state());
        assert!(!Request::get("/backend/own").build().unwrap().changes_state());
        let forced = Request::get("/backend/own").proof(Proof::KeyOnly).build().unwrap();
        assert_eq!(forced.proof(false), Proof::KeyOnly);
        assert_eq!(forced.seal(None, Timestamp::default(), None), Err(SignError::NoCredentials));
    }

    #[test]
    fn debug_output_has_no_values() {
        let request = Request::get("/api/v3/order").param("address", "bc1q").build().unwrap();
        assert_eq!(format!("{request:?}"), r#"Request(GET /api/v3/order ["address"])"#);
    }
}

//! Requests: their parameters, what is signed of them, their routes.

use latchkey_admission::call::RequestId;
use latchkey_admission::records::Cursor;
use latchkey_client::encode::percent_encode;
use latchkey_protocol::catalog::{Catalog, Found, Method};
use latchkey_protocol::params::{RawParams, decode, decode_signature};
use latchkey_protocol::{ApiKey, RecvWindow};

/// The parts of a request: the first byte that is zero divides query and body.
fn parts(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == 0) {
        Some(at) => (data.get(..at).unwrap_or_default(), data.get(at + 1..).unwrap_or_default()),
        None => (data, &[]),
    }
}

/// What is accepted is a list of parameters that can be read in one way alone.
pub(super) fn request(data: &[u8]) {
    let (query, body) = parts(data);
    let Ok(params) = RawParams::split(query, body) else { return };
    let payload = params.payload().concat();
    assert!(payload.len() <= query.len() + body.len(), "a payload is cut out of what was received");
    for pair in params.pairs() {
        assert!(!pair.name.is_empty() && pair.name.is_ascii(), "a name is plain text");
        assert_eq!(params.raw(pair.name), Some(pair.value), "a name stands once");
        if let Ok(text) = decode(pair.value) {
            assert!(text.len() <= pair.value.len(), "decoding never grows");
        }
    }
    if let Some(signature) = params.signature() {
        if let Ok(text) = decode_signature(signature) {
            assert!(text.len() <= signature.len(), "decoding never grows");
        }
        return;
    }
    assert_eq!(payload, [query, body].concat(), "without a signature everything is covered");
}

/// What a client encodes, the server reads back; and a signature anywhere leaves the same payload.
pub(super) fn payload(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (name, value) = ("p", percent_encode(&text));
    let query = format!("{name}={value}&timestamp=1");
    let params = RawParams::split(query.as_bytes(), &[]).expect("what a client encodes is well-formed");
    let back = params.raw(name).map(decode);
    assert!(matches!(back, Some(Ok(back)) if back == text), "a value reads back");
    for signed in [format!("{query}&signature=ab"), format!("signature=ab&{query}")] {
        let params = RawParams::split(signed.as_bytes(), &[]).expect("a signature changes nothing else");
        assert_eq!(params.payload().concat(), query.as_bytes(), "the signature is not part of what is signed");
    }
}

/// Every kind of parameter takes or refuses every text.
pub(super) fn arguments(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for row in Catalog::rows() {
        for param in row.params {
            if let Err(error) = param.parse(&text) {
                assert!(error.message().len() <= text.len() + 512, "a refusal is bounded");
            }
        }
    }
    // Malformed texts are refused; whatever is taken is within its bound.
    if let Ok(window) = RecvWindow::parse(&text, 60_000) {
        assert!(window.as_micros() <= 60_000_000, "a window is within its bound");
    }
    if let Some(key) = ApiKey::parse(data) {
        assert_eq!(key.as_str().as_bytes(), data, "a key is what was sent");
    }
}

/// A path finds a row of its own method, or none.
pub(super) fn routes(data: &[u8]) {
    thread_local! {
        static CATALOG: Catalog = Catalog::builtin();
    }
    let path = String::from_utf8_lossy(data);
    CATALOG.with(|catalog| {
        for method in [Method::Get, Method::Post, Method::Put, Method::Delete] {
            if let Found::Endpoint(row) = catalog.find(method, &path) {
                assert_eq!(row.method, method, "a row of another method");
                assert!(row.path == path || row.id_of(&path).is_some(), "a row of another path");
            }
        }
    });
}

/// Ids and cursors print as they were read.
pub(super) fn records(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(id) = RequestId::parse(&text) {
        assert_eq!(id.to_string(), text, "an id has one spelling");
    }
    if let Some(cursor) = Cursor::parse(&text) {
        assert_eq!(Cursor::parse(&cursor.text()), Some(cursor), "a cursor reads back");
    }
}

//! Signed requests, each part of them free to be wrong.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};

use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::sign::Signer;

use crate::server::wall_us;
use crate::wire::{Answer, ask, ask_from};

/// A key as its holder has it.
pub(crate) struct Key {
    pub(crate) api_key: String,
    signer: Signer,
}

impl Key {
    /// An HMAC key.
    pub(crate) fn hmac(api_key: &str, secret: &str) -> Self {
        let secret = SecretKey::parse(secret).expect("64 letters and digits");
        Self { api_key: api_key.to_owned(), signer: Signer::hmac(&secret) }
    }

    /// A key with a private key in PEM.
    pub(crate) fn pem(api_key: &str, private: &str) -> Self {
        Self { api_key: api_key.to_owned(), signer: Signer::from_pem(private).expect("a private key") }
    }

    /// The signature of a payload, as text.
    pub(crate) fn sign(&self, payload: &str) -> String {
        self.sign_bytes(payload.as_bytes())
    }

    /// The signature of a payload that need not be text.
    pub(crate) fn sign_bytes(&self, payload: &[u8]) -> String {
        self.signer.sign(&[payload]).expect("a signature")
    }

    /// The signature of a payload, as it stands in a query.
    pub(crate) fn sign_encoded(&self, payload: &str) -> String {
        self.sign(payload).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
    }

    /// A request with exactly these parts and the key's header.
    pub(crate) fn send(&self, to: SocketAddr, method: &str, path: &str, query: &str, body: &str) -> Answer {
        let key = &self.api_key;
        let mark = if query.is_empty() { "" } else { "?" };
        let length = body.len();
        ask(
            to,
            &format!(
                "{method} {path}{mark}{query} HTTP/1.1\r\nHost: {to}\r\nX-MBX-APIKEY: {key}\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        )
    }

    /// A right GET without parameters, from an address of this machine's own.
    pub(crate) fn call_from(&self, from: [u8; 4], to: SocketAddr, path: &str) -> Answer {
        let (key, payload) = (&self.api_key, stamped(""));
        let signature = self.sign_encoded(&payload);
        let target = format!("{path}?{payload}&signature={signature}");
        ask_from(from, to, &format!("GET {target} HTTP/1.1\r\nHost: {to}\r\nX-MBX-APIKEY: {key}\r\n\r\n"))
    }

    /// A right request: parameters in the query, signed now.
    pub(crate) fn call(&self, to: SocketAddr, method: &str, path: &str, parameters: &str) -> Answer {
        let payload = stamped(parameters);
        self.send(to, method, path, &format!("{payload}&signature={}", self.sign_encoded(&payload)), "")
    }
}

/// Parameters with the time of now, in milliseconds; of two in one millisecond the second is a millisecond ahead, since
/// the same bytes signed twice are one request.
pub(crate) fn stamped(parameters: &str) -> String {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = wall_us() / 1000;
    let before = LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(now.max(last + 1)));
    let stamp = now.max(before.expect("always") + 1);
    let joint = if parameters.is_empty() { "" } else { "&" };
    format!("{parameters}{joint}timestamp={stamp}")
}

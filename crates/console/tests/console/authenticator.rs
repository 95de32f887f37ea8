//! A software authenticator: makes P-256 passkeys and signs, honestly or as it is told to lie.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use latchkey_crypto::digest::sha256;
use serde_json::{Value, json};

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// One passkey with its private half.
pub(crate) struct Authenticator {
    pair: EcdsaKeyPair,
    id: Vec<u8>,
    counter: u32,
    /// Whether it verifies its user.
    pub(crate) verifies: bool,
    /// The origin of the page that it believes to be on.
    pub(crate) origin: String,
    /// The relying party that it signs for.
    pub(crate) rp_id: String,
}

impl Authenticator {
    /// A new one; `name` makes its credential id.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            id: sha256(name.as_bytes())[..16].to_vec(),
            counter: 0,
            verifies: true,
            origin: "http://localhost:8601".to_owned(),
            rp_id: "localhost".to_owned(),
        }
    }

    /// The credential id as text.
    pub(crate) fn id(&self) -> String {
        BASE64.encode(&self.id)
    }

    /// Sets the counter back, as a copy of it would.
    pub(crate) fn rewind(&mut self) {
        self.counter = 0;
    }

    fn client_data(&self, kind: &str, challenge: &str) -> Vec<u8> {
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false })
            .to_string()
            .into_bytes()
    }

    fn header(&mut self, more: u8) -> Vec<u8> {
        self.counter += 1;
        let verified = if self.verifies { USER_VERIFIED } else { 0 };
        let mut data = sha256(self.rp_id.as_bytes()).to_vec();
        data.push(USER_PRESENT | verified | more);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// Answers `navigator.credentials.create()`.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        let client_data = self.client_data("webauthn.create", options["challenge"].as_str().unwrap());
        let point = self.pair.public_key().as_ref().to_vec();
        let (x, y) = (&point[1..33], &point[33..65]);
        let mut data = self.header(ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        // COSE: {1: 2, 3: -7, -1: 1, -2: x, -3: y}
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(x);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(y);
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt");
        object.push(0x64);
        object.extend(b"none");
        object.push(0x67);
        object.extend(b"attStmt");
        object.push(0xa0);
        object.push(0x68);
        object.extend(b"authData");
        object.push(0x58);
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        json!({
            "id": self.id(),
            "rawId": self.id(),
            "type": "public-key",
            "response": {
                "clientDataJSON": BASE64.encode(client_data),
                "attestationObject": BASE64.encode(object),
                "transports": ["internal"],
            },
            "clientExtensionResults": {},
        })
    }

    /// Answers `navigator.credentials.get()`.
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        let client_data = self.client_data("webauthn.get", options["challenge"].as_str().unwrap());
        let data = self.header(0);
        let mut signed = data.clone();
        signed.extend(sha256(&client_data));
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": self.id(),
            "rawId": self.id(),
            "type": "public-key",
            "response": {
                "clientDataJSON": BASE64.encode(client_data),
                "authenticatorData": BASE64.encode(data),
                "signature": BASE64.encode(signature),
            },
            "clientExtensionResults": {},
        })
    }
}

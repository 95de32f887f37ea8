//! Message signatures (RFC 9421) of requests: the fields that go with one.

use latchkey_crypto::message::{MessageAlgorithm, content_sha_256};
use latchkey_crypto::sign::LibraryError;
use latchkey_protocol::Timestamp;
use latchkey_protocol::message_signature::{Draft, RequestParts, authority};

use crate::credentials::Credentials;
use crate::transport::{Recipient, Wire};

/// The name of the one signature of a request.
const LABEL: &str = "sig1";

/// The fields that sign `wire`: `Content-Digest` when it has a body, `Signature-Input` and `Signature`. `created` is
/// the second of `timestamp`. The path that is covered is the one on the wire: that of the recipient, then the request's.
///
/// # Errors
/// [`LibraryError`]; only with RSA.
pub fn sign(
    wire: &Wire,
    credentials: &Credentials,
    timestamp: Timestamp,
    recipient: &Recipient,
    nonce: &str,
) -> Result<Vec<(&'static str, String)>, LibraryError> {
    let (path, query) = wire.target.split_once('?').unwrap_or((&wire.target, ""));
    let path = format!("{}{path}", recipient.prefix);
    let content_digest = wire.body.as_ref().map(|body| format!("sha-256=:{}:", content_sha_256(body.as_bytes())));
    let api_key = credentials.api_key();
    let draft = Draft {
        has_content: content_digest.is_some(),
        created: timestamp.as_millis().div_euclid(1000),
        nonce,
        key_id: api_key.as_str(),
        algorithm: MessageAlgorithm::preferred(credentials.signer().key_type()).name(),
    };
    let authority = authority(&recipient.authority);
    let parts =
        RequestParts { method: wire.method.as_str(), authority: &authority, path: &path, query: query.as_bytes() };
    let base = draft.base(&parts, content_digest.as_deref().unwrap_or_default());
    let signature = credentials.signer().sign_message(&base)?;
    let digest = content_digest.map(|digest| ("Content-Digest", digest));
    let signed =
        [("Signature-Input", format!("{LABEL}={}", draft.params())), ("Signature", format!("{LABEL}=:{signature}:"))];
    Ok(digest.into_iter().chain(signed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;
    use latchkey_crypto::key_type::KeyType;
    use latchkey_crypto::verify::Verifier;
    use latchkey_protocol::catalog::Method;
    use latchkey_protocol::message_signature::MessageSignature;

    const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u";

    fn check(builder: crate::request::RequestBuilder, recipient: &Recipient, seen: &RequestParts<'_>) -> Wire {
        let credentials = Credentials::parse(API_KEY, KeyType::Ed25519, ED25519).unwrap();
        let at = Timestamp::from_millis(1_795_230_000_999);
        let request = builder.build().unwrap();
        let wire = request.seal_message(Some(&credentials), at, None, recipient, "n1").unwrap();
        let field = |name: &str| wire.fields.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone());
        let (input, signature) = (field("Signature-Input").unwrap(), field("Signature").unwrap());
        let said = MessageSignature::parse(input.as_bytes(), signature.as_bytes()).unwrap();
        assert_eq!((said.created, said.nonce, said.key_id), (1_795_230_000, Some("n1"), API_KEY));
        said.check_covers(wire.body.is_some()).unwrap();
        let digest = field("Content-Digest");
        let base = said.base(seen, &mut |_| digest.clone().map(String::into_bytes)).unwrap();
        let verifier = Verifier::public(&credentials.signer().public_key().unwrap());
        let bytes = verifier.decode_message(said.signature.as_bytes()).unwrap();
        assert_eq!(verifier.verify_message(MessageAlgorithm::Ed25519, &base, &bytes), Ok(()));
        wire
    }

    #[test]
    fn what_is_signed_is_what_the_other_side_sees() {
        let recipient = Recipient { authority: "Keys.example.com:443".to_owned(), prefix: "/venue".to_owned() };
        let parts = |method, path, query| RequestParts { method, authority: "keys.example.com", path, query };
        let get = Request::get("/api/v3/account").param("omitZeroBalances", "true");
        let wire = check(get, &recipient, &parts("GET", "/venue/api/v3/account", b"omitZeroBalances=true"));
        assert_eq!((wire.target.as_str(), wire.body), ("/api/v3/account?omitZeroBalances=true", None));
        let post = Request::post("/api/v3/order").in_body().param("symbol", "BTCUSDT");
        let wire = check(post, &recipient, &parts("POST", "/venue/api/v3/order", b""));
        assert_eq!(wire.body.as_deref(), Some("symbol=BTCUSDT"), "nothing is added");
        assert_eq!(wire.fields.len(), 3);
    }

    #[test]
    fn a_public_call_has_no_signature() {
        let request = Request::builder(Method::Get, "/api/v3/time").build().unwrap();
        let recipient = Recipient { authority: "localhost".to_owned(), prefix: String::new() };
        let wire = request.seal_message(None, Timestamp::default(), None, &recipient, "n").unwrap();
        assert!(wire.fields.is_empty() && wire.api_key.is_none());
    }
}

//! Message signatures (RFC 9421) on the line: what their fields say, and what they prove.

use latchkey_crypto::message::{content_sha_256, content_sha_512};
use latchkey_crypto::verify::Verifier;
use latchkey_protocol::message_signature::{
    CONTENT_DIGEST, ContentDigest, MessageSignature, MessageSignatureError, RequestParts, join_lines,
};
use latchkey_protocol::params::RawParams;
use latchkey_protocol::{ApiKey, RecvWindow, Timestamp};

use super::shape;
use crate::call::{Field, RawCall};
use crate::explain::shown_base;
use crate::permit::Window;
use crate::state::Message;
use crate::trail::Trail;
use crate::{Reason, Rejection, Rules, Stage};

/// The message signature of a call and the key that it names; `None` when the call has neither of its fields.
/// `has_body` tells of a body that may still be to come.
pub(super) fn read<'a>(raw: &'a RawCall<'a>, has_body: bool) -> Result<Option<(ApiKey, Box<Message<'a>>)>, Rejection> {
    let fields = (raw.headers.field("signature-input"), raw.headers.field("signature"));
    if fields == (Field::Absent, Field::Absent) {
        return Ok(None);
    }
    let refuse = |error| Rejection::new(Stage::Shape, Reason::Message(error));
    let header = match raw.api_key {
        Field::Absent => None,
        Field::One(_) | Field::Several => Some(shape::api_key(raw.api_key)?),
    };
    let message = fields_of(raw, fields, has_body).map_err(refuse)?;
    let api_key = shape::api_key(Field::One(message.signature.key_id.as_bytes()))?;
    if header.is_some_and(|header| header != api_key) {
        return Err(refuse(MessageSignatureError::OtherKey));
    }
    Ok(Some((api_key, Box::new(message))))
}

fn fields_of<'a>(
    raw: &'a RawCall<'a>,
    (input, signature): (Field<'a>, Field<'a>),
    has_body: bool,
) -> Result<Message<'a>, MessageSignatureError> {
    let input = once(input, "Signature-Input")?.ok_or(MessageSignatureError::Missing("Signature-Input"))?;
    let signature = once(signature, "Signature")?.ok_or(MessageSignatureError::Missing("Signature"))?;
    let signature = MessageSignature::parse(input, signature)?;
    signature.check_covers(has_body)?;
    let digest = if signature.covers(CONTENT_DIGEST) {
        let field = once(raw.headers.field(CONTENT_DIGEST), "Content-Digest")?;
        Some(ContentDigest::parse(field.ok_or(MessageSignatureError::Missing("Content-Digest"))?)?)
    } else {
        None
    };
    let nonce = signature.nonce.ok_or(MessageSignatureError::ParameterMissing("nonce"))?;
    Ok(Message { signature, nonce, digest })
}

fn once<'a>(field: Field<'a>, name: &'static str) -> Result<Option<&'a [u8]>, MessageSignatureError> {
    match field {
        Field::Absent => Ok(None),
        Field::One(value) => Ok(Some(value)),
        Field::Several => Err(MessageSignatureError::Several(name)),
    }
}

/// The window of a call with a message signature: from `created` for `recvWindow`, but never past `expires`. What the
/// compatible scheme says has no place beside it.
pub(super) fn window(
    params: &RawParams<'_>,
    signature: &MessageSignature<'_>,
    rules: &Rules,
) -> Result<Window, Reason> {
    if params.signature().is_some() {
        return Err(Reason::FieldNotRequired("signature"));
    }
    if params.raw("timestamp").is_some() {
        return Err(Reason::FieldNotRequired("timestamp"));
    }
    let recv_window = shape::recv_window(params, rules)?;
    let expires = signature.expires.map(|expires| at(expires).micros_since(at(signature.created)));
    let recv_window = expires.map_or(recv_window, |life| recv_window.min(RecvWindow::from_micros(life)));
    Ok(Window { timestamp: at(signature.created), recv_window })
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1000))
}

/// Verifies a message signature and, once it held, that the content is the one that it covers.
pub(super) fn verify(
    verifier: &Verifier,
    message: &Message<'_>,
    raw: &RawCall<'_>,
    trail: &mut Trail,
) -> Result<(), Reason> {
    let said = &message.signature;
    let algorithm = verifier.message_algorithm(said.algorithm);
    let algorithm = algorithm.ok_or(Reason::Message(MessageSignatureError::Algorithm))?;
    let authority = match raw.headers.field("host") {
        Field::One(host) => core::str::from_utf8(host).unwrap_or_default(),
        Field::Absent | Field::Several => "",
    };
    let parts = RequestParts { method: raw.method, authority, path: raw.path, query: raw.query };
    let mut field = |name: &str| {
        let mut lines = Vec::new();
        raw.headers.each(name, &mut |line| lines.push(line));
        join_lines(lines)
    };
    let base = said.base(&parts, &mut field).map_err(Reason::Message)?;
    let signature = verifier
        .decode_message(said.signature.as_bytes())
        .map_err(|_| Reason::SignatureShape("not the base64 of one of the key's signatures"))?;
    verifier.verify_message(algorithm, &base, &signature).map_err(|_| {
        trail.unproven(shown_base(&base));
        Reason::SignatureWrong
    })?;
    match &message.digest {
        Some(digest) if !is_digest_of(digest, raw.body) => Err(Reason::ContentDigestWrong),
        Some(_) | None => Ok(()),
    }
}

/// Whether every digest that is understood is that of the content.
fn is_digest_of(digest: &ContentDigest<'_>, content: &[u8]) -> bool {
    digest.sha_256.is_none_or(|said| said == content_sha_256(content))
        && digest.sha_512.is_none_or(|said| said == content_sha_512(content))
}

//! HTTP message signatures: the second way to sign a request, which covers its method and its route.
//!
//! Pure text: what a signature says it covers, and the bytes that it is computed over. Verifying and signing live with
//! the keys. One signature a request, in the one canonical spelling of the structured fields; what is written otherwise
//! is refused, so that no two parsers can disagree about it.
//!
//! ```text
//!  Signature-Input: sig1=("@method" "@authority" "@path" "@query");created=1795230000;nonce="…";keyid="…"
//!  Signature:       sig1=:…base64…:
//!
//!  "@method": GET                  ─┐
//!  "@authority": keys.example.com   │ the signature base: a line a component,
//!  "@path": /api/v3/account         │ joined by line feeds, the parameters last
//!  "@query": ?omitZeroBalances=true │
//!  "@signature-params": (…);…      ─┘
//! ```
//!
//! Sources: RFC 9421 (HTTP Message Signatures, 2024-02), RFC 9530 (Digest Fields, 2024-02), RFC 9651 (Structured
//! Field Values for HTTP, 2024-09).

use smallvec::SmallVec;

mod content_digest;
mod parse;

pub use content_digest::ContentDigest;

/// The longest `Signature-Input` and `Content-Digest`, in bytes.
pub const FIELD_MAX: usize = 2048;
/// The most components that one signature covers.
pub const COMPONENTS_MAX: usize = 16;
/// The longest nonce, in characters.
pub const NONCE_MAX: usize = 128;

/// What every signature must cover, whatever else it covers.
pub const REQUIRED: [&str; 4] = ["@method", "@authority", "@path", "@query"];
/// What a signature must cover besides when the request has a body.
pub const CONTENT_DIGEST: &str = "content-digest";

/// What is wrong with the fields of a message signature. Each text is told to the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MessageSignatureError {
    /// One of the two fields is absent.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field stands several times, or holds several members.
    #[error("`{0}` must stand once and hold one signature")]
    Several(&'static str),
    /// A field is longer than is read.
    #[error("`{0}` is too long")]
    TooLong(&'static str),
    /// A field is not in the canonical spelling of its structure.
    #[error("`{0}` is malformed")]
    Malformed(&'static str),
    /// `Signature` names another signature than `Signature-Input`.
    #[error("`Signature` has no member of the name in `Signature-Input`")]
    OtherLabel,
    /// A component that is not one of those that can be covered here.
    #[error("a covered component is not supported")]
    Component,
    /// A component twice.
    #[error("a component is covered twice")]
    ComponentTwice,
    /// More than [`COMPONENTS_MAX`] components.
    #[error("too many components are covered")]
    TooManyComponents,
    /// A component that must be covered and is not.
    #[error("`{0}` must be covered")]
    NotCovered(&'static str),
    /// A covered header field that the request does not have.
    #[error("a covered field is not in the request")]
    FieldAbsent,
    /// A parameter that is not read.
    #[error("a parameter is not supported")]
    Parameter,
    /// A parameter twice.
    #[error("the parameter `{0}` stands twice")]
    ParameterTwice(&'static str),
    /// A parameter that must be there and is not.
    #[error("the parameter `{0}` is missing")]
    ParameterMissing(&'static str),
    /// A parameter whose value is none of its kind.
    #[error("the parameter `{0}` has no right value")]
    ParameterValue(&'static str),
    /// The algorithm is not one of the key's.
    #[error("the algorithm is not one of the key's type")]
    Algorithm,
    /// The header field with the key says another key than `keyid`.
    #[error("`keyid` and `X-MBX-APIKEY` name different keys")]
    OtherKey,
}

/// A signature as its two fields say it, taken apart; it proves nothing yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageSignature<'a> {
    components: SmallVec<[&'a str; 8]>,
    /// Everything after the label: the covered components and the parameters, as received.
    params: &'a str,
    /// When it was made, in seconds since the Unix epoch.
    pub created: i64,
    /// When it ends, in seconds since the Unix epoch; after [`Self::created`].
    pub expires: Option<i64>,
    /// What tells it from every other of its key.
    pub nonce: Option<&'a str>,
    /// Names the key.
    pub key_id: &'a str,
    /// Names the algorithm.
    pub algorithm: Option<&'a str>,
    /// The signature, still base64.
    pub signature: &'a str,
}

/// The parts of a request that can be covered.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// The method.
    pub method: &'a str,
    /// Host and port as in `Host`.
    pub authority: &'a str,
    /// The path, as on the wire.
    pub path: &'a str,
    /// The query without `?`, as on the wire.
    pub query: &'a [u8],
}

impl<'a> MessageSignature<'a> {
    /// Reads `Signature-Input` and `Signature`.
    ///
    /// # Errors
    /// [`MessageSignatureError`].
    pub fn parse(input: &'a [u8], signature: &'a [u8]) -> Result<Self, MessageSignatureError> {
        parse::message_signature(input, signature)
    }

    /// The covered components, in the order of their lines.
    pub fn components(&self) -> &[&'a str] {
        &self.components
    }

    /// Whether a component is covered.
    pub fn covers(&self, component: &str) -> bool {
        self.components.contains(&component)
    }

    /// Checks that everything is covered and said without which a signature would be good for more than one request:
    /// [`REQUIRED`], the digest of the content when there is any, and a nonce.
    ///
    /// # Errors
    /// [`MessageSignatureError::NotCovered`], [`MessageSignatureError::ParameterMissing`].
    pub fn check_covers(&self, has_content: bool) -> Result<(), MessageSignatureError> {
        let content = has_content.then_some(CONTENT_DIGEST);
        match REQUIRED.into_iter().chain(content).find(|component| !self.covers(component)) {
            Some(component) => Err(MessageSignatureError::NotCovered(component)),
            None if self.nonce.is_none() => Err(MessageSignatureError::ParameterMissing("nonce")),
            None => Ok(()),
        }
    }

    /// The bytes that the signature is computed over. `field` answers the value of a header field by its lower-case
    /// name; several lines of one field are joined by a comma and a space.
    ///
    /// # Errors
    /// [`MessageSignatureError::FieldAbsent`].
    pub fn base(
        &self,
        request: &RequestParts<'_>,
        field: &mut dyn FnMut(&str) -> Option<Vec<u8>>,
    ) -> Result<Vec<u8>, MessageSignatureError> {
        write_base(&self.components, self.params, request, field)
    }
}

/// What a signer says of a signature that it makes.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// Whether the digest of the content is covered.
    pub has_content: bool,
    /// When it is made, in seconds since the Unix epoch.
    pub created: i64,
    /// What tells it from every other of its key: 1 to [`NONCE_MAX`] printable characters without `"` and `\`.
    pub nonce: &'a str,
    /// Names the key.
    pub key_id: &'a str,
    /// Names the algorithm.
    pub algorithm: &'a str,
}

impl Draft<'_> {
    /// The covered components and the parameters: what stands after the label in `Signature-Input`.
    pub fn params(&self) -> String {
        let Self { created, nonce, key_id, algorithm, .. } = self;
        let components: Vec<_> = self.components().map(|name| format!("\"{name}\"")).collect();
        let components = components.join(" ");
        format!("({components});created={created};nonce=\"{nonce}\";keyid=\"{key_id}\";alg=\"{algorithm}\"")
    }

    /// The bytes to sign. `content_digest` is the value of that field; it is covered when there is content.
    pub fn base(&self, request: &RequestParts<'_>, content_digest: &str) -> Vec<u8> {
        let components: SmallVec<[&str; 8]> = self.components().collect();
        let mut field = |name: &str| (name == CONTENT_DIGEST).then(|| content_digest.as_bytes().to_vec());
        // No field is asked for but the one that is answered.
        write_base(&components, &self.params(), request, &mut field).unwrap_or_default()
    }

    fn components(&self) -> impl Iterator<Item = &'static str> {
        REQUIRED.into_iter().chain(self.has_content.then_some(CONTENT_DIGEST))
    }
}

/// The line of one component, or its absence.
fn write_base(
    components: &[&str],
    params: &str,
    request: &RequestParts<'_>,
    field: &mut dyn FnMut(&str) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, MessageSignatureError> {
    let mut base = Vec::with_capacity(512);
    for component in components {
        base.push(b'"');
        base.extend_from_slice(component.as_bytes());
        base.extend_from_slice(b"\": ");
        match *component {
            "@method" => base.extend_from_slice(request.method.as_bytes()),
            "@authority" => base.extend_from_slice(authority(request.authority).as_bytes()),
            "@path" => base.extend_from_slice(request.path.as_bytes()),
            "@query" => {
                base.push(b'?');
                base.extend_from_slice(request.query);
            }
            name => base.extend_from_slice(&field(name).ok_or(MessageSignatureError::FieldAbsent)?),
        }
        base.push(b'\n');
    }
    base.extend_from_slice(b"\"@signature-params\": ");
    base.extend_from_slice(params.as_bytes());
    Ok(base)
}

/// The authority as it is covered: in lower case, without the port that the scheme implies.
/// Source: RFC 9421, section 2.2.3.
pub fn authority(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    match host.strip_suffix(":443").or_else(|| host.strip_suffix(":80")) {
        Some(name) => name.to_owned(),
        None => host,
    }
}

/// The value of a header field as it is covered: its lines without white space around them, joined.
/// Source: RFC 9421, section 2.1.
pub fn join_lines<'l>(lines: impl IntoIterator<Item = &'l [u8]>) -> Option<Vec<u8>> {
    let mut joined: Option<Vec<u8>> = None;
    for line in lines {
        let line = line.trim_ascii();
        match &mut joined {
            None => joined = Some(line.to_vec()),
            Some(value) => {
                value.extend_from_slice(b", ");
                value.extend_from_slice(line);
            }
        }
    }
    joined
}

#[cfg(test)]
mod tests;

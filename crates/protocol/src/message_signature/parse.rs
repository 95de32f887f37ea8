//! The canonical spelling of the two fields, and nothing else.

use smallvec::SmallVec;

use super::{COMPONENTS_MAX, FIELD_MAX, MessageSignature, MessageSignatureError, NONCE_MAX};

const INPUT: &str = "Signature-Input";
const SIGNATURE: &str = "Signature";

/// The longest name of a signature.
const LABEL_MAX: usize = 64;
/// The longest value of `keyid`, `alg` and `tag`.
const TEXT_MAX: usize = 256;
/// Derived components that can be covered.
const DERIVED: [&str; 4] = super::REQUIRED;

type Result<T> = core::result::Result<T, MessageSignatureError>;

/// A place in a text, from which pieces are taken.
struct Reader<'a> {
    field: &'static str,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Starts at the first character that is no white space; none of the field may be outside printable ASCII.
    fn new(field: &'static str, text: &'a [u8]) -> Result<Self> {
        if text.len() > FIELD_MAX {
            return Err(MessageSignatureError::TooLong(field));
        }
        let text = text.trim_ascii();
        let printable = text.iter().all(|byte| matches!(byte, b' '..=b'~'));
        let rest = core::str::from_utf8(text).ok().filter(|_| printable);
        rest.map(|rest| Self { field, rest }).ok_or(MessageSignatureError::Malformed(field))
    }

    fn malformed(&self) -> MessageSignatureError {
        MessageSignatureError::Malformed(self.field)
    }

    /// Takes `text` when it comes next.
    fn took(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take(&mut self, text: &str) -> Result<()> {
        if self.took(text) { Ok(()) } else { Err(self.malformed()) }
    }

    /// Takes what belongs to a set, perhaps nothing.
    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        let end = self.rest.bytes().position(|byte| !belongs(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// A key of a dictionary or parameter. Source: RFC 9651, section 3.1.2.
    fn key(&mut self) -> Result<&'a str> {
        let key =
            self.take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.' | b'*'));
        let starts = key.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'*');
        if starts && key.len() <= LABEL_MAX { Ok(key) } else { Err(self.malformed()) }
    }

    /// A string without escapes: no value here needs one.
    fn string(&mut self) -> Result<&'a str> {
        self.take("\"")?;
        let text = self.take_while(|byte| byte != b'"' && byte != b'\\');
        self.take("\"")?;
        Ok(text)
    }

    fn end(&self) -> Result<()> {
        match self.rest.bytes().next() {
            None => Ok(()),
            Some(b',') => Err(MessageSignatureError::Several(self.field)),
            Some(_) => Err(self.malformed()),
        }
    }
}

#[derive(Default)]
struct Params<'a> {
    created: Option<i64>,
    expires: Option<i64>,
    nonce: Option<&'a str>,
    key_id: Option<&'a str>,
    algorithm: Option<&'a str>,
    tag: Option<&'a str>,
}

pub(super) fn message_signature<'a>(input: &'a [u8], signature: &'a [u8]) -> Result<MessageSignature<'a>> {
    let mut reader = Reader::new(INPUT, input)?;
    let label = reader.key()?;
    reader.take("=")?;
    let params = reader.rest;
    let components = components(&mut reader)?;
    let said = parameters(&mut reader)?;
    reader.end()?;
    let created = said.created.ok_or(MessageSignatureError::ParameterMissing("created"))?;
    if said.expires.is_some_and(|expires| expires <= created) {
        return Err(MessageSignatureError::ParameterValue("expires"));
    }
    Ok(MessageSignature {
        components,
        params,
        created,
        expires: said.expires,
        nonce: said.nonce,
        key_id: said.key_id.ok_or(MessageSignatureError::ParameterMissing("keyid"))?,
        algorithm: said.algorithm,
        signature: bytes_of(label, signature)?,
    })
}

fn components<'a>(reader: &mut Reader<'a>) -> Result<SmallVec<[&'a str; 8]>> {
    let mut components = SmallVec::new();
    reader.take("(")?;
    while !reader.took(")") {
        if !components.is_empty() {
            reader.take(" ")?;
        }
        if components.len() == COMPONENTS_MAX {
            return Err(MessageSignatureError::TooManyComponents);
        }
        let name = reader.string()?;
        // Parameters of a component change what it means; none is read.
        if !is_supported(name) || reader.rest.starts_with(';') {
            return Err(MessageSignatureError::Component);
        }
        if components.contains(&name) {
            return Err(MessageSignatureError::ComponentTwice);
        }
        components.push(name);
    }
    Ok(components)
}

/// A derived component of the list, or a lower-case name of a header field that says nothing of signatures itself.
fn is_supported(name: &str) -> bool {
    if name.starts_with('@') {
        return DERIVED.contains(&name);
    }
    let in_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(in_name) && !["signature", "signature-input"].contains(&name)
}

fn parameters<'a>(reader: &mut Reader<'a>) -> Result<Params<'a>> {
    let mut params = Params::default();
    while reader.took(";") {
        let name = reader.key()?;
        reader.take("=")?;
        match name {
            "created" => put(&mut params.created, "created", seconds(reader, "created")?)?,
            "expires" => put(&mut params.expires, "expires", seconds(reader, "expires")?)?,
            "nonce" => put(&mut params.nonce, "nonce", text(reader, "nonce", NONCE_MAX)?)?,
            "keyid" => put(&mut params.key_id, "keyid", text(reader, "keyid", TEXT_MAX)?)?,
            "alg" => put(&mut params.algorithm, "alg", text(reader, "alg", TEXT_MAX)?)?,
            "tag" => put(&mut params.tag, "tag", text(reader, "tag", TEXT_MAX)?)?,
            _ => return Err(MessageSignatureError::Parameter),
        }
    }
    Ok(params)
}

fn put<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<()> {
    if place.replace(value).is_some() { Err(MessageSignatureError::ParameterTwice(name)) } else { Ok(()) }
}

/// A whole number of at most fifteen digits without a leading zero. Source: RFC 9651, section 3.3.1.
fn seconds(reader: &mut Reader<'_>, name: &'static str) -> Result<i64> {
    let digits = reader.take_while(|byte| byte.is_ascii_digit());
    let canonical = (1..=15).contains(&digits.len()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|_| canonical).ok_or(MessageSignatureError::ParameterValue(name))
}

fn text<'a>(reader: &mut Reader<'a>, name: &'static str, max: usize) -> Result<&'a str> {
    let value = reader.string()?;
    if (1..=max).contains(&value.len()) { Ok(value) } else { Err(MessageSignatureError::ParameterValue(name)) }
}

/// The base64 of the member `label` of `Signature`.
fn bytes_of<'a>(label: &str, signature: &'a [u8]) -> Result<&'a str> {
    let mut reader = Reader::new(SIGNATURE, signature)?;
    if reader.key()? != label {
        return Err(MessageSignatureError::OtherLabel);
    }
    reader.take("=")?;
    let base64 = byte_sequence(&mut reader)?;
    reader.end()?;
    Ok(base64)
}

/// The base64 between two colons; whether it decodes is for who needs the bytes. Source: RFC 9651, section 3.3.5.
fn byte_sequence<'a>(reader: &mut Reader<'a>) -> Result<&'a str> {
    reader.take(":")?;
    let base64 = reader.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    reader.take(":")?;
    Ok(base64)
}

/// Members of a dictionary of byte sequences: name and base64 each.
pub(super) fn byte_sequences<'a>(
    field: &'static str,
    text: &'a [u8],
    take: &mut dyn FnMut(&'a str, &'a str) -> Result<()>,
) -> Result<()> {
    let mut reader = Reader::new(field, text)?;
    loop {
        let name = reader.key()?;
        reader.take("=")?;
        take(name, byte_sequence(&mut reader)?)?;
        if reader.rest.is_empty() {
            return Ok(());
        }
        reader.take(", ")?;
    }
}

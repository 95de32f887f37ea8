//! From the raw bytes of a request to parameters and the signed payload.
//!
//! Nothing is re-serialised: the payload is made of slices of what was received.
//! Sources: REST API, "Endpoint security" and "SIGNED request examples", 2026-07-21; change log 2025-12-17.

use std::borrow::Cow;

use smallvec::SmallVec;

/// The most parameters that one request may carry, query and body together.
pub const PARAMS_MAX: usize = 64;

/// Where a parameter stood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The query string.
    Query,
    /// The body.
    Body,
}

/// One `name=value` as received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawPair<'a> {
    /// The name; plain characters only.
    pub name: &'a str,
    /// The value, still percent-encoded.
    pub value: &'a [u8],
    /// Where it stood.
    pub place: Place,
}

/// Why query and body are not parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParamsError {
    /// A pair without `=`, without a name, or with `=` inside its value.
    #[error("a parameter is not `name=value`")]
    MalformedPair,
    /// A name with characters outside `[A-Za-z0-9_.-]`, or that begins with a digit or a point.
    #[error("a parameter's name has illegal characters")]
    IllegalName,
    /// A name twice in the same place, or `signature` twice at all.
    #[error("a parameter was given twice")]
    Duplicate,
    /// More than [`PARAMS_MAX`] parameters.
    #[error("too many parameters")]
    TooMany,
    /// A `%` without two hexadecimal digits, or bytes that are not UTF-8 text.
    #[error("a value is not percent-encoded UTF-8")]
    BadEncoding,
}

/// A request's parameters and the bytes that its signature covers.
#[derive(Clone, Debug, Default)]
pub struct RawParams<'a> {
    pairs: SmallVec<[RawPair<'a>; 16]>,
    /// Names of the body that the query has too.
    shadowed: SmallVec<[&'a str; 4]>,
    signature: Option<&'a [u8]>,
    payload: SmallVec<[&'a [u8]; 4]>,
}

impl<'a> RawParams<'a> {
    /// Takes a query string and a form body apart.
    ///
    /// The signed payload is the query followed at once by the body, with the `signature` pair and one adjoining
    /// `&` cut out. A name in both places counts once: the query wins. Empty pairs (`&&`) are passed over.
    /// `=` may stand in the value of `signature` alone (unencoded base64), so that no bytes of a payload can be
    /// read as two different lists of parameters that both are accepted.
    ///
    /// # Errors
    /// See [`ParamsError`]; [`ParamsError::BadEncoding`] is not among them.
    pub fn split(query: &'a [u8], body: &'a [u8]) -> Result<Self, ParamsError> {
        let mut params = Self::default();
        params.read(query, Place::Query)?;
        params.read(body, Place::Body)?;
        Ok(params)
    }

    fn read(&mut self, part: &'a [u8], place: Place) -> Result<(), ParamsError> {
        let mut start = 0;
        let mut cut = None;
        for piece in part.split(|byte| *byte == b'&') {
            let end = start + piece.len();
            if !piece.is_empty() && self.pair(piece, place)? {
                cut = Some((start, end));
            }
            start = end + 1;
        }
        match cut {
            None => self.cover(part),
            // The signature stands first: the `&` behind it goes too.
            Some((0, end)) => self.cover(part.get(end + 1..).unwrap_or_default()),
            // Anywhere else the `&` before it goes.
            Some((start, end)) => {
                self.cover(part.get(..start - 1).unwrap_or_default());
                self.cover(part.get(end..).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn cover(&mut self, slice: &'a [u8]) {
        if !slice.is_empty() {
            self.payload.push(slice);
        }
    }

    /// Reads one pair; says whether it was the signature.
    fn pair(&mut self, piece: &'a [u8], place: Place) -> Result<bool, ParamsError> {
        let equals = piece.iter().position(|byte| *byte == b'=').ok_or(ParamsError::MalformedPair)?;
        let (name, value) = (piece.get(..equals).unwrap_or_default(), piece.get(equals + 1..).unwrap_or_default());
        if name.is_empty() {
            return Err(ParamsError::MalformedPair);
        }
        let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        // Of one that begins like a number, a part could be the end of the value before it: the place where query and body
        // meet is not signed.
        let is_number = name.first().is_some_and(|b| b.is_ascii_digit() || *b == b'.');
        if is_number || !name.iter().all(plain) {
            return Err(ParamsError::IllegalName);
        }
        let name = core::str::from_utf8(name).map_err(|_| ParamsError::IllegalName)?;
        if name == "signature" {
            if self.signature.replace(value).is_some() {
                return Err(ParamsError::Duplicate);
            }
            return Ok(true);
        }
        if value.contains(&b'=') {
            return Err(ParamsError::MalformedPair);
        }
        match self.pairs.iter().find(|pair| pair.name == name) {
            Some(first) if first.place == place || self.shadowed.contains(&name) => return Err(ParamsError::Duplicate),
            Some(_) => {
                self.shadowed.push(name);
                return Ok(false);
            }
            None => {}
        }
        if self.pairs.len() == PARAMS_MAX {
            return Err(ParamsError::TooMany);
        }
        self.pairs.push(RawPair { name, value, place });
        Ok(false)
    }

    /// The parameters without `signature`, in the order received.
    pub fn pairs(&self) -> &[RawPair<'a>] {
        &self.pairs
    }

    /// The value of a parameter, still percent-encoded.
    pub fn raw(&self, name: &str) -> Option<&'a [u8]> {
        self.pairs.iter().find(|pair| pair.name == name).map(|pair| pair.value)
    }

    /// The value of `signature` as received, still percent-encoded.
    pub fn signature(&self) -> Option<&'a [u8]> {
        self.signature
    }

    /// The bytes that the signature covers, in order; at most four slices.
    pub fn payload(&self) -> &[&'a [u8]] {
        &self.payload
    }
}

/// Decodes a value: `%XX` once, `+` as a space.
///
/// # Errors
/// [`ParamsError::BadEncoding`].
pub fn decode(raw: &[u8]) -> Result<Cow<'_, str>, ParamsError> {
    decode_with(raw, b' ')
}

/// Decodes the value of `signature`: `%XX` once, `+` stays (some clients send base64 unencoded).
///
/// # Errors
/// [`ParamsError::BadEncoding`].
pub fn decode_signature(raw: &[u8]) -> Result<Cow<'_, str>, ParamsError> {
    decode_with(raw, b'+')
}

fn decode_with(raw: &[u8], plus: u8) -> Result<Cow<'_, str>, ParamsError> {
    let plain = |b: &u8| *b != b'%' && (*b != b'+' || plus == b'+');
    if raw.iter().all(plain) {
        return core::str::from_utf8(raw).map(Cow::Borrowed).map_err(|_| ParamsError::BadEncoding);
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.iter();
    while let Some(&byte) = rest.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit =
                    || rest.next().and_then(|b| char::from(*b).to_digit(16)).ok_or(ParamsError::BadEncoding);
                let value = digit()? * 16 + digit()?;
                u8::try_from(value).map_err(|_| ParamsError::BadEncoding)?
            }
            b'+' => plus,
            other => other,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| ParamsError::BadEncoding)
}

#[cfg(test)]
mod tests;

//! `Content-Digest`: what the content of a request hashes to.

use super::{MessageSignatureError, parse};

const FIELD: &str = "Content-Digest";

/// The digests of a request's content that are understood here, still base64. At least one is there; others are passed
/// over. Source: RFC 9530, section 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContentDigest<'a> {
    /// By SHA-256.
    pub sha_256: Option<&'a str>,
    /// By SHA-512.
    pub sha_512: Option<&'a str>,
}

impl<'a> ContentDigest<'a> {
    /// Reads the field.
    ///
    /// # Errors
    /// [`MessageSignatureError::Malformed`], also when no digest is understood or one stands twice.
    pub fn parse(text: &'a [u8]) -> Result<Self, MessageSignatureError> {
        let malformed = || MessageSignatureError::Malformed(FIELD);
        let mut digest = Self { sha_256: None, sha_512: None };
        parse::byte_sequences(FIELD, text, &mut |name, base64| {
            let place = match name {
                "sha-256" => &mut digest.sha_256,
                "sha-512" => &mut digest.sha_512,
                _ => return Ok(()),
            };
            if place.replace(base64).is_some() { Err(malformed()) } else { Ok(()) }
        })?;
        if digest.sha_256.is_none() && digest.sha_512.is_none() {
            return Err(malformed());
        }
        Ok(digest)
    }
}

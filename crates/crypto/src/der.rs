//! The little of DER that keys need: a strict reader and a writer.
//!
//! Strict means that each value has one encoding: definite, shortest lengths, single-byte tags, no
//! bytes left over. What this reader accepts, the writer would write again.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// `1.3.101.112`, id-Ed25519 (RFC 8410).
pub(crate) const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// `1.2.840.113549.1.1.1`, rsaEncryption (RFC 8017).
pub(crate) const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// The bytes are not the DER that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotDer;

/// Reads elements off the front of a byte slice.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.rest.is_empty()
    }

    /// The tag of the next element, if there is one.
    pub(crate) fn next_tag(self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The contents of the next element, which must carry `tag`.
    pub(crate) fn element(&mut self, tag: u8) -> Result<&'a [u8], NotDer> {
        let (found, rest) = self.rest.split_first().ok_or(NotDer)?;
        if *found != tag {
            return Err(NotDer);
        }
        let (length, rest) = read_length(rest)?;
        let (contents, rest) = rest.split_at_checked(length).ok_or(NotDer)?;
        self.rest = rest;
        Ok(contents)
    }

    /// A reader over the contents of the next element, which must carry `tag`.
    pub(crate) fn inside(&mut self, tag: u8) -> Result<Self, NotDer> {
        self.element(tag).map(Self::new)
    }

    /// The contents of the next element, a bit string of whole bytes.
    pub(crate) fn whole_bits(&mut self) -> Result<&'a [u8], NotDer> {
        match self.element(BIT_STRING)?.split_first() {
            Some((0, bytes)) => Ok(bytes),
            _ => Err(NotDer),
        }
    }

    /// The magnitude of the next element, a positive integer, big-endian without leading zeros.
    pub(crate) fn positive_integer(&mut self) -> Result<&'a [u8], NotDer> {
        match self.element(INTEGER)? {
            [0, magnitude @ ..] if magnitude.first().is_some_and(|byte| byte & 0x80 != 0) => Ok(magnitude),
            magnitude @ [1..=0x7f, ..] => Ok(magnitude),
            _ => Err(NotDer),
        }
    }

    /// Ends the reading: nothing may be left.
    pub(crate) fn finish(self) -> Result<(), NotDer> {
        if self.rest.is_empty() { Ok(()) } else { Err(NotDer) }
    }
}

/// Lengths up to 65535, far above any key that is accepted.
fn read_length(bytes: &[u8]) -> Result<(usize, &[u8]), NotDer> {
    match bytes {
        [length @ 0..=0x7f, rest @ ..] => Ok((usize::from(*length), rest)),
        [0x81, length @ 0x80..=0xff, rest @ ..] => Ok((usize::from(*length), rest)),
        [0x82, high @ 1..=0xff, low, rest @ ..] => Ok((usize::from(u16::from_be_bytes([*high, *low])), rest)),
        _ => Err(NotDer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_one_encoding() {
        let long = |header: &[u8], length: usize| {
            let mut bytes = header.to_vec();
            bytes.resize(header.len() + length, 0);
            Reader::new(&bytes).element(OCTET_STRING).map(<[u8]>::len)
        };
        assert_eq!(long(&[4, 0], 0), Ok(0));
        assert_eq!(long(&[4, 0x7f], 0x7f), Ok(0x7f));
        assert_eq!(long(&[4, 0x81, 0x80], 0x80), Ok(0x80));
        assert_eq!(long(&[4, 0x82, 1, 0], 0x100), Ok(0x100));
        assert_eq!(long(&[4, 0x81, 0x7f], 0x7f), Err(NotDer));
        assert_eq!(long(&[4, 0x82, 0, 0xff], 0xff), Err(NotDer));
        assert_eq!(long(&[4, 0x80], 2), Err(NotDer));
        assert_eq!(long(&[4, 0x83, 0, 1, 0], 0x100), Err(NotDer));
        assert_eq!(long(&[4, 5], 4), Err(NotDer));
        assert_eq!(long(&[2, 1], 1), Err(NotDer));
        assert_eq!(long(&[], 0), Err(NotDer));
    }

    #[test]
    fn integers_are_positive_and_shortest() {
        let read = |bytes: &[u8]| Reader::new(bytes).positive_integer().map(<[u8]>::to_vec);
        assert_eq!(read(&[2, 1, 1]), Ok(vec![1]));
        assert_eq!(read(&[2, 2, 0, 0x80]), Ok(vec![0x80]));
        for bytes in [&[2, 0][..], &[2, 1, 0], &[2, 1, 0x80], &[2, 2, 0, 1], &[2, 2, 0xff, 1]] {
            assert_eq!(read(bytes), Err(NotDer), "{bytes:?}");
        }
    }
}

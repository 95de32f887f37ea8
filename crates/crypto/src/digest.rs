//! SHA-256, for fingerprints and hash chains.

use sha2::{Digest as _, Sha256};

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-256 of the parts one after another, each preceded by its length in bytes as eight
/// big-endian bytes, so that moving a boundary changes the digest. The links of a hash chain.
pub fn sha256_framed(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The digest as 64 lower-case hex digits.
pub fn to_hex(digest: &[u8; 32]) -> String {
    const_hex::encode(digest)
}

/// Reads 64 hex digits of any case back; `None` for anything else.
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    // The library would also take a `0x` prefix.
    if text.len() != 64 {
        return None;
    }
    const_hex::decode_to_array(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_digest() {
        // FIPS 180-2, appendix B.1.
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(to_hex(&sha256(b"abc")), text);
        assert_eq!(from_hex(text), Some(sha256(b"abc")));
        assert_eq!(from_hex(&text.to_uppercase()), Some(sha256(b"abc")));
    }

    #[test]
    fn hex_is_refused_out_of_shape() {
        let text = to_hex(&sha256(b""));
        assert_eq!(from_hex(&text[1..]), None);
        assert_eq!(from_hex(&format!("0x{text}")), None);
        assert_eq!(from_hex(&format!("0x{}", &text[2..])), None);
        assert_eq!(from_hex(&format!("g{}", &text[1..])), None);
    }

    #[test]
    fn moving_a_boundary_changes_a_framed_digest() {
        assert_ne!(sha256_framed(&[b"ab", b"c"]), sha256_framed(&[b"a", b"bc"]));
        assert_ne!(sha256_framed(&[b"abc"]), sha256_framed(&[b"abc", b""]));
        assert_ne!(sha256_framed(&[]), sha256_framed(&[b""]));
    }
}

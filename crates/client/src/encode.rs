//! Percent-encoding as it is signed.

/// Encodes every byte outside the unreserved set `A-Z a-z 0-9 - . _ ~` as `%XX` with upper-case digits.
/// Source: RFC 3986, section 2.3; REST API, "SIGNED request examples" (encode first, then sign).
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    push_encoded(&mut encoded, text);
    encoded
}

/// Appends the encoded text to `target`.
pub(crate) fn push_encoded(target: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            target.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase();
            target.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use latchkey_protocol::params::decode;

    #[test]
    fn only_the_unreserved_set_stays_plain() {
        assert_eq!(percent_encode("AZaz09-._~"), "AZaz09-._~");
        assert_eq!(percent_encode("１２"), "%EF%BC%91%EF%BC%92");
        assert_eq!(percent_encode("a+b/c= &%"), "a%2Bb%2Fc%3D%20%26%25");
    }

    #[test]
    fn every_character_reads_back() {
        let all: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        assert_eq!(decode(percent_encode(&all).as_bytes()).unwrap(), all);
    }
}

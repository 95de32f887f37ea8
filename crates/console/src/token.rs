//! Bearer tokens: 256 random bits as text, of which only the digest is kept.

use latchkey_authority::ports::Secrets;
use latchkey_crypto::digest::{sha256, sha256_framed, to_hex};
use zeroize::{Zeroize, Zeroizing};

/// Length of a token in characters.
pub(crate) const TOKEN_LEN: usize = 64;

/// A token as its holder has it. It has no `Debug`.
#[derive(Clone)]
pub(crate) struct Token(Zeroizing<String>);

impl Token {
    /// Draws a new one.
    pub(crate) fn draw(secrets: &impl Secrets) -> Self {
        let mut bytes = [0; TOKEN_LEN / 2];
        secrets.random(&mut bytes);
        let text = Zeroizing::new(to_hex(&bytes));
        bytes.zeroize();
        Self(text)
    }

    /// Reads one; anything but 64 lower-case hexadecimal digits is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        (text.len() == TOKEN_LEN && digits).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The text, for its holder alone.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The name under which its record rests.
    pub(crate) fn key(&self) -> [u8; 32] {
        sha256(self.0.as_bytes())
    }

    /// A value that only a holder of the token can compute; another one for each purpose.
    pub(crate) fn derive(&self, purpose: &str) -> [u8; 32] {
        sha256_framed(&[b"latchkey console token", purpose.as_bytes(), self.0.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_form_is_read() {
        let text = "0123456789abcdef".repeat(4);
        let token = Token::parse(&text).unwrap();
        assert_eq!(token.key(), sha256(text.as_bytes()));
        assert_ne!(token.derive("a"), token.derive("b"));
        assert_ne!(token.derive("a"), token.key());
        for bad in [&text[1..], &text.to_uppercase(), &format!("{text}0"), &format!(" {}", &text[1..]), ""] {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }
}

//! The text of keys: 64 characters `[A-Za-z0-9]`, public for an API key and guarded for a secret.

use crate::entropy::Entropy;
use zeroize::{Zeroize, Zeroizing};

/// Length in characters of an API key and of an HMAC secret.
/// Source: REST API, sample keys.
pub const KEY_TEXT_LEN: usize = 64;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The secret half of an HMAC key: 64 characters `[A-Za-z0-9]`.
///
/// It has no `Debug`, `Display`, `Clone` or serialization, wipes itself when dropped, and opens
/// only through [`SecretKey::expose`], so that one search finds every use.
pub struct SecretKey(Zeroizing<String>);

/// The text is no key text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// It has another length.
    #[error("must have {KEY_TEXT_LEN} characters, not {0}")]
    Length(usize),
    /// It holds a character outside `[A-Za-z0-9]`.
    #[error("may hold only the characters `A-Z`, `a-z` and `0-9`")]
    Character,
}

impl SecretKey {
    /// Makes a new secret; each character is uniform over the alphabet (about 381 bits in all).
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self(Zeroizing::new(generate_key_text(entropy)))
    }

    /// Takes a fixed value, such as one opened from a seal or given in a world file.
    ///
    /// # Errors
    /// [`KeyTextError`] unless the text is exactly 64 characters `[A-Za-z0-9]`.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, KeyTextError> {
        let bytes = text.as_ref();
        if bytes.len() != KEY_TEXT_LEN {
            return Err(KeyTextError::Length(bytes.len()));
        }
        if !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return Err(KeyTextError::Character);
        }
        let mut text = Zeroizing::new(String::with_capacity(KEY_TEXT_LEN));
        text.extend(bytes.iter().copied().map(char::from));
        Ok(Self(text))
    }

    /// The secret itself. Each caller must keep it out of logs, records and error texts.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Makes the text of a new API key: 64 characters, each uniform over `[A-Za-z0-9]`.
///
/// # Panics
/// When the source is stuck and keeps yielding bytes that no character can be drawn from.
pub fn generate_key_text(entropy: &mut dyn Entropy) -> String {
    // 248 is the largest multiple of 62 in a byte; the bytes above it would favour the first
    // eight characters, so they are drawn again.
    const LIMIT: u8 = 248;
    // One batch yields 62 of 64 characters on average; a working source never needs a dozen.
    const BATCHES_MAX: usize = 64;

    // The full capacity from the start: a growing string would leave copies of a secret behind.
    let mut text = String::with_capacity(KEY_TEXT_LEN);
    let mut batch = [0; KEY_TEXT_LEN];
    for _ in 0..BATCHES_MAX {
        entropy.fill(&mut batch);
        let fair = batch.iter().filter(|byte| **byte < LIMIT);
        let drawn = fair.filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
        text.extend(drawn.map(|byte| char::from(*byte)).take(KEY_TEXT_LEN - text.len()));
        if text.len() == KEY_TEXT_LEN {
            break;
        }
    }
    batch.zeroize();
    assert_eq!(text.len(), KEY_TEXT_LEN, "the entropy source is stuck");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_drawn_from_equally_many_bytes() {
        let mut counts = std::collections::BTreeMap::new();
        for byte in 0..248 {
            let text = generate_key_text(&mut |bytes: &mut [u8]| bytes.fill(byte));
            *counts.entry(text).or_insert(0) += 1;
        }
        let texts: Vec<String> =
            ('0'..='9').chain('A'..='Z').chain('a'..='z').map(|c| c.to_string().repeat(64)).collect();
        assert_eq!(counts, texts.into_iter().map(|text| (text, 4)).collect());
    }

    #[test]
    fn bytes_that_would_bias_are_drawn_again() {
        let mut calls = 0u8;
        let mut entropy = |bytes: &mut [u8]| {
            calls += 1;
            bytes.fill(if calls == 1 { 248 } else { 247 });
        };
        assert_eq!(generate_key_text(&mut entropy), "9".repeat(64));
        assert_eq!(calls, 2);
    }

    #[test]
    #[should_panic(expected = "stuck")]
    fn a_stuck_source_stops_instead_of_looping() {
        generate_key_text(&mut |bytes: &mut [u8]| bytes.fill(0xff));
    }

    #[test]
    fn fixed_values_are_taken_only_in_shape() {
        let text = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
        assert_eq!(SecretKey::parse(text).unwrap().expose(), text);
        assert_eq!(SecretKey::parse("").err(), Some(KeyTextError::Length(0)));
        assert_eq!(SecretKey::parse(&text[1..]).err(), Some(KeyTextError::Length(63)));
        assert_eq!(SecretKey::parse(format!("{text}a")).err(), Some(KeyTextError::Length(65)));
        for bad in ["-", " ", "\0"] {
            let text = format!("{}{bad}", &text[1..]);
            assert_eq!(SecretKey::parse(text).err(), Some(KeyTextError::Character));
        }
        assert_eq!(SecretKey::parse(format!("{}é", &text[2..])).err(), Some(KeyTextError::Character));
    }
}

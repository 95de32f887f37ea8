//! Codes sent by e-mail or text message: eight digits, good for one use, ten minutes and five tries.
//!
//! What rests is a hash over the code and the token of its ceremony, which only the caller has: whoever reads the
//! shelf cannot try the codes out.

use latchkey_authority::ports::Secrets;
use latchkey_crypto::digest::to_hex;
use latchkey_protocol::Timestamp;
use serde::{Deserialize, Serialize};

use crate::token::Token;

/// How long a code is good.
const LIFE_MS: i64 = 10 * 60 * 1_000;
/// Wrong tries that end a code.
const TRIES_MAX: u8 = 5;
/// Codes that one ceremony may send.
const SENT_MAX: u8 = 3;
/// The codes there are.
const CODES: u32 = 100_000_000;

/// A code that was sent, as it rests.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SentCode {
    hash: String,
    until: Option<Timestamp>,
    tries: u8,
    sent: u8,
}

/// What a try was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Try {
    /// The code; it is used up.
    Right,
    /// Not the code, or there is none any more.
    Wrong,
}

impl SentCode {
    /// Draws the next code and gives its text, which is to be sent; `None` when this ceremony has sent enough.
    pub(crate) fn next(&mut self, secrets: &impl Secrets, ceremony: &Token, now: Timestamp) -> Option<String> {
        if self.sent >= SENT_MAX {
            return None;
        }
        let text = format!("{:08}", draw(secrets));
        *self =
            Self { hash: hash(ceremony, &text), until: Some(now.plus_millis(LIFE_MS)), tries: 0, sent: self.sent + 1 };
        Some(text)
    }

    /// Tries a code. The result must be stored before it is believed.
    pub(crate) fn try_code(&mut self, ceremony: &Token, text: &str, now: Timestamp) -> Try {
        let good = self.until.is_some_and(|until| now < until) && self.tries < TRIES_MAX;
        if !good {
            return Try::Wrong;
        }
        if self.hash == hash(ceremony, text) {
            self.until = None;
            return Try::Right;
        }
        self.tries += 1;
        Try::Wrong
    }
}

fn hash(ceremony: &Token, text: &str) -> String {
    to_hex(&ceremony.derive(&format!("sent code {text}")))
}

/// A number below [`CODES`], each as likely.
fn draw(secrets: &impl Secrets) -> u32 {
    /// The largest multiple of [`CODES`] that fits; what lies above is drawn again.
    const LIMIT: u32 = u32::MAX - u32::MAX % CODES;
    loop {
        let mut bytes = [0; 4];
        secrets.random(&mut bytes);
        let number = u32::from_be_bytes(bytes);
        if number < LIMIT {
            return number % CODES;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use latchkey_authority::account::Sealed;
    use latchkey_authority::ports::{SealBroken, SealFor};
    use zeroize::Zeroizing;

    struct Fixed;

    impl Secrets for Fixed {
        fn seal(&self, _: SealFor, _: &[u8]) -> Sealed {
            Sealed(Vec::new())
        }

        fn open(&self, _: SealFor, _: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealBroken> {
            Err(SealBroken)
        }

        fn random(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&1_234_567_u32.to_be_bytes());
        }
    }

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn sent() -> (SentCode, Token) {
        let token = Token::parse(&"a".repeat(64)).unwrap();
        let mut code = SentCode::default();
        assert_eq!(code.next(&Fixed, &token, NOW).as_deref(), Some("01234567"));
        (code, token)
    }

    #[test]
    fn a_code_is_good_once() {
        let (mut code, token) = sent();
        assert_eq!(code.try_code(&token, "01234567", NOW), Try::Right);
        assert_eq!(code.try_code(&token, "01234567", NOW), Try::Wrong);
    }

    #[test]
    fn a_code_ends_after_ten_minutes_or_five_tries() {
        let (mut code, token) = sent();
        assert_eq!(code.try_code(&token, "01234567", NOW.plus_millis(LIFE_MS)), Try::Wrong);
        for _ in 0..TRIES_MAX {
            assert_eq!(code.try_code(&token, "00000000", NOW), Try::Wrong);
        }
        assert_eq!(code.try_code(&token, "01234567", NOW), Try::Wrong);
    }

    #[test]
    fn a_code_belongs_to_its_ceremony() {
        let (mut code, _) = sent();
        let other = Token::parse(&"b".repeat(64)).unwrap();
        assert_eq!(code.try_code(&other, "01234567", NOW), Try::Wrong);
        assert_eq!(code.try_code(&other, " 01234567", NOW), Try::Wrong);
    }

    #[test]
    fn a_ceremony_sends_three_codes() {
        let (mut code, token) = sent();
        assert!(code.next(&Fixed, &token, NOW).is_some() && code.next(&Fixed, &token, NOW).is_some());
        assert!(code.next(&Fixed, &token, NOW).is_none());
    }
}

//! Recovery codes: ten of 80 bits, shown once, each good for one use.

use latchkey_authority::account::{Account, RecoveryCode};
use latchkey_authority::ports::Secrets;
use latchkey_crypto::digest::sha256;
use zeroize::Zeroizing;

use crate::factor::refused;
use crate::problem::Problem;

/// Codes of one set.
pub(crate) const CODES: usize = 10;
/// Characters without those that are read for one another; 32 of them, five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// Characters of a code, without its hyphens.
const LENGTH: usize = 16;

/// Draws a set, one code a line.
pub(crate) fn draw(secrets: &impl Secrets) -> Zeroizing<String> {
    let one = || {
        let mut bytes = [0; LENGTH];
        secrets.random(&mut bytes);
        // 256 is a multiple of 32: every character is as likely.
        let digits: String =
            bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).map(|c| char::from(*c)).collect();
        let groups: Vec<String> =
            digits.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
        groups.join("-")
    };
    Zeroizing::new((0..CODES).map(|_| one()).collect::<Vec<_>>().join("\n"))
}

fn kept(digits: &str) -> RecoveryCode {
    RecoveryCode(sha256(digits.as_bytes()))
}

/// Whether `text` is a set that was drawn here.
pub(crate) fn is_set(text: &str) -> bool {
    text.lines().filter_map(read).count() == CODES
}

/// Reads a code as people type it: any case, hyphens and spaces anywhere. What is kept of it is its digest.
pub(crate) fn read(text: &str) -> Option<RecoveryCode> {
    let digits: String =
        text.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| c.to_ascii_lowercase()).take(LENGTH + 1).collect();
    (digits.len() == LENGTH && digits.bytes().all(|byte| ALPHABET.contains(&byte))).then(|| kept(&digits))
}

/// The code of `account` that was given. It is spent by the change that it is shown for, or by the sign-in.
///
/// # Errors
/// `proof-refused`.
pub(crate) fn find(account: &Account, text: &str) -> Result<RecoveryCode, Problem> {
    let code = read(text).ok_or_else(refused)?;
    if account.recovery.contains(&code) { Ok(code) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = kept("abcdefghjkmnpqrs");
        for text in ["abcd-efgh-jkmn-pqrs", "ABCDEFGHJKMNPQRS", " abcd efgh jkmn pqrs "] {
            assert_eq!(read(text), Some(code), "{text}");
        }
        for bad in ["", "abcd-efgh-jkmn-pqr", "abcd-efgh-jkmn-pqrs-t", "abcd-efgh-jkmn-pqr1", "abcd-efgh-jkmn-pqré"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_alphabet_has_no_twins() {
        let mut sorted = ALPHABET.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), ALPHABET.len());
        for twin in b"1ilo" {
            assert!(!ALPHABET.contains(twin), "{}", char::from(*twin));
        }
    }
}

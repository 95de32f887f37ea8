//! Time-based one-time codes (RFC 6238): six digits, SHA-1, 30-second steps, as authenticator
//! apps assume.

use crate::entropy::{Entropy, draw};
use totp_rs::{Algorithm, Builder, Secret, Totp};
use zeroize::{Zeroize, Zeroizing};

/// Shortest accepted seed, in bytes. RFC 4226 asks for 16; seeds of 10 are still handed out.
pub const SEED_MIN: usize = 10;
/// Longest accepted seed, in bytes: the block of the hash.
pub const SEED_MAX: usize = 64;
/// Length of a step, in seconds.
pub const STEP_SECONDS: u64 = 30;

/// Steps before and after the present one whose codes pass too, for slow hands and clocks.
const SKEW: u16 = 1;

/// The secret shared with an authenticator app. It has no `Debug` and no `Clone`.
pub struct TotpSeed(Totp);

/// The text is no seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TotpSeedError {
    /// It is not base32.
    #[error("a one-time code seed is base32: the letters `A-Z` and the digits `2-7`")]
    Base32,
    /// It is too short or too long.
    #[error("a one-time code seed has {SEED_MIN} to {SEED_MAX} bytes, not {0}")]
    Length(usize),
}

impl TotpSeed {
    /// Makes a new seed of 20 bytes, the length RFC 4226 recommends.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut bytes: [u8; 20] = draw(entropy);
        let seed = Self::from_secret(Secret::new_stack(bytes));
        bytes.zeroize();
        seed
    }

    /// Reads a seed as people type it: base32 of any case, with or without spaces and padding.
    ///
    /// # Errors
    /// [`TotpSeedError`].
    pub fn parse(text: &str) -> Result<Self, TotpSeedError> {
        let mut dense = Zeroizing::new(String::with_capacity(text.len()));
        dense.extend(text.split_whitespace());
        dense.make_ascii_uppercase();
        let digits = dense.trim_end_matches('=');
        let secret = Secret::try_from_base32(digits).map_err(|_| TotpSeedError::Base32)?;
        // The library drops bits and characters that make no whole byte.
        if *Zeroizing::new(secret.to_base32()) != digits {
            return Err(TotpSeedError::Base32);
        }
        Self::check(secret)
    }

    /// Takes a seed from its bytes, such as those opened from a seal.
    ///
    /// # Errors
    /// [`TotpSeedError::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TotpSeedError> {
        Self::check(Secret::new(bytes.into()))
    }

    /// The seed's bytes, to be sealed. Each caller must keep them out of logs and records.
    pub fn expose(&self) -> &[u8] {
        self.0.secret().as_bytes()
    }

    /// The seed in base32, to be shown once to its owner.
    pub fn expose_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.secret().to_base32())
    }

    /// The code at a time, in seconds since the Unix epoch.
    pub fn code(&self, unix_seconds: u64) -> String {
        self.0.generate(unix_seconds).to_string()
    }

    /// The step that `code` belongs to if it is the code of the present 30-second step, of the one
    /// before or of the one after; compared in constant time. A step must be accepted once only:
    /// the caller remembers the last one (RFC 6238, section 5.2).
    pub fn check_code(&self, code: &str, unix_seconds: u64) -> Option<u64> {
        let six_digits = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
        if six_digits { self.0.check(code, unix_seconds) } else { None }
    }

    fn check(secret: Secret) -> Result<Self, TotpSeedError> {
        match secret.as_bytes().len() {
            SEED_MIN..=SEED_MAX => Ok(Self::from_secret(secret)),
            other => Err(TotpSeedError::Length(other)),
        }
    }

    fn from_secret(secret: Secret) -> Self {
        let builder = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_skew(SKEW)
            .with_step_duration(STEP_SECONDS)
            .with_secret(secret);
        // The checked way would insist on 16 bytes; everything else it checks is fixed above.
        Self(builder.build_noncompliant())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_codes() {
        // RFC 6238, appendix B, the last six of eight digits.
        let seed = TotpSeed::from_bytes(b"12345678901234567890").unwrap();
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(seed.code(time), code);
            assert_eq!(seed.check_code(code, time), Some(time / 30));
        }
    }

    #[test]
    fn one_step_of_skew_passes_and_no_more() {
        let seed = TotpSeed::parse("JBSWY3DPEHPK3PXP").unwrap();
        let now = 1_700_000_010;
        let code = seed.code(now);
        for (moved, passes) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            let step = seed.check_code(&code, now.checked_add_signed(moved).unwrap());
            assert_eq!(step, passes.then_some(now / 30), "{moved}");
        }
    }

    #[test]
    fn codes_are_six_digits_and_nothing_else() {
        let seed = TotpSeed::parse("JBSWY3DPEHPK3PXP").unwrap();
        let code = seed.code(0);
        for text in [&code[1..], &format!("{code}0"), &format!("0{code}"), &format!(" {code}"), "+00000", "", "１２"]
        {
            assert_eq!(seed.check_code(text, 0), None, "{text}");
        }
    }

    #[test]
    fn seeds_are_read_as_people_type_them() {
        let bytes = TotpSeed::parse("JBSWY3DPEHPK3PXP").unwrap().expose().to_vec();
        assert_eq!(bytes, b"Hello!\xde\xad\xbe\xef");
        for text in [" jbsw y3dp ehpk 3pxp\n", "JBSWY3DPEHPK3PXP===="] {
            assert_eq!(TotpSeed::parse(text).unwrap().expose(), bytes, "{text}");
        }
        let long = TotpSeed::generate(&mut |bytes: &mut [u8]| bytes.fill(0xa5));
        assert_eq!(long.expose(), [0xa5; 20]);
        assert_eq!(TotpSeed::parse(&long.expose_base32()).unwrap().expose(), long.expose());
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["JBSWY3DPEHPK3PX1", "JBSWY3DPEHPK3PX!", "JBSWY3DPEHPK3PXPJ", "JBSWY3DPEHPK3PXPJB", "é"] {
            assert_eq!(TotpSeed::parse(text).err(), Some(TotpSeedError::Base32), "{text}");
        }
        assert_eq!(TotpSeed::parse("").err(), Some(TotpSeedError::Length(0)));
        assert_eq!(TotpSeed::parse("JBSWY3DP").err(), Some(TotpSeedError::Length(5)));
        assert_eq!(TotpSeed::from_bytes(&[0; 65]).err(), Some(TotpSeedError::Length(65)));
    }
}

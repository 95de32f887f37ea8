//! Passwords: slow to guess, never readable again.

use crate::entropy::{Entropy, draw};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

/// Longest accepted password, in bytes.
pub const PASSWORD_MAX: usize = 1024;

/// Memory for one hash, in KiB. With two passes over 19 MiB and one lane, guessing costs an
/// attacker about as much as any of the recommended sets.
/// Source: OWASP password storage cheat sheet, "Argon2id".
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The most that a stored hash may ask for, so that a forged record cannot exhaust the server.
const MEMORY_KIB_MAX: u32 = 256 * 1024;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 4;

/// A password could not be hashed, or is not the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is empty or longer than [`PASSWORD_MAX`].
    #[error("a password has 1 to {PASSWORD_MAX} bytes")]
    Length,
    /// It is another password.
    #[error("the password is wrong")]
    Wrong,
    /// The stored hash is no argon2id hash with reasonable costs.
    #[error("the stored password hash is not usable")]
    Hash,
    /// The library failed, for want of memory.
    #[error("the password could not be hashed")]
    Library,
}

/// Hashes a password with argon2id and a fresh 16-byte salt. The result is a PHC string, which
/// carries its own parameters. Takes about 20 ms and 19 MiB: not for a thread that serves requests.
///
/// # Errors
/// [`PasswordError::Length`] or [`PasswordError::Library`].
pub fn hash(password: &str, entropy: &mut dyn Entropy) -> Result<String, PasswordError> {
    check_length(password)?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError::Library)?;
    let salt: [u8; 16] = draw(entropy);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|_| PasswordError::Library)
}

/// Checks a password against a PHC string that [`hash`] made, in this or an earlier version.
///
/// # Errors
/// [`PasswordError::Wrong`] when it is another one, [`PasswordError::Hash`] when the stored text is
/// damaged or asks for more than 256 MiB, 16 passes or 4 lanes.
pub fn verify(password: &str, phc: &str) -> Result<(), PasswordError> {
    check_length(password)?;
    let hash = PasswordHash::new(phc).map_err(|_| PasswordError::Hash)?;
    let params = Params::try_from(&hash).map_err(|_| PasswordError::Hash)?;
    let reasonable = hash.algorithm == Algorithm::Argon2id.ident()
        && hash.salt.is_some()
        && hash.hash.is_some()
        && params.m_cost() <= MEMORY_KIB_MAX
        && params.t_cost() <= PASSES_MAX
        && params.p_cost() <= LANES_MAX;
    if !reasonable {
        return Err(PasswordError::Hash);
    }
    match Argon2::default().verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(()),
        Err(Error::PasswordInvalid) => Err(PasswordError::Wrong),
        Err(_) => Err(PasswordError::Library),
    }
}

const fn check_length(password: &str) -> Result<(), PasswordError> {
    match password.len() {
        1..=PASSWORD_MAX => Ok(()),
        _ => Err(PasswordError::Length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn salt(bytes: &mut [u8]) {
        bytes.fill(7);
    }

    #[test]
    fn only_the_same_password_verifies() {
        let phc = hash("correct horse battery staple", &mut salt).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$"), "{phc}");
        assert_eq!(verify("correct horse battery staple", &phc), Ok(()));
        assert_eq!(verify("correct horse battery stapler", &phc), Err(PasswordError::Wrong));
        assert_eq!(verify("", &phc), Err(PasswordError::Length));
    }

    #[test]
    fn length_is_bounded() {
        assert_eq!(hash("", &mut salt), Err(PasswordError::Length));
        assert_eq!(hash(&"x".repeat(PASSWORD_MAX + 1), &mut salt), Err(PasswordError::Length));
    }

    #[test]
    fn damaged_and_exorbitant_hashes_are_refused_before_any_work() {
        let tail = "$BwcHBwcHBwcHBwcHBwcHBw$xL8pUzM9zz0tJkHs0uMY0rG3ppWvgCJvd5fBzB0hQ7U";
        for head in [
            "$argon2id$v=19$m=4194304,t=2,p=1",
            "$argon2id$v=19$m=19456,t=1000,p=1",
            "$argon2id$v=19$m=19456,t=2,p=64",
            "$argon2i$v=19$m=19456,t=2,p=1",
            "$scrypt$ln=16,r=8,p=1",
        ] {
            assert_eq!(verify("x", &format!("{head}{tail}")), Err(PasswordError::Hash), "{head}");
        }
        for phc in ["", "x", "$argon2id$v=19$m=19456,t=2,p=1", "$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwc"] {
            assert_eq!(verify("x", phc), Err(PasswordError::Hash), "{phc}");
        }
    }
}

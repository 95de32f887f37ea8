//! The one random source of the house: the operating system's.

/// Fills `bytes` from the system's random source, or ends the program: no key may be made from anything weaker.
/// As `&mut random::fill` it is the `Entropy` that others are given.
#[expect(clippy::disallowed_methods, reason = "this is the random source that others are given")]
pub fn fill(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        tracing::error!(%error, "the system's random source failed");
        std::process::abort();
    }
}

//! Where randomness enters: always as an argument.

/// A source of cryptographically secure random bytes, owned by the caller.
///
/// Any `FnMut(&mut [u8])` is one. The source may not fail softly: one that cannot deliver must
/// stop the program, because a key made from missing randomness is worse than no key.
pub trait Entropy {
    /// Fills the whole of `bytes` with fresh random bytes.
    fn fill(&mut self, bytes: &mut [u8]);
}

impl<F: FnMut(&mut [u8])> Entropy for F {
    fn fill(&mut self, bytes: &mut [u8]) {
        self(bytes);
    }
}

/// Draws `N` fresh bytes, for salts and seeds.
pub fn draw<const N: usize>(entropy: &mut dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

//! The hash of maps in memory: of live keys and of signatures.
//!
//! What lies in them are names from a random source and signatures, so an even spread is all that they need; the seed
//! keeps a caller from choosing names that fall together.

use std::hash::{BuildHasher, Hasher};

/// Odd constants without structure: the fractions of the square roots of 2 and 3.
const FIRST: u64 = 0x6a09_e667_f3bc_c909;
const SECOND: u64 = 0xbb67_ae85_84ca_a73b;

/// Makes hashers of one seed.
#[derive(Clone, Copy, Debug)]
pub struct Seeded {
    first: u64,
    second: u64,
}

/// Mixes by widening multiplication, sixteen bytes at a time.
#[derive(Debug)]
pub struct Mixer {
    state: u64,
    second: u64,
}

impl Seeded {
    /// From a random number, one a process.
    pub const fn new(seed: u64) -> Self {
        Self { first: fold(seed ^ FIRST, SECOND), second: fold(seed ^ SECOND, FIRST) }
    }
}

impl BuildHasher for Seeded {
    type Hasher = Mixer;

    fn build_hasher(&self) -> Mixer {
        Mixer { state: self.first, second: self.second }
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        let (pairs, rest) = bytes.as_chunks::<16>();
        for pair in pairs {
            let [a, b] = halves(*pair);
            self.state = fold(self.state ^ a, self.second ^ b);
        }
        if !rest.is_empty() {
            let mut last = [0; 16];
            for (to, from) in last.iter_mut().zip(rest) {
                *to = *from;
            }
            let [a, b] = halves(last);
            self.state = fold(self.state ^ a, self.second ^ b);
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.state = fold(self.state ^ number as u64, self.second);
    }

    fn finish(&self) -> u64 {
        fold(self.state ^ FIRST, self.second)
    }
}

const fn halves(pair: [u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(pair);
    [both as u64, (both >> 64) as u64]
}

/// The two halves of the product, together.
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn name(number: u32) -> [u8; 64] {
        let mut name = [b'A'; 64];
        let digits = format!("{number:08}");
        name[56..].copy_from_slice(digits.as_bytes());
        name
    }

    #[test]
    fn similar_names_spread_evenly() {
        let hasher = Seeded::new(7);
        let mut buckets = [0_u32; 64];
        let mut seen = BTreeSet::new();
        for number in 0..64_000 {
            let hash = hasher.hash_one(name(number));
            assert!(seen.insert(hash));
            buckets[(hash % 64) as usize] += 1;
        }
        assert!(buckets.iter().all(|count| (800..1200).contains(count)), "{buckets:?}");
    }

    #[test]
    fn the_seed_changes_every_place() {
        let (a, b) = (Seeded::new(1), Seeded::new(2));
        assert!((0..1000).all(|number| a.hash_one(name(number)) != b.hash_one(name(number))));
        assert_eq!(a.hash_one(name(5)), Seeded::new(1).hash_one(name(5)));
    }
}

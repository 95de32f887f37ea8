//! Numbers for the synthetic market: repeatable and well spread, nothing more. No secret may come from here.

use serde::{Deserialize, Serialize};

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sequence of numbers that follows from its seed alone (SplitMix64).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number from 0 to below `bound`; 0 when the bound is not above zero.
    pub(crate) fn below(&mut self, bound: i64) -> i64 {
        let bound = u128::from(bound.max(0).unsigned_abs());
        ((u128::from(self.next()) * bound) >> 64) as i64
    }
}

/// Spreads the bits of a number over a whole word (the finalizer of SplitMix64).
pub(crate) fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

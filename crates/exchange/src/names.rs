//! Finding orders by their client order id.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};

use crate::ClientOrderId;
use crate::order::OrderRef;

/// A power of two: each table stays small, so that growing one never stops the core for long.
const SHARDS: usize = 256;

/// The newest order of each wallet, market and client order id.
///
/// It is rebuilt from the orders and not part of the state. Entries are found by a 64-bit fingerprint; orders of one
/// fingerprint are chained from newest to oldest by [`crate::order::Order::same_name_before`], so that neither a used
/// name nor a collision loses an order. Nothing depends on the tables' iteration order.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    shards: Vec<HashMap<u64, OrderRef, BuildHasherDefault<Identity>>>,
}

impl Default for Names {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| HashMap::default()).collect() }
    }
}

impl Names {
    /// The newest order of a fingerprint.
    pub(crate) fn newest(&self, fingerprint: u64) -> Option<OrderRef> {
        self.shards.get(shard(fingerprint))?.get(&fingerprint).copied()
    }

    /// Makes an order the newest of its fingerprint and returns the one before it.
    pub(crate) fn insert(&mut self, fingerprint: u64, order: OrderRef) -> Option<OrderRef> {
        self.shards.get_mut(shard(fingerprint))?.insert(fingerprint, order)
    }
}

/// The fingerprint of a wallet's client order id on a market: SipHash with fixed keys.
pub(crate) fn fingerprint(wallet: u32, market: u16, name: &ClientOrderId) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u32(wallet);
    hasher.write_u16(market);
    hasher.write(name.as_bytes());
    hasher.finish()
}

fn shard(fingerprint: u64) -> usize {
    (fingerprint >> 32) as usize % SHARDS
}

/// Passes a fingerprint on as its own hash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// A lookup table with a fixed, quick hash, for keys that no caller chooses: no iteration, no randomness.
pub(crate) type Lookup<K, V> = HashMap<K, V, BuildHasherDefault<Folding>>;

/// Folds a key into a word, eight bytes at a time, by multiplication.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Folding(u64);

impl Folding {
    fn fold(&mut self, word: u64) {
        // An odd constant without structure: the fractional part of the golden ratio.
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Folding {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.fold(u64::from_le_bytes(word) ^ chunk.len() as u64);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.fold(value);
    }
}

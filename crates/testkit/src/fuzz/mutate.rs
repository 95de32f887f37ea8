//! Seeded mutation, without feedback from the program: what a stable toolchain can do.

/// A small generator of random numbers; the same seed, the same mutations.
pub struct Random(u64);

impl Random {
    /// A generator from a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// The next number (xorshift64*).
    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, which is above zero.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound.max(1) as u64)).unwrap_or(0)
    }
}

/// The longest input that is made, in bytes.
pub const INPUT_MAX: usize = 4096;

/// Pieces that parsers of this house look for.
const WORDS: &[&[u8]] = &[
    b"&",
    b"=",
    b"%",
    b"%00",
    b"%2",
    b"+",
    b"\0",
    b"\r\n",
    b"\n",
    b" ",
    b"\t",
    b",",
    b";",
    b":",
    b"/",
    b"\"",
    b"'",
    b"[",
    b"]",
    b"{",
    b"}",
    b"(",
    b")",
    b"signature=",
    b"timestamp=",
    b"recvWindow=",
    b"symbol=BTCUSDT",
    b"0",
    b"-1",
    b"9223372036854775807",
    b"18446744073709551616",
    b"0.00000001",
    b"1e9",
    b"true",
    b"null",
    b"-----BEGIN PUBLIC KEY-----",
    b"-----END PUBLIC KEY-----",
    b"for=",
    b"by=",
    b"PROXY TCP4 ",
    b"\r\n\r\n\0\r\nQUIT\n",
    b"::ffff:",
    b"0.0.0.0",
    b"/0",
    b"/128",
    b"sha-256=:",
    b";created=",
    b";nonce=",
    b";keyid=",
    b"\"@method\"",
    b"\"@path\"",
    b"sig1=",
    "é".as_bytes(),
    "\u{202e}".as_bytes(),
    b"[[account]]",
    b"[policy]",
    b"email = \"a@b\"",
    b"\xff\xfe",
];

/// Changes `input` a few times; `other` lends pieces.
pub fn mutate(random: &mut Random, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(6) {
        change(random, &mut bytes, other);
    }
    bytes.truncate(INPUT_MAX);
    bytes
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = random.below(bytes.len() + 1);
    match random.below(8) {
        0 => {
            let bit = 1 << random.below(8);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bit;
            }
        }
        1 => {
            let value = (random.next() & 0xff) as u8;
            bytes.insert(at, value);
        }
        2 => {
            let end = (at + 1 + random.below(8)).min(bytes.len());
            bytes.drain(at.min(end)..end);
        }
        3 | 4 => {
            let word = WORDS.get(random.below(WORDS.len())).copied().unwrap_or_default();
            bytes.splice(at..at, word.iter().copied());
        }
        5 => {
            let from = random.below(other.len() + 1);
            let piece = other.get(from..(from + random.below(64)).min(other.len())).unwrap_or_default();
            bytes.splice(at..at, piece.iter().copied());
        }
        6 => {
            let end = (at + random.below(32)).min(bytes.len());
            let piece: Vec<u8> = bytes.get(at..end).unwrap_or_default().to_vec();
            bytes.splice(at..at, piece);
        }
        _ => bytes.truncate(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_inputs_again() {
        let made = |seed| {
            let mut random = Random::new(seed);
            (0..100).map(|_| mutate(&mut random, b"symbol=BTCUSDT&timestamp=1", b"other")).collect::<Vec<_>>()
        };
        assert_eq!(made(7), made(7));
        assert_ne!(made(7), made(9));
    }
}

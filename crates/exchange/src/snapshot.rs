//! The whole state as bytes, and its hash.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::Core;

/// What every snapshot begins with.
const MAGIC: [u8; 8] = *b"LKEXSNAP";
/// The number of the snapshot format that this build writes. It reads this one and the one before it.
const FORMAT: u16 = 2;
/// The format that ends before the liquidation loans.
const WITHOUT_LOANS: u16 = 1;
/// How an exchange without liquidation loans ends: no repayment yet, no loan.
const NO_LOANS: [u8; 2] = [0, 0];
const HASH: usize = 32;

/// Why bytes are not a snapshot of an exchange.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Another kind of file.
    #[error("not a snapshot of an exchange")]
    Foreign,
    /// Written by a newer build.
    #[error("snapshot format {found} is newer than format {known} of this build")]
    Newer {
        /// The format of the bytes.
        found: u16,
        /// The newest that this build reads.
        known: u16,
    },
    /// No format of this kind.
    #[error("snapshot format {0} never existed")]
    Unknown(u16),
    /// The bytes are not those that were written.
    #[error("the snapshot is damaged")]
    Damaged,
    /// Bytes that do not decode.
    #[error("the snapshot does not decode")]
    Malformed(#[source] postcard::Error),
}

impl Core {
    /// SHA-256 over the encoded state: equal for equal states, on every machine.
    pub fn state_hash(&self) -> [u8; 32] {
        self.encode(Hashing { hash: Sha256::new(), waiting: Vec::with_capacity(BLOCK) }).finalize().into()
    }

    /// The whole state: magic, format, body, and the body's SHA-256.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        let start = bytes.len();
        bytes = self.encode(Appending(bytes));
        let hash = Sha256::digest(bytes.get(start..).unwrap_or_default());
        bytes.extend_from_slice(&hash);
        bytes
    }

    /// Reads what [`Core::snapshot`] wrote.
    ///
    /// # Errors
    /// See [`SnapshotError`].
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(SnapshotError::Foreign)?;
        let (format, rest) = rest.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        let missing: &[u8] = match u16::from_le_bytes(*format) {
            FORMAT => &[],
            WITHOUT_LOANS => &NO_LOANS,
            found if found > FORMAT => return Err(SnapshotError::Newer { found, known: FORMAT }),
            found => return Err(SnapshotError::Unknown(found)),
        };
        let (body, hash) = rest.split_last_chunk::<HASH>().ok_or(SnapshotError::Damaged)?;
        if Sha256::digest(body).as_slice() != hash {
            return Err(SnapshotError::Damaged);
        }
        let body = if missing.is_empty() { Cow::Borrowed(body) } else { Cow::Owned([body, missing].concat()) };
        let mut core: Self = postcard::from_bytes(&body).map_err(SnapshotError::Malformed)?;
        core.index();
        Ok(core)
    }

    fn encode<F: postcard::ser_flavors::Flavor>(&self, flavor: F) -> F::Output {
        // INVARIANT: the flavors below never fail, and every collection of the state knows its length, so that
        // encoding cannot fail.
        match postcard::serialize_with_flavor(self, flavor) {
            Ok(output) => output,
            Err(error) => unreachable!("the state must encode: {error}"),
        }
    }
}

/// Collects what postcard writes.
struct Appending(Vec<u8>);

impl postcard::ser_flavors::Flavor for Appending {
    type Output = Vec<u8>;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

/// How many bytes are hashed at a time.
const BLOCK: usize = 4_096;

/// Hashes what postcard writes, a block at a time, without keeping it.
struct Hashing {
    hash: Sha256,
    waiting: Vec<u8>,
}

impl Hashing {
    fn flush(&mut self) {
        self.hash.update(&self.waiting);
        self.waiting.clear();
    }
}

impl postcard::ser_flavors::Flavor for Hashing {
    type Output = Sha256;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if self.waiting.len() + bytes.len() > BLOCK {
            self.flush();
        }
        self.waiting.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(mut self) -> postcard::Result<Sha256> {
        self.flush();
        Ok(self.hash)
    }
}

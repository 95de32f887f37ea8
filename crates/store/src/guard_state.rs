//! Bans and the counts that lead to them, so that a restart is no way round a ban.
//!
//! One small file, `guard.state`, replaced whole: magic, format version, length, checksum, entries of fixed length.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

use latchkey_admission::limiter::{Held, HeldAddress, HeldBan, HeldCount};

use crate::crc32c::checksum;
use crate::folder::{self, FolderError};

/// The format that this program writes.
const FORMAT: u16 = 1;
const MAGIC: [u8; 4] = *b"LKGS";
const HEADER_LEN: usize = 20;
const NAME: &str = "guard.state";

/// The file in one folder.
#[derive(Debug)]
pub struct GuardState {
    path: PathBuf,
}

/// Why what was held cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum GuardStateError {
    /// The folder or the file.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Written by a newer program.
    #[error("`{}` has format {found}, newer than format {FORMAT} that this program reads: upgrade it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u16,
    },
    /// Not whole.
    #[error("`{}` is damaged; without it nobody is banned", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

impl GuardState {
    /// The file in `folder`, of which the caller holds the lock.
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join(NAME) }
    }

    /// Replaces the file; when this returns, what is held is on disk.
    ///
    /// # Errors
    /// [`GuardStateError::Folder`]; what was there before is there still.
    pub fn save(&self, held: &Held) -> Result<(), GuardStateError> {
        let entries = encode(held);
        Ok(folder::write_whole(&self.path, &[&header(&entries), &entries])?)
    }

    /// What was held last; `None` when nothing ever was.
    ///
    /// # Errors
    /// [`GuardStateError`].
    pub fn load(&self) -> Result<Option<Held>, GuardStateError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FolderError::at(&self.path)(error).into()),
        };
        let damaged = || GuardStateError::Damaged { path: self.path.clone() };
        match bytes.get(..6) {
            Some([b'L', b'K', b'G', b'S', low, high]) if u16::from_le_bytes([*low, *high]) > FORMAT => {
                let found = u16::from_le_bytes([*low, *high]);
                return Err(GuardStateError::Newer { path: self.path.clone(), found });
            }
            _ => {}
        }
        let (found, entries) = bytes.split_at_checked(HEADER_LEN).ok_or_else(damaged)?;
        if found != header(entries) {
            return Err(damaged());
        }
        decode(entries).map(Some).ok_or_else(damaged)
    }
}

/// Magic, format, two spare bytes, length of the entries, and the checksum of these and of the entries.
fn header(entries: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_LEN);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&FORMAT.to_le_bytes());
    header.extend_from_slice(&[0, 0]);
    header.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    let sum = checksum(&[&header, entries]);
    header.extend_from_slice(&sum.to_le_bytes());
    header
}

/// Each kind of entry: how many there are, then one after another.
fn encode(held: &Held) -> Vec<u8> {
    let mut bytes = Vec::new();
    let number = |bytes: &mut Vec<u8>, length: usize| bytes.extend_from_slice(&(length as u64).to_le_bytes());
    number(&mut bytes, held.addresses.len());
    for HeldAddress { address, raw, weight, refused_weight, refused_raw } in &held.addresses {
        put_address(&mut bytes, *address);
        for count in [Some(*raw), *weight, *refused_weight, *refused_raw] {
            put_count(&mut bytes, count);
        }
    }
    number(&mut bytes, held.bans.len());
    for HeldBan { address, mark_ms, banned, step } in &held.bans {
        put_address(&mut bytes, *address);
        bytes.extend_from_slice(&mark_ms.to_le_bytes());
        bytes.extend_from_slice(&[u8::from(*banned), *step]);
    }
    number(&mut bytes, held.failed.len());
    for (address, count) in &held.failed {
        put_address(&mut bytes, *address);
        put_count(&mut bytes, Some(*count));
    }
    bytes
}

fn put_address(bytes: &mut Vec<u8>, address: IpAddr) {
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    bytes.extend_from_slice(&address.octets());
}

/// A count of nothing stands for none.
fn put_count(bytes: &mut Vec<u8>, count: Option<HeldCount>) {
    let HeldCount { window, count } = count.unwrap_or(HeldCount { window: 0, count: 0 });
    bytes.extend_from_slice(&window.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
}

fn decode(entries: &[u8]) -> Option<Held> {
    let mut rest = Reader(entries);
    let mut held = Held::default();
    for _ in 0..rest.number()? {
        held.addresses.push(HeldAddress {
            address: rest.address()?,
            raw: rest.count()?.unwrap_or(HeldCount { window: 0, count: 0 }),
            weight: rest.count()?,
            refused_weight: rest.count()?,
            refused_raw: rest.count()?,
        });
    }
    for _ in 0..rest.number()? {
        let (address, mark_ms) = (rest.address()?, i64::from_le_bytes(rest.take()?));
        let [banned, step] = rest.take()?;
        held.bans.push(HeldBan { address, mark_ms, banned: banned != 0, step });
    }
    for _ in 0..rest.number()? {
        let (address, count) = (rest.address()?, rest.count()?);
        held.failed.extend(count.map(|count| (address, count)));
    }
    rest.0.is_empty().then_some(held)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn address(&mut self) -> Option<IpAddr> {
        Some(IpAddr::V6(Ipv6Addr::from(self.take::<16>()?)).to_canonical())
    }

    fn count(&mut self) -> Option<Option<HeldCount>> {
        let (window, count) = (u32::from_le_bytes(self.take()?), u32::from_le_bytes(self.take()?));
        Some((count > 0).then_some(HeldCount { window, count }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> Held {
        let count = |window, count| HeldCount { window, count };
        let (one, two) = ("192.0.2.1".parse().unwrap(), "2001:db8::".parse().unwrap());
        Held {
            addresses: vec![
                HeldAddress {
                    address: one,
                    raw: count(5_948_805, 21),
                    weight: Some(count(29_744_025, 1200)),
                    refused_weight: Some(count(29_744_025, 20)),
                    refused_raw: None,
                },
                HeldAddress {
                    address: two,
                    raw: count(1, 1),
                    weight: None,
                    refused_weight: None,
                    refused_raw: Some(count(1, u32::MAX)),
                },
            ],
            bans: vec![HeldBan { address: two, mark_ms: 1_784_641_620_000, banned: true, step: 6 }],
            failed: vec![(one, count(29_744_025, 299))],
        }
    }

    #[test]
    fn what_is_saved_is_read_back_and_the_last_one_counts() {
        let scratch = tempfile::tempdir().unwrap();
        let file = GuardState::new(scratch.path());
        assert_eq!(file.load().unwrap(), None);
        file.save(&Held::default()).unwrap();
        assert_eq!(file.load().unwrap(), Some(Held::default()));
        file.save(&held()).unwrap();
        assert_eq!(GuardState::new(scratch.path()).load().unwrap(), Some(held()));
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn a_damaged_file_is_told_apart_from_a_newer_one() {
        let scratch = tempfile::tempdir().unwrap();
        let file = GuardState::new(scratch.path());
        file.save(&held()).unwrap();
        let whole = fs::read(&file.path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&file.path, &bytes).unwrap();
            assert!(file.load().is_err(), "byte {at}");
            fs::write(&file.path, &whole[..at]).unwrap();
            assert!(matches!(file.load(), Err(GuardStateError::Damaged { .. })), "cut at {at}");
        }
        let mut newer = whole;
        newer[4] = 2;
        fs::write(&file.path, &newer).unwrap();
        assert!(matches!(file.load(), Err(GuardStateError::Newer { found: 2, .. })));
    }
}

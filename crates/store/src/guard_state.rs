//! Bans and counts of what callers used, so that a restart is no way round a ban or a limit.
//!
//! One file, `guard.state`, replaced whole: magic, format version, length, checksum, lists of entries of fixed length.
//! Endpoints stand in a list of their own, and what was used of them names the place there. Format 1 ends behind the
//! first three lists: addresses, bans, failed verifications. At the very end stands the time of writing, which the
//! first files of format 2 do not have.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

use latchkey_admission::limiter::{Held, HeldAddress, HeldBan, HeldCount, Row, counted_row};
use latchkey_protocol::{AccountId, KeyId, Timestamp};

use crate::crc32c::checksum;
use crate::folder::{self, FolderError};

/// The format that this program writes.
const FORMAT: u16 = 2;
const MAGIC: [u8; 4] = *b"LKGS";
const HEADER_LEN: usize = 20;
const NAME: &str = "guard.state";

/// The file in one folder.
#[derive(Debug)]
pub struct GuardState {
    path: PathBuf,
}

/// What was in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Bans and counts.
    pub held: Held,
    /// When it was written, by the server's own time.
    pub at: Option<Timestamp>,
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

    /// Replaces the file at the time `at`; when this returns, what is held is on disk.
    ///
    /// # Errors
    /// [`GuardStateError::Folder`]; what was there before is there still.
    pub fn save(&self, held: &Held, at: Timestamp) -> Result<(), GuardStateError> {
        let mut entries = encode(held);
        entries.extend_from_slice(&at.as_micros().to_le_bytes());
        Ok(folder::write_whole(&self.path, &[&header(FORMAT, &entries), &entries])?)
    }

    /// What was held last; `None` when nothing ever was.
    ///
    /// # Errors
    /// [`GuardStateError`].
    pub fn load(&self) -> Result<Option<Kept>, GuardStateError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FolderError::at(&self.path)(error).into()),
        };
        let damaged = || GuardStateError::Damaged { path: self.path.clone() };
        let format = match bytes.get(..6) {
            Some([b'L', b'K', b'G', b'S', low, high]) => u16::from_le_bytes([*low, *high]),
            _ => return Err(damaged()),
        };
        if format > FORMAT {
            return Err(GuardStateError::Newer { path: self.path.clone(), found: format });
        }
        let (found, entries) = bytes.split_at_checked(HEADER_LEN).ok_or_else(damaged)?;
        if found != header(format, entries) {
            return Err(damaged());
        }
        decode(format, entries).map(Some).ok_or_else(damaged)
    }
}

/// Magic, format, two spare bytes, length of the entries, and the checksum of these and of the entries.
fn header(format: u16, entries: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_LEN);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&format.to_le_bytes());
    header.extend_from_slice(&[0, 0]);
    header.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    let sum = checksum(&[&header, entries]);
    header.extend_from_slice(&sum.to_le_bytes());
    header
}

/// Each kind of entry: how many there are, then one after another.
fn encode(held: &Held) -> Vec<u8> {
    let mut rows: Vec<Row> = held.endpoints_of_addresses.iter().map(|((row, _), _)| *row).collect();
    rows.extend(held.endpoints_of_accounts.iter().map(|((row, _), _)| *row));
    rows.sort_unstable();
    rows.dedup();
    // INVARIANT: every row of an entry is in the list.
    let place = |row: &Row| rows.binary_search(row).unwrap_or_default() as u32;
    let mut out = Writer(Vec::new());
    out.list(&held.addresses, |out, HeldAddress { address, raw, weight, refused_weight, refused_raw }| {
        out.address(*address);
        for count in [Some(*raw), *weight, *refused_weight, *refused_raw] {
            out.count(count);
        }
    });
    out.list(&held.bans, |out, HeldBan { address, mark_ms, banned, step }| {
        out.address(*address);
        out.put(&mark_ms.to_le_bytes());
        out.put(&[u8::from(*banned), *step]);
    });
    out.list(&held.failed, |out, (address, count)| {
        out.address(*address);
        out.count(Some(*count));
    });
    out.list(&held.connections, |out, (address, count)| {
        out.address(*address);
        out.count(Some(*count));
    });
    out.list(&rows, |out, (method, path)| {
        out.text(method);
        out.text(path);
    });
    out.list(&held.endpoints_of_addresses, |out, ((row, address), count)| {
        out.put(&place(row).to_le_bytes());
        out.address(*address);
        out.count(Some(*count));
    });
    out.list(&held.endpoints_of_accounts, |out, ((row, account), count)| {
        out.put(&place(row).to_le_bytes());
        out.put(&account.0.to_le_bytes());
        out.count(Some(*count));
    });
    out.list(&held.keys, |out, (key, count)| {
        out.put(&key.0.to_le_bytes());
        out.count(Some(*count));
    });
    out.list(&held.shares, |out, ((key, address), count)| {
        out.put(&key.0.to_le_bytes());
        out.address(*address);
        out.count(Some(*count));
    });
    out.list(&held.verified, |out, ((key, address), seen)| {
        out.put(&key.0.to_le_bytes());
        out.address(*address);
        out.put(&seen.as_micros().to_le_bytes());
    });
    out.0
}

fn decode(format: u16, entries: &[u8]) -> Option<Kept> {
    let rest = &mut Reader(entries);
    let mut held = Held {
        addresses: rest.list(|rest| {
            Some(HeldAddress {
                address: rest.address()?,
                raw: rest.count()?.unwrap_or(HeldCount { window: 0, count: 0 }),
                weight: rest.count()?,
                refused_weight: rest.count()?,
                refused_raw: rest.count()?,
            })
        })?,
        bans: rest.list(|rest| {
            let (address, mark_ms) = (rest.address()?, i64::from_le_bytes(rest.take()?));
            let [banned, step] = rest.take()?;
            Some(HeldBan { address, mark_ms, banned: banned != 0, step })
        })?,
        failed: rest.list(|rest| Some((rest.address()?, rest.some_count()?)))?,
        ..Held::default()
    };
    if format > 1 {
        held.connections = rest.list(|rest| Some((rest.address()?, rest.some_count()?)))?;
        let rows = rest.list(|rest| Some(counted_row(rest.text()?, rest.text()?)))?;
        // What was used of an endpoint that is gone from the contract is of no use.
        held.endpoints_of_addresses = rest.used(&rows, Reader::address)?;
        held.endpoints_of_accounts = rest.used(&rows, Reader::account)?;
        held.keys = rest.list(|rest| Some((rest.key()?, rest.some_count()?)))?;
        held.shares = rest.list(|rest| Some(((rest.key()?, rest.address()?), rest.some_count()?)))?;
        held.verified = rest.list(|rest| {
            let pair = (rest.key()?, rest.address()?);
            Some((pair, Timestamp::from_micros(i64::from_le_bytes(rest.take()?))))
        })?;
    }
    let at = if format == 1 || rest.0.is_empty() {
        None
    } else {
        Some(Timestamp::from_micros(i64::from_le_bytes(rest.take()?)))
    };
    rest.0.is_empty().then_some(Kept { held, at })
}

struct Writer(Vec<u8>);

impl Writer {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn list<T>(&mut self, entries: &[T], each: impl Fn(&mut Self, &T)) {
        self.put(&(entries.len() as u64).to_le_bytes());
        entries.iter().for_each(|entry| each(self, entry));
    }

    fn address(&mut self, address: IpAddr) {
        let address = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        self.put(&address.octets());
    }

    /// A count of nothing stands for none.
    fn count(&mut self, count: Option<HeldCount>) {
        let HeldCount { window, count } = count.unwrap_or(HeldCount { window: 0, count: 0 });
        self.put(&window.to_le_bytes());
        self.put(&count.to_le_bytes());
    }

    /// Methods and paths of the contract are far shorter than 256 bytes.
    fn text(&mut self, text: &str) {
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        self.put(&[length]);
        self.put(text.as_bytes().get(..usize::from(length)).unwrap_or_default());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// A list with as many entries as it says, or none at all.
    fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = u64::from_le_bytes(self.take()?);
        (0..length).map(|_| each(self)).collect()
    }

    /// What was used of endpoints by subjects of one kind.
    fn used<T>(
        &mut self,
        rows: &[Option<Row>],
        subject: impl Fn(&mut Self) -> Option<T>,
    ) -> Option<Vec<((Row, T), HeldCount)>> {
        let entries = self.list(|rest| {
            let row = rows.get(u32::from_le_bytes(rest.take()?) as usize)?;
            let (subject, count) = (subject(rest)?, rest.some_count()?);
            Some(row.map(|row| ((row, subject), count)))
        });
        Some(entries?.into_iter().flatten().collect())
    }

    fn address(&mut self) -> Option<IpAddr> {
        Some(IpAddr::V6(Ipv6Addr::from(self.take::<16>()?)).to_canonical())
    }

    fn account(&mut self) -> Option<AccountId> {
        self.take().map(i64::from_le_bytes).map(AccountId)
    }

    fn key(&mut self) -> Option<KeyId> {
        self.take().map(u128::from_le_bytes).map(KeyId)
    }

    fn count(&mut self) -> Option<Option<HeldCount>> {
        let (window, count) = (u32::from_le_bytes(self.take()?), u32::from_le_bytes(self.take()?));
        Some((count > 0).then_some(HeldCount { window, count }))
    }

    fn some_count(&mut self) -> Option<HeldCount> {
        self.count()?
    }

    fn text(&mut self) -> Option<&'a str> {
        let [length] = self.take()?;
        let (text, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        str::from_utf8(text).ok()
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
            ..Held::default()
        }
    }

    /// What format 2 keeps beside that.
    const AT: Timestamp = Timestamp::from_micros(1_784_641_620_000_001);

    fn more() -> Held {
        let count = |count| HeldCount { window: 29_744_025, count };
        let (one, two): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "2001:db8::".parse().unwrap());
        let (status, list) = (
            counted_row("GET", "/sapi/v1/account/status").unwrap(),
            counted_row("GET", "/sapi/v1/margin/api-key-list").unwrap(),
        );
        Held {
            connections: vec![(one, count(7)), (two, count(8))],
            endpoints_of_addresses: vec![((status, one), count(1)), ((list, two), count(2))],
            endpoints_of_accounts: vec![((list, AccountId(100_000_001)), count(180_000))],
            keys: vec![(KeyId(u128::MAX / 3), count(3))],
            shares: vec![((KeyId(5), one), count(4)), ((KeyId(5), two), count(5))],
            verified: vec![((KeyId(6), two), Timestamp::from_micros(1_784_641_620_000_001))],
            ..held()
        }
    }

    #[test]
    fn what_is_saved_is_read_back_and_the_last_one_counts() {
        let scratch = tempfile::tempdir().unwrap();
        let file = GuardState::new(scratch.path());
        assert_eq!(file.load().unwrap(), None);
        file.save(&Held::default(), AT).unwrap();
        assert_eq!(file.load().unwrap(), Some(Kept { held: Held::default(), at: Some(AT) }));
        file.save(&more(), AT).unwrap();
        assert_eq!(GuardState::new(scratch.path()).load().unwrap(), Some(Kept { held: more(), at: Some(AT) }));
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn a_damaged_file_is_told_apart_from_a_newer_one() {
        let scratch = tempfile::tempdir().unwrap();
        let file = GuardState::new(scratch.path());
        file.save(&more(), AT).unwrap();
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
        newer[4] = 3;
        fs::write(&file.path, &newer).unwrap();
        assert!(matches!(file.load(), Err(GuardStateError::Newer { found: 3, .. })));
    }

    #[test]
    fn the_format_before_is_read() {
        let scratch = tempfile::tempdir().unwrap();
        let file = GuardState::new(scratch.path());
        // Behind the first three lists there is nothing.
        let mut entries = encode(&held());
        let lists_after = 7 * 8;
        entries.truncate(entries.len() - lists_after);
        fs::write(&file.path, [header(1, &entries), entries].concat()).unwrap();
        assert_eq!(file.load().unwrap(), Some(Kept { held: held(), at: None }));
    }

    #[test]
    fn what_was_used_of_an_endpoint_that_is_gone_is_left_behind() {
        let scratch = tempfile::tempdir().unwrap();
        let file = GuardState::new(scratch.path());
        let mut entries = encode(&more());
        let gone = b"/sapi/v1/account/status";
        let at = entries.windows(gone.len()).position(|bytes| bytes == gone).unwrap();
        entries[at + gone.len() - 1] = b'x';
        fs::write(&file.path, [header(FORMAT, &entries), entries].concat()).unwrap();
        let mut expected = more();
        expected.endpoints_of_addresses.remove(0);
        assert_eq!(
            file.load().unwrap(),
            Some(Kept { held: expected, at: None }),
            "nor has every file of format 2 a time"
        );
    }
}

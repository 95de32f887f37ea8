//! From method and path to a row.

use std::collections::HashMap;

use super::sapi::{margin, sub_account};
use super::{Endpoint, ID, Method, market, own, sapi, spot};

/// Every table of rows.
static TABLES: &[&[Endpoint]] = &[
    market::ROWS,
    market::FUTURES,
    spot::ROWS,
    spot::LISTS,
    spot::LISTEN_KEYS,
    sapi::SPECIAL_KEYS,
    sapi::WALLET,
    margin::MARKET,
    margin::ACCOUNT,
    margin::ORDERS,
    margin::STREAMS,
    margin::PORTFOLIO,
    sub_account::ROWS,
    sub_account::BROKER,
    own::ROWS,
];

/// All rows, ready for look-up. Built once at start; the hot path only reads.
pub struct Catalog {
    by_path: HashMap<&'static str, Vec<&'static Endpoint>, std::hash::BuildHasherDefault<PathHasher>>,
}

/// What a look-up finds.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// The row.
    Endpoint(&'static Endpoint),
    /// The path exists, the method does not.
    OtherMethod,
    /// No such path.
    Nothing,
}

impl Catalog {
    /// The built-in rows.
    pub fn builtin() -> Self {
        let mut by_path: HashMap<_, Vec<_>, _> = HashMap::default();
        for row in Self::rows() {
            by_path.entry(row.path).or_default().push(row);
        }
        Self { by_path }
    }

    /// Every built-in row.
    pub fn rows() -> impl Iterator<Item = &'static Endpoint> {
        TABLES.iter().copied().flatten()
    }

    /// Finds the row of a call; `path` is compared as received.
    pub fn find(&self, method: Method, path: &str) -> Found {
        match self.by_path.get(path).or_else(|| self.one_of_many(path)) {
            None => Found::Nothing,
            Some(rows) => {
                rows.iter().find(|row| row.method == method).map_or(Found::OtherMethod, |row| Found::Endpoint(row))
            }
        }
    }

    /// The rows of a path whose last segment is an id. Our own routes alone have such rows.
    fn one_of_many(&self, path: &str) -> Option<&Vec<&'static Endpoint>> {
        const OWN: &str = "/latchkey/";
        let (parent, id) = path.rsplit_once('/').filter(|_| path.starts_with(OWN))?;
        if id.is_empty() || id.len() > ID_MAX || parent.len() > PARENT_MAX {
            return None;
        }
        self.by_path.get(format!("{parent}/{ID}").as_str())
    }
}

/// The longest path before an id, in bytes.
const PARENT_MAX: usize = 64;
/// The longest id, in bytes. Paths are remembered with signatures, so that their length must be bounded.
const ID_MAX: usize = 64;

/// FNV-1a: the keys are our own constants, so nobody can choose collisions among them.
#[derive(Default)]
struct PathHasher(u64);

impl std::hash::Hasher for PathHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

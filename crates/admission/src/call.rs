//! A call as the edge hands it in, and the names that the system gives it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};

mod headers;
mod source;

pub use headers::{Headers, Listed};
pub use source::{FoundBy, Source};

/// A header that may stand once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Field<'a> {
    /// Not sent.
    #[default]
    Absent,
    /// Sent once.
    One(&'a [u8]),
    /// Sent several times.
    Several,
}

impl<'a> Field<'a> {
    /// Adds one more occurrence.
    #[must_use]
    pub fn and(self, value: &'a [u8]) -> Self {
        match self {
            Self::Absent => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

/// A request as received: raw bytes, nothing decoded. No HTTP library behind this point.
#[derive(Clone, Copy, Debug)]
pub struct RawCall<'a> {
    /// The request line's method.
    pub method: &'a str,
    /// The target's path, as received.
    pub path: &'a str,
    /// The target's query without `?`, as received.
    pub query: &'a [u8],
    /// The body, as received.
    pub body: &'a [u8],
    /// `X-MBX-APIKEY`.
    pub api_key: Field<'a>,
    /// `X-MBX-TIME-UNIT`.
    pub time_unit: Field<'a>,
    /// `X-MBX-SBE`.
    pub sbe: Field<'a>,
    /// Every header field.
    pub headers: &'a dyn Headers,
    /// The caller's address.
    pub peer: IpAddr,
    /// How that was found.
    pub found_by: FoundBy,
}

impl RawCall<'_> {
    /// Where the call comes from.
    pub const fn source(&self) -> Source {
        Source { address: self.peer, found_by: self.found_by }
    }
}

/// The door that a call came through.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// REST over HTTP.
    Rest,
}

/// The name of one request: boot, then a counter. Sent as `x-mbx-uuid`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub struct RequestId {
    boot: u64,
    number: u64,
}

impl RequestId {
    /// What tells the run of the server that gave it from others; within a run ids rise.
    pub const fn boot(self) -> u64 {
        self.boot
    }

    /// Reads the text of an id: 32 lower-case hexadecimal digits with their four hyphens.
    pub fn parse(text: &str) -> Option<Self> {
        let places = text.bytes().enumerate();
        let shaped = text.len() == 36
            && places.into_iter().all(|(place, byte)| match place {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            });
        let digits: String = text.split('-').collect();
        let whole = u128::from_str_radix(&digits, 16).ok().filter(|_| shaped)?;
        Some(Self { boot: (whole >> 64) as u64, number: (whole & u128::from(u64::MAX)) as u64 })
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (boot, number) = (self.boot, self.number);
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            boot >> 32,
            (boot >> 16) & 0xffff,
            boot & 0xffff,
            number >> 48,
            number & 0xffff_ffff_ffff
        )
    }
}

/// Hands out request ids.
#[derive(Debug)]
pub struct RequestIds {
    boot: u64,
    next: AtomicU64,
}

impl RequestIds {
    /// Ids of one run of the server; `boot` tells runs apart.
    pub const fn new(boot: u64) -> Self {
        Self { boot, next: AtomicU64::new(1) }
    }

    /// An id that this run never gave before.
    pub fn next(&self) -> RequestId {
        RequestId { boot: self.boot, number: self.next.fetch_add(1, Ordering::Relaxed) }
    }
}

/// An address without its mapped form: `::ffff:192.0.2.1` is `192.0.2.1`.
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The well-known prefix of translators (RFC 6052), 96 bits of it.
const TRANSLATED: u128 = 0x64_ff9b << 96;

/// The address that limits count: an IPv6 caller counts as its /64.
///
/// A translator gives every IPv4 caller an address of one /64, `64:ff9b::192.0.2.1`. There each counts by itself, so that
/// one cannot use up the limits of all; and not as the IPv4 address that it carries, so that whoever can write such an
/// address does not use up the limits of another.
pub fn limited_address(peer: IpAddr) -> IpAddr {
    match canonical(peer) {
        IpAddr::V6(address) if address.to_bits() & !u128::from(u32::MAX) != TRANSLATED => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address => address,
    }
}

/// Whose neighbor an address is: an IPv4 address's /24, an IPv6 address's /48, the least that is handed out to one owner.
pub fn neighborhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & !0xff)),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 80 << 80)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_caller_counts_as_its_64_unless_a_translator_stands_before_it() {
        let counted = |text: &str| limited_address(text.parse().expect("an address")).to_string();
        for (peer, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
            ("64:ff9b::192.0.2.2", "64:ff9b::c000:202"),
            ("64:ff9b:0:0:0:1:c000:201", "64:ff9b::"),
            ("64:ff9b:1::c000:201", "64:ff9b:1::"),
        ] {
            assert_eq!(counted(peer), expected, "{peer}");
        }
    }
}

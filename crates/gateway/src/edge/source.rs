//! Whose word counts on where a request comes from: a listed proxy's, through listed hops only.

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_admission::call::{FoundBy, Source};

use super::forwarded::{Last, Malformed, Node, forwarded, x_forwarded_for};

/// A set of peers.
pub type PeerFilter = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The proxies in front of a door, and how they tell for whom they call.
#[derive(Clone)]
pub struct Proxies {
    /// Whether a peer or a hop is one of them.
    pub listed: PeerFilter,
    /// How they tell. Anything else that could tell is ignored.
    pub word: Word,
}

/// How a proxy tells for whom it calls.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Word {
    /// By the header `Forwarded` (RFC 7239).
    Forwarded,
    /// By the header `X-Forwarded-For`.
    XForwardedFor,
    /// By the PROXY protocol at the start of every connection.
    ProxyProtocol,
}

/// The headers of a request by which a proxy can tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Header {
    /// `Forwarded`.
    Forwarded,
    /// `X-Forwarded-For`.
    XForwardedFor,
}

impl Header {
    /// Its name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::XForwardedFor => "x-forwarded-for",
        }
    }

    const fn found_by(self) -> FoundBy {
        match self {
            Self::Forwarded => FoundBy::Forwarded,
            Self::XForwardedFor => FoundBy::XForwardedFor,
        }
    }

    fn last(self, list: &[u8]) -> Result<Last<'_>, Malformed> {
        match self {
            Self::Forwarded => forwarded(list),
            Self::XForwardedFor => x_forwarded_for(list),
        }
    }
}

/// Why a listed proxy's header does not tell who calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unclear {
    /// It is not there.
    Absent,
    /// The element that counts cannot be read.
    Malformed,
    /// The element that counts names nobody.
    Hidden,
    /// The way leads through more than [`HOPS_MAX`] hops.
    TooFar,
}

impl Unclear {
    /// In words, behind the header's name.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Absent => "is missing behind a proxy",
            Self::Malformed => "cannot be read",
            Self::Hidden => "hides the caller",
            Self::TooFar => "names too many hops",
        }
    }
}

/// The most elements that are read from the right.
pub const HOPS_MAX: usize = 16;

/// The caller behind a listed proxy: the first element from the right that is not listed itself. When all are, the
/// first of them is the caller.
///
/// `lines` are the header's lines, the last one first.
///
/// # Errors
/// [`Unclear`] when the header does not tell; the proxy's own address never stands in for it.
pub fn behind<'a>(
    header: Header,
    lines: impl Iterator<Item = &'a [u8]>,
    listed: &dyn Fn(IpAddr) -> bool,
) -> Result<Source, Unclear> {
    let (mut hops, mut farthest) = (0, None);
    for line in lines {
        let mut list = Some(line);
        while let Some(unread) = list {
            hops += 1;
            if hops > HOPS_MAX {
                return Err(Unclear::TooFar);
            }
            let Last { node, before } = header.last(unread).map_err(|Malformed| Unclear::Malformed)?;
            let Node::Address(address) = node else { return Err(Unclear::Hidden) };
            let source = Source { address, found_by: header.found_by() };
            if !listed(address) {
                return Ok(source);
            }
            farthest = Some(source);
            list = before;
        }
    }
    farthest.ok_or(Unclear::Absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], expected: Result<&str, Unclear>) {
        let listed = |address: IpAddr| address.to_string().starts_with("10.");
        let found = behind(Header::XForwardedFor, lines.iter().rev().map(|line| line.as_bytes()), &listed);
        let expected =
            expected.map(|address| Source { address: address.parse().unwrap(), found_by: FoundBy::XForwardedFor });
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn hops_are_counted_from_the_right_through_listed_ones() {
        check(&["192.0.2.1"], Ok("192.0.2.1"));
        check(&["198.51.100.1, 192.0.2.1, 10.0.0.2"], Ok("192.0.2.1"));
        check(&["198.51.100.1, 192.0.2.1", "10.0.0.2"], Ok("192.0.2.1"));
        check(&["10.0.0.3, 10.0.0.2"], Ok("10.0.0.3"));
        check(&["junk, 192.0.2.1"], Ok("192.0.2.1"));
        check(&["junk, 10.0.0.2"], Err(Unclear::Malformed));
        check(&["unknown, 10.0.0.2"], Err(Unclear::Hidden));
        check(&[], Err(Unclear::Absent));
    }

    #[test]
    fn a_way_has_an_end() {
        let way = |hops: usize| vec!["10.0.0.2"; hops].join(",");
        check(&[&format!("192.0.2.1,{}", way(HOPS_MAX - 1))], Ok("192.0.2.1"));
        check(&[&format!("192.0.2.1,{}", way(HOPS_MAX))], Err(Unclear::TooFar));
    }
}

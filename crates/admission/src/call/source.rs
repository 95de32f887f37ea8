//! Where a call comes from, and how that was found out.

use std::fmt;
use std::net::IpAddr;

/// How the address of a caller was found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FoundBy {
    /// The socket's other end.
    Socket,
    /// `Forwarded` (RFC 7239), by the word of a listed proxy.
    Forwarded,
    /// `X-Forwarded-For`, by the word of a listed proxy.
    XForwardedFor,
    /// PROXY protocol version 1, by the word of a listed proxy.
    ProxyV1,
    /// PROXY protocol version 2, by the word of a listed proxy.
    ProxyV2,
    /// PROXY protocol, a connection of the proxy's own: the socket's other end.
    ProxyLocal,
}

impl FoundBy {
    /// Every way.
    pub const ALL: [Self; 6] =
        [Self::Socket, Self::Forwarded, Self::XForwardedFor, Self::ProxyV1, Self::ProxyV2, Self::ProxyLocal];

    /// Its name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Forwarded => "forwarded",
            Self::XForwardedFor => "x-forwarded-for",
            Self::ProxyV1 => "proxy-v1",
            Self::ProxyV2 => "proxy-v2",
            Self::ProxyLocal => "proxy-local",
        }
    }
}

impl fmt::Display for FoundBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The address of a caller and how it was found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Source {
    /// The caller's address.
    pub address: IpAddr,
    /// How it was found.
    pub found_by: FoundBy,
}

impl Source {
    /// The other end of a socket.
    pub const fn socket(address: IpAddr) -> Self {
        Self { address, found_by: FoundBy::Socket }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.found_by)
    }
}

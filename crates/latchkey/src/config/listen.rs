//! Where the three listeners are bound, in configuration and on the command line.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::str::FromStr;

/// An address to listen on: `ADDR:PORT`, where `localhost` is `127.0.0.1` and port 0 takes a free one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listen(pub SocketAddr);

/// The text is no address to listen on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("write an address and a port, such as `127.0.0.1:8600` or `[::1]:8600`")]
pub struct NotAnAddress;

impl Listen {
    const fn local(port: u16) -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    /// Whether only this machine can reach it.
    pub const fn is_loopback(self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Listen {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        if let Some(port) = text.strip_prefix("localhost:") {
            return port.parse().map(Self::local).map_err(|_| NotAnAddress);
        }
        text.parse().map(Self).map_err(|_| NotAnAddress)
    }
}

impl<'de> serde::Deserialize<'de> for Listen {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How the proxies in front of a listener tell for whom they call. One way counts; the others are ignored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressFrom {
    /// By the header `Forwarded` (RFC 7239).
    Forwarded,
    /// By the header `X-Forwarded-For`.
    XForwardedFor,
    /// By the PROXY protocol, version 1 or 2, at the start of every connection.
    ProxyProtocol,
}

/// Where each listener is bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listeners {
    /// Machines: REST.
    pub api: Listen,
    /// People: the management API.
    pub console: Listen,
    /// Operators: health, metrics, the sandbox.
    pub ops: Listen,
}

impl Default for Listeners {
    /// Ports 8600, 8601 and 8602 of this machine alone.
    fn default() -> Self {
        Self { api: Listen::local(8600), console: Listen::local(8601), ops: Listen::local(8602) }
    }
}

impl Listeners {
    /// These, save where a flag says otherwise.
    #[must_use]
    pub fn with(self, flags: &ListenFlags) -> Self {
        Self {
            api: flags.api.unwrap_or(self.api),
            console: flags.console.unwrap_or(self.console),
            ops: flags.ops.unwrap_or(self.ops),
        }
    }
}

/// The flags of `demo` and `serve` that place the listeners.
#[derive(clap::Args, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ListenFlags {
    /// Where machines call: REST [default: 127.0.0.1:8600]; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT")]
    pub api: Option<Listen>,

    /// Where people sign in: the management API [default: 127.0.0.1:8601]
    #[arg(long, value_name = "ADDR:PORT")]
    pub console: Option<Listen>,

    /// Where operators work: health, metrics and their API [default: 127.0.0.1:8602]
    #[arg(long, value_name = "ADDR:PORT")]
    pub ops: Option<Listen>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: ListenFlags,
    }

    #[test]
    fn flags_override_single_addresses() {
        let line = Line::try_parse_from(["x", "--api", "0.0.0.0:0", "--ops", "localhost:9"]).unwrap();
        let listeners = Listeners::default().with(&line.flags);
        assert_eq!(listeners.api.to_string(), "0.0.0.0:0");
        assert_eq!(listeners.console.to_string(), "127.0.0.1:8601");
        assert_eq!(listeners.ops.to_string(), "127.0.0.1:9");
        assert!(Line::try_parse_from(["x", "--api", "8600"]).is_err());
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        let is_loopback = |text: &str| text.parse::<Listen>().unwrap().is_loopback();
        for text in ["127.0.0.1:0", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost:1"] {
            assert!(is_loopback(text), "{text}");
        }
        for text in ["0.0.0.0:1", "[::]:1", "192.168.0.1:1", "[::ffff:10.0.0.1]:1"] {
            assert!(!is_loopback(text), "{text}");
        }
    }
}

//! The console's origin: what its cookies, passkeys and cross-site checks are bound to.

use core::fmt;

/// A web origin with a host name: scheme, name and, where it is not the scheme's own, port.
///
/// Passkeys need a name, so an address is no origin here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    secure: bool,
    host: Box<str>,
    port: Option<u16>,
}

/// Why a text is no origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OriginError {
    /// It begins with neither scheme.
    #[error("an origin begins with `https://` (or `http://` in the demo)")]
    Scheme,
    /// It has no host name, or an address in its place.
    #[error("an origin has a host name, such as `console.example.com`; an address does not do")]
    Host,
    /// Its port is none.
    #[error("the port of an origin is a number from 1 to 65535")]
    Port,
    /// Something follows.
    #[error("an origin ends after its port: no path, no trailing slash")]
    Rest,
}

impl Origin {
    /// The origin of a console on this machine: `http://localhost:PORT`.
    pub fn localhost(port: u16) -> Self {
        Self { secure: false, host: "localhost".into(), port: Some(port).filter(|port| *port != 80) }
    }

    /// Reads an origin.
    ///
    /// # Errors
    /// [`OriginError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let (secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(OriginError::Scheme),
        };
        if rest.contains(['/', '?', '#', '@']) {
            return Err(OriginError::Rest);
        }
        let (host, port) = match rest.split_once(':') {
            None => (rest, None),
            Some(_) if rest.starts_with('[') => return Err(OriginError::Host),
            Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port > 0).ok_or(OriginError::Port)?)),
        };
        if !is_host_name(host) {
            return Err(OriginError::Host);
        }
        let own = if secure { 443 } else { 80 };
        Ok(Self { secure, host: host.to_ascii_lowercase().into(), port: port.filter(|port| *port != own) })
    }

    /// Whether the scheme is `https`.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host name in lower case: the relying-party id of passkeys.
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// Labels of letters, digits and hyphens; the last one is not a number, as that of an address is.
fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    host.len() <= 253 && host.split('.').all(label) && !host.rsplit('.').next().is_some_and(numeric)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl<'de> serde::Deserialize<'de> for Origin {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_print_as_browsers_send_them() {
        for (text, printed) in [
            ("https://Console.Example.com", "https://console.example.com"),
            ("https://console.example.com:443", "https://console.example.com"),
            ("https://console.example.com:8443", "https://console.example.com:8443"),
            ("http://localhost:8601", "http://localhost:8601"),
            ("http://localhost:80", "http://localhost"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), printed);
        }
        assert_eq!(Origin::localhost(8601), Origin::parse("http://localhost:8601").unwrap());
    }

    #[test]
    fn what_is_no_origin_is_refused_by_its_reason() {
        for (text, error) in [
            ("console.example.com", OriginError::Scheme),
            ("ftp://console.example.com", OriginError::Scheme),
            ("https://", OriginError::Host),
            ("https://127.0.0.1", OriginError::Host),
            ("https://[::1]:8601", OriginError::Host),
            ("https://a_b", OriginError::Host),
            ("https://a..b", OriginError::Host),
            ("https://a:0", OriginError::Port),
            ("https://a:x", OriginError::Port),
            ("https://a/", OriginError::Rest),
            ("https://u@a", OriginError::Rest),
        ] {
            assert_eq!(Origin::parse(text), Err(error), "{text}");
        }
    }
}

//! The names that a listener answers to.

/// A set of host names and addresses; compared without port, in any letter case.
#[derive(Clone, Debug)]
pub struct Hosts(Vec<Box<str>>);

impl Hosts {
    /// A set of names: host names or addresses, IPv6 in brackets.
    pub fn new<T: Into<Box<str>>>(names: impl IntoIterator<Item = T>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// Whether a `Host` header names one of them.
    pub fn allow(&self, host: &[u8]) -> bool {
        let Ok(host) = core::str::from_utf8(host) else { return false };
        let name = match host.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        self.0.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_answers_to_its_own_names_only() {
        let hosts = Hosts::new(["localhost", "127.0.0.1", "[::1]", "api.example.com"]);
        for good in ["localhost", "LOCALHOST:8600", "127.0.0.1:1", "[::1]", "[::1]:8600", "Api.Example.Com"] {
            assert!(hosts.allow(good.as_bytes()), "{good}");
        }
        for bad in
            ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil", "localhost:", "localhost:x", "a@localhost"]
        {
            assert!(!hosts.allow(bad.as_bytes()), "{bad}");
        }
    }
}

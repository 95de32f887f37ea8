//! From where a key may be used: rules, lists of them, and the matcher that the line asks.

use crate::policy::Policy;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One entry of a key's IP list: an address or a network, in its one canonical form.
///
/// Mapped IPv6 addresses (`::ffff:a.b.c.d`) are their IPv4 address. Prints as the address alone when the prefix
/// is whole, else as `network/prefix`, and reads that back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IpRule {
    network: IpAddr,
    prefix: u8,
}

/// Which spellings a surface takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IpForms {
    /// Addresses alone: the compatible routes.
    Addresses,
    /// Addresses and networks: our own surfaces.
    AddressesAndNetworks,
}

/// Which entry of a list was refused, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{entry}` {problem}")]
pub struct IpError {
    /// The entry as it was sent, cut after [`ENTRY_SHOWN_MAX`] characters.
    pub entry: Box<str>,
    /// What is wrong with it.
    pub problem: IpProblem,
}

/// Longest part of a refused entry that is repeated.
pub const ENTRY_SHOWN_MAX: usize = 64;

/// What is wrong with an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IpProblem {
    /// Neither an address nor a network.
    #[error("is not an IP address")]
    Nonsense,
    /// A network where only addresses are taken.
    #[error("is a network; only single addresses are taken here")]
    NetworkNotTaken,
    /// The prefix is no number from 0 to 32, or 128.
    #[error("has no valid prefix length")]
    Prefix,
    /// Bits are set behind the prefix.
    #[error("has bits set behind its prefix; did you mean `{0}`?")]
    HostBits(IpRule),
    /// The network is wider than policy allows.
    #[error("is too wide: the shortest prefix is /{0}")]
    TooWide(u8),
    /// `0.0.0.0` or `::`, or a network that starts there.
    #[error("holds the unspecified address")]
    Unspecified,
    /// Multicast.
    #[error("is a multicast address")]
    Multicast,
    /// `255.255.255.255`, or a network that ends there.
    #[error("holds the broadcast address")]
    Broadcast,
    /// More entries than policy allows.
    #[error("is one entry too many: at most {0} are taken")]
    TooMany(u16),
}

impl IpRule {
    /// Reads one entry.
    ///
    /// # Errors
    /// [`IpProblem`]; never `TooMany`.
    pub fn parse(text: &str, forms: IpForms, policy: &Policy) -> Result<Self, IpProblem> {
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some(_) if forms == IpForms::Addresses => return Err(IpProblem::NetworkNotTaken),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let rule = Self::canonical(
            address.parse().map_err(|_| IpProblem::Nonsense)?,
            prefix.map(|digits| parse_prefix(digits).ok_or(IpProblem::Prefix)).transpose()?,
        )?;
        let min = match rule.network {
            IpAddr::V4(_) => policy.ip_prefix_min_v4,
            IpAddr::V6(_) => policy.ip_prefix_min_v6,
        };
        if rule.network.is_unspecified() {
            Err(IpProblem::Unspecified)
        } else if rule.network.is_multicast() {
            Err(IpProblem::Multicast)
        } else if rule.contains(IpAddr::V4(Ipv4Addr::BROADCAST)) {
            Err(IpProblem::Broadcast)
        } else if rule.prefix < min {
            Err(IpProblem::TooWide(min))
        } else {
            Ok(rule)
        }
    }

    /// Reads a list: entries divided by commas, spaces and line breaks, in the order given, repetitions left out.
    /// An empty text is the empty list.
    ///
    /// # Errors
    /// [`IpError`] names the first entry that is refused.
    pub fn parse_list(text: &str, forms: IpForms, policy: &Policy) -> Result<Vec<Self>, IpError> {
        let mut rules = Vec::new();
        for entry in text.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|entry| !entry.is_empty()) {
            let refuse = |problem| IpError { entry: entry.chars().take(ENTRY_SHOWN_MAX).collect(), problem };
            let rule = Self::parse(entry, forms, policy).map_err(refuse)?;
            if rules.contains(&rule) {
                continue;
            }
            if rules.len() >= usize::from(policy.ips_per_key) {
                return Err(refuse(IpProblem::TooMany(policy.ips_per_key)));
            }
            rules.push(rule);
        }
        Ok(rules)
    }

    /// Whether `address` is covered; mapped addresses count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(_), IpAddr::V4(address)) => {
                self.range_v4().is_some_and(|(first, last)| (first..=last).contains(&address.to_bits()))
            }
            (IpAddr::V6(_), IpAddr::V6(address)) => {
                self.range_v6().is_some_and(|(first, last)| (first..=last).contains(&address.to_bits()))
            }
            _ => false,
        }
    }

    /// The first address; the only one when the prefix is whole.
    pub const fn network(&self) -> IpAddr {
        self.network
    }

    /// The prefix length in bits: up to 32 for IPv4, 128 for IPv6.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    fn canonical(address: IpAddr, prefix: Option<u8>) -> Result<Self, IpProblem> {
        let (network, prefix) = match (address, prefix) {
            (IpAddr::V4(_), prefix) => (address, prefix.unwrap_or(32)),
            (IpAddr::V6(v6), prefix) => match (v6.to_ipv4_mapped(), prefix.unwrap_or(128)) {
                (Some(v4), prefix @ 96..=128) => (IpAddr::V4(v4), prefix - 96),
                (_, prefix) => (address, prefix),
            },
        };
        let masked = match network {
            IpAddr::V4(v4) if prefix <= 32 => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask_v4(prefix))),
            IpAddr::V6(v6) if prefix <= 128 => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask_v6(prefix))),
            _ => return Err(IpProblem::Prefix),
        };
        let rule = Self { network: masked, prefix };
        if masked == network { Ok(rule) } else { Err(IpProblem::HostBits(rule)) }
    }

    fn range_v4(&self) -> Option<(u32, u32)> {
        let IpAddr::V4(network) = self.network else { return None };
        Some((network.to_bits(), network.to_bits() | !mask_v4(self.prefix)))
    }

    fn range_v6(&self) -> Option<(u128, u128)> {
        let IpAddr::V6(network) = self.network else { return None };
        Some((network.to_bits(), network.to_bits() | !mask_v6(self.prefix)))
    }
}

fn mask_v4(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn mask_v6(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

/// One to three digits without a leading zero or sign.
fn parse_prefix(digits: &str) -> Option<u8> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}

impl fmt::Display for IpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.network.is_ipv4() { 32 } else { 128 };
        if self.prefix == whole { self.network.fmt(f) } else { write!(f, "{}/{}", self.network, self.prefix) }
    }
}

impl serde::Serialize for IpRule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for IpRule {
    /// Takes the canonical form alone; whether it suits today's policy was asked when it was written.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let refuse = || serde::de::Error::custom("not an IP rule");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(parse_prefix(prefix).ok_or_else(refuse)?)),
            None => (&*text, None),
        };
        let rule = Self::canonical(address.parse().map_err(|_| refuse())?, prefix).map_err(|_| refuse())?;
        if rule.to_string() == text { Ok(rule) } else { Err(refuse()) }
    }
}

/// From where a key may be used. An empty list is nowhere, not everywhere.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IpRestriction {
    /// From anywhere.
    Unrestricted,
    /// From these alone.
    Listed(Vec<IpRule>),
}

impl IpRestriction {
    /// Whether there is a list, be it empty.
    pub const fn is_listed(&self) -> bool {
        matches!(self, Self::Listed(_))
    }

    /// The entries; none when unrestricted.
    pub fn rules(&self) -> &[IpRule] {
        match self {
            Self::Unrestricted => &[],
            Self::Listed(rules) => rules,
        }
    }

    /// Whether every address that may use it may also use `outer`. Neighbouring entries of `outer` are not joined.
    pub fn within(&self, outer: &Self) -> bool {
        match (self.matcher(), outer.matcher()) {
            (_, IpMatcher::Anywhere) => true,
            (IpMatcher::Anywhere, IpMatcher::Ranges { .. }) => false,
            (IpMatcher::Ranges { v4, v6 }, IpMatcher::Ranges { v4: outer_v4, v6: outer_v6 }) => {
                inside(&v4, &outer_v4) && inside(&v6, &outer_v6)
            }
        }
    }

    /// The form that the line asks.
    pub fn matcher(&self) -> IpMatcher {
        match self {
            Self::Unrestricted => IpMatcher::Anywhere,
            Self::Listed(rules) => IpMatcher::Ranges {
                v4: merge(rules.iter().filter_map(IpRule::range_v4).collect()),
                v6: merge(rules.iter().filter_map(IpRule::range_v6).collect()),
            },
        }
    }
}

/// A compiled [`IpRestriction`]: sorted ranges that do not touch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IpMatcher {
    /// Every address.
    Anywhere,
    /// The addresses in these ranges, both ends included.
    Ranges {
        /// IPv4.
        v4: Box<[(u32, u32)]>,
        /// IPv6.
        v6: Box<[(u128, u128)]>,
    },
}

impl IpMatcher {
    /// Whether a call may come from `address`; mapped addresses count as IPv4.
    pub fn allows(&self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Self::Anywhere, _) => true,
            (Self::Ranges { v4, .. }, IpAddr::V4(address)) => holds(v4, address.to_bits()),
            (Self::Ranges { v6, .. }, IpAddr::V6(address)) => holds(v6, address.to_bits()),
        }
    }
}

fn holds<T: Ord + Copy>(ranges: &[(T, T)], value: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= value);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, last)| value <= *last)
}

fn inside<T: Ord + Copy>(inner: &[(T, T)], outer: &[(T, T)]) -> bool {
    inner.iter().all(|(first, last)| outer.iter().any(|(from, to)| from <= first && last <= to))
}

/// Sorts ranges and joins those that overlap.
fn merge<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Box<[(T, T)]> {
    ranges.sort_unstable();
    let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged.into()
}

#[cfg(test)]
mod tests;

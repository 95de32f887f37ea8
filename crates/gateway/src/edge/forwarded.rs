//! The headers by which a proxy tells for whom it calls: `Forwarded` (RFC 7239) and `X-Forwarded-For`.
//!
//! Both are lists to which every proxy adds on the right. They are read from the right, one element at a time, and
//! no farther than needed: what stands left of the last word of a proxy may come from anyone, and is never looked at.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The last element of a list, and what stands before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Last<'a> {
    /// Whom the element names.
    pub node: Node,
    /// The list without it; `None` when it was the only one.
    pub before: Option<&'a [u8]>,
}

/// For whom a proxy called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Node {
    /// An address; a mapped one is its IPv4 address.
    Address(IpAddr),
    /// Somebody whom the proxy does not know or name: `unknown`, `_hidden`.
    Hidden,
}

/// The last element is not what its format says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// Longest node that is read: an IPv6 address in brackets with a port is shorter.
const NODE_MAX: usize = 64;

/// Takes the last element off an `X-Forwarded-For` list.
///
/// An element is an address, with or without a port; an IPv6 address stands in brackets when a port follows.
///
/// # Errors
/// [`Malformed`] when the last element is neither an address nor `unknown`.
pub fn x_forwarded_for(list: &[u8]) -> Result<Last<'_>, Malformed> {
    let (before, element) =
        match list.iter().rposition(|byte| *byte == b',').and_then(|comma| list.split_at_checked(comma)) {
            Some((before, element)) => (Some(before), element.get(1..).unwrap_or_default()),
            None => (None, list),
        };
    let text = core::str::from_utf8(trim(element)).map_err(|_| Malformed)?;
    let node = match text.parse::<Ipv6Addr>() {
        Ok(bare) => address(bare.into())?,
        Err(_) => node(text, false)?,
    };
    Ok(Last { node, before })
}

/// Takes the last element off a `Forwarded` list. It must have a `for`, and every parameter once at most.
///
/// # Errors
/// [`Malformed`] when the last element breaks the grammar of RFC 7239, section 4 and 6.
pub fn forwarded(list: &[u8]) -> Result<Last<'_>, Malformed> {
    let (before, element) = match last_comma(list)?.and_then(|comma| list.split_at_checked(comma)) {
        Some((before, element)) => (Some(before), element.get(1..).unwrap_or_default()),
        None => (None, list),
    };
    Ok(Last { node: element_for(trim(element))?, before })
}

/// The place of the last comma outside quotes. A quote that a caller left open farther left is not reached.
fn last_comma(list: &[u8]) -> Result<Option<usize>, Malformed> {
    let mut quoted = false;
    for (at, byte) in list.iter().enumerate().rev() {
        match byte {
            b'"' if !(quoted && escaped(list, at)) => quoted = !quoted,
            b',' if !quoted => return Ok(Some(at)),
            _ => {}
        }
    }
    if quoted { Err(Malformed) } else { Ok(None) }
}

fn escaped(list: &[u8], at: usize) -> bool {
    let before = list.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Reads one element: pairs with semicolons between them.
fn element_for(element: &[u8]) -> Result<Node, Malformed> {
    /// RFC 7239 names four; others may be registered.
    const PARAMETERS_MAX: usize = 8;
    let mut names: [&[u8]; PARAMETERS_MAX] = [b""; PARAMETERS_MAX];
    let mut found = None;
    let mut rest = element;
    loop {
        let (name, behind) = split_token(rest);
        rest = behind;
        if !name.is_empty() {
            if names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                return Err(Malformed);
            }
            *names.iter_mut().find(|place| place.is_empty()).ok_or(Malformed)? = name;
            let (value, behind) = value(behind.strip_prefix(b"=").ok_or(Malformed)?)?;
            if name.eq_ignore_ascii_case(b"for") {
                found = Some(node(core::str::from_utf8(&value).map_err(|_| Malformed)?, true)?);
            }
            rest = behind;
        }
        match rest.split_first() {
            None => return found.ok_or(Malformed),
            // Empty pairs are part of the grammar.
            Some((b';', behind)) => rest = behind,
            Some(_) => return Err(Malformed),
        }
    }
}

/// A token or a quoted string, and what stands behind it.
fn value(text: &[u8]) -> Result<(Cow<'_, [u8]>, &[u8]), Malformed> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let (token, behind) = split_token(text);
        return if token.is_empty() { Err(Malformed) } else { Ok((token.into(), behind)) };
    };
    let mut value = Vec::new();
    let mut bytes = quoted.iter();
    loop {
        match *bytes.next().ok_or(Malformed)? {
            b'"' => return Ok((value.into(), bytes.as_slice())),
            b'\\' => value.push(*bytes.next().filter(|byte| is_text(**byte)).ok_or(Malformed)?),
            byte if is_text(byte) => value.push(byte),
            _ => return Err(Malformed),
        }
    }
}

/// An address with or without a port, or who is unknown. `names`: a made-up name may stand for either.
fn node(text: &str, names: bool) -> Result<Node, Malformed> {
    if text.len() > NODE_MAX {
        return Err(Malformed);
    }
    if let Some(inner) = text.strip_prefix('[') {
        let (inner, behind) = inner.split_once(']').ok_or(Malformed)?;
        port(behind, names)?;
        return address(inner.parse::<Ipv6Addr>().map_err(|_| Malformed)?.into());
    }
    let (name, behind) = text.split_at(text.find(':').unwrap_or(text.len()));
    port(behind, names)?;
    if name.eq_ignore_ascii_case("unknown") || names && is_obfuscated(name) {
        return Ok(Node::Hidden);
    }
    address(name.parse::<Ipv4Addr>().map_err(|_| Malformed)?.into())
}

/// Nothing, or a colon and a port; `hidden`: the port may be hidden behind a name.
fn port(text: &str, hidden: bool) -> Result<(), Malformed> {
    let Some(port) = text.strip_prefix(':') else {
        return if text.is_empty() { Ok(()) } else { Err(Malformed) };
    };
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    if digits && port.parse::<u16>().is_ok() || hidden && is_obfuscated(port) { Ok(()) } else { Err(Malformed) }
}

fn is_obfuscated(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    text.strip_prefix('_').is_some_and(|name| !name.is_empty() && name.bytes().all(legal))
}

/// An address that a caller can have.
fn address(address: IpAddr) -> Result<Node, Malformed> {
    if is_callers(address) { Ok(Node::Address(address.to_canonical())) } else { Err(Malformed) }
}

/// Whether one machine can call from this address.
pub(super) fn is_callers(address: IpAddr) -> bool {
    let address = address.to_canonical();
    !address.is_unspecified() && !address.is_multicast() && address != IpAddr::V4(Ipv4Addr::BROADCAST)
}

fn split_token(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !is_token(*byte)).unwrap_or(text.len()))
}

/// A character of a token. Source: RFC 9110, section 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// A character of a quoted string.
const fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

fn trim(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !is_space(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(read: fn(&[u8]) -> Result<Last<'_>, Malformed>, list: &str, node: &str, before: Option<&str>) {
        let last = read(list.as_bytes()).unwrap_or_else(|_| panic!("{list}"));
        let expected = if node == "hidden" { Node::Hidden } else { Node::Address(node.parse().unwrap()) };
        assert_eq!((last.node, last.before), (expected, before.map(str::as_bytes)), "{list}");
    }

    #[test]
    fn the_last_element_is_taken_and_the_rest_is_left_unread() {
        check(x_forwarded_for, "192.0.2.1", "192.0.2.1", None);
        check(x_forwarded_for, "<junk>,\"\\, 192.0.2.1:80 ", "192.0.2.1", Some("<junk>,\"\\"));
        check(x_forwarded_for, "a, 2001:db8::1", "2001:db8::1", Some("a"));
        check(x_forwarded_for, "[2001:db8::1]:443", "2001:db8::1", None);
        check(x_forwarded_for, "::ffff:192.0.2.1", "192.0.2.1", None);
        check(x_forwarded_for, "unknown", "hidden", None);
        check(forwarded, "for=192.0.2.1", "192.0.2.1", None);
        check(forwarded, "For=\"[2001:db8::1]:4711\";proto=https;;", "2001:db8::1", None);
        check(forwarded, "for=\"192.0.2.1:_p\"", "192.0.2.1", None);
        check(forwarded, "for=\"open, for=192.0.2.1", "192.0.2.1", Some("for=\"open"));
        check(forwarded, "x=\", for=_a;host=\"b, for=1.1.1.1\"", "hidden", Some("x=\""));
        check(forwarded, "for=192.0.2.1;host=\"a\\\\\\\", for=\\\"1.1.1.1\"", "192.0.2.1", None);
    }

    #[test]
    fn what_breaks_the_grammar_is_malformed() {
        for list in [
            "",
            " ",
            "a,",
            "192.0.2.1,",
            "192.0.2",
            "192.0.2.01",
            "192.0.2.1:",
            "192.0.2.1:x",
            "192.0.2.1:65536",
            "192.0.2.1 192.0.2.2",
            "[2001:db8::1",
            "2001:db8::1]",
            "[192.0.2.1]",
            "fe80::1%eth0",
            "[fe80::1%25e]",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "_a",
            "for=192.0.2.1",
            "192.0.2.1;",
            "\"192.0.2.1\"",
        ] {
            assert_eq!(x_forwarded_for(list.as_bytes()), Err(Malformed), "{list}");
        }
        for list in [
            "",
            "for",
            "for=",
            "for=\"\"",
            "for=192.0.2.1:80",
            "for=[2001:db8::1]",
            "for=2001:db8::1",
            "by=192.0.2.1",
            "for=\"2001:db8::1\"",
            "for=192.0.2.1;for=192.0.2.1",
            "for=192.0.2.1;proto=a;PROTO=b",
            "for=192.0.2.1 ;by=_a",
            "for=\"192.0.2.1",
            "for=\"192.0.2.1\"x",
            "for = 192.0.2.1",
            "for=192.0.2.1,",
            "192.0.2.1",
            "=192.0.2.1",
            "for=_",
            "for=\"_a b\"",
            "for=\"[::]\"",
            "for=192.0.2.1;a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1",
        ] {
            assert_eq!(forwarded(list.as_bytes()), Err(Malformed), "{list}");
        }
    }
}

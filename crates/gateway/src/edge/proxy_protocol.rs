//! The PROXY protocol, versions 1 and 2: the first bytes of a connection, by which a proxy tells who connected to it.
//!
//! Source: "The PROXY protocol, versions 1 & 2", 2020-03-05.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use latchkey_admission::call::FoundBy;

use super::forwarded::is_callers;

/// Longest preamble that is read: version 2 with its header and room for extensions.
pub const PREAMBLE_MAX: usize = 16 + 2048;

/// How far the first bytes of a connection can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preamble {
    /// At least so many more bytes belong to it.
    More(usize),
    /// A whole one.
    Whole(Origin),
}

/// Who connected to the proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A caller, and the version that told.
    Caller(IpAddr, FoundBy),
    /// The proxy itself, to see whether the server is well.
    Proxy,
}

/// The bytes are no preamble that tells an origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

const V1_START: &[u8] = b"PROXY ";
/// The longest line of version 1, its end included.
const V1_MAX: usize = 107;
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_HEADER: usize = 16;

/// Reads a preamble, which must be all that `bytes` hold: whoever reads asks for as much as is missing.
///
/// # Errors
/// `Malformed` as soon as the bytes cannot become a preamble that names an origin: another protocol, `UNKNOWN`,
/// datagrams, local sockets, addresses that nobody calls from.
pub fn preamble(bytes: &[u8]) -> Result<Preamble, Malformed> {
    if bytes.starts_with(V2_START) {
        return version_2(bytes);
    }
    if bytes.starts_with(V1_START) {
        return version_1(bytes);
    }
    if V2_START.starts_with(bytes) {
        return Ok(Preamble::More(V2_START.len() - bytes.len()));
    }
    if V1_START.starts_with(bytes) {
        return Ok(Preamble::More(V1_START.len() - bytes.len()));
    }
    Err(Malformed)
}

fn version_1(bytes: &[u8]) -> Result<Preamble, Malformed> {
    let Some(line) = bytes.strip_suffix(b"\r\n") else {
        let may_end = !bytes.contains(&b'\n') && bytes.len() < V1_MAX;
        let missing = if bytes.ends_with(b"\r") { 1 } else { 2 };
        return if may_end { Ok(Preamble::More(missing)) } else { Err(Malformed) };
    };
    let line = core::str::from_utf8(line).map_err(|_| Malformed)?;
    if bytes.len() > V1_MAX || line.contains(['\r', '\n']) {
        return Err(Malformed);
    }
    let mut words = line.split(' ');
    let mut word = || words.next().ok_or(Malformed);
    let (_, family, source, target, source_port, target_port) = (word()?, word()?, word()?, word()?, word()?, word()?);
    if words.next().is_some() || !is_port(source_port) || !is_port(target_port) {
        return Err(Malformed);
    }
    let source: IpAddr = match family {
        "TCP4" => both::<Ipv4Addr>(source, target)?.into(),
        "TCP6" => both::<Ipv6Addr>(source, target)?.into(),
        _ => return Err(Malformed),
    };
    caller(source, FoundBy::ProxyV1)
}

/// The source, when the target is of its family too.
fn both<T: core::str::FromStr>(source: &str, target: &str) -> Result<T, Malformed> {
    target.parse::<T>().and(source.parse()).map_err(|_| Malformed)
}

/// A decimal number without leading zeros.
fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok()
        && (text == "0" || !text.starts_with('0'))
}

fn version_2(bytes: &[u8]) -> Result<Preamble, Malformed> {
    let Some((header, rest)) = bytes.split_first_chunk::<V2_HEADER>() else {
        return Ok(Preamble::More(V2_HEADER - bytes.len()));
    };
    let [.., command, family, high, low] = *header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if V2_HEADER + length > PREAMBLE_MAX || rest.len() > length {
        return Err(Malformed);
    }
    if rest.len() < length {
        return Ok(Preamble::More(length - rest.len()));
    }
    match (command, family) {
        // What follows is to be skipped, whatever it is.
        (0x20, _) => Ok(Preamble::Whole(Origin::Proxy)),
        // Each family has two addresses, then two ports.
        (0x21, 0x11) => {
            let (addresses, extensions) = rest.split_first_chunk::<12>().ok_or(Malformed)?;
            check_extensions(extensions)?;
            let [a, b, c, d, ..] = *addresses;
            caller(Ipv4Addr::new(a, b, c, d).into(), FoundBy::ProxyV2)
        }
        (0x21, 0x21) => {
            let (addresses, extensions) = rest.split_first_chunk::<36>().ok_or(Malformed)?;
            check_extensions(extensions)?;
            let (source, _) = addresses.split_first_chunk::<16>().ok_or(Malformed)?;
            caller(Ipv6Addr::from(*source).into(), FoundBy::ProxyV2)
        }
        _ => Err(Malformed),
    }
}

/// Extensions are not used, but must be whole: type, length, value.
fn check_extensions(mut rest: &[u8]) -> Result<(), Malformed> {
    while let Some((&[_, high, low], behind)) = rest.split_first_chunk::<3>() {
        rest = behind.get(usize::from(u16::from_be_bytes([high, low]))..).ok_or(Malformed)?;
    }
    if rest.is_empty() { Ok(()) } else { Err(Malformed) }
}

fn caller(address: IpAddr, found_by: FoundBy) -> Result<Preamble, Malformed> {
    if !is_callers(address) {
        return Err(Malformed);
    }
    Ok(Preamble::Whole(Origin::Caller(address.to_canonical(), found_by)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(address: &str, found_by: FoundBy) -> Result<Preamble, Malformed> {
        Ok(Preamble::Whole(Origin::Caller(address.parse().unwrap(), found_by)))
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2_START, &[command, family], &length, rest].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 1, 0, 80, 1, 187];

    #[test]
    fn both_versions_name_the_caller() {
        let line = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
        assert_eq!(preamble(line), whole("192.0.2.1", FoundBy::ProxyV1));
        let line = b"PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n";
        assert_eq!(preamble(line), whole("2001:db8::1", FoundBy::ProxyV1));
        assert_eq!(preamble(&v2(0x21, 0x11, &V4)), whole("192.0.2.1", FoundBy::ProxyV2));
        let mut v6 = [0; 36];
        v6[..16].copy_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(preamble(&v2(0x21, 0x21, &v6)), whole("2001:db8::1", FoundBy::ProxyV2));
        let mapped = b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n";
        assert_eq!(preamble(mapped), whole("192.0.2.1", FoundBy::ProxyV1));
        for rest in [&V4[..], b"", b"\x03"] {
            assert_eq!(preamble(&v2(0x20, 0, rest)), Ok(Preamble::Whole(Origin::Proxy)));
        }
        let extended = [&V4[..], &[0x04, 0, 2, 9, 9, 0x03, 0, 0]].concat();
        assert_eq!(preamble(&v2(0x21, 0x11, &extended)), whole("192.0.2.1", FoundBy::ProxyV2));
    }

    #[test]
    fn every_beginning_of_a_preamble_asks_for_more_and_never_for_too_much() {
        for bytes in [b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".to_vec(), v2(0x21, 0x11, &V4)] {
            for cut in 0..bytes.len() {
                match preamble(&bytes[..cut]) {
                    Ok(Preamble::More(more)) => assert!((1..=bytes.len() - cut).contains(&more), "{cut}: {more}"),
                    other => panic!("{cut}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for line in [
            "GET / HTTP/1.1\r\n",
            "proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY UNKNOWN\r\n",
            "PROXY \r\n",
            "PROXY UNKNOWN 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1  2\r\n",
            "PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.01 198.51.100.1 1 2\r\n",
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY TCP4 0.0.0.0 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n",
            "PROXY TCP4 192.0.2.1\r 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\nG",
            "PROXY TCP6 ff02::1 ::1 1 2\r\n",
        ] {
            assert_eq!(preamble(line.as_bytes()), Err(Malformed), "{line:?}");
        }
        assert_eq!(preamble(format!("PROXY TCP4 {}", "1".repeat(V1_MAX)).as_bytes()), Err(Malformed));
        for (command, family) in [(0x21, 0), (0x21, 0x12), (0x21, 0x22), (0x21, 0x31), (0x22, 0x11), (0x11, 0x11)] {
            assert_eq!(preamble(&v2(command, family, &V4)), Err(Malformed), "{command:x} {family:x}");
        }
        assert_eq!(preamble(&v2(0x21, 0x11, &V4[..11])), Err(Malformed), "addresses are missing");
        assert_eq!(preamble(&v2(0x21, 0x21, &V4)), Err(Malformed), "addresses are missing");
        let cut = [&V4[..], &[0x04, 0, 2, 9]].concat();
        assert_eq!(preamble(&v2(0x21, 0x11, &cut)), Err(Malformed), "an extension is cut");
        assert_eq!(preamble(&v2(0x21, 0x11, &[0; 2049])), Err(Malformed), "longer than any");
        let behind = [v2(0x21, 0x11, &V4), vec![b'G']].concat();
        assert_eq!(preamble(&behind), Err(Malformed), "more than the preamble was read");
    }
}

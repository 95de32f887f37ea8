//! Requests as the rows of a table write them: bytes with escapes and values filled in.

use std::net::SocketAddr;

use crate::server::wall_us;
use crate::signed::Key;

/// The values that a row may name.
pub(crate) struct Values<'a> {
    pub(crate) host: SocketAddr,
    pub(crate) key: &'a Key,
}

const MARKS: [&str; 3] = ["{sig}", "{SIG}", "{b64}"];

impl Values<'_> {
    /// The bytes of a row.
    pub(crate) fn fill(&self, template: &str) -> Vec<u8> {
        let now = wall_us();
        let text = template
            .replace("{H}", "Host: {host}\\r\\n")
            .replace("{K}", "X-MBX-APIKEY: {key}\\r\\n")
            .replace("{v}", " HTTP/1.1\\r\\n")
            .replace("{host}", &self.host.to_string())
            .replace("{key}", &self.key.api_key)
            .replace("{ts}", &(now / 1000).to_string())
            .replace("{us}", &now.to_string());
        let bytes = self.signed(unescape(&repeat(&text)));
        let length = body(&bytes).len().to_string();
        replace(&bytes, b"{len}", length.as_bytes())
    }

    fn signed(&self, bytes: Vec<u8>) -> Vec<u8> {
        let Some(mark) = MARKS.into_iter().find(|mark| find(&bytes, mark.as_bytes()).is_some()) else { return bytes };
        let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let target = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let query = find(target, b"?").map_or(&[][..], |at| &target[at + 1..]);
        let payload = [cut(query, mark), cut(body(&bytes), mark)].concat();
        let signature = self.key.sign_bytes(&payload);
        let signature = match mark {
            "{SIG}" => signature.to_uppercase(),
            // Forty-four characters that say the same as another encoding would.
            "{b64}" => "q".repeat(43) + "=",
            _ => signature,
        };
        replace(&bytes, mark.as_bytes(), signature.as_bytes())
    }
}

/// A part of the payload without its signature and one adjoining `&`.
fn cut(part: &[u8], mark: &str) -> Vec<u8> {
    let pair = format!("signature={mark}");
    let front = replace(part, format!("{pair}&").as_bytes(), b"");
    if front.len() < part.len() && part.starts_with(pair.as_bytes()) {
        return front;
    }
    replace(&replace(part, format!("&{pair}").as_bytes(), b""), pair.as_bytes(), b"")
}

/// What stands behind the first empty line.
fn body(bytes: &[u8]) -> &[u8] {
    find(bytes, b"\r\n\r\n").map_or(&[], |at| &bytes[at + 4..])
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn replace(bytes: &[u8], part: &[u8], by: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), bytes);
    while let Some(at) = find(rest, part) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by);
        rest = &rest[at + part.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// `{3*ab}` is `ababab`.
fn repeat(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        out.push_str(before);
        let repeated =
            from[1..].split_once('*').and_then(|(count, more)| Some((count.parse().ok()?, more.split_once('}')?)));
        rest = match repeated {
            Some((count, (part, behind))) => {
                out.push_str(&part.repeat(count));
                behind
            }
            None => {
                out.push('{');
                &from[1..]
            }
        };
    }
    out + rest
}

fn unescape(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match rest.next() {
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'0') => 0,
            Some(b'x') => {
                let digits =
                    [rest.next(), rest.next()].map(|digit| digit.and_then(|byte| char::from(byte).to_digit(16)));
                match digits {
                    [Some(high), Some(low)] => u8::try_from(high * 16 + low).expect("two digits"),
                    _ => panic!("`\\x` needs two digits in {text}"),
                }
            }
            Some(b'\\') => b'\\',
            other => panic!("unknown escape {other:?} in {text}"),
        });
    }
    out
}

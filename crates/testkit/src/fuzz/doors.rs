//! What arrives before and around a request: preambles of proxies, forwarding headers, message signatures.

use latchkey_gateway::edge::parsers::{Origin, Preamble, forwarded, preamble, x_forwarded_for};
use latchkey_protocol::message_signature::{MessageSignature, RequestParts};

/// A preamble is whole, wants more, or is refused; it never wants more without end.
pub(super) fn proxy(data: &[u8]) {
    const LONGEST: usize = 4096;
    match preamble(data) {
        Ok(Preamble::More(more)) => {
            assert!(more > 0, "wanting nothing is being whole");
            assert!(data.len() + more <= LONGEST, "a preamble is bounded");
        }
        Ok(Preamble::Whole(Origin::Caller(address, _))) => {
            assert!(!address.is_unspecified() && !address.is_multicast(), "nobody calls from there");
        }
        Ok(Preamble::Whole(Origin::Proxy)) | Err(_) => {}
    }
}

/// Taking elements off a list ends, and each step leaves less.
pub(super) fn forwarding(data: &[u8]) {
    for take in [forwarded, x_forwarded_for] {
        let (mut list, mut steps) = (Some(data), 0);
        while let Some(rest) = list {
            let Ok(last) = take(rest) else { break };
            assert!(last.before.is_none_or(|before| before.len() < rest.len()), "each step leaves less");
            list = last.before;
            steps += 1;
            assert!(steps <= data.len() + 1, "the steps end");
        }
    }
}

/// Whatever else of a request changes, the bytes to be signed change.
pub(super) fn message_signature(data: &[u8]) {
    let (input, signature) = match data.iter().position(|byte| *byte == 0) {
        Some(at) => (data.get(..at).unwrap_or_default(), data.get(at + 1..).unwrap_or_default()),
        None => (data, &b"sig1=:AAAA:"[..]),
    };
    let Ok(read) = MessageSignature::parse(input, signature) else { return };
    if read.check_covers(false).is_err() {
        return;
    }
    let parts = RequestParts { method: "GET", authority: "keys.example.com", path: "/a", query: b"b=1" };
    let base = |parts: &RequestParts<'_>| read.base(parts, &mut |_| Some(Vec::new()));
    let Ok(signed) = base(&parts) else { return };
    for other in [
        RequestParts { method: "PUT", ..parts },
        RequestParts { authority: "keys.example.org", ..parts },
        RequestParts { path: "/c", ..parts },
        RequestParts { query: b"b=2", ..parts },
    ] {
        assert_ne!(base(&other).ok(), Some(signed.clone()), "every part is covered");
    }
}

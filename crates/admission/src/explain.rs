//! What the owner of a key is told about a refusal: the exact reason with what the server saw.

use std::fmt::Write as _;

use latchkey_authority::effective::DeadReason;
use latchkey_protocol::params::ParamsError;

use crate::trail::CallRecord;
use crate::{Reason, Rejection};

/// How much of a signed payload is kept, in bytes.
pub(crate) const PAYLOAD_MAX: usize = 1024;

/// Parameters whose values are secrets of the caller, or that people put one into: a private key as `publicKey`.
const SECRET_PARAMETERS: [&[u8]; 4] = [b"listenKey", b"listenToken", b"token", b"publicKey"];

/// Components of a message signature that tell no secret as they stand. Every other may be a credential.
const OPEN_COMPONENTS: [&[u8]; 8] = [
    b"@method",
    b"@authority",
    b"@path",
    b"@signature-params",
    b"content-digest",
    b"content-length",
    b"content-type",
    b"x-mbx-apikey",
];

const REMOVED: &[u8] = b"(removed)";

impl Rejection {
    /// The reason in plain English, for the owner of the key alone.
    pub fn explain(&self, record: &CallRecord) -> String {
        let source = record.peer;
        match &self.reason {
            Reason::NoSuchEndpoint => "no route has this path".to_owned(),
            Reason::MethodNotAllowed { method } => format!("the route exists, but not with the method `{method}`"),
            Reason::NotAvailable { path } => format!("`{path}` is in the contract, but this venue does not offer it"),
            Reason::ApiKeyMissing => "the header `X-MBX-APIKEY` is missing".to_owned(),
            Reason::ApiKeyRepeated => "the header `X-MBX-APIKEY` was sent more than once".to_owned(),
            Reason::ApiKeyMalformed => "the header `X-MBX-APIKEY` is not 64 letters and digits".to_owned(),
            Reason::TimeUnit => "the header `X-MBX-TIME-UNIT` is neither MILLISECOND nor MICROSECOND".to_owned(),
            Reason::SbeDisabled => "the answer was asked for in SBE, which is not offered".to_owned(),
            Reason::Params(error) => params(error).to_owned(),
            Reason::BodyOnGet => "a GET request carried a body".to_owned(),
            Reason::FieldMissing(name) => format!("the parameter `{name}` is missing"),
            Reason::FieldEmpty(name) => format!("the parameter `{name}` is empty"),
            Reason::FieldIllegal { name, range } => format!("the parameter `{name}` does not match `{range}`"),
            Reason::FieldNotRequired(name) => {
                format!("the parameter `{name}` has no place in a call that is signed by a message signature")
            }
            Reason::Message(error) => format!("the message signature cannot be used: {error}"),
            Reason::RecvWindowTooLarge { max_ms } => format!("`recvWindow` is over the largest, {max_ms} ms"),
            Reason::RecvWindowPrecision => "`recvWindow` has more than three decimals".to_owned(),
            Reason::KeyUnknown => "no key has this name".to_owned(),
            Reason::KeyDead(reason) => format!("the key is not in use: {}", dead(*reason)),
            Reason::IpNotAllowed => {
                format!("the call came from `{source}`, which no entry of the key's IP list covers")
            }
            Reason::WalletChanged => "the key came to unlock another wallet while the call was under way".to_owned(),
            Reason::TimestampTooOld { behind_us } => {
                let mut text = format!("`timestamp` is {} ms behind the server", behind_us / 1000);
                text.push_str(", which is more than `recvWindow`: set the client's clock, or send faster");
                text
            }
            Reason::TimestampAhead { ahead_us } => {
                format!("`timestamp` is {} ms ahead of the server: set the client's clock", ahead_us / 1000)
            }
            Reason::SignatureShape(what) => format!("the signature is {what}"),
            Reason::SignatureWrong => {
                "the signature does not hold for the bytes that the server received: compare the \
                                       payload shown here with what was signed, byte for byte"
                    .to_owned()
            }
            Reason::ContentDigestWrong => {
                "the signature holds, but the body is not the one whose digest it covers".to_owned()
            }
            Reason::KeyUnusable => "the key's stored secret could not be opened; its operator has to look".to_owned(),
            Reason::PermissionMissing(permission) => {
                format!("the key does not have the permission `{}` in force", permission.as_str())
            }
            Reason::KeyKind => "keys of this kind never reach this route".to_owned(),
            Reason::SymbolNotWhitelisted => "the symbol is not on the key's whitelist".to_owned(),
            Reason::Unreadable(error) | Reason::Parameter(error) | Reason::Venue(error) => error.message(),
            Reason::UnreadParameters { read, sent, .. } => {
                format!("{sent} parameters were sent, of which the route reads {read}")
            }
            Reason::StampedBeforeStart => {
                "`timestamp` is from before the server's start, and so is what it could have been sent as before: sign \
                 it again"
                    .to_owned()
            }
            Reason::ProofNotAccepted => {
                "the key is set not to accept this way of signing: `latchkey key edit KEY --accepts both` lets it"
                    .to_owned()
            }
            Reason::SignatureUsed { .. } => {
                "the same bytes with the same signature were carried out before: sign with another `timestamp`"
                    .to_owned()
            }
            Reason::SignatureElsewhere { .. } => {
                "the same signature came on another route: sign each call of its own, with another `timestamp`"
                    .to_owned()
            }
            Reason::ReplayMemoryFull => {
                "the key made more calls within their windows than are remembered: use a shorter `recvWindow`"
                    .to_owned()
            }
            Reason::Limited { what, limit } => {
                format!("the limit `{}` of {limit} is used up in its window", what.name())
            }
            Reason::Banned { until, .. } => {
                format!("the address `{source}` is banned until {} ms after the epoch", until.as_millis())
            }
            Reason::TooManyOrders { limit, .. } => {
                format!("the account has placed {limit} orders that did not trade yet")
            }
            Reason::Busy => "the server had too much to do; nothing was done".to_owned(),
        }
    }
}

const fn params(error: &ParamsError) -> &'static str {
    match error {
        ParamsError::Duplicate => "a parameter stands twice",
        ParamsError::TooMany => "more parameters than are ever read",
        ParamsError::MalformedPair => "a pair of query or body has no `=`",
        ParamsError::IllegalName => "the name of a parameter has characters that none has",
        ParamsError::BadEncoding => "a percent sign is not followed by two hexadecimal digits",
    }
}

const fn dead(reason: DeadReason) -> &'static str {
    match reason {
        DeadReason::Deleted => "it was deleted",
        DeadReason::Expired => "its life without an IP list is over",
        DeadReason::Disabled => "it was disabled",
        DeadReason::AccountFrozen => "its account, or the master of it, is frozen",
        DeadReason::KycTooLow => "its owner is not verified-plus",
        DeadReason::Retired => "a successor took its place",
        DeadReason::ResidenceRestricted => "its owner lives where margin is restricted",
    }
}

/// The parts of a payload that a signature was computed over, as an owner may see it: without values of secrets, cut
/// after [`PAYLOAD_MAX`] bytes, and what is not printable ASCII as `\xNN`. Each part holds whole pairs.
pub(crate) fn shown_payload(parts: &[&[u8]]) -> Box<str> {
    let mut open = Vec::new();
    parts.iter().for_each(|part| open_pairs(&mut open, part));
    shown(&open)
}

/// The same of the base of a message signature.
pub(crate) fn shown_base(base: &[u8]) -> Box<str> {
    let mut open = Vec::new();
    for (index, line) in base.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            open.push(b'\n');
        }
        // INVARIANT: a base is lines of a quoted name, a colon, a space and a value.
        let name = line.get(1..).and_then(|rest| rest.split(|byte| *byte == b'"').next()).unwrap_or_default();
        let (head, value) = line.split_at_checked(name.len() + 4).unwrap_or((line, b""));
        open.extend_from_slice(head);
        match name {
            b"@query" => {
                let (mark, pairs) = value.split_at_checked(1).unwrap_or_default();
                open.extend_from_slice(mark);
                open_pairs(&mut open, pairs);
            }
            name if OPEN_COMPONENTS.contains(&name) => open.extend_from_slice(value),
            _ => open.extend_from_slice(REMOVED),
        }
    }
    shown(&open)
}

/// Pairs without the values of secrets.
fn open_pairs(open: &mut Vec<u8>, pairs: &[u8]) {
    for (index, pair) in pairs.split(|byte| *byte == b'&').enumerate() {
        if index > 0 {
            open.push(b'&');
        }
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        if name.len() < pair.len() && SECRET_PARAMETERS.contains(&name) {
            open.extend_from_slice(name);
            open.push(b'=');
            open.extend_from_slice(REMOVED);
        } else {
            open.extend_from_slice(pair);
        }
    }
}

fn shown(bytes: &[u8]) -> Box<str> {
    let mut shown = String::with_capacity(bytes.len().min(PAYLOAD_MAX) + 16);
    for byte in bytes {
        push_byte(&mut shown, *byte);
        if shown.len() > PAYLOAD_MAX {
            shown.truncate(PAYLOAD_MAX);
            shown.push_str("...");
            break;
        }
    }
    shown.into()
}

fn push_byte(shown: &mut String, byte: u8) {
    if byte.is_ascii_graphic() || byte == b' ' {
        shown.push(char::from(byte));
    } else {
        // Writing to a `String` does not fail.
        let _ = write!(shown, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_shown_without_secrets_and_without_control_characters() {
        let shown = shown_payload(&[b"symbol=BTCUSDT&listenKey=abc&listenKeys=1&note=a\x1b[2J\xff", b"&timestamp=1"]);
        assert_eq!(&*shown, "symbol=BTCUSDT&listenKey=(removed)&listenKeys=1&note=a\\x1b[2J\\xff&timestamp=1");
        let pasted = shown_payload(&[b"apiName=a&publicKey=-----BEGIN+PRIVATE+KEY-----&ip=192.0.2.1"]);
        assert_eq!(&*pasted, "apiName=a&publicKey=(removed)&ip=192.0.2.1");
    }

    #[test]
    fn a_secret_at_the_start_of_a_body_is_removed() {
        assert_eq!(&*shown_payload(&[b"symbol=X", b"listenKey=SECRET&a=1"]), "symbol=XlistenKey=(removed)&a=1");
        assert_eq!(&*shown_payload(&[b"a=1&", b"token=SECRET", b""]), "a=1&token=(removed)");
    }

    #[test]
    fn the_base_of_a_message_shows_neither_credentials_nor_secret_parameters() {
        let base = b"\"@method\": POST\n\"@path\": /api/v3/order\n\"@query\": ?listenKey=SECRET&symbol=X&token=SECRET\n\
            \"authorization\": Bearer SECRET\n\"cookie\": a=SECRET\n\"x-mbx-apikey\": name\n\"content-digest\": sha-256=:a:\n\
            \"@signature-params\": (\"@method\");created=1";
        let expected = "\"@method\": POST\\x0a\"@path\": /api/v3/order\\x0a\
            \"@query\": ?listenKey=(removed)&symbol=X&token=(removed)\\x0a\
            \"authorization\": (removed)\\x0a\"cookie\": (removed)\\x0a\"x-mbx-apikey\": name\\x0a\
            \"content-digest\": sha-256=:a:\\x0a\"@signature-params\": (\"@method\");created=1";
        assert_eq!(&*shown_base(base), expected);
        assert_eq!(&*shown_base(b"\"@query\": ?\n\"a\": "), "\"@query\": ?\\x0a\"a\": (removed)");
    }

    #[test]
    fn a_long_payload_is_cut() {
        let shown = shown_payload(&[&[b'a'; 5000]]);
        assert_eq!(shown.len(), PAYLOAD_MAX + 3);
        assert!(shown.ends_with("a..."));
    }
}

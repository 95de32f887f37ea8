//! What one reply says about one request.

use latchkey_protocol::code::{self, ErrorRow};

use crate::outcome::Refusal;

/// What a reply other than a success means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Not executed; may be sent again later.
    Busy,
    /// Not executed: the timestamp was outside its window or ahead.
    ClockOff,
    /// Nothing is under this id.
    NoSuchOrder,
    /// An order under this id exists already.
    Duplicate,
    /// Not executed.
    Refused,
    /// It may have been executed.
    Uncertain,
}

/// Rows that say "execution status unknown", whatever the status is.
static UNKNOWN: [&ErrorRow; 3] = [&code::DISCONNECTED, &code::UNEXPECTED_RESPONSE, &code::TIMEOUT];
/// The body of a 503 that the venue promises to be a failure.
/// Source: derivatives general information, 2026-01-15.
const UNAVAILABLE_TEXT: &str = "Service Unavailable.";

pub(crate) fn judge(refusal: &Refusal) -> Verdict {
    let busy_engine = refusal.code == Some(code::SERVER_BUSY.code) || refusal.message == UNAVAILABLE_TEXT;
    match (refusal.status, refusal.code) {
        (429 | 418, _) => Verdict::Busy,
        (_, Some(code)) if UNKNOWN.iter().any(|row| row.code == code) => Verdict::Uncertain,
        (503, _) if busy_engine => Verdict::Busy,
        (500.., _) => Verdict::Uncertain,
        (_, Some(code)) if code == code::OUTSIDE_RECV_WINDOW.code => Verdict::ClockOff,
        (_, Some(code)) if code == code::NO_SUCH_ORDER.code => Verdict::NoSuchOrder,
        (_, Some(code)) if code == code::DUPLICATE_ORDER.code && refusal.message == code::DUPLICATE_ORDER.text => {
            Verdict::Duplicate
        }
        _ => Verdict::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Reply;

    #[test]
    fn every_kind_of_reply_has_its_verdict() {
        let rows: &[(u16, &str, Verdict)] = &[
            (429, r#"{"code":-1003,"msg":"Too many requests queued."}"#, Verdict::Busy),
            (429, r#"{"code":-1015,"msg":"Too many new orders."}"#, Verdict::Busy),
            (418, "", Verdict::Busy),
            (503, r#"{"code":-1008,"msg":"Server is currently overloaded."}"#, Verdict::Busy),
            (503, r#"{"code":0,"msg":"Service Unavailable."}"#, Verdict::Busy),
            (503, "Service Unavailable.", Verdict::Busy),
            (
                503,
                r#"{"code":-1000,"msg":"Unknown error, please check your request or try again later."}"#,
                Verdict::Uncertain,
            ),
            (503, "<html>no backend</html>", Verdict::Uncertain),
            (500, r#"{"code":-1000,"msg":"An unknown error"}"#, Verdict::Uncertain),
            (502, "", Verdict::Uncertain),
            (504, r#"{"code":-1007,"msg":"Timeout"}"#, Verdict::Uncertain),
            (400, r#"{"code":-1006,"msg":"An unexpected response"}"#, Verdict::Uncertain),
            (400, r#"{"code":-1007,"msg":"Timeout"}"#, Verdict::Uncertain),
            (400, r#"{"code":-1001,"msg":"Internal error"}"#, Verdict::Uncertain),
            (400, r#"{"code":-1021,"msg":"Timestamp"}"#, Verdict::ClockOff),
            (400, r#"{"code":-2013,"msg":"Order does not exist."}"#, Verdict::NoSuchOrder),
            (400, r#"{"code":-2010,"msg":"Duplicate order sent."}"#, Verdict::Duplicate),
            (400, r#"{"code":-2010,"msg":"Account has insufficient balance for requested action."}"#, Verdict::Refused),
            (400, r#"{"code":-1022,"msg":"Signature"}"#, Verdict::Refused),
            (401, r#"{"code":-2015,"msg":"Invalid API-key"}"#, Verdict::Refused),
            (403, "<html>blocked</html>", Verdict::Refused),
            (404, "", Verdict::Refused),
            (302, "", Verdict::Refused),
        ];
        for (status, body, verdict) in rows {
            let reply = Reply { status: *status, headers: Default::default(), body: body.as_bytes().to_vec() };
            assert_eq!(judge(&Refusal::read(reply)), *verdict, "{status} {body}");
        }
    }
}

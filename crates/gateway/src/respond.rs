//! From an outcome to HTTP: the one place that knows statuses and headers.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::Full;
use latchkey_admission::{Outcome, Reason, Rejection, Trail};
use latchkey_protocol::TimeUnit;
use latchkey_protocol::catalog::{Budget, Family};
use latchkey_protocol::code::{self, ApiError};

/// A reply, ready to be written.
pub type Reply = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=UTF-8");
const UUID: HeaderName = HeaderName::from_static("x-mbx-uuid");
const USED_WEIGHT: HeaderName = HeaderName::from_static("x-mbx-used-weight");
const USED_WEIGHT_1M: HeaderName = HeaderName::from_static("x-mbx-used-weight-1m");
const SAPI_IP_1M: HeaderName = HeaderName::from_static("x-sapi-used-ip-weight-1m");
const SAPI_UID_1M: HeaderName = HeaderName::from_static("x-sapi-used-uid-weight-1m");
const ORDER_COUNT_10S: HeaderName = HeaderName::from_static("x-mbx-order-count-10s");
const ORDER_COUNT_1D: HeaderName = HeaderName::from_static("x-mbx-order-count-1d");
const CLOCK_MS: HeaderName = HeaderName::from_static("x-latchkey-clock-ms");
const VENUE: HeaderName = HeaderName::from_static("x-latchkey-venue");
const SIMULATED: HeaderValue = HeaderValue::from_static("simulated");

/// The reply to a call that walked the line. The connection is closed behind one to a banned caller.
pub fn respond(outcome: &Outcome, trail: &Trail) -> Reply {
    let mut body = Vec::with_capacity(512);
    let family = trail.row().map_or(Family::Api, |row| row.family);
    let status = match outcome {
        Outcome::Answered(answer) => {
            answer.value.write_json(trail.unit, &mut body);
            StatusCode::OK
        }
        Outcome::Rejected(rejection) => write_error(&rejection.error(family), &mut body),
        Outcome::Unknown => write_error(&code::TIMEOUT.plain(), &mut body),
    };
    let mut reply = json(status, body);
    let headers = reply.headers_mut();
    if let Ok(id) = HeaderValue::try_from(trail.id().to_string()) {
        headers.insert(UUID, id);
    }
    if let Some(used) = trail.used() {
        let value = HeaderValue::from(used.used);
        match used.budget {
            Budget::Ip => {
                headers.insert(USED_WEIGHT, value.clone());
                headers.insert(USED_WEIGHT_1M, value);
            }
            Budget::SapiIp => {
                headers.insert(SAPI_IP_1M, value);
            }
            Budget::SapiUid => {
                headers.insert(SAPI_UID_1M, value);
            }
        }
    }
    if let Outcome::Answered(answer) = outcome {
        headers.insert(VENUE, SIMULATED);
        for (window, count) in &answer.order_counts {
            let name = match *window {
                "10S" => ORDER_COUNT_10S,
                _ => ORDER_COUNT_1D,
            };
            headers.insert(name, HeaderValue::from(*count));
        }
    }
    if let Some(clock_us) = trail.proven_clock_us() {
        headers.insert(CLOCK_MS, HeaderValue::from(clock_us / 1000));
    }
    if let Outcome::Rejected(rejection) = outcome
        && let Some(seconds) = rejection.retry_after_secs(trail.arrived())
    {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    match outcome {
        Outcome::Rejected(Rejection { reason: Reason::Banned { .. }, .. }) => last(reply),
        Outcome::Answered(_) | Outcome::Rejected(_) | Outcome::Unknown => reply,
    }
}

/// The reply to bytes that are not a request of this system and have no caller to record them for; the connection is
/// closed behind it.
pub fn refuse(error: &ApiError) -> Reply {
    let mut body = Vec::new();
    let status = write_error(error, &mut body);
    last(json(status, body))
}

/// The same reply, behind which the connection stays open.
pub fn not_last(mut reply: Reply) -> Reply {
    reply.headers_mut().remove(CONNECTION);
    reply
}

/// The same reply, behind which the connection is closed.
pub fn last(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

fn json(status: StatusCode, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, JSON);
    reply
}

fn write_error(error: &ApiError, body: &mut Vec<u8>) -> StatusCode {
    error.to_value().write_json(TimeUnit::Millisecond, body);
    StatusCode::from_u16(error.row.status).unwrap_or(StatusCode::BAD_REQUEST)
}

use latchkey_protocol::catalog::{Endpoint, Method, SecurityType, time_unit};
use latchkey_protocol::params::{RawParams, decode};
use latchkey_protocol::{ApiKey, RecvWindow, RecvWindowError, Timestamp};

use super::message;
use crate::call::{Field, RawCall};
use crate::permit::Window;
use crate::state::{Credential, Message, Routed, Shaped};
use crate::trail::Trail;
use crate::{Admission, Reason, Rejection, Rules, Stage, decide};

/// The longest signature: base64 of 4096 bits, every character percent-encoded.
const SIGNATURE_MAX: usize = 3 * 684;
const SIGNATURE_RANGE: &str = "^[A-Za-z0-9+/=]{1,684}$";
const TIMESTAMP_RANGE: &str = "^[0-9]{1,20}$";
const RECV_WINDOW_RANGE: &str = r"^[0-9]{1,5}(\.[0-9]{1,3})?$";

/// Reads key header and security fields, of the compatible scheme or of a message signature; not of both.
///
/// # Errors
/// `-2014`, `-1102`, `-1100`, `-1105`, `-1106`, `-1101`, `-1194`, or that the venue does not offer the endpoint.
pub fn shape<'a>(
    call: Admission<'a, Routed<'a>>,
    rules: &Rules,
    trail: &mut Trail,
) -> Result<Admission<'a, Shaped<'a>>, Rejection> {
    let refuse = |reason| Rejection::new(Stage::Shape, reason);
    let (raw, row) = (call.raw, call.row);
    decide::offered(row).map_err(|reason| Rejection::new(Stage::Route, reason))?;
    let (api_key, message) = named(raw, row, !raw.body.is_empty())?;
    if let Some(api_key) = api_key {
        trail.named(api_key);
    }
    let unit = match raw.time_unit {
        Field::Absent => time_unit(None),
        Field::One(text) => time_unit(Some(text)),
        Field::Several => time_unit(Some(b"")),
    }
    .map_err(|_| refuse(Reason::TimeUnit))?;
    trail.unit = unit;
    if raw.sbe != Field::Absent {
        return Err(refuse(Reason::SbeDisabled));
    }
    let params = call.state.params.map_err(|error| refuse(Reason::Params(error)))?;
    if row.method == Method::Get && !raw.body.is_empty() {
        return Err(refuse(Reason::BodyOnGet));
    }
    let credential = match (api_key, row.security) {
        (None, _) => Credential::None,
        (Some(api_key), SecurityType::MarketData) => Credential::KeyOnly(api_key),
        (Some(api_key), security) => match message {
            Some(message) => {
                let window = message::window(&params, &message.signature, rules).map_err(refuse)?;
                Credential::Message9421 { api_key, message, window }
            }
            None if security == SecurityType::UserStream && params.signature().is_none() => {
                Credential::KeyOnly(api_key)
            }
            None => payload(&params, api_key, rules).map_err(refuse)?,
        },
    };
    Ok(Admission { raw, row, state: Shaped { params, unit, credential } })
}

/// Asks of a call whose body is still to come what its head alone decides, by the same rules: nobody who shows no key
/// makes the server wait for a body.
///
/// # Errors
/// `-2014`, that a message signature cannot be used, or that the venue does not offer the endpoint.
pub fn head(call: &Admission<'_, Routed<'_>>) -> Result<(), Rejection> {
    decide::offered(call.row).map_err(|reason| Rejection::new(Stage::Route, reason))?;
    named(call.raw, call.row, true).map(|_| ())
}

/// The key that a call names, and the message signature that names it.
fn named<'a>(
    raw: &'a RawCall<'a>,
    row: &Endpoint,
    has_body: bool,
) -> Result<(Option<ApiKey>, Option<Box<Message<'a>>>), Rejection> {
    if !row.security.needs_key() {
        return Ok((None, None));
    }
    let message = if row.security == SecurityType::MarketData { None } else { message::read(raw, has_body)? };
    match message {
        Some((api_key, message)) => Ok((Some(api_key), Some(message))),
        None => Ok((Some(api_key(raw.api_key)?), None)),
    }
}

pub(super) fn api_key(header: Field<'_>) -> Result<ApiKey, Rejection> {
    let refuse = |reason| Rejection::new(Stage::Header, reason);
    match header {
        Field::Absent => Err(refuse(Reason::ApiKeyMissing)),
        Field::Several => Err(refuse(Reason::ApiKeyRepeated)),
        Field::One(text) => ApiKey::parse(text).ok_or_else(|| refuse(Reason::ApiKeyMalformed)),
    }
}

fn payload<'a>(params: &RawParams<'a>, api_key: ApiKey, rules: &Rules) -> Result<Credential<'a>, Reason> {
    let timestamp = read(params, "timestamp", TIMESTAMP_RANGE)?.ok_or(Reason::FieldMissing("timestamp"))?;
    let illegal = Reason::FieldIllegal { name: "timestamp", range: TIMESTAMP_RANGE };
    if timestamp.len() > 20 || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
        return Err(illegal);
    }
    let timestamp = Timestamp::from_wire(timestamp.parse().map_err(|_| illegal)?);
    let recv_window = recv_window(params, rules)?;
    let signature = params.signature().ok_or(Reason::FieldMissing("signature"))?;
    if signature.is_empty() {
        return Err(Reason::FieldEmpty("signature"));
    }
    let legal = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'%');
    if signature.len() > SIGNATURE_MAX || !signature.iter().all(legal) {
        return Err(Reason::FieldIllegal { name: "signature", range: SIGNATURE_RANGE });
    }
    Ok(Credential::Payload { api_key, signature, window: Window { timestamp, recv_window } })
}

/// The `recvWindow` of a signed call, by either scheme.
pub(super) fn recv_window(params: &RawParams<'_>, rules: &Rules) -> Result<RecvWindow, Reason> {
    let Some(text) = read(params, "recvWindow", RECV_WINDOW_RANGE)? else { return Ok(RecvWindow::DEFAULT) };
    RecvWindow::parse(&text, rules.recv_window_max_ms).map_err(|error| match error {
        RecvWindowError::Malformed => Reason::FieldIllegal { name: "recvWindow", range: RECV_WINDOW_RANGE },
        RecvWindowError::Precision => Reason::RecvWindowPrecision,
        RecvWindowError::TooLarge => Reason::RecvWindowTooLarge { max_ms: rules.recv_window_max_ms },
    })
}

fn read<'a>(
    params: &RawParams<'a>,
    name: &'static str,
    range: &'static str,
) -> Result<Option<std::borrow::Cow<'a, str>>, Reason> {
    match params.raw(name) {
        None => Ok(None),
        Some([]) => Err(Reason::FieldEmpty(name)),
        Some(raw) => decode(raw).map(Some).map_err(|_| Reason::FieldIllegal { name, range }),
    }
}

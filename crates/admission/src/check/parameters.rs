use latchkey_protocol::catalog::{Argument, Arguments, Endpoint, Method, Param};
use latchkey_protocol::code;
use latchkey_protocol::params::{Place, RawPair, RawParams, decode};

use crate::state::{Granted, Whole};
use crate::{Admission, Reason, Rejection, Stage};

/// The security fields, which belong to no row.
const SECURITY_FIELDS: [&str; 2] = ["timestamp", "recvWindow"];

/// Reads the endpoint's own parameters.
///
/// # Errors
/// `-1102`, `-1105`, `-1100`, `-1130` … for the first parameter of the row that breaks a rule; `-1101` on `GET`,
/// `-1104` elsewhere when more was sent than the row has; `-2010` for a pair outside the key's whitelist.
pub fn parameters<'a>(call: Admission<'a, Granted<'a>>) -> Result<Admission<'a, Whole<'a>>, Rejection> {
    let known = &call.state.0;
    let arguments = read(call.row, call.raw.path, &known.shaped.params)?;
    if let Some(held) = &known.held {
        let tradable = held.state.tradable(call.row, arguments.symbol("symbol"));
        tradable.map_err(|reason| Rejection::new(Stage::Parameters, reason))?;
    }
    Ok(call.into(|Granted(known)| Whole { known, arguments }))
}

fn read(row: &'static Endpoint, path: &str, params: &RawParams<'_>) -> Result<Arguments, Rejection> {
    let takes_security_fields = row.takes_security_fields();
    let is_read = |pair: &RawPair<'_>| {
        let belongs = |param: &Param| param.name == pair.name && !(param.body_only && pair.place == Place::Query);
        row.params.iter().any(belongs) || takes_security_fields && SECURITY_FIELDS.contains(&pair.name)
    };
    let signed = usize::from(params.signature().is_some());
    let sent = params.pairs().len() + signed;
    let read =
        params.pairs().iter().filter(|pair| is_read(pair)).count() + if takes_security_fields { signed } else { 0 };
    if read < sent {
        let get = row.method == Method::Get;
        return Err(Rejection::new(Stage::Parameters, Reason::UnreadParameters { read, sent, get }));
    }
    let mut arguments = Arguments::default();
    if let Some(id) = row.id_of(path) {
        arguments.push("id", Argument::Text(id.into()));
    }
    for param in row.params {
        match params.raw(param.name) {
            None if param.mandatory => return Err(Rejection::parameter(code::MANDATORY_PARAMETER.with([param.name]))),
            None => {}
            Some([]) => return Err(Rejection::parameter(code::PARAMETER_EMPTY.with([param.name]))),
            Some(raw) => {
                let text = decode(raw).map_err(|_| Rejection::parameter(code::ILLEGAL_CHARS.plain()))?;
                arguments.push(param.name, param.parse(&text).map_err(Rejection::parameter)?);
            }
        }
    }
    Ok(arguments)
}

use latchkey_protocol::catalog::{Catalog, Found, Method};
use latchkey_protocol::params::RawParams;

use crate::call::RawCall;
use crate::rejection::METHOD_SHOWN_MAX;
use crate::state::Routed;
use crate::trail::Trail;
use crate::{Admission, Reason, Rejection, Stage};

/// Finds the call's row and takes its parameters apart.
///
/// # Errors
/// [`Reason::NoSuchEndpoint`], [`Reason::MethodNotAllowed`].
pub fn route<'a>(
    raw: &'a RawCall<'a>,
    catalog: &Catalog,
    trail: &mut Trail,
) -> Result<Admission<'a, Routed<'a>>, Rejection> {
    let refuse = |reason| Rejection::new(Stage::Route, reason);
    let not_allowed = || {
        let method: String = raw.method.chars().take(METHOD_SHOWN_MAX).collect();
        refuse(Reason::MethodNotAllowed { method: method.into() })
    };
    let method = Method::parse(raw.method).ok_or_else(not_allowed)?;
    let row = match catalog.find(method, raw.path) {
        Found::Endpoint(row) => row,
        Found::OtherMethod => return Err(not_allowed()),
        Found::Nothing => return Err(refuse(Reason::NoSuchEndpoint)),
    };
    trail.routed(row);
    Ok(Admission { raw, row, state: Routed { params: RawParams::split(raw.query, raw.body) } })
}

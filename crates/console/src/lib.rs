//! The people's door: pages over HTTP, without third-party script, and the management API under `/v1`.
//!
//! | module | what |
//! |---|---|
//! | [`guard`] | what every page and every operator route shares: `Host`, `Origin`, the bounds of a browser |
//! | `session`, `sign_in`, `cookie` | who is signed in, and how a request proves it |
//! | `step_up` | confirmations: ceremonies that bind proofs to one exact change |
//! | `factor` | the proofs: one-time codes, passkeys, recovery codes, codes that are sent |
//! | `attempts` | how guesses are slowed down |
//! | `api`, `describe` | the routes, each with its line in the OpenAPI document |
//! | `problem`, `refused` | the errors: one table, and one match from the authority's refusals |
//! | [`ports`] | what the console asks of the world: mail, text messages, the audit chain, the exchange |
//!
//! Never admits a call of the compatible contract, and writes accounts and keys only through
//! [`latchkey_authority::service::Authority`]. Sessions, ceremonies and attempts lie on the authority's shelf.
//! Time comes from the clock port, randomness from the authority's secrets. Start at `api::routes`.

mod api;
mod attempts;
mod console;
mod cookie;
mod describe;
mod factor;
pub mod guard;
mod hashing;
mod page;
pub mod ports;
mod problem;
mod refused;
mod reset;
mod session;
pub mod show;
mod sign_in;
mod step_up;
mod token;
mod wire;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use latchkey_admission::ports::{CallLog, Clock, Keys};
use latchkey_admission::records::sheet::Format;
use latchkey_authority::ports::Ports;
use latchkey_authority::service::Authority;

use crate::console::Console;
use crate::ports::{AuditLog, Exchange, Mail, Sms};

/// What the pages tell.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The origin that people type: scheme, name and port.
    pub origin: String,
    /// The base URL for programs.
    pub api: String,
}

/// Who answers for the console.
pub struct Services<P> {
    /// The one way to change accounts and keys.
    pub authority: Arc<Authority<P>>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The live keys: when each was last used, and what it may do now.
    pub keys: Arc<dyn Keys>,
    /// The audit records, for an owner's export.
    pub audit: Arc<dyn AuditLog>,
    /// What the exchange knows of margin accounts.
    pub exchange: Arc<dyn Exchange>,
    /// The records of calls.
    pub calls: Arc<dyn CallLog>,
    /// The formats in which those are exported.
    pub formats: Vec<Arc<dyn Format>>,
    /// What sends e-mail; without it no code can be sent, and nothing that asks for one can be done.
    pub mail: Option<Arc<dyn Mail>>,
    /// What sends text messages.
    pub sms: Option<Arc<dyn Sms>>,
}

/// The address of the caller, as a request extension: the listener that accepted the connection puts it there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(pub IpAddr);

/// The console's routes, guarded: pages, and the management API under `/v1`.
pub fn router<P: Ports + 'static>(settings: Settings, services: Services<P>) -> Router {
    let console = Arc::new(Console::new(&settings, services));
    guarded(&settings, routes(&settings).merge(api::router(console, &settings.origin)))
}

/// The pages alone, guarded.
pub fn pages(settings: Settings) -> Router {
    guarded(&settings, routes(&settings))
}

fn routes(settings: &Settings) -> Router {
    let page = page::landing(settings);
    Router::new()
        .route("/", get(move || async move { page }))
        .route("/docs/errors", get(|| async { page::errors() }))
        .route("/style.css", get(|| async { page::STYLE }))
}

fn guarded(settings: &Settings, router: Router) -> Router {
    let guard = guard::Guard::new(&settings.origin);
    router.layer(axum::middleware::from_fn_with_state(guard, guard::check))
}

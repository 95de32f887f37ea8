//! The people's door: pages over HTTP, without third-party script.
//!
//! Never admits a call of the compatible contract. [`guard`] holds what every page and every operator route shares:
//! the check of `Host` and `Origin`, and the headers that keep a browser in its bounds.

pub mod guard;
mod page;
pub mod ports;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use latchkey_admission::ports::{Clock, Keys};
use latchkey_authority::ports::Ports;
use latchkey_authority::service::Authority;

use crate::ports::{AuditLog, Mail, Sms};

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
    /// What sends e-mail; without it no code can be sent, and nothing that asks for one can be done.
    pub mail: Option<Arc<dyn Mail>>,
    /// What sends text messages.
    pub sms: Option<Arc<dyn Sms>>,
}

/// The console's routes, guarded: pages, and the management API under `/v1`.
pub fn router<P: Ports + 'static>(settings: Settings, services: Services<P>) -> Router {
    drop(services);
    pages(settings)
}

/// The pages alone, guarded.
pub fn pages(settings: Settings) -> Router {
    let guard = guard::Guard::new(&settings.origin);
    let page = page::landing(&settings);
    Router::new()
        .route("/", get(move || async move { page }))
        .route("/style.css", get(|| async { page::STYLE }))
        .layer(axum::middleware::from_fn_with_state(guard, guard::check))
}

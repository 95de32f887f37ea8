//! The people's door: pages over HTTP, without third-party script.
//!
//! Never admits a call of the compatible contract. [`guard`] holds what every page and every operator route shares:
//! the check of `Host` and `Origin`, and the headers that keep a browser in its bounds.

pub mod guard;
mod page;

use axum::Router;
use axum::routing::get;

/// What the pages tell.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The origin that people type: scheme, name and port.
    pub origin: String,
    /// The base URL for programs.
    pub api: String,
}

/// The console's routes, guarded.
pub fn router(settings: Settings) -> Router {
    let guard = guard::Guard::new(&settings.origin);
    let page = page::landing(&settings);
    Router::new()
        .route("/", get(move || async move { page }))
        .route("/style.css", get(|| async { page::STYLE }))
        .layer(axum::middleware::from_fn_with_state(guard, guard::check))
}

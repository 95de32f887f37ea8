//! The sessions of an owner: which there are, and their end.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use latchkey_authority::ports::{Ports, Shelf, ShelfKind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::view::name_of;
use crate::console::Console;
use crate::problem::{self, Problem};
use crate::session::{LISTED_MAX, Session, Signed, Transport, csrf_of, public_id};
use crate::wire::{NoBody, Segments, answer, done};

/// A session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionView {
    /// Its name here; not its token.
    id: String,
    /// Whose it is.
    account: i64,
    /// Whether it is the one that asks.
    current: bool,
    /// `cookie` or `bearer`.
    transport: String,
    /// From where it was begun.
    from: Option<String>,
    /// The factors that were shown at sign-in.
    with: Vec<String>,
    began: i64,
    seen: i64,
    /// When it ends if nothing more comes.
    ends: i64,
    /// What changes must repeat in `X-Latchkey-CSRF`; of the current session of a browser alone.
    csrf: Option<String>,
}

/// The sessions of an owner.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionList {
    sessions: Vec<SessionView>,
}

fn view(id: String, session: &Session, current: Option<&Signed>) -> SessionView {
    let browser = current.filter(|_| session.transport == Transport::Cookie);
    SessionView {
        id,
        account: session.account.0,
        current: current.is_some(),
        transport: name_of(&session.transport),
        from: session.from.map(|from| from.to_string()),
        with: session.with.iter().map(|factor| name_of(&factor)).collect(),
        began: session.began.as_millis(),
        seen: session.seen.as_millis(),
        ends: session.ends().as_millis(),
        csrf: browser.map(|signed| csrf_of(&signed.token)),
    }
}

/// `GET /v1/session`.
pub(crate) async fn current(signed: Signed) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &view(public_id(&signed.token.key()), &signed.session, Some(&signed))))
}

/// `DELETE /v1/session`.
pub(crate) async fn sign_out<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    console.shelf().take(ShelfKind::Session, signed.token.key(), console.now()).await?;
    Ok(console.without_cookies(&signed, done()))
}

/// `GET /v1/sessions`.
pub(crate) async fn list<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
) -> Result<Response, Problem> {
    let own = signed.token.key();
    let items = console.shelf().list(ShelfKind::Session, Some(signed.account), console.now(), LISTED_MAX).await?;
    let sessions = items
        .iter()
        .filter_map(|item| {
            let session: Session = serde_json::from_slice(&item.value).ok()?;
            Some(view(public_id(&item.key), &session, (item.key == own).then_some(&signed)))
        })
        .collect();
    Ok(answer(StatusCode::OK, &SessionList { sessions }))
}

/// `DELETE /v1/sessions/{session}`.
pub(crate) async fn revoke<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(id): Segments<String>,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let now = console.now();
    let items = console.shelf().list(ShelfKind::Session, Some(signed.account), now, LISTED_MAX).await?;
    let Some(item) = items.iter().find(|item| public_id(&item.key) == id) else {
        return Err(problem::SESSION_UNKNOWN.into());
    };
    console.shelf().take(ShelfKind::Session, item.key, now).await?;
    Ok(done())
}

/// `DELETE /v1/sessions`: signs out everywhere, here too.
pub(crate) async fn revoke_all<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    for kind in ShelfKind::OF_SIGNED_IN {
        console.shelf().remove_owner(kind, signed.account).await?;
    }
    Ok(console.without_cookies(&signed, done()))
}

impl<P: Ports + 'static> Console<P> {
    /// The answer with the session's cookies removed.
    pub(crate) fn without_cookies(&self, signed: &Signed, mut response: Response) -> Response {
        if signed.session.transport == Transport::Cookie {
            for cookie in self.cookies.clear() {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
        }
        response
    }
}

//! Sessions: who is signed in, for how long, and how a request proves it.
//!
//! A session rests under the digest of its token; the token is with the caller alone. It ends after half an hour
//! without a request, and twelve hours after it began in any case.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use latchkey_authority::ports::{Ports, Shelf, ShelfKind};
use latchkey_authority::step_up::FactorSet;
use latchkey_crypto::digest::{sha256, to_hex};
use latchkey_protocol::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Peer;
use crate::console::{Console, same};
use crate::cookie::CSRF_HEADER;
use crate::problem::{self, Problem};
use crate::token::Token;
use crate::wire::malformed;

const IDLE_MS: i64 = 30 * 60 * 1_000;
const ABSOLUTE_MS: i64 = 12 * 60 * 60 * 1_000;
/// A request within this time of the last one does not move the idle end: it saves a write for every read.
const TOUCH_MS: i64 = 60 * 1_000;
/// Most sessions of one account that are listed.
pub(crate) const LISTED_MAX: u32 = 200;

/// The header that names a finished ceremony.
const STEP_UP_HEADER: &str = "latchkey-step-up";

/// How a session travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    /// In a cookie, for browsers; changes carry the CSRF token too.
    #[default]
    Cookie,
    /// In the header `Authorization: Bearer`, for programs.
    Bearer,
}

/// A session as it rests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) account: AccountId,
    pub(crate) began: Timestamp,
    pub(crate) seen: Timestamp,
    pub(crate) from: Option<IpAddr>,
    pub(crate) transport: Transport,
    /// The factors that were shown at sign-in.
    pub(crate) with: FactorSet,
}

impl Session {
    /// When it ends if nothing more comes.
    pub(crate) fn ends(&self) -> Timestamp {
        Timestamp::from_millis((self.seen.as_millis() + IDLE_MS).min(self.began.as_millis() + ABSOLUTE_MS))
    }
}

/// The name of a session that its owner sees; not the token, and not the key that it rests under.
pub(crate) fn public_id(key: &[u8; 32]) -> String {
    to_hex(&sha256(key)).chars().take(32).collect()
}

/// The CSRF token of a session: what only a holder of the session can compute.
pub(crate) fn csrf_of(token: &Token) -> String {
    to_hex(&token.derive("csrf"))
}

/// A request of someone who is signed in.
pub(crate) struct Signed {
    /// As this account.
    pub(crate) account: AccountId,
    /// From where.
    pub(crate) from: Option<IpAddr>,
    /// The session's token.
    pub(crate) token: Token,
    /// The session.
    pub(crate) session: Session,
    /// The ceremony that the request names.
    pub(crate) step_up: Option<Token>,
}

impl Signed {
    /// The source as the counters of attempts know it.
    pub(crate) fn source(&self) -> IpAddr {
        self.from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

impl<P: Ports + 'static> FromRequestParts<Arc<Console<P>>> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console<P>>) -> Result<Self, Problem> {
        let (token, transport) = presented(console, &parts.headers)?;
        let session = console.resume(&token).await?.filter(|session| session.transport == transport);
        let Some(session) = session else { return Err(problem::SIGN_IN_NEEDED.into()) };
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        if transport == Transport::Cookie && !reads && !repeats_csrf(&parts.headers, &token) {
            return Err(problem::CSRF.into());
        }
        let step_up = match single(&parts.headers, STEP_UP_HEADER)? {
            None => None,
            Some(text) => Some(Token::parse(text).ok_or(problem::STEP_UP_WRONG)?),
        };
        Ok(Self { account: session.account, from: peer(parts), token, session, step_up })
    }
}

/// Where the request came from.
pub(crate) fn peer(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<Peer>().map(|peer| peer.0.to_canonical())
}

fn presented<P: Ports>(console: &Console<P>, headers: &HeaderMap) -> Result<(Token, Transport), Problem> {
    let cookie = console.cookies.session(headers);
    match (single(headers, AUTHORIZATION.as_str())?, cookie) {
        (Some(_), Some(_)) => Err(malformed("the request carries two sessions")),
        (Some(line), None) => {
            let token = line.strip_prefix("Bearer ").and_then(Token::parse);
            Ok((token.ok_or(problem::SIGN_IN_NEEDED)?, Transport::Bearer))
        }
        (None, Some(token)) => Ok((token, Transport::Cookie)),
        (None, None) => Err(problem::SIGN_IN_NEEDED.into()),
    }
}

fn repeats_csrf(headers: &HeaderMap, token: &Token) -> bool {
    let sent = headers.get(CSRF_HEADER).map(|value| sha256(value.as_bytes()));
    sent.is_some_and(|sent| same(&sent, &sha256(csrf_of(token).as_bytes())))
}

/// The text of a header that may stand once.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(malformed(format!("the header `{name}` stands twice")));
    }
    match first.map(|value| value.to_str()) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => Err(malformed(format!("the header `{name}` is not text"))),
    }
}

impl<P: Ports + 'static> Console<P> {
    /// Begins a session and gives its token, which is nowhere else.
    pub(crate) async fn begin(&self, session: &Session) -> Result<Token, Problem> {
        let (token, now) = (Token::draw(self.secrets()), self.now());
        let open = self.shelf().list(ShelfKind::Session, Some(session.account), now, LISTED_MAX).await?;
        // All are listed, so that none escapes its owner's eye: of too many the oldest ends.
        if let Some(oldest) = open.get(LISTED_MAX as usize - 1) {
            self.shelf().take(ShelfKind::Session, oldest.key, now).await?;
        }
        self.keep(&token, session).await?;
        Ok(token)
    }

    /// Puts a session under its token.
    pub(crate) async fn keep(&self, token: &Token, session: &Session) -> Result<(), Problem> {
        let (key, value) = (token.key(), encode(session));
        self.shelf().put(ShelfKind::Session, key, Some(session.account), &value, self.now(), session.ends()).await?;
        Ok(())
    }

    /// The session of a token, if it has not ended; its idle end moves.
    async fn resume(&self, token: &Token) -> Result<Option<Session>, Problem> {
        let (now, key) = (self.now(), token.key());
        let Some(item) = self.shelf().get(ShelfKind::Session, key, now).await? else { return Ok(None) };
        let Ok(mut session) = serde_json::from_slice::<Session>(&item.value) else { return Ok(None) };
        if session.ends() <= now {
            return Ok(None);
        }
        if now.as_millis() - session.seen.as_millis() >= TOUCH_MS {
            session.seen = now;
            // Of two requests at once one moves the end; that is enough.
            self.shelf().swap(ShelfKind::Session, key, item.version, &encode(&session), session.ends()).await?;
        }
        Ok(Some(session))
    }
}

fn encode(session: &Session) -> Vec<u8> {
    serde_json::to_vec(session).unwrap_or_default()
}

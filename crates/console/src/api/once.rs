//! Safe repetition: a creation with an idempotency key happens once, however often it is sent.
//!
//! ```text
//!  unknown ─ claimed (two minutes) ─┬─ made: what it was is kept for 24 hours
//!                                   └─ refused: forgotten, may be tried again
//! ```
//!
//! What was made is noted in the transaction that makes it. A process that ends between the two leaves a claim under
//! which nothing was made; one that ends before its answer leaves the record, which a repetition shows without its
//! secret.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use latchkey_authority::claim::{Claim, Claimed, Made};
use latchkey_authority::ports::{Directory, Ports, Shelf, ShelfKind};
use latchkey_authority::stored::Stored;
use latchkey_crypto::digest::sha256_framed;
use latchkey_protocol::AccountId;
use serde_json::Value;

use crate::console::Console;
use crate::problem::{self, Problem};
use crate::session::single;
use crate::wire::{malformed, tagged};

/// The header.
const HEADER: &str = "idempotency-key";
/// How long a claim holds that was never finished.
const CLAIM_MS: i64 = 2 * 60 * 1_000;
/// How long what was made is known by its request.
const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// The idempotency key of a request, when it has one.
pub(crate) struct IdempotencyKey(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(text) = single(&parts.headers, HEADER)? else { return Ok(Self(None)) };
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if (8..=64).contains(&text.len()) && text.bytes().all(legal) {
            return Ok(Self(Some(text.to_owned())));
        }
        Err(malformed("an idempotency key has 8 to 64 letters, digits, `-` and `_`"))
    }
}

/// What a creation answers: a version for the entity tag, and the body.
pub(crate) struct Creation {
    /// The version of what the body shows.
    pub(crate) version: u64,
    /// The body.
    pub(crate) body: Value,
}

impl Creation {
    fn answer(&self) -> Response {
        tagged(StatusCode::CREATED, self.version, &self.body)
    }
}

impl<P: Ports + 'static> Console<P> {
    /// Runs `make` unless the same request was already done under this key; `request` is the digest of what is asked.
    pub(crate) async fn once(
        &self,
        account: AccountId,
        key: IdempotencyKey,
        request: [u8; 32],
        make: impl AsyncFnOnce(Option<Claim>) -> Result<Creation, Problem>,
    ) -> Result<Response, Problem> {
        let Some(text) = key.0 else { return make(None).await.map(|made| made.answer()) };
        let (shelf, kind, now) = (self.shelf(), ShelfKind::Idempotency, self.now());
        let name = sha256_framed(&[b"latchkey idempotency", &account.0.to_be_bytes(), text.as_bytes()]);
        let bytes = Claimed { request, made: None }.encode();
        if !shelf.put(kind, name, Some(account), &bytes, now, now.plus_millis(CLAIM_MS)).await? {
            return self.again(name, request).await;
        }
        let item = shelf.get(kind, name, now).await?.ok_or_else(under_way)?;
        let claim = Claim { name, version: item.version, request, kept_until: now.plus_millis(KEPT_MS) };
        match make(Some(claim)).await {
            Ok(made) => Ok(made.answer()),
            Err(problem) => {
                // A change that was stored although its answer failed stays known; the claim alone goes.
                let left = shelf.get(kind, name, now).await?;
                if left.is_some_and(|item| item.version == claim.version) {
                    shelf.take(kind, name, now).await?;
                }
                Err(problem)
            }
        }
    }

    /// Answers a repetition with what was made, as it is now.
    async fn again(&self, name: [u8; 32], request: [u8; 32]) -> Result<Response, Problem> {
        let item = self.shelf().get(ShelfKind::Idempotency, name, self.now()).await?.ok_or_else(under_way)?;
        let claimed = Claimed::decode(&item.value).map_err(|_| under_way())?;
        if claimed.request != request {
            return Err(problem::IDEMPOTENCY_REUSED.into());
        }
        let made = match claimed.made.ok_or_else(under_way)? {
            Made::Key(key) => {
                let account = self.store().account_of_key(key).await?.ok_or(problem::KEY_UNKNOWN)?;
                self.key_made_before(account, key).await?
            }
            Made::Account(account) => self.account_made(account).await?,
        };
        Ok(made.answer())
    }
}

fn under_way() -> Problem {
    Problem::from(problem::BUSY).detail("the first request with this key is under way")
}

//! Safe repetition: a creation with an idempotency key happens once, however often it is sent.
//!
//! ```text
//!  unknown ─ claimed (two minutes) ─┬─ made: the answer is kept for 24 hours, without its secret
//!                                   └─ refused: forgotten, may be tried again
//! ```

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use latchkey_authority::ports::{Ports, Shelf, ShelfKind};
use latchkey_crypto::digest::sha256_framed;
use latchkey_protocol::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::console::Console;
use crate::problem::{self, Problem};
use crate::session::single;
use crate::wire::{malformed, tagged};

/// The header.
const HEADER: &str = "idempotency-key";
/// How long a claim holds that was never finished.
const CLAIM_MS: i64 = 2 * 60 * 1_000;
/// How long an answer is kept.
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

/// What was made: a version for the entity tag, and the body.
pub(crate) struct Made {
    /// The version of what the body shows.
    pub(crate) version: u64,
    /// The body.
    pub(crate) body: Value,
}

impl Made {
    fn answer(&self) -> Response {
        tagged(StatusCode::CREATED, self.version, &self.body)
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    request: [u8; 32],
    made: Option<(u64, Value)>,
}

impl<P: Ports + 'static> Console<P> {
    /// Runs `make` unless the same request was already done under this key; `request` is the digest of what is asked.
    pub(crate) async fn once(
        &self,
        account: AccountId,
        key: IdempotencyKey,
        request: [u8; 32],
        make: impl Future<Output = Result<Made, Problem>>,
    ) -> Result<Response, Problem> {
        let Some(text) = key.0 else { return make.await.map(|made| made.answer()) };
        let (shelf, kind, now) = (self.shelf(), ShelfKind::Idempotency, self.now());
        let name = sha256_framed(&[b"latchkey idempotency", &account.0.to_be_bytes(), text.as_bytes()]);
        let claim = encode(&Kept { request, made: None });
        if !shelf.put(kind, name, Some(account), &claim, now, now.plus_millis(CLAIM_MS)).await? {
            return self.again(name, request).await;
        }
        match make.await {
            Ok(made) => {
                let kept = encode(&Kept { request, made: Some((made.version, without_secret(made.body.clone()))) });
                if let Some(item) = shelf.get(kind, name, now).await? {
                    shelf.swap(kind, name, item.version, &kept, now.plus_millis(KEPT_MS)).await?;
                }
                Ok(made.answer())
            }
            Err(problem) => {
                shelf.take(kind, name, now).await?;
                Err(problem)
            }
        }
    }

    /// Answers a repetition.
    async fn again(&self, name: [u8; 32], request: [u8; 32]) -> Result<Response, Problem> {
        let under_way = || Problem::from(problem::BUSY).detail("the first request with this key is under way");
        let item = self.shelf().get(ShelfKind::Idempotency, name, self.now()).await?.ok_or_else(under_way)?;
        let kept: Kept = serde_json::from_slice(&item.value).map_err(|_| under_way())?;
        if kept.request != request {
            return Err(problem::IDEMPOTENCY_REUSED.into());
        }
        let (version, body) = kept.made.ok_or_else(under_way)?;
        Ok(Made { version, body }.answer())
    }
}

/// The body as a repetition shows it: a secret is never kept.
fn without_secret(mut body: Value) -> Value {
    if let Some(object) = body.as_object_mut()
        && object.get("secretKey").is_some_and(|secret| !secret.is_null())
    {
        object.insert("secretKey".to_owned(), Value::Null);
        object.insert("secretShown".to_owned(), Value::Bool(true));
    }
    body
}

fn encode(kept: &Kept) -> Vec<u8> {
    serde_json::to_vec(kept).unwrap_or_default()
}

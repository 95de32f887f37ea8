//! What an owner can read about what happened: notices, and the audit records of an account.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use latchkey_authority::ports::{Notes, Ports};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::api::view::name_of;
use crate::console::Console;
use crate::problem::{self, Problem};
use crate::session::Signed;
use crate::wire::{Query, Segments, answer, malformed};

/// Records of one page, unless fewer are asked for.
const PAGE_MAX: u32 = 200;

/// Which page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    after: Option<u64>,
    limit: Option<u32>,
}

impl PageQuery {
    /// Behind what the page begins, and how much it holds.
    pub(crate) fn read(&self) -> Result<(u64, u32), Problem> {
        let (after, limit) = (self.after.unwrap_or_default(), self.limit.unwrap_or(PAGE_MAX));
        // Numbers of records are positive and signed in the store.
        let fits = i64::try_from(after).is_ok() && (1..=PAGE_MAX).contains(&limit);
        if fits { Ok((after, limit)) } else { Err(malformed(format!("`after` is a number, `limit` 1 to {PAGE_MAX}"))) }
    }
}

/// Something that the owner should know.
#[derive(Serialize, ToSchema)]
pub(crate) struct NoticeView {
    id: u64,
    at: i64,
    /// What it is about.
    kind: String,
    /// The key that it is about.
    key: Option<String>,
    /// Plain English.
    text: String,
}

/// A page of notices.
#[derive(Serialize, ToSchema)]
pub(crate) struct NoticePage {
    /// Oldest first.
    notices: Vec<NoticeView>,
    /// What `after` must be for the next page; none after the last.
    next: Option<u64>,
}

/// A page of audit records.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// Oldest first, each with its place in the account's chain.
    #[schema(value_type = Vec<Object>)]
    records: Vec<Value>,
    /// What `after` must be for the next page; none after the last.
    next: Option<u64>,
}

/// `GET /v1/accounts/{account}/notices`.
pub(crate) async fn notices<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let (after, limit) = page.read()?;
    let account = console.reach(&signed, &account).await?.account.id;
    let found = console.store().notices(account, after, limit).await?;
    let next = (found.len() == limit as usize).then(|| found.last().map(|notice| notice.id)).flatten();
    let notices = found
        .into_iter()
        .map(|stored| NoticeView {
            id: stored.id,
            at: stored.at.as_millis(),
            kind: name_of(&stored.notice.kind),
            key: stored.notice.key.map(|key| key.to_string()),
            text: stored.notice.text,
        })
        .collect();
    Ok(answer(StatusCode::OK, &NoticePage { notices, next }))
}

/// `GET /v1/accounts/{account}/audit`.
pub(crate) async fn audit<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let (after, limit) = page.read()?;
    let account = console.reach(&signed, &account).await?.account.id;
    let records = console.services.audit.of(account, after, limit).await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the audit records could not be read");
        Problem::from(problem::UNAVAILABLE)
    })?;
    let last = records.last().filter(|_| records.len() == limit as usize);
    let next = last.and_then(|record| record.get("revision")).and_then(Value::as_u64);
    Ok(answer(StatusCode::OK, &AuditPage { records, next }))
}

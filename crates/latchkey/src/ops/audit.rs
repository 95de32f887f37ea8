//! The audit chain: pages, exports, signed heads.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use latchkey_protocol::AccountId;
use latchkey_store::audit::export::{Exporter, Header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ops;
use super::problem::Problem;

/// Records of one page, unless fewer are asked for.
const PAGE_MAX: u32 = 500;
/// Pages of an export that wait for a slow reader.
const WAITING: usize = 2;

/// Which records.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Those above this number; absent: the newest.
    after: Option<u64>,
    limit: Option<u32>,
    /// Those of this account alone.
    account: Option<i64>,
}

/// Of which account; absent: of all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Of {
    account: Option<i64>,
}

/// `GET /ops/v1/audit`.
pub(crate) async fn list(State(ops): State<Ops>, Query(page): Query<Asked>) -> Result<Json<Value>, Problem> {
    let limit = page.limit.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::invalid(format!("`limit` is 1 to {PAGE_MAX}")));
    }
    let store = ops.house.store();
    let after = match page.after {
        Some(after) if i64::try_from(after).is_ok() => after,
        Some(_) => return Err(Problem::invalid("`after` is out of range")),
        None => store.revision().await?.saturating_sub(u64::from(limit)),
    };
    let records = store.audit(page.account.map(AccountId), after, limit).await?;
    let full = u32::try_from(records.len()).is_ok_and(|count| count == limit);
    let next = records.last().filter(|_| full).map(|last| last.revision);
    let mut views = Vec::with_capacity(records.len());
    for record in &records {
        let event = serde_json::to_value(record.read_event()?).map_err(|error| Problem::failed(&error.into()))?;
        views.push(json!({ "sequence": record.revision, "event": event }));
    }
    Ok(Json(json!({ "records": views, "next": next })))
}

/// `GET /ops/v1/audit/export`: lines of JSON, page by page.
pub(crate) async fn export(State(ops): State<Ops>, Query(of): Query<Of>) -> Response {
    let (mut pieces, body) = Channel::<Bytes, anyhow::Error>::new(WAITING);
    tokio::spawn(async move {
        if let Err(error) = pages(&ops, of.account.map(AccountId), &mut pieces).await {
            tracing::warn!(error = format!("{error:#}"), "an export of the audit chain ended early");
            // A cut off answer must not look like a whole one.
            pieces.abort(error);
        }
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::new(body)).into_response()
}

/// Sends what the chain holds now. Records that come in meanwhile are not among them.
async fn pages(ops: &Ops, account: Option<AccountId>, pieces: &mut Sender<Bytes, anyhow::Error>) -> anyhow::Result<()> {
    let store = ops.house.store();
    let end = store.revision().await?;
    let page = Arc::new(Mutex::new(Vec::new()));
    let mut exporter = Exporter::start(Page(Arc::clone(&page)), Header { store: store.id(), account })?;
    let mut last = 0;
    loop {
        let mut records = store.audit(account, last, PAGE_MAX).await?;
        records.retain(|record| record.revision <= end);
        for record in &records {
            exporter.write(record)?;
        }
        let piece = std::mem::take(&mut *page.lock().unwrap_or_else(PoisonError::into_inner));
        if !piece.is_empty() && pieces.send_data(piece.into()).await.is_err() {
            // The reader has gone.
            return Ok(());
        }
        let Some(newest) = records.last() else { return Ok(()) };
        last = newest.revision;
    }
}

/// What was written since the last page was sent.
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `GET /ops/v1/audit/head`: where the chain stands, signed; of one account or of all.
pub(crate) async fn head(State(ops): State<Ops>, Query(of): Query<Of>) -> Result<String, Problem> {
    let head = ops.house.store().head(of.account.map(AccountId), ops.now()).await?;
    let signed = head.sign(&ops.house.audit_key).map_err(|error| Problem::failed(&error.into()))?;
    Ok(format!("{}\n", signed.as_str()))
}

/// `GET /ops/v1/audit/key`: the public key that heads are signed with.
pub(crate) async fn key(State(ops): State<Ops>) -> Result<String, Problem> {
    let key = ops.house.audit_key.public_key();
    key.map(|key| key.to_pem()).ok_or_else(|| Problem::failed(&anyhow::anyhow!("the audit key has no public half")))
}

//! The calls of an account: pages of them, and exports of all.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use http_body_util::channel::{Channel, Sender};
use latchkey_admission::ports::{CallLog, CallLogError};
use latchkey_admission::records::sheet::{Sheet, SheetError};
use latchkey_admission::records::{ASKED_MAX, CallEntry, CallPage, CallQuery, Cursor, EntryEnd, PAGE_MAX};
use latchkey_authority::key::parse_key_id;
use latchkey_authority::ports::Ports;
use latchkey_protocol::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::console::Console;
use crate::problem::{self, Problem};
use crate::session::Signed;
use crate::wire::{Query, Segments, answer, malformed};

/// The latest time that a query may name, in milliseconds: the end of the year 9999.
pub(crate) const TIME_MAX: i64 = 253_402_300_799_999;
/// The formats that the document names.
pub(crate) const FORMATS: [&str; 2] = ["csv", "parquet"];
/// The media types of these.
pub(crate) const MEDIA_TYPES: &[&str] = &["text/csv", "application/vnd.apache.parquet"];
/// Pages that are read at a time, but for exports; and owners who may wait for that, each for one.
const READS_MAX: usize = 2;
const READERS_MAX: usize = 64;
/// Exports that are written at a time; one of an owner.
const EXPORTS_MAX: usize = 4;
/// Pages of an export that wait for a slow reader.
const WAITING: usize = 1;
/// Calls of a page, unless another number is asked for.
const LIMIT: u32 = 100;

/// Which page of which calls.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Asked {
    key: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    path: Option<String>,
    outcome: Option<String>,
    ip: Option<IpAddr>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// Which calls in which format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct AskedExport {
    key: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    path: Option<String>,
    outcome: Option<String>,
    ip: Option<IpAddr>,
    format: Option<String>,
}

impl Asked {
    fn read(self, account: AccountId) -> Result<CallQuery, Problem> {
        let limit = usize::try_from(self.limit.unwrap_or(LIMIT)).unwrap_or(usize::MAX);
        if !(1..=ASKED_MAX).contains(&limit) {
            return Err(malformed(format!("`limit` is 1 to {ASKED_MAX}")));
        }
        let time = |millis: Option<i64>| match millis {
            Some(millis) if !(0..=TIME_MAX).contains(&millis) => {
                Err(malformed("a time is in milliseconds since the Unix epoch"))
            }
            millis => Ok(millis.map(Timestamp::from_millis)),
        };
        let parsed = |text: Option<String>| text.map(String::into_boxed_str);
        let key = |text: String| parse_key_id(&text).ok_or_else(|| malformed("`key` is the id of a key"));
        let cursor = |text: String| Cursor::parse(&text).ok_or_else(|| malformed("`cursor` is none of ours"));
        Ok(CallQuery {
            key: self.key.map(key).transpose()?,
            from: time(self.start_time)?,
            until: time(self.end_time)?,
            path: parsed(self.path),
            outcome: parsed(self.outcome),
            source: self.ip,
            before: self.cursor.map(cursor).transpose()?,
            limit,
            ..CallQuery::of(account)
        })
    }
}

impl AskedExport {
    fn read(self, account: AccountId) -> Result<CallQuery, Problem> {
        let AskedExport { key, start_time, end_time, path, outcome, ip, format: _ } = self;
        let asked = Asked { key, start_time, end_time, path, outcome, ip, cursor: None, limit: None };
        Ok(CallQuery { limit: PAGE_MAX, ..asked.read(account)? })
    }
}

/// A call.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallView {
    /// What the answer had in `x-mbx-uuid`.
    id: String,
    time: i64,
    took_micros: i64,
    /// The id of the key.
    key: String,
    method: String,
    /// The route, as the contract writes it.
    path: String,
    ip: String,
    /// How the address was found.
    ip_found_by: String,
    /// The entry of the key's IP list that covers the address, `none`, or `unrestricted` for a key without a list.
    ip_entry: Option<String>,
    /// Whether the signature held.
    proven: bool,
    /// The client's clock minus the server's.
    clock_millis: Option<i64>,
    weight: Option<WeightView>,
    /// `answered`, `rejected`, `unknown` or `client-gone`.
    outcome: String,
    /// How many calls this stands for: more than one where unproven calls are told together.
    count: u32,
    refusal: Option<RefusalView>,
}

/// What a call weighed.
#[derive(Serialize, ToSchema)]
pub(crate) struct WeightView {
    /// Where it was counted: `ip`, `sapi-ip` or `sapi-uid`.
    budget: String,
    /// The weight of this call.
    weight: u32,
    /// The weight used in its window, this call included.
    used: u32,
    /// The weight that the window holds at most.
    allowed: Option<u32>,
}

/// Why a call was refused.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusalView {
    stage: String,
    reason: String,
    /// The code that the caller was told.
    code: i32,
    /// The message that the caller was told.
    msg: String,
    /// What the server saw, and what to do.
    explanation: String,
    /// What a signature that did not hold was computed over.
    payload: Option<String>,
}

/// A page of calls.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallPageView {
    /// Newest first.
    calls: Vec<CallView>,
    /// Where the next page starts; none after the last.
    cursor: Option<String>,
}

impl From<CallEntry> for CallView {
    fn from(entry: CallEntry) -> Self {
        let outcome = entry.end.name().to_owned();
        let refusal = match entry.end {
            EntryEnd::Rejected(refusal) => Some(RefusalView {
                stage: refusal.stage.into(),
                reason: refusal.reason.into(),
                code: refusal.code,
                msg: refusal.told.into(),
                explanation: refusal.explanation.into(),
                payload: refusal.payload.map(Into::into),
            }),
            EntryEnd::Answered | EntryEnd::Unknown | EntryEnd::ClientGone => None,
        };
        Self {
            id: entry.id.to_string(),
            time: entry.at.as_millis(),
            took_micros: entry.took_us,
            key: entry.key.to_string(),
            method: entry.method.into(),
            path: entry.path.into(),
            ip: entry.source.to_string(),
            ip_found_by: entry.found_by.into(),
            ip_entry: entry.ip_entry.map(Into::into),
            proven: entry.proven,
            clock_millis: entry.clock_us.map(|micros| micros / 1000),
            weight: entry.used.map(|used| WeightView {
                budget: used.budget.into(),
                weight: used.weight,
                used: used.used,
                allowed: used.allowed,
            }),
            outcome,
            count: entry.count,
            refusal,
        }
    }
}

/// `GET /v1/accounts/{account}/calls`.
pub(crate) async fn list<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let account = console.reach(&signed, &account).await?.account.id;
    let query = asked.read(account)?;
    let place = console.reads.begin(signed.account).ok_or_else(|| {
        Problem::from(problem::BUSY).detail("A search of calls is under way: wait for its end.").retry_after(RETRY_S)
    })?;
    let found = console.reads.find(&console.services.calls, query, place).await;
    let page = found.map_err(|error| unavailable(&error))?;
    let cursor = page.next.map(Cursor::text);
    let calls = page.entries.into_iter().map(CallView::from).collect();
    Ok(answer(StatusCode::OK, &CallPageView { calls, cursor }))
}

/// `GET /v1/accounts/{account}/calls/export`.
pub(crate) async fn export<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    Query(asked): Query<AskedExport>,
) -> Result<Response, Problem> {
    let account = console.reach(&signed, &account).await?.account.id;
    let name = asked.format.as_deref().unwrap_or("csv");
    let format = console.services.formats.iter().find(|format| format.name() == name);
    let Some(format) = format.cloned() else {
        let names: Vec<_> = console.services.formats.iter().map(|format| format!("`{}`", format.name())).collect();
        return Err(malformed(format!("`format` is one of {}", names.join(", "))));
    };
    let query = asked.read(account)?;
    let turn = console.exports.begin(signed.account).ok_or_else(|| {
        Problem::from(problem::BUSY).detail("An export is being written: wait for its end.").retry_after(RETRY_S)
    })?;
    let sheet = format.begin().map_err(|error| unavailable(&error))?;
    let calls = Arc::clone(&console.services.calls);
    // What cannot be read at all is told as an error, not as a file that breaks off.
    let first = page(&calls, query.clone(), sheet, turn).await.map_err(|error| unavailable(&error))?;
    let (mut pieces, body) = Channel::<Bytes, ExportError>::new(WAITING);
    tokio::spawn(async move {
        if let Err(error) = pages(&calls, query, first, &mut pieces).await {
            tracing::error!(error = &error as &dyn std::error::Error, "an export of calls ended early");
            // A file that is cut off must not look like a whole one.
            pieces.abort(error);
        }
    });
    let file = format!("attachment; filename=\"calls-{}.{}\"", account.0, format.name());
    let mut response = Body::new(body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.extend(HeaderValue::try_from(file).ok().map(|file| (CONTENT_DISPOSITION, file)));
    Ok(response)
}

/// When to come again while exports are written, in seconds.
const RETRY_S: u64 = 10;

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("the calls could not be read")]
    Calls(#[from] CallLogError),
    #[error("the file could not be written")]
    Sheet(#[from] SheetError),
}

/// What was written of a file so far, and what is still to be read.
struct Written {
    sheet: Box<dyn Sheet>,
    piece: Vec<u8>,
    next: Option<Cursor>,
    turn: Turn,
}

/// Reads and writes one page: not on a thread that serves requests. The turn goes with the work, which ends even if
/// whoever asked for it has gone.
async fn page(
    calls: &Arc<dyn CallLog>,
    query: CallQuery,
    mut sheet: Box<dyn Sheet>,
    turn: Turn,
) -> Result<Written, ExportError> {
    let calls = Arc::clone(calls);
    let written = tokio::task::spawn_blocking(move || {
        let page = calls.find(&query)?;
        Ok(Written { piece: sheet.add(&page.entries)?, sheet, next: page.next, turn })
    });
    written.await.unwrap_or_else(|error| Err(CallLogError(Box::new(error)).into()))
}

/// Sends what was written and the pages behind it. Calls that come in meanwhile are newer, and not among them.
async fn pages(
    calls: &Arc<dyn CallLog>,
    mut query: CallQuery,
    mut written: Written,
    pieces: &mut Sender<Bytes, ExportError>,
) -> Result<(), ExportError> {
    loop {
        if !written.piece.is_empty() && pieces.send_data(written.piece.into()).await.is_err() {
            // The reader has gone.
            return Ok(());
        }
        let Some(next) = written.next else { break };
        query.before = Some(next);
        written = page(calls, query.clone(), written.sheet, written.turn).await?;
    }
    // Should the reader have gone, there is nobody to tell.
    let _ = pieces.send_data(written.sheet.end()?.into()).await;
    Ok(())
}

/// The searches of owners: each has one, and a few are carried out at a time, because each reads files, perhaps many.
pub(crate) struct Reads {
    places: Turns,
    turns: Arc<Semaphore>,
}

impl Default for Reads {
    fn default() -> Self {
        Self { places: Turns::new(READERS_MAX), turns: Arc::new(Semaphore::new(READS_MAX)) }
    }
}

impl Reads {
    fn begin(&self, owner: AccountId) -> Option<Turn> {
        self.places.begin(owner)
    }

    /// Reads a page: not on a thread that serves requests. Turn and place go with the work, as those of an export do.
    async fn find(&self, calls: &Arc<dyn CallLog>, query: CallQuery, place: Turn) -> Result<CallPage, CallLogError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|error| CallLogError(Box::new(error)))?;
        let calls = Arc::clone(calls);
        let found = tokio::task::spawn_blocking(move || {
            let _held = (turn, place);
            calls.find(&query)
        });
        found.await.unwrap_or_else(|error| Err(CallLogError(Box::new(error))))
    }
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error, "call records could not be read");
    problem::UNAVAILABLE.into()
}

/// Who has a turn: so many at a time, each owner once.
#[derive(Clone)]
struct Turns {
    max: usize,
    owners: Arc<Mutex<BTreeSet<AccountId>>>,
}

/// The turn of one owner, until it is dropped.
struct Turn {
    turns: Turns,
    owner: AccountId,
}

impl Turns {
    fn new(max: usize) -> Self {
        Self { max, owners: Arc::default() }
    }

    fn begin(&self, owner: AccountId) -> Option<Turn> {
        let mut owners = self.owners();
        let free = owners.len() < self.max && owners.insert(owner);
        free.then(|| Turn { turns: self.clone(), owner })
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, BTreeSet<AccountId>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.owners().remove(&self.owner);
    }
}

/// The exports that are being written: a few at a time, one of an owner, because each reads every file.
pub(crate) struct Exports(Turns);

impl Default for Exports {
    fn default() -> Self {
        Self(Turns::new(EXPORTS_MAX))
    }
}

impl Exports {
    fn begin(&self, owner: AccountId) -> Option<Turn> {
        self.0.begin(owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_writes_one_export_at_a_time_and_the_server_a_few() {
        let exports = Exports::default();
        let first = exports.begin(AccountId(1)).unwrap();
        assert!(exports.begin(AccountId(1)).is_none());
        let others: Vec<_> = (2..=4).map(|owner| exports.begin(AccountId(owner)).unwrap()).collect();
        assert!(exports.begin(AccountId(5)).is_none());
        drop(first);
        assert!(exports.begin(AccountId(1)).is_some(), "the turn is given back");
        drop(others);
    }

    /// Records whose reading tells that it began, and ends with the other channel.
    struct Slow(Mutex<(Option<tokio::sync::oneshot::Sender<()>>, std::sync::mpsc::Receiver<()>)>);

    impl CallLog for Slow {
        fn find(&self, _: &CallQuery) -> Result<CallPage, CallLogError> {
            let mut ends = self.0.lock().unwrap();
            ends.0.take().unwrap().send(()).unwrap();
            ends.1.recv().unwrap_err();
            Ok(CallPage::default())
        }
    }

    struct Blank;

    impl Sheet for Blank {
        fn add(&mut self, _: &[CallEntry]) -> Result<Vec<u8>, SheetError> {
            Ok(Vec::new())
        }

        fn end(self: Box<Self>) -> Result<Vec<u8>, SheetError> {
            Ok(Vec::new())
        }
    }

    /// Such records, what tells that the reading began, and what ends it when it is dropped.
    fn slow() -> (Arc<dyn CallLog>, tokio::sync::oneshot::Receiver<()>, std::sync::mpsc::Sender<()>) {
        let (begin, begun) = tokio::sync::oneshot::channel();
        let (end, ended) = std::sync::mpsc::channel();
        (Arc::new(Slow(Mutex::new((Some(begin), ended)))), begun, end)
    }

    #[tokio::test]
    async fn who_leaves_has_the_turn_until_the_page_is_read() {
        let (reads, owner, (calls, begun, end)) = (Reads::default(), AccountId(1), slow());
        let place = reads.begin(owner).unwrap();
        tokio::select! {
            biased;
            _ = reads.find(&calls, CallQuery::of(owner), place) => panic!("it does not end"),
            begun = begun => begun.unwrap(),
        }
        assert_eq!(reads.turns.available_permits(), READS_MAX - 1, "the files are being read");
        assert!(reads.begin(owner).is_none(), "an owner has one search");
        assert!(reads.begin(AccountId(2)).is_some(), "and keeps nobody else from one");
        drop(end);
        drop(reads.turns.acquire_many(READS_MAX as u32).await.unwrap());
        while reads.begin(owner).is_none() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_owner_who_leaves_has_the_turn_until_the_files_are_read() {
        let (exports, owner, (calls, begun, end)) = (Exports::default(), AccountId(1), slow());
        let turn = exports.begin(owner).unwrap();
        tokio::select! {
            biased;
            _ = page(&calls, CallQuery::of(owner), Box::new(Blank), turn) => panic!("it does not end"),
            begun = begun => begun.unwrap(),
        }
        assert!(exports.begin(owner).is_none(), "the files are being read");
        drop(end);
        while exports.begin(owner).is_none() {
            tokio::task::yield_now().await;
        }
    }
}

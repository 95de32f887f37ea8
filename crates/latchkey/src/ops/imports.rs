//! Keys from a file: read as it arrives, stored batch by batch.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use http_body_util::BodyExt as _;
use latchkey_authority::account::Email;
use latchkey_authority::change::{Action, AuditEvent, Outcome};
use latchkey_authority::issue::RowRefused;
use latchkey_authority::ports::{Notes, Store};
use latchkey_authority::service::{ImportError, ImportRow};
use latchkey_crypto::digest::to_hex;
use latchkey_protocol::AccountId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ops;
use super::accounts::driven;
use super::operator::Operator;
use super::problem::Problem;
use crate::import::{BadLine, Reader, Row, Whose, told};

/// Keys of one batch: one transaction, one audit record.
const BATCH_MAX: usize = 1_000;
/// The most bytes of a file.
const BYTES_MAX: u64 = 1 << 30;

/// Where to begin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Asked {
    /// Keys before this line are left out: they are there from an earlier try.
    from_line: Option<u64>,
}

/// `POST /ops/v1/imports/keys`.
pub(crate) async fn keys(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Query(asked): Query<Asked>,
    mut body: Body,
) -> Result<Json<Value>, Problem> {
    let mut import = Import { ops, operator, waiting: Vec::new(), stored: 0, batches: Vec::new() };
    match import.run(asked.from_line.unwrap_or_default(), &mut body).await {
        Ok(()) => Ok(Json(json!({ "stored": import.stored, "batches": import.batches }))),
        Err(problem) => {
            // Who still sends does not listen: what is left of the file is let pass by.
            let mut rest = BYTES_MAX;
            while let Ok(Some(piece)) = piece(&mut body, &mut rest).await {
                drop(piece);
            }
            Err(problem.with("stored", json!(import.stored)).with("batches", json!(import.batches)))
        }
    }
}

/// The next bytes of a body; `None` at its end.
async fn piece(body: &mut Body, rest: &mut u64) -> Result<Option<Bytes>, Problem> {
    loop {
        let Some(frame) = body.frame().await else { return Ok(None) };
        let cut_off =
            |error| Problem::new(StatusCode::BAD_REQUEST, "malformed", format!("the file was cut off: {error}"));
        let Ok(piece) = frame.map_err(cut_off)?.into_data() else { continue };
        let left = rest.checked_sub(piece.len() as u64);
        let too_large = || {
            let detail = format!("a file has at most {BYTES_MAX} bytes: import it in parts");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
        };
        *rest = left.ok_or_else(too_large)?;
        return Ok(Some(piece));
    }
}

/// An import under way.
struct Import {
    ops: Ops,
    operator: Operator,
    /// Keys that were read and not stored yet.
    waiting: Vec<Row>,
    stored: u64,
    batches: Vec<Value>,
}

impl Import {
    async fn run(&mut self, from_line: u64, body: &mut Body) -> Result<(), Problem> {
        if !self.ops.imports {
            let detail = "imports are off: `[ops] imports = true` allows them";
            return Err(Problem::new(StatusCode::FORBIDDEN, "imports-off", detail));
        }
        let mut reader = Reader::new(from_line);
        let mut rest = BYTES_MAX;
        loop {
            let piece = piece(body, &mut rest).await?;
            let mut rows = Vec::new();
            let (read, is_end) = match piece {
                Some(piece) => (reader.take(&piece, &mut |row| rows.push(row)), false),
                None => (std::mem::replace(&mut reader, Reader::new(0)).end(&mut |row| rows.push(row)), true),
            };
            for row in rows {
                self.waiting.push(row);
                if self.waiting.len() == BATCH_MAX {
                    self.store().await?;
                }
            }
            if let Err(bad) = read {
                // What stands before a line that cannot be read is not stored with it: the batch is whole or not there.
                return Err(self.refused(bad).await);
            }
            if is_end {
                return self.store().await;
            }
        }
    }

    /// Stores what waits as one batch. It is driven to its end, whether or not the operator waits for it.
    async fn store(&mut self) -> Result<(), Problem> {
        let waiting = std::mem::take(&mut self.waiting);
        let (Some(first), Some(last)) = (waiting.first().map(|row| row.line), waiting.last().map(|row| row.line))
        else {
            return Ok(());
        };
        let (lines, rows) = match self.resolved(waiting).await {
            Ok(resolved) => resolved,
            Err(Unknown::Line(bad)) => return Err(self.refused(bad).await),
            Err(Unknown::Failed(problem)) => return Err(problem),
        };
        let caller = self.operator.caller(AccountId(0));
        let imported = driven(&self.ops, move |ops| async move {
            Ok(ops.house.authority.import_keys(&caller, &rows, ops.now()).await)
        })
        .await?;
        match imported {
            Ok(imported) => {
                self.stored += imported.summary.keys;
                self.batches.push(json!({
                    "firstLine": first,
                    "lastLine": last,
                    "keys": imported.summary.keys,
                    "digest": to_hex(&imported.summary.digest),
                    "sequence": imported.revision,
                }));
                Ok(())
            }
            Err(ImportError::Authority(error)) => Err(error.into()),
            Err(ImportError::Row(RowRefused { row, refusal })) => {
                let line = lines.get(row).copied().unwrap_or(first);
                Err(self.refused(BadLine { line, problem: told(&refusal) }).await)
            }
        }
    }

    /// The lines of a batch, and its keys with the accounts that they name.
    async fn resolved(&self, waiting: Vec<Row>) -> Result<(Vec<u64>, Vec<ImportRow>), Unknown> {
        let mut known: BTreeMap<Whose, AccountId> = BTreeMap::new();
        let (mut lines, mut rows) = (Vec::with_capacity(waiting.len()), Vec::with_capacity(waiting.len()));
        for Row { line, account, key } in waiting {
            let id = match (&account, known.get(&account)) {
                (_, Some(id)) => *id,
                (Whose::Uid(id), None) => *id,
                (Whose::Email(text), None) => {
                    let unknown =
                        || Unknown::Line(BadLine { line, problem: "`account` is not one of this house".into() });
                    let email = Email::parse(text).map_err(|_| unknown())?;
                    let found = self.ops.house.store().account_by_email(&email).await;
                    let id = found.map_err(|error| Unknown::Failed(error.into()))?.ok_or_else(unknown)?;
                    known.insert(account, id);
                    id
                }
            };
            lines.push(line);
            rows.push(ImportRow { account: id, key });
        }
        Ok((lines, rows))
    }

    /// Notes that a line was refused, and says so.
    async fn refused(&self, bad: BadLine) -> Problem {
        let event = self.operator.event(Action::KeysImported, AccountId(0), self.ops.now());
        let event = AuditEvent { outcome: Outcome::Refused(bad.to_string()), ..event };
        if let Err(error) = self.ops.house.store().note(event).await {
            return error.into();
        }
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "line-refused", bad.to_string()).with("line", json!(bad.line))
    }
}

/// Why the accounts of a batch are not known.
enum Unknown {
    Line(BadLine),
    Failed(Problem),
}

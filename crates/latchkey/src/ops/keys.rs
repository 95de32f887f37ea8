//! Keys of an account: look at them, put them out of use, delete them. Nothing here makes, widens or enables one.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use latchkey_authority::key::parse_key_id;
use latchkey_authority::ports::Store;
use latchkey_protocol::{AccountId, KeyId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ops;
use super::accounts::{driven, load};
use super::operator::Operator;
use super::problem::Problem;

/// Keys of one page, unless fewer are asked for.
const PAGE_MAX: usize = 100;

/// Which page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// Those above this id.
    after: Option<String>,
    limit: Option<usize>,
}

fn key_id(text: &str) -> Result<KeyId, Problem> {
    parse_key_id(text).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "key-unknown", "there is no such key"))
}

/// `GET /ops/v1/accounts/{uid}/keys`: deleted ones too.
pub(crate) async fn list(
    State(ops): State<Ops>,
    Path(uid): Path<i64>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    let after = page.after.as_deref().map(key_id).transpose()?;
    let limit = page.limit.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::invalid(format!("`limit` is 1 to {PAGE_MAX}")));
    }
    let loaded = load(&ops, uid).await?;
    let mut keys = ops.house.store().all_keys(AccountId(uid)).await?;
    keys.retain(|key| after.is_none_or(|after| key.id > after));
    keys.sort_unstable_by_key(|key| key.id);
    let more = keys.len() > limit;
    keys.truncate(limit);
    let owner = loaded.owner()?;
    let show = |key| latchkey_console::show::key(&ops.house.policy, owner, &*ops.house.live, ops.now(), key);
    let views: Vec<Value> = keys.iter().map(show).collect();
    let next = keys.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Json(json!({ "keys": views, "next": next })))
}

/// `POST /ops/v1/accounts/{uid}/keys/{key}/disable`.
pub(crate) async fn disable(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Path((uid, key)): Path<(i64, String)>,
) -> Result<StatusCode, Problem> {
    let key = key_id(&key)?;
    driven(&ops, move |ops| async move {
        let account = AccountId(uid);
        let caller = operator.caller(account);
        ops.house.authority.disable_key(&caller, account, key, ops.now()).await.map(drop).map_err(Problem::from)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /ops/v1/accounts/{uid}/keys/{key}`.
pub(crate) async fn delete(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Path((uid, key)): Path<(i64, String)>,
) -> Result<StatusCode, Problem> {
    let key = key_id(&key)?;
    driven(&ops, move |ops| async move {
        let account = AccountId(uid);
        let caller = operator.caller(account);
        ops.house.authority.delete_key(&caller, account, key, ops.now()).await.map(drop).map_err(Problem::from)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /ops/v1/accounts/{uid}/keys`.
pub(crate) async fn delete_all(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Path(uid): Path<i64>,
) -> Result<Json<Value>, Problem> {
    let keys = driven(&ops, move |ops| async move {
        let account = AccountId(uid);
        Ok(ops.house.authority.delete_all_keys(&operator.caller(account), account, ops.now()).await?)
    })
    .await?;
    Ok(Json(json!({ "keys": keys })))
}

//! An owner's account: what it is, its switches, its agreements, the freeze.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use latchkey_authority::account::{Product, Terms};
use latchkey_authority::issue::AccountEdit;
use latchkey_authority::ports::{Loaded, Ports};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::view::{AccountView, of_name};
use crate::console::Console;
use crate::problem::{self, Problem};
use crate::session::Signed;
use crate::wire::{Expected, Input, NoBody, Segments, done, invalid, tagged};

/// Longest reason of a freeze, in characters.
const REASON_MAX: usize = 200;

/// What shall change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct EditAccount {
    /// Whether Default Security Controls are on; set at the master, covers its sub-accounts.
    #[serde(default)]
    default_security_controls: Option<bool>,
    /// Products to open: `margin`, `futures`, `options`.
    #[serde(default)]
    open: Option<Vec<String>>,
}

/// An agreement.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignTerms {
    /// `margin-special-key`.
    terms: String,
}

/// Why, and whether open orders go too.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Freeze {
    /// In the owner's words, at most 200 characters.
    reason: String,
    /// True cancels every open order of the account.
    #[serde(default)]
    cancel_orders: bool,
}

fn shown(loaded: &Loaded) -> Result<Response, Problem> {
    let owner = loaded.owner().map_err(|_| problem::ACCOUNT_UNKNOWN)?;
    Ok(tagged(StatusCode::OK, loaded.account.version, &AccountView::of(&owner)))
}

/// `GET /v1/accounts/{account}`.
pub(crate) async fn show<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
) -> Result<Response, Problem> {
    shown(&console.reach(&signed, &account).await?)
}

/// `PATCH /v1/accounts/{account}`.
pub(crate) async fn edit<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    Expected(version): Expected,
    Input { value: edit, .. }: Input<EditAccount>,
) -> Result<Response, Problem> {
    let product =
        |name: &String| of_name::<Product>(name).ok_or_else(|| invalid("open", format!("`{name}` is no product")));
    let open = edit.open.unwrap_or_default().iter().map(product).collect::<Result<Vec<_>, _>>()?;
    let edit = AccountEdit { controls: edit.default_security_controls, open, ..AccountEdit::default() };
    change(&console, &signed, &account, &edit, Some(version)).await
}

/// `POST /v1/accounts/{account}/terms`.
pub(crate) async fn sign_terms<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    Input { value: signing, .. }: Input<SignTerms>,
) -> Result<Response, Problem> {
    let terms: Terms = of_name(&signing.terms).ok_or_else(|| invalid("terms", "there is no such agreement"))?;
    let edit = AccountEdit { sign: vec![terms], ..AccountEdit::default() };
    change(&console, &signed, &account, &edit, None).await
}

async fn change<P: Ports + 'static>(
    console: &Console<P>,
    signed: &Signed,
    account: &str,
    edit: &AccountEdit,
    version: Option<u64>,
) -> Result<Response, Problem> {
    let account = console.reach(signed, account).await?.account.id;
    let caller = console.confirmed(signed).await?;
    let edited = console.authority().edit_account(&caller, account, edit, version, console.now()).await;
    console.settled(signed, edited).await?;
    shown(&console.load(account).await?)
}

/// `POST /v1/accounts/{account}/freeze`.
pub(crate) async fn freeze<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    Input { value: freeze, .. }: Input<Freeze>,
) -> Result<Response, Problem> {
    let reason = freeze.reason.trim();
    if reason.chars().count() > REASON_MAX || reason.chars().any(char::is_control) {
        return Err(invalid("reason", format!("a reason has at most {REASON_MAX} characters on one line")));
    }
    let account = console.reach(&signed, &account).await?.account.id;
    let caller = console.confirmed(&signed).await?;
    let now = console.now();
    let frozen = console.authority().freeze_account(&caller, account, reason, freeze.cancel_orders, now).await;
    console.settled(&signed, frozen).await?;
    Ok(done())
}

/// `POST /v1/accounts/{account}/unfreeze`.
pub(crate) async fn unfreeze<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let account = console.reach(&signed, &account).await?.account.id;
    let caller = console.confirmed(&signed).await?;
    let released = console.authority().unfreeze_account(&caller, account, console.now()).await;
    console.settled(&signed, released).await?;
    Ok(done())
}

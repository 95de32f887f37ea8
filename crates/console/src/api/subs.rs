//! The sub-accounts of a master.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use latchkey_authority::account::{Email, Owner, PasswordHash, SubKind};
use latchkey_authority::caller::Caller;
use latchkey_authority::issue::NewSubAccount;
use latchkey_authority::ports::{Directory, Ports};
use latchkey_crypto::digest::sha256_framed;
use latchkey_protocol::AccountId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::factors::check_password;
use crate::api::once::{Creation, IdempotencyKey};
use crate::api::records::PageQuery;
use crate::api::view::AccountView;
use crate::console::Console;
use crate::problem::{self, Problem};
use crate::session::Signed;
use crate::wire::{Input, Query, Segments, answer, invalid};

/// A page of the sub-accounts of a master.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubAccounts {
    /// Oldest first.
    sub_accounts: Vec<AccountView>,
    /// What `after` must be for the next page; none after the last.
    next: Option<u64>,
}

/// A sub-account as it is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateSubAccount {
    /// Its e-mail address.
    email: String,
    /// With a password its holder can sign in; absent: only the master manages it.
    #[serde(default)]
    password: Option<String>,
}

/// `GET /v1/accounts/{account}/sub-accounts`.
pub(crate) async fn list<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let (after, limit) = page.read()?;
    let master = console.reach(&signed, &account).await?.account;
    let subs = console.store().sub_accounts(master.id, after, limit).await?;
    let next = (subs.len() == limit as usize).then(|| after.saturating_add(limit.into()));
    let sub_accounts =
        subs.iter().filter_map(|sub| Owner::new(sub, Some(&master))).map(|owner| AccountView::of(&owner)).collect();
    Ok(answer(StatusCode::OK, &SubAccounts { sub_accounts, next }))
}

/// `POST /v1/accounts/{account}/sub-accounts`.
pub(crate) async fn create<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(account): Segments<String>,
    once: IdempotencyKey,
    Input { value: new, digest }: Input<CreateSubAccount>,
) -> Result<Response, Problem> {
    let master = console.reach(&signed, &account).await?.account.id;
    let email = Email::parse(&new.email).map_err(|error| invalid("email", error.to_string()))?;
    let request = sha256_framed(&[b"create sub-account", &master.0.to_be_bytes(), &digest]);
    let make = async |claim| {
        if let Some(password) = &new.password {
            check_password(password)?;
        }
        let (caller, drawn) = console.confirmed_with(&signed).await?;
        let caller = Caller { claim, ..caller };
        let password_hash = match new.password {
            None => None,
            Some(password) => Some(console.hash_password_again(&caller, password, drawn).await?),
        };
        let sub = NewSubAccount { email, kind: SubKind::Normal, password_hash };
        let made = console.authority().create_sub_account(&caller, master, &sub, console.now()).await;
        let drawn = sub.password_hash.as_ref().map(PasswordHash::expose);
        let made = console.settled_with(&signed, made, drawn).await?;
        console.account_made(made.id).await
    };
    console.once(signed.account, once, request, make).await
}

impl<P: Ports + 'static> Console<P> {
    /// An account that was made, now or by an earlier request.
    pub(crate) async fn account_made(&self, account: AccountId) -> Result<Creation, Problem> {
        let loaded = self.load(account).await?;
        let view = AccountView::of(&loaded.owner().map_err(|_| problem::ACCOUNT_UNKNOWN)?);
        let body = serde_json::to_value(view).map_err(|_| problem::UNAVAILABLE)?;
        Ok(Creation { version: loaded.account.version, body })
    }
}

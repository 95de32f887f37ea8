//! Sub-accounts, called by their master: made, listed, and opened for futures and options.
//! Source: sub-account API, 2026-08-21.

use latchkey_admission::{Call, Outcome, Permit, Rejection, Ticket};
use latchkey_authority::account::{Account, Email, Product, SubKind};
use latchkey_authority::caller::Caller;
use latchkey_authority::issue::{AccountEdit, NewSubAccount};
use latchkey_authority::ports::{Directory, Loaded, Ports, Secrets, Store};
use latchkey_authority::refusal::Refusal;
use latchkey_authority::service::{Authority, AuthorityError};
use latchkey_protocol::code::{self, ApiError};
use latchkey_protocol::{AccountId, Timestamp, Value, object};

use crate::venue::{Venue, not_done};

/// The rows of a page of sub-accounts when no number is sent, as published.
const PAGE: i64 = 1;
/// The letters of the domain of a virtual address.
const DOMAIN_LETTERS: usize = 8;

/// Why a call about a sub-account did not do what it asks.
pub(crate) enum Failure {
    /// For this reason.
    Told(ApiError),
    /// The authority did not.
    Authority(AuthorityError),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Told(error)
    }
}

impl From<AuthorityError> for Failure {
    fn from(error: AuthorityError) -> Self {
        Self::Authority(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Authority(refusal.into())
    }
}

impl Failure {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Told(error) => Outcome::Rejected(Rejection::venue(error.clone())),
            Self::Authority(AuthorityError::Refused(refusal)) => {
                Outcome::Rejected(Rejection::venue(api_error(refusal)))
            }
            Self::Authority(error) => not_done(error),
        }
    }
}

/// A refusal in the words of this family, which has its own parameters.
fn api_error(refusal: &Refusal) -> ApiError {
    use latchkey_authority::permission_rules::Need;
    match refusal {
        Refusal::AccountUnknown | Refusal::NotYourAccount => code::NO_SUCH_SUB_ACCOUNT.plain(),
        Refusal::Ip(_) | Refusal::IpListEmpty | Refusal::IpNotListed(_) => code::INVALID_PARAMETER.with(["ipAddress"]),
        Refusal::PermissionNeeds(_, Need::Ed25519) => code::UNSUPPORTED_OPERATION_V2.plain(),
        other => other.api_error(),
    }
}

/// The end of a call of this family.
pub(crate) fn answered(result: Result<Value, Failure>) -> Outcome {
    match result {
        Ok(value) => Outcome::Answered(value.into()),
        Err(failure) => failure.outcome(),
    }
}

/// The sub-account that a call names, by `email` or by `subAccountId`, with its keys: one of the caller's or none.
pub(crate) async fn named<P: Ports>(authority: &Authority<P>, caller: &Caller, call: &Call) -> Result<Loaded, Failure> {
    let (store, nobody) = (authority.ports().store(), || code::NO_SUCH_SUB_ACCOUNT.plain());
    let id = match (call.arguments.text("email"), call.arguments.text("subAccountId")) {
        (Some(email), _) => {
            let email = Email::parse(email).map_err(|_| nobody())?;
            store.account_by_email(&email).await.map_err(AuthorityError::Store)?
        }
        (None, Some(id)) => id.parse().ok().map(AccountId),
        (None, None) => None,
    };
    let loaded = match id {
        Some(id) => store.load(id).await.map_err(AuthorityError::Store)?,
        None => None,
    };
    Ok(loaded.filter(|loaded| loaded.account.master == Some(caller.account)).ok_or_else(nobody)?)
}

/// `POST /sapi/v1/sub-account/virtualSubAccount`.
pub(crate) fn create<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let text = call.arguments.text("subAccountString").unwrap_or_default();
        answered(make(&authority, &caller, text, now).await)
    })
}

async fn make<P: Ports>(
    authority: &Authority<P>,
    caller: &Caller,
    text: &str,
    now: Timestamp,
) -> Result<Value, Failure> {
    const RANGE: &str = "^[a-zA-Z0-9]{1,32}$";
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(code::ILLEGAL_CHARS_IN.with(["subAccountString", RANGE]).into());
    }
    let address = format!("{}_virtual@{}noemail.com", text.to_ascii_lowercase(), letters(authority.ports().secrets()));
    let email = Email::parse(&address).map_err(|_| code::INVALID_PARAMETER.with(["subAccountString"]))?;
    let new = NewSubAccount { email, kind: SubKind::Normal, password_hash: None };
    let account = authority.create_sub_account(caller, caller.account, &new, now).await?;
    Ok(object! { "email": account.email.as_str().to_owned() })
}

/// Random letters, so that a virtual address belongs to nobody else.
fn letters(secrets: &impl Secrets) -> String {
    let mut bytes = [0; DOMAIN_LETTERS];
    secrets.random(&mut bytes);
    bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect()
}

/// `GET /sapi/v1/sub-account/list`.
pub(crate) fn list<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, _| async move {
        let arguments = &call.arguments;
        let number = |name, absent| usize::try_from(arguments.int(name).unwrap_or(absent)).unwrap_or_default();
        let (page, limit) = (number("page", 1), number("limit", PAGE));
        let found = match (arguments.text("email"), arguments.bool("isFreeze")) {
            (None, None) => page_of(&authority, &caller, page, limit).await,
            (_, frozen) => chosen(&authority, &caller, &call).await.map(|accounts| {
                let wanted = |account: &Account| frozen.is_none_or(|frozen| frozen != account.frozen.is_empty());
                let wanted = accounts.into_iter().filter(wanted);
                wanted.skip(page.saturating_sub(1).saturating_mul(limit)).take(limit).collect()
            }),
        };
        let rows = |accounts: Vec<Account>| accounts.iter().map(account_value).collect::<Vec<_>>();
        answered(found.map(|accounts| object! { "subAccounts": rows(accounts) }))
    })
}

/// One page of the caller's sub-accounts; the others are not read.
async fn page_of<P: Ports>(
    authority: &Authority<P>,
    caller: &Caller,
    page: usize,
    limit: usize,
) -> Result<Vec<Account>, Failure> {
    let skip = page.saturating_sub(1).saturating_mul(limit) as u64;
    let found = authority.ports().store().sub_accounts(caller.account, skip, u32::try_from(limit).unwrap_or(u32::MAX));
    Ok(found.await.map_err(AuthorityError::Store)?)
}

/// The caller's sub-accounts, or the one that is named; of nobody's there is an empty list.
async fn chosen<P: Ports>(authority: &Authority<P>, caller: &Caller, call: &Call) -> Result<Vec<Account>, Failure> {
    let Some(email) = call.arguments.text("email") else { return Ok(authority.sub_accounts(caller.account).await?) };
    let Ok(email) = Email::parse(email) else { return Ok(Vec::new()) };
    let store = authority.ports().store();
    let Some(id) = store.account_by_email(&email).await.map_err(AuthorityError::Store)? else { return Ok(Vec::new()) };
    let loaded = store.load(id).await.map_err(AuthorityError::Store)?;
    let account = loaded.map(|loaded| loaded.account).filter(|account| account.master == Some(caller.account));
    Ok(account.into_iter().collect())
}

fn account_value(account: &Account) -> Value {
    object! {
        "subUserId": account.id.0,
        "email": account.email.as_str().to_owned(),
        "remark": "",
        "isFreeze": !account.frozen.is_empty(),
        "createTime": account.created,
        "isManagedSubAccount": false,
        "isAssetManagementSubAccount": is_asset(account),
    }
}

fn is_asset(account: &Account) -> bool {
    account.sub_kind == SubKind::Asset
}

/// Refuses an asset sub-account, whose keys are not managed by these calls.
///
/// # Errors
/// `-1020`.
pub(crate) fn ordinary(loaded: &Loaded) -> Result<(), ApiError> {
    if is_asset(&loaded.account) { Err(code::UNSUPPORTED_OPERATION.plain()) } else { Ok(()) }
}

/// `GET /sapi/v1/sub-account/status`.
pub(crate) fn status<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    venue.spawn(permit, |authority, _, call, caller, now| async move {
        let found = match call.arguments.text("email") {
            Some(_) => named(&authority, &caller, &call).await.map(|loaded| vec![loaded.account]),
            None => chosen(&authority, &caller, &call).await,
        };
        let row = |account: &Account| {
            object! {
                "email": account.email.as_str().to_owned(),
                "isSubUserEnabled": true,
                "isUserActive": account.frozen.is_empty(),
                "insertTime": account.created,
                "isMarginEnabled": account.products.is_open(Product::Margin, now),
                "isFutureEnabled": account.products.is_open(Product::Futures, now),
            }
        };
        answered(found.map(|accounts| Value::Array(accounts.iter().map(row).collect())))
    })
}

/// `POST /sapi/v1/sub-account/futures/enable`.
pub(crate) fn futures<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    open(venue, permit, Product::Futures, "isFuturesEnabled")
}

/// `POST /sapi/v1/sub-account/eoptions/enable`.
pub(crate) fn options<P: Ports + 'static>(venue: &Venue<P>, permit: Permit) -> Result<Ticket, Rejection> {
    open(venue, permit, Product::Options, "isEOptionsEnabled")
}

fn open<P: Ports + 'static>(
    venue: &Venue<P>,
    permit: Permit,
    product: Product,
    field: &'static str,
) -> Result<Ticket, Rejection> {
    venue.spawn(permit, move |authority, _, call, caller, now| async move {
        let opened = async {
            let loaded = named(&authority, &caller, &call).await?;
            if !loaded.account.products.is_open(product, now) {
                let edit = AccountEdit { open: vec![product], ..AccountEdit::default() };
                authority.edit_account(&caller, loaded.account.id, &edit, None, now).await?;
            }
            let email = loaded.account.email.as_str().to_owned();
            Ok::<_, Failure>(Value::Object(vec![("email", email.into()), (field, true.into())]))
        };
        answered(opened.await)
    })
}

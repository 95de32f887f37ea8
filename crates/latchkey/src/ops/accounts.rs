//! Accounts: open, look at, state facts, freeze.

use axum::extract::{Path, Query, State};
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use latchkey_authority::account::{
    Account, Country, CrossMarginPro, Email, Kyc, PortfolioMargin, Product, Products, SubKind, Terms, TermsSigned,
};
use latchkey_authority::issue::{AccountEdit, NewAccount};
use latchkey_authority::ports::{Directory, Loaded, Store};
use latchkey_protocol::{AccountId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ops;
use super::operator::Operator;
use super::problem::{Body, Problem};

/// Accounts of one page, unless fewer are asked for.
const PAGE_MAX: u32 = 500;
/// The longest reason of a freeze, in characters.
const REASON_MAX: usize = 200;

/// Which accounts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// The one with this address alone.
    email: Option<String>,
    /// Those above this uid.
    after: Option<i64>,
    limit: Option<u32>,
}

/// What is stated of an account; what is absent stays.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Facts {
    kyc: Option<Kyc>,
    vip: Option<u8>,
    deposited: Option<bool>,
    /// Products to open now.
    open: Vec<Product>,
    /// Products to close.
    close: Vec<Product>,
    portfolio_margin: Option<Margin>,
    cross_margin_pro: Option<CrossMarginPro>,
    /// Agreements that the owner has signed elsewhere.
    sign: Vec<Terms>,
    /// Agreements that are withdrawn.
    withdraw: Vec<Terms>,
    /// Default Security Controls; an operator turns them on alone.
    default_security_controls: Option<bool>,
    /// A country, or `none`.
    residence: Option<String>,
    special_key_exception: Option<bool>,
    sub_kind: Option<SubKind>,
}

/// Portfolio margin, active from now on.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Margin {
    None,
    Retail,
    Pro,
}

impl Margin {
    const fn since(self, now: Timestamp) -> PortfolioMargin {
        match self {
            Self::None => PortfolioMargin::None,
            Self::Retail => PortfolioMargin::Retail { since: now },
            Self::Pro => PortfolioMargin::Pro { since: now },
        }
    }
}

/// An account as it is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewOne {
    email: String,
    /// The address of the master account; makes a sub-account.
    sub_of: Option<String>,
    #[serde(flatten)]
    facts: serde_json::Map<String, Value>,
}

/// Why, and whether open orders go too.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Freeze {
    reason: String,
    #[serde(default)]
    cancel_orders: bool,
}

fn email(text: &str) -> Result<Email, Problem> {
    Email::parse(text).map_err(|error| Problem::invalid(format!("`{}`: {error}", text.escape_debug())))
}

fn residence(text: &str) -> Result<Option<Country>, Problem> {
    if text == "none" {
        return Ok(None);
    }
    Country::parse(text).map(Some).map_err(|error| Problem::invalid(format!("`residence` is {error}")))
}

/// `GET /ops/v1/accounts`.
pub(crate) async fn list(State(ops): State<Ops>, Query(page): Query<Page>) -> Result<Json<Value>, Problem> {
    let store = ops.house.store();
    if let Some(text) = &page.email {
        let found = match store.account_by_email(&email(text)?).await? {
            None => Vec::new(),
            Some(id) => vec![view(&load(&ops, id.0).await?)?],
        };
        return Ok(Json(json!({ "accounts": found, "next": null })));
    }
    let limit = page.limit.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::invalid(format!("`limit` is 1 to {PAGE_MAX}")));
    }
    let accounts = store.accounts(AccountId(page.after.unwrap_or_default()), limit).await?;
    let full = u32::try_from(accounts.len()).is_ok_and(|count| count == limit);
    let next = accounts.last().filter(|_| full).map(|last| last.id.0);
    let mut views = Vec::with_capacity(accounts.len());
    for account in accounts {
        let master = match account.master {
            None => None,
            Some(master) => store.load(master).await?.map(|loaded| loaded.account),
        };
        views.push(view(&Loaded { account, master, keys: Vec::new() })?);
    }
    Ok(Json(json!({ "accounts": views, "next": next })))
}

/// `POST /ops/v1/accounts`.
pub(crate) async fn create(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Body(new): Body<NewOne>,
) -> Result<Response, Problem> {
    let now = ops.now();
    let facts: Facts =
        serde_json::from_value(Value::Object(new.facts)).map_err(|error| Problem::invalid(error.to_string()))?;
    let opened = |product| facts.open.contains(&product).then_some(now);
    let account = NewAccount {
        email: email(&new.email)?,
        kyc: facts.kyc.unwrap_or_default(),
        vip: facts.vip.unwrap_or_default(),
        deposited: facts.deposited.unwrap_or_default(),
        products: Products {
            margin: opened(Product::Margin),
            futures: opened(Product::Futures),
            options: opened(Product::Options),
        },
        portfolio_margin: facts.portfolio_margin.unwrap_or(Margin::None).since(now),
        cross_margin_pro: facts.cross_margin_pro.unwrap_or_default(),
        terms: facts.sign.iter().copied().collect::<TermsSigned>(),
        default_security_controls: true,
        sub_of: new.sub_of.as_deref().map(email).transpose()?,
        residence: facts.residence.as_deref().map(residence).transpose()?.flatten(),
        special_key_exception: facts.special_key_exception.unwrap_or_default(),
        password_hash: None,
        totp: None,
        created: None,
        funds: Vec::new(),
    };
    let made = driven(&ops, move |ops| async move {
        Ok(ops.house.authority.create_account(&operator.caller(AccountId(0)), &account, now).await?)
    })
    .await?;
    greet(&ops, &made).await;
    let loaded = load(&ops, made.id.0).await?;
    Ok((StatusCode::CREATED, tagged(&loaded)?).into_response())
}

/// Tells the owner of a new account where to begin. That no letter could be sent undoes nothing: the owner can ask for
/// a code at any time.
async fn greet(ops: &Ops, account: &Account) {
    let Some(mail) = &ops.mail else { return };
    let text = format!(
        "An account was opened for you at {origin}.\n\nTo choose your password by a code that is sent to this address, \
         run\n\n  latchkey login --console {origin} --email {email} --new-password\n",
        origin = ops.origin,
        email = account.email,
    );
    if let Err(error) = mail.send(&account.email, "Your new account", &text).await {
        tracing::warn!(error = error.0.to_string(), "the owner of a new account could not be written to");
    }
}

/// `GET /ops/v1/accounts/{uid}`.
pub(crate) async fn show(State(ops): State<Ops>, Path(uid): Path<i64>) -> Result<Response, Problem> {
    tagged(&load(&ops, uid).await?)
}

/// `PATCH /ops/v1/accounts/{uid}`.
pub(crate) async fn edit(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Path(uid): Path<i64>,
    headers: HeaderMap,
    Body(facts): Body<Facts>,
) -> Result<Response, Problem> {
    let now = ops.now();
    let expected = expected(&headers)?;
    let edit = AccountEdit {
        kyc: facts.kyc,
        vip: facts.vip,
        deposited: facts.deposited,
        open: facts.open,
        close: facts.close,
        portfolio_margin: facts.portfolio_margin.map(|margin| margin.since(now)),
        cross_margin_pro: facts.cross_margin_pro,
        sign: facts.sign,
        withdraw: facts.withdraw,
        controls: facts.default_security_controls,
        residence: facts.residence.as_deref().map(residence).transpose()?,
        special_key_exception: facts.special_key_exception,
        sub_kind: facts.sub_kind,
    };
    driven(&ops, move |ops| async move {
        let account = AccountId(uid);
        let caller = operator.caller(account);
        ops.house
            .authority
            .edit_account(&caller, account, &edit, Some(expected), now)
            .await
            .map(drop)
            .map_err(Problem::from)
    })
    .await?;
    tagged(&load(&ops, uid).await?)
}

/// The version that the operator saw.
fn expected(headers: &HeaderMap) -> Result<u64, Problem> {
    let Some(tag) = headers.get(IF_MATCH) else {
        let detail = "name the version that you saw in `If-Match`";
        return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "precondition-needed", detail));
    };
    let version = tag.to_str().ok().and_then(|tag| tag.strip_prefix("\"v")?.strip_suffix('"')?.parse().ok());
    let stale = || Problem::new(StatusCode::PRECONDITION_FAILED, "stale", "`If-Match` names no version of the account");
    version.ok_or_else(stale)
}

/// `POST /ops/v1/accounts/{uid}/freeze`.
pub(crate) async fn freeze(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Path(uid): Path<i64>,
    Body(freeze): Body<Freeze>,
) -> Result<StatusCode, Problem> {
    let reason = freeze.reason.trim().to_owned();
    if !(1..=REASON_MAX).contains(&reason.chars().count()) || reason.chars().any(char::is_control) {
        return Err(Problem::invalid(format!("`reason` has 1 to {REASON_MAX} characters on one line")));
    }
    driven(&ops, move |ops| async move {
        let (account, now) = (AccountId(uid), ops.now());
        let caller = operator.caller(account);
        Ok(ops.house.authority.freeze_account(&caller, account, &reason, freeze.cancel_orders, now).await?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /ops/v1/accounts/{uid}/unfreeze`.
pub(crate) async fn unfreeze(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Path(uid): Path<i64>,
) -> Result<StatusCode, Problem> {
    driven(&ops, move |ops| async move {
        let account = AccountId(uid);
        Ok(ops.house.authority.unfreeze_account(&operator.caller(account), account, ops.now()).await?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /ops/v1/accounts/{uid}/reset-factors`.
pub(crate) async fn reset_factors(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Path(uid): Path<i64>,
) -> Result<StatusCode, Problem> {
    driven(&ops, move |ops| async move {
        let account = AccountId(uid);
        let caller = operator.caller(account);
        ops.house.authority.reset_factors(&caller, account, ops.now()).await.map(drop).map_err(Problem::from)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Drives a change to its end, whether or not the operator waits for it.
pub(crate) async fn driven<T, F>(ops: &Ops, change: impl FnOnce(Ops) -> F) -> Result<T, Problem>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Problem>> + Send + 'static,
{
    tokio::spawn(change(ops.clone())).await.map_err(|error| Problem::failed(&error.into()))?
}

/// An account with its master and its keys.
pub(crate) async fn load(ops: &Ops, uid: i64) -> Result<Loaded, Problem> {
    let loaded = ops.house.store().load(AccountId(uid)).await?;
    loaded
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "account-unknown", format!("no account has the uid {uid}")))
}

fn tagged(loaded: &Loaded) -> Result<Response, Problem> {
    let tag = format!("\"v{}\"", loaded.account.version);
    Ok(([(ETAG, tag)], Json(view(loaded)?)).into_response())
}

/// What is shown of an account: the same as its owner sees.
fn view(loaded: &Loaded) -> Result<Value, Problem> {
    Ok(latchkey_console::show::account(&loaded.owner()?))
}

//! Signing in: the password, then a second factor where one is enrolled.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::Response;
use latchkey_authority::account::{Account, Email};
use latchkey_authority::caller::{Caller, Via};
use latchkey_authority::change::{Action, Outcome};
use latchkey_authority::ports::{Directory as _, Ports, Secrets, Shelf, ShelfItem, ShelfKind, Store};
use latchkey_authority::service::AuthorityError;
use latchkey_authority::step_up::{Factor, FactorSet};
use latchkey_crypto::digest::sha256_framed;
use latchkey_protocol::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::attempts::{self, Counter};
use crate::console::{Console, Fact};
use crate::factor::{self, passkey, recovery, totp};
use crate::hashing::For;
use crate::problem::{self, Problem};
use crate::session::{Session, Transport, csrf_of, peer, public_id};
use crate::token::Token;
use crate::wire::{Input, answer};

/// How long the second factor may take after the password.
const LIFE_MS: i64 = 5 * 60 * 1_000;

/// How long a browser keeps the cookies, in seconds: the server ends the session earlier.
const COOKIE_S: i64 = 12 * 60 * 60;

/// Where a request came from, when nobody is signed in yet.
pub(crate) struct Source(Option<IpAddr>);

impl Source {
    /// The address, where the listener told one.
    pub(crate) const fn address(&self) -> Option<IpAddr> {
        self.0
    }

    /// What attempts are counted under.
    pub(crate) fn counted(&self) -> IpAddr {
        self.0.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Source {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self(peer(parts)))
    }
}

/// Address and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// The e-mail address of the account.
    email: String,
    /// Its password.
    password: String,
    /// How the session shall travel.
    #[serde(default)]
    transport: Transport,
}

/// What a sign-in answers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedIn {
    /// Whose session it is.
    account: i64,
    /// The session's name in the list of sessions.
    session: String,
    /// The bearer token, for programs alone; it is shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// What changes must repeat in `X-Latchkey-CSRF`, for browsers alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf: Option<String>,
    /// When the session ends if nothing more comes, in milliseconds since the epoch.
    expires: i64,
}

/// The password was right, and a second factor is needed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FactorNeeded {
    /// Names this sign-in in the requests that follow.
    sign_in: String,
    /// What will do: `totp`, `passkey`, `recovery-code`.
    factors: Vec<String>,
    /// When the sign-in must be done, in milliseconds since the epoch.
    expires: i64,
}

/// A sign-in and a code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct SignInCode {
    /// What the password answered.
    sign_in: String,
    /// The code.
    code: String,
}

/// A sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct SignInName {
    /// What the password answered.
    sign_in: String,
}

/// A sign-in and a passkey's answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct SignInPasskey {
    /// What the password answered.
    sign_in: String,
    /// What `navigator.credentials.get()` gave, as `toJSON()` writes it.
    #[schema(value_type = Object)]
    credential: Value,
}

/// A sign-in between password and second factor, as it rests.
#[derive(Serialize, Deserialize)]
struct Pending {
    account: AccountId,
    transport: Transport,
    /// What a passkey is asked to sign; new for every question.
    nonce: Option<[u8; 32]>,
}

/// `POST /v1/session`.
pub(crate) async fn password<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    source: Source,
    Input { value: sign_in, .. }: Input<SignIn>,
) -> Result<Response, Problem> {
    let (ports, now) = (console.authority().ports(), console.now());
    let reserved = attempts::reserve(ports, Counter::Password(source.counted()), now).await?;
    let account = find(&console, &sign_in.email).await?;
    let holds = match console.password_holds(For::Source(source.counted()), account.as_ref(), sign_in.password).await {
        Ok(holds) => holds,
        // Nothing was judged, so nothing failed.
        Err(problem) => {
            reserved.right(ports, now).await?;
            return Err(problem);
        }
    };
    // Not noted in the account's audit chain: strangers would fill it, and the write would tell that it exists.
    let (true, Some(account)) = (holds, account) else { return Err(problem::SIGN_IN_REFUSED.into()) };
    reserved.right(ports, now).await?;

    let factors = factors_of(&account);
    if factors.is_empty() {
        return begin(&console, &account, sign_in.transport, &source, FactorSet::EMPTY.with(Factor::Password)).await;
    }
    let token = Token::draw(console.secrets());
    let pending = Pending { account: account.id, transport: sign_in.transport, nonce: None };
    let expires = now.plus_millis(LIFE_MS);
    console.shelf().put(ShelfKind::SignIn, token.key(), Some(account.id), &encode(&pending), now, expires).await?;
    let needed = FactorNeeded {
        sign_in: token.expose().to_owned(),
        factors: factors.into_iter().map(str::to_owned).collect(),
        expires: expires.as_millis(),
    };
    Ok(answer(StatusCode::OK, &needed))
}

/// `POST /v1/session/totp`.
pub(crate) async fn totp<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    source: Source,
    Input { value: given, .. }: Input<SignInCode>,
) -> Result<Response, Problem> {
    let (token, pending, _) = pending(&console, &given.sign_in).await?;
    let account = console.load(pending.account).await?.account;
    let check = totp::check(&console, &account, &given.code);
    let judged = factor::guess(&console, &account, source.counted(), check).await.and_then(totp::Shown::once);
    finish(&console, &token, &account, &source, Factor::Totp, judged).await
}

/// `POST /v1/session/recovery`.
pub(crate) async fn recovery<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    source: Source,
    Input { value: given, .. }: Input<SignInCode>,
) -> Result<Response, Problem> {
    let (token, pending, _) = pending(&console, &given.sign_in).await?;
    let account = console.load(pending.account).await?.account;
    let check = async {
        let code = recovery::find(&account, &given.code)?;
        let caller = Caller { account: account.id, from: source.0, via: Via::Owner, step_up: None, claim: None };
        // Spending it is what accepts it: of two requests with one code, one gets in.
        console.authority().use_recovery_code(&caller, account.id, code, console.now()).await.map_err(|error| {
            match error {
                AuthorityError::Refused(_) => factor::refused(),
                other => other.into(),
            }
        })
    };
    let judged = factor::guess(&console, &account, source.counted(), check).await.map(drop);
    finish(&console, &token, &account, &source, Factor::RecoveryCode, judged).await
}

/// `POST /v1/session/passkey/begin`.
pub(crate) async fn passkey_begin<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    Input { value: given, .. }: Input<SignInName>,
) -> Result<Response, Problem> {
    let (token, mut pending, item) = pending(&console, &given.sign_in).await?;
    let account = console.load(pending.account).await?.account;
    let mut nonce = [0; 32];
    console.secrets().random(&mut nonce);
    pending.nonce = Some(nonce);
    let options = passkey::ask(&console.passkeys, &account, challenge(&nonce))?;
    if !console.replace(ShelfKind::SignIn, &token, &item, &encode(&pending)).await? {
        return Err(problem::BUSY.into());
    }
    Ok(answer(StatusCode::OK, &options))
}

/// `POST /v1/session/passkey/finish`.
pub(crate) async fn passkey_finish<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    source: Source,
    Input { value: given, .. }: Input<SignInPasskey>,
) -> Result<Response, Problem> {
    let (token, mut pending, item) = pending(&console, &given.sign_in).await?;
    let account = console.load(pending.account).await?.account;
    // A question is answered once: it is gone before the answer is judged.
    let nonce = pending.nonce.take().ok_or_else(factor::refused)?;
    if !console.replace(ShelfKind::SignIn, &token, &item, &encode(&pending)).await? {
        return Err(factor::refused());
    }
    let judged = passkey::check(&console, &account, challenge(&nonce), given.credential).await;
    finish(&console, &token, &account, &source, Factor::Passkey, judged).await
}

fn challenge(nonce: &[u8; 32]) -> [u8; 32] {
    sha256_framed(&[b"latchkey passkey sign-in", nonce])
}

/// The account of an address, without its keys: it is strangers who ask.
pub(crate) async fn find<P: Ports + 'static>(console: &Console<P>, email: &str) -> Result<Option<Account>, Problem> {
    let Ok(email) = Email::parse(email) else { return Ok(None) };
    match console.store().account_by_email(&email).await? {
        None => Ok(None),
        Some(id) => {
            let found = console.store().accounts(AccountId(id.0 - 1), 1).await?;
            Ok(found.into_iter().find(|account| account.id == id))
        }
    }
}

/// The second factors that the account itself has.
fn factors_of(account: &Account) -> Vec<&'static str> {
    let mut factors = Vec::new();
    if account.totp.is_some() {
        factors.push("totp");
    }
    if passkey::enrolled(account) {
        factors.push("passkey");
    }
    if !factors.is_empty() && !account.recovery.is_empty() {
        factors.push("recovery-code");
    }
    factors
}

async fn pending<P: Ports + 'static>(
    console: &Console<P>,
    sign_in: &str,
) -> Result<(Token, Pending, ShelfItem), Problem> {
    let token = Token::parse(sign_in).ok_or(problem::CEREMONY_UNKNOWN)?;
    let found = console.shelf().get(ShelfKind::SignIn, token.key(), console.now()).await?;
    let item = found.ok_or(problem::CEREMONY_UNKNOWN)?;
    let pending = serde_json::from_slice(&item.value).map_err(|_| problem::CEREMONY_UNKNOWN)?;
    Ok((token, pending, item))
}

/// Ends a sign-in by the judgement over its second factor.
async fn finish<P: Ports + 'static>(
    console: &Arc<Console<P>>,
    token: &Token,
    account: &Account,
    source: &Source,
    with: Factor,
    judged: Result<(), Problem>,
) -> Result<Response, Problem> {
    if let Err(problem) = judged {
        let outcome = Outcome::Refused(problem.row().name.to_owned());
        let with = FactorSet::EMPTY.with(Factor::Password);
        let action = Action::SignInFailed;
        console.note_failure(Fact { account: account.id, from: source.0, action, outcome, with }).await;
        return Err(problem);
    }
    // Whoever takes the sign-in away has it: it gives one session.
    let Some(item) = console.shelf().take(ShelfKind::SignIn, token.key(), console.now()).await? else {
        return Err(problem::CEREMONY_UNKNOWN.into());
    };
    let pending: Pending = serde_json::from_slice(&item.value).map_err(|_| problem::CEREMONY_UNKNOWN)?;
    begin(console, account, pending.transport, source, FactorSet::EMPTY.with(Factor::Password).with(with)).await
}

async fn begin<P: Ports + 'static>(
    console: &Console<P>,
    account: &Account,
    transport: Transport,
    source: &Source,
    with: FactorSet,
) -> Result<Response, Problem> {
    let now = console.now();
    let session = Session { account: account.id, began: now, seen: now, from: source.0, transport, with };
    let token = console.begin(&session).await?;
    let fact = Fact { account: account.id, from: source.0, action: Action::SignedIn, outcome: Outcome::Done, with };
    console.note(fact).await;
    let (csrf, browser) = (csrf_of(&token), transport == Transport::Cookie);
    let body = SignedIn {
        account: account.id.0,
        session: public_id(&token.key()),
        token: (!browser).then(|| token.expose().to_owned()),
        csrf: browser.then(|| csrf.clone()),
        expires: session.ends().as_millis(),
    };
    let mut response = answer(StatusCode::CREATED, &body);
    if browser {
        for cookie in console.cookies.set(&token, &csrf, COOKIE_S) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

fn encode(pending: &Pending) -> Vec<u8> {
    serde_json::to_vec(pending).unwrap_or_default()
}

//! Choosing a password without the former one, by a code that is sent to the owner's address: the first password of an
//! account that an operator opened, and one that was forgotten.
//!
//! Whether an address has an account cannot be told from the answers. A second factor stays what it is: whoever reads
//! the owner's letters alone still cannot sign in where one is enrolled.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use latchkey_authority::account::PasswordHash;
use latchkey_authority::caller::{Caller, Via};
use latchkey_authority::change::{Action, Outcome};
use latchkey_authority::ports::{Ports, Shelf, ShelfKind};
use latchkey_authority::step_up::{Factor, FactorSet, StepUp};
use latchkey_protocol::AccountId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::factors::check_password;
use crate::attempts::{self, Counter};
use crate::console::{Console, Fact};
use crate::factor;
use crate::factor::code::{SentCode, Try};
use crate::hashing::For;
use crate::problem::{self, Problem};
use crate::sign_in::{Source, find};
use crate::token::Token;
use crate::wire::{Input, answer, done};

/// How long a reset lives.
const LIFE_MS: i64 = 10 * 60 * 1_000;

/// Whose password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskReset {
    /// The e-mail address of the account.
    email: String,
}

/// A code is on its way, if the address has an account.
#[derive(Serialize, ToSchema)]
pub(crate) struct ResetBegun {
    /// Names this reset in the request that follows.
    reset: String,
    /// When it must be done, in milliseconds since the epoch.
    expires: i64,
}

/// The code and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinishReset {
    /// What the first request answered.
    reset: String,
    /// The code that was sent.
    code: String,
    /// The new password.
    password: String,
}

/// A reset as it rests; one for an address without account too.
#[derive(Serialize, Deserialize)]
struct Reset {
    account: Option<AccountId>,
    code: SentCode,
}

/// `POST /v1/password/reset`.
pub(crate) async fn begin<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    source: Source,
    Input { value: asked, .. }: Input<AskReset>,
) -> Result<Response, Problem> {
    if console.services.mail.is_none() {
        return Err(problem::NO_CHANNEL.into());
    }
    let (ports, now) = (console.authority().ports(), console.now());
    // Never taken back: letters are what is limited.
    drop(attempts::reserve(ports, Counter::Asked(source.counted()), now).await?);
    let token = Token::draw(console.secrets());
    let mut reset = Reset { account: None, code: SentCode::default() };
    let code = reset.code.next(console.secrets(), &token, now).ok_or(problem::UNAVAILABLE)?;
    let expires = now.plus_millis(LIFE_MS);
    // Of nobody: what strangers ask for takes no room from the ceremonies of the owner.
    console.shelf().put(ShelfKind::Ceremony, token.key(), None, &encode(&reset), now, expires).await?;
    let begun = ResetBegun { reset: token.expose().to_owned(), expires: expires.as_millis() };
    // Not awaited: the time of the answer must not tell that there is an account.
    tokio::spawn(async move {
        if let Err(problem) = send(&console, &asked.email, &token, code).await {
            tracing::error!(problem = problem.row().name, "a code could not be sent");
        }
    });
    Ok(answer(StatusCode::ACCEPTED, &begun))
}

/// Sends the code to the account of the address. Until then the reset is for nobody, and no code fits it.
async fn send<P: Ports + 'static>(
    console: &Console<P>,
    email: &str,
    token: &Token,
    code: String,
) -> Result<(), Problem> {
    let Some(mail) = &console.services.mail else { return Ok(()) };
    let Some(account) = find(console, email).await? else { return Ok(()) };
    if attempts::reserve(console.authority().ports(), Counter::Reset(account.id), console.now()).await.is_err() {
        tracing::info!("no code was sent: this owner got many already");
        return Ok(());
    }
    loop {
        let Some(item) = console.shelf().get(ShelfKind::Ceremony, token.key(), console.now()).await? else {
            return Ok(());
        };
        let mut reset: Reset = serde_json::from_slice(&item.value).map_err(|_| problem::CEREMONY_UNKNOWN)?;
        reset.account = Some(account.id);
        if console.replace(ShelfKind::Ceremony, token, &item, &encode(&reset)).await? {
            break;
        }
    }
    let text = format!(
        "Your code is {code}\n\nIt lets you choose a new password and is good for ten minutes.\nIf you did not ask for it, \
         do nothing: your password stays as it is.\n"
    );
    if let Err(error) = mail.send(&account.email, "Choose your password", &text).await {
        tracing::error!(error = error.0.to_string(), "a code could not be sent");
    }
    Ok(())
}

/// `POST /v1/password/reset/finish`: every session of the account ends, and every sign-in that was
/// begun.
pub(crate) async fn finish<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    source: Source,
    Input { value: given, .. }: Input<FinishReset>,
) -> Result<Response, Problem> {
    check_password(&given.password)?;
    // Before all else: a server that is busy costs the owner neither an attempt nor the code.
    let turn = console.hashing.turn(For::Source(source.counted())).await?;
    let (ports, now) = (console.authority().ports(), console.now());
    let token = Token::parse(&given.reset).ok_or(problem::CEREMONY_UNKNOWN)?;
    let reserved = attempts::reserve(ports, Counter::Password(source.counted()), now).await?;
    let found = console.shelf().get(ShelfKind::Ceremony, token.key(), now).await?;
    let item = found.ok_or(problem::CEREMONY_UNKNOWN)?;
    let mut reset: Reset = serde_json::from_slice(&item.value).map_err(|_| problem::CEREMONY_UNKNOWN)?;
    let tried = reset.code.try_code(&token, &given.code, now);
    // Stored before it is believed: of two requests with one code, one is judged.
    if !console.replace(ShelfKind::Ceremony, &token, &item, &encode(&reset)).await? {
        return Err(problem::BUSY.into());
    }
    let (Try::Right, Some(account)) = (tried, reset.account) else {
        if let Some(account) = reset.account {
            // Not awaited: the time of the answer must not tell that there is an account.
            tokio::spawn(note_failure(Arc::clone(&console), account, source.address()));
        }
        return Err(factor::refused());
    };
    reserved.right(ports, now).await?;
    let hash = PasswordHash::new(console.hash_password_in(turn, given.password).await?);
    // Nobody is signed in: the record says by which proof the owner was known.
    let proof = StepUp::proven([0; 32], FactorSet::EMPTY.with(Factor::EmailCode), now);
    let caller = Caller { account, from: source.address(), via: Via::SentCode, step_up: Some(proof), claim: None };
    console.authority().change_password(&caller, account, hash, now).await?;
    console.shelf().take(ShelfKind::Ceremony, token.key(), now).await?;
    Ok(done())
}

async fn note_failure<P: Ports + 'static>(console: Arc<Console<P>>, account: AccountId, from: Option<IpAddr>) {
    let outcome = Outcome::Refused(factor::refused().row().name.to_owned());
    let with = FactorSet::EMPTY.with(Factor::EmailCode);
    console.note_failure(Fact { account, from, action: Action::PasswordReset, outcome, with }).await;
}

fn encode(reset: &Reset) -> Vec<u8> {
    serde_json::to_vec(reset).unwrap_or_default()
}

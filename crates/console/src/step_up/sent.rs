//! Codes that are sent during a ceremony, and tried.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use latchkey_authority::account::Account;
use latchkey_authority::ports::Ports;
use latchkey_authority::step_up::{Factor, IntentKind};

use super::{Ceremony, GivenCode, read_id};
use crate::attempts::{self, Counter};
use crate::console::Console;
use crate::factor;
use crate::factor::code::{SentCode, Try};
use crate::problem::{self, Problem};
use crate::session::Signed;
use crate::wire::{Input, NoBody, Segments};

/// `POST /v1/step-up/{step_up}/email`.
pub(crate) async fn email<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(id): Segments<String>,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let Some(mail) = &console.services.mail else { return Err(problem::NO_CHANNEL.into()) };
    let (account, what, code) = send(&console, &signed, &id, |ceremony| &mut ceremony.email).await?;
    let text = format!(
        "Your code is {code}\n\nIt confirms this change of your account: {}.\nIt is good for five minutes and for this \
         change alone. If you did not ask for it, somebody is signed in as you: end all sessions and change your \
         password.\n",
        what,
    );
    mail.send(&account.email, "Confirm a change of your account", &text).await.map_err(unsent)?;
    Ok(crate::wire::done())
}

/// `POST /v1/step-up/{step_up}/sms`.
pub(crate) async fn sms<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(id): Segments<String>,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let Some(sms) = &console.services.sms else { return Err(problem::NO_CHANNEL.into()) };
    let (account, what, code) = send(&console, &signed, &id, |ceremony| &mut ceremony.sms).await?;
    let text = format!("{code} confirms this change of your account: {}.", what);
    sms.send(account.id, &account.email, &text).await.map_err(unsent)?;
    Ok(crate::wire::done())
}

fn unsent(error: crate::ports::Unavailable) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "a code could not be sent");
    Problem::from(problem::UNAVAILABLE).detail("the code could not be sent")
}

/// What a change does, in the words of a message.
const fn describe(kind: IntentKind) -> &'static str {
    match kind {
        IntentKind::CreateKey => "a new API key",
        IntentKind::WidenKey => "an API key that may do more",
        IntentKind::GrantWithdrawals => "an API key that may withdraw",
        IntentKind::DeleteKey => "the end of API keys",
        IntentKind::EnableKey => "an API key that comes back into use",
        IntentKind::RotateKey => "a successor for an API key",
        IntentKind::Unfreeze => "the end of a freeze",
        IntentKind::ControlsOff => "Default Security Controls turned off",
        IntentKind::ChangeAccount => "terms signed or products opened",
        IntentKind::AddFirstFactor => "a first second factor",
        IntentKind::AddFactor => "another second factor",
        IntentKind::RemoveFactor => "a second factor taken away",
        IntentKind::RecoveryCodes => "new recovery codes",
        IntentKind::ChangePassword => "a new password",
        IntentKind::SubAccount => "a new sub-account",
    }
}

/// Draws the next code of one channel.
async fn send<P: Ports + 'static>(
    console: &Console<P>,
    signed: &Signed,
    id: &str,
    channel: impl Fn(&mut Ceremony) -> &mut SentCode,
) -> Result<(Account, &'static str, String), Problem> {
    let id = read_id(id)?;
    console.ceremony(signed, &id).await?;
    let (account, now) = (console.own(signed).await?, console.now());
    // Every message counts against the account, so that nobody fills the owner's mailbox.
    drop(attempts::reserve(console.authority().ports(), Counter::Sent(account.id), now).await?);
    let too_many =
        || Problem::from(problem::TOO_MANY_ATTEMPTS).detail("this confirmation has sent its codes").retry_after(60);
    let (code, ceremony) = console
        .update(signed, &id, |ceremony| channel(ceremony).next(console.secrets(), &id, now).ok_or_else(too_many))
        .await?;
    Ok((account, describe(ceremony.demand.kind), code))
}

/// `POST /v1/step-up/{step_up}/email/verify`.
pub(crate) async fn email_verify<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(id): Segments<String>,
    Input { value: given, .. }: Input<GivenCode>,
) -> Result<Response, Problem> {
    sent_code(&console, &signed, &id, &given.code, Factor::EmailCode, |ceremony| &mut ceremony.email).await
}

/// `POST /v1/step-up/{step_up}/sms/verify`.
pub(crate) async fn sms_verify<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(id): Segments<String>,
    Input { value: given, .. }: Input<GivenCode>,
) -> Result<Response, Problem> {
    sent_code(&console, &signed, &id, &given.code, Factor::SmsCode, |ceremony| &mut ceremony.sms).await
}

async fn sent_code<P: Ports + 'static>(
    console: &Console<P>,
    signed: &Signed,
    id: &str,
    text: &str,
    factor: Factor,
    channel: impl Fn(&mut Ceremony) -> &mut SentCode,
) -> Result<Response, Problem> {
    let id = read_id(id)?;
    console.ceremony(signed, &id).await?;
    let (account, now) = (console.own(signed).await?, console.now());
    let check = async {
        // The try is stored before its result is believed: five tries are five, however many come at once.
        let (tried, _) = console.update(signed, &id, |ceremony| Ok(channel(ceremony).try_code(&id, text, now))).await?;
        if tried == Try::Right { Ok(()) } else { Err(factor::refused()) }
    };
    let judged = factor::guess(console, &account, signed.source(), check).await;
    console.proved(signed, &id, factor, judged).await
}

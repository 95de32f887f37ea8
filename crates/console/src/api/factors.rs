//! The factors of whoever is signed in: add, remove, replace.
//!
//! A factor is added in two requests. What the first one drew rests on the shelf until the second has been confirmed,
//! so that the change which is confirmed is the one that is made.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use latchkey_authority::account::{Account, Sealed};
use latchkey_authority::label::Label;
use latchkey_authority::ports::{Ports, Secrets, Shelf, ShelfItem, ShelfKind};
use latchkey_crypto::digest::sha256_framed;
use latchkey_crypto::totp::TotpSeed;
use latchkey_protocol::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::console::Console;
use crate::factor::{self, passkey, recovery, totp};
use crate::problem::{self, Problem};
use crate::session::Signed;
use crate::token::Token;
use crate::wire::{Input, NoBody, Segments, answer, done, invalid};

/// How long adding a factor may take.
const LIFE_MS: i64 = 15 * 60 * 1_000;
/// Shortest password, in characters.
/// Source: NIST SP 800-63B-4, "Password verifiers", 2025 (15 alone, 8 beside a second factor; ours lies between).
const PASSWORD_MIN: usize = 12;

/// The factors of an account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FactorList {
    /// Whether one-time codes are enrolled.
    totp: bool,
    passkeys: Vec<PasskeyView>,
    /// How many recovery codes are left.
    recovery_codes: usize,
}

/// A passkey.
#[derive(Serialize, ToSchema)]
pub(crate) struct PasskeyView {
    /// Its credential id.
    id: String,
    /// The owner's name for it.
    label: String,
    added: i64,
}

/// A seed for an authenticator app, shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct TotpInvitation {
    /// Names this registration in the next request.
    registration: String,
    /// The seed in base32.
    seed: String,
    /// The same for a QR code.
    uri: String,
}

/// A registration and the app's first code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmTotp {
    registration: String,
    /// Six digits.
    code: String,
}

/// What a browser needs to make a passkey.
#[derive(Serialize, ToSchema)]
pub(crate) struct PasskeyInvitation {
    /// Names this registration in the next request.
    registration: String,
    /// For `navigator.credentials.create()`.
    #[schema(value_type = Object)]
    options: Value,
}

/// A new passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddPasskey {
    registration: String,
    /// 1 to 60 characters.
    label: String,
    /// What `navigator.credentials.create()` gave, as `toJSON()` writes it.
    #[schema(value_type = Object)]
    credential: Value,
}

/// Recovery codes, shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    /// Each is good for one use. The former ones are void.
    codes: Vec<String>,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePassword {
    /// At least 12 characters.
    password: String,
}

/// A factor in the making, as it rests.
#[derive(Serialize, Deserialize)]
enum Registration {
    /// The seed, and whether the app has shown a right code.
    Totp { account: AccountId, sealed: Sealed, shown: bool },
    /// What the authenticator is asked to sign.
    Passkey { account: AccountId, nonce: [u8; 32], since: Timestamp },
}

fn encode(registration: &Registration) -> Vec<u8> {
    serde_json::to_vec(registration).unwrap_or_default()
}

impl<P: Ports + 'static> Console<P> {
    async fn put_registration(&self, account: &Account, registration: &Registration) -> Result<Token, Problem> {
        self.room(account.id).await?;
        let (token, now) = (Token::draw(self.secrets()), self.now());
        let (value, expires) = (encode(registration), now.plus_millis(LIFE_MS));
        self.shelf().put(ShelfKind::Ceremony, token.key(), Some(account.id), &value, now, expires).await?;
        Ok(token)
    }

    async fn registration(&self, text: &str) -> Result<(Token, Registration, ShelfItem), Problem> {
        let token = Token::parse(text).ok_or(problem::CEREMONY_UNKNOWN)?;
        let item = self.shelf().get(ShelfKind::Ceremony, token.key(), self.now()).await?;
        let item = item.ok_or(problem::CEREMONY_UNKNOWN)?;
        let registration = serde_json::from_slice(&item.value).map_err(|_| problem::CEREMONY_UNKNOWN)?;
        Ok((token, registration, item))
    }
}

/// Refuses a new password that is too short.
pub(crate) fn check_password(password: &str) -> Result<(), Problem> {
    if password.chars().count() >= PASSWORD_MIN {
        return Ok(());
    }
    Err(invalid("password", format!("a password has at least {PASSWORD_MIN} characters")))
}

/// `GET /v1/factors`.
pub(crate) async fn list<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
) -> Result<Response, Problem> {
    let account = console.own(&signed).await?;
    let passkeys = account.passkeys.iter().map(|passkey| PasskeyView {
        id: passkey.id.clone(),
        label: passkey.label.as_str().to_owned(),
        added: passkey.added.as_millis(),
    });
    let list = FactorList {
        totp: account.totp.is_some(),
        passkeys: passkeys.collect(),
        recovery_codes: account.recovery.len(),
    };
    Ok(answer(StatusCode::OK, &list))
}

/// `POST /v1/factors/totp/begin`.
pub(crate) async fn totp_begin<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let account = console.own(&signed).await?;
    let seed = TotpSeed::generate(&mut |bytes: &mut [u8]| console.secrets().random(bytes));
    let sealed = console.secrets().seal(totp::seal_for(account.id), seed.expose());
    let registration = Registration::Totp { account: account.id, sealed, shown: false };
    let token = console.put_registration(&account, &registration).await?;
    let text = seed.expose_base32();
    let email = account.email.as_str().replace('+', "%2B");
    let invitation = TotpInvitation {
        registration: token.expose().to_owned(),
        seed: text.to_string(),
        uri: format!("otpauth://totp/Latchkey:{email}?secret={}&issuer=Latchkey", text.as_str()),
    };
    Ok(answer(StatusCode::CREATED, &invitation))
}

/// `POST /v1/factors/totp/confirm`.
pub(crate) async fn totp_confirm<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Input { value: given, .. }: Input<ConfirmTotp>,
) -> Result<Response, Problem> {
    let (token, registration, item) = console.registration(&given.registration).await?;
    let Registration::Totp { account: whose, sealed, shown } = registration else {
        return Err(problem::CEREMONY_UNKNOWN.into());
    };
    let account = console.own(&signed).await?;
    if whose != account.id {
        return Err(problem::CEREMONY_UNKNOWN.into());
    }
    if !shown {
        let seed = totp::open(&console, account.id, &sealed)?;
        let check = totp::check_seed(&console, account.id, &seed, &given.code);
        factor::guess(&console, &account, signed.source(), check).await?.once()?;
        // The confirmation that follows takes longer than a code lives.
        let registration = Registration::Totp { account: whose, sealed: sealed.clone(), shown: true };
        if !console.replace(ShelfKind::Ceremony, &token, &item, &encode(&registration)).await? {
            return Err(problem::BUSY.into());
        }
    }
    let caller = console.confirmed(&signed).await?;
    let added = console.authority().add_totp(&caller, account.id, sealed, console.now()).await;
    console.settled(&signed, added).await?;
    console.shelf().take(ShelfKind::Ceremony, token.key(), console.now()).await?;
    Ok(done())
}

/// `DELETE /v1/factors/totp`.
pub(crate) async fn totp_remove<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let caller = console.confirmed(&signed).await?;
    let removed = console.authority().remove_totp(&caller, signed.account, console.now()).await;
    console.settled(&signed, removed).await?;
    Ok(done())
}

fn challenge(account: AccountId, nonce: &[u8; 32]) -> [u8; 32] {
    sha256_framed(&[b"latchkey passkey registration", &account.0.to_be_bytes(), nonce])
}

/// `POST /v1/factors/passkeys/begin`.
pub(crate) async fn passkey_begin<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let account = console.own(&signed).await?;
    let mut nonce = [0; 32];
    console.secrets().random(&mut nonce);
    let options = passkey::invite(&console.passkeys, &account, challenge(account.id, &nonce))?;
    let registration = Registration::Passkey { account: account.id, nonce, since: console.now() };
    let token = console.put_registration(&account, &registration).await?;
    Ok(answer(StatusCode::CREATED, &PasskeyInvitation { registration: token.expose().to_owned(), options }))
}

/// `POST /v1/factors/passkeys/finish`.
pub(crate) async fn passkey_finish<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Input { value: given, .. }: Input<AddPasskey>,
) -> Result<Response, Problem> {
    let (token, registration, _) = console.registration(&given.registration).await?;
    let Registration::Passkey { account: whose, nonce, since } = registration else {
        return Err(problem::CEREMONY_UNKNOWN.into());
    };
    let account = console.own(&signed).await?;
    if whose != account.id {
        return Err(problem::CEREMONY_UNKNOWN.into());
    }
    let label = Label::parse(&given.label).map_err(|error| invalid("label", format!("the label {error}")))?;
    let challenge = challenge(account.id, &nonce);
    let passkey = passkey::accept(&console.passkeys, &account, challenge, given.credential, label, since)?;
    let view = PasskeyView {
        id: passkey.id.clone(),
        label: passkey.label.as_str().to_owned(),
        added: passkey.added.as_millis(),
    };
    let caller = console.confirmed(&signed).await?;
    let added = console.authority().add_passkey(&caller, account.id, passkey, console.now()).await;
    console.settled(&signed, added).await?;
    console.shelf().take(ShelfKind::Ceremony, token.key(), console.now()).await?;
    Ok(answer(StatusCode::CREATED, &view))
}

/// `DELETE /v1/factors/passkeys/{passkey}`.
pub(crate) async fn passkey_remove<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Segments(id): Segments<String>,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let account = console.own(&signed).await?;
    if !account.passkeys.iter().any(|passkey| passkey.id == id) {
        return Err(problem::FACTOR_UNKNOWN.into());
    }
    let caller = console.confirmed(&signed).await?;
    let removed = console.authority().remove_passkey(&caller, account.id, &id, console.now()).await;
    console.settled(&signed, removed).await?;
    Ok(done())
}

/// `POST /v1/factors/recovery-codes`.
pub(crate) async fn recovery_codes<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let (caller, drawn) = console.confirmed_with(&signed).await?;
    let text = drawn.filter(|text| recovery::is_set(text)).unwrap_or_else(|| recovery::draw(console.secrets()));
    let kept = text.lines().filter_map(recovery::read).collect();
    let set = console.authority().set_recovery_codes(&caller, signed.account, kept, console.now()).await;
    console.settled_with(&signed, set, Some(&text)).await?;
    let codes = text.lines().map(str::to_owned).collect();
    Ok(answer(StatusCode::CREATED, &RecoveryCodes { codes }))
}

/// `POST /v1/password`: every other session ends.
pub(crate) async fn change_password<P: Ports + 'static>(
    State(console): State<Arc<Console<P>>>,
    signed: Signed,
    Input { value: given, .. }: Input<ChangePassword>,
) -> Result<Response, Problem> {
    check_password(&given.password)?;
    let (caller, drawn) = console.confirmed_with(&signed).await?;
    let hash = console.hash_password_again(&caller, given.password, drawn).await?;
    let changed = console.authority().change_password(&caller, signed.account, hash.clone(), console.now()).await;
    console.settled_with(&signed, changed, Some(hash.expose())).await?;
    // The change ended every session, this one too.
    console.keep(&signed.token, &signed.session).await?;
    Ok(done())
}

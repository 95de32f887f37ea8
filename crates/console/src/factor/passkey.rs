//! Passkeys: what a browser is asked to sign, and whether its answer holds.
//!
//! The challenge comes from the caller of this module, who binds it to what is being confirmed. User verification is
//! always required. The counter of a passkey lies on the shelf, so that a sign-in changes no account record.

use latchkey_authority::account::{Account, Passkey};
use latchkey_authority::label::Label;
use latchkey_authority::ports::{Ports, Shelf, ShelfKind};
use latchkey_crypto::digest::sha256_framed;
use latchkey_protocol::{AccountId, Timestamp};
use passki::{
    AuthenticationCredential, AuthenticationOptions, AuthenticationState, Passki, RegistrationCredential,
    RegistrationOptions, RegistrationState, ResidentKeyRequirement, StoredPasskey, UserVerificationRequirement,
};
use serde_json::Value;

use crate::console::Console;
use crate::factor::refused;
use crate::problem::{self, Problem};
use crate::wire::invalid;

/// Signature algorithms that are accepted: EdDSA, ES256, ES384, RS256, RS384.
const ALGORITHMS: [i32; 5] = [-8, -7, -35, -257, -258];
/// Most passkeys of one account.
pub(crate) const PASSKEYS_MAX: usize = 20;
/// How long a browser may take, in milliseconds.
const TIMEOUT_MS: u64 = 5 * 60 * 1_000;
/// A counter is kept as long as anybody could care.
const COUNTER_MS: i64 = 10 * 365 * 86_400_000;
/// Longest credential id that authenticators make, in bytes.
const ID_MAX: usize = 1023;

/// What an authenticator calls the account: says nothing about it to others.
fn handle(account: AccountId) -> [u8; 32] {
    sha256_framed(&[b"latchkey passkey user", &account.0.to_be_bytes()])
}

/// Whether the account has a passkey.
pub(crate) const fn enrolled(account: &Account) -> bool {
    !account.passkeys.is_empty()
}

fn stored(account: &Account) -> Vec<StoredPasskey> {
    account.passkeys.iter().filter_map(|passkey| serde_json::from_str(&passkey.credential).ok()).collect()
}

fn accident(error: &passki::PasskiError) -> Problem {
    tracing::error!(%error, "a passkey ceremony could not begin");
    problem::UNAVAILABLE.into()
}

/// The options of `navigator.credentials.get()` for `challenge`.
///
/// # Errors
/// `no-factor` when the account has no passkey.
pub(crate) fn ask(passkeys: &Passki, account: &Account, challenge: [u8; 32]) -> Result<Value, Problem> {
    let (mut options, _) = start(passkeys, account)?;
    options.challenge = Passki::base64_encode(&challenge);
    serde_json::to_value(options).map_err(|_| problem::UNAVAILABLE.into())
}

fn start(
    passkeys: &Passki,
    account: &Account,
) -> Result<(passki::AuthenticationChallenge, AuthenticationState), Problem> {
    let stored = stored(account);
    // Without a list any passkey of the origin would do, also one of another account.
    if stored.is_empty() {
        return Err(Problem::from(problem::NO_FACTOR).detail("the account has no passkey"));
    }
    let mut options = AuthenticationOptions::default();
    options.timeout = TIMEOUT_MS;
    options.user_verification = UserVerificationRequirement::Required;
    passkeys.start_passkey_authentication(&stored, options).map_err(|error| accident(&error))
}

/// Checks the answer of a browser to `challenge`, and moves the counter of the passkey that gave it.
///
/// # Errors
/// `proof-refused` for another challenge, origin, account or counter, a wrong signature, missing user verification.
pub(crate) async fn check<P: Ports + 'static>(
    console: &Console<P>,
    account: &Account,
    challenge: [u8; 32],
    credential: Value,
) -> Result<(), Problem> {
    let (_, mut state) = start(&console.passkeys, account)?;
    state.challenge = challenge.to_vec();
    let credential: AuthenticationCredential =
        serde_json::from_value(credential).map_err(|_| invalid("credential", "this is no passkey's answer"))?;
    let id = Passki::base64_decode(&credential.raw_id).map_err(|_| refused())?;
    let mut passkey = stored(account).into_iter().find(|stored| stored.credential_id == id).ok_or_else(refused)?;

    let (shelf, kind, now) = (console.shelf(), ShelfKind::TotpStep, console.now());
    let key = sha256_framed(&[b"latchkey passkey counter", &account.id.0.to_be_bytes(), &id]);
    let counted = shelf.get(kind, key, now).await?;
    if let Some(item) = &counted {
        passkey.counter = item.value.as_slice().try_into().map_or(u32::MAX, u32::from_be_bytes);
    }
    let result = console.passkeys.finish_passkey_authentication(&credential, &state, &passkey).map_err(|error| {
        tracing::info!(account = account.id.0, %error, "a passkey's answer is refused");
        refused()
    })?;
    let own = result.user_handle.is_none_or(|user| user == handle(account.id));
    if !own {
        return Err(refused());
    }
    if result.counter == 0 {
        return Ok(());
    }
    let (value, expires) = (result.counter.to_be_bytes(), now.plus_millis(COUNTER_MS));
    let moved = match counted {
        None => shelf.put(kind, key, Some(account.id), &value, now, expires).await?,
        Some(item) => shelf.swap(kind, key, item.version, &value, expires).await?,
    };
    if moved { Ok(()) } else { Err(refused()) }
}

/// The options of `navigator.credentials.create()` for a new passkey.
///
/// # Errors
/// `limit` when the account has as many as it may.
pub(crate) fn invite(passkeys: &Passki, account: &Account, challenge: [u8; 32]) -> Result<Value, Problem> {
    let (mut options, _) = start_new(passkeys, account)?;
    options.challenge = Passki::base64_encode(&challenge);
    serde_json::to_value(options).map_err(|_| problem::UNAVAILABLE.into())
}

fn start_new(
    passkeys: &Passki,
    account: &Account,
) -> Result<(passki::RegistrationChallenge, RegistrationState), Problem> {
    if account.passkeys.len() >= PASSKEYS_MAX {
        return Err(Problem::from(problem::LIMIT).detail(format!("the account already has {PASSKEYS_MAX} passkeys")));
    }
    let stored = stored(account);
    let mut options = RegistrationOptions::default();
    options.timeout = TIMEOUT_MS;
    options.user_verification = UserVerificationRequirement::Required;
    options.resident_key = ResidentKeyRequirement::Preferred;
    options.exclude_credentials = Some(&stored);
    let email = account.email.as_str();
    passkeys.start_passkey_registration(&handle(account.id), email, email, options).map_err(|error| accident(&error))
}

/// Checks a new passkey.
///
/// # Errors
/// `proof-refused`, `invalid`.
pub(crate) fn accept(
    passkeys: &Passki,
    account: &Account,
    challenge: [u8; 32],
    credential: Value,
    label: Label,
    added: Timestamp,
) -> Result<Passkey, Problem> {
    let (_, mut state) = start_new(passkeys, account)?;
    state.challenge = challenge.to_vec();
    let credential: RegistrationCredential =
        serde_json::from_value(credential).map_err(|_| invalid("credential", "this is no new passkey"))?;
    let made = passkeys.finish_passkey_registration(&credential, &state).map_err(|error| {
        tracing::info!(account = account.id.0, %error, "a new passkey is refused");
        refused()
    })?;
    if !ALGORITHMS.contains(&made.algorithm) {
        return Err(invalid("credential", "the passkey's signature algorithm is not supported"));
    }
    let fits = (1..=ID_MAX).contains(&made.credential_id.len());
    let id = Passki::base64_encode(&made.credential_id);
    if !fits || account.passkeys.iter().any(|passkey| passkey.id == id) {
        return Err(invalid("credential", "this passkey is already there"));
    }
    let credential = serde_json::to_string(&made).map_err(|_| problem::UNAVAILABLE)?;
    Ok(Passkey { id, label, credential, added })
}

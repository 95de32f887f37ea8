//! One-time codes: each step is accepted once, whatever it is used for.

use latchkey_authority::account::{Account, Sealed};
use latchkey_authority::ports::{Ports, Purpose, SealFor, Secrets, Shelf, ShelfKind};
use latchkey_crypto::digest::sha256_framed;
use latchkey_crypto::totp::{STEP_SECONDS, TotpSeed};
use latchkey_protocol::AccountId;

use crate::console::Console;
use crate::factor::refused;
use crate::problem::{self, Problem};

/// How long a used step is remembered: longer than any code of it is accepted.
const REMEMBERED_MS: i64 = 10 * STEP_SECONDS as i64 * 1_000;
/// How often the step competes with others before it is refused.
const TRIES: usize = 4;

/// What the seed of an account is sealed for.
pub(crate) const fn seal_for(account: AccountId) -> SealFor {
    SealFor { purpose: Purpose::TotpSeed, account, key: None }
}

/// Opens a seed.
pub(crate) fn open<P: Ports + 'static>(
    console: &Console<P>,
    account: AccountId,
    sealed: &Sealed,
) -> Result<TotpSeed, Problem> {
    let unusable = |what: &str| {
        tracing::error!(account = account.0, what, "a stored seed cannot be used");
        Problem::from(problem::UNAVAILABLE)
    };
    let bytes = console.secrets().open(seal_for(account), sealed).map_err(|_| unusable("its seal does not open"))?;
    TotpSeed::from_bytes(&bytes).map_err(|_| unusable("it has another length"))
}

/// A code that is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shown {
    /// Its step is used up now.
    First,
    /// Its step, or a later one, was used before. It is refused, but it is no guess: whoever shows it had the code.
    Again,
}

impl Shown {
    /// # Errors
    /// `proof-refused`, as for a wrong code.
    pub(crate) fn once(self) -> Result<(), Problem> {
        match self {
            Self::First => Ok(()),
            Self::Again => Err(refused().detail("this code was used already; the next one comes within 30 seconds")),
        }
    }
}

/// Checks a code of `account` and uses its step up. Exactly six digits: spaces are refused too, because a second
/// spelling of a code would be a second code.
///
/// # Errors
/// `no-factor` without one-time codes, `proof-refused`.
pub(crate) async fn check<P: Ports + 'static>(
    console: &Console<P>,
    account: &Account,
    code: &str,
) -> Result<Shown, Problem> {
    let Some(sealed) = &account.totp else {
        return Err(Problem::from(problem::NO_FACTOR).detail("the account has no one-time codes"));
    };
    check_seed(console, account.id, &open(console, account.id, sealed)?, code).await
}

/// The same over a seed that is not enrolled yet.
pub(crate) async fn check_seed<P: Ports + 'static>(
    console: &Console<P>,
    account: AccountId,
    seed: &TotpSeed,
    code: &str,
) -> Result<Shown, Problem> {
    let now = console.now();
    let seconds = u64::try_from(now.as_millis() / 1_000).unwrap_or_default();
    let step = seed.check_code(code, seconds).ok_or_else(refused)?;
    // The seed is part of the name: a new one starts with no step used.
    let key = sha256_framed(&[b"latchkey totp step", &account.0.to_be_bytes(), seed.expose()]);
    let (shelf, kind, expires) = (console.shelf(), ShelfKind::TotpStep, now.plus_millis(REMEMBERED_MS));
    let value = step.to_be_bytes();
    for _ in 0..TRIES {
        let used = match shelf.get(kind, key, now).await? {
            None => shelf.put(kind, key, Some(account), &value, now, expires).await?,
            Some(item) => {
                let last = item.value.as_slice().try_into().map_or(u64::MAX, u64::from_be_bytes);
                if step <= last {
                    return Ok(Shown::Again);
                }
                shelf.swap(kind, key, item.version, &value, expires).await?
            }
        };
        if used {
            return Ok(Shown::First);
        }
    }
    Err(refused())
}

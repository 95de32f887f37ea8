//! The proofs that a person can give, each checked in one place for sign-in and for confirmations alike.

pub(crate) mod code;
pub(crate) mod passkey;
pub(crate) mod recovery;
pub(crate) mod totp;

use latchkey_authority::account::Account;
use latchkey_authority::ports::Ports;
use std::net::IpAddr;

use crate::attempts::{self, Counter, Refused};
use crate::console::Console;
use crate::problem::{self, Problem};

/// Judges a guessable proof: counts the attempt first, takes it back when it was right.
///
/// # Errors
/// `too-many-attempts` with the time left, or what `judge` says.
pub(crate) async fn guess<P, T>(
    console: &Console<P>,
    account: &Account,
    source: IpAddr,
    judge: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem>
where
    P: Ports + 'static,
{
    let (ports, now) = (console.authority().ports(), console.now());
    let here = attempts::reserve(ports, Counter::Factor(account.id, source), now).await?;
    let anywhere = match attempts::reserve(ports, Counter::FactorAnywhere(account.id), now).await {
        Ok(reserved) => reserved,
        // Nothing is judged, so nothing failed here.
        Err(refused) => {
            here.right(ports, now).await?;
            return Err(refused.into());
        }
    };
    let judged = judge.await;
    // What the server could not judge is no failure.
    if judged.as_ref().err().is_none_or(|problem| problem.row() == problem::UNAVAILABLE) {
        here.right(ports, now).await?;
        anywhere.right(ports, now).await?;
    }
    judged
}

/// What a refused proof answers: the same for every way to be wrong.
pub(crate) fn refused() -> Problem {
    Problem::from(problem::PROOF_REFUSED)
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Wait(seconds) => Self::from(problem::TOO_MANY_ATTEMPTS)
                .detail(format!("the next attempt can be made in {seconds} s"))
                .retry_after(seconds),
            Refused::Store(error) => error.into(),
        }
    }
}

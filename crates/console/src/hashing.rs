//! Passwords are dear to hash: each takes 19 MiB and some tens of milliseconds. So a few are hashed at a time, a bounded
//! number waits, and nobody has more than one there: neither an account nor a source keeps the others from signing in.

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use latchkey_admission::call::limited_address;
use latchkey_protocol::AccountId;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::problem::{self, Problem};

/// How many are hashed at a time.
const AT_A_TIME: usize = 2;
/// How many are hashed or wait for that.
const PLACES: usize = 32;
/// When to come again, in seconds, after there was no place.
const AGAIN_S: u64 = 2;

/// For whom a password is hashed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum For {
    /// Somebody who is signed in as this account.
    Account(AccountId),
    /// Somebody who is not, from this source.
    Source(IpAddr),
}

/// What hashes passwords.
pub(crate) struct Hashing {
    permits: Semaphore,
    places: Semaphore,
    there: Mutex<BTreeSet<For>>,
}

/// A place of one hash, until it is dropped.
struct Place<'a> {
    hashing: &'a Hashing,
    whose: For,
    _place: SemaphorePermit<'a>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.hashing.there().remove(&self.whose);
    }
}

impl Default for Hashing {
    fn default() -> Self {
        Self { permits: Semaphore::new(AT_A_TIME), places: Semaphore::new(PLACES), there: Mutex::default() }
    }
}

impl Hashing {
    /// Runs dear work off the threads that serve.
    ///
    /// # Errors
    /// [`problem::TOO_MANY_ATTEMPTS`]: another one of the same is there. [`problem::UNAVAILABLE`]: too many wait.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        whose: For,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let _place = self.place(whose)?;
        let _permit = self.permits.acquire().await.map_err(|_| problem::UNAVAILABLE)?;
        tokio::task::spawn_blocking(work).await.map_err(|error| {
            tracing::error!(%error, "hashing failed");
            problem::UNAVAILABLE.into()
        })
    }

    fn place(&self, whose: For) -> Result<Place<'_>, Problem> {
        let whose = match whose {
            For::Source(source) => For::Source(limited_address(source)),
            For::Account(_) => whose,
        };
        let full =
            |_| Problem::from(problem::UNAVAILABLE).detail("too many passwords are checked now").retry_after(AGAIN_S);
        let place = self.places.try_acquire().map_err(full)?;
        if !self.there().insert(whose) {
            let detail = "another password of yours is being checked";
            return Err(Problem::from(problem::TOO_MANY_ATTEMPTS).detail(detail).retry_after(1));
        }
        Ok(Place { hashing: self, whose, _place: place })
    }

    fn there(&self) -> MutexGuard<'_, BTreeSet<For>> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    #[test]
    fn one_account_or_source_has_one_place() {
        let hashing = Hashing::default();
        let refused = |whose| hashing.place(whose).err().map(|problem| problem.row().name);
        let source = |text: &str| For::Source(text.parse().unwrap());
        let account = hashing.place(For::Account(AccountId(1))).ok();
        let _source = hashing.place(source("2001:db8::1")).ok();
        assert_eq!(refused(For::Account(AccountId(1))), Some("too-many-attempts"));
        assert_eq!(refused(source("2001:db8::2")), Some("too-many-attempts"), "the same /64");
        assert_eq!((refused(For::Account(AccountId(2))), refused(source("192.0.2.1"))), (None, None));
        drop(account);
        assert_eq!(refused(For::Account(AccountId(1))), None);
    }

    #[test]
    fn when_every_place_is_taken_it_says_when_to_come_again() {
        let hashing = Hashing::default();
        let mut taken: Vec<_> =
            (1..).map(AccountId).take(PLACES).map(|id| hashing.place(For::Account(id)).ok()).collect();
        let response = hashing.place(For::Account(AccountId(0))).err().unwrap().into_response();
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"2".parse().unwrap()));
        taken.pop();
        assert!(hashing.place(For::Account(AccountId(0))).is_ok());
    }
}

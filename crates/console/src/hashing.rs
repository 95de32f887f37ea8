//! Passwords are dear to hash: each takes 19 MiB and some tens of milliseconds. So a few are hashed at a time, a bounded
//! number waits, and nobody has more than one there, nor a neighborhood more than a few: neither an account nor a source
//! keeps the others from signing in.

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use latchkey_admission::call::{limited_address, neighborhood};
use latchkey_protocol::AccountId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{self, Problem};

/// How many are hashed at a time.
const AT_A_TIME: usize = 2;
/// How many are hashed or wait for that.
const PLACES: usize = 32;
/// How many of them are of one neighborhood.
const NEIGHBORS: usize = 8;
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
    permits: Arc<Semaphore>,
    places: Arc<Semaphore>,
    there: Arc<Mutex<BTreeSet<For>>>,
}

/// The turn of one hash.
pub(crate) struct Turn {
    _place: Place,
    _permit: OwnedSemaphorePermit,
}

/// A place of one hash, until it is dropped.
struct Place {
    there: Arc<Mutex<BTreeSet<For>>>,
    whose: For,
    _place: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.there.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.whose);
    }
}

impl Default for Hashing {
    fn default() -> Self {
        let (permits, places) = (Semaphore::new(AT_A_TIME), Semaphore::new(PLACES));
        Self { permits: Arc::new(permits), places: Arc::new(places), there: Arc::default() }
    }
}

impl Hashing {
    /// Runs dear work off the threads that serve.
    ///
    /// # Errors
    /// Those of [`Hashing::turn`].
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        whose: For,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.turn(whose).await?.run(work).await
    }

    /// Waits for the turn of one hash. Who must not be refused later takes it first.
    ///
    /// # Errors
    /// [`problem::TOO_MANY_ATTEMPTS`]: another one of the same is there. [`problem::UNAVAILABLE`]: too many wait.
    pub(crate) async fn turn(&self, whose: For) -> Result<Turn, Problem> {
        let place = self.place(whose)?;
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| problem::UNAVAILABLE)?;
        Ok(Turn { _place: place, _permit: permit })
    }

    fn place(&self, whose: For) -> Result<Place, Problem> {
        let whose = match whose {
            For::Source(source) => For::Source(limited_address(source)),
            For::Account(_) => whose,
        };
        let full =
            |_| Problem::from(problem::UNAVAILABLE).detail("too many passwords are checked now").retry_after(AGAIN_S);
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(full)?;
        let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        if are_many(&there, whose) || !there.insert(whose) {
            drop(there);
            let detail = "too many passwords of yours, or of your neighbors, are being checked";
            return Err(Problem::from(problem::TOO_MANY_ATTEMPTS).detail(detail).retry_after(1));
        }
        drop(there);
        Ok(Place { there: Arc::clone(&self.there), whose, _place: place })
    }
}

/// Whether the neighborhood of a source has all its places.
fn are_many(there: &BTreeSet<For>, whose: For) -> bool {
    let near = |whose: For| match whose {
        For::Source(source) => Some(neighborhood(source)),
        For::Account(_) => None,
    };
    let own = near(whose);
    own.is_some() && there.iter().filter(|other| near(**other) == own).count() >= NEIGHBORS
}

impl Turn {
    /// Runs the work that the turn is for, off the threads that serve.
    pub(crate) async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let done = tokio::task::spawn_blocking(move || {
            // The turn goes with the work, which ends even if whoever asked for it has gone.
            let _turn = self;
            work()
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "hashing failed");
            problem::UNAVAILABLE.into()
        })
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
    fn a_neighborhood_has_a_few_places() {
        let hashing = Hashing::default();
        let source = |site: u16| For::Source(IpAddr::from([0x2001, 0xdb8, 0, site, 0, 0, 0, 1]));
        let taken: Vec<_> = (0..8).map(|site| hashing.place(source(site)).ok()).collect();
        assert!(taken.iter().all(Option::is_some));
        let refused = |whose| hashing.place(whose).err().map(|problem| problem.row().name);
        assert_eq!(refused(source(8)), Some("too-many-attempts"), "the same /48");
        assert_eq!(refused(For::Source(IpAddr::from([0x2001, 0xdb8, 1, 0, 0, 0, 0, 1]))), None);
        assert_eq!(refused(For::Account(AccountId(1))), None);
    }

    #[tokio::test]
    async fn who_leaves_before_the_end_has_its_place_until_then() {
        let (hashing, whose) = (Hashing::default(), For::Account(AccountId(1)));
        let (begin, begun) = tokio::sync::oneshot::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let work = move || {
            begin.send(()).unwrap();
            ended.recv().unwrap_err();
        };
        tokio::select! {
            biased;
            _ = hashing.run(whose, work) => panic!("it does not end"),
            begun = begun => begun.unwrap(),
        }
        assert!(hashing.place(whose).is_err(), "the work goes on");
        assert_eq!(hashing.permits.available_permits(), AT_A_TIME - 1);
        drop(end);
        drop(hashing.permits.acquire_many(AT_A_TIME as u32).await.unwrap());
        assert!(hashing.place(whose).is_ok());
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

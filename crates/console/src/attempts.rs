//! Guesses are slow: every attempt is counted before it is judged, and each failure doubles the wait.
//!
//! ```text
//!  attempt ─ reserve (counts as a failure, sets the next time) ─ judge ─┬─ wrong: the reservation stays
//!                └─ too early: refused with the time left              └─ right: it is taken back
//! ```
//!
//! Reserving first closes the race of many guesses at once. Nothing is locked for good: the wait has an upper bound,
//! and a counter without failures for an hour is forgotten.

use core::net::IpAddr;

use latchkey_admission::call::limited_address;
use latchkey_authority::ports::{Ports, Shelf, ShelfKind, StoreError};
use latchkey_crypto::digest::sha256_framed;
use latchkey_protocol::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

/// The first wait.
const FIRST_MS: i64 = 1_000;
/// The longest wait.
const LONGEST_MS: i64 = 15 * 60 * 1_000;
/// How long a counter is kept after its wait.
const MEMORY_MS: i64 = 60 * 60 * 1_000;
/// Failures of an account from all sources together that cost no wait: the account's own counter is for guesses from
/// many addresses, and must not let one stranger with the password keep the owner waiting early.
const FREE_PER_ACCOUNT: u32 = 10;
/// Refused proofs of an account that are put into its audit chain without a wait.
const FREE_NOTES: u32 = 60;
/// How often a reservation competes with others before it is refused.
const TRIES: usize = 8;

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counter {
    /// Passwords from one source.
    Password(IpAddr),
    /// Factors of an account from one source.
    Factor(AccountId, IpAddr),
    /// Factors of an account from everywhere.
    FactorAnywhere(AccountId),
    /// Letters to choose a password that were sent to the owner of an account. Strangers ask for these, so they count
    /// apart from what the owner asks for.
    Reset(AccountId),
    /// Codes sent to the owner of an account for changes that are being confirmed; each counts, none is taken back.
    Sent(AccountId),
    /// New passwords that somebody signed in asked for without a confirmation; each counts, none is taken back.
    NewPassword(AccountId),
    /// Refused proofs of an account that were put into its audit chain; each counts, none is taken back.
    Noted(AccountId),
    /// Codes to choose a password that one source asked for; each counts, none is taken back.
    Asked(IpAddr),
}

impl Counter {
    fn key(self) -> [u8; 32] {
        let (name, account, source) = match self {
            Self::Password(source) => ("password", 0, Some(source)),
            Self::Factor(account, source) => ("factor", account.0, Some(source)),
            Self::FactorAnywhere(account) => ("factor anywhere", account.0, None),
            Self::Reset(account) => ("reset", account.0, None),
            Self::Sent(account) => ("sent", account.0, None),
            Self::NewPassword(account) => ("new password", account.0, None),
            Self::Noted(account) => ("noted", account.0, None),
            Self::Asked(source) => ("asked", 0, Some(source)),
        };
        let place = source.map(limited_address).map_or_else(Vec::new, |address| address.to_string().into_bytes());
        sha256_framed(&[b"latchkey attempts", name.as_bytes(), &account.to_be_bytes(), &place])
    }

    const fn free(self) -> u32 {
        match self {
            Self::Password(_) | Self::Factor(..) => 0,
            Self::Noted(_) => FREE_NOTES,
            Self::FactorAnywhere(_) | Self::Reset(_) | Self::Sent(_) | Self::NewPassword(_) | Self::Asked(_) => {
                FREE_PER_ACCOUNT
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Count {
    failures: u32,
    next: i64,
}

impl Count {
    /// After one more failure at `now`.
    fn failed(self, now: Timestamp, free: u32) -> Self {
        let failures = self.failures.saturating_add(1);
        let wait = match failures.saturating_sub(free) {
            0 => 0,
            paid @ 1..=10 => LONGEST_MS.min(FIRST_MS << (paid - 1)),
            _ => LONGEST_MS,
        };
        Self { failures, next: now.as_millis().saturating_add(wait) }
    }

    fn expires(self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(self.next.max(now.as_millis()).saturating_add(MEMORY_MS))
    }
}

/// An attempt that was let through. Dropped, it stays a failure.
#[must_use]
pub(crate) struct Reserved {
    counter: Counter,
    before: Count,
    after: Vec<u8>,
}

/// Why an attempt is not judged.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It comes too early; so many seconds are left.
    Wait(u64),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Lets one attempt through, or says how long to wait.
pub(crate) async fn reserve<P: Ports>(ports: &P, counter: Counter, now: Timestamp) -> Result<Reserved, Refused> {
    let (shelf, key) = (ports.shelf(), counter.key());
    for _ in 0..TRIES {
        let found = shelf.get(ShelfKind::Attempts, key, now).await?;
        let before: Count =
            found.as_ref().and_then(|item| serde_json::from_slice(&item.value).ok()).unwrap_or_default();
        let left = before.next.saturating_sub(now.as_millis());
        if left > 0 {
            return Err(Refused::Wait(left.unsigned_abs().div_ceil(1000)));
        }
        let after = before.failed(now, counter.free());
        let value = encode(after);
        let (expires, kind) = (after.expires(now), ShelfKind::Attempts);
        let kept = match found {
            None => shelf.put(kind, key, None, &value, now, expires).await?,
            Some(item) => shelf.swap(kind, key, item.version, &value, expires).await?,
        };
        if kept {
            return Ok(Reserved { counter, before, after: value });
        }
    }
    Err(Refused::Wait(1))
}

impl Reserved {
    /// The attempt was right: the counter is as it was before.
    pub(crate) async fn right<P: Ports>(self, ports: &P, now: Timestamp) -> Result<(), StoreError> {
        let (shelf, key) = (ports.shelf(), self.counter.key());
        let Some(found) = shelf.get(ShelfKind::Attempts, key, now).await? else { return Ok(()) };
        if found.value != self.after {
            // Another attempt was counted meanwhile; its count stands.
            return Ok(());
        }
        let value = encode(self.before);
        shelf.swap(ShelfKind::Attempts, key, found.version, &value, self.before.expires(now)).await.map(drop)
    }
}

fn encode(count: Count) -> Vec<u8> {
    serde_json::to_vec(&count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let mut count = Count::default();
        let waits: Vec<i64> = (0..40)
            .map(|_| {
                count = count.failed(now, 0);
                (count.next - now.as_millis()) / 1000
            })
            .collect();
        assert_eq!(waits[..11], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900]);
        assert!(waits[11..].iter().all(|wait| *wait == 900), "{waits:?}");
    }

    #[test]
    fn the_counter_of_an_account_waits_only_after_many_failures() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let mut count = Count::default();
        for _ in 0..FREE_PER_ACCOUNT {
            count = count.failed(now, FREE_PER_ACCOUNT);
        }
        assert_eq!(count.next, now.as_millis());
        assert_eq!(count.failed(now, FREE_PER_ACCOUNT).next, now.as_millis() + 1000);
    }

    #[test]
    fn neighbours_in_one_64_are_one_source() {
        let key = |text: &str| Counter::Password(text.parse().unwrap()).key();
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        let account = Counter::Factor(AccountId(1), "192.0.2.1".parse().unwrap());
        assert_ne!(account.key(), Counter::FactorAnywhere(AccountId(1)).key());
    }
}

//! What is remembered of verified signatures, so that each is good for one route and each change for one time.
//!
//! The compatible scheme signs neither method nor path. So every signature that held is kept, per account and verifying
//! key, until its `timestamp` plus `recvWindow`: with the route that it was first seen on, and whether it was handed to
//! the venue.
//!
//! ```text
//!  verified ─ note ─▶ kept, with its route ──────────────── until timestamp + recvWindow, and a little longer
//!                        │ a change comes ─ look ─▶ another route, or handed over before: refused
//!                        └ hand-over ─ take ─▶ used up: exactly one of many at once
//! ```
//!
//! Nothing is thrown out before its time. A share that is full keeps no more: reads pass, changes are refused, and so
//! are later ones whose window does not reach past that of what could not be kept, since they may be the same.
//! Keys with the same verifying key share their memory: API keys are not signed by the compatible scheme either. There
//! are at most as many shares as live keys that were used, and those of keys that ended are let go when they are empty.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicUsize, Ordering, fence};

use latchkey_authority::policy::ReplayRule;
use latchkey_crypto::digest::sha256_framed;
use latchkey_crypto::verify::Verifier;
use latchkey_protocol::catalog::Endpoint;
use latchkey_protocol::{AccountId, Timestamp};
use papaya::HashMap;

use crate::Reason;
use crate::hash::Seeded;

/// The most signatures that are kept for one verifying key: at the longest window, 8700 calls a second.
pub const SHARE_MAX: usize = 1 << 19;

/// How long a signature is kept after its window, so that whoever read the clock a moment earlier still finds it.
const LINGER_US: i64 = 2_000_000;

/// A full share looks for room at most this often.
const SWEEP_EVERY_US: i64 = 1_000_000;

/// How many shares a sweep looks through, and how many signatures of them before it stops.
const SHARES_A_SWEEP: usize = 1 << 14;
const MARKS_A_SWEEP: usize = 1 << 18;

/// How the memory is set up.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The most signatures that are kept for one verifying key.
    pub share_max: usize,
    /// Calls that may act once are refused when they were stamped before: what came earlier is not remembered.
    pub since: Timestamp,
    /// Random, one a process.
    pub seed: u64,
}

impl Default for Settings {
    /// [`SHARE_MAX`], a memory that reaches back as far as can be stamped, and a seed that everybody knows.
    fn default() -> Self {
        Self { share_max: SHARE_MAX, since: Timestamp::EARLIEST, seed: 0 }
    }
}

/// The memory of all keys.
pub struct Replay {
    settings: Settings,
    shares: HashMap<[u8; 32], Arc<Share>, Seeded>,
    /// How many shares the sweeps of this round have passed.
    swept: AtomicUsize,
}

/// The memory of one verifying key of one account.
pub(crate) struct Share {
    max: usize,
    marks: HashMap<SignatureId, Arc<Mark>, Seeded>,
    /// How many places are taken; never more than `max`.
    kept: AtomicUsize,
    swept_us: AtomicI64,
    /// The latest end of a window that could not be kept.
    lost_until_us: AtomicI64,
    /// The sweep is about to let go of it.
    leaving: AtomicBool,
}

/// What tells signatures of one key apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SignatureId([u8; 32]);

/// Where a call goes: its row, and the path as sent, which says more where the row's own has a place for an id.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) row: &'static Endpoint,
    pub(crate) path: &'a str,
}

/// What is remembered of one signature.
pub(crate) struct Mark {
    row: &'static Endpoint,
    /// The path as sent, where it is not the row's own.
    path: Option<Box<str>>,
    /// The latest end of a window that the signature came with: who signs the same bytes cannot choose it, but a mark must
    /// not depend on that.
    until_us: AtomicI64,
    state: AtomicU8,
}

/// The call was handed over.
const TAKEN: u8 = 1;
/// The signature came on another route too.
const ELSEWHERE: u8 = 2;

/// What the memory says of a call.
pub(crate) enum Trace {
    /// Nothing is remembered: there is no signature.
    None,
    /// The signature is kept.
    Kept(Arc<Mark>),
    /// There was no place for it, or it may be one of those that found none.
    Full,
}

/// The right of a call to act once.
pub(crate) struct Once(Arc<Mark>);

/// Why a signature is good no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Spent {
    Used,
    Elsewhere,
}

impl Replay {
    /// A memory that holds nothing.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            shares: HashMap::builder().hasher(Seeded::new(settings.seed)).build(),
            swept: AtomicUsize::new(0),
        }
    }

    /// Whether a call of `row` may act only once under `rule`.
    pub(crate) const fn acts_once(rule: ReplayRule, row: &Endpoint) -> bool {
        match rule {
            ReplayRule::Off => false,
            ReplayRule::StateChanging => row.changes_state,
            ReplayRule::All => true,
        }
    }

    /// Whether everything that was stamped at `timestamp` is remembered.
    pub(crate) fn reaches(&self, timestamp: Timestamp) -> bool {
        timestamp >= self.settings.since
    }

    /// The share of a verifying key. Keys of one account with the same verifying key have the same. Asked once by each
    /// key, on its first use.
    pub(crate) fn share(&self, account: AccountId, verifier: &Verifier) -> Arc<Share> {
        let name = sha256_framed(&[&account.0.to_be_bytes(), &verifier.identity()]);
        let shares = self.shares.pin();
        loop {
            let share = Arc::clone(shares.get_or_insert_with(name, || Arc::new(Share::new(&self.settings))));
            fence(Ordering::SeqCst);
            if !share.leaving.load(Ordering::SeqCst) {
                return share;
            }
            // The sweep is within a few steps of letting go of it, or of keeping it.
            drop(share);
            std::hint::spin_loop();
        }
    }

    /// Forgets what is past at `now`, and the shares of keys that are gone. Called every second; where there is much, it
    /// looks at a part and goes on with the next. A share that is full also makes room by itself.
    pub fn sweep(&self, now: Timestamp) {
        let shares = self.shares.pin();
        let from = self.swept.load(Ordering::Relaxed);
        let (mut seen, mut left, mut marks) = (0, 0, 0);
        for (name, share) in shares.iter().skip(from).take(SHARES_A_SWEEP) {
            seen += 1;
            left += 1;
            marks += share.sweep(now);
            if share.leaves(now) {
                // Not another one that came into its place.
                let _ = shares.remove_if(name, |_, there| Arc::ptr_eq(there, share));
                left -= 1;
            }
            if marks >= MARKS_A_SWEEP {
                break;
            }
        }
        let is_round = seen < SHARES_A_SWEEP && marks < MARKS_A_SWEEP;
        self.swept.store(if is_round { 0 } else { from + left }, Ordering::Relaxed);
    }

    /// How many verifying keys have a share.
    pub fn keys(&self) -> usize {
        self.shares.len()
    }

    /// How many signatures are kept.
    pub fn kept(&self) -> usize {
        self.shares.pin().values().map(|share| share.kept.load(Ordering::Relaxed)).sum()
    }
}

impl SignatureId {
    /// By the start of the signature's bytes: all of an HMAC, R of Ed25519, the head of RSA. Nobody but the key's
    /// holder can make two that begin alike.
    pub(crate) fn of_signature(bytes: &[u8]) -> Self {
        Self(bytes.first_chunk().copied().unwrap_or_default())
    }

    /// By the nonce of a message signature: what its signer says is used once.
    pub(crate) fn of_nonce(nonce: &str) -> Self {
        Self(sha256_framed(&[b"nonce", nonce.as_bytes()]))
    }
}

impl Share {
    fn new(settings: &Settings) -> Self {
        Self {
            max: settings.share_max,
            marks: HashMap::builder().hasher(Seeded::new(settings.seed)).build(),
            kept: AtomicUsize::new(0),
            swept_us: AtomicI64::new(i64::MIN),
            lost_until_us: AtomicI64::new(i64::MIN),
            leaving: AtomicBool::new(false),
        }
    }

    /// Whether nobody holds it and nothing is in it that counts at `now`. From then on nobody takes it any more.
    fn leaves(self: &Arc<Self>, now: Timestamp) -> bool {
        let is_empty = || {
            let lost_until = Timestamp::from_micros(self.lost_until_us.load(Ordering::Acquire));
            self.kept.load(Ordering::Acquire) == 0 && lost_until.plus_micros(LINGER_US) < now
        };
        // The map holds it once.
        let is_alone = || Arc::strong_count(self) == 1;
        if !is_alone() || !is_empty() {
            return false;
        }
        self.leaving.store(true, Ordering::SeqCst);
        // Whoever takes it now sees the mark, or is seen here.
        fence(Ordering::SeqCst);
        let leaves = is_alone() && is_empty();
        if !leaves {
            self.leaving.store(false, Ordering::SeqCst);
        }
        leaves
    }

    /// Remembers that the signature came to `place`; its window ends at `until`. `once` says whether the call may act
    /// only once.
    pub(crate) fn note(
        &self,
        id: SignatureId,
        place: Place<'_>,
        until: Timestamp,
        once: bool,
        now: Timestamp,
    ) -> Trace {
        let marks = self.marks.pin();
        let found = marks.get(&id);
        let mark = match found {
            Some(mark) if !mark.is_past(now) => Arc::clone(mark),
            // Perhaps it came before and found no place.
            _ if once && until.as_micros() <= self.lost_until_us.load(Ordering::Acquire) => return Trace::Full,
            _ => {
                if found.is_some() {
                    self.forget(id, now);
                }
                if !self.take_place(now) {
                    self.lost_until_us.fetch_max(until.as_micros(), Ordering::AcqRel);
                    return Trace::Full;
                }
                match marks.try_insert(id, Arc::new(Mark::new(place, until))) {
                    Ok(mark) => Arc::clone(mark),
                    // Another call with the same signature was quicker.
                    Err(occupied) => {
                        self.kept.fetch_sub(1, Ordering::AcqRel);
                        Arc::clone(occupied.current)
                    }
                }
            }
        };
        mark.until_us.fetch_max(until.as_micros(), Ordering::AcqRel);
        if !mark.is_at(place) {
            mark.state.fetch_or(ELSEWHERE, Ordering::AcqRel);
        }
        Trace::Kept(mark)
    }

    fn take_place(&self, now: Timestamp) -> bool {
        let place = || {
            let free = |kept: usize| (kept < self.max).then_some(kept + 1);
            self.kept.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).is_ok()
        };
        if place() {
            return true;
        }
        let swept = self.swept_us.load(Ordering::Acquire);
        if swept.saturating_add(SWEEP_EVERY_US) > now.as_micros() {
            return false;
        }
        self.sweep(now);
        place()
    }

    /// Forgets what is past; how many signatures it looked at.
    fn sweep(&self, now: Timestamp) -> usize {
        let kept = self.kept.load(Ordering::Acquire);
        if kept == 0 {
            return 0;
        }
        self.swept_us.fetch_max(now.as_micros(), Ordering::AcqRel);
        let marks = self.marks.pin();
        let past = marks.iter().filter(|(_, mark)| mark.is_past(now)).map(|(id, _)| *id);
        for id in past {
            self.forget(id, now);
        }
        kept
    }

    /// Removes the signature when its time is over; exactly one of several at once does.
    fn forget(&self, id: SignatureId, now: Timestamp) {
        if let Ok(Some(_)) = self.marks.pin().remove_if(&id, |_, mark| mark.is_past(now)) {
            self.kept.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Mark {
    fn new(Place { row, path }: Place<'_>, until: Timestamp) -> Self {
        let path = (path != row.path).then(|| path.into());
        Self { row, path, until_us: AtomicI64::new(until.as_micros()), state: AtomicU8::new(0) }
    }

    fn is_at(&self, Place { row, path }: Place<'_>) -> bool {
        let same_row = core::ptr::eq(self.row, row) || self.row.method == row.method && self.row.path == row.path;
        same_row && self.path.as_deref().unwrap_or(self.row.path) == path
    }

    fn is_past(&self, now: Timestamp) -> bool {
        Timestamp::from_micros(self.until_us.load(Ordering::Acquire)).plus_micros(LINGER_US) < now
    }
}

impl Once {
    pub(crate) fn new(mark: Arc<Mark>) -> Self {
        Self(mark)
    }

    /// Whether the signature is still good.
    pub(crate) fn look(&self) -> Result<(), Spent> {
        spent(self.0.state.load(Ordering::Acquire))
    }

    /// Uses the signature up. Of several at once, one succeeds.
    pub(crate) fn take(&self) -> Result<(), Spent> {
        spent(self.0.state.fetch_or(TAKEN, Ordering::AcqRel))
    }
}

fn spent(state: u8) -> Result<(), Spent> {
    match state {
        0 => Ok(()),
        TAKEN => Err(Spent::Used),
        _ => Err(Spent::Elsewhere),
    }
}

impl Spent {
    /// The reason of the refusal of a call of `row`.
    pub(crate) fn reason(self, row: &Endpoint) -> Reason {
        let order = row.places_orders();
        match self {
            Self::Used => Reason::SignatureUsed { order },
            Self::Elsewhere => Reason::SignatureElsewhere { order },
        }
    }
}

#[cfg(test)]
mod tests;

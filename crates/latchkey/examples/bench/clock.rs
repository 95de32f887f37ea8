//! A clock that stands still while this program is held up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Shared by the tasks of one thread, of which one asks for the time at every turn: between two questions lies no more
/// than one task's work.
///
/// Where the system runs something else for milliseconds instead of this program, a client that keeps to the time of day
/// sends all it has missed at once, and counts its own waiting as the server's.
pub(crate) struct Clock {
    origin: Instant,
    /// In nanoseconds since the origin.
    last: AtomicU64,
    held_up: AtomicU64,
}

impl Clock {
    /// A longer time between two questions is one in which this program did not run.
    const MOST: u64 = 200_000;

    pub(crate) fn start() -> Self {
        Self { origin: instant(), last: AtomicU64::new(0), held_up: AtomicU64::new(0) }
    }

    /// The time since the start in which this program ran.
    pub(crate) fn now(&self) -> Duration {
        let now = self.origin.elapsed().as_nanos() as u64;
        let passed = now.saturating_sub(self.last.swap(now, Ordering::Relaxed));
        if passed > Self::MOST {
            self.held_up.fetch_add(passed, Ordering::Relaxed);
        }
        Duration::from_nanos(now - self.held_up.load(Ordering::Relaxed))
    }

    /// How long this program was held up.
    pub(crate) fn held_up(&self) -> Duration {
        Duration::from_nanos(self.held_up.load(Ordering::Relaxed))
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

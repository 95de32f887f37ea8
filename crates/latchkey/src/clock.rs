//! The one place that reads the wall clock.
//!
//! Time never goes backwards, and over a restart neither: where the clock was set back, time stands still until it has
//! caught up, so that no window opens again. For the same reason a clock that jumps ahead of the monotonic one is
//! believed only once that has lasted: a reading that is wrong for a moment would hold time for as long as it was wrong.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use latchkey_admission::ports::Clock;
use latchkey_protocol::Timestamp;

/// How often a reading is held against the monotonic clock, in microseconds.
const COMPARED_EVERY_US: i64 = 1_000_000;
/// How far ahead of the monotonic clock a reading is believed at once.
const JUMP_MAX_US: i64 = 2_000_000;
/// How long a longer jump has to last until it is believed.
const JUMP_LASTS: Duration = Duration::from_secs(10);
/// How far behind the latest time a reading is worth a word.
const BEHIND_MAX_US: i64 = 2_000_000;

/// The system's wall clock; it never goes backwards.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    /// The latest time that was told, in microseconds.
    latest: AtomicI64,
    /// Readings up to this one follow closely on one that was compared.
    calm_until: AtomicI64,
    compared: Mutex<Option<Compared>>,
}

/// A reading that was believed.
#[derive(Clone, Copy, Debug)]
struct Compared {
    wall_us: i64,
    /// By the monotonic clock, since the start.
    at: Duration,
    /// Since when readings are too far ahead of it.
    ahead_since: Option<Duration>,
}

impl Default for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this adapter is the clock")]
    fn default() -> Self {
        Self {
            started: Instant::now(),
            latest: AtomicI64::new(0),
            calm_until: AtomicI64::new(i64::MIN),
            compared: Mutex::new(None),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let wall_us = wall_us();
        let believed = if wall_us <= self.calm_until.load(Ordering::Relaxed) {
            wall_us
        } else {
            self.compare(wall_us, self.started.elapsed())
        };
        Timestamp::from_micros(self.latest.fetch_max(believed, Ordering::Relaxed).max(believed))
    }
}

impl SystemClock {
    /// Never tells a time before `at`, which an earlier run of the server has told.
    pub fn not_before(&self, at: Timestamp) {
        let behind_us = at.micros_since(Timestamp::from_micros(wall_us()));
        if behind_us > BEHIND_MAX_US {
            tracing::error!(
                seconds = behind_us / 1_000_000,
                "the system's clock is behind the time that this server has recorded: its time stands still, and signed \
                 calls are refused, until the clock has caught up"
            );
        }
        self.latest.fetch_max(at.as_micros(), Ordering::Relaxed);
    }

    /// Holds a reading, made when the monotonic clock was at `at`, against the last one that was believed.
    fn compare(&self, wall_us: i64, at: Duration) -> i64 {
        let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = &mut *compared {
            let passed = i64::try_from(at.saturating_sub(last.at).as_micros()).unwrap_or(i64::MAX);
            let expected = last.wall_us.saturating_add(passed);
            let ahead_us = wall_us.saturating_sub(expected);
            if ahead_us > JUMP_MAX_US {
                let since = *last.ahead_since.get_or_insert_with(|| {
                    tracing::error!(
                        seconds = ahead_us / 1_000_000,
                        "the system's clock jumped ahead; not believed yet"
                    );
                    at
                });
                if at.saturating_sub(since) < JUMP_LASTS {
                    return expected;
                }
                tracing::error!(seconds = ahead_us / 1_000_000, "the system's clock stays ahead; believed from now on");
            } else if last.ahead_since.is_some() {
                tracing::warn!("the system's clock has come back");
            }
        }
        *compared = Some(Compared { wall_us, at, ahead_since: None });
        self.calm_until.store(wall_us.saturating_add(COMPARED_EVERY_US), Ordering::Relaxed);
        wall_us
    }
}

#[expect(clippy::disallowed_methods, reason = "this adapter is the clock")]
fn wall_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_US: i64 = 1_795_230_000_000_000;
    const DAY_US: i64 = 86_400_000_000;

    fn second(number: u64) -> (i64, Duration) {
        (START_US + number as i64 * 1_000_000, Duration::from_secs(number))
    }

    #[test]
    fn a_reading_that_is_wrong_for_a_moment_is_not_believed() {
        let clock = SystemClock::default();
        let (wall, at) = second(0);
        assert_eq!(clock.compare(wall, at), wall);
        let (wall, at) = second(5);
        assert_eq!(clock.compare(wall + DAY_US, at), wall, "time goes on by the monotonic clock");
        let (wall, at) = second(14);
        assert_eq!(clock.compare(wall + DAY_US, at), wall);
        let (wall, at) = second(15);
        assert_eq!(clock.compare(wall, at), wall);
        // What comes later is judged anew.
        let (wall, at) = second(20);
        assert_eq!(clock.compare(wall + DAY_US, at), wall);
    }

    #[test]
    fn a_jump_that_lasts_is_believed() {
        let clock = SystemClock::default();
        let (wall, at) = second(0);
        clock.compare(wall, at);
        let (wall, at) = second(1);
        assert_eq!(clock.compare(wall + DAY_US, at), wall);
        let (wall, at) = second(11);
        assert_eq!(clock.compare(wall + DAY_US, at), wall + DAY_US);
        let (wall, at) = second(12);
        assert_eq!(clock.compare(wall + DAY_US, at), wall + DAY_US);
    }

    #[test]
    fn idle_hours_and_small_steps_are_no_jumps() {
        let clock = SystemClock::default();
        let (wall, at) = second(0);
        clock.compare(wall, at);
        let (wall, at) = second(7200);
        assert_eq!(clock.compare(wall, at), wall);
        let (wall, at) = second(7201);
        assert_eq!(clock.compare(wall + JUMP_MAX_US, at), wall + JUMP_MAX_US);
    }

    #[test]
    fn time_never_goes_back() {
        let clock = SystemClock::default();
        let now = clock.now();
        clock.not_before(now.plus_millis(-60_000));
        assert!(clock.now() >= now);
        let later = now.plus_millis(3_600_000);
        clock.not_before(later);
        assert_eq!(clock.now(), later);
    }
}

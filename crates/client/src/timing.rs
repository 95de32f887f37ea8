//! Where time, waiting and randomness come in.

use core::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use latchkey_protocol::Timestamp;

/// One reading of both clocks of this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// The wall clock: what goes into `timestamp`. It may step.
    pub wall: Timestamp,
    /// Time since some fixed start, by a clock that never steps: what waits and windows are counted with.
    pub elapsed: Duration,
}

/// The three things a call needs from outside besides a transport.
pub trait Timing {
    /// Reads the clocks.
    fn now(&mut self) -> Moment;
    /// Blocks for the given time.
    fn wait(&mut self, duration: Duration);
    /// Fills `bytes` with fresh random bytes, for client order ids and for spreading retries.
    fn entropy(&mut self, bytes: &mut [u8]);
}

/// The clocks and the random source of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemTiming {
    start: Instant,
}

impl SystemTiming {
    /// Starts counting now.
    #[expect(clippy::disallowed_methods, reason = "the one driver of this crate that reads the system's clocks")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemTiming {
    fn default() -> Self {
        Self::new()
    }
}

impl Timing for SystemTiming {
    #[expect(clippy::disallowed_methods, reason = "the one driver of this crate that reads the system's clocks")]
    fn now(&mut self) -> Moment {
        // A clock before 1970 or after the year 290000 is broken; the venue's `-1021` will say so.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX);
        Moment { wall: Timestamp::from_micros(micros), elapsed: self.start.elapsed() }
    }

    #[expect(clippy::disallowed_methods, reason = "the one driver of this crate that waits")]
    fn wait(&mut self, duration: Duration) {
        std::thread::sleep(duration);
    }

    #[expect(clippy::disallowed_methods, reason = "the one driver of this crate that draws randomness")]
    fn entropy(&mut self, bytes: &mut [u8]) {
        // INVARIANT: a system without a random source cannot make ids that nobody else makes; nothing may go on.
        assert!(getrandom::fill(bytes).is_ok(), "the system's random source failed");
    }
}

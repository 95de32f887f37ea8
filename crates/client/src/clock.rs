//! The venue's clock as seen from here.

use latchkey_protocol::Timestamp;

use crate::timing::Moment;

/// How far the venue's clock is ahead of this machine's; zero until it is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServerClock {
    ahead_micros: Option<i64>,
}

impl ServerClock {
    /// Takes a measurement: a request that left at `sent` came back at `received` with the venue's time `server`.
    /// The venue is taken to have read its clock half the round trip before `received`.
    pub fn measure(&mut self, sent: Moment, received: Moment, server: Timestamp) {
        let round_trip = received.elapsed.saturating_sub(sent.elapsed);
        let half = i64::try_from(round_trip.as_micros() / 2).unwrap_or(i64::MAX);
        self.ahead_micros = Some(server.plus_micros(half).micros_since(received.wall));
    }

    /// The venue's time at a reading of this machine's clock.
    pub fn read(&self, wall: Timestamp) -> Timestamp {
        wall.plus_micros(self.ahead_micros.unwrap_or(0))
    }

    /// Whether it was ever measured.
    pub fn is_measured(&self) -> bool {
        self.ahead_micros.is_some()
    }

    /// How far the venue is ahead, in microseconds; negative when it is behind.
    pub fn ahead_micros(&self) -> i64 {
        self.ahead_micros.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn moment(wall_ms: i64, elapsed_ms: u64) -> Moment {
        Moment { wall: Timestamp::from_millis(wall_ms), elapsed: Duration::from_millis(elapsed_ms) }
    }

    #[test]
    fn half_the_round_trip_is_added() {
        let mut clock = ServerClock::default();
        assert_eq!(clock.read(Timestamp::from_millis(7)), Timestamp::from_millis(7));
        // 80 ms there and back; the venue read 5000 in the middle, so at the end it stands at 5040.
        clock.measure(moment(1000, 20), moment(1080, 100), Timestamp::from_millis(5000));
        assert_eq!(clock.ahead_micros(), 3_960_000);
        assert_eq!(clock.read(Timestamp::from_millis(1080)), Timestamp::from_millis(5040));
    }

    #[test]
    fn a_local_clock_that_steps_during_the_measurement_does_not_spoil_it() {
        let mut clock = ServerClock::default();
        clock.measure(moment(1_000_000, 0), moment(500, 10), Timestamp::from_millis(400));
        assert_eq!(clock.ahead_micros(), -95_000);
    }
}

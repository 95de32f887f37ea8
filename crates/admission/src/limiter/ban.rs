//! Bans of addresses.
//!
//! ```text
//!            every `ban_after`-th refusal within one window
//!   free ───────────────────────────────────────────────────► banned until `mark`: 2 min, 10 min … 72 h
//!    ▲  a refusal moves `mark` to now                                   │ refused unread, nothing changes
//!    └──────────────────────────────── `mark` passes ───────────────────┘
//!   each 24 h after `mark` without a refusal: one step forgotten; none left: forgotten whole
//! ```

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use latchkey_protocol::Timestamp;
use latchkey_protocol::limits::{BAN_STEP_FORGOTTEN, BAN_STEPS, Window};

use super::FIVE_MINUTES;
use super::figures::TableFigures;
use super::table::{Slot, Table};

/// The word of a ban that was taken out of its table.
const CLOSED: u64 = u64::MAX;
const DAY_MS: i64 = BAN_STEP_FORGOTTEN * 1000;

/// One address's bans, in one word: a time in milliseconds, whether it is the end of a ban, and the step.
#[derive(Default, Debug)]
pub(super) struct Ban(AtomicU64);

/// The word, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct State {
    /// The end of the last ban, or the last refusal after it.
    mark_ms: i64,
    banned: bool,
    /// Bans that are remembered, at most one a step.
    step: u8,
}

impl State {
    const fn read(word: u64) -> Self {
        Self { mark_ms: (word >> 8) as i64, banned: word & 0x80 != 0, step: (word & 0x7f) as u8 }
    }

    const fn word(self) -> u64 {
        (self.mark_ms as u64) << 8 | (self.banned as u64) << 7 | self.step as u64
    }

    const fn is_banned(self, now_ms: i64) -> bool {
        self.banned && now_ms < self.mark_ms
    }

    /// The steps that are still remembered.
    fn remembered(self, now_ms: i64) -> u8 {
        let days = (now_ms - self.mark_ms).max(0) / DAY_MS;
        self.step.saturating_sub(u8::try_from(days).unwrap_or(u8::MAX))
    }
}

impl Ban {
    /// The end of the ban, if one runs.
    fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let word = self.0.load(Ordering::Acquire);
        let state = State::read(word);
        (word != CLOSED && state.is_banned(now.as_millis())).then(|| Timestamp::from_millis(state.mark_ms))
    }

    fn change(&self, change: impl Fn(State) -> Option<State>) -> Result<u64, u64> {
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            if word == CLOSED { None } else { change(State::read(word)).map(State::word) }
        })
    }

    fn begin(&self, now_ms: i64) -> Result<u64, u64> {
        self.change(|state| {
            let step = state.remembered(now_ms);
            let length = BAN_STEPS.get(usize::from(step)).or(BAN_STEPS.last())?;
            // INVARIANT: there are six steps.
            let step = (step + 1).min(BAN_STEPS.len() as u8);
            (!state.is_banned(now_ms)).then_some(State { mark_ms: now_ms + length * 1000, banned: true, step })
        })
    }
}

impl Slot for Ban {
    fn close(&self, _: Window, now: Timestamp) -> bool {
        let now_ms = now.as_millis();
        let closed = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            let state = State::read(word);
            (word == CLOSED || !state.is_banned(now_ms) && state.remembered(now_ms) == 0).then_some(CLOSED)
        });
        closed.is_ok()
    }

    fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire) == CLOSED
    }
}

/// One address's ban, to be kept over a restart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeldBan {
    /// The address, or the network of one.
    pub address: IpAddr,
    /// The end of the ban, or the last refusal after it, in milliseconds since the epoch.
    pub mark_ms: i64,
    /// Whether `mark_ms` is the end of a ban.
    pub banned: bool,
    /// How many bans are remembered, 1 to 6.
    pub step: u8,
}

/// The bans of all addresses. When all places are taken by bans that count, no further address is banned; it stays
/// limited.
pub(super) struct Bans(Table<IpAddr, Ban>);

impl Bans {
    /// No bans, and places for `max`.
    pub(super) fn new(max: usize) -> Self {
        Self(Table::new(max, 0, FIVE_MINUTES))
    }

    pub(super) fn figures(&self, name: &'static str) -> TableFigures {
        self.0.figures(name)
    }

    /// How many addresses are banned at `now`.
    pub(super) fn running(&self, now: Timestamp) -> usize {
        let mut running = 0;
        self.0.each(|_, ban| running += usize::from(ban.until(now).is_some()));
        running
    }

    /// The end of the address's ban, if one runs. Changes nothing.
    pub(super) fn until(&self, address: IpAddr, now: Timestamp) -> Option<Timestamp> {
        self.0.existing(&address, |ban| ban.until(now)).flatten()
    }

    /// Notes a refusal after earlier bans: the time without one starts again.
    pub(super) fn refused(&self, address: IpAddr, now: Timestamp) {
        let now_ms = now.as_millis();
        self.0.existing(&address, |ban| {
            // An unchanged word is a ban that runs.
            let _ = ban.change(|state| {
                let step = state.remembered(now_ms);
                let free = !state.is_banned(now_ms);
                free.then_some(State { mark_ms: state.mark_ms.max(now_ms), banned: false, step })
            });
        });
    }

    /// Bans an address; does nothing to one that is banned. Whether a ban began.
    pub(super) fn begin(&self, address: IpAddr, now: Timestamp) -> bool {
        let begun = self.0.slot(address, now, |ban, _| match ban.begin(now.as_millis()) {
            Ok(_) => Some(true),
            Err(CLOSED) => None,
            Err(_) => Some(false),
        });
        begun.unwrap_or(false)
    }

    pub(super) fn export(&self, now: Timestamp) -> Vec<HeldBan> {
        let now_ms = now.as_millis();
        let mut held = Vec::new();
        self.0.each(|address, ban| {
            let word = ban.0.load(Ordering::Acquire);
            let State { mark_ms, banned, step } = State::read(word);
            let counts = State::read(word).is_banned(now_ms) || State::read(word).remembered(now_ms) > 0;
            if word != CLOSED && counts {
                held.push(HeldBan { address: *address, mark_ms, banned, step });
            }
        });
        held.sort_by_key(|ban| ban.address);
        held
    }

    /// Takes bans over. None lasts longer than it could have when it began now.
    pub(super) fn import(&self, held: &[HeldBan], now: Timestamp) {
        let longest = BAN_STEPS.last().map_or(0, |length| length * 1000);
        for ban in held {
            let mark_ms = ban.mark_ms.clamp(0, now.as_millis() + longest);
            let step = ban.step.min(BAN_STEPS.len() as u8);
            let word = State { mark_ms, banned: ban.banned, step }.word();
            self.0.restore(ban.address, Ban(AtomicU64::new(word)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const START: i64 = 1_784_641_649_500;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// How long the next ban is when it begins at `ms`, in seconds.
    fn length(bans: &Bans, ms: i64) -> i64 {
        assert!(bans.begin(ADDRESS, at(ms)));
        let until = bans.until(ADDRESS, at(ms)).unwrap().as_millis();
        assert_eq!(bans.until(ADDRESS, at(until - 1)), Some(at(until)));
        assert_eq!(bans.until(ADDRESS, at(until)), None, "the end is the first moment without a ban");
        (until - ms) / 1000
    }

    #[test]
    fn each_ban_is_longer_up_to_three_days() {
        let bans = Bans::new(8);
        let mut now = START;
        for expected in [120, 600, 3600, 21_600, 86_400, 259_200, 259_200] {
            assert_eq!(length(&bans, now), expected);
            now += expected * 1000;
        }
    }

    #[test]
    fn a_ban_that_runs_is_not_lengthened() {
        let bans = Bans::new(8);
        assert_eq!(length(&bans, START), 120);
        assert!(!bans.begin(ADDRESS, at(START + 60_000)));
        bans.refused(ADDRESS, at(START + 119_999));
        assert_eq!(bans.until(ADDRESS, at(START + 119_999)), Some(at(START + 120_000)));
        assert_eq!(length(&bans, START + 120_000), 600);
    }

    #[test]
    fn one_step_is_forgotten_for_each_day_without_a_refusal() {
        let bans = Bans::new(8);
        let mut end = START;
        for _ in 0..3 {
            end += length(&bans, end) * 1000;
        }
        // Three are remembered: 2 min, 10 min, 1 h. A day less a moment: none is forgotten; a day: one is.
        let almost = end + DAY_MS - 1;
        assert_eq!(length(&bans, almost), 21_600);
        let end = almost + 21_600_000;
        assert_eq!(length(&bans, end + DAY_MS), 21_600, "four less one");
        let end = end + DAY_MS + 21_600_000;
        // A refusal starts the day again.
        bans.refused(ADDRESS, at(end + DAY_MS / 2));
        assert_eq!(length(&bans, end + DAY_MS), 86_400);
        let end = end + DAY_MS + 86_400_000;
        assert_eq!(length(&bans, end + 9 * DAY_MS), 120, "all forgotten");
    }

    #[test]
    fn bans_are_taken_over_and_none_is_made_longer() {
        let (bans, again) = (Bans::new(8), Bans::new(8));
        length(&bans, START);
        let held = bans.export(at(START + 1000));
        assert_eq!(held, [HeldBan { address: ADDRESS, mark_ms: START + 120_000, banned: true, step: 1 }]);
        again.import(&held, at(START + 2000));
        assert_eq!(again.until(ADDRESS, at(START + 119_999)), Some(at(START + 120_000)));
        assert_eq!(length(&again, START + 120_000), 600);
        assert_eq!(bans.export(at(START + 120_000 + DAY_MS)), [], "what is forgotten is not kept");
        let far = HeldBan { address: ADDRESS, mark_ms: i64::MAX, banned: true, step: 200 };
        let clamped = Bans::new(8);
        clamped.import(&[far], at(START));
        assert_eq!(clamped.until(ADDRESS, at(START)), Some(at(START + 259_200_000)));
    }
}

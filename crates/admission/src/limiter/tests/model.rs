//! The limiter against a slow, obvious version of itself: lists of what happened, and sums over them.

use std::env;

use super::*;

const ADDRESSES: u32 = 5;
const WEIGHT_LIMIT: u32 = 60;
const RAW_LIMIT: u32 = 45;
const BAN_AFTER: u16 = 4;
const STEPS_MS: [i64; 6] = [120_000, 600_000, 3_600_000, 21_600_000, 86_400_000, 259_200_000];
const DAY_MS: i64 = 86_400_000;
const MINUTE_US: i64 = 60_000_000;
const FIVE_MINUTES_US: i64 = 5 * MINUTE_US;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Decision {
    Admitted { used: u32 },
    TooHeavy,
    TooMany,
    Banned { until_ms: i64 },
}

/// A list of what was counted, each with the number of its window.
#[derive(Default)]
struct List(Vec<(i64, u32)>);

impl List {
    /// The window that counts now: that of the clock, unless the list is ahead of it.
    fn window(&self, now_us: i64, length_us: i64) -> i64 {
        self.0.iter().map(|(window, _)| *window).max().unwrap_or(0).max(now_us / length_us)
    }

    fn sum(&self, window: i64) -> u32 {
        self.0.iter().filter(|(of, _)| *of == window).map(|(_, count)| count).sum()
    }

    fn push(&mut self, window: i64, count: u32) {
        // Only for speed: no window but the last is asked for.
        self.0.retain(|(of, _)| *of == window);
        self.0.push((window, count));
    }
}

#[derive(Default)]
struct Model {
    requests: List,
    weights: List,
    refused_weight: List,
    refused_requests: List,
    ban_end_ms: Option<i64>,
    last_refusal_ms: Option<i64>,
    steps: i64,
}

impl Model {
    fn decide(&mut self, weight: Option<u32>, sapi: bool, now_us: i64) -> Decision {
        let now_ms = now_us / 1000;
        if let Some(until_ms) = self.ban_end_ms.filter(|end| now_ms < *end) {
            return Decision::Banned { until_ms };
        }
        let window = self.requests.window(now_us, FIVE_MINUTES_US);
        if self.requests.sum(window) + 1 > RAW_LIMIT {
            if !sapi {
                let window = self.refused_requests.window(now_us, FIVE_MINUTES_US);
                self.refused_requests.push(window, 1);
                self.refuse(self.refused_requests.sum(window), now_ms);
            }
            return Decision::TooMany;
        }
        self.requests.push(window, 1);
        let window = self.weights.window(now_us, MINUTE_US);
        let Some(weight) = weight else { return Decision::Admitted { used: self.weights.sum(window) } };
        let used = self.weights.sum(window) + weight;
        if used > WEIGHT_LIMIT {
            if !sapi {
                let window = self.refused_weight.window(now_us, MINUTE_US);
                self.refused_weight.push(window, 1);
                self.refuse(self.refused_weight.sum(window), now_ms);
            }
            return Decision::TooHeavy;
        }
        self.weights.push(window, weight);
        Decision::Admitted { used }
    }

    fn refuse(&mut self, refusals: u32, now_ms: i64) {
        let quiet_since = self.ban_end_ms.max(self.last_refusal_ms);
        let days = quiet_since.map_or(0, |since| (now_ms - since).max(0) / DAY_MS);
        self.steps = (self.steps - days).max(0);
        if refusals.is_multiple_of(u32::from(BAN_AFTER)) {
            let step = usize::try_from(self.steps).expect("fits").min(5);
            self.ban_end_ms = Some(now_ms + STEPS_MS[step]);
            self.steps = (self.steps + 1).min(6);
        } else if self.ban_end_ms.is_some() {
            self.last_refusal_ms = self.last_refusal_ms.max(Some(now_ms));
        }
    }
}

/// A small generator: the test needs variety, not quality.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    /// How far the hurried clock goes, in microseconds; now and then a little back.
    fn step_us(&mut self) -> i64 {
        let (kind, length) = (self.roll(1000), self.roll(1_000_000));
        let length = i64::try_from(length).expect("fits");
        match kind {
            0 => length * 172_800,
            1..=4 => length * 7200,
            5..=30 => length * 120,
            31..=50 => -length * 3,
            _ => length / 2,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "long runs are asked for by the environment")]
fn cases() -> u32 {
    env::var("LATCHKEY_PROOF_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100_000)
}

#[test]
fn the_limiter_decides_as_its_model_does() {
    let cases = cases();
    let limiter = limiter(|policy| {
        policy.request_weight_per_minute = WEIGHT_LIMIT;
        policy.raw_requests_per_5m = RAW_LIMIT;
        policy.ban_after = BAN_AFTER;
    });
    let mut models: Vec<Model> = (0..ADDRESSES).map(|_| Model::default()).collect();
    let (mut dice, mut now_us) = (Dice(0x1a7c_4ec5), TURN.as_micros());
    let (mut seen, mut longest, mut wait_until_us) = ([0_u32; 4], 0, 0);
    for case in 0..cases {
        now_us = (now_us + dice.step_us()).max(wait_until_us);
        wait_until_us = 0;
        let now = Timestamp::from_micros(now_us);
        let from = u32::try_from(dice.roll(u64::from(ADDRESSES))).expect("fits");
        let sapi = dice.roll(8) == 0;
        let heaviest = if dice.roll(4) == 0 { 24 } else { 4 };
        let weight = (!sapi).then(|| u32::try_from(dice.roll(heaviest)).expect("fits"));
        let path = if sapi { "/sapi/v1/account/status" } else { "/api/v3/depth" };
        let decided = match limiter.admit(address(from), path, now) {
            Err(Rejection { reason: Reason::Banned { until, .. }, .. }) => {
                longest = longest.max(until.as_millis() - now_us / 1000);
                // Most bans are waited for, to the very end of some.
                match dice.roll(12) {
                    0 => wait_until_us = until.as_micros() - 1,
                    1 => wait_until_us = until.as_micros(),
                    _ => {}
                }
                Decision::Banned { until_ms: until.as_millis() }
            }
            Err(other) => panic!("{other:?}"),
            Ok(()) => {
                let arrival = limiter.weigh_in(address(from), 1, weight, !sapi, now);
                match arrival.over.map(|over| over.what) {
                    None => Decision::Admitted { used: arrival.used },
                    Some(Exhausted::RequestWeight) => Decision::TooHeavy,
                    Some(_) => Decision::TooMany,
                }
            }
        };
        let model = models.get_mut(usize::try_from(from).expect("fits")).expect("a model");
        assert_eq!(decided, model.decide(weight, sapi, now_us), "case {case}: address {from} at {now}");
        seen[match decided {
            Decision::Admitted { .. } => 0,
            Decision::TooHeavy => 1,
            Decision::TooMany => 2,
            Decision::Banned { .. } => 3,
        }] += 1;
    }
    eprintln!("{cases} arrivals: {seen:?} admitted, too heavy, too many, banned; longest ban {longest} ms");
    assert!(seen.iter().all(|count| *count > cases / 1000), "every decision came up: {seen:?}");
    assert!(longest > STEPS_MS[3], "bans grew: {longest} ms");
}

//! Orders sent to a simulated venue over a simulated bad network: requests and answers are lost, late or refused,
//! and both clocks disagree. Whatever happens, an order is executed at most once, and what the client says about
//! it is true. `LATCHKEY_PROOF_CASES` sets how many worlds are tried; a failure names its seed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where a test would")]

use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;

use latchkey_client::call::Policy;
use latchkey_client::client::{CallError, Client};
use latchkey_client::credentials::Credentials;
use latchkey_client::outcome::Outcome;
use latchkey_client::request::{Proof, Request};
use latchkey_client::timing::{Moment, Timing};
use latchkey_client::transport::{Recipient, Reply, Transport, TransportError, Wire};
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::Timestamp;
use latchkey_protocol::catalog::Method;
use latchkey_protocol::params::RawParams;

const START_MS: i64 = 1_700_000_000_000;
const DEFAULT_WINDOW_MS: i64 = 5000;
/// How long the venue may need from its last look at the clock to a book in which the order is found.
const HAND_OVER_MS: u64 = 1900;

struct World {
    random: u64,
    /// The venue's time since the start.
    now_ms: i64,
    /// How far the client's clock is ahead of the venue's.
    skew_ms: i64,
    /// How likely an exchange goes wrong, in percent.
    trouble: u64,
    /// The venue refuses every order.
    is_poor: bool,
    /// The venue refuses a second order under an id that it has.
    knows_duplicates: bool,
    executed: u32,
    /// Requests that are still on their way: when they arrive, and what they say.
    late: Vec<(i64, Wire)>,
    /// Orders that the venue has let in and that no query finds yet: when they are in the book.
    landing: Vec<i64>,
}

impl World {
    fn roll(&mut self, sides: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % sides
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += i64::try_from(ms).unwrap();
        let now = self.now_ms;
        let due: Vec<(i64, Wire)> = self.late.extract_if(.., |(at, _)| *at <= now).collect();
        for (at, wire) in due {
            if wire.method == Method::Post && !self.is_poor && is_timely(&wire, at) {
                let lands = at + i64::try_from(self.roll(HAND_OVER_MS)).unwrap();
                self.landing.push(lands);
            }
        }
        self.executed += u32::try_from(self.landing.extract_if(.., |at| *at <= now).count()).unwrap();
    }

    /// The network keeps a request; many come out when their window is about to end.
    fn keep(&mut self, wire: &Wire) {
        let delay = if self.roll(2) == 0 { self.roll(15_000) } else { 4000 + self.roll(2500) };
        self.late.push((self.now_ms + i64::try_from(delay).unwrap(), wire.clone()));
    }

    /// What the venue does with a request that arrives at `at_ms`.
    fn execute(&mut self, wire: &Wire, at_ms: i64) -> (u16, String) {
        if wire.path() == "/api/v3/time" {
            return (200, format!(r#"{{"serverTime":{}}}"#, START_MS + at_ms));
        }
        if !is_timely(wire, at_ms) {
            return (
                400,
                r#"{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}"#.to_owned(),
            );
        }
        match wire.method {
            Method::Get if self.executed > 0 => (200, "{}".to_owned()),
            Method::Get => (400, r#"{"code":-2013,"msg":"Order does not exist."}"#.to_owned()),
            _ if self.is_poor => (400, r#"{"code":-2010,"msg":"Account has insufficient balance."}"#.to_owned()),
            _ if self.executed > 0 && self.knows_duplicates => {
                (400, r#"{"code":-2010,"msg":"Duplicate order sent."}"#.to_owned())
            }
            _ => {
                self.executed += 1;
                (200, "{}".to_owned())
            }
        }
    }
}

/// The contract's rule for timestamps.
fn is_timely(wire: &Wire, at_ms: i64) -> bool {
    let query = wire.target.split_once('?').unwrap().1;
    let params = RawParams::split(query.as_bytes(), b"").unwrap();
    let number = |name| params.raw(name).map(|raw| core::str::from_utf8(raw).unwrap().parse::<i64>().unwrap());
    let age_ms = START_MS + at_ms - number("timestamp").unwrap();
    age_ms > -1000 && age_ms <= number("recvWindow").unwrap_or(DEFAULT_WINDOW_MS)
}

#[derive(Clone)]
struct Shared(Rc<RefCell<World>>);

impl Transport for Shared {
    fn exchange(&mut self, wire: &Wire) -> Result<Reply, TransportError> {
        let mut world = self.0.borrow_mut();
        let way = if world.roll(8) == 0 { world.roll(8000) } else { world.roll(200) };
        let is_troubled = world.roll(100) < world.trouble;
        let fate = if is_troubled { 1 + world.roll(8) } else { 0 };
        let reply = |status, body: String| Ok(Reply { status, headers: Default::default(), body: body.into_bytes() });
        let no_answer = || Err(TransportError::NoAnswer("lost".to_owned()));
        let patience = world.roll(20_000);
        match fate {
            1 => Err(TransportError::NotSent("refused".to_owned())),
            // It never arrives.
            2 => {
                world.pass(patience);
                no_answer()
            }
            // It arrives late, perhaps long after the client has given up.
            3 => {
                world.keep(wire);
                world.pass(patience);
                no_answer()
            }
            4 => reply(429, r#"{"code":-1003,"msg":"Too many requests queued."}"#.to_owned()),
            5 => reply(503, r#"{"code":-1008,"msg":"Server is currently overloaded."}"#.to_owned()),
            // Something on the way gave up.
            6 => {
                if world.roll(2) == 0 {
                    world.keep(wire);
                }
                reply(500, "who knows".to_owned())
            }
            _ => {
                world.pass(way);
                let at = world.now_ms;
                let (status, body) = world.execute(wire, at);
                world.pass(way);
                match fate {
                    // It was done, and the answer is lost or says nothing.
                    7 => no_answer(),
                    8 => reply(504, r#"{"code":-1007,"msg":"Timeout waiting for response."}"#.to_owned()),
                    _ => reply(status, body),
                }
            }
        }
    }

    fn recipient(&self) -> Recipient {
        Recipient { authority: "localhost".to_owned(), prefix: String::new() }
    }
}

impl Timing for Shared {
    fn now(&mut self) -> Moment {
        let world = self.0.borrow();
        let wall = Timestamp::from_millis(START_MS + world.now_ms + world.skew_ms);
        Moment { wall, elapsed: Duration::from_millis(u64::try_from(world.now_ms).unwrap()) }
    }

    fn wait(&mut self, duration: Duration) {
        self.0.borrow_mut().pass(u64::try_from(duration.as_millis()).unwrap() + 1);
    }

    fn entropy(&mut self, bytes: &mut [u8]) {
        let mut world = self.0.borrow_mut();
        bytes.fill_with(|| u8::try_from(world.roll(256)).unwrap());
    }
}

/// Places one order in the world of this seed; gives how it ended and how often it was executed in the end.
fn place(seed: u64) -> (Result<Outcome, CallError>, u32) {
    let mut world = World {
        random: seed,
        now_ms: 0,
        skew_ms: 0,
        trouble: 0,
        is_poor: false,
        knows_duplicates: false,
        executed: 0,
        late: Vec::new(),
        landing: Vec::new(),
    };
    world.trouble = world.roll(100);
    // Up to 30 s behind and, what is more dangerous, ahead: the venue takes timestamps up to a second ahead.
    world.skew_ms = i64::try_from(world.roll(60_000)).unwrap() - 30_000;
    if world.roll(2) == 0 {
        world.skew_ms = i64::try_from(world.roll(2000)).unwrap() - 1000;
    }
    world.is_poor = world.roll(8) == 0;
    world.knows_duplicates = world.roll(2) == 0;
    let measure_first = world.roll(2) == 0;
    let window = world.roll(3);
    let shared = Shared(Rc::new(RefCell::new(world)));
    let api_key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    let secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    let credentials = Credentials::parse(api_key, KeyType::Hmac, secret).unwrap();
    let policy = Policy { measure_first, ..Policy::default() };
    let mut client = Client::new(shared.clone(), shared.clone(), Some(credentials), policy);
    let mut order = Request::post("/api/v3/order").proof(Proof::Signed).param("symbol", "BTCUSDT");
    if window > 0 {
        order = order.param("recvWindow", if window == 1 { "1000" } else { "15000" });
    }
    let outcome = client.call(&order.build().unwrap());
    let mut world = shared.0.borrow_mut();
    world.pass(100_000);
    world.pass(100_000);
    (outcome, world.executed)
}

#[test]
fn an_order_is_executed_at_most_once_and_its_outcome_is_true() {
    #[expect(clippy::disallowed_methods, reason = "the number of cases comes from whoever runs the test")]
    let cases = std::env::var("LATCHKEY_PROOF_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(20_000_u64);
    let mut seen = [0_u64; 4];
    for seed in 0..cases {
        let (outcome, executed) = place(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        assert!(executed <= 1, "seed {seed}: executed {executed} times, {outcome:?}");
        let kind = match &outcome {
            Ok(Outcome::Answered(_)) => {
                assert_eq!(executed, 1, "seed {seed}: {outcome:?}");
                0
            }
            Ok(Outcome::Refused(_)) => {
                assert_eq!(executed, 0, "seed {seed}: {outcome:?}");
                1
            }
            Ok(Outcome::Unknown(_)) => 2,
            Err(_) => {
                assert_eq!(executed, 0, "seed {seed}: {outcome:?}");
                3
            }
        };
        seen[kind] += 1;
    }
    // Each way to end was tried, and most orders end with certainty.
    assert!(cases < 1000 || seen.iter().all(|count| *count > 0), "{seen:?}");
    assert!(cases < 1000 || seen[2] * 3 < cases, "{seen:?}");
}

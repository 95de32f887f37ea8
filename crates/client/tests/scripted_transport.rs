//! Calls against a scripted transport and a scripted clock: no network, no waiting.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where a test would")]

use core::time::Duration;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use latchkey_client::call::{Limits, NotSent, Policy};
use latchkey_client::client::{CallError, Client};
use latchkey_client::credentials::Credentials;
use latchkey_client::outcome::{Cause, Outcome, Unknown};
use latchkey_client::request::{Proof, Request, SignError};
use latchkey_client::timing::{Moment, Timing};
use latchkey_client::transport::{Recipient, Reply, Transport, TransportError, Wire};
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::Timestamp;

const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const START_MS: i64 = 1_700_000_000_000;

/// One exchange of the script: what must be asked, what comes back, and how long that takes.
struct Exchange {
    wanted: &'static str,
    takes_ms: u64,
    gives: Result<Reply, TransportError>,
}

/// What the transport and the clock share.
#[derive(Default)]
struct World {
    script: VecDeque<Exchange>,
    elapsed: Duration,
    sent: Vec<Wire>,
    waits: Vec<Duration>,
}

#[derive(Clone, Default)]
struct Scripted(Rc<RefCell<World>>);

impl Transport for Scripted {
    fn exchange(&mut self, wire: &Wire) -> Result<Reply, TransportError> {
        let mut world = self.0.borrow_mut();
        let asked = format!("{} {}", wire.method.as_str(), wire.path());
        let exchange = world.script.pop_front().unwrap_or_else(|| panic!("the script ends before {asked}"));
        assert_eq!(asked, exchange.wanted, "exchange {}", world.sent.len());
        world.elapsed += Duration::from_millis(exchange.takes_ms);
        world.sent.push(wire.clone());
        exchange.gives
    }

    fn recipient(&self) -> Recipient {
        Recipient { authority: "localhost".to_owned(), prefix: String::new() }
    }
}

impl Timing for Scripted {
    fn now(&mut self) -> Moment {
        let elapsed = self.0.borrow().elapsed;
        let micros = i64::try_from(elapsed.as_micros()).unwrap();
        Moment { wall: Timestamp::from_millis(START_MS).plus_micros(micros), elapsed }
    }

    fn wait(&mut self, duration: Duration) {
        let mut world = self.0.borrow_mut();
        world.elapsed += duration;
        world.waits.push(duration);
    }

    fn entropy(&mut self, bytes: &mut [u8]) {
        bytes.fill(0x5a);
    }
}

const TIME: &str = "GET /api/v3/time";
const PLACE: &str = "POST /api/v3/order";
const FIND: &str = "GET /api/v3/order";
const READ: &str = "GET /backend/read";
const CHANGE: &str = "POST /backend/change";

fn replies(wanted: &'static str, status: u16, body: &str) -> Exchange {
    with_header(wanted, status, body, &[])
}

fn with_header(wanted: &'static str, status: u16, body: &str, headers: &[(&str, &str)]) -> Exchange {
    let headers = headers.iter().copied().collect();
    Exchange { wanted, takes_ms: 10, gives: Ok(Reply { status, headers, body: body.as_bytes().to_vec() }) }
}

fn not_sent(wanted: &'static str) -> Exchange {
    Exchange { wanted, takes_ms: 10, gives: Err(TransportError::NotSent("refused".to_owned())) }
}

fn no_answer(wanted: &'static str) -> Exchange {
    no_answer_after(wanted, 10)
}

fn no_answer_after(wanted: &'static str, takes_ms: u64) -> Exchange {
    Exchange { wanted, takes_ms, gives: Err(TransportError::NoAnswer("reset".to_owned())) }
}

/// The venue's time, in milliseconds after the start.
fn time(after_ms: i64) -> String {
    format!(r#"{{"serverTime":{}}}"#, START_MS + after_ms)
}

const MISSING: &str = r#"{"code":-2013,"msg":"Order does not exist."}"#;
const LATE: &str = r#"{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}"#;
const WEIGHT: &str = r#"{"code":-1003,"msg":"Too many requests queued."}"#;
const BUSY: &str = r#"{"code":-1008,"msg":"Server is currently overloaded with other requests."}"#;
const NO_MONEY: &str = r#"{"code":-2010,"msg":"Account has insufficient balance for requested action."}"#;
const TIMEOUT: &str = r#"{"code":-1007,"msg":"Timeout waiting for response from backend server."}"#;

fn order() -> Request {
    Request::post("/api/v3/order").proof(Proof::Signed).param("symbol", "BTCUSDT").param("side", "BUY").build().unwrap()
}

fn read() -> Request {
    Request::get("/backend/read").proof(Proof::Signed).build().unwrap()
}

fn change() -> Request {
    Request::post("/backend/change").proof(Proof::Signed).build().unwrap()
}

struct Played {
    outcome: Result<Outcome, CallError>,
    sent: Vec<Wire>,
    waits: Vec<Duration>,
}

fn play_with(policy: Policy, request: &Request, script: impl IntoIterator<Item = Exchange>) -> Played {
    let world = Scripted::default();
    world.0.borrow_mut().script.extend(script);
    let credentials = Credentials::parse(API_KEY, KeyType::Hmac, SECRET).unwrap();
    let outcome = Client::new(world.clone(), world.clone(), Some(credentials), policy).call(request);
    let mut world = world.0.borrow_mut();
    assert!(world.script.is_empty(), "{} exchanges of the script were not asked for", world.script.len());
    Played { outcome, sent: world.sent.split_off(0), waits: world.waits.split_off(0) }
}

fn play(request: &Request, script: impl IntoIterator<Item = Exchange>) -> Played {
    play_with(Policy::default(), request, script)
}

impl Played {
    fn answer(&self) -> (&str, bool) {
        match &self.outcome {
            Ok(Outcome::Answered(answer)) => (core::str::from_utf8(&answer.body).unwrap(), answer.found_by_query),
            other => panic!("{other:?}"),
        }
    }

    fn refused(&self) -> Option<i32> {
        match &self.outcome {
            Ok(Outcome::Refused(refusal)) => refusal.code,
            other => panic!("{other:?}"),
        }
    }

    fn unknown(&self) -> &Unknown {
        match &self.outcome {
            Ok(Outcome::Unknown(unknown)) => unknown,
            other => panic!("{other:?}"),
        }
    }

    fn param(&self, index: usize, name: &str) -> &str {
        let query = self.sent[index].target.split_once('?').unwrap().1;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap()
    }
}

// ---- orders of unknown outcome

#[test]
fn a_lost_order_is_queried_and_the_found_one_is_the_answer() {
    let played = play(&order(), [no_answer(PLACE), replies(FIND, 200, r#"{"status":"NEW"}"#)]);
    assert_eq!(played.answer(), (r#"{"status":"NEW"}"#, true));
    let id = played.param(0, "newClientOrderId");
    assert_eq!(played.param(1, "origClientOrderId"), id);
    assert_eq!(played.param(1, "symbol"), "BTCUSDT");
}

#[test]
fn a_lost_order_that_is_missing_is_sent_again_only_after_its_window() {
    let script = [
        no_answer(PLACE),
        replies(FIND, 400, MISSING),
        replies(TIME, 200, &time(7001)),
        replies(FIND, 400, MISSING),
        replies(PLACE, 200, "{}"),
    ];
    let played = play(&order(), script);
    assert_eq!(played.answer(), ("{}", false));
    // Sent at 0, lost at 10, missing at 20: 5000 ms of window and 2000 ms to settle, counted from the sending.
    assert_eq!(played.waits, [Duration::from_millis(6980)]);
    assert_eq!(played.param(0, "newClientOrderId"), played.param(4, "newClientOrderId"));
    let (first, second) = (played.param(0, "timestamp"), played.param(4, "timestamp"));
    assert_eq!((first, second), ("1700000000000", "1700000007020"));
}

#[test]
fn the_venues_clock_says_when_the_window_is_over() {
    // The timestamp was 3 s ahead of the venue, so the order stays good for 3 s longer than it seems here.
    let script = [
        no_answer(PLACE),
        replies(FIND, 400, MISSING),
        replies(TIME, 200, &time(4000)),
        replies(TIME, 200, &time(7000)),
        replies(FIND, 200, "{}"),
    ];
    let played = play(&order(), script);
    assert_eq!(played.answer(), ("{}", true));
    assert_eq!(played.waits, [Duration::from_millis(6980), Duration::from_millis(3000)]);
}

#[test]
fn a_venue_that_does_not_tell_its_time_leaves_the_order_unknown() {
    let head = [no_answer_after(PLACE, 20_000), replies(FIND, 400, MISSING)];
    let played = play(&order(), head.into_iter().chain((0..8).map(|_| replies(TIME, 503, BUSY))));
    assert!(matches!(played.unknown().cause, Cause::Lost(TransportError::NoAnswer(_))));
}

#[test]
fn the_query_itself_must_have_been_asked_after_the_window() {
    // The first query leaves inside the window and its answer arrives long after it: it proves nothing.
    let slow = Exchange { takes_ms: 9000, ..replies(FIND, 400, MISSING) };
    let script = [no_answer(PLACE), slow, replies(TIME, 200, &time(9000)), replies(FIND, 200, "{}")];
    assert_eq!(play(&order(), script).answer(), ("{}", true));
}

#[test]
fn an_order_lost_for_longer_than_its_window_is_sent_again_without_waiting() {
    let script = [
        no_answer_after(PLACE, 20_000),
        replies(FIND, 400, MISSING),
        replies(TIME, 200, &time(20_020)),
        replies(FIND, 400, MISSING),
        replies(PLACE, 200, "{}"),
    ];
    let played = play(&order(), script);
    assert_eq!(played.answer(), ("{}", false));
    assert!(played.waits.is_empty());
}

#[test]
fn the_orders_own_window_and_timestamp_count() {
    let order = Request::post("/api/v3/order")
        .proof(Proof::Signed)
        .param("symbol", "BTCUSDT")
        .param("recvWindow", "30000")
        .param("timestamp", "1700000000500000")
        .build()
        .unwrap();
    let script = [
        no_answer(PLACE),
        replies(FIND, 400, MISSING),
        replies(TIME, 200, &time(32_000)),
        replies(TIME, 200, &time(32_500)),
        replies(FIND, 200, "{}"),
    ];
    let waits = play(&order, script).waits;
    assert_eq!(waits, [Duration::from_millis(31_980), Duration::from_millis(500)]);
}

#[test]
fn every_uncertain_reply_to_an_order_leads_to_a_query() {
    for (status, body) in [(504, TIMEOUT), (400, TIMEOUT), (500, ""), (503, "<html>"), (502, "bad gateway")] {
        let played = play(&order(), [replies(PLACE, status, body), replies(FIND, 200, "{}")]);
        assert_eq!(played.answer(), ("{}", true), "{status} {body}");
    }
}

#[test]
fn an_answer_that_is_too_large_does_not_hide_the_order() {
    let large = Exchange { gives: Err(TransportError::TooLarge { limit: 9 }), ..no_answer(PLACE) };
    assert_eq!(play(&order(), [large, replies(FIND, 200, "{}")]).answer(), ("{}", true));
}

#[test]
fn a_refused_order_is_refused_and_not_queried() {
    assert_eq!(play(&order(), [replies(PLACE, 400, NO_MONEY)]).refused(), Some(-2010));
}

#[test]
fn a_query_that_stays_without_an_answer_leaves_the_order_unknown() {
    let lost = std::iter::once(no_answer(PLACE)).chain((0..9).map(|_| no_answer(FIND)));
    let played = play(&order(), lost);
    let unknown = played.unknown();
    assert_eq!(unknown.client_order_id.as_deref(), Some(played.param(0, "newClientOrderId")));
    assert!(matches!(unknown.cause, Cause::Lost(TransportError::NoAnswer(_))));
}

#[test]
fn a_query_that_cannot_be_sent_is_no_proof_that_the_order_was_not() {
    let lost = std::iter::once(no_answer(PLACE)).chain((0..9).map(|_| not_sent(FIND)));
    assert!(matches!(play(&order(), lost).unknown().cause, Cause::Lost(TransportError::NoAnswer(_))));
}

#[test]
fn a_query_that_is_refused_leaves_the_order_unknown_with_the_first_reason() {
    let refused = r#"{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}"#;
    let played = play(&order(), [replies(PLACE, 504, TIMEOUT), replies(FIND, 401, refused)]);
    assert!(matches!(&played.unknown().cause, Cause::Said(refusal) if refusal.code == Some(-1007)));
}

#[test]
fn the_window_is_not_waited_for_beyond_the_bound() {
    let policy =
        Policy { limits: Limits { wait_max: Duration::from_secs(3), ..Limits::default() }, ..Policy::default() };
    let played = play_with(policy, &order(), [no_answer(PLACE), replies(FIND, 400, MISSING)]);
    assert!(played.unknown().client_order_id.is_some());
    assert!(played.waits.is_empty());
}

#[test]
fn a_duplicate_after_sending_again_is_the_first_one_and_is_queried() {
    let duplicate = r#"{"code":-2010,"msg":"Duplicate order sent."}"#;
    let played = play(
        &order(),
        [
            no_answer_after(PLACE, 20_000),
            replies(FIND, 400, MISSING),
            replies(TIME, 200, &time(30_000)),
            replies(FIND, 400, MISSING),
            replies(PLACE, 400, duplicate),
            replies(FIND, 200, "{}"),
        ],
    );
    assert_eq!(played.answer(), ("{}", true));
    assert_eq!(play(&order(), [replies(PLACE, 400, duplicate)]).refused(), Some(-2010));
}

#[test]
fn sending_again_is_bounded() {
    let round = |n: i64| {
        [
            no_answer_after(PLACE, 20_000),
            replies(FIND, 400, MISSING),
            replies(TIME, 200, &time(n * 30_000)),
            replies(FIND, 400, MISSING),
        ]
    };
    let script = (1..=3).flat_map(round).take(10);
    assert!(play(&order(), script).unknown().client_order_id.is_some());
}

// ---- other calls of unknown outcome

#[test]
fn other_changes_are_never_sent_twice() {
    for lost in [no_answer(CHANGE), replies(CHANGE, 500, ""), replies(CHANGE, 504, TIMEOUT)] {
        let played = play(&change(), [lost]);
        assert_eq!(played.unknown().client_order_id, None);
        assert_eq!(played.sent.len(), 1);
    }
}

#[test]
fn reads_are_sent_again() {
    let script = [no_answer(READ), replies(READ, 500, ""), replies(READ, 504, TIMEOUT), replies(READ, 200, "{}")];
    let played = play(&read(), script);
    assert_eq!(played.answer(), ("{}", false));
    let spread = [250..=500, 500..=1000, 1000..=2000];
    assert_eq!(played.waits.len(), spread.len());
    for (wait, range) in played.waits.iter().zip(spread) {
        assert!(range.contains(&wait.as_millis()), "{wait:?} in {range:?}");
    }
}

#[test]
fn reads_give_up_with_what_is_known() {
    let played = play(&read(), (0..10).map(|_| replies(READ, 500, r#"{"code":-1000,"msg":"x"}"#)));
    assert_eq!(played.refused(), Some(-1000));
    assert!(matches!(play(&read(), (0..10).map(|_| no_answer(READ))).unknown().cause, Cause::Lost(_)));
}

#[test]
fn a_read_that_is_too_large_is_not_asked_for_again() {
    let large = Exchange { gives: Err(TransportError::TooLarge { limit: 9 }), ..no_answer(READ) };
    assert!(matches!(play(&read(), [large]).unknown().cause, Cause::Lost(TransportError::TooLarge { limit: 9 })));
}

// ---- connections that were never made

#[test]
fn what_was_never_sent_may_be_sent_again() {
    assert_eq!(play(&order(), [not_sent(PLACE), replies(PLACE, 200, "{}")]).answer(), ("{}", false));
    assert_eq!(play(&change(), [not_sent(CHANGE), replies(CHANGE, 200, "{}")]).answer(), ("{}", false));
}

#[test]
fn what_could_never_be_sent_is_an_error_of_its_own() {
    let played = play(&order(), (0..4).map(|_| not_sent(PLACE)));
    assert_eq!(played.outcome, Err(CallError::NotSent(NotSent(TransportError::NotSent("refused".to_owned())))));
    let waited: Duration = played.waits.iter().sum();
    assert!(waited <= Limits::default().wait_max, "{waited:?}");
}

// ---- backing off

#[test]
fn retry_after_is_honoured_and_never_undercut() {
    let busy = with_header(PLACE, 429, WEIGHT, &[("Retry-After", "7")]);
    let played = play(&order(), [busy, replies(PLACE, 200, "{}")]);
    assert_eq!(played.answer(), ("{}", false));
    assert!((7000..=7250).contains(&played.waits[0].as_millis()), "{:?}", played.waits);
    assert_eq!(played.param(0, "newClientOrderId"), played.param(1, "newClientOrderId"));
}

#[test]
fn a_wait_beyond_the_bound_is_refused_at_once() {
    for (status, after) in [(418, "120"), (429, "61"), (503, "4294967295")] {
        let played = play(&order(), [with_header(PLACE, status, BUSY, &[("Retry-After", after)])]);
        assert_eq!(played.refused(), Some(-1008));
        assert!(played.waits.is_empty());
    }
}

#[test]
fn a_short_ban_is_waited_for_and_one_without_an_end_is_not() {
    let ban = with_header(READ, 418, WEIGHT, &[("Retry-After", "20")]);
    assert_eq!(play(&read(), [ban, replies(READ, 200, "{}")]).answer(), ("{}", false));
    assert_eq!(play(&read(), [replies(READ, 418, WEIGHT)]).refused(), Some(-1003));
}

#[test]
fn a_busy_venue_is_asked_again_because_it_executed_nothing() {
    let played =
        play(&change(), [replies(CHANGE, 503, BUSY), replies(CHANGE, 429, WEIGHT), replies(CHANGE, 200, "{}")]);
    assert_eq!(played.answer(), ("{}", false));
    assert_eq!(played.waits.len(), 2);
}

#[test]
fn waiting_is_bounded_in_all() {
    let busy = || with_header(READ, 429, WEIGHT, &[("Retry-After", "25")]);
    let played = play(&read(), [busy(), busy(), busy()]);
    assert_eq!(played.refused(), Some(-1003));
    assert_eq!(played.waits.len(), 2);
}

// ---- the clock

#[test]
fn a_refused_timestamp_is_measured_again_once() {
    let time = time(90_000);
    let played = play(&order(), [replies(PLACE, 400, LATE), replies(TIME, 200, &time), replies(PLACE, 200, "{}")]);
    assert_eq!(played.answer(), ("{}", false));
    // Measured at 10 to 20 ms: the venue stood at +90000 in the middle, so it is +90005 when the order leaves.
    assert_eq!(played.param(2, "timestamp"), "1700000090005");
    let twice = [replies(PLACE, 400, LATE), replies(TIME, 200, &time), replies(PLACE, 400, LATE)];
    assert_eq!(play(&order(), twice).refused(), Some(-1021));
}

#[test]
fn a_clock_that_cannot_be_measured_leaves_the_refusal() {
    for broken in [no_answer(TIME), replies(TIME, 500, ""), replies(TIME, 200, "{}"), replies(TIME, 200, "<html>")] {
        assert_eq!(play(&order(), [replies(PLACE, 400, LATE), broken]).refused(), Some(-1021));
    }
}

#[test]
fn a_timestamp_of_the_callers_own_is_not_replaced() {
    let request = Request::get("/backend/read").proof(Proof::Signed).param("timestamp", "1").build().unwrap();
    let played = play(&request, [replies(READ, 400, LATE)]);
    assert_eq!(played.refused(), Some(-1021));
    assert_eq!(played.param(0, "timestamp"), "1");
}

#[test]
fn the_clock_is_measured_first_when_asked_for_and_kept() {
    let world = Scripted::default();
    let micros = format!(r#"{{"serverTime":{}}}"#, (START_MS - 1000) * 1000);
    world.0.borrow_mut().script.extend([
        replies(TIME, 200, &micros),
        replies(READ, 200, "1"),
        replies(READ, 200, "2"),
        replies("GET /backend/open", 200, "3"),
    ]);
    let credentials = Credentials::parse(API_KEY, KeyType::Hmac, SECRET).unwrap();
    let policy = Policy { measure_first: true, ..Policy::default() };
    let mut client = Client::new(world.clone(), world.clone(), Some(credentials), policy);
    client.call(&read()).unwrap();
    client.call(&read()).unwrap();
    client.call(&Request::get("/backend/open").proof(Proof::None).build().unwrap()).unwrap();
    assert_eq!(client.clock().ahead_micros(), -1_005_000);
    let world = world.0.borrow();
    assert_eq!(world.sent[0].target, "/api/v3/time");
    assert_eq!(world.sent[0].api_key, None);
    assert_eq!(world.sent[3].target, "/backend/open");
}

#[test]
fn a_venue_without_a_clock_is_called_all_the_same() {
    let policy = Policy { measure_first: true, ..Policy::default() };
    let played = play_with(policy, &read(), [replies(TIME, 404, ""), replies(READ, 200, "{}")]);
    assert_eq!(played.answer(), ("{}", false));
}

// ---- nothing to sign with

#[test]
fn a_signed_call_without_a_key_is_not_sent() {
    let world = Scripted::default();
    let mut client = Client::new(world.clone(), world.clone(), None, Policy::default());
    assert_eq!(client.call(&order()), Err(CallError::Sign(SignError::NoCredentials)));
    assert!(world.0.borrow().sent.is_empty());
}

#[test]
fn debug_output_has_neither_secret_nor_signature() {
    let played = play(&read(), [replies(READ, 200, "{}")]);
    let signature = played.param(0, "signature");
    let text = format!("{:?} {:?}", played.sent, order());
    assert!(!text.contains(signature) && !text.contains(SECRET), "{text}");
}

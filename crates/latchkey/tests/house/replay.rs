//! Signed requests that come again: on another route, at once, after a refusal, after a restart.

use std::sync::Barrier;

use latchkey_protocol::Timestamp;
use latchkey_protocol::catalog::{Catalog, Route};
use latchkey_store::guard_state::GuardState;

use crate::server::{Server, wall_us};
use crate::signed::{Key, stamped};
use crate::wire::{Answer, get};
use crate::world::{House, house, house_with, lender, trader};

const ORDER: &str = "/api/v3/order";
const PARAMETERS: &str =
    "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000&recvWindow=60000";

const PASSES: (u16, Option<i64>) = (200, None);
const DUPLICATE_ORDER: (u16, Option<i64>) = (400, Some(-2010));
const REPLAYED: (u16, Option<i64>) = (400, Some(-1020));
const BEFORE_START: (u16, Option<i64>) = (400, Some(-1021));

fn told(answer: &Answer) -> (u16, Option<i64>) {
    (answer.status, answer.code())
}

/// A query with its signature, to be sent as often as one likes.
fn sealed(key: &Key, parameters: &str) -> String {
    let payload = stamped(parameters);
    format!("{payload}&signature={}", key.sign(&payload))
}

fn open_orders(server: &Server) -> usize {
    let answer = trader().call(server.api, "GET", "/api/v3/openOrders", "symbol=BTCUSDT");
    answer.json().as_array().expect("a list").len()
}

#[test]
fn a_signature_seen_on_one_route_changes_nothing_on_another() {
    let house = house();
    let (server, key) = (&house.server, lender());
    let signed = || Catalog::rows().filter(|row| row.route != Route::Unavailable && row.security.is_signed());
    // What the second route needs; the first may refuse it, but has seen it.
    for (method, path, parameters, refused) in [
        ("POST", ORDER, PARAMETERS, DUPLICATE_ORDER),
        ("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT&recvWindow=60000", REPLAYED),
        ("POST", "/sapi/v1/margin/apiKey", "apiName=replayed&ip=127.0.0.1&recvWindow=60000", REPLAYED),
    ] {
        let mut walked = 0;
        for first in signed().filter(|row| (row.method.as_str(), row.path) != (method, path)) {
            walked += 1;
            let query = sealed(&key, parameters);
            key.send(server.api, first.method.as_str(), first.path, &query, "");
            let answer = key.send(server.api, method, path, &query, "");
            assert_eq!(told(&answer), refused, "{first:?}, then {method} {path}: {}", answer.text());
        }
        assert!(walked > 25, "only {walked} routes");
    }
    assert_eq!(open_orders(server), 0);
    let keys = trader().call(server.api, "GET", "/sapi/v1/margin/api-key-list", "");
    assert!(!keys.text().contains("replayed"), "{}", keys.text());
}

#[test]
fn a_change_acts_once_and_a_read_as_often_as_it_comes() {
    let house = house();
    let (server, key) = (&house.server, trader());
    let order = sealed(&key, PARAMETERS);
    assert_eq!(told(&key.send(server.api, "POST", ORDER, &order, "")), PASSES);
    for _ in 0..2 {
        let answer = key.send(server.api, "POST", ORDER, &order, "");
        assert_eq!(told(&answer), DUPLICATE_ORDER, "{}", answer.text());
        assert!(answer.text().contains("Duplicate order sent."), "{}", answer.text());
    }
    // The letter case of a signature is no other signature.
    let (payload, signature) = order.split_once("&signature=").expect("signed");
    let shouted = format!("{payload}&signature={}", signature.to_uppercase());
    assert_eq!(told(&key.send(server.api, "POST", ORDER, &shouted, "")), DUPLICATE_ORDER);
    let in_body = format!("signature={signature}");
    assert_eq!(told(&key.send(server.api, "POST", ORDER, payload, &in_body)), DUPLICATE_ORDER);
    assert_eq!(open_orders(server), 1);

    let read = sealed(&key, "symbol=BTCUSDT&recvWindow=60000");
    for _ in 0..3 {
        assert_eq!(told(&key.send(server.api, "GET", "/api/v3/openOrders", &read, "")), PASSES);
    }
    let cancel = sealed(&key, "symbol=BTCUSDT&recvWindow=60000");
    assert_eq!(told(&key.send(server.api, "DELETE", "/api/v3/openOrders", &cancel, "")), PASSES);
    let answer = key.send(server.api, "DELETE", "/api/v3/openOrders", &cancel, "");
    assert_eq!(told(&answer), REPLAYED, "{}", answer.text());
    assert!(answer.text().contains("was used before"), "{}", answer.text());
}

#[test]
fn of_64_identical_orders_at_once_one_is_placed() {
    let house = house();
    let (server, key) = (&house.server, trader());
    let order = sealed(&key, PARAMETERS);
    let start = Barrier::new(64);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let send = || {
            start.wait();
            told(&key.send(server.api, "POST", ORDER, &order, ""))
        };
        let runs: Vec<_> = (0..64).map(|_| scope.spawn(send)).collect();
        runs.into_iter().map(|run| run.join().expect("an answer")).collect()
    });
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!((count(PASSES), count(DUPLICATE_ORDER)), (1, 63), "{answers:?}");
    assert_eq!(open_orders(server), 1);
}

#[test]
fn what_was_refused_before_the_venue_may_be_sent_again_unchanged() {
    let house = house();
    let server = &house.server;
    let made = trader().call(server.api, "POST", "/sapi/v1/margin/apiKey", "apiName=later&ip=192.0.2.1");
    let text = |name: &str| made.json()[name].as_str().expect("a new key").to_owned();
    let key = Key::hmac(&text("apiKey"), &text("secretKey"));
    let order = sealed(&key, PARAMETERS);
    let send = || told(&key.send(server.api, "POST", ORDER, &order, ""));
    assert_eq!(send(), (401, Some(-2015)));
    let moved = format!("apiKey={}&ip=127.0.0.1", key.api_key);
    assert_eq!(trader().call(server.api, "PUT", "/sapi/v1/margin/apiKey/ip", &moved).status, 200);
    assert_eq!(send(), PASSES);
    assert_eq!(send(), DUPLICATE_ORDER);
}

#[test]
fn an_order_from_before_a_restart_is_not_taken_after_it() {
    let House { mut server, world, folder } = house();
    let key = trader();
    for (before, is_killed) in [(0, true), (2, false)] {
        let order = sealed(&key, PARAMETERS);
        assert_eq!(told(&key.send(server.api, "POST", ORDER, &order, "")), PASSES);
        let unsent = sealed(&key, PARAMETERS);
        let read = sealed(&key, "symbol=BTCUSDT&recvWindow=60000");
        assert_eq!(told(&key.send(server.api, "GET", "/api/v3/openOrders", &read, "")), PASSES);
        if is_killed {
            drop(server);
        } else {
            assert_eq!(server.stop().code(), Some(0), "{}", server.log());
        }
        server = Server::start(folder.path(), &world);
        for query in [&order, &unsent] {
            assert_eq!(told(&key.send(server.api, "POST", ORDER, query, "")), BEFORE_START);
        }
        assert_eq!(open_orders(&server), before + 1);
        assert_eq!(
            told(&key.send(server.api, "GET", "/api/v3/openOrders", &read, "")),
            PASSES,
            "a read changes nothing"
        );
        // A clock that is right is enough for a new one.
        assert_eq!(told(&key.send(server.api, "POST", ORDER, &sealed(&key, PARAMETERS), "")), PASSES);
        assert_eq!(open_orders(&server), before + 2);
    }
}

#[test]
fn a_clock_that_was_set_back_over_a_restart_opens_no_window_again() {
    let House { mut server, world, folder } = house();
    let key = trader();
    assert_eq!(told(&key.send(server.api, "POST", ORDER, &sealed(&key, PARAMETERS), "")), PASSES);
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
    // The server ran an hour ahead of the clock that it finds now.
    let file = GuardState::new(&server.data);
    let held = file.load().expect("a whole file").expect("a file").held;
    let ahead = Timestamp::from_micros(wall_us()).plus_millis(3_600_000);
    file.save(&held, ahead).expect("a file");
    server = Server::start(folder.path(), &world);
    let time = get(server.api, "/api/v3/time", "").json()["serverTime"].as_i64().expect("a time");
    assert_eq!(time, ahead.as_millis());
    assert_eq!(told(&key.send(server.api, "POST", ORDER, &sealed(&key, PARAMETERS), "")), BEFORE_START);
    // Stamped by the server's own time, a change that an earlier run may have seen is refused all the same.
    let payload = format!("{PARAMETERS}&timestamp={time}");
    let order = format!("{payload}&signature={}", key.sign(&payload));
    assert_eq!(told(&key.send(server.api, "POST", ORDER, &order, "")), BEFORE_START);
    assert!(server.log().contains("behind the time that this server has recorded"), "{}", server.log());
}

#[test]
fn each_key_has_its_own_rule() {
    let key = |label: &str, number: u32, rule: &str| {
        format!(
            "\n[[account.key]]\nlabel = \"{label}\"\ntype = \"hmac\"\nreplay = \"{rule}\"\nips = [\"127.0.0.1\"]\n\
             permissions = [\"reading\", \"spot-and-margin-trading\"]\n\
             api_key = \"{number:064}\"\nsecret_key = \"{number:064}\"\n"
        )
    };
    let house = house_with(&(key("strict", 71, "all") + &key("loose", 72, "off")));
    let server = &house.server;
    let named = |number: u32| Key::hmac(&format!("{number:064}"), &format!("{number:064}"));
    let (strict, loose) = (named(71), named(72));

    let read = sealed(&strict, "recvWindow=60000");
    let send = |key: &Key, method: &str, path: &str, query: &str| told(&key.send(server.api, method, path, query, ""));
    assert_eq!(send(&strict, "GET", "/api/v3/account", &read), PASSES);
    assert_eq!(send(&strict, "GET", "/api/v3/account", &read), REPLAYED);
    assert_eq!(send(&strict, "GET", "/api/v3/openOrders", &read), REPLAYED);

    let order = sealed(&loose, PARAMETERS);
    for placed in 1..3 {
        assert_eq!(send(&loose, "POST", ORDER, &order), PASSES);
        assert_eq!(open_orders(server), placed);
    }
}

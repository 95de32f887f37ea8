use latchkey_crypto::sign::Signer;

use crate::server::{Server, wall_us};
use crate::signed::{Key, stamped};
use crate::wire::{Answer, ask, get};
use crate::world::{elsewhere, house, trader};

const TEST_ORDER: &str = "/api/v3/order/test";
const PARAMETERS: &str =
    "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000&recvWindow=60000";

fn told(answer: &Answer) -> (u16, Option<i64>) {
    (answer.status, answer.code())
}

const PASSES: (u16, Option<i64>) = (200, None);
const NOT_VALID: (u16, Option<i64>) = (400, Some(-1022));
const NOT_IN_TIME: (u16, Option<i64>) = (400, Some(-1021));

/// `pairs` with `signature` before the pair of number `at`.
fn insert(pairs: &[&str], at: usize, signature: &str) -> String {
    let mut all: Vec<_> = pairs.to_vec();
    let pair = format!("signature={signature}");
    all.insert(at, &pair);
    all.join("&")
}

#[test]
fn a_signature_is_good_at_every_place_of_query_and_body() {
    let house = house();
    let api = house.server.api;
    let key = trader();
    let text = stamped(PARAMETERS);
    let pairs: Vec<_> = text.split('&').collect();
    for split in 0..=pairs.len() {
        let (query, body) = pairs.split_at(split);
        let signature = key.sign(&(query.join("&") + &body.join("&")));
        for at in 0..=query.len() {
            let answer = key.send(api, "POST", TEST_ORDER, &insert(query, at, &signature), &body.join("&"));
            assert_eq!(told(&answer), PASSES, "split {split}, query {at}: {}", answer.text());
        }
        for at in 0..=body.len() {
            let answer = key.send(api, "POST", TEST_ORDER, &query.join("&"), &insert(body, at, &signature));
            assert_eq!(told(&answer), PASSES, "split {split}, body {at}: {}", answer.text());
        }
        // A separator between both parts is not signed.
        if split > 0 && split < pairs.len() {
            let joined = key.sign(&text);
            let answer = key.send(api, "POST", TEST_ORDER, &query.join("&"), &insert(body, 0, &joined));
            assert_eq!(told(&answer), NOT_VALID, "split {split}: {}", answer.text());
        }
    }
}

#[test]
fn the_bytes_sent_are_the_bytes_signed() {
    let house = house();
    let api = house.server.api;
    let key = trader();
    let upper = stamped(&format!("{PARAMETERS}&newClientOrderId=a%2Db%5F1"));
    let send = |payload: &str, signature: &str| {
        told(&key.send(api, "POST", TEST_ORDER, "", &format!("{payload}&signature={signature}")))
    };
    let lower = upper.replace("%2D", "%2d").replace("%5F", "%5f");
    let plain = upper.replace("%2D", "-").replace("%5F", "_");
    let spellings = [&upper, &lower, &plain];
    for sent in spellings {
        for signed in spellings {
            let expected = if sent == signed { PASSES } else { NOT_VALID };
            assert_eq!(send(sent, &key.sign(signed)), expected, "{sent} signed as {signed}");
        }
    }
    // Order counts, letter case of the signature's digits does not.
    let turned: Vec<_> = plain.rsplit('&').collect();
    let turned = turned.join("&");
    assert_eq!(send(&turned, &key.sign(&turned)), PASSES);
    assert_eq!(send(&turned, &key.sign(&plain)), NOT_VALID);
    assert_eq!(send(&plain, &key.sign(&plain).to_uppercase()), PASSES);
    // One bit of one signature.
    let signature = key.sign(&plain);
    let other = if signature.starts_with('0') { "1" } else { "0" };
    assert_eq!(send(&plain, &format!("{other}{}", &signature[1..])), NOT_VALID);
    // Another key's signature.
    assert_eq!(send(&plain, &elsewhere().sign(&plain)), NOT_VALID);
}

#[test]
fn a_name_in_query_and_body_means_what_the_query_says() {
    let house = house();
    let api = house.server.api;
    let key = trader();
    let send = |query: &str, body: &str| {
        let body = stamped(body);
        let signature = key.sign(&format!("{query}{body}"));
        key.send(api, "POST", TEST_ORDER, query, &format!("{body}&signature={signature}"))
    };
    let answer = send("side=BUY", &PARAMETERS.replace("side=BUY", "side=HOLD"));
    assert_eq!(told(&answer), PASSES, "{}", answer.text());
    let answer = send("side=HOLD", PARAMETERS);
    assert_eq!(told(&answer), (400, Some(-1117)), "{}", answer.text());
}

#[test]
fn time_is_judged_by_the_window_that_the_caller_chose() {
    let house = house();
    let api = house.server.api;
    let key = trader();
    let at = |timestamp: i64, window: &str| {
        let joint = if window.is_empty() { String::new() } else { format!("recvWindow={window}&") };
        let payload = format!("{joint}timestamp={timestamp}");
        let signature = key.sign(&payload);
        key.send(api, "GET", "/api/v3/account", &format!("{payload}&signature={signature}"), "")
    };
    let ms = |offset: i64| wall_us() / 1000 + offset;
    let us = |offset_ms: i64| wall_us() + offset_ms * 1000;
    // Distances that no pause of the machine turns into others.
    for (timestamp, window, expected) in [
        (ms(0), "60000", PASSES),
        (us(0), "60000", PASSES),
        (ms(900), "60000", PASSES),
        (us(900), "60000", PASSES),
        (ms(-30_000), "60000", PASSES),
        (us(-30_000), "60000", PASSES),
        (ms(0), "59999.999", PASSES),
        (ms(0), "59999.9", PASSES),
        (ms(0), "60000.000", PASSES),
        (ms(-5001), "", NOT_IN_TIME),
        (us(-5001), "", NOT_IN_TIME),
        (ms(-60_001), "60000", NOT_IN_TIME),
        (us(-60_001), "60000", NOT_IN_TIME),
        (ms(-1), "0.5", NOT_IN_TIME),
        (ms(-1), "0", NOT_IN_TIME),
        (ms(6000), "60000", NOT_IN_TIME),
        (us(6000), "60000", NOT_IN_TIME),
    ] {
        let answer = at(timestamp, window);
        assert_eq!(told(&answer), expected, "{timestamp} within {window:?}: {}", answer.text());
    }
    assert!(at(ms(6000), "").text().contains("1000ms ahead of the server's time"));
    assert!(at(ms(-6000), "").text().contains("outside of the recvWindow"));
}

#[test]
fn the_unit_of_an_answers_times_is_the_callers_choice() {
    let house = house();
    let time = |header: &str| {
        let answer = get(house.server.api, "/api/v3/time", header);
        answer.json()["serverTime"].as_i64().unwrap_or_else(|| panic!("{}", answer.text()))
    };
    let near = |time_us: i64| (wall_us() - time_us).abs() < 60_000_000;
    assert!(near(time("") * 1000));
    for name in ["MILLISECOND", "millisecond"] {
        assert!(near(time(&format!("X-MBX-TIME-UNIT: {name}\r\n")) * 1000), "{name}");
    }
    for name in ["MICROSECOND", "microsecond"] {
        assert!(near(time(&format!("X-MBX-TIME-UNIT: {name}\r\n"))), "{name}");
    }
}

#[test]
fn outside_nobody_can_tell_an_unknown_key_from_an_unlisted_address() {
    let house = house();
    let api = house.server.api;
    let unknown = Key::hmac(&"u".repeat(64), &"s".repeat(64));
    let (stranger, misplaced) =
        (unknown.call(api, "GET", "/api/v3/account", ""), elsewhere().call(api, "GET", "/api/v3/account", ""));
    assert_eq!(told(&stranger), (401, Some(-2015)));
    assert_eq!((stranger.status, &stranger.body), (misplaced.status, &misplaced.body));
    let names = |answer: &Answer| {
        answer.head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(names(&stranger), names(&misplaced));
    // The clock's distance is told to those alone who can sign.
    assert_eq!(misplaced.header("x-latchkey-clock-ms"), None);
    let wrong = Key::hmac(&trader().api_key, &"s".repeat(64)).call(api, "GET", "/api/v3/account", "");
    assert_eq!(told(&wrong), NOT_VALID);
    assert_eq!(wrong.header("x-latchkey-clock-ms"), None);
    let right = trader().call(api, "GET", "/api/v3/account", "");
    assert!(right.header("x-latchkey-clock-ms").is_some(), "{}", right.head);
}

/// Makes a special key by a call, and says which.
fn create(server: &Server, name: &str, more: &str) -> Answer {
    let parameters = format!("apiName={name}&ip=127.0.0.1{more}");
    let answer = trader().call(server.api, "POST", "/sapi/v1/margin/apiKey", &parameters);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

fn api_key(answer: &Answer) -> String {
    answer.json()["apiKey"].as_str().expect("an API key").to_owned()
}

/// A key pair that is the same in every run.
fn pair() -> Signer {
    Signer::generate_ed25519(&mut |bytes: &mut [u8]| bytes.fill(7))
}

#[test]
fn a_deleted_key_is_dead_for_the_very_next_call() {
    let house = house();
    let server = &house.server;
    let made = create(server, "short", "");
    let secret = made.json()["secretKey"].as_str().expect("a secret").to_owned();
    let hmac = Key::hmac(&api_key(&made), &secret);

    let signer = pair();
    let public = signer.public_key().expect("a pair").to_pem();
    let encoded =
        public.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D").replace('\n', "%0A").replace(' ', "%20");
    let made = create(server, "long", &format!("&publicKey={encoded}"));
    let private = signer.private_pem().expect("encodes").expect("a pair");
    let ed25519 = Key::pem(&api_key(&made), private.expose());

    for key in [&hmac, &ed25519] {
        let account = key.call(server.api, "GET", "/api/v3/account", "");
        assert_eq!(account.status, 200, "{}", account.text());
        let usdt = account.json()["balances"].as_array().and_then(|balances| {
            balances.iter().find(|balance| balance["asset"] == "USDT").map(|balance| balance["free"].clone())
        });
        assert_eq!(usdt, Some("50000.00000000".into()), "the margin wallet: {}", account.text());
    }
    for key in [&hmac, &ed25519] {
        let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";
        assert_eq!(key.call(server.api, "POST", "/api/v3/order", order).status, 200);
    }
    for key in [&hmac, &ed25519] {
        let parameters = format!("apiKey={}", key.api_key);
        let deleted = trader().call(server.api, "DELETE", "/sapi/v1/margin/apiKey", &parameters);
        assert_eq!(deleted.status, 200, "{}", deleted.text());
        let dead = key.call(server.api, "GET", "/api/v3/account", "");
        assert_eq!(told(&dead), (401, Some(-2015)), "{}", dead.text());
        let dead = key.call(server.api, "GET", "/sapi/v1/account/apiRestrictions", "");
        assert_eq!(told(&dead), (400, Some(-2008)), "{}", dead.text());
    }
    assert_eq!(trader().call(server.api, "GET", "/api/v3/account", "").status, 200);
}

#[test]
fn an_edited_address_list_holds_for_the_very_next_call() {
    let house = house();
    let server = &house.server;
    let made = create(server, "moving", "");
    let key = Key::hmac(&api_key(&made), made.json()["secretKey"].as_str().expect("a secret"));
    let edit = |ip: &str| {
        let parameters = format!("apiKey={}&ip={ip}", key.api_key);
        let answer = trader().call(server.api, "PUT", "/sapi/v1/margin/apiKey/ip", &parameters);
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    let call = || told(&key.call(server.api, "GET", "/api/v3/account", ""));
    for _ in 0..5 {
        assert_eq!(call(), PASSES);
        edit("192.0.2.1");
        assert_eq!(call(), (401, Some(-2015)));
        edit("192.0.2.1,127.0.0.1");
    }
}

#[test]
fn a_special_key_cannot_manage_keys() {
    let house = house();
    let server = &house.server;
    let made = create(server, "special", "");
    let key = Key::hmac(&api_key(&made), made.json()["secretKey"].as_str().expect("a secret"));
    for (method, path, parameters) in [
        ("POST", "/sapi/v1/margin/apiKey", "apiName=child&ip=127.0.0.1".to_owned()),
        ("PUT", "/sapi/v1/margin/apiKey/ip", format!("apiKey={}&ip=0.0.0.0/0", key.api_key)),
        ("DELETE", "/sapi/v1/margin/apiKey", format!("apiKey={}", key.api_key)),
        ("GET", "/sapi/v1/margin/apiKey", format!("apiKey={}", key.api_key)),
        ("GET", "/sapi/v1/margin/api-key-list", String::new()),
    ] {
        let answer = key.call(server.api, method, path, &parameters);
        assert_eq!(told(&answer), (400, Some(-2015)), "{method} {path}: {}", answer.text());
    }
}

#[test]
fn requests_of_one_connection_are_answered_in_turn() {
    let house = house();
    let api = house.server.api;
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {api}\r\n\r\n");
    let mut wire = crate::wire::Wire::open(api);
    wire.send((one("/api/v3/ping") + &one("/api/v3/nothing") + &one("/api/v3/time")).as_bytes());
    let statuses: Vec<_> = (0..3).map(|_| wire.answer().expect("an answer").status).collect();
    assert_eq!(statuses, [200, 404, 200]);
    assert_eq!(ask(api, &one("/api/v3/ping")).text(), "{}");
}

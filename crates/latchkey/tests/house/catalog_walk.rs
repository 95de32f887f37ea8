//! The whole catalog, endpoint by endpoint, against a key that lacks what the row asks for.

use latchkey_protocol::Permission;
use latchkey_protocol::catalog::{Catalog, Endpoint, Family, KeyKinds, Method, Route, SecurityType};

use crate::server::Server;
use crate::signed::{Key, stamped};
use crate::wire::{Answer, ask};
use crate::world::{elsewhere, house, lender, reader, special, trader};

fn served() -> impl Iterator<Item = &'static Endpoint> {
    Catalog::rows().filter(|row| row.route != Route::Unavailable)
}

fn keyed() -> impl Iterator<Item = &'static Endpoint> {
    served().filter(|row| row.security != SecurityType::None)
}

/// What a family answers to a key that may not do this, or not from here.
fn rejected(family: Family) -> (u16, Option<i64>) {
    match family {
        Family::Sapi => (400, Some(-2015)),
        Family::Api | Family::Futures | Family::Latchkey => (401, Some(-2015)),
    }
}

fn told(answer: &Answer) -> (u16, Option<i64>) {
    (answer.status, answer.code())
}

fn bare(server: &Server, row: &Endpoint) -> Answer {
    let (method, path, host) = (row.method.as_str(), row.path, server.api);
    ask(server.api, &format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"))
}

fn signed(server: &Server, row: &Endpoint, key: &Key) -> Answer {
    key.call(server.api, row.method.as_str(), row.path, "")
}

fn with_signature(server: &Server, row: &Endpoint, signature: &str) -> Answer {
    let query = format!("{}&signature={signature}", stamped(""));
    trader().send(server.api, row.method.as_str(), row.path, &query, "")
}

/// Holds every row of `rows` to what `expect` says of it.
fn walk(
    rows: impl Iterator<Item = &'static Endpoint>,
    least: usize,
    ask: impl Fn(&'static Endpoint) -> Answer,
    expect: impl Fn(&'static Endpoint) -> (u16, Option<i64>),
) {
    let (mut walked, mut wrong) = (0, Vec::new());
    for row in rows {
        walked += 1;
        let answer = ask(row);
        if told(&answer) != expect(row) {
            wrong.push(format!("{row:?}: {} {}, not {:?}", answer.status, answer.text(), expect(row)));
        }
    }
    assert!(walked >= least, "only {walked} rows");
    assert!(wrong.is_empty(), "{} of {walked} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn each_row_refuses_a_caller_who_lacks_what_it_asks_for() {
    let house = house();
    let server = &house.server;
    let format_invalid = |_: &'static Endpoint| (401, Some(-2014));
    let not_valid = |_: &'static Endpoint| (400, Some(-1022));
    walk(keyed(), 25, |row| bare(server, row), format_invalid);
    let signed_rows = || keyed().filter(|row| row.security.is_signed());
    walk(signed_rows(), 25, |row| with_signature(server, row, &"0".repeat(64)), not_valid);
    let other = stamped("symbol=BTCUSDT");
    let another = trader().sign(&other);
    walk(signed_rows(), 25, |row| with_signature(server, row, &another), not_valid);
    // Elsewhere's address list does not hold this machine.
    walk(keyed(), 25, |row| signed(server, row, &elsewhere()), |row| rejected(row.family));
    let trades = keyed().filter(|row| row.permission == Some(Permission::SpotAndMarginTrading));
    walk(trades, 9, |row| signed(server, row, &reader()), |row| rejected(row.family));
    let others = keyed()
        .filter(|row| !matches!(row.permission, None | Some(Permission::Reading | Permission::SpotAndMarginTrading)));
    walk(others, 1, |row| signed(server, row, &trader()), |row| rejected(row.family));
    // Whatever a special key may trade, it manages neither keys nor funds.
    for key in special() {
        let managing = keyed().filter(|row| row.key_kinds == KeyKinds::StandardOnly);
        walk(managing, 25, |row| signed(server, row, &key), |row| rejected(row.family));
    }
}

#[test]
fn each_row_lets_a_caller_pass_who_has_what_it_asks_for() {
    let house = house();
    let server = &house.server;
    // Past the checks, some rows miss a parameter; none speaks of keys, signatures or permissions any more.
    for row in keyed() {
        let answer = signed(server, row, &lender());
        let code = answer.code();
        let mandatory = row.params.iter().any(|param| param.mandatory);
        assert!(answer.status < 500, "{row:?}: {}", answer.text());
        assert!(!matches!(code, Some(-2015 | -2014 | -2008 | -1022 | -1021 | -1020)), "{row:?}: {}", answer.text());
        assert_eq!(answer.status != 200, mandatory || code.is_some(), "{row:?}: {}", answer.text());
        if mandatory {
            assert_eq!(told(&answer), (400, Some(-1102)), "{row:?}: {}", answer.text());
        }
    }
}

#[test]
fn public_rows_are_answered_without_a_key_and_with_a_wrong_one() {
    let house = house();
    let host = house.server.api;
    for row in served().filter(|row| row.security == SecurityType::None) {
        assert_eq!(row.method, Method::Get);
        let parameters: Vec<_> = row.params.iter().filter(|param| param.mandatory).map(|param| param.name).collect();
        let query = parameters.iter().fold("?".to_owned(), |query, name| match *name {
            "symbol" => query + "symbol=BTCUSDT&",
            "interval" => query + "interval=1m&",
            other => panic!("{row:?} has an unknown mandatory parameter {other}"),
        });
        for key in ["", "X-MBX-APIKEY: not a key\r\n"] {
            let answer = ask(host, &format!("GET {}{query} HTTP/1.1\r\nHost: {host}\r\n{key}\r\n", row.path));
            assert_eq!(answer.status, 200, "{row:?}: {}", answer.text());
            assert!(!answer.json().is_null(), "{row:?}: {}", answer.text());
        }
    }
}

#[test]
fn rows_that_the_venue_does_not_offer_say_so() {
    let house = house();
    let server = &house.server;
    let rows = || Catalog::rows().filter(|row| row.route == Route::Unavailable);
    let unavailable = |_: &'static Endpoint| (400, Some(-1020));
    walk(rows(), 50, |row| signed(server, row, &trader()), unavailable);
    walk(rows(), 50, |row| bare(server, row), unavailable);
    for row in rows().take(3) {
        let text = signed(server, row, &trader()).text();
        assert!(text.contains("not available on this venue"), "{text}");
        assert!(text.contains(row.path) && !text.contains("%s"), "the message names the endpoint: {text}");
    }
}

#[test]
fn every_answer_carries_its_id_and_its_weight() {
    let house = house();
    let server = &house.server;
    let mut ids = std::collections::HashSet::new();
    for row in served() {
        let answer = signed(server, row, &trader());
        let id = answer.header("x-mbx-uuid").unwrap_or_else(|| panic!("{row:?} has no id")).to_owned();
        assert_eq!(id.len(), 36, "{id}");
        assert!(ids.insert(id), "{row:?} has an id of another");
        if answer.status == 200 {
            let weights = ["x-mbx-used-weight-1m", "x-sapi-used-ip-weight-1m", "x-sapi-used-uid-weight-1m"];
            assert!(weights.into_iter().any(|name| answer.header(name).is_some()), "{row:?}: {}", answer.head);
            assert_eq!(answer.header("x-latchkey-venue"), Some("simulated"), "{row:?}");
        }
    }
}

//! One signature on every pair of routes of the catalog, through every check.

use std::sync::Barrier;

use latchkey_admission::replay::Settings;
use latchkey_admission::{Reason, Rejection, Stage};
use latchkey_authority::key::KeyKind;
use latchkey_authority::policy::ReplayRule;
use latchkey_protocol::catalog::{Catalog, Endpoint, Route, SecurityType};

use crate::house::{House, NOW, end};

/// One of these is what a mandatory parameter may hold, whatever its kind.
const VALUES: [&str; 12] = [
    "BTCUSDT",
    "USDT",
    "1",
    "BUY",
    "LIMIT",
    "true",
    "1m",
    "1795229000000",
    "CROSS_MARGIN",
    "192.0.2.1",
    "sub@example.com",
    "0",
];

/// What the row must have, right in form.
fn parameters(row: &'static Endpoint) -> String {
    let mut pairs = Vec::new();
    for param in row.params.iter().filter(|param| param.mandatory) {
        let value = VALUES.iter().find(|value| param.parse(value).is_ok());
        pairs.push(format!("{}={}", param.name, value.unwrap_or_else(|| panic!("{row:?} {}", param.name))));
    }
    pairs.join("&")
}

/// Whether a signature that is sent to the row comes to be verified there.
fn verifies(row: &Endpoint) -> bool {
    let is_signed = row.security.is_signed() || row.security == SecurityType::UserStream;
    row.route != Route::Unavailable && is_signed
}

/// How a signature is good no more: it was used, or it came on another route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Spent {
    Used,
    Elsewhere,
}

fn refused(row: &Endpoint, spent: Spent) -> Result<(), Rejection> {
    let order = row.places_orders();
    Err(Rejection::new(
        Stage::Charge,
        match spent {
            Spent::Used => Reason::SignatureUsed { order },
            Spent::Elsewhere => Reason::SignatureElsewhere { order },
        },
    ))
}

fn house(rule: ReplayRule) -> House {
    House::with(KeyKind::Standard, rule, Settings::default())
}

/// Sends one signature to the first route, then to the second, for every pair; `expected` says what the second tells,
/// from the two rows and whether the signature came to be verified on the first.
fn walk_pairs(rule: ReplayRule, expected: impl Fn(&Endpoint, &Endpoint, bool) -> Option<Spent>) {
    let house = house(rule);
    let (mut pairs, mut wrong) = (0, Vec::new());
    for second in Catalog::rows().filter(|row| verifies(row)) {
        let sent = parameters(second);
        for first in Catalog::rows() {
            pairs += 1;
            let query = house.sealed(&sent, pairs);
            // Whatever becomes of it there, it was seen, if the route asks for a signature.
            let there = house.walk(first, &query);
            let found = house.walk(second, &query);
            if core::ptr::eq(first, second) {
                assert_eq!(there, Ok(()), "{second:?} with {sent}");
            }
            let expected = expected(first, second, verifies(first)).map_or(Ok(()), |spent| refused(second, spent));
            if found != expected {
                wrong.push(format!("{first:?}, then {second:?}: {found:?}, not {expected:?}"));
            }
        }
    }
    assert!(pairs > 5000, "only {pairs} pairs");
    assert!(wrong.is_empty(), "{} of {pairs}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn of_every_pair_of_routes_a_signature_changes_something_on_the_first_alone() {
    walk_pairs(ReplayRule::StateChanging, |first, second, seen| match (seen, core::ptr::eq(first, second)) {
        _ if !second.changes_state => None,
        (_, true) => Some(Spent::Used),
        (true, false) => Some(Spent::Elsewhere),
        (false, false) => None,
    });
}

#[test]
fn under_the_strict_rule_that_holds_for_reads_too() {
    walk_pairs(ReplayRule::All, |first, second, seen| match (seen, core::ptr::eq(first, second)) {
        (_, true) => Some(Spent::Used),
        (true, false) => Some(Spent::Elsewhere),
        (false, false) => None,
    });
}

#[test]
fn under_no_rule_nothing_is_remembered() {
    walk_pairs(ReplayRule::Off, |_, _, _| None);
}

fn changes() -> impl Iterator<Item = &'static Endpoint> {
    Catalog::rows().filter(|row| verifies(row) && row.changes_state)
}

#[test]
fn a_change_that_never_reached_the_venue_may_be_sent_again_unchanged() {
    let house = house(ReplayRule::StateChanging);
    for (number, row) in (0..).zip(changes()) {
        let query = house.sealed(&parameters(row), number);
        for _ in 0..3 {
            // Admitted, and refused before the hand-over: nothing is used up.
            let (permit, trail) = house.admit(row, &query);
            assert!(permit.is_ok(), "{row:?}");
            end(trail, Some(Rejection::new(Stage::HandOver, Reason::Busy)));
        }
        assert_eq!(house.walk(row, &query), Ok(()), "{row:?}");
        assert_eq!(house.walk(row, &query), refused(row, Spent::Used), "{row:?}");
    }
}

#[test]
fn of_64_at_once_on_every_changing_route_one_passes() {
    let house = &house(ReplayRule::StateChanging);
    for (number, row) in (0..).zip(changes()) {
        let query = &house.sealed(&parameters(row), number);
        let start = &Barrier::new(64);
        let passed: usize = std::thread::scope(|scope| {
            let walk = || {
                start.wait();
                usize::from(house.walk(row, query).is_ok())
            };
            let runs: Vec<_> = (0..64).map(|_| scope.spawn(walk)).collect();
            runs.into_iter().map(|run| run.join().unwrap()).sum()
        });
        assert_eq!(passed, 1, "{row:?}");
    }
}

#[test]
fn a_change_that_was_stamped_before_the_memory_begins_is_refused_on_every_route() {
    let house =
        House::with(KeyKind::Standard, ReplayRule::StateChanging, Settings { since: NOW, ..Settings::default() });
    let early = Err(Rejection::new(Stage::Timing, Reason::StampedBeforeStart));
    for row in Catalog::rows().filter(|row| verifies(row)) {
        let [before, since] = [1, 0].map(|number| house.walk(row, &house.sealed(&parameters(row), number)));
        assert_eq!(before, if row.changes_state { early.clone() } else { Ok(()) }, "{row:?}");
        // All of them carry the same time; where the parameters are the same too, so is the signature.
        assert_ne!(since, early, "{row:?}");
    }
}

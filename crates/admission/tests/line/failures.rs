//! Verifications that fail: what they cost the caller's network, and who goes on.

use std::net::IpAddr;

use latchkey_admission::limiter::Exhausted;
use latchkey_admission::replay::Settings;
use latchkey_admission::{Reason, Stage};
use latchkey_authority::key::KeyKind;
use latchkey_authority::policy::{Policy, ReplayRule};
use latchkey_protocol::catalog::{Catalog, Endpoint, Found, Method};

use crate::house::House;

fn account() -> &'static Endpoint {
    match Catalog::builtin().find(Method::Get, "/api/v3/account") {
        Found::Endpoint(row) => row,
        Found::OtherMethod | Found::Nothing => panic!("no row"),
    }
}

/// What a call from an address comes to: the stage and reason of its refusal.
fn call(house: &House, from: &str, query: &str) -> Result<(), (Stage, Reason)> {
    let from: IpAddr = from.parse().expect("an address");
    let (permit, _) = house.admit_from(from, account(), query);
    permit.map(drop).map_err(|rejection| (rejection.stage, rejection.reason))
}

// One, another of the same /64, and one of the /64 beside it.
const ONE: &str = "2001:db8::1";
const SAME: &str = "2001:db8::ffff:2";
const OTHER: &str = "2001:db8:0:1::1";

#[test]
fn an_ipv6_network_fails_and_is_at_home_as_one() {
    let policy = Policy { failed_verifications_per_minute: 300, ..Policy::default() };
    let house = || {
        let house = House::with(KeyKind::Standard, ReplayRule::StateChanging, Settings::default());
        house.limited(&Policy { request_weight_per_minute: u32::MAX, ..policy })
    };
    let wrong = Err((Stage::Signature, Reason::SignatureWrong));
    let used_up = Err((Stage::Budget, Reason::Limited { what: Exhausted::FailedVerifications, limit: 300 }));
    let forged = |house: &House| house.sealed("", 0).replace("&timestamp", "&x=1&timestamp");

    let strangers = house();
    for n in 0..300 {
        let from = if n % 2 == 0 { ONE } else { SAME };
        assert_eq!(call(&strangers, from, &forged(&strangers)), wrong, "{n}");
    }
    for from in [ONE, SAME] {
        assert_eq!(call(&strangers, from, &forged(&strangers)), used_up);
        assert_eq!(call(&strangers, from, &strangers.sealed("", 0)), used_up, "a right signature is not looked at");
    }
    assert_eq!(call(&strangers, OTHER, &forged(&strangers)), wrong);
    assert_eq!(call(&strangers, "192.0.2.7", &strangers.sealed("", 0)), Ok(()));

    let home = house();
    assert_eq!(call(&home, ONE, &home.sealed("", 0)), Ok(()));
    for _ in 0..400 {
        assert_eq!(call(&home, SAME, &forged(&home)), wrong, "the network knows the key");
    }
    assert_eq!(call(&home, SAME, &home.sealed("", 1)), Ok(()));
}

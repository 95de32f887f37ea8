use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;

use latchkey_authority::key::make_key_id;
use latchkey_authority::policy::{Policy, Profile};
use latchkey_authority::tier::{TierOverrides, Tiers};
use latchkey_protocol::catalog::{Catalog, Found, Method};

use super::*;

mod bounds;
mod model;
mod restart;

/// 2026-07-21T13:45:00Z: a five-minute window begins.
const TURN: Timestamp = Timestamp::from_millis(1_784_641_500_000);
const HOUR_MS: i64 = 3_600_000;

fn limits(change: impl FnOnce(&mut Policy)) -> Limits {
    let mut policy = Policy::of(Profile::Default);
    change(&mut policy);
    Limits::new(&policy, Tiers::from(&policy))
}

fn limiter(change: impl FnOnce(&mut Policy)) -> Limiter {
    Limiter::new(limits(change))
}

fn address(n: u32) -> IpAddr {
    IpAddr::V4(n.into())
}

fn key(n: u8) -> KeyId {
    make_key_id(TURN, [n; 10])
}

fn row(method: Method, path: &str) -> &'static Endpoint {
    match Catalog::builtin().find(method, path) {
        Found::Endpoint(row) => row,
        Found::OtherMethod | Found::Nothing => panic!("no row {path}"),
    }
}

/// What the arrival of a request on `/api` is told: its refusal, if any.
fn arrive(limiter: &Limiter, from: IpAddr, weight: u32, now: Timestamp) -> Result<u32, Exhausted> {
    let arrival = limiter.weigh_in(from, 1, Some(weight), true, now);
    arrival.over.map_or(Ok(arrival.used), |over| Err(over.what))
}

fn banned_until(limiter: &Limiter, from: IpAddr, now: Timestamp) -> Option<Timestamp> {
    match limiter.admit(from, "/api/v3/ping", now) {
        Ok(()) => None,
        Err(Rejection { reason: Reason::Banned { until, .. }, .. }) => Some(until),
        Err(other) => panic!("{other:?}"),
    }
}

fn exhausted<T>(result: Result<T, Rejection>) -> Option<Exhausted> {
    match result {
        Ok(_) => None,
        Err(Rejection { reason: Reason::Limited { what, .. }, .. }) => Some(what),
        Err(other) => panic!("{other:?}"),
    }
}

/// How many addresses have counters of their own.
fn own(limiter: &Limiter) -> usize {
    limiter.addresses.figures("addresses").kept
}

#[test]
fn an_address_gets_its_weight_and_no_more_in_each_minute() {
    let limiter = limiter(|policy| policy.request_weight_per_minute = 100);
    let one = address(1);
    assert_eq!(arrive(&limiter, one, 60, TURN), Ok(60));
    assert_eq!(arrive(&limiter, one, 41, TURN), Err(Exhausted::RequestWeight), "what does not fit is refused whole");
    assert_eq!(arrive(&limiter, one, 40, TURN), Ok(100));
    assert_eq!(arrive(&limiter, one, 1, TURN.plus_millis(59_999)), Err(Exhausted::RequestWeight));
    assert_eq!(arrive(&limiter, address(2), 100, TURN), Ok(100), "another address has its own");
    assert_eq!(arrive(&limiter, one, 1, TURN.plus_millis(60_000)), Ok(1));
}

#[test]
fn requests_are_counted_whatever_they_weigh() {
    let limiter = limiter(|policy| policy.raw_requests_per_5m = 3);
    let one = address(1);
    let count = |weight, now| {
        let over = limiter.weigh_in(one, 1, weight, true, now).over;
        over.map(|over| over.what)
    };
    assert_eq!(count(Some(0), TURN), None);
    assert_eq!(count(None, TURN.plus_millis(60_000)), None, "a call of `/sapi`");
    assert_eq!(count(Some(10_000), TURN), Some(Exhausted::RequestWeight), "a refused one counts too");
    assert_eq!(count(Some(1), TURN.plus_millis(299_999)), Some(Exhausted::RawRequests));
    assert_eq!(count(Some(1), TURN.plus_millis(300_000)), None);
}

#[test]
fn an_ipv6_caller_counts_as_its_network() {
    let limiter = limiter(|_| {});
    let charge = |text: &str| arrive(&limiter, limited_address(text.parse().expect("an address")), 1, TURN);
    assert_eq!(charge("2001:db8::1"), Ok(1));
    assert_eq!(charge("2001:db8::ffff:2"), Ok(2));
    assert_eq!(charge("2001:db8:0:1::1"), Ok(1));
    assert_eq!(charge("192.0.2.1"), Ok(1));
    assert_eq!(charge("::ffff:192.0.2.1"), Ok(2), "the mapped form is the same address");
}

#[test]
fn whoever_goes_on_after_refusals_is_banned() {
    let rung = Arc::new(AtomicUsize::new(0));
    let ring = Arc::clone(&rung);
    let limiter = limiter(|policy| policy.request_weight_per_minute = 1)
        .with_alarm(Arc::new(move || _ = ring.fetch_add(1, Ordering::Relaxed)));
    let one = address(1);
    assert_eq!(arrive(&limiter, one, 1, TURN), Ok(1));
    for refused in 1..=20 {
        assert_eq!(banned_until(&limiter, one, TURN), None, "after {} refusals", refused - 1);
        assert_eq!(rung.load(Ordering::Relaxed), 0);
        assert_eq!(arrive(&limiter, one, 1, TURN), Err(Exhausted::RequestWeight));
    }
    let until = TURN.plus_millis(120_000);
    assert_eq!(banned_until(&limiter, one, TURN), Some(until));
    assert_eq!(rung.load(Ordering::Relaxed), 1);
    assert_eq!(banned_until(&limiter, one, until.plus_millis(-1)), Some(until), "asking does not lengthen it");
    assert_eq!(banned_until(&limiter, one, until), None);
    assert_eq!(arrive(&limiter, one, 1, until), Ok(1));
    assert_eq!(banned_until(&limiter, address(2), TURN), None);
}

#[test]
fn refusals_of_two_windows_do_not_add_up() {
    let limiter = limiter(|policy| policy.request_weight_per_minute = 1);
    let one = address(1);
    for minute in 0..4 {
        let now = TURN.plus_millis(minute * 60_000);
        assert_eq!(arrive(&limiter, one, 1, now), Ok(1));
        for _ in 0..19 {
            assert!(arrive(&limiter, one, 1, now).is_err());
        }
        assert_eq!(banned_until(&limiter, one, now), None);
    }
}

#[test]
fn a_ban_that_ended_inside_its_window_takes_as_many_refusals_again() {
    let limiter = limiter(|policy| policy.raw_requests_per_5m = 1);
    let one = address(1);
    assert!(arrive(&limiter, one, 1, TURN).is_ok());
    (0..20).for_each(|_| assert!(arrive(&limiter, one, 1, TURN).is_err()));
    let until = banned_until(&limiter, one, TURN).expect("a ban");
    for _ in 0..20 {
        assert_eq!(banned_until(&limiter, one, until), None);
        assert_eq!(arrive(&limiter, one, 1, until), Err(Exhausted::RawRequests));
    }
    assert_eq!(banned_until(&limiter, one, until), Some(until.plus_millis(600_000)));
}

#[test]
fn sapi_refuses_and_never_bans() {
    let limiter = limiter(|policy| {
        policy.raw_requests_per_5m = 1;
        policy.ban_after = 1;
    });
    let one = address(1);
    assert!(limiter.weigh_in(one, 1, None, false, TURN).over.is_none());
    for _ in 0..50 {
        assert!(limiter.weigh_in(one, 1, None, false, TURN).over.is_some());
    }
    assert_eq!(banned_until(&limiter, one, TURN), None);
}

#[test]
fn no_refusals_lead_to_a_ban_when_bans_are_off() {
    let limiter = limiter(|policy| {
        policy.request_weight_per_minute = 1;
        policy.ban_after = 0;
    });
    for _ in 0..100 {
        let _ = arrive(&limiter, address(1), 1, TURN);
    }
    assert_eq!(banned_until(&limiter, address(1), TURN), None);
}

#[test]
fn a_banned_address_is_told_so_in_the_words_of_the_family() {
    let limiter = limiter(|policy| {
        policy.request_weight_per_minute = 1;
        policy.ban_after = 1;
    });
    let one = address(1);
    assert!(arrive(&limiter, one, 2, TURN).is_err());
    let now = TURN.plus_micros(500_000);
    for (path, status) in [("/api/v3/order", 418), ("/nothing", 418), ("/sapi/v1/account/status", 429)] {
        let rejection = limiter.admit(one, path, now).expect_err("banned");
        let error = rejection.error(Family::Api);
        assert_eq!((error.row.code, error.row.status), (-1003, status), "{path}");
        assert!(error.message().contains("IP banned until 1784641620000."), "{}", error.message());
        assert_eq!(rejection.retry_after_secs(now), Some(120), "119.5 s, rounded up");
    }
}

#[test]
fn each_limit_is_told_in_the_words_of_the_contract() {
    let now = TURN.plus_micros(500_000);
    let cases = [
        (Exhausted::RequestWeight, "Too much request weight used; current limit is 7 request weight per 1 MINUTE.", 60),
        (Exhausted::RawRequests, "Too many requests queued.", 300),
        (Exhausted::EndpointOfAddress, "Too much request weight used; current limit is 7 request weight per 1 M", 60),
        (Exhausted::EndpointOfAccount, "Too much request weight used; current limit is 7 request weight per 1 M", 60),
        (Exhausted::FailedVerifications, "Too many requests queued.", 60),
    ];
    for (what, text, seconds) in cases {
        let rejection = limited(Stage::Limits, what, 7);
        let error = rejection.error(Family::Api);
        assert_eq!((error.row.code, error.row.status), (-1003, 429));
        assert!(error.message().starts_with(text), "{}", error.message());
        assert_eq!(rejection.retry_after_secs(now), Some(seconds), "{what:?}");
    }
}

#[test]
fn an_endpoint_of_sapi_has_a_budget_of_its_own_for_each_address_and_account() {
    let limiter = limiter(|policy| policy.sapi_ip_weight_per_minute = 10);
    let (one, other) = (row(Method::Get, "/sapi/v1/account/status"), row(Method::Get, "/sapi/v1/account/info"));
    let charge = |row, from, weight, now| {
        let charge = limiter.endpoint_of_address(row, from, weight, now);
        matches!(charge, Some(Charge::Taken(_)))
    };
    assert!(charge(one, address(1), 10, TURN));
    assert!(!charge(one, address(1), 1, TURN));
    assert!(charge(other, address(1), 10, TURN) && charge(one, address(2), 10, TURN));
    assert!(charge(one, address(1), 1, TURN.plus_millis(60_000)));
}

#[test]
fn budgets_of_accounts_follow_the_tier_and_are_looked_at_without_a_charge() {
    let policy = Policy::of(Profile::Default);
    let high = TierOverrides { vip_from: 5, sapi_uid_weight_per_minute: Some(360_000), ..TierOverrides::default() };
    let tiers = Tiers::new(&policy, &[("high".to_owned(), high)].into()).expect("tiers that fit");
    let limiter = Limiter::new(Limits::new(&policy, tiers));
    let row = row(Method::Post, "/sapi/v1/margin/isolated/account");
    let look = |account, vip, weight| {
        exhausted(limiter.look(row, AccountId(account), key(1), address(1), || vip, weight, TURN))
    };
    assert_eq!(look(1, 0, 180_000), None);
    assert_eq!(look(1, 0, 180_001), Some(Exhausted::EndpointOfAccount));
    assert_eq!(look(1, 5, 360_000), None, "looking charged nothing");
    let charge = |account, weight, vip| limiter.endpoint_of_account(row, AccountId(account), weight, vip, TURN).0;
    assert_eq!(charge(1, 180_000, 0), Some(Charge::Taken(180_000)));
    assert_eq!(charge(1, 1, 0), Some(Charge::Full(180_000)));
    assert_eq!(charge(1, 180_000, 9), Some(Charge::Taken(360_000)));
    assert_eq!(look(1, 5, 1), Some(Exhausted::EndpointOfAccount));
    assert_eq!((look(2, 0, 1), charge(2, 1, 0)), (None, Some(Charge::Taken(1))));
}

#[test]
fn strangers_fail_so_often_and_no_more_and_known_keys_go_on() {
    let limiter = limiter(|policy| policy.failed_verifications_per_minute = 3);
    let (from, known) = (address(1), key(9));
    let verify = |key, now, holds: bool| -> Option<Exhausted> {
        match limiter.set_aside(key, from, now) {
            Err(rejection) => exhausted::<()>(Err(rejection)),
            Ok(verification) => {
                limiter.settle_verification(verification, Some(key).filter(|_| holds), from, now, !holds);
                None
            }
        }
    };
    for _ in 0..10 {
        assert_eq!(verify(known, TURN, true), None, "what holds costs nothing");
    }
    for n in 0..3 {
        assert_eq!(verify(key(n), TURN, false), None);
    }
    assert_eq!(verify(key(4), TURN, true), Some(Exhausted::FailedVerifications), "a key that is new here");
    assert_eq!(verify(known, TURN, true), None);
    assert_eq!(limiter.set_aside(known, address(2), TURN), Ok(Verification::SetAside { window: number(MINUTE, TURN) }));
    assert_eq!(verify(key(4), TURN.plus_millis(60_000), true), None, "the next minute");
    // An hour without a call: the key is as new as any other.
    let later = TURN.plus_millis(HOUR_MS + 120_000);
    (0..3).for_each(|n| assert_eq!(verify(key(n), later, false), None));
    assert_eq!(verify(known, later, true), Some(Exhausted::FailedVerifications));
}

#[test]
fn failures_of_a_known_key_count_against_strangers() {
    let limiter = limiter(|policy| policy.failed_verifications_per_minute = 2);
    let from = address(1);
    let remembered = Verification::Remembered { stale: false };
    limiter.verified.note(key(1), from, TURN);
    assert_eq!(limiter.set_aside(key(1), from, TURN), Ok(remembered));
    for _ in 0..2 {
        limiter.settle_verification(remembered, None, from, TURN, true);
    }
    assert_eq!(exhausted(limiter.set_aside(key(2), from, TURN)), Some(Exhausted::FailedVerifications));
    assert_eq!(limiter.set_aside(key(1), from, TURN), Ok(remembered));
    let stale = limiter.set_aside(key(1), from, TURN.plus_millis(61_000));
    assert_eq!(stale, Ok(Verification::Remembered { stale: true }), "noted again once a minute");
}

#[test]
fn a_key_keeps_to_its_weight_and_its_share_when_they_are_limited() {
    let limiter = limiter(|policy| {
        policy.request_weight_per_minute = 100;
        policy.key_weight_per_minute = 60;
        policy.key_share_percent = 50;
    });
    let from = |n| address(n);
    let row = row(Method::Get, "/api/v3/account");
    let look = |of, at, weight| exhausted(limiter.look(row, AccountId(1), key(of), from(at), || 0, weight, TURN));
    assert_eq!((look(1, 1, 50), look(1, 1, 51)), (None, Some(Exhausted::KeyShare)));
    assert_eq!(look(1, 1, 61), Some(Exhausted::Key));
    assert_eq!(exhausted(limiter.charge_share(key(1), from(1), 50, TURN)), None);
    assert_eq!(exhausted(limiter.charge_share(key(1), from(1), 1, TURN)), Some(Exhausted::KeyShare));
    assert_eq!(look(1, 1, 1), Some(Exhausted::KeyShare));
    assert_eq!((look(1, 2, 50), look(2, 1, 50)), (None, None), "elsewhere, and its neighbour");
    assert_eq!(exhausted(limiter.charge_key(key(1), 60, TURN)), None);
    assert_eq!(exhausted(limiter.charge_key(key(1), 1, TURN)), Some(Exhausted::Key));
    let off = Limiter::new(Limits::from(&Policy::default()));
    assert_eq!(exhausted(off.charge_key(key(1), u32::MAX, TURN)), None);
    assert_eq!(exhausted(off.charge_share(key(1), from(1), u32::MAX, TURN)), None);
}

#[test]
fn connections_are_limited_where_policy_says_so() {
    let limited = limiter(|policy| policy.connections_per_5m = 2);
    assert!(limited.connect(address(1), TURN) && limited.connect(address(1), TURN));
    assert!(!limited.connect(address(1), TURN.plus_millis(299_999)));
    assert!(limited.connect(address(2), TURN) && limited.connect(address(1), TURN.plus_millis(300_000)));
    let open = limiter(|policy| policy.connections_per_5m = 0);
    assert!((0..1000).all(|_| open.connect(address(1), TURN)));
}

#[test]
fn newcomers_to_a_full_table_share_and_nobody_is_banned_for_it() {
    let limiter = Limiter {
        addresses: Addresses::new(8),
        ..limiter(|policy| {
            policy.request_weight_per_minute = 10;
            policy.ban_after = 1;
        })
    };
    for n in 0..8 {
        assert_eq!(arrive(&limiter, address(n), 10, TURN), Ok(10));
    }
    let mut admitted = HashMap::new();
    for n in 1000..11_000 {
        let newcomer = address(n << 8);
        if arrive(&limiter, newcomer, 10, TURN).is_ok() {
            *admitted.entry(n).or_insert(0) += 1;
        }
        assert_eq!(banned_until(&limiter, newcomer, TURN), None);
    }
    assert_eq!(own(&limiter), 8);
    assert_eq!(admitted.len(), SHARED, "each shared slot admits one address's worth");
    assert_eq!(arrive(&limiter, address(3), 1, TURN), Err(Exhausted::RequestWeight), "known ones keep their own");
    // What is over makes room, but never before the longest window has turned twice.
    assert!(arrive(&limiter, address(1000), 10, TURN.plus_millis(60_000)).is_ok());
    assert_eq!(own(&limiter), 8);
    assert!(arrive(&limiter, address(1001), 10, TURN.plus_millis(600_000)).is_ok());
    assert_eq!(own(&limiter), 1);
}

#[test]
fn the_callers_of_one_network_crowd_each_other_out_and_no_other() {
    let limiter = Limiter { addresses: Addresses::new(8), ..limiter(|policy| policy.request_weight_per_minute = 10) }
        .with_seed(7);
    let of = |site: u128, network: u128| {
        IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) | (site << 80) | (network << 64)))
    };
    for n in 0..8 {
        assert_eq!(arrive(&limiter, of(0, n), 10, TURN), Ok(10));
    }
    let admitted = (8..5000).filter(|n| arrive(&limiter, of(0, *n), 10, TURN).is_ok()).count();
    assert_eq!(admitted, 1, "a whole /48 has one slot among those that are shared");
    let others = (1..=SHARED as u128).filter(|site| arrive(&limiter, of(*site, 0), 10, TURN).is_ok()).count();
    assert!(others > SHARED / 2, "{others} of {SHARED} other networks were let in");
}

#[test]
fn a_full_table_of_connections_forgets_no_running_count() {
    let limiter = limiter(|policy| policy.connections_per_5m = 2);
    for n in 0..COUNTERS_MAX as u32 {
        assert!(limiter.connect(address(n), TURN) && limiter.connect(address(n), TURN));
    }
    // One more than the table holds makes it look for room.
    limiter.connect(address(u32::MAX), TURN.plus_millis(1000));
    assert!(!limiter.connect(address(0), TURN.plus_millis(1000)));
}

#[test]
fn a_refusal_on_sapi_does_not_start_the_day_again_that_forgets_a_ban() {
    const DAY_MS: i64 = 24 * HOUR_MS;
    let limiter = limiter(|policy| {
        policy.request_weight_per_minute = 1;
        policy.raw_requests_per_5m = 2;
        policy.ban_after = 1;
    });
    let one = address(1);
    let ban = |now: Timestamp| {
        assert!(arrive(&limiter, one, 2, now).is_err());
        banned_until(&limiter, one, now).expect("a ban").micros_since(now) / 60_000_000
    };
    assert_eq!(ban(TURN), 2);
    let end = TURN.plus_millis(120_000);
    assert_eq!(ban(end), 10, "the second step");
    let end = end.plus_millis(600_000);
    let half = end.plus_millis(DAY_MS / 2);
    for _ in 0..2 {
        assert!(limiter.weigh_in(one, 1, None, false, half).over.is_none());
    }
    for _ in 0..3 {
        assert!(limiter.weigh_in(one, 1, None, false, half).over.is_some(), "refused on `/sapi`");
    }
    assert_eq!(ban(end.plus_millis(DAY_MS)), 10, "a day after the ban one step of two is forgotten");
}

/// As many threads as may be; each does `work` at the same moment.
fn race(threads: u32, work: impl Fn(u32) + Sync) {
    let start = Barrier::new(usize::try_from(threads).expect("fits"));
    let (start, work) = (&start, &work);
    thread::scope(|scope| {
        for n in 0..threads {
            scope.spawn(move || {
                start.wait();
                work(n);
            });
        }
    });
}

#[test]
fn racing_threads_never_take_more_than_the_limit() {
    for round in 0..50 {
        let limiter = limiter(|policy| {
            policy.request_weight_per_minute = 1000;
            policy.ban_after = 0;
        });
        let now = TURN.plus_millis(round * 60_000);
        let (weight, calls) = (AtomicU32::new(0), AtomicU32::new(0));
        race(8, |n| {
            for call in 0..200 {
                let of = 1 + (n + call) % 3;
                if arrive(&limiter, address(1), of, now).is_ok() {
                    weight.fetch_add(of, Ordering::Relaxed);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        assert_eq!(weight.load(Ordering::Relaxed), 1000);
    }
}

#[test]
fn a_clean_up_in_the_middle_of_a_race_loses_no_count() {
    for round in 1..200 {
        let limiter = Limiter {
            addresses: Addresses::new(4),
            ..limiter(|policy| {
                policy.request_weight_per_minute = 40;
                policy.ban_after = 0;
            })
        };
        // Four long idle addresses fill the table; the fifth one makes it clean up while the first is called.
        (0..4).for_each(|n| assert!(arrive(&limiter, address(n), 1, TURN).is_ok()));
        let now = TURN.plus_millis(300_000 * (2 + round));
        let admitted = AtomicU32::new(0);
        race(4, |n| {
            if n == 0 {
                let _ = arrive(&limiter, address(99), 1, now);
            }
            for _ in 0..20 {
                if arrive(&limiter, address(0), 1, now).is_ok() {
                    admitted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        assert_eq!(admitted.load(Ordering::Relaxed), 40, "round {round}");
    }
}

#[test]
fn racing_refusals_begin_one_ban() {
    for _ in 0..50 {
        let rung = Arc::new(AtomicUsize::new(0));
        let ring = Arc::clone(&rung);
        let limiter = limiter(|policy| policy.request_weight_per_minute = 1)
            .with_alarm(Arc::new(move || _ = ring.fetch_add(1, Ordering::Relaxed)));
        race(8, |_| {
            for _ in 0..10 {
                let _ = arrive(&limiter, address(1), 2, TURN);
            }
        });
        assert_eq!(rung.load(Ordering::Relaxed), 1);
        assert_eq!(banned_until(&limiter, address(1), TURN), Some(TURN.plus_millis(120_000)));
    }
}

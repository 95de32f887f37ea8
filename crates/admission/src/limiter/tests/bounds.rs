//! What a flood from many addresses, keys and accounts does to the limiter's memory.

use super::*;
use crate::limiter::table::PLACES_PER_SPARE;

/// Places of each table here.
const PLACES: usize = 8;
/// Subjects of a flood, each of a network of its own.
const FLOOD: u32 = 5000;

/// A limiter with few places, and limits of two of everything.
fn small() -> Limiter {
    Limiter::sized(
        limits(|policy| {
            policy.request_weight_per_minute = 2;
            policy.raw_requests_per_5m = 1000;
            policy.sapi_ip_weight_per_minute = 2;
            policy.sapi_uid_weight_per_minute = 2;
            policy.failed_verifications_per_minute = 2;
            policy.connections_per_5m = 2;
            policy.key_weight_per_minute = 2;
            policy.key_share_percent = 100;
            policy.ban_after = 1;
        }),
        PLACES,
    )
    .with_seed(11)
}

fn stranger(n: u32) -> IpAddr {
    address(n << 8)
}

fn other_key(n: u32) -> KeyId {
    KeyId(u128::from(n))
}

/// What one subject does: whether it is let through.
type Act<'a> = (&'static str, &'a dyn Fn(u32) -> bool);

#[test]
fn no_table_outgrows_its_places_and_newcomers_get_what_their_slot_has_left() {
    let limiter = small();
    let row = row(Method::Get, "/sapi/v1/account/status");
    let taken = |charge| matches!(charge, Some(Charge::Taken(_)));
    let acts: [Act<'_>; 7] = [
        ("addresses", &|n| arrive(&limiter, stranger(n), 2, TURN).is_ok()),
        ("connections", &|n| limiter.connect(stranger(n), TURN) && limiter.connect(stranger(n), TURN)),
        ("failed-verifications", &|n| {
            let fails = || limiter.set_aside(key(1), stranger(n), TURN).is_ok();
            fails() && fails()
        }),
        ("sapi-ip", &|n| taken(limiter.endpoint_of_address(row, stranger(n), 2, TURN))),
        ("sapi-uid", &|n| taken(limiter.endpoint_of_account(row, AccountId(n.into()), 2, 0, TURN).0)),
        ("keys", &|n| limiter.charge_key(other_key(n), 2, TURN).is_ok()),
        ("key-shares", &|n| limiter.charge_share(other_key(n), stranger(n), 2, TURN).is_ok()),
    ];
    for (name, act) in acts {
        let passed = (0..FLOOD).filter(|n| act(*n)).count();
        assert!((PLACES + SHARED / 2..=PLACES + SHARED).contains(&passed), "{name}: {passed} were let through");
        // Nobody is let through twice, and those with a place of their own have it still.
        assert!((0..FLOOD).all(|n| !act(n)), "{name}");
    }
    for table in limiter.figures(TURN).tables.iter().filter(|table| acts.iter().any(|(name, _)| *name == table.name)) {
        assert_eq!((table.kept, table.max), (PLACES, PLACES), "{}", table.name);
        assert!(table.crowded >= u64::from(FLOOD) - PLACES as u64, "{table:?}");
    }
}

#[test]
fn a_full_memory_of_homes_keeps_those_that_it_has() {
    let limiter = small();
    for n in 0..FLOOD {
        limiter.verified.note(key(1), stranger(n), TURN);
    }
    let table = limiter.figures(TURN).tables.into_iter().find(|table| table.name == "homes").expect("a table");
    assert_eq!((table.kept, table.crowded), (PLACES, u64::from(FLOOD) - PLACES as u64));
    let later = TURN.plus_millis(HOUR_MS);
    for n in 0..PLACES as u32 {
        let found = limiter.set_aside(key(1), stranger(n), later);
        assert_eq!(found, Ok(Verification::Remembered { stale: true }), "{n}");
    }
    // Who found no place is verified like any stranger.
    let newcomer = stranger(FLOOD - 1);
    let set_aside = Verification::SetAside { window: number(MINUTE, TURN) };
    assert_eq!(limiter.set_aside(key(1), newcomer, TURN), Ok(set_aside));
    // An hour without a call makes room.
    limiter.verified.note(key(1), newcomer, TURN.plus_millis(HOUR_MS + 1));
    let found = limiter.set_aside(key(1), newcomer, TURN.plus_millis(HOUR_MS + 1));
    assert_eq!(found, Ok(Verification::Remembered { stale: false }));
}

#[test]
fn a_full_table_of_bans_lifts_none_and_begins_none() {
    let limiter = Limiter { addresses: Addresses::new(COUNTERS_MAX), ..small() };
    for n in 0..FLOOD {
        assert!(arrive(&limiter, stranger(n), 3, TURN).is_err());
    }
    let banned = |now| (0..FLOOD).filter(|n| banned_until(&limiter, stranger(*n), now).is_some()).collect::<Vec<_>>();
    assert_eq!(banned(TURN), (0..PLACES as u32).collect::<Vec<_>>());
    let figures = limiter.figures(TURN);
    assert_eq!((figures.bans_running, figures.bans_begun), (PLACES, PLACES as u64));
    // Whoever is not banned for want of a place stays limited.
    assert_eq!(arrive(&limiter, stranger(FLOOD - 1), 3, TURN), Err(Exhausted::RequestWeight));
    // A day after their ends all are forgotten, and there is room again.
    let later = TURN.plus_millis(25 * HOUR_MS);
    assert!(arrive(&limiter, stranger(FLOOD - 1), 3, later).is_err());
    assert_eq!(banned(later), [FLOOD - 1]);
    assert_eq!(limiter.figures(later).bans_running, 1);
}

#[test]
fn threads_that_race_for_the_last_places_take_no_more_than_the_spare_ones() {
    for round in 0..50 {
        let limiter = small();
        race(8, |thread| {
            for n in 0..200 {
                let _ = arrive(&limiter, stranger(thread * 1000 + n), 1, TURN);
            }
        });
        let kept = own(&limiter);
        let most = PLACES + PLACES.div_ceil(PLACES_PER_SPARE);
        assert!((PLACES..=most).contains(&kept), "round {round}: {kept}");
    }
}

#[test]
fn failures_are_counted_for_operators() {
    let limiter = small();
    let from = address(1);
    let window = number(MINUTE, TURN);
    limiter.settle_verification(Verification::SetAside { window }, None, from, TURN, true);
    limiter.settle_verification(Verification::Remembered { stale: false }, None, from, TURN, true);
    limiter.settle_verification(Verification::SetAside { window }, Some(key(1)), from, TURN, false);
    limiter.settle_verification(Verification::None, None, from, TURN, true);
    assert_eq!(limiter.figures(TURN).failed_verifications, 2);
}

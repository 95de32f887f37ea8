//! What a limiter hands over to the one after it.

use super::*;

#[test]
fn what_is_held_goes_on_after_a_restart() {
    let changed = |policy: &mut Policy| {
        policy.request_weight_per_minute = 10;
        policy.failed_verifications_per_minute = 2;
    };
    let before = limiter(changed);
    let (used, banned) = (address(1), address(2));
    arrive(&before, used, 7, TURN).expect("room");
    for _ in 0..21 {
        let _ = arrive(&before, banned, 10, TURN);
    }
    for _ in 0..5 {
        let _ = arrive(&before, used, 4, TURN);
    }
    before.set_aside(key(1), used, TURN).expect("room");
    let held = before.export(TURN);

    let soon = TURN.plus_millis(3000);
    let after = limiter(changed);
    after.import(&held, soon);
    assert_eq!(after.export(soon), held);
    assert_eq!(banned_until(&after, banned, soon), Some(TURN.plus_millis(120_000)));
    assert_eq!(arrive(&after, used, 4, soon), Err(Exhausted::RequestWeight));
    (0..14).for_each(|_| assert!(arrive(&after, used, 4, soon).is_err()));
    assert!(banned_until(&after, used, soon).is_some(), "refusals before and after add up");
    assert!(after.set_aside(key(2), used, soon).is_ok());
    assert!(after.set_aside(key(3), used, soon).is_err());

    let late = TURN.plus_millis(300_000);
    let next = limiter(changed);
    next.import(&held, late);
    assert_eq!(next.export(late).addresses, [], "windows that are over are left behind");
    assert_eq!(arrive(&next, used, 10, late), Ok(10));
}

#[test]
fn budgets_and_homes_go_on_after_a_restart() {
    let changed = |policy: &mut Policy| {
        policy.sapi_ip_weight_per_minute = 10;
        policy.sapi_uid_weight_per_minute = 10;
        policy.key_weight_per_minute = 10;
        policy.key_share_percent = 1;
        policy.request_weight_per_minute = 1000;
        policy.connections_per_5m = 2;
        policy.failed_verifications_per_minute = 1;
    };
    let before = limiter(changed);
    let (from, account) = (address(1), AccountId(1));
    let (of_address, of_account) =
        (row(Method::Get, "/sapi/v1/account/status"), row(Method::Get, "/sapi/v1/margin/api-key-list"));
    let used = |limiter: &Limiter, now| {
        let taken = |charge| matches!(charge, Some(Charge::Full(_)));
        [
            taken(limiter.endpoint_of_address(of_address, from, 1, now)),
            taken(limiter.endpoint_of_account(of_account, account, 1, 0, now).0),
            limiter.charge_key(key(1), 1, now).is_err(),
            limiter.charge_share(key(2), from, 1, now).is_err(),
            !limiter.connect(from, now),
        ]
    };
    assert!(matches!(before.endpoint_of_address(of_address, from, 10, TURN), Some(Charge::Taken(10))));
    assert!(matches!(before.endpoint_of_account(of_account, account, 10, 0, TURN).0, Some(Charge::Taken(10))));
    assert!(before.charge_key(key(1), 10, TURN).is_ok() && before.charge_share(key(2), from, 10, TURN).is_ok());
    assert!(before.connect(from, TURN) && before.connect(from, TURN));
    before.verified.note(key(3), from, TURN);
    before.set_aside(key(4), from, TURN).expect("room");
    let held = before.export(TURN);

    let soon = TURN.plus_millis(3000);
    let after = limiter(changed);
    after.import(&held, soon);
    assert_eq!(after.export(soon), held);
    assert_eq!(used(&after, soon), [true; 5]);
    assert!(after.set_aside(key(5), from, soon).is_err(), "the failures of a minute");
    assert!(after.set_aside(key(3), from, soon).is_ok(), "a key that is at home there");

    let late = TURN.plus_millis(60_000);
    let next = limiter(changed);
    next.import(&held, late);
    assert_eq!(used(&next, late), [false, false, false, false, true], "five minutes are not over yet");
    let much_later = TURN.plus_millis(HOUR_MS + 1);
    let last = limiter(changed);
    last.import(&held, much_later);
    assert_eq!(last.export(much_later), Held::default());
    // A clock that was set back: a key is at home for an hour from now, and no longer.
    let earlier = TURN.plus_millis(-HOUR_MS);
    let back = limiter(changed);
    back.import(&held, earlier);
    assert_eq!(back.export(earlier).verified, [((key(3), from), earlier)]);
}

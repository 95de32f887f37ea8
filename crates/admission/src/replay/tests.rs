use std::sync::Barrier;

use latchkey_crypto::secret::SecretKey;
use latchkey_protocol::catalog::{Catalog, Found, Method};
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_230_000_000);

fn row(method: Method, path: &str) -> &'static Endpoint {
    match Catalog::builtin().find(method, path) {
        Found::Endpoint(row) => row,
        Found::OtherMethod | Found::Nothing => panic!("{path}"),
    }
}

fn order() -> &'static Endpoint {
    row(Method::Post, "/api/v3/order")
}

fn query() -> &'static Endpoint {
    row(Method::Get, "/api/v3/order")
}

fn cancel() -> &'static Endpoint {
    row(Method::Delete, "/api/v3/order")
}

fn at(row: &'static Endpoint) -> Place<'static> {
    Place { row, path: row.path }
}

fn share(max: usize) -> Share {
    Share::new(&Settings { share_max: max, since: Timestamp::EARLIEST, seed: 7 })
}

fn id(number: u32) -> SignatureId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    SignatureId::of_signature(&bytes)
}

/// One call as the line makes it: noted, looked at, and handed over.
fn call(
    share: &Share,
    id: SignatureId,
    row: &'static Endpoint,
    until: Timestamp,
    now: Timestamp,
) -> Result<(), Reason> {
    match share.note(id, at(row), until, row.changes_state, now) {
        Trace::None => Ok(()),
        Trace::Full if row.changes_state => Err(Reason::ReplayMemoryFull),
        Trace::Kept(mark) if row.changes_state => {
            let once = Once::new(mark);
            once.look().and_then(|()| once.take()).map_err(|spent| spent.reason(row))
        }
        Trace::Full | Trace::Kept(_) => Ok(()),
    }
}

#[test]
fn a_change_acts_once_and_a_read_as_often_as_asked() {
    let share = share(10);
    let until = NOW.plus_millis(5000);
    for _ in 0..3 {
        assert_eq!(call(&share, id(1), query(), until, NOW), Ok(()));
    }
    assert_eq!(call(&share, id(2), order(), until, NOW), Ok(()));
    assert_eq!(call(&share, id(2), order(), until, NOW), Err(Reason::SignatureUsed { order: true }));
    assert_eq!(call(&share, id(3), cancel(), until, NOW), Ok(()));
    assert_eq!(call(&share, id(3), cancel(), until, NOW), Err(Reason::SignatureUsed { order: false }));
    assert_eq!(call(&share, id(3), query(), until, NOW), Ok(()), "a read of a used signature");
}

#[test]
fn of_every_pair_of_routes_a_signature_is_good_for_the_one_that_it_was_first_seen_on() {
    let until = NOW.plus_millis(5000);
    let rows: Vec<_> = Catalog::rows().filter(|row| row.security.needs_key()).collect();
    let share = share(rows.len() * rows.len());
    for (a, first) in (0..).zip(&rows) {
        for (b, second) in (0..).zip(&rows) {
            let both = id(a * 1000 + b);
            assert_eq!(call(&share, both, first, until, NOW), Ok(()));
            let reason = match (a == b, second.changes_state) {
                (_, false) => continue,
                (true, true) => Reason::SignatureUsed { order: second.places_orders() },
                (false, true) => Reason::SignatureElsewhere { order: second.places_orders() },
            };
            assert_eq!(call(&share, both, second, until, NOW), Err(reason), "{first:?} then {second:?}");
        }
    }
}

#[test]
fn a_change_that_was_not_handed_over_may_come_again_unless_it_was_seen_elsewhere() {
    let share = share(10);
    let until = NOW.plus_millis(5000);
    for _ in 0..3 {
        assert!(matches!(share.note(id(1), at(order()), until, true, NOW), Trace::Kept(_)));
    }
    assert_eq!(call(&share, id(1), order(), until, NOW), Ok(()));
    assert!(matches!(share.note(id(2), at(order()), until, true, NOW), Trace::Kept(_)));
    assert_eq!(call(&share, id(2), query(), until, NOW), Ok(()));
    assert_eq!(call(&share, id(2), order(), until, NOW), Err(Reason::SignatureElsewhere { order: true }));
}

#[test]
fn a_path_with_an_id_is_a_route_of_its_own() {
    let share = share(10);
    let until = NOW.plus_millis(5000);
    let at = |path| Place { row: cancel(), path };
    let note = |path| match share.note(id(1), at(path), until, true, NOW) {
        Trace::Kept(mark) => Once::new(mark).look(),
        Trace::None | Trace::Full => panic!("not kept"),
    };
    assert_eq!((note("/orders/1"), note("/orders/1")), (Ok(()), Ok(())));
    assert_eq!(note("/orders/2"), Err(Spent::Elsewhere));
}

#[test]
fn of_64_at_once_one_acts() {
    for round in 0..20 {
        let share = share(10);
        let start = Barrier::new(64);
        let until = NOW.plus_millis(5000);
        let passed: usize = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..64)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        usize::from(call(&share, id(round), order(), until, NOW).is_ok())
                    })
                })
                .collect();
            runs.into_iter().map(|run| run.join().unwrap()).sum()
        });
        assert_eq!(passed, 1);
        assert_eq!(share.kept.load(Ordering::Relaxed), 1, "a place was lost");
    }
}

#[test]
fn a_full_share_refuses_changes_and_keeps_what_it_has() {
    let share = share(3);
    let until = |millis| NOW.plus_millis(millis);
    for n in 0..3 {
        assert_eq!(call(&share, id(n), order(), until(5000), NOW), Ok(()));
    }
    assert_eq!(call(&share, id(3), order(), until(5000), NOW), Err(Reason::ReplayMemoryFull));
    assert_eq!(call(&share, id(4), query(), until(6000), NOW), Ok(()), "a read passes");
    for n in 0..3 {
        assert_eq!(call(&share, id(n), order(), until(5000), NOW), Err(Reason::SignatureUsed { order: true }));
    }
    // There is room again, but what found none before is not known to be new.
    let later = until(5000).plus_micros(LINGER_US + 1);
    assert_eq!(call(&share, id(4), order(), until(6000), later), Err(Reason::ReplayMemoryFull));
    assert_eq!(call(&share, id(5), order(), until(6001), later), Ok(()));
    assert_eq!(share.kept.load(Ordering::Relaxed), 1);
}

#[test]
fn a_signature_is_kept_until_its_window_is_over_for_everyone() {
    let share = share(10);
    let until = NOW.plus_millis(5000);
    assert_eq!(call(&share, id(1), order(), until, NOW), Ok(()));
    let last = until.plus_micros(LINGER_US);
    share.sweep(last);
    assert_eq!(call(&share, id(1), order(), until, last), Err(Reason::SignatureUsed { order: true }));
    share.sweep(last.plus_micros(1));
    assert_eq!((share.kept.load(Ordering::Relaxed), share.marks.len()), (0, 0));
}

#[test]
fn a_signature_that_comes_with_two_windows_is_kept_for_the_longer_one() {
    for windows in [[5000, 9000], [9000, 5000]] {
        let share = share(10);
        let [first, second] = windows.map(|window| NOW.plus_millis(window));
        assert_eq!(call(&share, id(1), order(), first, NOW), Ok(()));
        let used = Err(Reason::SignatureUsed { order: true });
        assert_eq!(call(&share, id(1), order(), second, NOW), used);
        assert_eq!(call(&share, id(1), order(), second, NOW.plus_millis(8999)), used);
    }
}

#[test]
fn keys_share_a_memory_when_account_and_verifying_key_are_the_same() {
    let replay = Replay::new(Settings { share_max: 10, since: NOW, seed: 7 });
    let share = |account, letter| replay.share(AccountId(account), &hmac(letter));
    assert!(Arc::ptr_eq(&share(1, "a"), &share(1, "a")));
    assert!(!Arc::ptr_eq(&share(1, "a"), &share(1, "b")));
    assert!(!Arc::ptr_eq(&share(1, "a"), &share(2, "a")));
}

fn hmac(letter: &str) -> Verifier {
    Verifier::hmac(&SecretKey::parse(letter.repeat(64)).unwrap())
}

#[test]
fn a_share_is_let_go_when_its_keys_are_gone_and_nothing_in_it_counts() {
    let replay = Replay::new(Settings { share_max: 1, since: Timestamp::EARLIEST, seed: 7 });
    let until = NOW.plus_millis(5000);
    let held = replay.share(AccountId(1), &hmac("a"));
    for n in 0..100_u32 {
        drop(replay.share(AccountId(2 + i64::from(n)), &hmac("a")));
    }
    assert_eq!(replay.keys(), 101);
    replay.sweep(NOW);
    assert_eq!(replay.keys(), 1, "a key holds this one");
    assert_eq!(call(&held, id(1), order(), until, NOW), Ok(()));
    drop(held);
    // Its key is gone, and another one with the same secret comes: the signature was used all the same.
    let last = until.plus_micros(LINGER_US);
    replay.sweep(last);
    let again = replay.share(AccountId(1), &hmac("a"));
    assert_eq!(call(&again, id(1), order(), until, last), Err(Reason::SignatureUsed { order: true }));
    // So it is for what found no place, although nothing is kept any more.
    let longer = until.plus_millis(10_000);
    assert_eq!(call(&again, id(2), order(), longer, NOW), Err(Reason::ReplayMemoryFull));
    drop(again);
    replay.sweep(longer);
    let again = replay.share(AccountId(1), &hmac("a"));
    assert_eq!(call(&again, id(2), order(), longer, longer), Err(Reason::ReplayMemoryFull));
    drop(again);
    replay.sweep(longer.plus_micros(LINGER_US + 1));
    assert_eq!(replay.keys(), 0);
}

#[test]
fn who_takes_a_share_while_it_is_let_go_takes_the_same_as_everyone() {
    for _ in 0..500 {
        let replay = Replay::new(Settings { share_max: 10, since: Timestamp::EARLIEST, seed: 7 });
        drop(replay.share(AccountId(1), &hmac("a")));
        let (replay, start) = (&replay, &Barrier::new(5));
        let taken: Vec<_> = std::thread::scope(|scope| {
            scope.spawn(move || {
                start.wait();
                (0..20).for_each(|_| replay.sweep(NOW));
            });
            let takers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(move || {
                        start.wait();
                        replay.share(AccountId(1), &hmac("a"))
                    })
                })
                .collect();
            takers.into_iter().map(|taker| taker.join().unwrap()).collect()
        });
        assert!(taken.iter().all(|share| Arc::ptr_eq(share, &taken[0])), "two memories of one key");
    }
}

#[test]
fn a_sweep_looks_at_a_part_and_goes_on_with_the_next() {
    let replay = Replay::new(Settings { share_max: 10, since: Timestamp::EARLIEST, seed: 7 });
    let (until, more) = (NOW.plus_millis(5000), 100);
    for number in 0..SHARES_A_SWEEP + more {
        let share = replay.share(AccountId(number as i64), &hmac("a"));
        assert_eq!(call(&share, id(1), order(), until, NOW), Ok(()));
    }
    (0..2).for_each(|_| replay.sweep(NOW));
    assert_eq!(replay.kept(), SHARES_A_SWEEP + more, "nothing is over");
    let over = until.plus_micros(LINGER_US + 1);
    replay.sweep(over);
    assert_eq!((replay.kept(), replay.keys()), (more, more));
    replay.sweep(over);
    replay.sweep(over);
    assert_eq!((replay.kept(), replay.keys()), (0, 0));
}

#[test]
fn what_was_stamped_before_the_memory_begins_is_not_known() {
    let replay = Replay::new(Settings { share_max: 10, since: NOW, seed: 7 });
    assert!(replay.reaches(NOW));
    assert!(!replay.reaches(NOW.plus_micros(-1)));
}

#[test]
fn strict_covers_reads_and_off_covers_nothing() {
    for (rule, read, change) in
        [(ReplayRule::Off, false, false), (ReplayRule::StateChanging, false, true), (ReplayRule::All, true, true)]
    {
        assert_eq!((Replay::acts_once(rule, query()), Replay::acts_once(rule, order())), (read, change));
    }
}

/// The memory as it would be written down without a bound on time or space: every signature ever seen.
#[derive(Default)]
struct Obvious(std::collections::BTreeMap<u32, (Vec<&'static Endpoint>, bool)>);

impl Obvious {
    fn call(&mut self, number: u32, row: &'static Endpoint) -> Result<(), Reason> {
        let (seen, handed) = self.0.entry(number).or_default();
        let elsewhere = seen.iter().any(|other| !core::ptr::eq(*other, row));
        seen.push(row);
        let order = row.places_orders();
        match (row.changes_state, *handed, elsewhere) {
            (false, ..) => Ok(()),
            (true, _, true) => Err(Reason::SignatureElsewhere { order }),
            (true, true, false) => Err(Reason::SignatureUsed { order }),
            (true, false, false) => {
                *handed = true;
                Ok(())
            }
        }
    }
}

proptest! {
    /// Bounded memory decides as unbounded memory would, for as long as windows are open.
    #[test]
    fn the_memory_agrees_with_one_that_forgets_nothing(
        steps in proptest::collection::vec((0_u32..12, 0_usize..4, 0_i64..400), 1..200),
    ) {
        let share = share(1000);
        let mut obvious = Obvious::default();
        let rows = [order(), query(), cancel(), row(Method::Delete, "/api/v3/openOrders")];
        let mut now = NOW;
        for (number, at, pause) in steps {
            now = now.plus_millis(pause);
            // A signature's window is part of what it signs.
            let until = NOW.plus_millis(i64::from(number) * 1000 + 5000);
            if until < now {
                continue;
            }
            share.sweep(now);
            let (found, expected) = (call(&share, id(number), rows[at], until, now), obvious.call(number, rows[at]));
            // Both grounds may hold at once; which is named does not matter.
            prop_assert_eq!(found.is_ok(), expected.is_ok(), "{:?} {:?}", found, expected);
        }
    }
}

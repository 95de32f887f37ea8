//! Call records: kept, found, thinned, and never in the way.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use latchkey_admission::call::{FoundBy, RequestIds, Transport};
use latchkey_admission::ports::{CallLog, Clock, Recorder};
use latchkey_admission::records::{CallEntry, CallQuery, Cursor, EntryEnd};
use latchkey_admission::trail::{CallRecord, End, IpMatch, Used};
use latchkey_admission::{Reason, Rejection, Stage};
use latchkey_protocol::catalog::{Budget, Catalog, Endpoint};
use latchkey_protocol::{AccountId, KeyId, Timestamp};
use latchkey_store::records::{Class, Keep, RecordSettings, Records, Shares};

/// A clock that stands still until it is moved.
#[derive(Default)]
struct Hands(AtomicI64);

impl Hands {
    fn at(seconds: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(seconds * 1_000_000)))
    }

    fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

const ALICE: AccountId = AccountId(1);
const BOB: AccountId = AccountId(2);

fn row(path: &str) -> &'static Endpoint {
    Catalog::rows().find(|row| row.path == path).unwrap()
}

struct Calls {
    ids: RequestIds,
    clock: Arc<Hands>,
    records: Records,
}

impl Calls {
    fn open(folder: &Path, clock: &Arc<Hands>, change: impl FnOnce(&mut RecordSettings)) -> Self {
        let mut settings = RecordSettings::new(folder);
        change(&mut settings);
        let records = Records::open(settings, Arc::clone(clock) as _).unwrap();
        Self { ids: RequestIds::new(clock.now().as_micros() as u64), clock: Arc::clone(clock), records }
    }

    /// A proven call of `account` with key number `key`, answered.
    fn proven(&self, account: AccountId, key: u128) -> CallRecord {
        CallRecord {
            id: self.ids.next(),
            transport: Transport::Rest,
            arrived: self.clock.now(),
            took_us: 12,
            peer: "192.0.2.7".parse().unwrap(),
            found_by: FoundBy::Socket,
            ip: Some(IpMatch::NoEntry),
            row: Some(row("/api/v3/account")),
            api_key: None,
            key: Some((account, KeyId(key))),
            proven: true,
            clock_us: Some(-3000),
            used: None,
            payload: None,
            end: End::Answered,
        }
    }

    fn forged(&self, account: AccountId, key: u128) -> CallRecord {
        let end = End::Rejected(Rejection::new(Stage::Signature, Reason::SignatureWrong));
        CallRecord { proven: false, payload: Some("symbol=BTCUSDT".into()), end, ..self.proven(account, key) }
    }

    fn all(&self, query: CallQuery) -> Vec<CallEntry> {
        let mut query = query;
        let mut all = Vec::new();
        loop {
            let page = self.records.find(&query).unwrap();
            assert!(page.entries.len() <= query.limit);
            all.extend(page.entries);
            match page.next {
                None => return all,
                next => query.before = next,
            }
        }
    }
}

fn small(settings: &mut RecordSettings) {
    settings.segment_bytes = 2000;
}

#[test]
fn an_owner_finds_own_calls_newest_first_and_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hands::at(1_000_000);
    let calls = Calls::open(folder.path(), &clock, small);
    let mut written = Vec::new();
    for n in 0..300 {
        let record = calls.proven(if n % 3 == 0 { BOB } else { ALICE }, n % 5);
        if n % 3 != 0 {
            written.push((record.id, record.key.unwrap().1));
        }
        calls.records.record(record);
        clock.forward(1);
        if n % 10 == 0 {
            calls.records.flush();
        }
    }
    calls.records.flush();
    written.reverse();
    let mut query = CallQuery::of(ALICE);
    query.limit = 7;
    let found = calls.all(query.clone());
    assert_eq!(found.iter().map(|entry| (entry.id, entry.key)).collect::<Vec<_>>(), written);
    assert!(std::fs::read_dir(folder.path().join("proven")).unwrap().count() > 3, "several archives were written");

    query.key = Some(KeyId(2));
    let of_key = calls.all(query.clone());
    assert!(!of_key.is_empty() && of_key.iter().all(|entry| entry.key == KeyId(2)));
    query.key = None;
    let (from, until) = (Timestamp::from_micros(1_000_050_000_000), Timestamp::from_micros(1_000_060_000_000));
    (query.from, query.until) = (Some(from), Some(until));
    let within = calls.all(query.clone());
    assert!(within.len() >= 6 && within.iter().all(|entry| from <= entry.at && entry.at < until));
    query = CallQuery::of(ALICE);
    query.path = Some("/api/v3/order".into());
    assert_eq!(calls.all(query.clone()), []);
    query.path = Some("/api/v3/account".into());
    query.outcome = Some("answered".into());
    query.source = Some("192.0.2.7".parse().unwrap());
    assert_eq!(calls.all(query.clone()).len(), 200);
    query.source = Some("192.0.2.8".parse().unwrap());
    assert_eq!(calls.all(query).len(), 0);
    let mut one = CallQuery::of(ALICE);
    one.id = Some(written[17].0);
    assert_eq!(calls.all(one.clone()).len(), 1);
    one.account = BOB;
    assert_eq!(calls.all(one).len(), 0, "an id alone opens nothing");
}

#[test]
fn records_survive_the_end_of_the_process_and_a_torn_end_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hands::at(1_000_000);
    for run in 1..=3 {
        let calls = Calls::open(folder.path(), &clock, small);
        for _ in 0..50 {
            calls.records.record(calls.proven(ALICE, 1));
            clock.forward(1);
        }
        drop(calls);
        let open = folder.path().join("proven/open-00000000000000000001.records");
        let mut segments: Vec<_> = std::fs::read_dir(&open).unwrap().map(|entry| entry.unwrap().path()).collect();
        segments.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
        segments.sort();
        let last = segments.last().unwrap();
        let mut bytes = std::fs::read(last).unwrap();
        bytes.extend_from_slice(b"half a record");
        std::fs::write(last, bytes).unwrap();
        let calls = Calls::open(folder.path(), &clock, small);
        assert_eq!(calls.all(CallQuery::of(ALICE)).len(), run * 50);
    }
}

#[test]
fn a_damaged_archive_is_set_aside_and_the_rest_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hands::at(1_000_000);
    let calls = Calls::open(folder.path(), &clock, small);
    for n in 0..200 {
        calls.records.record(calls.proven(ALICE, 1));
        if n % 10 == 0 {
            calls.records.flush();
        }
    }
    drop(calls);
    let damaged = folder.path().join("proven/calls-00000000000000000001.lkc");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    let calls = Calls::open(folder.path(), &clock, small);
    let found = calls.all(CallQuery::of(ALICE)).len();
    assert!((100..200).contains(&found), "{found}");
    assert!(!damaged.exists());
}

#[test]
fn a_search_reads_no_archive_that_cannot_hold_what_it_looks_for() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hands::at(1_000_000);
    let calls = Calls::open(folder.path(), &clock, small);
    let mut first = None;
    for n in 0..200 {
        let record = calls.proven(ALICE, 1);
        first.get_or_insert(record.id);
        calls.records.record(record);
        if n % 10 == 0 {
            calls.records.flush();
        }
    }
    calls.records.flush();
    // What lies in the blocks of an open store is damaged: a search that reads there fails.
    for entry in std::fs::read_dir(folder.path().join("proven")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "lkc") {
            let mut bytes = std::fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let find = |account, id| calls.records.find(&CallQuery { id, ..CallQuery::of(account) });
    assert!(find(ALICE, first).is_err(), "an archive that holds it was read");
    assert_eq!(find(ALICE, Some(RequestIds::new(99).next())).unwrap().entries, [], "an id of no run");
    assert_eq!(find(BOB, None).unwrap().entries, [], "an account without calls");
}

#[test]
fn unproven_calls_have_a_budget_and_never_displace_proven_ones() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hands::at(1_000_020);
    let calls = Calls::open(folder.path(), &clock, |settings| {
        settings.unproven_per_key = 3;
        settings.unproven = Keep { age: Duration::from_secs(3600), bytes: 20_000 };
        settings.segment_bytes = 500;
    });
    calls.records.record(calls.proven(ALICE, 1));
    for _ in 0..100 {
        calls.records.record(calls.forged(ALICE, 1));
    }
    calls.records.record(calls.forged(ALICE, 2));
    calls.records.flush();
    let count = |key| {
        let mut query = CallQuery::of(ALICE);
        query.outcome = Some("signature-wrong".into());
        query.key = Some(KeyId(key));
        calls.all(query).iter().map(|entry| entry.count).collect::<Vec<_>>()
    };
    assert_eq!((count(1), count(2)), (vec![1; 6], vec![1]), "three of one reason from one network, and three more");
    clock.forward(60);
    calls.records.flush();
    assert_eq!(count(1), vec![94, 1, 1, 1, 1, 1, 1], "those beyond the budget are told together");
    for _ in 0..200 {
        calls.records.record(calls.forged(ALICE, 3));
        calls.records.flush();
        clock.forward(61);
    }
    assert_eq!(
        calls.all(CallQuery { key: Some(KeyId(1)), ..CallQuery::of(ALICE) }).last().unwrap().end,
        EntryEnd::Answered
    );
}

#[test]
fn an_owner_reads_the_own_failure_in_spite_of_a_strangers_flood() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hands::at(1_000_020);
    let calls = Calls::open(folder.path(), &clock, |_| {});
    // More than there is memory for payloads, from as many networks of one site as there are minutes.
    for minute in 0..60_u128 {
        let peer = IpAddr::V6((0x2001_0db8 << 96 | minute << 64 | 1).into());
        for key in 1..100 {
            calls.records.record(CallRecord { peer, ..calls.forged(ALICE, key % 5) });
        }
        calls.records.flush();
        if minute == 5 {
            clock.forward(1);
            let own = calls.forged(ALICE, 1);
            let id = own.id;
            calls.records.record(own);
            calls.records.flush();
            let found = calls.all(CallQuery { id: Some(id), ..CallQuery::of(ALICE) });
            assert_eq!(found.len(), 1, "it is recorded one by one");
        }
        clock.forward(60);
    }
    let found = calls.all(CallQuery { source: "192.0.2.7".parse().ok(), ..CallQuery::of(ALICE) });
    let [own] = found.as_slice() else { panic!("{found:?}") };
    let EntryEnd::Rejected(refusal) = &own.end else { panic!("{own:?}") };
    assert_eq!((own.count, &*refusal.reason), (1, "signature-wrong"));
    assert_eq!(refusal.payload.as_deref(), Some("symbol=BTCUSDT"), "others lose theirs first");
}

#[test]
fn the_payload_of_a_refused_signature_is_told_for_a_day_and_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hands::at(1_000_000);
    let calls = Calls::open(folder.path(), &clock, small);
    calls.records.record(calls.forged(ALICE, 1));
    calls.records.flush();
    let payload = || match &calls.all(CallQuery::of(ALICE))[0].end {
        EntryEnd::Rejected(refusal) => refusal.payload.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(payload().as_deref(), Some("symbol=BTCUSDT"));
    clock.forward(24 * 3600 + 1);
    assert_eq!(payload(), None);
    let mut folders = vec![folder.path().to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                assert!(!bytes.windows(14).any(|window| window == b"symbol=BTCUSDT"), "{}", path.display());
            }
        }
    }
}

#[test]
fn old_archives_are_removed_by_age_and_by_size() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hands::at(1_000_000);
    let calls = Calls::open(folder.path(), &clock, |settings| {
        settings.segment_bytes = 1000;
        settings.proven = Keep { age: Duration::from_secs(600), bytes: 1 << 30 };
    });
    for _ in 0..100 {
        for _ in 0..10 {
            calls.records.record(calls.proven(ALICE, 1));
        }
        calls.records.flush();
        clock.forward(30);
    }
    calls.records.flush();
    let found = calls.all(CallQuery::of(ALICE));
    let oldest = found.last().unwrap().at;
    let age = clock.now().micros_since(oldest) / 1_000_000;
    assert!((600..900).contains(&age), "{age} s");
}

#[test]
fn a_full_queue_drops_what_matters_least_and_counts_it() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hands::at(1_000_000);
    let dropped = |shares: Shares| {
        let calls = Calls::open(&folder.path().join(format!("{shares:?}")), &clock, |settings| {
            (settings.queue, settings.shares) = (1, shares);
        });
        calls.records.record(calls.forged(ALICE, 1));
        calls.records.flush();
        calls.records.record(calls.proven(ALICE, 1));
        calls.records.flush();
        calls.records.record(CallRecord { row: Some(order()), ..calls.proven(ALICE, 1) });
        calls.records.flush();
        Class::ALL.map(|class| calls.records.counts().dropped(class))
    };
    // Of a queue of one, every share below the whole is nothing.
    assert_eq!(dropped(Shares { changes: 100, reads: 75, unproven: 50 }), [1, 1, 0]);
    assert_eq!(dropped(Shares { changes: 100, reads: 100, unproven: 50 }), [1, 0, 0]);
    assert_eq!(dropped(Shares { changes: 100, reads: 100, unproven: 100 }), [0, 0, 0]);
    assert_eq!(dropped(Shares { changes: 99, reads: 75, unproven: 50 }), [1, 1, 1]);
}

#[test]
fn a_queue_that_fills_up_wakes_the_writer_before_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let calls = Calls::open(folder.path(), &Hands::at(1_000_000), |settings| {
        settings.queue = 64;
        settings.flush_every = Duration::from_secs(3600);
    });
    // Thousands of records are written whatever the interval; that many never come to a writer who sleeps.
    while calls.records.counts().kept.load(Ordering::Relaxed) == 0 {
        calls.records.record(calls.proven(ALICE, 1));
        std::thread::yield_now();
    }
}

fn order() -> &'static Endpoint {
    Catalog::rows().find(|row| row.path == "/api/v3/order" && row.changes_state).unwrap()
}

#[test]
fn a_record_tells_what_was_used_and_allowed_and_which_entry_covered_the_caller() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hands::at(1_000_000);
    let calls = Calls::open(folder.path(), &clock, small);
    let used = Used { budget: Budget::Ip, weight: 20, used: 40, limit: 1200, window: 1 };
    calls.records.record(CallRecord { used: Some(used), ..calls.proven(ALICE, 1) });
    calls.records.flush();
    let found = calls.all(CallQuery::of(ALICE)).remove(0);
    assert_eq!(found.ip_entry.as_deref(), Some("none"));
    let used = found.used.unwrap();
    assert_eq!((&*used.budget, used.weight, used.used, used.allowed), ("ip", 20, 40, Some(1200)));
}

/// Copies a folder of the test data, so that it can be written to.
fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = (entry.as_ref().unwrap().path(), entry.as_ref().unwrap().file_name());
        if path.is_dir() {
            copied(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn format_1_is_read_and_a_newer_one_is_refused() {
    let first = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/calls-format-1");
    let folder = tempfile::tempdir().unwrap();
    copied(&first, folder.path());
    let clock = Hands::at(1_700_001_000);
    for run in 0..2 {
        let calls = Calls::open(folder.path(), &clock, small);
        let found = calls.all(CallQuery::of(ALICE));
        assert_eq!(found.len(), 21 + run, "two archives and two journals");
        let old = found.last().unwrap();
        assert_eq!(
            (old.at, &*old.path, old.proven),
            (Timestamp::from_micros(1_700_000_000_000_000), "/api/v3/account", true)
        );
        let used = old.used.as_ref().unwrap();
        assert_eq!((used.weight, used.used, used.allowed, &old.ip_entry), (20, 20, None, &None));
        assert_eq!(found[run].end.name(), "rejected");
        assert!(!folder.path().join("proven/open-00000000000000000001.journal").exists());
        calls.records.record(calls.proven(ALICE, 1));
    }
    let archive = folder.path().join("proven/calls-00000000000000000001.lkc");
    let mut bytes = std::fs::read(&archive).unwrap();
    bytes[4] = 3;
    std::fs::write(&archive, bytes).unwrap();
    let refused = Records::open(RecordSettings::new(folder.path()), clock).map(drop).unwrap_err().to_string();
    assert!(refused.contains("calls-00000000000000000001.lkc") && refused.contains("format 3"), "{refused}");
}

#[test]
fn files_that_cannot_be_written_are_told_and_used_again_when_they_can() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hands::at(1_000_000);
    let calls = Calls::open(folder.path(), &clock, small);
    let proven = folder.path().join("proven");
    std::fs::remove_dir_all(&proven).unwrap();
    std::fs::write(&proven, b"in the way").unwrap();
    calls.records.record(calls.proven(ALICE, 1));
    calls.records.flush();
    assert_eq!(calls.records.counts().failed.load(Ordering::Relaxed), 1);
    std::fs::remove_file(&proven).unwrap();
    std::fs::create_dir(&proven).unwrap();
    assert!(calls.records.counts().failing.load(Ordering::Relaxed));
    // The first flush opens the files again, the second writes to them.
    calls.records.flush();
    calls.records.record(calls.proven(ALICE, 1));
    calls.records.flush();
    assert_eq!(calls.all(CallQuery::of(ALICE)).len(), 1);
    assert!(!calls.records.counts().failing.load(Ordering::Relaxed));
}

#[test]
fn a_cursor_reads_back() {
    let clock = Hands::at(5);
    let ids = RequestIds::new(u64::MAX - 7);
    let cursor = Cursor { at: clock.now(), id: ids.next() };
    assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
    for bad in ["", "5", "5.", "x.00000000-0000-0000-0000-000000000000", "5.00000000-0000-0000-0000-00000000000g"] {
        assert_eq!(Cursor::parse(bad), None, "{bad}");
    }
}

/// A clock that fails its caller: the thread that writes, once that is asked for.
struct Failing(AtomicI64);

impl Clock for Failing {
    fn now(&self) -> Timestamp {
        let is_writer = std::thread::current().name() == Some("call-records");
        assert!(!(is_writer && self.0.load(Ordering::SeqCst) > 0), "the writer fails");
        Timestamp::from_millis(1_784_641_620_000)
    }
}

#[test]
fn records_that_a_failed_writer_does_not_take_are_lost_and_not_dropped() {
    let scratch = tempfile::tempdir().unwrap();
    let clock = Arc::new(Failing(AtomicI64::new(0)));
    let records = Records::open(RecordSettings::new(scratch.path()), Arc::clone(&clock) as _).unwrap();
    let other = tempfile::tempdir().unwrap();
    let calls = Calls::open(other.path(), &Hands::at(1_784_641_620), |_| {});
    records.record(calls.proven(ALICE, 1));
    records.flush();
    clock.0.store(1, Ordering::SeqCst);
    records.record(calls.proven(ALICE, 1));
    records.flush();
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::SeqCst);
    while count(&records.counts().writer_failed) == 0 {
        std::thread::yield_now();
    }
    for _ in 0..10 {
        records.record(calls.proven(ALICE, 1));
    }
    let counts = records.counts();
    assert_eq!((count(&counts.kept), Class::ALL.map(|class| counts.dropped(class))), (1, [0; 3]));
    assert!(count(&counts.failed) >= 10);
}

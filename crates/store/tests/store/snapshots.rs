use std::fs;
use std::path::Path;

use latchkey_exchange::ports::{Journal as _, JournalError};
use latchkey_exchange::{Command, Core, MarketSettings, Sequencer};
use latchkey_store::segments::{Durability, SegmentSettings, Segments};
use latchkey_store::snapshots::{Snapshot, SnapshotError, Snapshots};

use crate::records::NOW;

const SMALL: SegmentSettings = SegmentSettings { durability: Durability::Buffered, segment_bytes: 400 };

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("snapshot"));
    names.sort();
    names
}

#[test]
fn the_newest_whole_snapshot_is_taken_and_two_are_kept() {
    let scratch = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(scratch.path());
    assert_eq!(snapshots.newest(u64::MAX).unwrap(), None);
    assert_eq!(snapshots.save(5, b"five").unwrap(), 0);
    assert_eq!(snapshots.save(9, b"nine").unwrap(), 5);
    assert_eq!(snapshots.save(12, b"").unwrap(), 9);
    assert_eq!(names(scratch.path()).len(), 2);
    let newest = |last| snapshots.newest(last).unwrap();
    assert_eq!(newest(12), Some(Snapshot { sequence: 12, state: Vec::new() }));
    assert_eq!(newest(11), Some(Snapshot { sequence: 9, state: b"nine".to_vec() }), "one ahead of the log is no use");
    assert_eq!(newest(8), None);
}

#[test]
fn a_damaged_snapshot_is_passed_over_and_a_newer_one_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(scratch.path());
    snapshots.save(1, b"one").unwrap();
    snapshots.save(2, b"two").unwrap();
    let path = scratch.path().join(&names(scratch.path())[1]);
    let bytes = fs::read(&path).unwrap();
    for bit in (0..bytes.len() * 8).filter(|bit| !(32..48).contains(bit)) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, flipped).unwrap();
        assert_eq!(snapshots.newest(9).unwrap().unwrap().sequence, 1, "bit {bit}");
    }
    for end in 0..bytes.len() {
        fs::write(&path, &bytes[..end]).unwrap();
        assert_eq!(snapshots.newest(9).unwrap().unwrap().state, b"one", "cut at {end}");
    }
    let mut newer = bytes;
    newer[4] = 3;
    fs::write(&path, newer).unwrap();
    assert!(matches!(snapshots.newest(9), Err(SnapshotError::Newer { found: 3, .. })));
}

#[test]
fn an_exchange_resumes_from_a_snapshot_without_the_segments_that_it_covers() {
    let scratch = tempfile::tempdir().unwrap();
    let mut journal = Segments::open(scratch.path(), SMALL).unwrap();
    let snapshots = Snapshots::new(journal.folder());
    let mut sequencer = Sequencer::open(MarketSettings::builtin(3), &mut journal).unwrap();
    let mut covered = 0;
    for tick in 1..=100_i64 {
        sequencer.submit((), NOW.plus_millis(tick * 100), &Command::Tick, &mut journal).unwrap();
        sequencer.commit(&mut journal).unwrap();
        if tick % 20 == 0 && tick < 100 {
            let before = journal.segment_count();
            covered = snapshots.save(sequencer.last_sequence(), &sequencer.core().snapshot()).unwrap();
            journal.drop_through(covered).unwrap();
            assert!(tick == 20 || journal.segment_count() < before);
        }
    }
    let (hash, last) = (sequencer.core().state_hash(), sequencer.last_sequence());
    drop((sequencer, journal));

    let mut journal = Segments::open(scratch.path(), SMALL).unwrap();
    let error = Sequencer::<()>::open(MarketSettings::builtin(3), &mut journal).unwrap_err();
    assert!(matches!(error, JournalError::Gap { expected: 1, .. }), "the start of the log is gone: {error}");
    // Both snapshots lead to the same end, so the older one stands in when the newer is lost.
    for ceiling in [last, last - 21] {
        let snapshot = snapshots.newest(ceiling).unwrap().unwrap();
        assert!(snapshot.sequence >= covered);
        let core = Core::restore(&snapshot.state).unwrap();
        let resumed = Sequencer::<()>::resume(core, snapshot.sequence, &mut journal).unwrap();
        assert_eq!((resumed.core().state_hash(), resumed.last_sequence()), (hash, last));
    }
    journal.append(last + 1, b"next").unwrap();
}

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use latchkey_exchange::ports::{Journal as _, JournalError};
use latchkey_exchange::{Command, MarketSettings, Sequencer};
use latchkey_store::segments::{Durability, RECORD_MAX, SegmentError, SegmentSettings, Segments};

use crate::records::NOW;

const BUFFERED: SegmentSettings = SegmentSettings { durability: Durability::Buffered, segment_bytes: 64 << 20 };
const SMALL: SegmentSettings = SegmentSettings { durability: Durability::Durable, segment_bytes: 300 };

/// A record whose bytes, none of them zero, and length follow from its number.
fn record(sequence: u64) -> Vec<u8> {
    let length = (sequence * 7 % 41) as usize;
    sequence.to_le_bytes().iter().map(|byte| byte ^ 0x5a).cycle().take(length).collect()
}

fn append(journal: &mut Segments, sequences: impl IntoIterator<Item = u64>) {
    for sequence in sequences {
        journal.append(sequence, &record(sequence)).unwrap();
    }
    journal.commit().unwrap();
}

/// Reads from `first` on, checks every record, and returns the number of the last one.
fn read(journal: &mut Segments, first: u64) -> Result<u64, JournalError> {
    let mut expected = first;
    journal.read_from(first, &mut |sequence, bytes| {
        assert_eq!((sequence, bytes), (expected, record(expected).as_slice()));
        expected += 1;
        Ok(())
    })?;
    Ok(expected - 1)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    files.sort();
    files
}

fn cause(error: JournalError) -> String {
    match error {
        JournalError::Storage(source) => source.to_string(),
        other => other.to_string(),
    }
}

#[test]
fn what_was_appended_is_read_back_over_many_segments() {
    let scratch = tempfile::tempdir().unwrap();
    let mut next = 1;
    for round in 1..=12_u64 {
        let mut journal = Segments::open(scratch.path(), SMALL).unwrap();
        assert_eq!(journal.last_sequence(), next - 1);
        append(&mut journal, next..next + round);
        append(&mut journal, [next + round]);
        next += round + 1;
        assert_eq!(read(&mut journal, 1).unwrap(), next - 1);
    }
    let mut journal = Segments::open(scratch.path(), SMALL).unwrap();
    assert!(journal.segment_count() > 5);
    for first in 1..=next {
        assert_eq!(read(&mut journal, first).unwrap(), next - 1, "from {first}");
    }
}

#[test]
fn records_are_not_read_before_their_commit() {
    let scratch = tempfile::tempdir().unwrap();
    let mut journal = Segments::open(scratch.path(), BUFFERED).unwrap();
    append(&mut journal, [1]);
    journal.append(2, &record(2)).unwrap();
    assert_eq!((read(&mut journal, 1).unwrap(), journal.last_sequence()), (1, 1));
    drop(journal);
    assert_eq!(Segments::open(scratch.path(), BUFFERED).unwrap().last_sequence(), 1);
}

#[test]
fn a_torn_batch_is_cut_wherever_it_was_torn() {
    let scratch = tempfile::tempdir().unwrap();
    let mut journal = Segments::open(scratch.path(), BUFFERED).unwrap();
    append(&mut journal, 1..=3);
    let [path] = files(scratch.path()).try_into().unwrap();
    let whole = fs::metadata(&path).unwrap().len() as usize;
    append(&mut journal, [4]);
    let after_first = fs::metadata(&path).unwrap().len() as usize;
    drop(journal);
    let bytes = fs::read(&path).unwrap();
    assert!(after_first - whole > 16);
    for end in whole..after_first {
        // Cut short, and as long as it should be but without its last bytes, as a lost page leaves it.
        let cut = bytes[..end].to_vec();
        let mut blank = cut.clone();
        blank.resize(bytes.len() + 40, 0);
        for torn in [cut, blank] {
            fs::write(&path, &torn).unwrap();
            let mut journal = Segments::open(scratch.path(), BUFFERED).unwrap();
            assert_eq!((journal.last_sequence(), read(&mut journal, 1).unwrap()), (3, 3), "torn at {end}");
            assert_eq!(fs::metadata(&path).unwrap().len() as usize, whole);
            append(&mut journal, [4, 5]);
            drop(journal);
            assert_eq!(read(&mut Segments::open(scratch.path(), BUFFERED).unwrap(), 1).unwrap(), 5);
        }
    }
}

#[test]
fn a_batch_of_several_records_is_cut_at_its_first_unreadable_one() {
    let scratch = tempfile::tempdir().unwrap();
    let mut journal = Segments::open(scratch.path(), BUFFERED).unwrap();
    append(&mut journal, [1]);
    append(&mut journal, 2..=9);
    drop(journal);
    let [path] = files(scratch.path()).try_into().unwrap();
    let bytes = fs::read(&path).unwrap();
    let mut lasts = Vec::new();
    for end in (20..bytes.len()).rev() {
        fs::write(&path, &bytes[..end]).unwrap();
        lasts.push(Segments::open(scratch.path(), BUFFERED).unwrap().last_sequence());
    }
    assert!(lasts.is_sorted_by(|a, b| a >= b), "{lasts:?}");
    lasts.dedup();
    assert_eq!(lasts, [8, 7, 6, 5, 4, 3, 2, 1, 0]);
}

#[test]
fn a_flipped_bit_before_the_last_batch_is_an_error_that_names_the_place() {
    let scratch = tempfile::tempdir().unwrap();
    let mut journal = Segments::open(scratch.path(), BUFFERED).unwrap();
    append(&mut journal, 1..=3);
    append(&mut journal, [4]);
    let [path] = files(scratch.path()).try_into().unwrap();
    let durable = fs::metadata(&path).unwrap().len() as usize;
    append(&mut journal, [5]);
    drop(journal);
    let bytes = fs::read(&path).unwrap();
    let mut places = Vec::new();
    for bit in 0..durable * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).unwrap();
        match Segments::open(scratch.path(), BUFFERED) {
            Err(SegmentError::Damaged { path: named, offset, .. }) => {
                assert_eq!(named, path);
                assert!(offset as usize <= bit / 8, "{offset} for bit {bit}");
                places.push(offset);
            }
            Err(SegmentError::Newer { .. }) => assert!((4 * 8..6 * 8).contains(&bit)),
            other => panic!("bit {bit}: {other:?}"),
        }
        assert_eq!(fs::read(&path).unwrap(), flipped, "nothing is repaired");
    }
    places.dedup();
    assert_eq!(places.len(), 5, "the header and four records: {places:?}");
}

#[test]
fn a_flipped_bit_in_an_earlier_segment_is_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let mut journal = Segments::open(scratch.path(), SMALL).unwrap();
    for sequence in 1..=40 {
        append(&mut journal, [sequence]);
    }
    drop(journal);
    let first = files(scratch.path()).remove(0);
    let bytes = fs::read(&first).unwrap();
    for bit in (0..bytes.len() * 8).step_by(3) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&first, &flipped).unwrap();
        let error = match Segments::open(scratch.path(), SMALL) {
            Ok(mut journal) => cause(read(&mut journal, 1).unwrap_err()),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(&*first.to_string_lossy()), "{error}");
        assert!(error.contains("damaged at byte") || error.contains("newer"), "{error}");
    }
    // Even a clean cut there is one, though every record that is left is whole.
    fs::write(&first, &bytes[..20]).unwrap();
    let error = read(&mut Segments::open(scratch.path(), SMALL).unwrap(), 1).unwrap_err();
    assert!(matches!(error, JournalError::Gap { expected: 1, .. }), "{error}");
}

#[test]
fn a_missing_segment_is_a_gap() {
    let scratch = tempfile::tempdir().unwrap();
    let mut journal = Segments::open(scratch.path(), SMALL).unwrap();
    for sequence in 1..=40 {
        append(&mut journal, [sequence]);
    }
    drop(journal);
    fs::remove_file(&files(scratch.path())[1]).unwrap();
    let error = read(&mut Segments::open(scratch.path(), SMALL).unwrap(), 1).unwrap_err();
    assert!(matches!(error, JournalError::Gap { .. }), "{error}");
}

#[test]
fn dropped_are_exactly_the_segments_that_are_covered() {
    let scratch = tempfile::tempdir().unwrap();
    let mut journal = Segments::open(scratch.path(), SMALL).unwrap();
    for sequence in 1..=40 {
        append(&mut journal, [sequence]);
    }
    let firsts: Vec<u64> = files(scratch.path())
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().strip_prefix("journal-").unwrap().parse().unwrap())
        .collect();
    assert!(firsts.len() > 4);
    for sequence in 0..60 {
        journal.drop_through(sequence).unwrap();
        let kept = firsts.iter().skip(1).filter(|first| **first > sequence + 1).count() + 1;
        assert_eq!((journal.segment_count(), files(scratch.path()).len()), (kept, kept), "through {sequence}");
        assert_eq!(read(&mut journal, sequence + 1).unwrap(), sequence.max(40), "after {sequence}");
    }
    append(&mut journal, [41]);
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let scratch = tempfile::tempdir().unwrap();
    append(&mut Segments::open(scratch.path(), BUFFERED).unwrap(), [1]);
    let [path] = files(scratch.path()).try_into().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[4] = 2;
    fs::write(&path, bytes).unwrap();
    let error = Segments::open(scratch.path(), BUFFERED).unwrap_err();
    assert!(matches!(error, SegmentError::Newer { found: 2, .. }));
    assert!(error.to_string().contains("format 2, newer than format 1"), "{error}");
}

#[test]
fn numbers_rise_by_one_and_records_are_bounded() {
    let scratch = tempfile::tempdir().unwrap();
    let mut journal = Segments::open(scratch.path(), BUFFERED).unwrap();
    assert!(matches!(journal.append(2, b""), Err(JournalError::Gap { expected: 1, found: 2 })));
    assert!(matches!(journal.append(1, &vec![0; RECORD_MAX + 1]), Err(JournalError::Storage(_))));
    append(&mut journal, [1]);
    assert!(matches!(journal.append(1, b""), Err(JournalError::Gap { expected: 2, found: 1 })));
}

#[test]
fn a_folder_has_one_journal_at_a_time_and_its_files_are_private() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("journal");
    let mut journal = Segments::open(&folder, BUFFERED).unwrap();
    append(&mut journal, [1]);
    let error = Segments::open(&folder, BUFFERED).unwrap_err();
    assert!(error.to_string().contains("another server"), "{error}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn an_exchange_comes_back_as_it_was() {
    let scratch = tempfile::tempdir().unwrap();
    let mut journal = Segments::open(scratch.path(), SMALL).unwrap();
    let mut sequencer = Sequencer::open(MarketSettings::builtin(1), &mut journal).unwrap();
    for tick in 1..=50_i64 {
        sequencer.submit((), NOW.plus_millis(tick * 100), &Command::Tick, &mut journal).unwrap();
        if tick % 3 == 0 {
            sequencer.commit(&mut journal).unwrap().for_each(|answer| assert!(answer.outcome.is_ok()));
        }
    }
    sequencer.commit(&mut journal).unwrap();
    let (hash, last) = (sequencer.core().state_hash(), sequencer.last_sequence());
    drop((sequencer, journal));
    let mut journal = Segments::open(scratch.path(), SMALL).unwrap();
    let replayed = Sequencer::<()>::open(MarketSettings::empty(), &mut journal).unwrap();
    assert_eq!((replayed.core().state_hash(), replayed.last_sequence()), (hash, last));
}

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use bytes::Bytes;
use latchkey_admission::call::RequestIds;
use latchkey_admission::records::{EntryEnd, RefusalEntry, UsedEntry};
use latchkey_protocol::{AccountId, KeyId, Timestamp};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;

use super::*;

const NOW: i64 = 1_700_000_000_000_123;

fn calls(count: usize) -> Vec<CallEntry> {
    let ids = RequestIds::new(7);
    let call = |number: usize| CallEntry {
        id: ids.next(),
        at: Timestamp::from_micros(NOW + i64::try_from(number).unwrap()),
        took_us: 12,
        account: AccountId(1),
        key: KeyId(9),
        method: "GET".into(),
        path: "/api/v3/account".into(),
        source: "192.0.2.7".parse().unwrap(),
        found_by: "socket".into(),
        ip_entry: number.is_multiple_of(2).then(|| "192.0.2.0/24".into()),
        proven: number.is_multiple_of(3),
        changes_state: false,
        clock_us: None,
        used: None,
        end: EntryEnd::Answered,
        count: 1,
    };
    (0..count).map(call).collect()
}

/// Writes `entries` in pages of `page`, and reads the file back: the rows as they come, and how many row groups.
fn round_trip(entries: &[CallEntry], page: usize) -> (Vec<Vec<(String, Field)>>, usize) {
    let mut sheet = Parquet.begin().unwrap();
    let mut bytes = Vec::new();
    for entries in entries.chunks(page) {
        let piece = sheet.add(entries).unwrap();
        assert!(!piece.is_empty(), "a page is handed on before the next one comes");
        bytes.extend(piece);
    }
    bytes.extend(sheet.end().unwrap());
    let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
    let metadata = reader.metadata().file_metadata();
    let format = metadata.key_value_metadata().unwrap().iter().find(|pair| pair.key == FORMAT_KEY).unwrap();
    assert_eq!(format.value.as_deref(), Some(FORMAT));
    let rows = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().into_columns()).collect();
    (rows, reader.num_row_groups())
}

fn cell<'a>(row: &'a [(String, Field)], name: &str) -> &'a Field {
    &row.iter().find(|(column, _)| column == name).unwrap().1
}

#[test]
fn what_is_written_reads_back_row_by_row() {
    let entries = calls(10);
    let (rows, groups) = round_trip(&entries, 4);
    assert_eq!((rows.len(), groups), (10, 3), "a row group a page");
    for (row, entry) in rows.iter().zip(&entries) {
        let names: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>());
        for column in COLUMNS {
            let expected = match (column.cell(entry), column.kind) {
                (Cell::Text(text), _) => Field::Str(text.into_owned()),
                (Cell::Number(micros), Kind::Time) => Field::TimestampMicros(micros),
                (Cell::Number(number), _) => Field::Long(number),
                (Cell::Flag(flag), _) => Field::Bool(flag),
                (Cell::Nothing, _) => Field::Null,
            };
            assert_eq!(cell(row, column.name), &expected, "{}", column.name);
        }
    }
}

#[test]
fn a_hostile_owners_text_stays_text() {
    let mut entry = calls(1).remove(0);
    entry.used = Some(UsedEntry { budget: "ip".into(), weight: 20, used: 40, allowed: Some(1200) });
    entry.end = EntryEnd::Rejected(Box::new(RefusalEntry {
        stage: "parameters".into(),
        reason: "parameter".into(),
        code: -1121,
        told: "a\u{0}b\u{202e}".into(),
        explanation: "=cmd|' /C calc'!A0\r\n\u{1b}]0;title\u{7}".into(),
        payload: Some("never exported".into()),
    }));
    let (rows, _) = round_trip(&[entry], 1);
    assert_eq!(cell(&rows[0], "msg"), &Field::Str("a\\u{0}b\\u{202e}".to_owned()));
    let explanation = "=cmd|' /C calc'!A0\\u{d}\\u{a}\\u{1b}]0;title\\u{7}";
    assert_eq!(cell(&rows[0], "explanation"), &Field::Str(explanation.to_owned()));
    assert!(rows[0].iter().all(|(_, field)| *field != Field::Str("never exported".to_owned())));
}

#[test]
fn a_file_without_calls_is_whole() {
    assert_eq!(round_trip(&[], 1).0.len(), 0);
}

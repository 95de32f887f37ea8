use super::*;
use crate::tests::NOW;

use row::rows;

mod changes;
mod edits;
mod interleaved;
mod proofs;
mod row;
mod rules;

#[test]
fn every_row_is_decided_as_written() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in rows() {
        count += 1;
        let outcome = row.outcome();
        if outcome != row.expected {
            let (action, words, key) = (row.action, row.words.join(" "), row.key.join(" "));
            wrong.push(format!("{action} | {words} | {key} | {}: got {outcome}", row.expected));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 250, "{count} rows");
}

//! The columns of an export: one row a column, the same in every format.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{CallEntry, EntryEnd, RefusalEntry, UsedEntry};

/// What the cells of a column hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Text without control characters.
    Text,
    /// A whole number.
    Number,
    /// Microseconds since the Unix epoch.
    Time,
    /// Yes or no.
    Flag,
}

/// One cell. What it holds fits the [`Kind`] of its column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cell<'a> {
    /// Of [`Kind::Text`].
    Text(Cow<'a, str>),
    /// Of [`Kind::Number`] and [`Kind::Time`].
    Number(i64),
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Nothing.
    Nothing,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name, `snake_case`; a unit stands last.
    pub name: &'static str,
    /// What its cells hold.
    pub kind: Kind,
    of: for<'a> fn(&'a CallEntry) -> Option<Cell<'a>>,
}

impl Column {
    /// The cell of an entry. Control characters of texts are written out, as `\u{1b}`.
    pub fn cell<'a>(&self, entry: &'a CallEntry) -> Cell<'a> {
        match (self.of)(entry) {
            Some(Cell::Text(text)) => Cell::Text(shown(text)),
            Some(cell) => cell,
            None => Cell::Nothing,
        }
    }
}

/// Every column, in order.
pub const COLUMNS: &[Column] = &[
    column("id", Kind::Text, |entry| own(entry.id.to_string())),
    column("time", Kind::Time, |entry| number(entry.at.as_micros())),
    column("took_us", Kind::Number, |entry| number(entry.took_us)),
    column("key", Kind::Text, |entry| own(entry.key.to_string())),
    column("method", Kind::Text, |entry| text(&entry.method)),
    column("path", Kind::Text, |entry| text(&entry.path)),
    column("ip", Kind::Text, |entry| own(entry.source.to_string())),
    column("ip_found_by", Kind::Text, |entry| text(&entry.found_by)),
    column("ip_entry", Kind::Text, |entry| entry.ip_entry.as_deref().and_then(text)),
    column("proven", Kind::Flag, |entry| Some(Cell::Flag(entry.proven))),
    column("clock_us", Kind::Number, |entry| entry.clock_us.and_then(number)),
    column("budget", Kind::Text, |entry| used(entry).and_then(|used| text(&used.budget))),
    column("weight", Kind::Number, |entry| used(entry).and_then(|used| number(used.weight.into()))),
    column("weight_used", Kind::Number, |entry| used(entry).and_then(|used| number(used.used.into()))),
    column("weight_allowed", Kind::Number, |entry| used(entry)?.allowed.and_then(|allowed| number(allowed.into()))),
    column("outcome", Kind::Text, |entry| text(entry.end.name())),
    column("stage", Kind::Text, |entry| refusal(entry).and_then(|refusal| text(&refusal.stage))),
    column("reason", Kind::Text, |entry| refusal(entry).and_then(|refusal| text(&refusal.reason))),
    column("code", Kind::Number, |entry| refusal(entry).and_then(|refusal| number(refusal.code.into()))),
    column("msg", Kind::Text, |entry| refusal(entry).and_then(|refusal| text(&refusal.told))),
    column("explanation", Kind::Text, |entry| refusal(entry).and_then(|refusal| text(&refusal.explanation))),
    column("count", Kind::Number, |entry| number(entry.count.into())),
];

const fn column(name: &'static str, kind: Kind, of: for<'a> fn(&'a CallEntry) -> Option<Cell<'a>>) -> Column {
    Column { name, kind, of }
}

const fn text(text: &str) -> Option<Cell<'_>> {
    Some(Cell::Text(Cow::Borrowed(text)))
}

const fn own(text: String) -> Option<Cell<'static>> {
    Some(Cell::Text(Cow::Owned(text)))
}

const fn number(number: i64) -> Option<Cell<'static>> {
    Some(Cell::Number(number))
}

const fn used(entry: &CallEntry) -> Option<&UsedEntry> {
    entry.used.as_ref()
}

fn refusal(entry: &CallEntry) -> Option<&RefusalEntry> {
    match &entry.end {
        EntryEnd::Rejected(refusal) => Some(refusal),
        EntryEnd::Answered | EntryEnd::Unknown | EntryEnd::ClientGone => None,
    }
}

/// Whether a character could steer a terminal, break a line, or turn the direction of what is shown.
pub fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn shown(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains(steers) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if steers(character) {
            // Writing to a `String` does not fail.
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::sheet::tests::hostile;

    #[test]
    fn every_cell_fits_its_column() {
        for entry in [hostile(), CallEntry { end: EntryEnd::Answered, used: None, ..hostile() }] {
            for column in COLUMNS {
                let fits = match column.cell(&entry) {
                    Cell::Text(_) => column.kind == Kind::Text,
                    Cell::Number(_) => matches!(column.kind, Kind::Number | Kind::Time),
                    Cell::Flag(_) => column.kind == Kind::Flag,
                    Cell::Nothing => true,
                };
                assert!(fits, "{}", column.name);
            }
        }
    }

    #[test]
    fn no_cell_steers_a_terminal() {
        let cell = |text: &'static str| shown(Cow::Borrowed(text)).into_owned();
        assert_eq!(cell("a\u{1b}[2J\r\n\u{9b}b"), "a\\u{1b}[2J\\u{d}\\u{a}\\u{9b}b");
        assert_eq!(cell("\u{202e}txt.exe\u{2066}"), "\\u{202e}txt.exe\\u{2066}");
        assert_eq!(cell("plain ü"), "plain ü");
        let names: std::collections::BTreeSet<_> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), COLUMNS.len(), "names are unique");
    }
}

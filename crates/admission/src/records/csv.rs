//! Call records as CSV (RFC 4180), safe to open in a spreadsheet.

use super::CallEntry;
use super::columns::{COLUMNS, Cell};
use super::sheet::{Format, Sheet, SheetError};

/// Lines of cells between commas, the names of the columns as the first one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Csv;

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn media_type(&self) -> &'static str {
        "text/csv; charset=utf-8"
    }

    fn begin(&self) -> Result<Box<dyn Sheet>, SheetError> {
        Ok(Box::new(Lines { begun: false }))
    }
}

struct Lines {
    begun: bool,
}

impl Sheet for Lines {
    fn add(&mut self, entries: &[CallEntry]) -> Result<Vec<u8>, SheetError> {
        let mut text = String::with_capacity(entries.len() * 256);
        if !self.begun {
            self.begun = true;
            push_line(&mut text, COLUMNS.iter().map(|column| Cell::Text(column.name.into())));
        }
        for entry in entries {
            push_line(&mut text, COLUMNS.iter().map(|column| column.cell(entry)));
        }
        Ok(text.into_bytes())
    }

    fn end(mut self: Box<Self>) -> Result<Vec<u8>, SheetError> {
        self.add(&[])
    }
}

fn push_line<'a>(line: &mut String, cells: impl Iterator<Item = Cell<'a>>) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            line.push(',');
        }
        match cell {
            Cell::Text(text) => push_text(line, &text),
            Cell::Number(number) => line.push_str(&number.to_string()),
            Cell::Flag(flag) => line.push_str(if flag { "true" } else { "false" }),
            Cell::Nothing => {}
        }
    }
    line.push_str("\r\n");
}

/// What a spreadsheet may take for the beginning of a formula, the full-width forms too.
const FORMULA: [char; 13] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '|', '%', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// A text that starts like a formula gets an apostrophe before it, and what needs quotes gets them.
fn push_text(line: &mut String, text: &str) {
    let formula = text.trim_start_matches(' ').starts_with(FORMULA);
    if !formula && !text.contains([',', ';', '"', '\'', '\r', '\n']) {
        return line.push_str(text);
    }
    line.push('"');
    if formula {
        line.push('\'');
    }
    for character in text.chars() {
        if character == '"' {
            line.push('"');
        }
        line.push(character);
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::sheet::tests::hostile;

    fn cell(text: &str) -> String {
        let mut line = String::new();
        push_text(&mut line, text);
        line
    }

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_out() {
        assert_eq!(cell("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        assert_eq!(cell("@SUM(1)"), "\"'@SUM(1)\"");
        assert_eq!(cell("-1"), "\"'-1\"");
        assert_eq!(cell(" =1"), "\"' =1\"");
        assert_eq!(cell("\u{ff1d}1+1"), "\"'\u{ff1d}1+1\"");
        assert_eq!(cell("a,\"b\"\r\n=c"), "\"a,\"\"b\"\"\r\n=c\"");
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell(""), "");
    }

    #[test]
    fn a_hostile_record_is_one_line_of_text_and_numbers() {
        let mut sheet = Csv.begin().unwrap();
        let mut text = String::from_utf8(sheet.add(&[hostile()]).unwrap()).unwrap();
        text.push_str(core::str::from_utf8(&sheet.end().unwrap()).unwrap());
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        let [head, line] = lines.as_slice() else { panic!("{text:?}") };
        assert!(head.starts_with("id,time,took_us,key,"), "{head}");
        assert!(line.starts_with("00000000-0000-0007-0000-000000000001,1700000000000123,12,"), "{line}");
        let escaped = r#""'=cmd|' /C calc'!A0,""x""\u{d}\u{a}\u{1b}[2J""#;
        assert_eq!(line.matches(escaped).count(), 2, "path and explanation: {line}");
        let told = "-3000,\"'@ip\",1,5,1200,rejected,\"'-1+1\",\\u{9}ip-not-allowed,-2015,\"'\u{ff1d}1+1\",";
        assert!(line.contains(told), "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }

    #[test]
    fn an_export_without_calls_has_its_head() {
        let text = String::from_utf8(Csv.begin().unwrap().end().unwrap()).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert_eq!(text.split(',').count(), COLUMNS.len());
    }
}

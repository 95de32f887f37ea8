//! Rows in columns, for people.

use std::io::Write;

use super::Printable;

/// A table with a head.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub(super) fn new<const N: usize>(head: [&str; N]) -> Self {
        Self { rows: vec![head.map(str::to_owned).to_vec()] }
    }

    /// Adds a row; it has as many cells as the head.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        // What comes from elsewhere must not steer the terminal or break the line.
        self.rows.push(cells.map(|cell| Printable(&cell.replace(['\n', '\t'], " ")).to_string()).to_vec());
    }

    /// Prints the table, columns two spaces apart.
    pub(super) fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
            writeln!(out, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// Facts of one thing, a line each.
pub(super) fn facts(lines: &[(&str, String)], out: &mut dyn Write) -> std::io::Result<()> {
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in lines {
        writeln!(out, "{name:<width$}  {}", Printable(&value.replace(['\n', '\t'], " ")))?;
    }
    Ok(())
}

/// A time of the APIs, in milliseconds since the epoch, as people write it.
pub(super) fn time(value: Option<&serde_json::Value>) -> String {
    let millis = value.and_then(serde_json::Value::as_i64);
    let time = millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    time.map_or_else(|| "-".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// A value as a cell: texts without quotes, lists with commas, nothing as `-`.
pub(super) fn cell(value: Option<&serde_json::Value>) -> String {
    use serde_json::Value;
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(","),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(["ID", "LABEL"]);
        table.row(["1".into(), "a\u{1b}[2Jb".into()]);
        table.row(["100".into(), "x\ny".into()]);
        let mut out = Vec::new();
        table.print(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "ID   LABEL\n1    a\\u{1b}[2Jb\n100  x y\n");
    }

    #[test]
    fn values_are_written_for_people() {
        assert_eq!(cell(Some(&json!(["a", "b"]))), "a,b");
        assert_eq!(
            (cell(None), cell(Some(&json!(true))), cell(Some(&json!(7)))),
            ("-".into(), "yes".into(), "7".into())
        );
        assert_eq!(time(Some(&json!(1_790_000_000_123_i64))), "2026-09-21 14:13:20Z");
        assert_eq!(time(None), "-");
    }
}

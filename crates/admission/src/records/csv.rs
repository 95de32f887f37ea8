//! Call records as CSV (RFC 4180), safe to open in a spreadsheet.

use super::{CallEntry, EntryEnd};

/// The names of the columns, as the first line.
pub const HEADER: &str = "id,time,took_us,key,method,path,ip,ip_found_by,proven,clock_us,budget,weight,used,outcome,stage,\
                          reason,code,msg,explanation,count\r\n";

/// One entry as a line. Cells that a spreadsheet would take for a formula get an apostrophe before them.
pub fn line(entry: &CallEntry) -> String {
    let used = entry.used.as_ref();
    let refusal = match &entry.end {
        EntryEnd::Rejected(refusal) => Some(refusal),
        EntryEnd::Answered | EntryEnd::Unknown | EntryEnd::ClientGone => None,
    };
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let cells = [
        entry.id.to_string(),
        entry.at.as_micros().to_string(),
        entry.took_us.to_string(),
        entry.key.to_string(),
        entry.method.to_string(),
        entry.path.to_string(),
        entry.source.to_string(),
        entry.found_by.to_string(),
        entry.proven.to_string(),
        number(entry.clock_us),
        text(used.map(|used| &*used.budget)),
        number(used.map(|used| used.weight.into())),
        number(used.map(|used| used.used.into())),
        entry.end.name().to_owned(),
        text(refusal.map(|refusal| &*refusal.stage)),
        text(refusal.map(|refusal| &*refusal.reason)),
        number(refusal.map(|refusal| refusal.code.into())),
        text(refusal.map(|refusal| &*refusal.told)),
        text(refusal.map(|refusal| &*refusal.explanation)),
        entry.count.to_string(),
    ];
    let mut line = String::with_capacity(256);
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            line.push(',');
        }
        push_cell(&mut line, cell);
    }
    line.push_str("\r\n");
    line
}

/// Numbers stay numbers; whatever else starts like a formula is made text, and what needs quotes gets them.
fn push_cell(line: &mut String, cell: &str) {
    let number = cell.parse::<i64>().is_ok();
    let formula = !number && cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%']);
    if !formula && !cell.contains([',', '"', '\r', '\n']) {
        return line.push_str(cell);
    }
    line.push('"');
    if formula {
        line.push('\'');
    }
    for character in cell.chars() {
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

    fn cell(text: &str) -> String {
        let mut line = String::new();
        push_cell(&mut line, text);
        line
    }

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_out() {
        assert_eq!(cell("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        assert_eq!(cell("@SUM(1)"), "\"'@SUM(1)\"");
        assert_eq!(cell("-1+1"), "\"'-1+1\"");
        assert_eq!(cell("-1"), "-1");
        assert_eq!(cell("a,\"b\"\r\n=c"), "\"a,\"\"b\"\"\r\n=c\"");
        assert_eq!(cell("plain"), "plain");
    }
}

//! JSON as people read it, with names in their order and numbers as they were written.

use core::iter::Peekable;
use core::str::Chars;

/// The widest array that stays on one line, in characters.
const LINE_MAX: usize = 80;

/// Indents a JSON text by two spaces; arrays of plain values stay on one line when they are short. `None` when the
/// text is not JSON. Control characters in strings come out escaped, so that no terminal obeys them.
pub(super) fn pretty(text: &[u8]) -> Option<String> {
    write(text, Some(0))
}

/// The JSON text on one line without spaces. `None` when the text is not JSON.
pub(super) fn compact(text: &[u8]) -> Option<String> {
    write(text, None)
}

/// A string as JSON.
pub(super) fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(control))),
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

fn write(text: &[u8], indent: Option<usize>) -> Option<String> {
    // Also bounds the depth.
    serde_json::from_slice::<serde::de::IgnoredAny>(text).ok()?;
    let mut written = String::with_capacity(text.len() * 2);
    value(&mut core::str::from_utf8(text).ok()?.chars().peekable(), indent, &mut written);
    Some(written)
}

/// Copies one value of a text that is known to be JSON.
fn value(rest: &mut Peekable<Chars<'_>>, indent: Option<usize>, written: &mut String) {
    skip_space(rest);
    match rest.peek() {
        Some('{') => container(rest, '}', indent, written),
        Some('[') => container(rest, ']', indent, written),
        Some('"') => quoted(rest, written),
        _ => {
            while let Some(character) = rest.next_if(|c| !c.is_ascii_whitespace() && !matches!(c, ',' | ']' | '}')) {
                written.push(character);
            }
        }
    }
}

fn container(rest: &mut Peekable<Chars<'_>>, close: char, indent: Option<usize>, written: &mut String) {
    let inner = indent.map(|indent| indent + 1);
    written.extend(rest.next());
    let mut items = Vec::new();
    loop {
        skip_space(rest);
        match rest.peek() {
            Some(',') => {
                rest.next();
            }
            Some(character) if *character != close => {
                let mut item = String::new();
                if close == '}' {
                    quoted(rest, &mut item);
                    skip_space(rest);
                    item.extend(rest.next());
                    if indent.is_some() {
                        item.push(' ');
                    }
                }
                value(rest, inner, &mut item);
                items.push(item);
            }
            _ => break,
        }
    }
    rest.next();
    let is_plain = close == ']' && !items.iter().any(|item| item.starts_with(['{', '[']));
    let width: usize = items.iter().map(|item| item.len() + 2).sum();
    match indent {
        None => written.push_str(&items.join(",")),
        Some(_) if items.is_empty() => {}
        Some(_) if is_plain && width <= LINE_MAX => written.push_str(&items.join(", ")),
        Some(indent) => {
            for (index, item) in items.iter().enumerate() {
                written.push_str(if index == 0 { "\n" } else { ",\n" });
                written.push_str(&"  ".repeat(indent + 1));
                written.push_str(item);
            }
            written.push('\n');
            written.push_str(&"  ".repeat(indent));
        }
    }
    written.push(close);
}

fn quoted(rest: &mut Peekable<Chars<'_>>, written: &mut String) {
    written.extend(rest.next());
    while let Some(character) = rest.next() {
        if character.is_control() {
            written.push_str(&format!("\\u{:04x}", u32::from(character)));
            continue;
        }
        written.push(character);
        match character {
            '\\' => written.extend(rest.next()),
            '"' => return,
            _ => {}
        }
    }
}

fn skip_space(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(char::is_ascii_whitespace).is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_numbers_stay_as_they_were_written() {
        let text =
            br#" {"z":1.50,"a":12345678901234567890123,"s":"a\"},{\\","e":{},"n":[],"l":[["1.0","2"],[3 , null]]} "#;
        let wanted = r#"{
  "z": 1.50,
  "a": 12345678901234567890123,
  "s": "a\"},{\\",
  "e": {},
  "n": [],
  "l": [
    ["1.0", "2"],
    [3, null]
  ]
}"#;
        assert_eq!(pretty(text).unwrap(), wanted);
        let wanted =
            r#"{"z":1.50,"a":12345678901234567890123,"s":"a\"},{\\","e":{},"n":[],"l":[["1.0","2"],[3,null]]}"#;
        assert_eq!(compact(text).unwrap(), wanted);
        assert_eq!(pretty(b"true").unwrap(), "true");
    }

    #[test]
    fn long_arrays_are_broken() {
        let text = format!("[{}]", ["\"0123456789\""; 10].join(","));
        assert_eq!(pretty(text.as_bytes()).unwrap().lines().count(), 12);
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(pretty("\"a\u{9b}\u{7f}\"".as_bytes()).unwrap(), r#""a\u009b\u007f""#);
        assert_eq!(string("a\"\\\n\u{1b}é"), r#""a\"\\\u000a\u001bé""#);
    }

    #[test]
    fn what_is_not_json_is_left_to_the_caller() {
        for text in ["", "<html>", "{", "[1,]", "{\"a\":1}x", "\"a\nb\""] {
            assert_eq!(pretty(text.as_bytes()), None, "{text}");
        }
        assert_eq!(pretty("[".repeat(100_000).as_bytes()), None);
    }

    #[test]
    fn what_comes_out_means_what_went_in() {
        let text =
            r#"{"symbols":[{"symbol":"BTCUSDT","filters":[{"minPrice":"0.01"}],"ok":true}],"t":-1e-7,"u":"\u00e9\n"}"#;
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        for written in [pretty(text.as_bytes()).unwrap(), compact(text.as_bytes()).unwrap()] {
            assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), value);
        }
    }
}

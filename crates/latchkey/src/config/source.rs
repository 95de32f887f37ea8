//! Where something stands in a TOML file, for messages that a person can act on.

use core::fmt;
use core::ops::Range;

/// The text of a file with the name that messages call it by.
#[derive(Clone)]
pub struct Source {
    name: String,
    text: String,
}

/// A line and a column of a text, both from 1; columns count characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// What is wrong in a file, and where.
///
/// Prints as `FILE:LINE:COLUMN: FIELD: message`. It never quotes the line, which may hold a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Where; `None` is the file as a whole.
    pub place: Option<Place>,
    /// The field as one would write it in the file, with its table: `[api.tls] key`.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(Place { line, column }) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        if let Some(field) = &self.field {
            write!(f, " {field}:")?;
        }
        write!(f, " {}", self.message)
    }
}

impl core::error::Error for Problem {}

impl Source {
    /// A text under a name.
    pub const fn new(name: String, text: String) -> Self {
        Self { name, text }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads the text as `T`.
    ///
    /// # Errors
    /// [`Problem`] with the place of what does not fit.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, Problem> {
        toml::from_str(&self.text).map_err(|error| match error.span() {
            // Without a field to blame, the decoder names the whole text.
            Some(span) if span.len() < self.text.len() || span.is_empty() => self.problem(&span, error.message()),
            _ => self.whole(error.message()),
        })
    }

    /// A problem at `span`, in bytes of the text.
    pub fn problem(&self, span: &Range<usize>, message: impl fmt::Display) -> Problem {
        let (place, field) = (self.place(span.start), self.field(span.start));
        Problem { file: self.name.clone(), place: Some(place), field, message: one_line(&message.to_string()) }
    }

    /// A problem of the file as a whole.
    pub fn whole(&self, message: impl fmt::Display) -> Problem {
        Problem { file: self.name.clone(), place: None, field: None, message: one_line(&message.to_string()) }
    }

    fn before(&self, offset: usize) -> &str {
        let end = (0..=offset.min(self.text.len())).rev().find(|end| self.text.is_char_boundary(*end));
        self.text.get(..end.unwrap_or_default()).unwrap_or_default()
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.before(offset);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Place { line, column }
    }

    /// The header of the table that `offset` lies in and the key to the left of it.
    fn field(&self, offset: usize) -> Option<String> {
        let before = self.before(offset);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text.get(start..)?.lines().next()?.trim();
        let is_header = |line: &&str| line.starts_with('[') && !line.contains('=');
        let shown = |header: &str| header.split('#').next().unwrap_or_default().trim().to_owned();
        if is_header(&line) {
            return Some(shown(line));
        }
        let header = before.get(..start)?.lines().rev().map(str::trim).find(is_header).map(shown);
        let key = line.split_once('=').map(|(key, _)| key.trim()).filter(|key| is_key(key));
        match (header, key) {
            (Some(header), Some(key)) => Some(format!("{header} {key}")),
            (header, key) => header.or_else(|| key.map(str::to_owned)),
        }
    }
}

fn is_key(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !text.is_empty() && text.chars().all(legal)
}

/// The decoder's messages may run over lines; ours stand on one.
fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, at: &str) -> (usize, usize, Option<String>) {
        let source = Source::new("f.toml".into(), text.into());
        let start = text.find(at).unwrap();
        let problem = source.problem(&(start..start + at.len()), "m");
        let place = problem.place.unwrap();
        (place.line, place.column, problem.field)
    }

    #[test]
    fn a_place_is_a_line_a_column_and_a_field() {
        let text = "top = 1\n\n[api] # here\nlisten = \"x\"\n  é = 2\n[[account.key]]\nips = [\n  \"y\",\n]\n";
        assert_eq!(check(text, "top"), (1, 1, Some("top".into())));
        assert_eq!(check(text, "\"x\""), (4, 10, Some("[api] listen".into())));
        assert_eq!(check(text, "2"), (5, 7, Some("[api]".into())));
        assert_eq!(check(text, "[[account"), (6, 1, Some("[[account.key]]".into())));
        assert_eq!(check(text, "\"y\""), (8, 3, Some("[[account.key]]".into())));
    }

    #[test]
    fn offsets_beyond_or_inside_characters_do_no_harm() {
        let source = Source::new("f".into(), "é".into());
        assert_eq!(source.place(1), Place { line: 1, column: 1 });
        assert_eq!(source.place(99), Place { line: 1, column: 2 });
    }

    #[test]
    fn a_problem_stands_on_one_line() {
        let source = Source::new("f.toml".into(), "a = 1\nb = 2".into());
        assert_eq!(source.problem(&(6..7), "bad\n  very").to_string(), "f.toml:2:1: b: bad; very");
        assert_eq!(source.whole("bad").to_string(), "f.toml: bad");
    }
}

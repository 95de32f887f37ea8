//! The name that an owner gives a key.

use core::fmt;
use unicode_normalization::UnicodeNormalization;

/// Most characters of a label.
pub const LABEL_MAX: usize = 60;

/// Longest text in bytes that is looked at.
const TEXT_MAX: usize = 4096;

/// A key's name: 1 to 60 characters, no control and no bidirectional ones, not blank. Not unique.
/// Source: margin special API keys, 2026-01-15 (a name may be shared); the bounds are ours.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(Box<str>);

/// Why a text is no label.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LabelError {
    /// Nothing, or white space alone.
    #[error("must not be empty or blank")]
    Blank,
    /// More than [`LABEL_MAX`] characters.
    #[error("must have at most {LABEL_MAX} characters, not {0}")]
    TooLong(usize),
    /// A character that could hide or reorder what people read.
    #[error("must not hold the character U+{:04X}", *.0 as u32)]
    Character(char),
}

impl Label {
    /// Takes a text, in its composed form (NFC): what reads the same is the same.
    ///
    /// # Errors
    /// [`LabelError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        // A composed text is never longer than 4 bytes a character; what is far longer need not be composed.
        if text.len() > TEXT_MAX {
            return Err(LabelError::TooLong(text.chars().count()));
        }
        let text: String = text.nfc().collect();
        if let Some(bad) = text.chars().find(|c| deceives(*c)) {
            return Err(LabelError::Character(bad));
        }
        if text.trim().is_empty() {
            return Err(LabelError::Blank);
        }
        match text.chars().count() {
            0..=LABEL_MAX => Ok(Self(text.into())),
            length => Err(LabelError::TooLong(length)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, line and paragraph separators, the byte order mark, and what reorders text.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Label {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, LabelError> {
        Self::parse(&text)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_to_sixty_characters_are_taken_as_they_are() {
        for text in ["a", "my bot", "Zürich 東京 🚀", "<b>&\"'", &"é".repeat(60)] {
            assert_eq!(Label::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_reads_the_same_is_the_same() {
        assert_eq!(Label::parse("Zu\u{308}rich").unwrap().as_str(), "Z\u{fc}rich");
        assert_eq!(Label::parse(&"e\u{301}".repeat(60)), Label::parse(&"\u{e9}".repeat(60)));
        assert!(Label::parse(&"e\u{301}".repeat(61)).is_err());
        assert_eq!(Label::parse(&"a".repeat(5000)), Err(LabelError::TooLong(5000)));
    }

    #[test]
    fn blank_long_and_deceiving_labels_are_refused() {
        assert_eq!(Label::parse(""), Err(LabelError::Blank));
        assert_eq!(Label::parse(" \u{3000} "), Err(LabelError::Blank));
        assert_eq!(Label::parse(&"é".repeat(61)), Err(LabelError::TooLong(61)));
        for bad in ['\0', '\n', '\u{7f}', '\u{85}', '\u{200f}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{feff}'] {
            assert_eq!(Label::parse(&format!("a{bad}b")), Err(LabelError::Character(bad)), "{bad:?}");
        }
    }

    #[test]
    fn a_stored_label_is_checked_again() {
        assert!(serde_json::from_str::<Label>("\"ok\"").is_ok());
        assert!(serde_json::from_str::<Label>("\"\\u202e\"").is_err());
    }
}

//! Countries, and sets of them.

use core::fmt;
use serde::{Deserialize, Serialize};

/// A country by its two upper-case letters (ISO 3166-1 alpha-2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

/// The text is no country code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a country code of two upper-case letters")]
pub struct NotACountry;

impl Country {
    /// Reads a code; whether the country exists is not asked.
    ///
    /// # Errors
    /// [`NotACountry`].
    pub fn parse(text: &str) -> Result<Self, NotACountry> {
        let letters: [u8; 2] = text.as_bytes().try_into().map_err(|_| NotACountry)?;
        if letters.iter().all(u8::is_ascii_uppercase) { Ok(Self(letters)) } else { Err(NotACountry) }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.0.map(char::from);
        write!(f, "{first}{second}")
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Country {
    type Error = NotACountry;

    fn try_from(text: String) -> Result<Self, NotACountry> {
        Self::parse(&text)
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.to_string()
    }
}

/// A set of countries: a bit for each pair of letters.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct CountrySet([u64; WORDS]);

/// 26 × 26 pairs of letters, 64 to a word.
const WORDS: usize = 11;

impl CountrySet {
    /// No country.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// Whether `country` is in the set.
    pub fn contains(&self, country: Country) -> bool {
        let (word, bit) = Self::place(country);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// The set with `country`.
    #[must_use]
    pub fn with(mut self, country: Country) -> Self {
        let (word, bit) = Self::place(country);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
        self
    }

    /// The countries in the order of their letters.
    pub fn iter(&self) -> impl Iterator<Item = Country> {
        let letters = || b'A'..=b'Z';
        let pairs = letters().flat_map(move |first| letters().map(move |second| Country([first, second])));
        pairs.filter(|country| self.contains(*country))
    }

    fn place(Country([first, second]): Country) -> (usize, u64) {
        let number = usize::from(first - b'A') * 26 + usize::from(second - b'A');
        (number / 64, 1 << (number % 64))
    }
}

impl FromIterator<Country> for CountrySet {
    fn from_iter<I: IntoIterator<Item = Country>>(countries: I) -> Self {
        countries.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for CountrySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for CountrySet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for CountrySet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Country>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_reads_back() {
        let set: CountrySet = ["US", "AA", "ZZ"].map(|code| Country::parse(code).unwrap()).into_iter().collect();
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(text, r#"["AA","US","ZZ"]"#);
        assert_eq!(serde_json::from_str::<CountrySet>(&text).unwrap(), set);
        assert!(!set.contains(Country::parse("DE").unwrap()));
        assert!(serde_json::from_str::<CountrySet>(r#"["us"]"#).is_err());
    }
}

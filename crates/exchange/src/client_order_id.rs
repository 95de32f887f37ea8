//! The caller's own name of an order.

use core::fmt;

/// The longest client order id in characters.
const MAX: usize = 36;
/// How many characters a generated id has.
const GENERATED: usize = 22;

/// A client order id: 1 to 36 characters `[a-zA-Z0-9-_]`, kept inline.
///
/// It is unique among the open orders of one trading account and may be used again once that order is closed.
/// Source: spot REST API, "New order", 2026-07-21.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId {
    length: u8,
    bytes: [u8; MAX],
}

impl ClientOrderId {
    /// The character rule as the contract prints it in `-1100`.
    pub const RANGE: &'static str = "^[a-zA-Z0-9-_]{1,36}$";

    /// Parses the wire's text; `None` when it breaks [`Self::RANGE`].
    pub fn parse(text: &str) -> Option<Self> {
        let source = text.as_bytes();
        let legal = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if source.is_empty() || !source.iter().all(legal) {
            return None;
        }
        let mut bytes = [0; MAX];
        bytes.get_mut(..source.len())?.copy_from_slice(source);
        Some(Self { length: u8::try_from(source.len()).ok()?, bytes })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// 22 letters and digits that follow from two numbers alone, so that a replay names alike.
    pub(crate) fn generate(high: u64, low: u64) -> Self {
        const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut bytes = [0; MAX];
        let (first, last) = bytes.split_at_mut(GENERATED / 2);
        for (half, number) in [(first, high), (last, low)] {
            let mut rest = number;
            for byte in half.iter_mut().take(GENERATED / 2) {
                *byte = ALPHABET.get((rest % 62) as usize).copied().unwrap_or(b'0');
                rest /= 62;
            }
        }
        Self { length: GENERATED as u8, bytes }
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for ClientOrderId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for ClientOrderId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a client order id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_one_to_thirty_six_characters_of_its_alphabet() {
        for good in ["a", "x-TKT5PX2F_0123456789", &"Z".repeat(36)] {
            assert_eq!(ClientOrderId::parse(good).map(|id| id.to_string()).as_deref(), Some(good));
        }
        for bad in ["", "a b", "a.b", "é", &"Z".repeat(37)] {
            assert_eq!(ClientOrderId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn generated_ids_are_legal_and_differ() {
        let one = ClientOrderId::generate(1, 2);
        assert_eq!(one.as_str().len(), 22);
        assert_eq!(ClientOrderId::parse(one.as_str()), Some(one));
        assert_ne!(one, ClientOrderId::generate(2, 1));
    }
}

//! Names of assets and trading pairs.

use core::fmt;

macro_rules! ticker {
    ($(#[$doc:meta])* $name:ident, $max:expr, $range:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            length: u8,
            bytes: [u8; $max],
        }

        impl $name {
            /// The character rule as the contract prints it in `-1100`.
            pub const RANGE: &'static str = $range;

            /// Parses upper-case letters, digits, `-`, `_` and `.`; `None` when too long, empty or outside.
            pub fn parse(text: &str) -> Option<Self> {
                let source = text.as_bytes();
                let legal = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
                if source.is_empty() || source.len() > $max || !source.iter().all(legal) {
                    return None;
                }
                let mut bytes = [0; $max];
                bytes.get_mut(..source.len())?.copy_from_slice(source);
                Some(Self { length: u8::try_from(source.len()).ok()?, bytes })
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                // The constructor admits ASCII only, so the fallbacks are never taken.
                let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
                core::str::from_utf8(bytes).unwrap_or_default()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom(concat!("not a ", stringify!($name))))
            }
        }
    };
}

ticker! {
    /// A trading pair such as `BTCUSDT`: at most 20 characters `[A-Z0-9-_.]`.
    Symbol, 20, "^[A-Z0-9-_.]{1,20}$"
}
ticker! {
    /// An asset such as `BTC`: at most 16 characters `[A-Z0-9-_.]`.
    Asset, 16, "^[A-Z0-9-_.]{1,16}$"
}

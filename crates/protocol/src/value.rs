//! Answers as values, before a face encodes them.

use crate::{Amount, Asset, Price, Quantity, Symbol, TimeUnit, Timestamp};

/// What a venue answers: JSON's shapes, with money and time still typed so that each face can encode them
/// its own way (times in the unit that the caller chose).
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An id, a count or another whole number.
    Int(i64),
    /// A point in time; a JSON number in the caller's unit.
    Time(Timestamp),
    /// Money; a JSON string with eight decimals.
    Amount(Amount),
    /// A fixed text.
    Text(&'static str),
    /// A text made at run time.
    String(Box<str>),
    /// A trading pair.
    Symbol(Symbol),
    /// An asset.
    Asset(Asset),
    /// A list.
    Array(Vec<Value>),
    /// An object; names in the order of the contract.
    Object(Vec<(&'static str, Value)>),
    /// An object whose names are data.
    Map(Vec<(Box<str>, Value)>),
}

impl Value {
    /// The empty object, the contract's plain success.
    pub const fn empty() -> Self {
        Self::Object(Vec::new())
    }

    /// Encodes as JSON, times in `unit`.
    pub fn write_json(&self, unit: TimeUnit, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Self::Int(value) => write_int(i128::from(*value), out),
            Self::Time(time) => write_int(i128::from(time.in_unit(unit)), out),
            Self::Amount(amount) => write_amount(*amount, out),
            Self::Text(text) => write_text(text, out),
            Self::String(text) => write_text(text, out),
            Self::Symbol(symbol) => write_text(symbol.as_str(), out),
            Self::Asset(asset) => write_text(asset.as_str(), out),
            Self::Array(values) => {
                out.push(b'[');
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    value.write_json(unit, out);
                }
                out.push(b']');
            }
            Self::Object(fields) => write_object(fields.iter().map(|(name, value)| (*name, value)), unit, out),
            Self::Map(fields) => write_object(fields.iter().map(|(name, value)| (&**name, value)), unit, out),
        }
    }
}

fn write_object<'a>(fields: impl Iterator<Item = (&'a str, &'a Value)>, unit: TimeUnit, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (name, value)) in fields.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(name, out);
        out.push(b':');
        value.write_json(unit, out);
    }
    out.push(b'}');
}

fn write_int(value: i128, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    write_digits(value.unsigned_abs(), 1, out);
}

fn write_amount(amount: Amount, out: &mut Vec<u8>) {
    const ONE: u128 = crate::decimal::ONE.unsigned_abs() as u128;
    out.push(b'"');
    if amount.scaled() < 0 {
        out.push(b'-');
    }
    let magnitude = amount.scaled().unsigned_abs();
    write_digits(magnitude / ONE, 1, out);
    out.push(b'.');
    write_digits(magnitude % ONE, 8, out);
    out.push(b'"');
}

fn write_digits(value: u128, width: usize, out: &mut Vec<u8>) {
    let mut buffer = [b'0'; 39];
    let mut rest = value;
    let mut used = 0;
    for slot in buffer.iter_mut().rev() {
        if rest == 0 && used >= width {
            break;
        }
        // INVARIANT: a remainder of ten fits a byte.
        *slot = b'0' + (rest % 10) as u8;
        rest /= 10;
        used += 1;
    }
    out.extend_from_slice(buffer.get(buffer.len() - used..).unwrap_or_default());
}

/// Writes a JSON string. `<`, `>` and `&` are escaped too, so that text from a request stays inert wherever
/// an answer is shown.
fn write_text(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..=0x1f | 0x7f | b'<' | b'>' | b'&' => {
                out.extend_from_slice(b"\\u00");
                for nibble in [byte >> 4, byte & 15] {
                    out.extend(HEX.get(usize::from(nibble)));
                }
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

macro_rules! from {
    ($($source:ty => |$value:ident| $build:expr;)+) => {
        $(impl From<$source> for Value {
            fn from($value: $source) -> Self {
                $build
            }
        })+
    };
}
from! {
    bool => |value| Self::Bool(value);
    i64 => |value| Self::Int(value);
    u32 => |value| Self::Int(i64::from(value));
    Timestamp => |value| Self::Time(value);
    Amount => |value| Self::Amount(value);
    Price => |value| Self::Amount(Amount::from_scaled(i128::from(value.scaled())));
    Quantity => |value| Self::Amount(value.into());
    &'static str => |value| Self::Text(value);
    String => |value| Self::String(value.into());
    Box<str> => |value| Self::String(value);
    Symbol => |value| Self::Symbol(value);
    Asset => |value| Self::Asset(value);
    Vec<Value> => |value| Self::Array(value);
}

/// Builds a [`Value::Object`]: `object! { "symbol": symbol, "price": price }`.
#[macro_export]
macro_rules! object {
    ($($name:literal : $value:expr),* $(,)?) => {
        $crate::Value::Object(vec![$(($name, $crate::Value::from($value))),*])
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &Value, unit: TimeUnit) -> String {
        let mut out = Vec::new();
        value.write_json(unit, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn encodes_money_as_strings_and_time_in_the_callers_unit() {
        let value = object! {
            "price": Price::from_scaled(5_000_000_000_001),
            "time": Timestamp::from_micros(1_732_000_000_123_456),
            "id": -7_i64,
            "none": Value::Null,
            "list": vec![Value::from(true), Value::from(Amount::from_scaled(-1))],
        };
        let expected =
            r#"{"price":"50000.00000001","time":1732000000123,"id":-7,"none":null,"list":[true,"-0.00000001"]}"#;
        assert_eq!(json(&value, TimeUnit::Millisecond), expected);
        assert!(json(&value, TimeUnit::Microsecond).contains("\"time\":1732000000123456"));
    }

    #[test]
    fn text_of_a_request_cannot_leave_its_string() {
        let value = Value::from("\"}</script>\u{0}\n\\é".to_owned());
        assert_eq!(json(&value, TimeUnit::Millisecond), r#""\"}\u003c/script\u003e\u0000\n\\é""#);
    }
}

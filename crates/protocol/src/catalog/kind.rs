//! The kinds of parameters, and how a text becomes a typed argument.

use smallvec::SmallVec;

use crate::code::{self, ApiError, ErrorRow};
use crate::decimal::{DECIMAL_RANGE, DecimalError};
use crate::{Amount, Asset, Symbol, Timestamp};

/// One parameter of an endpoint.
#[derive(Debug)]
pub struct Param {
    /// Its name, letter case included.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// Whether a call without it is refused.
    pub mandatory: bool,
    /// Whether it counts in the body alone; in the query it is a name that the row does not read.
    pub body_only: bool,
}

impl Param {
    /// A parameter that must be sent.
    pub const fn must(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, mandatory: true, body_only: false }
    }

    /// A parameter that may be sent.
    pub const fn may(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, mandatory: false, body_only: false }
    }

    /// A parameter that may be sent, in the body alone.
    pub const fn in_body(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, mandatory: false, body_only: true }
    }
}

/// What a value may be.
#[derive(Debug)]
pub enum Kind {
    /// A trading pair.
    Symbol,
    /// A JSON list of trading pairs: `["BTCUSDT","BNBUSDT"]`.
    Symbols,
    /// A comma-separated list of trading pairs (`/sapi`).
    SymbolCsv,
    /// An asset.
    Asset,
    /// A decimal with at most eight places.
    Decimal,
    /// A whole number within bounds; outside `-1130`.
    Int {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// How many rows to answer; larger values are cut to `max`, zero is `-1130`.
    Limit {
        /// Largest.
        max: i64,
    },
    /// A whole number of at least `min`; below it the row's own error.
    AtLeast {
        /// Smallest.
        min: i64,
        /// The error below it.
        error: &'static ErrorRow,
    },
    /// A point in time, milliseconds or microseconds.
    Time,
    /// A time zone: hours or hours and minutes east of UTC, `-12:00` to `+14:00`, for example `8`, `-1:00`, `05:45`.
    TimeZone,
    /// `true` or `false`, any case.
    Bool,
    /// One of a set; otherwise the row's own error.
    Choice {
        /// The set.
        values: &'static [&'static str],
        /// The error outside the set.
        error: &'static ErrorRow,
    },
    /// A client's own order id: `^[a-zA-Z0-9-_]{1,36}$`.
    ClientOrderId,
    /// Free text of at most `max` characters, no control characters.
    Text {
        /// Largest number of characters.
        max: usize,
    },
    /// A public key: PEM or its base64 alone, printable ASCII with line breaks, at most [`PEM_MAX`] characters.
    Pem,
}

/// The longest public key text; an RSA key of 4096 bits needs about 800 characters.
pub const PEM_MAX: usize = 8192;

/// A parsed value.
#[derive(Clone, PartialEq, Debug)]
pub enum Argument {
    /// From [`Kind::Symbol`].
    Symbol(Symbol),
    /// From [`Kind::Symbols`] and [`Kind::SymbolCsv`].
    Symbols(Vec<Symbol>),
    /// From [`Kind::Asset`].
    Asset(Asset),
    /// From [`Kind::Decimal`]; may exceed what prices and quantities hold.
    Decimal(Amount),
    /// From [`Kind::Int`], [`Kind::AtLeast`], [`Kind::Limit`] and, in minutes east of UTC, [`Kind::TimeZone`].
    Int(i64),
    /// From [`Kind::Time`].
    Time(Timestamp),
    /// From [`Kind::Bool`].
    Bool(bool),
    /// From [`Kind::Choice`].
    Choice(&'static str),
    /// From [`Kind::ClientOrderId`], [`Kind::Text`] and [`Kind::Pem`].
    Text(Box<str>),
}

/// Why a value is not of its kind: the contract's own error.
pub type ArgumentError = ApiError;

/// The character rule of client order ids.
const CLIENT_ORDER_ID_RANGE: &str = "^[a-zA-Z0-9-_]{1,36}$";
const INT_RANGE: &str = "^[0-9]{1,20}$";

impl Param {
    /// Parses the decoded text of this parameter.
    ///
    /// # Errors
    /// The contract's error for the first rule that the text breaks.
    pub fn parse(&self, text: &str) -> Result<Argument, ArgumentError> {
        let name = self.name;
        let illegal = |range: &str| code::ILLEGAL_CHARS_IN.with([name, range]);
        let invalid = || code::INVALID_PARAMETER.with([name]);
        match &self.kind {
            Kind::Symbol => Symbol::parse(text).map(Argument::Symbol).ok_or_else(|| illegal(Symbol::RANGE)),
            Kind::Symbols => parse_symbols(name, text),
            Kind::SymbolCsv => text
                .split(',')
                .map(|part| Symbol::parse(part.trim()).ok_or_else(|| illegal(Symbol::RANGE)))
                .collect::<Result<_, _>>()
                .map(Argument::Symbols),
            Kind::Asset => Asset::parse(text).map(Argument::Asset).ok_or_else(|| illegal(Asset::RANGE)),
            Kind::Decimal => Amount::parse(text).map(Argument::Decimal).map_err(|error| match error {
                DecimalError::Illegal => illegal(DECIMAL_RANGE),
                DecimalError::Precision => code::BAD_PRECISION.with([name]),
                DecimalError::Overflow => code::PARAMETER_OVERFLOW.with([name]),
            }),
            Kind::Int { min, max } => {
                let value = parse_int(name, text)?;
                if (*min..=*max).contains(&value) { Ok(Argument::Int(value)) } else { Err(invalid()) }
            }
            Kind::AtLeast { min, error } => match parse_int(name, text)? {
                value if value < *min => Err(error.plain()),
                value => Ok(Argument::Int(value)),
            },
            Kind::Limit { max } => match parse_int(name, text)? {
                0 => Err(invalid()),
                value => Ok(Argument::Int(value.min(*max))),
            },
            Kind::Time => {
                let time = Timestamp::from_wire(parse_int(name, text)?);
                let known = Timestamp::EARLIEST..=Timestamp::LATEST;
                if known.contains(&time) { Ok(Argument::Time(time)) } else { Err(invalid()) }
            }
            Kind::TimeZone => parse_time_zone(text).map(Argument::Int).ok_or_else(invalid),
            Kind::Bool if text.eq_ignore_ascii_case("true") => Ok(Argument::Bool(true)),
            Kind::Bool if text.eq_ignore_ascii_case("false") => Ok(Argument::Bool(false)),
            Kind::Bool => Err(invalid()),
            Kind::Choice { values, error } => {
                let names_parameter = error.text.contains("%s");
                let arguments: &[&str] = if names_parameter { &[name] } else { &[] };
                let found = values.iter().find(|value| **value == text);
                found.map(|value| Argument::Choice(value)).ok_or_else(|| error.with(arguments.iter().copied()))
            }
            Kind::ClientOrderId => {
                let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
                if (1..=36).contains(&text.len()) && text.bytes().all(legal) {
                    Ok(Argument::Text(text.into()))
                } else {
                    Err(illegal(CLIENT_ORDER_ID_RANGE))
                }
            }
            Kind::Text { max } => {
                if text.chars().any(char::is_control) {
                    Err(code::ILLEGAL_CHARS.plain())
                } else if text.chars().count() > *max {
                    Err(invalid())
                } else {
                    Ok(Argument::Text(text.into()))
                }
            }
            Kind::Pem => {
                let legal = |b: u8| matches!(b, b' '..=b'~' | b'\r' | b'\n' | b'\t');
                if text.len() <= PEM_MAX && text.bytes().all(legal) {
                    Ok(Argument::Text(text.into()))
                } else {
                    Err(invalid())
                }
            }
        }
    }
}

fn parse_int(name: &'static str, text: &str) -> Result<i64, ArgumentError> {
    if text.is_empty() || text.len() > 20 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(code::ILLEGAL_CHARS_IN.with([name, INT_RANGE]));
    }
    text.parse().map_err(|_| code::PARAMETER_OVERFLOW.with([name]))
}

/// Minutes east of UTC.
fn parse_time_zone(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, text.get(1..)?),
        b'+' => (1, text.get(1..)?),
        _ => (1, text),
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "00"));
    let number = |part: &str, longest: usize| {
        let legal = (1..=longest).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        legal.then(|| part.parse::<i64>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2).filter(|m| *m < 60 && minutes.len() == 2)?);
    Some(sign * (hours * 60 + minutes)).filter(|zone| (-12 * 60..=14 * 60).contains(zone))
}

/// `["BTCUSDT","BNBUSDT"]`, white space allowed between tokens; a list may be empty.
fn parse_symbols(name: &'static str, text: &str) -> Result<Argument, ArgumentError> {
    let malformed = || code::INVALID_JSON.with([name]);
    let inner = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or_else(malformed)?;
    if inner.trim().is_empty() {
        return Ok(Argument::Symbols(Vec::new()));
    }
    let mut symbols = Vec::new();
    for item in inner.split(',') {
        let quoted = item.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(malformed)?;
        let symbol = Symbol::parse(quoted).ok_or_else(|| code::ILLEGAL_CHARS_IN.with([name, Symbol::RANGE]))?;
        if symbols.contains(&symbol) {
            return Err(code::DUPLICATE_SYMBOLS.plain());
        }
        symbols.push(symbol);
    }
    Ok(Argument::Symbols(symbols))
}

/// The parsed parameters of one call.
#[derive(Clone, Debug, Default)]
pub struct Arguments(SmallVec<[(&'static str, Argument); 12]>);

macro_rules! accessor {
    ($(#[$doc:meta])* $name:ident, $variant:ident, $type:ty, |$value:ident| $expr:expr) => {
        $(#[$doc])*
        pub fn $name(&self, name: &str) -> Option<$type> {
            match self.get(name) {
                Some(Argument::$variant($value)) => Some($expr),
                _ => None,
            }
        }
    };
}

impl Arguments {
    /// Adds a parsed value.
    pub fn push(&mut self, name: &'static str, argument: Argument) {
        self.0.push((name, argument));
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&Argument> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, argument)| argument)
    }

    /// The names that were sent, in the order of the row.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }

    accessor!(
        /// A trading pair.
        symbol, Symbol, Symbol, |value| *value
    );
    accessor!(
        /// A list of trading pairs.
        symbols, Symbols, &[Symbol], |value| value.as_slice()
    );
    accessor!(
        /// An asset.
        asset, Asset, Asset, |value| *value
    );
    accessor!(
        /// A decimal.
        decimal, Decimal, Amount, |value| *value
    );
    accessor!(
        /// A whole number.
        int, Int, i64, |value| *value
    );
    accessor!(
        /// A point in time.
        time, Time, Timestamp, |value| *value
    );
    accessor!(
        /// A yes or no.
        bool, Bool, bool, |value| *value
    );
    accessor!(
        /// One of a set.
        choice, Choice, &'static str, |value| value
    );
    accessor!(
        /// A text.
        text, Text, &str, |value| value
    );
}

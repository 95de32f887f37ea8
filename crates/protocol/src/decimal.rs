//! Money: decimals with eight places, kept as scaled integers.

use core::fmt;

/// Decimal places of every number in the venue.
pub const SCALE: u32 = 8;
/// One unit in scaled form.
pub const ONE: i64 = 100_000_000;

/// Why a text is not a decimal of this system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecimalError {
    /// Outside `^([0-9]{1,20})(\.[0-9]{1,20})?$`; the contract answers `-1100`.
    #[error("not a decimal number")]
    Illegal,
    /// More than eight significant decimals; the contract answers `-1111`.
    #[error("more than eight decimals")]
    Precision,
    /// Too large for its type; the contract answers `-1108`.
    #[error("too large")]
    Overflow,
}

/// The character rule of prices and quantities on the wire, as the contract prints it in `-1100`.
pub const DECIMAL_RANGE: &str = r"^([0-9]{1,20})(\.[0-9]{1,20})?$";

fn parse_scaled(text: &str) -> Result<i128, DecimalError> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return Err(DecimalError::Illegal),
        Some(parts) => parts,
        None => (text, ""),
    };
    let digits = |part: &str| part.len() <= 20 && part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return Err(DecimalError::Illegal);
    }
    let mut scaled: i128 = 0;
    for byte in whole.bytes() {
        scaled = scaled * 10 + i128::from(byte - b'0');
    }
    let mut places = 0;
    for byte in fraction.bytes() {
        if places < SCALE {
            scaled = scaled * 10 + i128::from(byte - b'0');
            places += 1;
        } else if byte != b'0' {
            return Err(DecimalError::Precision);
        }
    }
    for _ in places..SCALE {
        scaled *= 10;
    }
    Ok(scaled)
}

fn write_scaled(f: &mut fmt::Formatter<'_>, scaled: i128) -> fmt::Result {
    let one = i128::from(ONE);
    let sign = if scaled < 0 { "-" } else { "" };
    let magnitude = scaled.unsigned_abs();
    let one = one.unsigned_abs();
    write!(f, "{sign}{}.{:08}", magnitude / one, magnitude % one)
}

macro_rules! decimal {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
        pub struct $name($inner);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// From the scaled integer (1 unit = 10^8).
            pub const fn from_scaled(scaled: $inner) -> Self {
                Self(scaled)
            }

            /// The scaled integer (1 unit = 10^8).
            pub const fn scaled(self) -> $inner {
                self.0
            }

            /// Whether it is exactly zero.
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// Parses the wire form: digits, optionally a point and at most eight significant decimals.
            ///
            /// # Errors
            /// See [`DecimalError`].
            pub fn parse(text: &str) -> Result<Self, DecimalError> {
                <$inner>::try_from(parse_scaled(text)?).map(Self).map_err(|_| DecimalError::Overflow)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_scaled(f, i128::from(self.0))
            }
        }
    };
}

decimal! {
    /// A price: quote units for one base unit, scaled by 10^8.
    Price(i64)
}
decimal! {
    /// A quantity of the base asset, scaled by 10^8.
    Quantity(i64)
}
decimal! {
    /// An amount of any asset (balance, notional, liability), scaled by 10^8.
    Amount(i128)
}

impl From<Quantity> for Amount {
    fn from(quantity: Quantity) -> Self {
        Self(i128::from(quantity.0))
    }
}

impl Amount {
    /// `price × quantity` at 10^-8, or `None` when the product needs more places or does not fit.
    ///
    /// Symbols are only accepted when the decimals of tick and step sum to at most eight, so on those the
    /// product is exact.
    pub fn notional(price: Price, quantity: Quantity) -> Option<Self> {
        let product = i128::from(price.0).checked_mul(i128::from(quantity.0))?;
        (product % i128::from(ONE) == 0).then(|| Self(product / i128::from(ONE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints_eight_places() {
        let price = Price::parse("50000.00").expect("a price");
        assert_eq!(price.scaled(), 5_000_000_000_000);
        assert_eq!(price.to_string(), "50000.00000000");
        assert_eq!(Quantity::parse("0.1").map(Quantity::scaled), Ok(10_000_000));
        assert_eq!(Quantity::parse("1.000000000").map(Quantity::scaled), Ok(ONE));
        assert_eq!(Amount::from_scaled(-150_000_000).to_string(), "-1.50000000");
    }

    #[test]
    fn refuses_what_the_contract_refuses() {
        for bad in ["", ".", "1.", ".1", "-1", "+1", "1e5", "1,0", " 1", "1.2.3", "0x10", "NaN", "１"] {
            assert_eq!(Price::parse(bad), Err(DecimalError::Illegal), "{bad}");
        }
        assert_eq!(Price::parse("0.000000001"), Err(DecimalError::Precision));
        assert_eq!(Price::parse("99999999999999999999"), Err(DecimalError::Overflow));
        assert_eq!(Price::parse("123456789012345678901"), Err(DecimalError::Illegal));
    }

    #[test]
    fn notional_is_exact_or_nothing() {
        let price = Price::parse("0.1").expect("a price");
        assert_eq!(Amount::notional(price, Quantity::from_scaled(10)), Some(Amount::from_scaled(1)));
        assert_eq!(Amount::notional(price, Quantity::from_scaled(1)), None);
    }
}

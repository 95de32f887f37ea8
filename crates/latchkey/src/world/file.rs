//! The world file as it is written: every field, each with its place.

use core::marker::PhantomData;
use core::str::FromStr;
use std::collections::BTreeMap;

use jiff::Timestamp as Instant;
use latchkey_authority::account::{Country, CrossMarginPro, Email, Kyc, Product, Terms};
use latchkey_authority::key::{AcceptedProofs, PermissionMode};
use latchkey_authority::policy::{PolicyOverrides, Profile, ReplayRule};
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::{Amount, Asset, Permission, Price, Symbol, Timestamp};
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) format: Option<Spanned<u32>>,
    #[serde(default)]
    pub(super) profile: Profile,
    #[serde(default)]
    pub(super) account: Vec<Spanned<AccountTable>>,
    #[serde(default)]
    pub(super) policy: PolicyOverrides,
    #[serde(default)]
    pub(super) market: MarketTable,
}

/// `[[account]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountTable {
    pub(super) email: Spanned<Email>,
    pub(super) password: Option<Spanned<Secret>>,
    pub(super) totp: Option<Spanned<Secret>>,
    #[serde(default)]
    pub(super) kyc: Kyc,
    pub(super) vip: Option<Spanned<u8>>,
    #[serde(default)]
    pub(super) deposited: bool,
    #[serde(default)]
    pub(super) products: Vec<Product>,
    #[serde(default)]
    pub(super) opened: BTreeMap<Product, Spanned<Time>>,
    #[serde(default)]
    pub(super) portfolio_margin: Portfolio,
    #[serde(default)]
    pub(super) cross_margin_pro: CrossMarginPro,
    #[serde(default)]
    pub(super) terms: Vec<Terms>,
    #[serde(default = "yes")]
    pub(super) default_security_controls: bool,
    #[serde(default)]
    pub(super) spot: Funds,
    #[serde(default)]
    pub(super) cross: Funds,
    #[serde(default)]
    pub(super) isolated: BTreeMap<Spanned<Named<Symbol>>, Funds>,
    pub(super) sub_of: Option<Spanned<Email>>,
    pub(super) residence: Option<Country>,
    #[serde(default)]
    pub(super) frozen: bool,
    #[serde(default)]
    pub(super) special_key_exception: bool,
    #[serde(default)]
    pub(super) key: Vec<Spanned<KeyTable>>,
}

/// Amounts by asset.
pub(super) type Funds = BTreeMap<Named<Asset>, Spanned<Decimal<Amount>>>;

/// `[[account.key]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyTable {
    pub(super) label: Spanned<String>,
    #[serde(rename = "type")]
    pub(super) key_type: Spanned<Parsed<KeyType>>,
    pub(super) permissions: Option<Spanned<Vec<Named<Permission>>>>,
    pub(super) ips: Option<Spanned<Vec<String>>>,
    pub(super) public_key: Option<Spanned<String>>,
    pub(super) api_key: Option<Spanned<String>>,
    pub(super) secret_key: Option<Spanned<Secret>>,
    pub(super) special: Option<Spanned<String>>,
    pub(super) permission_mode: Option<Spanned<PermissionMode>>,
    pub(super) created: Option<Spanned<Time>>,
    pub(super) symbols: Option<Spanned<Vec<Named<Symbol>>>>,
    #[serde(default)]
    pub(super) accepts: AcceptedProofs,
    pub(super) replay: Option<ReplayRule>,
}

/// `[market]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MarketTable {
    pub(super) flow: FlowName,
    pub(super) seed: u64,
    pub(super) symbol: Option<Vec<Spanned<SymbolTable>>>,
}

impl Default for MarketTable {
    fn default() -> Self {
        Self { flow: FlowName::Synthetic, seed: 1, symbol: None }
    }
}

/// `[[market.symbol]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SymbolTable {
    pub(super) symbol: Spanned<Named<Symbol>>,
    pub(super) price: Option<Spanned<Decimal<Price>>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FlowName {
    Synthetic,
    None,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Portfolio {
    #[default]
    None,
    Retail,
    Pro,
}

fn yes() -> bool {
    true
}

/// Text that no message repeats.
pub(super) struct Secret(pub(super) zeroize::Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a text", |text| Ok(Self(zeroize::Zeroizing::new(text.to_owned()))))
    }
}

/// A point in time as RFC 3339 writes it.
#[derive(Clone, Copy)]
pub(super) struct Time(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a time in quotes, such as \"2026-09-01T00:00:00Z\"", |text| {
            let time = text.parse::<Instant>().map_err(|_| "a time is written such as \"2026-09-01T00:00:00Z\"")?;
            Ok(Self(Timestamp::from_micros(time.as_microsecond())))
        })
    }
}

/// A number of at most eight decimals, as text or as a whole number.
pub(super) struct Decimal<T>(pub(super) T);

/// What [`Decimal`] reads.
pub(super) trait FromDecimal: Sized {
    fn from_decimal(text: &str) -> Option<Self>;
}

impl FromDecimal for Amount {
    fn from_decimal(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

impl FromDecimal for Price {
    fn from_decimal(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

impl<'de, T: FromDecimal> Deserialize<'de> for Decimal<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a number in quotes, such as \"0.5\"", |text| {
            T::from_decimal(text).map(Self).ok_or("a number has digits and at most eight decimals, such as \"0.5\"")
        })
    }
}

/// A value with a [`FromStr`] of its own.
#[derive(Clone, Copy)]
pub(super) struct Parsed<T>(pub(super) T);

impl<'de, T: FromStr<Err: core::fmt::Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

/// A value that is one of a list or has a narrow shape.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named<T>(pub(super) T);

/// What [`Named`] reads.
pub(super) trait FromName: Sized {
    fn from_name(name: &str) -> Result<Self, String>;
}

impl FromName for Permission {
    fn from_name(name: &str) -> Result<Self, String> {
        let names = || Self::ALL.iter().map(|known| known.as_str()).collect::<Vec<_>>().join("`, `");
        Self::parse(name).ok_or_else(|| format!("unknown permission `{name}`, expected one of `{}`", names()))
    }
}

impl FromName for Asset {
    fn from_name(name: &str) -> Result<Self, String> {
        Self::parse(name).ok_or_else(|| format!("`{name}` is no asset, such as `USDT`"))
    }
}

impl FromName for Symbol {
    fn from_name(name: &str) -> Result<Self, String> {
        Self::parse(name).ok_or_else(|| format!("`{name}` is no symbol, such as `BTCUSDT`"))
    }
}

impl<'de, T: FromName> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::from_name(&String::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}

/// Reads a text, or a whole number as the text of its digits.
fn text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    read: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<T, D::Error> {
    struct Visitor<T, F>(&'static str, F, PhantomData<T>);

    impl<T, F: Fn(&str) -> Result<T, &'static str>> de::Visitor<'_> for Visitor<T, F> {
        type Value = T;

        fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).map_err(E::custom)
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }

        fn visit_f64<E: de::Error>(self, _: f64) -> Result<T, E> {
            // A float may not be what was written, and its text is not repeated.
            Err(E::invalid_type(de::Unexpected::Other("a floating-point number"), &self))
        }
    }

    deserializer.deserialize_any(Visitor(expected, read, PhantomData))
}

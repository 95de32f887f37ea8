//! Every error that can leave the system: a row an error.
//!
//! The same number means different things in different API families, so rows are told apart by their constant,
//! never by their number. Sources: spot API error codes, 2026-07-21; margin error codes, 2026-01-15; where a
//! row's `source` is [`Source::Ours`] the contract is silent and the choice is ours.

use crate::Value;

mod capital;
mod engine;
mod market;
mod sapi;
mod security;
mod stream;

pub use capital::*;
pub use engine::*;
pub use market::*;
pub use sapi::*;
pub use security::*;
pub use stream::*;

/// Where a row comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The spot API's list of errors.
    Spot,
    /// The margin and wallet API's list of errors.
    Sapi,
    /// Seen from clients on the live service, absent from the lists.
    Seen,
    /// Not documented; our choice.
    Ours,
}

/// One error of the contract.
#[derive(Debug)]
pub struct ErrorRow {
    /// The negative number in `code`.
    pub code: i32,
    /// The published name.
    pub name: &'static str,
    /// The HTTP status that carries it.
    pub status: u16,
    /// The text in `msg`; each `%s` takes one argument.
    pub text: &'static str,
    /// Where the row comes from.
    pub source: Source,
}

impl ErrorRow {
    /// The error without arguments.
    pub const fn plain(&'static self) -> ApiError {
        ApiError { row: self, arguments: Vec::new(), data: None }
    }

    /// The error with the texts for its `%s`, in order.
    pub fn with<I, T>(&'static self, arguments: I) -> ApiError
    where
        I: IntoIterator<Item = T>,
        T: Into<Box<str>>,
    {
        ApiError { row: self, arguments: arguments.into_iter().map(Into::into).collect(), data: None }
    }
}

impl PartialEq for ErrorRow {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other) || (self.code, self.status, self.text) == (other.code, other.status, other.text)
    }
}

/// An error on its way to a caller.
#[derive(Clone, PartialEq, Debug)]
pub struct ApiError {
    /// Which error.
    pub row: &'static ErrorRow,
    /// The texts for the row's `%s`.
    pub arguments: Vec<Box<str>>,
    /// The member `data`, where the contract has one.
    pub data: Option<Value>,
}

impl ApiError {
    /// The text in `msg`.
    pub fn message(&self) -> String {
        let mut message = String::with_capacity(self.row.text.len() + 16);
        let mut arguments = self.arguments.iter();
        for (index, part) in self.row.text.split("%s").enumerate() {
            if index > 0 {
                message.push_str(arguments.next().map_or("", |argument| argument));
            }
            message.push_str(part);
        }
        message
    }

    /// The body: `{"code","msg"}` and `data` where there is one.
    pub fn to_value(&self) -> Value {
        let mut fields = vec![("code", Value::Int(self.row.code.into())), ("msg", Value::from(self.message()))];
        if let Some(data) = &self.data {
            fields.push(("data", data.clone()));
        }
        Value::Object(fields)
    }
}

/// Declares rows: `/// doc` `NAME = code "PUBLISHED_NAME" status "text" source;`.
macro_rules! rows {
    ($($(#[$doc:meta])* $constant:ident = $code:literal $name:literal $status:literal $text:literal $source:ident;)+) => {
        $(
            $(#[$doc])*
            pub static $constant: crate::code::ErrorRow = crate::code::ErrorRow {
                code: $code,
                name: $name,
                status: $status,
                text: $text,
                source: crate::code::Source::$source,
            };
        )+

        /// Every row of this list.
        pub(crate) static ROWS: &[&crate::code::ErrorRow] = &[$(&$constant),+];
    };
}
pub(crate) use rows;

/// Every row.
pub fn all() -> impl Iterator<Item = &'static ErrorRow> {
    [security::ROWS, market::ROWS, engine::ROWS, stream::ROWS, sapi::ROWS, capital::ROWS].into_iter().flatten().copied()
}

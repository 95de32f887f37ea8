//! What the console asks of the world besides the authority's ports.

use core::future::Future;
use core::pin::Pin;

use latchkey_authority::account::Email;
use latchkey_authority::ports::ExchangeFacts;
use latchkey_protocol::{AccountId, Symbol};

/// The answer of a port that waits.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send + 'a>>;

/// The other side does not answer. What it said is for the log alone.
#[derive(Debug, thiserror::Error)]
#[error("the service behind this does not answer")]
pub struct Unavailable(#[source] pub Box<dyn core::error::Error + Send + Sync>);

/// Sends e-mail.
pub trait Mail: Send + Sync {
    /// Hands a message over; it returns when the message is accepted for delivery, not when it is delivered.
    fn send<'a>(&'a self, to: &'a Email, subject: &'a str, text: &'a str) -> Answer<'a, ()>;
}

/// Sends text messages. Latchkey keeps no telephone numbers: whoever answers knows the owner's by the account.
pub trait Sms: Send + Sync {
    /// Hands a message over for the owner of `account`.
    fn send<'a>(&'a self, account: AccountId, email: &'a Email, text: &'a str) -> Answer<'a, ()>;
}

/// Reads the audit chain.
pub trait AuditLog: Send + Sync {
    /// The records of `account` with a sequence above `after`, oldest first, at most `limit`: each as the export
    /// format has it, so that the lines of an owner's export verify on their own.
    fn of(&self, account: AccountId, after: u64, limit: u32) -> Answer<'_, Vec<serde_json::Value>>;
}

/// Asks the exchange what decisions about special keys ask of it.
pub trait Exchange: Send + Sync {
    /// What it knows of the margin account of `owner`, and of the pair that is addressed.
    fn facts(&self, owner: AccountId, symbol: Option<Symbol>) -> Answer<'_, ExchangeFacts>;
}

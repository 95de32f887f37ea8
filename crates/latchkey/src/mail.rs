//! How letters and text messages leave: adapters behind the console's ports.
//!
//! A server sends by [`smtp`] and [`sms`]; a demo keeps everything in a [`mailbox`] that its operator reads.

pub mod mailbox;
pub mod sms;
pub mod smtp;

use latchkey_console::ports::Unavailable;

/// Wraps what an adapter met.
fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unavailable {
    Unavailable(error.into())
}

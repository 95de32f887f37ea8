//! How letters and text messages leave: adapters behind the console's ports.
//!
//! A server sends by [`smtp`] and [`sms`]; a demo keeps everything in a [`mailbox`] that its operator reads.

pub mod mailbox;
pub mod sms;
pub mod smtp;

use std::sync::Arc;

use latchkey_admission::ports::Clock;
use latchkey_console::ports::{Mail, Sms, Unavailable};

use mailbox::Mailbox;

/// The ways to owners.
#[derive(Clone)]
pub struct Channels {
    /// What sends letters.
    pub mail: Option<Arc<dyn Mail>>,
    /// What sends text messages.
    pub sms: Option<Arc<dyn Sms>>,
    /// Where both are kept instead.
    pub mailbox: Option<Arc<Mailbox>>,
}

impl Channels {
    /// Keeps everything in a mailbox.
    pub fn kept(clock: Arc<dyn Clock>) -> Self {
        let mailbox = Arc::new(Mailbox::new(clock));
        Self { mail: Some(Arc::clone(&mailbox) as _), sms: Some(Arc::clone(&mailbox) as _), mailbox: Some(mailbox) }
    }
}

/// Wraps what an adapter met.
fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unavailable {
    Unavailable(error.into())
}

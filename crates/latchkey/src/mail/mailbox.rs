//! The demo's mailbox: letters and text messages stay here, in memory, for whoever holds the operator's token.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use latchkey_admission::ports::Clock;
use latchkey_authority::account::Email;
use latchkey_console::ports::{Answer, Mail, Sms};
use latchkey_protocol::{AccountId, Timestamp};

/// How many messages are kept; the oldest go first.
const KEPT: usize = 200;

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// When it was sent.
    pub at: Timestamp,
    /// By which way.
    pub channel: Channel,
    /// To whom.
    pub to: Email,
    /// The subject; a text message has none.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// The way of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Channel {
    /// A letter.
    Mail,
    /// A text message.
    Sms,
}

impl Channel {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Sms => "sms",
        }
    }
}

/// Takes every message and sends none.
pub struct Mailbox {
    clock: Arc<dyn Clock>,
    messages: Mutex<VecDeque<Message>>,
}

impl Mailbox {
    /// An empty one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, messages: Mutex::default() }
    }

    /// What it holds, newest first.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }

    fn keep(&self, channel: Channel, to: &Email, subject: &str, text: &str) {
        let message = Message {
            at: self.clock.now(),
            channel,
            to: to.clone(),
            subject: subject.to_owned(),
            text: text.to_owned(),
        };
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.len() == KEPT {
            messages.pop_front();
        }
        messages.push_back(message);
    }
}

impl Mail for Mailbox {
    fn send<'a>(&'a self, to: &'a Email, subject: &'a str, text: &'a str) -> Answer<'a, ()> {
        self.keep(Channel::Mail, to, subject, text);
        Box::pin(async { Ok(()) })
    }
}

impl Sms for Mailbox {
    fn send<'a>(&'a self, _: AccountId, email: &'a Email, text: &'a str) -> Answer<'a, ()> {
        self.keep(Channel::Sms, email, "", text);
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct At(Timestamp);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    #[tokio::test]
    async fn the_newest_stands_first_and_the_oldest_goes() {
        let mailbox = Mailbox::new(Arc::new(At(Timestamp::from_micros(7))));
        let to = Email::parse("alice@example.com").unwrap();
        for number in 0..=KEPT {
            Mail::send(&mailbox, &to, "s", &number.to_string()).await.unwrap();
        }
        Sms::send(&mailbox, AccountId(1), &to, "sms").await.unwrap();
        let messages = mailbox.messages();
        assert_eq!(messages.len(), KEPT);
        assert_eq!((messages[0].channel, messages[0].text.as_str()), (Channel::Sms, "sms"));
        assert_eq!(messages[1].text, KEPT.to_string());
        assert_eq!(messages[KEPT - 1].text, "2");
        assert_eq!(messages[0].at, Timestamp::from_micros(7));
    }
}

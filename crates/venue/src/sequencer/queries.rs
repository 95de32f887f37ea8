//! The queue of queries, and how the thread hears that one waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use latchkey_admission::Permit;
use latchkey_exchange::Core;
use latchkey_protocol::Timestamp;
use tokio::sync::oneshot;

use super::{ExchangeError, Message, Verdict, hand_over, send};

/// A query under way.
pub(super) trait Query: Send {
    /// Reads the exchange and sends the answer.
    fn answer(self: Box<Self>, core: &Core, now: Timestamp);
}

/// A query of a call or of the house; that of the house has no permit.
pub(super) struct Asked<F, T> {
    pub(super) permit: Option<Permit>,
    pub(super) ask: F,
    pub(super) to: oneshot::Sender<Verdict<T>>,
}

impl<F, T> Query for Asked<F, T>
where
    F: FnOnce(&Core, Timestamp) -> T + Send,
    T: Send,
{
    fn answer(self: Box<Self>, core: &Core, now: Timestamp) {
        let Self { permit, ask, to } = *self;
        let found = match hand_over(permit, now) {
            // A query only reads: should one panic, its caller gets no answer and the exchange goes on.
            Ok(()) => match catch_unwind(AssertUnwindSafe(|| ask(core, now))) {
                Ok(found) => Ok(found),
                Err(_) => return,
            },
            Err(rejection) => Err(rejection),
        };
        // A caller that went away needs no answer.
        let _ = to.send(found);
    }
}

/// A queue of at most `length` queries, whose reader waits at the other end of `commands`.
pub(super) fn queue(commands: SyncSender<Message>, length: usize) -> (Asking, Waiting) {
    let (queue, waiting) = sync_channel(length);
    let told = Arc::new(AtomicBool::new(false));
    (Asking { queue, commands, told: told.clone() }, Waiting { queue: waiting, told })
}

/// Where queries are queued.
#[derive(Clone)]
pub(super) struct Asking {
    queue: SyncSender<Box<dyn Query>>,
    commands: SyncSender<Message>,
    /// Whether the thread has been told to look since it last looked.
    told: Arc<AtomicBool>,
}

impl Asking {
    pub(super) fn ask(&self, query: Box<dyn Query>) -> Result<(), ExchangeError> {
        send(&self.queue, query)?;
        if self.told.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        match send(&self.commands, Message::Look) {
            // A thread with a full queue is not asleep, and looks after its batch.
            Ok(()) | Err(ExchangeError::Busy) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Where the thread finds queries.
pub(super) struct Waiting {
    queue: Receiver<Box<dyn Query>>,
    told: Arc<AtomicBool>,
}

impl Waiting {
    /// Up to `most` queries, oldest first. Whoever queues one after this began tells the thread again, so that none
    /// is left behind by a thread that then goes to sleep with the queue empty.
    pub(super) fn take(&self, most: usize) -> impl Iterator<Item = Box<dyn Query>> {
        self.told.store(false, Ordering::SeqCst);
        self.queue.try_iter().take(most)
    }
}

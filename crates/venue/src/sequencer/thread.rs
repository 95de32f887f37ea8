//! The loop of the thread: wait, take a batch, commit, answer, look at some queries.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread::yield_now;
use std::time::Duration;

use latchkey_admission::ports::Clock;
use latchkey_exchange::ports::JournalError;
use tokio::sync::watch;

use super::desk::Desk;
use super::queries::Waiting;
use super::{End, Message};

/// The most messages that share one commit.
const BATCH: usize = 512;
/// The most queries between two batches.
const QUERIES: usize = 32;

/// Tells the house how the thread ended, also when it panics.
pub(super) struct Guard(watch::Sender<Option<End>>);

impl Guard {
    pub(super) fn new(end: watch::Sender<Option<End>>) -> Self {
        Self(end)
    }

    pub(super) fn end(self, end: End) {
        self.0.send_replace(Some(end));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.send_if_modified(|end| {
            let silent = end.is_none();
            end.get_or_insert(End::Failed);
            silent
        });
    }
}

/// Runs until asked to stop, until nobody can ask any more, or until the journal fails.
pub(super) fn run(mut desk: Desk, queue: Receiver<Message>, queries: Waiting, clock: &dyn Clock) -> End {
    match serve(&mut desk, &queue, &queries, clock) {
        Ok(()) => {
            desk.close();
            End::Stopped
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::error!(%error, cause, "the exchange has stopped: calls under way have an unknown outcome");
            End::Failed
        }
    }
}

fn serve(desk: &mut Desk, queue: &Receiver<Message>, queries: &Waiting, clock: &dyn Clock) -> Result<(), JournalError> {
    let mut may_sleep = true;
    loop {
        let mut next = match no_wait(queue) {
            Err(RecvTimeoutError::Timeout) if may_sleep => wait(desk, queue, clock),
            next => next,
        };
        let mut on = true;
        for taken in 1..=BATCH {
            match next {
                Ok(message) => on = desk.take(clock.now(), message)?,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => on = false,
            }
            if !on || taken == BATCH {
                break;
            }
            next = no_wait(queue);
        }
        desk.tick(clock.now())?;
        desk.settle()?;
        // What waited before the end is answered too.
        let most = if on { QUERIES } else { usize::MAX };
        let answered = queries.take(most).map(|query| desk.answer(clock.now(), query)).count();
        may_sleep = answered < most;
        if !on {
            return Ok(());
        }
    }
}

/// Waits for a message, or until the synthetic market is due.
fn wait(desk: &Desk, queue: &Receiver<Message>, clock: &dyn Clock) -> Result<Message, RecvTimeoutError> {
    // Who has more to ask may be waiting for this very processor. Once it has asked, nobody need wake this thread, and
    // what it asked is answered at one stretch.
    yield_now();
    match desk.until_tick(clock.now()) {
        None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        Some(wait) => queue.recv_timeout(Duration::from_micros(wait)),
    }
}

fn no_wait(queue: &Receiver<Message>) -> Result<Message, RecvTimeoutError> {
    queue.try_recv().map_err(|error| match error {
        TryRecvError::Empty => RecvTimeoutError::Timeout,
        TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
    })
}

//! The way to the exchange: two bounded queues to the one thread that owns it, one of commands, one of queries.
//!
//! One hop there, one answer back. The thread takes the commands that have arrived, asks each permit once more, carries
//! them out, commits once for all of them, and only then lets the answers leave. Between two such batches it answers
//! some queries, so that a flood of them makes queries wait and be refused, never orders.

mod desk;
mod queries;
mod snapshots;
mod thread;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use arc_swap::ArcSwap;
use latchkey_admission::ports::Clock;
use latchkey_admission::{Call, Permit, Reason, Rejection, Stage};
use latchkey_authority::change::{Effect, EffectId as OutboxId};
use latchkey_authority::ports::ExchangeFacts;
use latchkey_exchange::ports::{Journal, JournalError};
use latchkey_exchange::{Command, Core, EffectId, MarketSettings, OrderLimits, Refusal, Reply, Sequencer, Transfer};
use latchkey_protocol::{AccountId, Amount, Asset, Symbol, Timestamp, TradingAccount, code};
use tokio::sync::{oneshot, watch};

use crate::symbols::Symbols;
use desk::Desk;
use queries::{Asked, Asking};
pub use snapshots::Snapshots;

/// The most commands that wait for the thread; beyond it a call is refused with `-1008`.
pub const QUEUE: usize = 8192;
/// The most queries that wait for the thread; beyond it a call is refused with `-1008`.
pub const QUERY_QUEUE: usize = 1024;
/// Commands between two snapshots.
pub const SNAPSHOT_EVERY: u64 = 500_000;

/// What a thread is made of.
pub struct Parts {
    /// What an empty journal starts from; a used one keeps its own.
    pub settings: MarketSettings,
    /// A state from a snapshot and the number of the last record in it.
    pub restored: Option<(Core, u64)>,
    /// The unfilled-order limits that policy has in force; recorded when they changed.
    pub limits: OrderLimits,
    /// The command log.
    pub journal: Box<dyn Journal + Send>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Where snapshots go, and how many records lie between two.
    pub snapshots: Option<(Arc<dyn Snapshots>, u64)>,
    /// How many commands may wait, and how many queries unless that is more than [`QUERY_QUEUE`]; see [`QUEUE`].
    pub queue: NonZeroUsize,
}

/// How the thread ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It was asked to; everything is durable.
    Stopped,
    /// Its journal or itself failed; what was under way has an unknown outcome.
    Failed,
}

/// Why the exchange was not reached, or what it said.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The queue is full; nothing was done.
    #[error("the exchange's queue is full")]
    Busy,
    /// The thread has ended; what was under way has an unknown outcome.
    #[error("the exchange has stopped")]
    Stopped,
    /// Refused; nothing was done.
    #[error("the exchange refused: {0}")]
    Refused(Refusal),
}

/// What becomes of a command or query of a call.
pub(crate) type Verdict<T> = Result<T, Rejection>;
/// Where an answer to a command goes; none for the thread's own.
type Token = Option<oneshot::Sender<Verdict<Result<Reply, Refusal>>>>;

/// What is asked of the thread.
enum Message {
    /// A command, of a call or of the house.
    Command(Box<Ordered>),
    /// Queries wait in their own queue.
    Look,
    /// Drain no more and end.
    Stop,
}

/// A command under way. One of the house has no permit.
struct Ordered {
    permit: Option<Permit>,
    command: Command,
    token: Token,
}

/// The exchange as the rest of the house reaches it. Cheap to clone.
#[derive(Clone)]
pub struct Exchange {
    queue: SyncSender<Message>,
    queries: Asking,
    symbols: Arc<ArcSwap<Symbols>>,
    ended: watch::Receiver<Option<End>>,
    last_transfer: Arc<AtomicI64>,
    clock: Arc<dyn Clock>,
}

/// The running thread. Dropping it leaves the thread running until every [`Exchange`] is gone.
pub struct Sequencing {
    queue: SyncSender<Message>,
    thread: std::thread::JoinHandle<()>,
    ended: watch::Receiver<Option<End>>,
}

impl Sequencing {
    /// Carries out what was queued before, commits, saves a last snapshot and waits for the end. Blocks.
    pub fn stop(self) -> End {
        // Fails only when the thread has ended by itself.
        let _ = self.queue.send(Message::Stop);
        let joined = self.thread.join();
        let end = *self.ended.borrow();
        if joined.is_err() { End::Failed } else { end.unwrap_or(End::Failed) }
    }
}

impl Exchange {
    /// Reads the journal back, puts the limits in force, takes a first step of the synthetic market and starts the
    /// thread. Blocks until the exchange is ready.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn start(parts: Parts) -> Result<(Self, Sequencing), JournalError> {
        let Parts { settings, restored, limits, mut journal, clock, snapshots, queue } = parts;
        let last_snapshot = restored.as_ref().map_or(0, |(_, last)| *last);
        let sequencer: Sequencer<Token> = match restored {
            Some((core, last)) => Sequencer::resume(core, last, journal.as_mut())?,
            None => Sequencer::open(settings, journal.as_mut())?,
        };
        let mut desk = Desk::new(sequencer, journal, snapshots, last_snapshot);
        let now = clock.now();
        if desk.core().limits() != limits {
            desk.carry_out(now, &Command::SetOrderLimits(limits), None)?;
        }
        desk.tick(now)?;
        desk.settle()?;
        let symbols = desk.symbols();
        let (sender, receiver) = sync_channel(queue.get());
        let (queries, asked) = queries::queue(sender.clone(), queue.get().min(QUERY_QUEUE));
        let (end, ended) = watch::channel(None);
        let thread_clock = clock.clone();
        let thread = std::thread::Builder::new()
            .name("sequencer".into())
            .spawn(move || {
                // The queue is gone before the end is told, and a panic does not look like a stop.
                let guard = thread::Guard::new(end);
                guard.end(thread::run(desk, receiver, asked, thread_clock.as_ref()));
            })
            .map_err(|error| JournalError::Storage(Box::new(error)))?;
        let exchange = Self {
            queue: sender.clone(),
            queries,
            symbols,
            ended: ended.clone(),
            last_transfer: Arc::new(AtomicI64::new(0)),
            clock,
        };
        Ok((exchange, Sequencing { queue: sender, thread, ended }))
    }

    /// Waits until the thread has ended.
    pub async fn ended(&self) -> End {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(end) => end.unwrap_or(End::Failed),
            Err(_) => End::Failed,
        }
    }

    /// What is announced of the symbols, as of the last durable change.
    pub(crate) fn symbols(&self) -> Arc<Symbols> {
        self.symbols.load_full()
    }

    /// Queues an admitted command.
    pub(crate) fn command(
        &self,
        permit: Permit,
        command: Command,
    ) -> Result<oneshot::Receiver<Verdict<Result<Reply, Refusal>>>, Rejection> {
        self.queue_command(Some(permit), command).map_err(rejected)
    }

    /// Queues an admitted query.
    pub(crate) fn query<T: Send + 'static>(
        &self,
        permit: Permit,
        ask: impl FnOnce(&Core, Timestamp) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<Verdict<T>>, Rejection> {
        self.queue_query(Some(permit), ask).map_err(rejected)
    }

    /// Delivers an effect of the outbox. The exchange carries out each number once, so that a repetition is harmless.
    ///
    /// # Errors
    /// [`ExchangeError`]; after [`ExchangeError::Stopped`] it must be delivered again.
    pub async fn deliver(&self, id: OutboxId, effect: &Effect) -> Result<(), ExchangeError> {
        let id = EffectId(id.0);
        self.carry_out(match *effect {
            Effect::OpenWallet { account } => Command::OpenWallet { effect: id, account },
            Effect::Credit { account, asset, amount } => {
                Command::Credit(Transfer { effect: id, account, asset, amount })
            }
            Effect::EnterSpecialMode { owner } => Command::EnterSpecialMode { effect: id, owner },
            Effect::LeaveSpecialMode { owner } => Command::LeaveSpecialMode { effect: id, owner },
            Effect::CancelEverything { owner } => Command::CancelEverything { effect: id, owner },
        })
        .await
        .map(drop)
    }

    /// Brings an amount into a wallet from outside: the sandbox's deposit. Durable when it returns.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub async fn deposit(&self, account: TradingAccount, asset: Asset, amount: Amount) -> Result<(), ExchangeError> {
        self.sandbox(|effect| Command::Credit(Transfer { effect, account, asset, amount })).await
    }

    /// Takes an amount of free balance out of a wallet: the sandbox's withdrawal. Durable when it returns.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub async fn withdraw(&self, account: TradingAccount, asset: Asset, amount: Amount) -> Result<(), ExchangeError> {
        self.sandbox(|effect| Command::Debit(Transfer { effect, account, asset, amount })).await
    }

    /// Makes an owner owe the venue an amount, as a liquidation that ended below zero would: the sandbox's liquidation
    /// loan. Durable when it returns.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub async fn lend(&self, owner: AccountId, asset: Asset, amount: Amount) -> Result<(), ExchangeError> {
        self.sandbox(|effect| Command::OpenLiquidationLoan { effect, owner, asset, amount }).await
    }

    /// Carries out a command of the sandbox under a number that no other has.
    async fn sandbox(&self, command: impl Fn(EffectId) -> Command) -> Result<(), ExchangeError> {
        loop {
            if self.carry_out(command(self.sandbox_number())).await? != Reply::AlreadyDone {
                return Ok(());
            }
        }
    }

    /// A number for a command of the sandbox. The outbox counts up from one; the sandbox takes the numbers below
    /// zero, named after the time, so that they differ over restarts too.
    fn sandbox_number(&self) -> EffectId {
        let now = self.clock.now().as_micros();
        let next = |last: i64| Some(now.max(last.saturating_add(1)));
        let update = self.last_transfer.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let (Ok(last) | Err(last)) = update;
        EffectId(now.max(last.saturating_add(1)).saturating_neg())
    }

    /// Carries out a command of the house. Durable when it returns.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub async fn carry_out(&self, command: Command) -> Result<Reply, ExchangeError> {
        match self.queue_command(None, command)?.await {
            Ok(Ok(outcome)) => outcome.map_err(ExchangeError::Refused),
            // Commands of the house hold no permit that could be refused.
            Ok(Err(_)) | Err(_) => Err(ExchangeError::Stopped),
        }
    }

    /// What decisions about keys ask of the exchange; `symbol` is the pair that is addressed.
    ///
    /// # Errors
    /// [`ExchangeError::Busy`], [`ExchangeError::Stopped`].
    pub async fn facts(&self, owner: AccountId, symbol: Option<Symbol>) -> Result<ExchangeFacts, ExchangeError> {
        self.read(move |core, _| {
            let held = core.may_leave_special_mode(owner).err();
            let spec = symbol.and_then(|symbol| core.symbol(symbol));
            ExchangeFacts {
                special_mode: core.owner(owner).special_mode,
                has_liability: held == Some(Refusal::LiabilityOutstanding),
                in_liquidation: held == Some(Refusal::InLiquidation),
                isolated_pair: spec.is_some_and(|spec| spec.margin_trading),
            }
        })
        .await
    }

    /// The hash of the whole state.
    ///
    /// # Errors
    /// [`ExchangeError::Busy`], [`ExchangeError::Stopped`].
    pub async fn state_hash(&self) -> Result<[u8; 32], ExchangeError> {
        self.read(|core, _| core.state_hash()).await
    }

    /// Reads the exchange for the house. The answer is durable.
    ///
    /// # Errors
    /// [`ExchangeError::Busy`], [`ExchangeError::Stopped`].
    pub async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Core, Timestamp) -> T + Send + 'static,
    ) -> Result<T, ExchangeError> {
        match self.queue_query(None, ask)?.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(_)) | Err(_) => Err(ExchangeError::Stopped),
        }
    }

    fn queue_command(
        &self,
        permit: Option<Permit>,
        command: Command,
    ) -> Result<oneshot::Receiver<Verdict<Result<Reply, Refusal>>>, ExchangeError> {
        let (token, answer) = oneshot::channel();
        send(&self.queue, Message::Command(Box::new(Ordered { permit, command, token: Some(token) })))?;
        Ok(answer)
    }

    fn queue_query<T: Send + 'static>(
        &self,
        permit: Option<Permit>,
        ask: impl FnOnce(&Core, Timestamp) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<Verdict<T>>, ExchangeError> {
        let (to, answer) = oneshot::channel();
        self.queries.ask(Box::new(Asked { permit, ask, to }))?;
        Ok(answer)
    }
}

/// Queues without waiting.
fn send<T>(queue: &SyncSender<T>, message: T) -> Result<(), ExchangeError> {
    queue.try_send(message).map_err(|error| match error {
        TrySendError::Full(_) => ExchangeError::Busy,
        TrySendError::Disconnected(_) => ExchangeError::Stopped,
    })
}

/// Asks a permit in the last instant; the house needs none.
fn hand_over(permit: Option<Permit>, now: Timestamp) -> Verdict<()> {
    permit.map_or(Ok(()), |permit| permit.hand_over(now).map(drop::<Call>))
}

fn rejected(error: ExchangeError) -> Rejection {
    match error {
        ExchangeError::Busy => Rejection::new(Stage::HandOver, Reason::Busy),
        ExchangeError::Stopped | ExchangeError::Refused(_) => Rejection::venue(code::DISCONNECTED.plain()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_is_busy_and_one_that_nobody_reads_is_not() {
        let (queue, reader) = std::sync::mpsc::sync_channel(1);
        assert!(send(&queue, 1).is_ok());
        let busy = rejected(send(&queue, 2).unwrap_err());
        assert_eq!(busy, Rejection::new(Stage::HandOver, Reason::Busy));
        drop(reader);
        let stopped = rejected(send(&queue, 3).unwrap_err());
        assert_eq!(stopped, Rejection::venue(code::DISCONNECTED.plain()));
    }
}

//! What the thread does with one message: a state machine without a clock or a queue of its own.

use std::sync::Arc;

use arc_swap::ArcSwap;
use latchkey_exchange::ports::{Journal, JournalError};
use latchkey_exchange::{Command, Core, Flow, Refusal, Reply, Sequencer};
use latchkey_protocol::Timestamp;

use super::queries::Query;
use super::snapshots::{Snapshots, Snapshotter};
use super::{Message, Ordered, Token, Verdict, hand_over};
use crate::symbols::Symbols;

/// How often the synthetic market takes a step: 100 ms.
const TICK_US: i64 = 100_000;

/// The exchange with its log, and the answers that wait for the next commit.
pub(super) struct Desk {
    sequencer: Sequencer<Token>,
    journal: Box<dyn Journal + Send>,
    /// The last record that is durable.
    durable: u64,
    symbols: Arc<ArcSwap<Symbols>>,
    symbols_changed: bool,
    next_tick: Option<Timestamp>,
    snapshots: Option<Snapshotter>,
    /// The last record that the log was told to let go of.
    forgotten: u64,
}

impl Desk {
    pub(super) fn new(
        sequencer: Sequencer<Token>,
        journal: Box<dyn Journal + Send>,
        snapshots: Option<(Arc<dyn Snapshots>, u64)>,
        last_snapshot: u64,
    ) -> Self {
        let symbols = Arc::new(ArcSwap::from_pointee(Symbols::of(sequencer.core())));
        let durable = sequencer.last_sequence();
        let snapshots = snapshots.map(|(to, every)| Snapshotter::new(to, every, last_snapshot));
        Self { sequencer, journal, durable, symbols, symbols_changed: false, next_tick: None, snapshots, forgotten: 0 }
    }

    pub(super) fn core(&self) -> &Core {
        self.sequencer.core()
    }

    /// Where the symbols are announced.
    pub(super) fn symbols(&self) -> Arc<ArcSwap<Symbols>> {
        self.symbols.clone()
    }

    /// Carries out one message, or nothing when it says that queries wait. `false`: it asked to end.
    pub(super) fn take(&mut self, now: Timestamp, message: Message) -> Result<bool, JournalError> {
        match message {
            Message::Command(ordered) => {
                let Ordered { permit, command, token } = *ordered;
                match hand_over(permit, now) {
                    Ok(()) => self.carry_out(now, &command, token)?,
                    // Nothing happened, so nothing has to be durable before this is said.
                    Err(rejection) => send(token, Err(rejection)),
                }
            }
            Message::Look => {}
            Message::Stop => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn carry_out(&mut self, now: Timestamp, command: &Command, token: Token) -> Result<(), JournalError> {
        self.symbols_changed |= announced(command);
        self.sequencer.submit(token, now, command, self.journal.as_mut())
    }

    /// Takes a step of the synthetic market when one is due.
    pub(super) fn tick(&mut self, now: Timestamp) -> Result<(), JournalError> {
        if self.sequencer.core().flow() == Flow::Synthetic && self.next_tick.is_none_or(|due| due <= now) {
            self.next_tick = Some(now.plus_micros(TICK_US));
            self.carry_out(now, &Command::Tick, None)?;
        }
        Ok(())
    }

    /// How long until the next step is due, in microseconds; `None` without a synthetic market.
    pub(super) fn until_tick(&self, now: Timestamp) -> Option<u64> {
        self.next_tick.map(|due| due.micros_since(now).clamp(0, TICK_US).cast_unsigned())
    }

    /// Makes everything so far durable and lets the answers leave.
    pub(super) fn settle(&mut self) -> Result<(), JournalError> {
        if self.sequencer.waiting() > 0 {
            let changed = std::mem::take(&mut self.symbols_changed);
            let announced = changed.then(|| Arc::new(Symbols::of(self.sequencer.core())));
            let last = self.sequencer.last_sequence();
            let released = self.sequencer.commit(self.journal.as_mut())?;
            self.durable = last;
            if let Some(announced) = announced {
                self.symbols.store(announced);
            }
            for released in released {
                send(released.token, Ok(released.outcome));
            }
        }
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.after(self.durable, self.sequencer.core());
            let covered = snapshots.covered();
            if covered > self.forgotten {
                self.forgotten = covered;
                if let Err(error) = self.journal.forget(covered) {
                    tracing::warn!(%error, covered, "the log of the exchange keeps what a snapshot has");
                }
            }
        }
        Ok(())
    }

    /// Answers a query. Everything that it can see is durable, since it is asked between [`Self::settle`] and the next
    /// command.
    pub(super) fn answer(&self, now: Timestamp, query: Box<dyn Query>) {
        query.answer(self.sequencer.core(), now);
    }

    /// Saves a last snapshot.
    pub(super) fn close(self) {
        if let Some(snapshots) = self.snapshots {
            snapshots.close(self.durable, self.sequencer.core());
        }
    }
}

fn send(token: Token, verdict: Verdict<Result<Reply, Refusal>>) {
    if let Some(token) = token {
        // A caller that went away needs no answer.
        let _ = token.send(verdict);
    }
}

/// Whether a command changes what is announced of the symbols.
fn announced(command: &Command) -> bool {
    match command {
        Command::AddSymbol(_)
        | Command::SetSymbolStatus { .. }
        | Command::SetOrderLimits(_)
        | Command::SetDefaultCommission(_) => true,
        Command::Place(_)
        | Command::PlaceWithin { .. }
        | Command::Cancel(_)
        | Command::CancelAll { .. }
        | Command::CancelEverything { .. }
        | Command::OpenWallet { .. }
        | Command::Credit(_)
        | Command::Debit(_)
        | Command::SetCommission { .. }
        | Command::EnterSpecialMode { .. }
        | Command::LeaveSpecialMode { .. }
        | Command::OpenLiquidationLoan { .. }
        | Command::RepayLiquidationLoan { .. }
        | Command::Tick => false,
    }
}

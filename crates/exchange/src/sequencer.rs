//! The order of all commands, and the promise that what was answered stays.
//!
//! ```text
//! submit ─▶ apply to the core ─▶ append to the journal ─┐
//! submit ─▶ …                                           ├─▶ commit ─▶ answers leave, in order
//! submit ─▶ refused: nothing to write ──────────────────┘
//! ```
//!
//! A state machine without I/O of its own: the driver owns the thread and the journal, collects what has arrived,
//! submits it, and commits once for all of it. What a query sees between `submit` and `commit` may not be durable
//! yet, so the driver holds its answer back until the commit as well.

use latchkey_protocol::Timestamp;

use crate::command::{decode_versioned, encode_versioned};
use crate::ports::{Journal, JournalError};
use crate::{Command, Core, DecodeError, MarketSettings, Refusal, Reply};

/// The number of the first record, which holds the settings.
const FIRST: u64 = 1;
/// The first byte of a record with settings, and of one with a command.
const SETTINGS: u8 = b'S';
const COMMAND: u8 = b'C';

/// A core, the number of its last logged command, and answers that wait for the next commit. `T` is what the caller
/// wants back with the answer.
#[derive(Debug)]
pub struct Sequencer<T> {
    core: Core,
    last: u64,
    record: Vec<u8>,
    waiting: Vec<Released<T>>,
    stopped: bool,
}

/// An answer that may leave.
#[derive(Debug)]
pub struct Released<T> {
    /// What the caller gave with the command.
    pub token: T,
    /// What became of it.
    pub outcome: Result<Reply, Refusal>,
}

impl<T> Sequencer<T> {
    /// Starts from a journal. An empty one gets the settings as its first record; else everything in it is carried
    /// out again, and the recorded settings hold whatever `settings` says.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn open(settings: MarketSettings, journal: &mut dyn Journal) -> Result<Self, JournalError> {
        let mut recovered: Option<(Core, u64)> = None;
        journal.read_from(FIRST, &mut |sequence, record| match &mut recovered {
            None => {
                recovered = Some((Core::new(first_record(sequence, record)?).map_err(JournalError::Settings)?, FIRST));
                Ok(())
            }
            Some((core, last)) => replay_record(core, last, sequence, record),
        })?;
        if let Some((core, last)) = recovered {
            return Ok(Self::at(core, last));
        }
        let core = Core::new(settings.clone()).map_err(JournalError::Settings)?;
        let mut record = vec![SETTINGS];
        encode_versioned(&settings, &mut record);
        journal.append(FIRST, &record)?;
        journal.commit()?;
        Ok(Self::at(core, FIRST))
    }

    /// Starts from a core that was restored from a snapshot taken after record `last`, and carries out what the
    /// journal holds after it.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn resume(mut core: Core, last: u64, journal: &mut dyn Journal) -> Result<Self, JournalError> {
        let last = replay(&mut core, last, journal)?;
        Ok(Self::at(core, last))
    }

    fn at(core: Core, last: u64) -> Self {
        Self { core, last, record: Vec::new(), waiting: Vec::new(), stopped: false }
    }

    /// The exchange, for queries.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The number of the last record, durable or not.
    pub fn last_sequence(&self) -> u64 {
        self.last
    }

    /// How many answers wait for the next commit.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Carries out a command and writes it to the journal, unless it changed nothing. The answer waits for
    /// [`Sequencer::commit`].
    ///
    /// # Errors
    /// See [`JournalError`]. The core is then ahead of the journal: nothing more is accepted, waiting answers never
    /// leave, and the driver must start anew from the journal.
    pub fn submit(
        &mut self,
        token: T,
        at: Timestamp,
        command: &Command,
        journal: &mut dyn Journal,
    ) -> Result<(), JournalError> {
        if self.stopped {
            return Err(JournalError::Stopped);
        }
        let outcome = self.core.apply(at, command);
        if matches!(&outcome, Ok(reply) if *reply != Reply::AlreadyDone) {
            self.record.clear();
            self.record.push(COMMAND);
            self.record.extend_from_slice(&self.core.now().as_micros().to_le_bytes());
            command.encode(&mut self.record);
            self.stopped = true;
            journal.append(self.last + 1, &self.record)?;
            self.stopped = false;
            self.last += 1;
        }
        self.waiting.push(Released { token, outcome });
        Ok(())
    }

    /// Makes everything submitted durable and releases the answers, in the order of submission.
    ///
    /// # Errors
    /// As [`Sequencer::submit`].
    pub fn commit(&mut self, journal: &mut dyn Journal) -> Result<std::vec::Drain<'_, Released<T>>, JournalError> {
        if self.stopped {
            return Err(JournalError::Stopped);
        }
        self.stopped = true;
        journal.commit()?;
        self.stopped = false;
        Ok(self.waiting.drain(..))
    }
}

/// Carries out every durable record after `last` and returns the number of the last one.
///
/// # Errors
/// See [`JournalError`]; a record that the core refuses says that it does not belong to this journal.
pub fn replay(core: &mut Core, last: u64, journal: &mut dyn Journal) -> Result<u64, JournalError> {
    let mut last = last;
    journal.read_from(last + 1, &mut |sequence, record| replay_record(core, &mut last, sequence, record))?;
    Ok(last)
}

fn replay_record(core: &mut Core, last: &mut u64, sequence: u64, record: &[u8]) -> Result<(), JournalError> {
    let expected = *last + 1;
    if sequence != expected {
        return Err(JournalError::Gap { expected, found: sequence });
    }
    let body = match record.split_first() {
        Some((&COMMAND, body)) => body,
        _ => return Err(JournalError::Misplaced { sequence }),
    };
    let unreadable = |source| JournalError::Record { sequence, source };
    let (at, command) = body.split_first_chunk().ok_or(unreadable(DecodeError::Empty))?;
    let command = Command::decode(command).map_err(unreadable)?;
    let at = Timestamp::from_micros(i64::from_le_bytes(*at));
    core.apply(at, &command).map_err(|refusal| JournalError::Refused { sequence, refusal })?;
    *last = sequence;
    Ok(())
}

fn first_record(sequence: u64, record: &[u8]) -> Result<MarketSettings, JournalError> {
    if sequence != FIRST {
        return Err(JournalError::Gap { expected: FIRST, found: sequence });
    }
    match record.split_first() {
        Some((&SETTINGS, body)) => decode_versioned(body).map_err(|source| JournalError::Record { sequence, source }),
        _ => Err(JournalError::Misplaced { sequence }),
    }
}

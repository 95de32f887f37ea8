//! A command log in memory that can be told to wait, and to fail.

use std::sync::{Arc, Condvar, Mutex};

use latchkey_exchange::ports::{EachRecord, Journal, JournalError};

/// What a journal's commits do.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    shut: bool,
    broken: bool,
    waiting: bool,
    passes: u64,
    commits: u64,
    records: Vec<Vec<u8>>,
    forgotten: u64,
}

impl Gate {
    /// From now on commits wait.
    pub(crate) fn shut(&self) {
        self.state.lock().unwrap().shut = true;
    }

    /// Lets them pass again.
    pub(crate) fn open(&self) {
        self.state.lock().unwrap().shut = false;
        self.moved.notify_all();
    }

    /// Lets one commit pass and shuts behind it.
    pub(crate) fn pass_one(&self) {
        let mut state = self.state.lock().unwrap();
        (state.passes, state.waiting) = (1, false);
        self.moved.notify_all();
    }

    /// From now on commits fail; those that wait, too.
    pub(crate) fn break_down(&self) {
        let mut state = self.state.lock().unwrap();
        (state.broken, state.shut) = (true, false);
        self.moved.notify_all();
    }

    /// Blocks until a commit waits at the shut gate.
    pub(crate) fn reached(&self) {
        let state = self.state.lock().unwrap();
        drop(self.moved.wait_while(state, |state| !state.waiting).unwrap());
    }

    /// How many commits passed.
    pub(crate) fn commits(&self) -> u64 {
        self.state.lock().unwrap().commits
    }

    /// Up to where it was told to forget.
    pub(crate) fn forgotten(&self) -> u64 {
        self.state.lock().unwrap().forgotten
    }

    /// What is durable.
    pub(crate) fn records(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().records.clone()
    }
}

#[derive(Default)]
pub(crate) struct MemoryJournal {
    gate: Arc<Gate>,
    batch: Vec<Vec<u8>>,
}

impl MemoryJournal {
    pub(crate) fn gate(&self) -> Arc<Gate> {
        self.gate.clone()
    }

    /// One that holds what another made durable.
    pub(crate) fn holding(records: Vec<Vec<u8>>) -> Self {
        let journal = Self::default();
        journal.gate.state.lock().unwrap().records = records;
        journal
    }
}

impl Journal for MemoryJournal {
    fn forget(&mut self, sequence: u64) -> Result<(), JournalError> {
        self.gate.state.lock().unwrap().forgotten = sequence;
        Err(JournalError::Storage("a file stays".into()))
    }

    fn append(&mut self, sequence: u64, record: &[u8]) -> Result<(), JournalError> {
        let durable = self.gate.state.lock().unwrap().records.len() as u64;
        let expected = durable + self.batch.len() as u64 + 1;
        if sequence != expected {
            return Err(JournalError::Gap { expected, found: sequence });
        }
        self.batch.push(record.to_vec());
        Ok(())
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        let mut state = self.gate.state.lock().unwrap();
        state.waiting = state.shut;
        self.gate.moved.notify_all();
        state = self.gate.moved.wait_while(state, |state| state.shut && state.passes == 0).unwrap();
        state.passes = 0;
        state.waiting = false;
        if state.broken {
            return Err(JournalError::Storage("the disk is gone".into()));
        }
        state.commits += 1;
        state.records.append(&mut self.batch);
        Ok(())
    }

    fn read_from(&mut self, sequence: u64, each: &mut EachRecord<'_>) -> Result<(), JournalError> {
        for (number, record) in (1..).zip(self.gate.records()) {
            if number >= sequence {
                each(number, &record)?;
            }
        }
        Ok(())
    }
}

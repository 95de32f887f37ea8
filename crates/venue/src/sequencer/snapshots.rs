//! Snapshots now and then, so that a start need not replay the whole log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use latchkey_exchange::Core;

/// Where snapshots rest.
pub trait Snapshots: Send + Sync {
    /// Keeps the state after record `sequence`, which is durable. Returns the record up to which no log is needed any
    /// more. What fails is told in the log and costs nothing but time at the next start, and room until the next one.
    ///
    /// # Errors
    /// Whatever keeps it from being saved.
    fn save(&self, sequence: u64, state: &[u8]) -> Result<u64, Box<dyn std::error::Error + Send + Sync>>;
}

/// Takes a snapshot every so many records; it is written beside the thread, one at a time.
pub(super) struct Snapshotter {
    to: Arc<dyn Snapshots>,
    every: u64,
    last: u64,
    writing: Option<JoinHandle<()>>,
    covered: Arc<AtomicU64>,
}

impl Snapshotter {
    pub(super) fn new(to: Arc<dyn Snapshots>, every: u64, last: u64) -> Self {
        Self { to, every: every.max(1), last, writing: None, covered: Arc::default() }
    }

    /// Looks whether one is due after record `sequence`.
    pub(super) fn after(&mut self, sequence: u64, core: &Core) {
        let due = sequence.saturating_sub(self.last) >= self.every;
        if !due || self.writing.as_ref().is_some_and(|writing| !writing.is_finished()) {
            return;
        }
        self.last = sequence;
        let (to, state, covered) = (self.to.clone(), core.frozen(), self.covered.clone());
        // Encoding takes long; the thread of the exchange only shares its histories.
        let write = move || {
            let through = save(to.as_ref(), sequence, &state.snapshot());
            covered.fetch_max(through.unwrap_or(0), Ordering::Release);
        };
        match std::thread::Builder::new().name("snapshot".into()).spawn(write) {
            Ok(writing) => self.writing = Some(writing),
            Err(error) => tracing::warn!(%error, "no thread to write a snapshot"),
        }
    }

    /// The record up to which the snapshots that were saved make the log needless.
    pub(super) fn covered(&self) -> u64 {
        self.covered.load(Ordering::Acquire)
    }

    /// Saves the last one, unless nothing has happened since.
    pub(super) fn close(self, sequence: u64, core: &Core) {
        if let Some(writing) = self.writing {
            // A writer that panicked has told so itself.
            let _ = writing.join();
        }
        if sequence > self.last {
            // What it makes needless goes at the next start.
            let _ = save(self.to.as_ref(), sequence, &core.snapshot());
        }
    }
}

fn save(to: &dyn Snapshots, sequence: u64, state: &[u8]) -> Option<u64> {
    let saved = to.save(sequence, state);
    saved.inspect_err(|error| tracing::warn!(%error, sequence, "a snapshot of the exchange was not saved")).ok()
}

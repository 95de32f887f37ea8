//! A house in memory: a world is made here first, so that one that is refused leaves nothing behind.

use std::sync::Mutex;

use latchkey_authority::account::Sealed;
use latchkey_authority::change::{Committed, EffectId};
use latchkey_authority::memory::{InMemory, Records};
use latchkey_authority::ports::{Live, NotSettled, Outbox, SealBroken, SealFor, Secrets};
use zeroize::Zeroizing;

/// Ports that keep records in memory and have no exchange behind them.
pub(super) struct Rehearsal<'a, S> {
    secrets: &'a S,
    records: Mutex<Records>,
}

impl<'a, S> Rehearsal<'a, S> {
    /// An empty house that seals with `secrets`.
    pub(super) fn new(secrets: &'a S) -> Self {
        Self { secrets, records: Mutex::default() }
    }
}

impl<S: Secrets> InMemory for Rehearsal<'_, S> {
    fn memory(&self) -> &Mutex<Records> {
        &self.records
    }
}

impl<S: Secrets> Secrets for Rehearsal<'_, S> {
    fn seal(&self, what: SealFor, secret: &[u8]) -> Sealed {
        self.secrets.seal(what, secret)
    }

    fn open(&self, what: SealFor, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealBroken> {
        self.secrets.open(what, sealed)
    }

    fn random(&self, bytes: &mut [u8]) {
        self.secrets.random(bytes);
    }
}

impl<S: Secrets> Live for Rehearsal<'_, S> {
    fn apply(&self, _: &Committed) {}
}

impl<S: Secrets> Outbox for Rehearsal<'_, S> {
    async fn settle(&self, _: &[EffectId]) -> Result<(), NotSettled> {
        Ok(())
    }
}

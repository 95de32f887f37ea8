//! Searches of the call records. Each reads files, perhaps many: a few go on at one time, and a bounded number waits.

use std::sync::Arc;

use latchkey_admission::ports::CallLog;
use latchkey_admission::records::{CallPage, CallQuery};
use latchkey_protocol::code::{self, ApiError};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Searches at one time.
const AT_A_TIME: usize = 2;
/// Searches that go on or wait.
const PLACES: usize = 64;

/// The call records, and the turns of those who search them.
#[derive(Clone)]
pub(crate) struct Search {
    log: Arc<dyn CallLog>,
    runtime: Handle,
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Search {
    pub(crate) fn new(log: Arc<dyn CallLog>, runtime: Handle) -> Self {
        let [places, turns] = [PLACES, AT_A_TIME].map(|count| Arc::new(Semaphore::new(count)));
        Self { log, runtime, places, turns }
    }

    /// One page of what `query` looks for.
    ///
    /// # Errors
    /// `-1008` when too many wait; `-1001` when the records cannot be read.
    pub(crate) async fn find(self, query: CallQuery) -> Result<CallPage, ApiError> {
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "call records cannot be read");
            code::DISCONNECTED.plain()
        };
        let _place = self.places.try_acquire().map_err(|_| code::SERVER_BUSY.plain())?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|error| failed(&error))?;
        let log = self.log;
        // A search goes on when its caller has gone, and keeps its turn until it ends.
        let work = move || {
            let found = log.find(&query);
            drop(turn);
            found
        };
        match self.runtime.spawn_blocking(work).await {
            Ok(Ok(page)) => Ok(page),
            Ok(Err(error)) => Err(failed(&error)),
            Err(error) => Err(failed(&error)),
        }
    }
}

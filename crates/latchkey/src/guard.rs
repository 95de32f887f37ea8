//! Keeps bans, and the counts of the limiter, over a restart.

use std::sync::Arc;
use std::time::Duration;

use latchkey_admission::limiter::{Held, Limiter, Limits};
use latchkey_admission::ports::Clock;
use latchkey_store::guard_state::{GuardState, GuardStateError, Kept};
use tokio::sync::{Mutex, Notify, watch};

use crate::clock::SystemClock;

/// How long a count may be in memory alone; a new ban is written at once, or [`LEAST`] after the write before.
const EVERY: Duration = Duration::from_secs(3);
/// The time between two writes.
const LEAST: Duration = Duration::from_millis(250);

/// The limiter and the file that it is kept in.
pub struct Guard {
    /// The limiter.
    pub limiter: Arc<Limiter>,
    file: Arc<GuardState>,
    clock: Arc<SystemClock>,
    banned: Arc<Notify>,
    written: Mutex<Held>,
}

impl Guard {
    /// A limiter that goes on where `file` says; `seed` is random. The time of `clock` goes on from there too. A
    /// damaged file is passed over, loudly: a server that does not start protects nobody.
    ///
    /// # Errors
    /// A file that cannot be read or is of a newer program.
    pub fn open(limits: Limits, seed: u64, file: GuardState, clock: Arc<SystemClock>) -> Result<Self, GuardStateError> {
        let banned = Arc::new(Notify::new());
        let bell = Arc::clone(&banned);
        let limiter = Limiter::new(limits).with_seed(seed).with_alarm(Arc::new(move || bell.notify_one()));
        let held = match file.load() {
            Err(error @ GuardStateError::Damaged { .. }) => {
                tracing::error!("{error}");
                None
            }
            read => read?,
        };
        if let Some(Kept { held, at }) = held {
            at.into_iter().for_each(|at| clock.not_before(at));
            limiter.import(&held, clock.now());
        }
        Ok(Self {
            limiter: Arc::new(limiter),
            file: Arc::new(file),
            clock,
            banned,
            written: Mutex::new(Held::default()),
        })
    }

    /// Writes every few seconds and at new bans, until `stop` turns true.
    pub async fn keep(&self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                biased;
                stopped = stop.wait_for(|stop| *stop) => {
                    drop(stopped);
                    return;
                }
                () = self.banned.notified() => {}
                () = wait(EVERY) => {}
            }
            self.save().await;
            // Many bans a second share a write.
            wait(LEAST).await;
        }
    }

    /// Writes what is held now, if it is not what was written last.
    pub async fn save(&self) {
        let mut written = self.written.lock().await;
        let now = self.clock.now();
        let limiter = Arc::clone(&self.limiter);
        let held = match tokio::task::spawn_blocking(move || limiter.export(now)).await {
            Ok(held) if held != *written => held,
            Ok(_) => return,
            Err(error) => return tracing::error!(%error, "bans were not read"),
        };
        let (file, kept) = (Arc::clone(&self.file), held.clone());
        match tokio::task::spawn_blocking(move || file.save(&kept, now)).await {
            Ok(Ok(())) => *written = held,
            Ok(Err(error)) => tracing::error!(%error, "bans cannot be kept: a restart would forget them"),
            Err(error) => tracing::error!(%error, "bans were not kept"),
        }
    }
}

async fn wait(time: Duration) {
    tokio::time::timeout(time, std::future::pending::<()>()).await.ok();
}

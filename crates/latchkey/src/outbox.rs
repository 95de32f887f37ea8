//! Delivers effects of changes to the exchange: in order, at least once, each with its number.

use std::sync::Arc;

use latchkey_authority::change::EffectId;
use latchkey_authority::ports::NotSettled;
use latchkey_store::live::LiveMap;
use latchkey_store::sqlite::SqliteStore;
use latchkey_venue::sequencer::{Exchange, ExchangeError};
use tokio::sync::Mutex;

/// Effects read in one step.
const BATCH: u32 = 256;

/// The outbox of the store and the exchange that it empties into.
pub struct Outbox {
    store: Arc<SqliteStore>,
    exchange: Exchange,
    live: Arc<LiveMap>,
    turn: Mutex<()>,
}

impl Outbox {
    /// An outbox that delivers to `exchange`.
    pub fn new(store: Arc<SqliteStore>, exchange: Exchange, live: Arc<LiveMap>) -> Self {
        Self { store, exchange, live, turn: Mutex::new(()) }
    }

    /// Delivers everything that is left. A change that had been given up on goes live here. What the exchange refuses is
    /// parked, and its change does not go live.
    ///
    /// # Errors
    /// The first effect that cannot be delivered; none behind it overtakes it.
    pub async fn drain(&self) -> anyhow::Result<()> {
        self.deliver(&[]).await
    }

    async fn deliver(&self, awaited: &[EffectId]) -> anyhow::Result<()> {
        let _turn = self.turn.lock().await;
        loop {
            let pending = self.store.pending_effects(BATCH).await?;
            if pending.is_empty() {
                // Another's turn may have met the refusal.
                anyhow::ensure!(self.store.all_done(awaited).await?, "the exchange refused an effect of the change");
                return Ok(());
            }
            for effect in pending {
                match self.exchange.deliver(effect.id, &effect.effect).await {
                    Ok(()) => self.store.mark_done(&[effect.id]).await?,
                    Err(ExchangeError::Refused(refusal)) => {
                        // Asked again it would refuse again, and everything behind it would wait for nothing.
                        tracing::error!(effect = effect.id.0, revision = effect.revision, %refusal, "an effect is parked");
                        self.store.park(effect.id, &refusal.to_string()).await?;
                    }
                    Err(error) => return Err(error.into()),
                }
                // A change goes live when all of its effects are done, with what was written of its keys meanwhile.
                if self.store.is_settled(effect.revision).await? {
                    self.live.load(self.store.settled(effect.revision).await?);
                }
            }
        }
    }
}

impl latchkey_authority::ports::Outbox for Outbox {
    async fn settle(&self, effects: &[EffectId]) -> Result<(), NotSettled> {
        if effects.is_empty() {
            return Ok(());
        }
        self.deliver(effects).await.map_err(|error| {
            tracing::error!(error = format!("{error:#}"), "an effect was not carried out");
            NotSettled
        })
    }
}

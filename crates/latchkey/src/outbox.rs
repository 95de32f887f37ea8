//! Delivers effects of changes to the exchange: in order, at least once, each with its number.

use std::sync::Arc;

use latchkey_authority::change::EffectId;
use latchkey_authority::ports::{Live, NotSettled};
use latchkey_store::live::LiveMap;
use latchkey_store::sqlite::SqliteStore;
use latchkey_venue::sequencer::Exchange;
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

    /// Delivers everything that is left. A change that had been given up on goes live here.
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
                return Ok(());
            }
            for effect in pending {
                self.exchange.deliver(effect.id, &effect.effect).await?;
                self.store.mark_done(&[effect.id]).await?;
                // A change goes live when the last of its effects is done.
                let next = self.store.pending_effects(1).await?;
                let last = next.first().is_none_or(|next| next.revision != effect.revision);
                if last && !awaited.contains(&effect.id) {
                    self.live.apply(&self.store.committed(effect.revision).await?);
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

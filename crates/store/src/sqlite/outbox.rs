//! The outbox: what the exchange still has to do. It is written with the change and delivered in order, at least once.
//!
//! ```text
//! waiting ── delivered ──▶ done
//!    │  ▲
//! refused └─ taken up again
//!    ▼  │
//! parked (with the reason; those behind it go on)
//! ```

use latchkey_authority::change::{Effect, EffectId};
use latchkey_authority::ports::StoreError;
use sqlx::Connection as _;

use super::{SqliteStore, signed, unavailable, unreadable, unsigned};

/// An effect that the exchange refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParkedEffect {
    /// What was refused.
    pub effect: PendingEffect,
    /// Why.
    pub reason: String,
}

/// An effect that is not known to be carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PendingEffect {
    /// Its number, by which the exchange knows whether it was carried out before.
    pub id: EffectId,
    /// The change that it belongs to.
    pub revision: u64,
    /// What is to be done.
    pub effect: Effect,
}

impl SqliteStore {
    /// The first `limit` effects that wait, in their order: neither done nor parked. An unreadable one ends the list
    /// with an error, because none behind it may overtake it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pending_effects(&self, limit: u32) -> Result<Vec<PendingEffect>, StoreError> {
        let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT id, revision, effect FROM outbox WHERE done = 0 AND parked IS NULL ORDER BY id LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        rows.into_iter().map(pending).collect()
    }

    /// Notes that the exchange has carried these effects out durably. Those that were noted before stay so.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; they are then delivered again, which does no harm.
    pub async fn mark_done(&self, effects: &[EffectId]) -> Result<(), StoreError> {
        if effects.is_empty() {
            return Ok(());
        }
        let mut writer = self.writer.lock().await?;
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
        for effect in effects {
            sqlx::query("UPDATE outbox SET done = 1 WHERE id = ?")
                .bind(effect.0)
                .execute(&mut *transaction)
                .await
                .map_err(unavailable)?;
        }
        transaction.commit().await.map_err(unavailable)
    }

    /// Sets aside an effect that the exchange refused, so that those behind it go on. One that is done stays so.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn park(&self, effect: EffectId, reason: &str) -> Result<(), StoreError> {
        self.set_parked(effect, Some(reason)).await
    }

    /// Puts a parked effect back among those that wait, in its old place.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn take_up(&self, effect: EffectId) -> Result<(), StoreError> {
        self.set_parked(effect, None).await
    }

    /// The first `limit` parked effects, in their order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn parked_effects(&self, limit: u32) -> Result<Vec<ParkedEffect>, StoreError> {
        let rows: Vec<(i64, i64, Vec<u8>, String)> = sqlx::query_as(
            "SELECT id, revision, effect, parked FROM outbox \
             WHERE done = 0 AND parked IS NOT NULL ORDER BY id LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        let read = |(id, revision, effect, reason): (i64, i64, Vec<u8>, String)| {
            Ok(ParkedEffect { effect: pending((id, revision, effect))?, reason })
        };
        rows.into_iter().map(read).collect()
    }

    /// Whether each of these effects is done.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn all_done(&self, effects: &[EffectId]) -> Result<bool, StoreError> {
        for effect in effects {
            let done: Option<bool> = sqlx::query_scalar("SELECT done FROM outbox WHERE id = ?")
                .bind(effect.0)
                .fetch_optional(&self.readers)
                .await
                .map_err(unavailable)?;
            if done != Some(true) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether every effect of change `revision` is done; parked ones are not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_settled(&self, revision: u64) -> Result<bool, StoreError> {
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM outbox WHERE revision = ? AND done = 0)")
            .bind(signed(revision)?)
            .fetch_one(&self.readers)
            .await
            .map_err(unavailable)
    }

    async fn set_parked(&self, effect: EffectId, reason: Option<&str>) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await?;
        sqlx::query("UPDATE outbox SET parked = ? WHERE id = ? AND done = 0")
            .bind(reason)
            .bind(effect.0)
            .execute(&mut *writer)
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}

fn pending((id, revision, effect): (i64, i64, Vec<u8>)) -> Result<PendingEffect, StoreError> {
    let effect = serde_json::from_slice(&effect).map_err(unreadable)?;
    Ok(PendingEffect { id: EffectId(id), revision: unsigned(revision)?, effect })
}

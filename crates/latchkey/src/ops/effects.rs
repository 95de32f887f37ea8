//! Parts of changes that the exchange refused: list, try again.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use latchkey_authority::change::{Action, AuditEvent, AuditState, EffectId};
use latchkey_authority::ports::Notes;
use latchkey_protocol::AccountId;
use serde_json::{Value, json};

use super::Ops;
use super::operator::Operator;
use super::problem::Problem;

/// Effects of one list: the oldest.
const LISTED_MAX: u32 = 1_000;

/// `GET /ops/v1/effects`.
pub(crate) async fn list(State(ops): State<Ops>) -> Result<Json<Value>, Problem> {
    let parked = ops.house.store().parked_effects(LISTED_MAX).await?;
    let views = parked.iter().map(|parked| {
        let pending = &parked.effect;
        json!({
            "id": pending.id.0,
            "sequence": pending.revision,
            "effect": format!("{:?}", pending.effect),
            "reason": parked.reason,
        })
    });
    Ok(Json(json!({ "effects": views.collect::<Vec<_>>() })))
}

/// `POST /ops/v1/effects/{id}/retry`. The outbox takes it up in its next round; one that is refused again is listed again.
pub(crate) async fn retry(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let store = ops.house.store();
    let parked = store.parked_effects(LISTED_MAX).await?;
    let known = parked.iter().map(|parked| parked.effect.id).find(|known| known.0.to_string() == id);
    let effect: EffectId = known.ok_or_else(|| Problem::not_found("effect"))?;
    let event = operator.event(Action::EffectRetried, AccountId(0), ops.now());
    store.note(AuditEvent { before: vec![AuditState::Effect(effect)], ..event }).await?;
    store.take_up(effect).await?;
    Ok(StatusCode::ACCEPTED)
}

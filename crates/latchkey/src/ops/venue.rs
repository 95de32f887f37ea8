//! The sandbox: the venue at an operator's word.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use latchkey_authority::change::{Action, AuditEvent, AuditState, Outcome, SandboxSummary};
use latchkey_authority::ports::Notes;
use latchkey_crypto::digest::to_hex;
use latchkey_protocol::{AccountId, Amount, Asset, Symbol, TradingAccount, Wallet};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ops;
use super::operator::Operator;
use super::problem::{Body, Problem};

/// An amount from outside.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deposit {
    uid: i64,
    /// `spot`, `cross` or a symbol for its isolated wallet.
    wallet: String,
    asset: String,
    amount: String,
}

/// `POST /ops/v1/venue/deposit`.
pub(crate) async fn deposit(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Body(deposit): Body<Deposit>,
) -> Result<Json<Value>, Problem> {
    let wrong = |what: &str| Problem::invalid(format!("`{what}` is not valid"));
    let wallet = match deposit.wallet.as_str() {
        "spot" => Wallet::Spot,
        "cross" => Wallet::Cross,
        symbol => Wallet::Isolated(Symbol::parse(symbol).ok_or_else(|| wrong("wallet"))?),
    };
    let asset = Asset::parse(&deposit.asset).ok_or_else(|| wrong("asset"))?;
    let amount = Amount::parse(&deposit.amount).map_err(|_| wrong("amount"))?;
    let owner = AccountId(deposit.uid);
    if ops.house.live.account(owner).is_none() {
        return Err(Problem::not_found("account"));
    }
    let told = SandboxSummary { wallet: deposit.wallet, asset: deposit.asset, amount: deposit.amount };
    let work = ops.house.deposit(TradingAccount { owner, wallet }, asset, amount);
    recorded(&ops, operator.event(Action::SandboxDeposit, owner, ops.now()), told, work).await
}

/// What a liquidation of an account did not cover.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Loan {
    uid: i64,
    asset: String,
    amount: String,
}

/// `POST /ops/v1/venue/liquidation-loan`.
pub(crate) async fn liquidation_loan(
    State(ops): State<Ops>,
    Extension(operator): Extension<Operator>,
    Body(loan): Body<Loan>,
) -> Result<Json<Value>, Problem> {
    let wrong = |what: &str| Problem::invalid(format!("`{what}` is not valid"));
    let asset = Asset::parse(&loan.asset).ok_or_else(|| wrong("asset"))?;
    let amount = Amount::parse(&loan.amount).ok().filter(|amount| *amount > Amount::ZERO);
    let amount = amount.ok_or_else(|| wrong("amount"))?;
    let owner = AccountId(loan.uid);
    if ops.house.live.account(owner).is_none() {
        return Err(Problem::not_found("account"));
    }
    let told = SandboxSummary { wallet: "cross".to_owned(), asset: loan.asset, amount: loan.amount };
    let work = ops.house.lend(owner, asset, amount);
    recorded(&ops, operator.event(Action::SandboxLoan, owner, ops.now()), told, work).await
}

/// Writes down what an operator does, then does it; when the exchange refuses, that is written down too.
async fn recorded(
    ops: &Ops,
    event: AuditEvent,
    told: SandboxSummary,
    work: impl Future<Output = anyhow::Result<()>>,
) -> Result<Json<Value>, Problem> {
    let event = AuditEvent { after: vec![AuditState::Sandbox(told)], ..event };
    ops.house.store().note(event.clone()).await?;
    if let Err(error) = work.await {
        let reason = format!("{error:#}");
        ops.house.store().note(AuditEvent { outcome: Outcome::Refused(reason.clone()), ..event }).await?;
        return Err(Problem::new(StatusCode::CONFLICT, "rule", reason));
    }
    Ok(Json(json!({})))
}

/// `GET /ops/v1/venue/state-hash`.
pub(crate) async fn state_hash(State(ops): State<Ops>) -> Result<Json<Value>, Problem> {
    let hash = ops.house.state_hash().await?;
    Ok(Json(json!({ "stateHash": to_hex(&hash) })))
}

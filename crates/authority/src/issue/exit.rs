//! Leaving special-key mode. Source: margin change log, 2026-04-22; margin special API key FAQ, 2026-05-14.
//!
//! ```text
//!   standard ── first special key ─→ special ── exit ─→ cooldown ── 24 h ─→ standard
//! ```
//!
//! The keys are dead before the exchange hears of it; the exchange leaves the mode by the effect.

use super::life::{deleted, narrowing};
use super::{Case, Draft};
use crate::account::{Account, CrossMarginPro, PortfolioMargin};
use crate::caller::{Power, authorise};
use crate::change::{Action, Change, Effect, NoticeKind};
use crate::key::{DeleteReason, KeyRecord, KeyState, Scope};
use crate::ports::ExchangeFacts;
use crate::refusal::Refusal;

/// Decides on leaving special-key mode: every special key of the cross margin account is deleted and the cooldown
/// begins. `None`: the account is not in the mode, which is no error.
///
/// # Errors
/// [`Refusal`]: the caller, the type of account, a liquidation, a liability.
pub fn exit_special_key_mode(case: Case<'_>, facts: &ExchangeFacts) -> Result<Option<Change>, Refusal> {
    let owner = case.owner()?;
    authorise(&case, &owner, Power::Special)?;
    // A key that may trade some pairs only ends no keys that trade others.
    if case.calling_key().is_some_and(|calling| calling.symbols.is_some()) {
        return Err(Refusal::NotBySignedCall);
    }
    let account = owner.account();
    let pooled = matches!(account.portfolio_margin, PortfolioMargin::Retail { .. } | PortfolioMargin::Pro { .. });
    if pooled || account.cross_margin_pro != CrossMarginPro::None {
        return Err(Refusal::NotCrossMarginClassic);
    }
    if !facts.special_mode {
        return Ok(None);
    }
    if facts.in_liquidation {
        return Err(Refusal::InLiquidation);
    }
    if facts.has_liability {
        return Err(Refusal::HasLiability);
    }
    let state = deleted(&case, DeleteReason::LeftSpecialMode);
    let special =
        |key: &&KeyRecord| key.kind.scope() == Some(Scope::Cross) && !matches!(key.state, KeyState::Deleted { .. });
    let draft = case
        .loaded
        .keys
        .iter()
        .filter(special)
        .fold(Draft::new(case), |draft, key| draft.replace(key, KeyRecord { state: state.clone(), ..key.clone() }));
    let left = Account { left_special_mode: Some(case.now), ..account.clone() };
    let text = "The account left special-key mode; its cross margin special keys are deleted.";
    let draft = draft.account(left).effects([Effect::LeaveSpecialMode { owner: account.id }]).tell(
        NoticeKind::SignedCall,
        None,
        text,
    );
    Ok(Some(narrowing(draft, Action::SpecialModeLeft)))
}

//! The facts of an account: what operators state, and the little that owners decide.

use super::life::narrowing;
use super::watch::renewed;
use super::{Case, Draft};
use crate::account::{
    Account, Country, CrossMarginPro, Kyc, Owner, PortfolioMargin, Product, SubKind, Terms, TermsSigned,
};
use crate::caller::{Power, Via, authorise};
use crate::change::{Action, AnswerAfter, Change, Direction, Effect, NoticeKind};
use crate::key::Scope;
use crate::ports::Loaded;
use crate::refusal::Refusal;
use crate::step_up::IntentKind;
use crate::trading::margin_wallet;
use crate::view::AccountSummary;
use latchkey_protocol::{Timestamp, TradingAccount};
use serde_json::json;

/// An edit of facts as it is asked for; what is `None` or empty stays.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AccountEdit {
    /// See [`Account::kyc`]; operators alone.
    pub kyc: Option<Kyc>,
    /// See [`Account::vip`]; operators alone.
    pub vip: Option<u8>,
    /// See [`Account::deposited`]; operators alone.
    pub deposited: Option<bool>,
    /// Products to open now; owners too.
    pub open: Vec<Product>,
    /// Products to close; operators alone.
    pub close: Vec<Product>,
    /// See [`Account::portfolio_margin`]; operators alone.
    pub portfolio_margin: Option<PortfolioMargin>,
    /// See [`Account::cross_margin_pro`]; operators alone.
    pub cross_margin_pro: Option<CrossMarginPro>,
    /// Agreements to sign, at master level; owners too.
    pub sign: Vec<Terms>,
    /// Agreements to take back, at master level; operators alone.
    pub withdraw: Vec<Terms>,
    /// Default Security Controls, at master level. Owners turn them on and off; operators only on.
    pub controls: Option<bool>,
    /// See [`Account::residence`]; operators alone.
    pub residence: Option<Option<Country>>,
    /// See [`Account::special_key_exception`]; operators alone.
    pub special_key_exception: Option<bool>,
    /// See [`Account::sub_kind`]; operators alone.
    pub sub_kind: Option<SubKind>,
}

impl AccountEdit {
    /// Whether it holds what operators alone state.
    fn states_facts(&self) -> bool {
        let owners = Self { open: Vec::new(), sign: Vec::new(), controls: None, ..self.clone() };
        owners != Self::default()
    }

    fn applied(&self, stored: &Account, now: Timestamp) -> Account {
        let mut account = stored.clone();
        for product in Product::ALL {
            let place = match product {
                Product::Margin => &mut account.products.margin,
                Product::Futures => &mut account.products.futures,
                Product::Options => &mut account.products.options,
            };
            if self.close.contains(&product) {
                *place = None;
            } else if self.open.contains(&product) {
                *place = place.or(Some(now));
            }
        }
        let terms = account.terms.iter().chain(self.sign.iter().copied());
        account.terms = terms.filter(|terms| !self.withdraw.contains(terms)).collect::<TermsSigned>();
        account.kyc = self.kyc.unwrap_or(account.kyc);
        account.vip = self.vip.unwrap_or(account.vip);
        account.deposited = self.deposited.unwrap_or(account.deposited);
        account.portfolio_margin = self.portfolio_margin.unwrap_or(account.portfolio_margin);
        account.cross_margin_pro = self.cross_margin_pro.unwrap_or(account.cross_margin_pro);
        account.default_security_controls = self.controls.unwrap_or(account.default_security_controls);
        account.residence = self.residence.unwrap_or(account.residence);
        account.special_key_exception = self.special_key_exception.unwrap_or(account.special_key_exception);
        account.sub_kind = self.sub_kind.unwrap_or(account.sub_kind);
        account
    }
}

/// Decides on an edit of facts. `None`: nothing would change. `subs` are the sub-accounts of the account, needed when
/// the controls are turned, because that reaches their keys.
///
/// # Errors
/// [`Refusal`]: the caller, the version, the facts, the proof.
pub fn edit_account(
    case: Case<'_>,
    edit: &AccountEdit,
    expected_version: Option<u64>,
    subs: &[Loaded],
) -> Result<Option<Change>, Refusal> {
    let owner = case.owner()?;
    authorise(&case, &owner, Power::Hold)?;
    check_power(&case, edit)?;
    let stored = &case.loaded.account;
    if expected_version.is_some_and(|version| version != stored.version) {
        return Err(Refusal::Stale { found: stored.version });
    }
    if edit.vip.is_some_and(|vip| vip > 9) {
        return Err(Refusal::VipOutOfRange);
    }
    let account = edit.applied(stored, case.now);
    if account == *stored {
        return Ok(None);
    }
    let off = stored.default_security_controls && !account.default_security_controls;
    // Turning the controls on alone takes away, and needs no proof.
    let only_on = Account { default_security_controls: true, ..stored.clone() } == account;
    // The proof names no moment: a product opens when the change is made, later than the proof was asked for.
    let timeless = edit.applied(stored, stored.created);
    let summary = json!(AccountSummary { version: 0, ..AccountSummary::from(&timeless) });
    if off {
        case.confirm_widening(IntentKind::ControlsOff, summary)?;
    } else if !only_on {
        case.confirm_widening(IntentKind::ChangeAccount, summary)?;
    }
    let draft = Draft::new(case).effects(opened_wallets(stored, &account));
    let draft = watched_again(tell(draft, &case, &owner, &account), &case, &account, subs)?;
    Ok(Some(if off || !only_on && case.caller.via == Via::Owner {
        draft.account(account).finish(Action::AccountEdited, AnswerAfter::Local, Direction::Widening)
    } else {
        narrowing(draft.account(account), Action::AccountEdited)
    }))
}

/// Who may edit which facts.
fn check_power(case: &Case<'_>, edit: &AccountEdit) -> Result<(), Refusal> {
    let is_sub = case.loaded.account.master.is_some();
    if is_sub && (edit.controls.is_some() || !edit.sign.is_empty() || !edit.withdraw.is_empty()) {
        return Err(Refusal::DecidedByMaster);
    }
    match case.caller.via {
        Via::Owner if edit.states_facts() => Err(Refusal::OnlyByOperator),
        // A signed call opens products for a sub-account, and decides nothing else.
        Via::Key { .. } if *edit != (AccountEdit { open: edit.open.clone(), ..AccountEdit::default() }) => {
            Err(Refusal::NotBySignedCall)
        }
        Via::Operator(_) if edit.controls == Some(false) => Err(Refusal::NotByOperator),
        Via::Owner | Via::SentCode | Via::Key { .. } | Via::Operator(_) | Via::World | Via::System => Ok(()),
    }
}

/// A margin account that was opened gets its wallet.
fn opened_wallets(before: &Account, after: &Account) -> Option<Effect> {
    let opened = before.products.margin.is_none() && after.products.margin.is_some();
    let wallet = TradingAccount { owner: after.id, wallet: margin_wallet(after, Scope::Cross) };
    opened.then_some(Effect::OpenWallet { account: wallet })
}

/// Says when keys go out of use, or come back, because of the facts.
fn tell<'a>(draft: Draft<'a>, case: &Case<'_>, before: &Owner<'_>, account: &Account) -> Draft<'a> {
    let Some(after) = Owner::new(account, case.loaded.master.as_ref()) else { return draft };
    let high = |owner: &Owner<'_>| owner.kyc() == Kyc::VerifiedPlus;
    let home = |owner: &Owner<'_>| owner.restricted_residence(case.policy).is_some();
    let draft = match (high(before), high(&after)) {
        (true, false) => {
            let text = "The identity level fell below verified-plus: no key of the account is in use until it is back.";
            draft.tell(NoticeKind::Standing, None, text)
        }
        (false, true) => {
            draft.tell(NoticeKind::Standing, None, "The identity level is verified-plus: keys are in use.")
        }
        _ => draft,
    };
    match (home(before), home(&after)) {
        (false, true) => {
            let text = "The country of residence has no special keys: none of them is in use.";
            draft.tell(NoticeKind::Standing, None, text)
        }
        _ => draft,
    }
}

/// Judges every key again by the new facts, those of sub-accounts too.
fn watched_again<'a>(
    mut draft: Draft<'a>,
    case: &Case<'a>,
    account: &Account,
    subs: &'a [Loaded],
) -> Result<Draft<'a>, Refusal> {
    let own = Owner::new(account, case.loaded.master.as_ref()).ok_or(Refusal::AccountUnknown)?;
    for of in core::iter::once(case.loaded).chain(subs) {
        let owner = if of.account.id == account.id { Some(own) } else { Owner::new(&of.account, Some(account)) };
        let owner = owner.ok_or(Refusal::AccountUnknown)?;
        for key in &of.keys {
            if renewed(case.policy, &owner, key, case.now).0 != key.watch {
                draft = draft.replace_in(of, key, key.clone());
            }
        }
    }
    Ok(draft)
}

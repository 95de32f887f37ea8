//! Accounts: opened.

use crate::account::{
    Account, Country, CrossMarginPro, Email, Kyc, PasswordHash, PortfolioMargin, Product, Products, Sealed, TermsSigned,
};
use crate::caller::{Caller, Via};
use crate::change::{Action, AnswerAfter, AuditEvent, AuditState, Change, Direction, Effect, Guard, Outcome, Write};
use crate::claim::{Made, Settled};
use crate::key::Scope;
use crate::refusal::Refusal;
use crate::trading::margin_wallet;
use crate::view::AccountSummary;
use latchkey_crypto::totp::TotpSeed;
use latchkey_protocol::{AccountId, Amount, Asset, Timestamp, TradingAccount, Wallet};

/// An account as it is asked for.
pub struct NewAccount {
    /// How its owner signs in.
    pub email: Email,
    /// See [`Account::kyc`].
    pub kyc: Kyc,
    /// See [`Account::vip`].
    pub vip: u8,
    /// See [`Account::deposited`].
    pub deposited: bool,
    /// See [`Account::products`].
    pub products: Products,
    /// See [`Account::portfolio_margin`].
    pub portfolio_margin: PortfolioMargin,
    /// See [`Account::cross_margin_pro`].
    pub cross_margin_pro: CrossMarginPro,
    /// See [`Account::terms`].
    pub terms: TermsSigned,
    /// See [`Account::default_security_controls`].
    pub default_security_controls: bool,
    /// The master account's address, for a sub-account.
    pub sub_of: Option<Email>,
    /// See [`Account::residence`].
    pub residence: Option<Country>,
    /// See [`Account::special_key_exception`].
    pub special_key_exception: bool,
    /// The password, already hashed.
    pub password_hash: Option<PasswordHash>,
    /// The seed of enrolled one-time codes.
    pub totp: Option<TotpSeed>,
    /// When it was opened, if not now; worlds and imports alone.
    pub created: Option<Timestamp>,
    /// What it starts with.
    pub funds: Vec<OpeningBalance>,
}

/// One balance that a new account starts with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpeningBalance {
    /// In which wallet.
    pub wallet: Wallet,
    /// Of what.
    pub asset: Asset,
    /// How much, above zero.
    pub amount: Amount,
}

/// Decides on a new account. `id` was drawn for it, `totp` is its seed, sealed; `master` is that of a sub-account.
///
/// # Errors
/// [`Refusal`]: the caller, then the facts.
pub fn create_account(
    caller: &Caller,
    new: &NewAccount,
    id: AccountId,
    totp: Option<Sealed>,
    master: Option<&Account>,
    now: Timestamp,
) -> Result<Change, Refusal> {
    if matches!(caller.via, Via::Key { .. } | Via::Owner) {
        return Err(Refusal::OnlyByOperator);
    }
    check_new(new, master, now)?;
    let account = Account {
        kyc: new.kyc,
        vip: new.vip,
        deposited: new.deposited,
        products: new.products,
        portfolio_margin: new.portfolio_margin,
        cross_margin_pro: new.cross_margin_pro,
        terms: new.terms.clone(),
        default_security_controls: new.default_security_controls,
        master: master.map(|master| master.id),
        residence: new.residence,
        special_key_exception: new.special_key_exception,
        password_hash: new.password_hash.clone(),
        totp,
        ..Account::new(id, new.email.clone(), new.created.unwrap_or(now))
    };
    Ok(Change {
        effects: opening_effects(&account, &new.funds),
        audit: AuditEvent {
            at: now,
            who: caller.actor(),
            from: caller.from,
            action: Action::AccountCreated,
            account: id,
            key: None,
            before: Vec::new(),
            after: vec![AuditState::Account(AccountSummary::from(&account))],
            outcome: Outcome::Done,
            with: caller.factors(),
        },
        notices: Vec::new(),
        settled: caller.claim.map(|claim| Settled { claim, made: Made::Account(id) }),
        signed_out: None,
        accounts: vec![Write { record: account, expected: None }],
        keys: Vec::new(),
        guards: master.map(|master| Guard { account: master.id, version: master.version }).into_iter().collect(),
        answer_after: AnswerAfter::Local,
        direction: Direction::Widening,
    })
}

fn check_new(new: &NewAccount, master: Option<&Account>, now: Timestamp) -> Result<(), Refusal> {
    if new.vip > 9 {
        return Err(Refusal::VipOutOfRange);
    }
    if new.created.is_some_and(|created| created > now) {
        return Err(Refusal::CreatedOutOfRange);
    }
    match (&new.sub_of, master) {
        (Some(_), None) => return Err(Refusal::MasterUnknown),
        (_, Some(master)) if master.master.is_some() => return Err(Refusal::MasterIsSubAccount),
        _ => {}
    }
    for fund in &new.funds {
        if fund.amount <= Amount::ZERO {
            return Err(Refusal::BalanceNotPositive(fund.asset));
        }
        if fund.wallet != Wallet::Spot && new.products.opened(Product::Margin).is_none() {
            return Err(Refusal::NoMarginAccount);
        }
    }
    Ok(())
}

/// Opens the wallets that the account has by its products, then those of its funds, and fills them.
pub(super) fn opening_effects(account: &Account, funds: &[OpeningBalance]) -> Vec<Effect> {
    let mut wallets = vec![Wallet::Spot];
    if account.products.opened(Product::Margin).is_some() {
        wallets.push(margin_wallet(account, Scope::Cross));
    }
    for fund in funds {
        if !wallets.contains(&fund.wallet) {
            wallets.push(fund.wallet);
        }
    }
    let of = |wallet| TradingAccount { owner: account.id, wallet };
    let open = wallets.into_iter().map(|wallet| Effect::OpenWallet { account: of(wallet) });
    let credit =
        |fund: &OpeningBalance| Effect::Credit { account: of(fund.wallet), asset: fund.asset, amount: fund.amount };
    open.chain(funds.iter().map(credit)).collect()
}

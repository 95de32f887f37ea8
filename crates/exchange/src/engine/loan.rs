//! Opening, repaying and showing liquidation loans.

use latchkey_protocol::{AccountId, Amount, Asset, Timestamp, TradingAccount, Wallet};

use super::Core;
use crate::chunked::between;
use crate::ledger::{MAX_ISSUED, MAX_TRANSFER};
use crate::loans::Repayment;
use crate::view::{LoanView, RepaymentView};
use crate::{EffectId, Refusal, Reply};

impl Core {
    /// Makes an owner owe the venue an amount; an open loan of the same asset grows.
    pub(super) fn open_loan(
        &mut self,
        effect: EffectId,
        owner: AccountId,
        asset: Asset,
        amount: Amount,
    ) -> Result<Reply, Refusal> {
        self.once(effect, |core| {
            let amount = transferable(amount)?;
            let owner = core.known_owner(owner)?;
            if let Some(loan) = core.loans.of(owner).filter(|loan| loan.remaining() > 0) {
                if core.ledger.asset(loan.asset) != asset {
                    return Err(Refusal::LoanInOtherAsset);
                }
                if loan.amount > MAX_ISSUED - amount {
                    return Err(Refusal::AmountTooLarge);
                }
            }
            let asset = core.room_for_asset(asset)?;
            core.loans.lend(owner, asset, amount);
            Ok(())
        })
    }

    /// Repays from the spot wallet.
    pub(super) fn repay_loan(
        &mut self,
        at: Timestamp,
        owner: AccountId,
        asset: Asset,
        amount: Amount,
    ) -> Result<RepaymentView, Refusal> {
        let amount = transferable(amount)?;
        let id = self.ledger.owner_id(owner).ok_or(Refusal::RepayExceedsLoan)?;
        let loan = self.loans.of(id).filter(|loan| loan.remaining() > 0).ok_or(Refusal::RepayExceedsLoan)?;
        let owed = loan.asset;
        if self.ledger.asset(owed) != asset {
            return Err(Refusal::LoanInOtherAsset);
        }
        if amount > loan.remaining() {
            return Err(Refusal::RepayExceedsLoan);
        }
        let spot = self.ledger.wallet_id(&TradingAccount { owner, wallet: Wallet::Spot });
        let covered = |wallet: &u32| self.ledger.wallet(*wallet).balance(owed).free >= amount;
        let spot = spot.filter(covered).ok_or(Refusal::RepayNotCovered)?;
        let repayment = self.loans.repay(id, amount, at.as_micros()).ok_or(Refusal::RepayExceedsLoan)?;
        self.move_in(at, spot, owed, -amount);
        Ok(self.repayment_view(&repayment))
    }

    /// An owner's liquidation loan, open or repaid; `None` when there never was one.
    pub fn liquidation_loan(&self, owner: AccountId) -> Option<LoanView> {
        let loan = self.loans.of(self.ledger.owner_id(owner)?)?;
        Some(LoanView {
            asset: self.ledger.asset(loan.asset),
            amount: Amount::from_scaled(loan.amount),
            repaid: Amount::from_scaled(loan.repaid),
            remaining: Amount::from_scaled(loan.remaining()),
        })
    }

    /// An owner's repayments from `start` to `end`, newest first: how many there are, and `limit` of them after
    /// `skip`.
    pub fn loan_repayments(
        &self,
        owner: AccountId,
        start: Timestamp,
        end: Timestamp,
        skip: usize,
        limit: usize,
    ) -> (usize, Vec<RepaymentView>) {
        let Some(loan) = self.ledger.owner_id(owner).and_then(|id| self.loans.of(id)) else {
            return (0, Vec::new());
        };
        let repayments = &loan.repayments;
        let within = between(repayments.len(), |index| repayments.at(index).time, start, end);
        let total = within.len();
        let rows = within.rev().skip(skip).take(limit).map(|index| self.repayment_view(repayments.at(index)));
        (total, rows.collect())
    }

    fn repayment_view(&self, repayment: &Repayment) -> RepaymentView {
        RepaymentView {
            id: repayment.id,
            asset: self.ledger.asset(repayment.asset),
            amount: Amount::from_scaled(repayment.amount),
            time: Timestamp::from_micros(repayment.time),
        }
    }
}

/// An amount that may move, scaled by 10^8.
fn transferable(amount: Amount) -> Result<i128, Refusal> {
    match amount.scaled() {
        amount if amount <= 0 => Err(Refusal::AmountNotPositive),
        amount if amount > MAX_TRANSFER => Err(Refusal::AmountTooLarge),
        amount => Ok(amount),
    }
}

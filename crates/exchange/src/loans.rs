//! Liquidation loans: what an owner owes the venue after a forced liquidation that ended below zero.
//!
//! An owner has at most one open loan. Opening it moves no balance: the venue covered the loss when the account was
//! liquidated. Repaying takes from the spot wallet, out of the exchange, as it came in from outside.
//! Source: margin API, liquidation loan, 2026-05-05.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chunked::Chunked;
use crate::ledger::AssetId;

/// Every owner's loan, by owner number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Loans {
    last_repayment: i64,
    by_owner: BTreeMap<u32, Loan>,
}

/// An owner's last loan, and every repayment that the owner ever made. Amounts are scaled by 10^8.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Loan {
    pub(crate) asset: AssetId,
    pub(crate) amount: i128,
    pub(crate) repaid: i128,
    pub(crate) repayments: Chunked<Repayment>,
}

/// One repayment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Repayment {
    /// From 1 and rising over all owners.
    pub(crate) id: i64,
    pub(crate) asset: AssetId,
    pub(crate) amount: i128,
    pub(crate) time: i64,
}

impl Loan {
    /// What is still owed.
    pub(crate) const fn remaining(&self) -> i128 {
        self.amount - self.repaid
    }
}

impl Loans {
    /// An owner's loan, open or repaid.
    pub(crate) fn of(&self, owner: u32) -> Option<&Loan> {
        self.by_owner.get(&owner)
    }

    /// Whether an owner still owes something.
    pub(crate) fn is_open(&self, owner: u32) -> bool {
        self.of(owner).is_some_and(|loan| loan.remaining() > 0)
    }

    /// Adds to the open loan of an owner, which must be of the same asset, or opens one.
    pub(crate) fn lend(&mut self, owner: u32, asset: AssetId, amount: i128) {
        let fresh = || Loan { asset, amount: 0, repaid: 0, repayments: Chunked::default() };
        let loan = self.by_owner.entry(owner).or_insert_with(fresh);
        if loan.remaining() == 0 {
            (loan.asset, loan.amount, loan.repaid) = (asset, 0, 0);
        }
        assert!(loan.asset == asset && amount > 0, "a loan grows in its own asset");
        loan.amount += amount;
    }

    /// Books a repayment of at most what remains.
    pub(crate) fn repay(&mut self, owner: u32, amount: i128, time: i64) -> Option<Repayment> {
        let loan = self.by_owner.get_mut(&owner)?;
        assert!(amount > 0 && amount <= loan.remaining(), "a repayment is no larger than the loan");
        self.last_repayment += 1;
        loan.repaid += amount;
        let repayment = Repayment { id: self.last_repayment, asset: loan.asset, amount, time };
        loan.repayments.push(repayment);
        Some(repayment)
    }
}

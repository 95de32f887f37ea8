//! Keys that come from a file, batch by batch.

use super::{ATTEMPTS_MAX, Authority, AuthorityError};
use crate::caller::Caller;
use crate::change::{Change, ImportSummary};
use crate::issue::{self, ImportedKey, Minted, NewKey, RowRefused};
use crate::ports::{Ports, Store as _};
use crate::refusal::Refusal;
use latchkey_protocol::{AccountId, Timestamp};
use std::collections::BTreeSet;

/// A standard key of a batch.
pub struct ImportRow {
    /// Whose it shall be.
    pub account: AccountId,
    /// What it shall be.
    pub key: NewKey,
}

/// A batch that is stored and in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Imported {
    /// The number of its audit record.
    pub revision: u64,
    /// What it brought, as the audit record says it.
    pub summary: ImportSummary,
}

/// Why a batch was not imported; nothing of it was stored, unless [`AuthorityError`] says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A rule refused one of its keys.
    #[error(transparent)]
    Row(#[from] RowRefused),
    /// It could not be stored.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl<P: Ports> Authority<P> {
    /// Imports a batch of standard keys: all of them or none. A few thousand keep the transaction short.
    ///
    /// # Errors
    /// [`ImportError`]; see [`issue::import_keys`]. What was refused is not noted: whoever reads the file knows more of
    /// it.
    pub async fn import_keys(
        &self,
        caller: &Caller,
        rows: &[ImportRow],
        now: Timestamp,
    ) -> Result<Imported, ImportError> {
        let mut minted = Vec::with_capacity(rows.len());
        for row in rows {
            minted.push(self.mint(row.account, &row.key.proof, &row.key.fixed, now).await?.0);
        }
        for _ in 0..ATTEMPTS_MAX {
            let change = self.decide_import(caller, rows, &minted, now).await?;
            let keys: Vec<_> = change.keys.iter().map(|write| write.record.clone()).collect();
            match self.commit(change).await {
                Ok(Some(committed)) => {
                    return Ok(Imported { revision: committed.revision, summary: ImportSummary::of(&[], &keys) });
                }
                // One of the names was taken meanwhile: the next look finds which.
                Ok(None) | Err(AuthorityError::Refused(Refusal::ApiKeyTaken)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AuthorityError::Busy.into())
    }

    async fn decide_import(
        &self,
        caller: &Caller,
        rows: &[ImportRow],
        minted: &[Minted],
        now: Timestamp,
    ) -> Result<Change, ImportError> {
        let store = self.ports.store();
        let ids: BTreeSet<AccountId> = rows.iter().map(|row| row.account).collect();
        let mut accounts = Vec::with_capacity(ids.len());
        for id in ids {
            accounts.extend(store.load(id).await.map_err(AuthorityError::Store)?);
        }
        let mut keys = Vec::with_capacity(rows.len());
        for (row, minted) in rows.iter().zip(minted) {
            let taken = store.key(minted.api_key).await.map_err(AuthorityError::Store)?.is_some();
            keys.push(ImportedKey { account: row.account, new: &row.key, minted, taken });
        }
        Ok(issue::import_keys(&self.policy, caller, accounts, &keys, now)?)
    }
}

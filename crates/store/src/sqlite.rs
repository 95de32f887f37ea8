//! The authority's records in SQLite: one file, one writer, a few readers.
//!
//! Every change is one transaction that takes the next revision, so revisions have no gaps and are in the order of the
//! commits; the audit record of a change has its revision as its number. A commit is answered when it is on the disk
//! (write-ahead log, `synchronous=FULL`).

mod audit;
mod commit;
mod directory;
pub mod heads;
pub mod import;
mod load;
mod notes;
mod open;
pub mod outbox;
mod read;
mod root_keys;
mod shelf;
pub mod uses;
mod writer;

use std::path::{Path, PathBuf};

use latchkey_authority::account::{Account, Email};
use latchkey_authority::change::{Change, Committed};
use latchkey_authority::key::KeyRecord;
use latchkey_authority::ports::{Loaded, Store, StoreError};
use latchkey_authority::stored::RecordError;
use latchkey_protocol::{AccountId, ApiKey};
use sqlx::SqlitePool;

use crate::folder::FolderError;
use writer::Writer;

/// Tells two deployments apart: what is sealed for one store does not open in another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreId(pub [u8; 16]);

/// Where the database lies, and how it is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SqliteSettings {
    /// The file; made (mode 0600) with its folder (0700) when it is absent.
    pub path: PathBuf,
    /// How many reads may run at once, at least one.
    pub readers: u32,
    /// The id that a new store gets; one that is there keeps its own.
    pub new_store_id: StoreId,
}

impl SqliteSettings {
    /// The usual settings for a file, with a fresh id from `entropy` for the case that it is absent.
    pub fn new(path: &Path, entropy: &mut dyn latchkey_crypto::entropy::Entropy) -> Self {
        Self { path: path.to_owned(), readers: 4, new_store_id: StoreId(latchkey_crypto::entropy::draw(entropy)) }
    }
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A database of something else.
    #[error("`{}` is no store of Latchkey", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Written by a newer program.
    #[error("`{}` has format {found}, newer than format {} that this program reads: upgrade it", path.display(), open::FORMAT)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
    /// An older store could not be brought up to date; it is as it was.
    #[error("`{}` could not be brought to format {step}", path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// The format.
        step: usize,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The database failed.
    #[error("cannot use the database `{}`", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
}

/// The authority's store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    id: StoreId,
    writer: Writer,
    readers: SqlitePool,
}

/// What [`SqliteStore::open_probed`] calls.
pub type Probe = Box<dyn FnMut() + Send>;

/// A record with the revision of the change that wrote it last.
#[derive(Clone, PartialEq, Debug)]
pub enum Row {
    /// An account.
    Account {
        /// The revision.
        revision: u64,
        /// The record.
        account: Account,
    },
    /// A key.
    Key {
        /// The revision.
        revision: u64,
        /// The record.
        key: KeyRecord,
    },
}

impl SqliteStore {
    /// Opens the store, making it when it is absent, and brings an older one up to date.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(settings: &SqliteSettings) -> Result<Self, OpenError> {
        open::open(settings, None).await
    }

    /// As [`Self::open`]; `probe` is called before each step that the database's machine takes for a writer. For tests
    /// that end the process anywhere inside a change.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open_probed(settings: &SqliteSettings, probe: Probe) -> Result<Self, OpenError> {
        open::open(settings, Some(probe)).await
    }

    /// The deployment that this store belongs to.
    pub const fn id(&self) -> StoreId {
        self.id
    }

    /// Hands over every account and then every key that is not deleted, as of one revision, which it returns. Only a
    /// small part is in memory at a time.
    ///
    /// # Errors
    /// [`StoreError::Record`] for a record that is not readable: a start must not go on without it.
    pub async fn each_row(&self, mut each: impl FnMut(Row) + Send) -> Result<u64, StoreError> {
        let mut snapshot = self.readers.begin().await.map_err(unavailable)?;
        let revision = read::revision(&mut snapshot).await?;
        read::each_account(&mut snapshot, &mut each).await?;
        read::each_key(&mut snapshot, &mut each).await?;
        Ok(revision)
    }

    /// What is to be put in force once the effects of change `revision` are done: what it wrote, unless a later change
    /// has written it again and so puts it in force, and every key that waited for it, as it is now.
    ///
    /// # Errors
    /// As [`Store::load`].
    pub async fn settled(&self, revision: u64) -> Result<Vec<Row>, StoreError> {
        let mut snapshot = self.readers.begin().await.map_err(unavailable)?;
        read::settled(&mut snapshot, revision).await
    }

    /// The number of the last change; 0 before the first.
    ///
    /// # Errors
    /// As [`Store::load`].
    pub async fn revision(&self) -> Result<u64, StoreError> {
        let mut snapshot = self.readers.acquire().await.map_err(unavailable)?;
        read::revision(&mut snapshot).await
    }

    /// Ends what is under way, writes what is in the log to the file and closes both; whatever is asked later fails.
    /// Not needed for durability.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn close(&self) -> Result<(), StoreError> {
        self.readers.close().await;
        self.writer.close().await
    }
}

impl Store for SqliteStore {
    async fn load(&self, account: AccountId) -> Result<Option<Loaded>, StoreError> {
        let mut snapshot = self.readers.begin().await.map_err(unavailable)?;
        let Some(account) = read::account(&mut snapshot, account).await? else { return Ok(None) };
        let master = match account.master {
            None => None,
            Some(master) => read::account(&mut snapshot, master).await?,
        };
        let mut keys = read::keys_of(&mut snapshot, account.id).await?;
        keys.retain(|key| !read::is_deleted(key));
        Ok(Some(Loaded { account, master, keys }))
    }

    async fn account_by_email(&self, email: &Email) -> Result<Option<AccountId>, StoreError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT id FROM accounts WHERE email = ?")
            .bind(email.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(found.map(AccountId))
    }

    async fn key(&self, api_key: ApiKey) -> Result<Option<KeyRecord>, StoreError> {
        let found: Option<Vec<u8>> = sqlx::query_scalar("SELECT record FROM keys WHERE api_key = ?")
            .bind(api_key.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        found.map(|record| read::decode(&record)).transpose()
    }

    async fn all_keys(&self, account: AccountId) -> Result<Vec<KeyRecord>, StoreError> {
        let mut snapshot = self.readers.acquire().await.map_err(unavailable)?;
        read::keys_of(&mut snapshot, account).await
    }

    async fn public_key_known(&self, fingerprint: [u8; 32]) -> Result<bool, StoreError> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM keys WHERE fingerprint = ? AND deleted = 0)")
            .bind(fingerprint.as_slice())
            .fetch_one(&self.readers)
            .await
            .map_err(unavailable)
    }

    async fn next_account_id(&self) -> Result<AccountId, StoreError> {
        let mut writer = self.writer.lock().await?;
        let id: i64 = sqlx::query_scalar("UPDATE account_ids SET value = value + 1 RETURNING value")
            .fetch_one(&mut *writer)
            .await
            .map_err(unavailable)?;
        Ok(AccountId(id))
    }

    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let mut writer = self.writer.lock().await?;
        commit::commit(self.id, &mut writer, change).await
    }
}

/// An error of the database that says nothing about the change.
fn unavailable(error: sqlx::Error) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

/// Bytes of the database that are not what was written.
fn unreadable(what: impl std::fmt::Display) -> StoreError {
    StoreError::Record(RecordError::Unreadable(what.to_string()))
}

/// A revision or version as the database keeps it.
fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(unreadable)
}

/// A revision or version as the database gave it.
fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(unreadable)
}

//! Worlds: what a demo starts from, as a TOML file or built in.
//!
//! ```text
//! text ── World::parse ──▶ World ── populate ──▶ accounts, keys, funds, and the credentials of all that was made
//!          (shape)                  (the rules)
//! ```
//!
//! All rules apply: accounts and keys are made by the same service that the console asks. What it refuses, the world
//! refuses at the line that asked for it, and then nothing is made at all.

use core::ops::Range;
use std::path::Path;

use latchkey_authority::key::Scope;
use latchkey_authority::policy::Policy;
use latchkey_authority::service::AuthorityError;
use latchkey_authority::tier::Tiers;
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::totp::TotpSeed;
use latchkey_exchange::MarketSettings;
use latchkey_protocol::{ApiKey, PermissionSet, Timestamp, Wallet};

use crate::config::source::{Problem, Source};
use file::{AccountTable, KeyTable};

mod file;
mod market;
mod populate;
mod read;
mod rehearsal;

pub use populate::populate;

/// The built-in world.
const BUILTIN: &str = include_str!("world/builtin.toml");

/// A world whose shape is sound; the rules judge it when it is populated.
pub struct World {
    source: Source,
    policy: Policy,
    tiers: Tiers,
    market: MarketSettings,
    accounts: Vec<AccountEntry>,
}

/// Why a world is not populated.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// A rule refused it. Nothing was made.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// A key pair or a hash could not be made. Nothing was made.
    #[error("the key material of `{0}` cannot be made")]
    Material(String, #[source] Box<dyn core::error::Error + Send + Sync>),
    /// A private key could not be written. No account was made.
    #[error("cannot write `{0}`")]
    Write(std::path::PathBuf, #[source] std::io::Error),
    /// The store or the exchange failed.
    #[error("account `{account}` could not be made")]
    Authority {
        /// Which.
        account: String,
        /// Why.
        #[source]
        source: AuthorityError,
    },
}

/// `[[account]]`, with what was read from its texts.
struct AccountEntry {
    span: Range<usize>,
    table: AccountTable,
    totp: Option<TotpSeed>,
    funds: Vec<Fund>,
    keys: Vec<KeyEntry>,
    /// Whether password and second factor are drawn when the world is populated.
    draws_sign_in: bool,
}

/// An opening balance and where it stands.
struct Fund {
    span: Range<usize>,
    wallet: Wallet,
    asset: latchkey_protocol::Asset,
    amount: latchkey_protocol::Amount,
}

/// `[[account.key]]`, with what was read from its texts.
struct KeyEntry {
    span: Range<usize>,
    table: KeyTable,
    api_key: Option<ApiKey>,
    proof: ProofEntry,
    permissions: PermissionSet,
    special: Option<Scope>,
}

/// What proves the requests of a key.
enum ProofEntry {
    /// A secret, given or drawn.
    Hmac(Option<SecretKey>),
    /// A pair that is made.
    Pair(KeyType),
    /// The public half of a pair that somebody else has.
    Public(String),
}

impl KeyEntry {
    fn created(&self) -> Option<Timestamp> {
        self.table.created.as_ref().map(|time| time.get_ref().0)
    }
}

impl World {
    /// Reads a world file; its relative paths start at the folder of `file`.
    ///
    /// # Errors
    /// [`Problem`]: what does not fit, with its line.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Problem> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        read::read(Source::new(file.display().to_string(), text.to_owned()), folder)
    }

    /// The built-in world: a professional with everything, a beginner, and a sub-account. All that proves anything,
    /// passwords included, is drawn when it is populated.
    pub fn builtin() -> Self {
        // INVARIANT: the text is a constant, and a test reads it.
        #[expect(clippy::expect_used, reason = "a constant that a test reads")]
        let mut world = Self::parse(BUILTIN, Path::new("the built-in world")).expect("the built-in world is sound");
        for account in &mut world.accounts {
            account.draws_sign_in = true;
        }
        world
    }

    /// The policy of the world: `profile` with the fields of `[policy]`.
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// The limits of accounts by VIP level: `[policy.tier.NAME]`.
    pub const fn tiers(&self) -> Tiers {
        self.tiers
    }

    /// What its exchange starts from: `[market]` under the limits of the policy.
    pub fn market_settings(&self) -> MarketSettings {
        self.market.clone()
    }
}

#[cfg(test)]
mod tests;

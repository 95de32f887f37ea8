//! What a decision yields: records to write, effects for the exchange, and the audit event.
//!
//! The store applies a [`Change`] whole or not at all, in one transaction that also takes the next revision.

use crate::account::Account;
use crate::claim::Settled;
use crate::key::KeyRecord;
use crate::step_up::FactorSet;
use crate::stored::{Stored as _, hex, key_id, optional_key_id};
use crate::view::{AccountSummary, KeySummary};
use core::net::IpAddr;
use latchkey_crypto::digest::sha256_framed;
use latchkey_protocol::{AccountId, Amount, Asset, KeyId, Timestamp, TradingAccount};
use serde::{Deserialize, Serialize};

/// One change of accounts and keys, with all that must happen together.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// Accounts to write. Every change of a key also writes its account, whose version so guards the key count.
    pub accounts: Vec<Write<Account>>,
    /// Keys to write.
    pub keys: Vec<Write<KeyRecord>>,
    /// Records that were read and must still be at their version, though they are not written.
    pub guards: Vec<Guard>,
    /// What the exchange is to do; put into the outbox in the same transaction, delivered in order.
    pub effects: Vec<Effect>,
    /// Who changed what.
    pub audit: AuditEvent,
    /// What owners are told; written in the same transaction, sent later.
    pub notices: Vec<Notice>,
    /// The claim under which something was made; settled in the same transaction, or nothing is made.
    pub settled: Option<Settled>,
    /// Whose [`crate::ports::ShelfKind::OF_SIGNED_IN`] goes in the same transaction: who is signed in as this account, or
    /// began to be, is not any more.
    pub signed_out: Option<AccountId>,
    /// When the change may be answered.
    pub answer_after: AnswerAfter,
    /// Which of exchange and live keys moves first.
    pub direction: Direction,
}

/// A record to write, with the version that it replaces.
#[derive(Clone, PartialEq, Debug)]
pub struct Write<T> {
    /// The record as it shall be; its `version` is already the new one.
    pub record: T,
    /// The version that must be stored now; `None` inserts.
    pub expected: Option<u64>,
}

/// An account that must still be at this version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guard {
    /// Which account.
    pub account: AccountId,
    /// At which version.
    pub version: u64,
}

/// When a change may be answered. One node makes both the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerAfter {
    /// When it is in force on this node.
    Local,
    /// When it is in force on every node: changes that narrow.
    AllNodes,
}

/// Which of exchange and live keys moves first when both change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Live keys first, then the exchange.
    Narrowing,
    /// The exchange first; live keys when its effects are done.
    Widening,
}

/// The outbox's number of an effect; the exchange carries out each number once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct EffectId(pub i64);

/// What the exchange is to do because of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Effect {
    /// Open a wallet; one that is open stays as it is.
    OpenWallet {
        /// Which.
        account: TradingAccount,
    },
    /// Bring an amount in from outside.
    Credit {
        /// Into which wallet.
        account: TradingAccount,
        /// Of what.
        asset: Asset,
        /// How much, above zero.
        amount: Amount,
    },
    /// Put an owner's margin account into special-key mode.
    EnterSpecialMode {
        /// Whose.
        owner: AccountId,
    },
    /// Take it out again.
    LeaveSpecialMode {
        /// Whose.
        owner: AccountId,
    },
    /// Cancel every open order of an owner.
    CancelEverything {
        /// Whose.
        owner: AccountId,
    },
}

/// What the store answers once a change is durable.
#[derive(Clone, PartialEq, Debug)]
pub struct Committed {
    /// The revision that the change became, which is its place in the audit sequence too.
    pub revision: u64,
    /// The numbers of its effects, in their order.
    pub effects: Vec<EffectId>,
    /// The accounts as they are now.
    pub accounts: Vec<Account>,
    /// The keys as they are now.
    pub keys: Vec<KeyRecord>,
    /// Those among them that wait for effects of an earlier change. They were never in force, and are not put in force
    /// with this one.
    pub waiting: Vec<KeyId>,
}

/// Who asked for a change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Actor {
    /// An owner, signed in as this account, or by a code that was sent to its address.
    Owner(AccountId),
    /// A signed call.
    Key {
        /// Of this account.
        account: AccountId,
        /// With this key.
        #[serde(with = "key_id")]
        key: KeyId,
    },
    /// An operator, by name.
    Operator(String),
    /// The world file of a demo.
    World,
    /// A rule that acts with time.
    System,
}

/// One audit record, before the store gives it its place in the chain. It holds summaries, never secrets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: Actor,
    /// From where, when it came over the network.
    pub from: Option<IpAddr>,
    /// What was done.
    pub action: Action,
    /// Whose account.
    pub account: AccountId,
    /// The key that was addressed, when there was one alone.
    #[serde(with = "optional_key_id")]
    pub key: Option<KeyId>,
    /// The records before; none when they were made now.
    pub before: Vec<AuditState>,
    /// The records after.
    pub after: Vec<AuditState>,
    /// Whether it was done.
    #[serde(default, skip_serializing_if = "Outcome::is_done")]
    pub outcome: Outcome,
    /// With which factors, beyond being signed in.
    #[serde(default, skip_serializing_if = "FactorSet::is_empty")]
    pub with: FactorSet,
}

/// Whether what an audit record tells was done.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was.
    #[default]
    Done,
    /// It was not, for this reason; nothing was changed.
    Refused(String),
}

impl Outcome {
    /// Whether it was done.
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

/// What an owner is told. The text is plain English without secrets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Who is told.
    pub account: AccountId,
    /// What it is about.
    pub kind: NoticeKind,
    /// The key that it is about, when it is one.
    #[serde(with = "optional_key_id")]
    pub key: Option<KeyId>,
    /// The text.
    pub text: String,
}

/// What a notice is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// A signed call made, changed or ended a key.
    SignedCall,
    /// `permissionMode` had no effect.
    ModeIgnored,
    /// A key ends soon.
    KeyExpiring,
    /// A key has ended.
    KeyEnded,
    /// A key violates Default Security Controls, or does no longer.
    Controls,
    /// Keys are out of use, or in use again, because of the account's facts.
    Standing,
    /// Second factors, recovery codes or the password changed.
    Factors,
    /// An operator did something.
    Operator,
}

/// What an audit record shows of a record.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditState {
    /// Of an account.
    Account(AccountSummary),
    /// Of a key.
    Key(KeySummary),
    /// Of a batch that came from a file.
    Import(ImportSummary),
    /// Of an operator's token.
    OperatorToken(OperatorTokenSummary),
    /// Of what an operator did to an embedded venue.
    Sandbox(SandboxSummary),
    /// Of an effect that the exchange had refused.
    Effect(EffectId),
}

/// An operator's token, by what it may do; never the token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorTokenSummary {
    /// The name by which lists call it.
    pub id: String,
    /// Whom records name when it is used.
    pub name: String,
    /// What it is good for.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expires: Timestamp,
}

/// Money that came into a wallet, or a loan on it, at an operator's word.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxSummary {
    /// `spot`, `cross` or the symbol of an isolated wallet.
    pub wallet: String,
    /// Of which asset.
    pub asset: String,
    /// How much of it, as a decimal number.
    pub amount: String,
}

/// What a batch of an import brought. The records themselves are named by their digest alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportSummary {
    /// How many accounts.
    pub accounts: u64,
    /// How many keys.
    pub keys: u64,
    /// SHA-256 over the stored records, accounts before keys, in their order.
    #[serde(with = "hex")]
    pub digest: [u8; 32],
}

impl ImportSummary {
    /// What a batch of new records is.
    pub fn of(accounts: &[Account], keys: &[KeyRecord]) -> Self {
        /// Says what is hashed.
        const DOMAIN: &[u8] = b"latchkey import 1";
        let records: Vec<_> = accounts.iter().map(Account::encode).chain(keys.iter().map(KeyRecord::encode)).collect();
        let parts: Vec<&[u8]> = core::iter::once(DOMAIN).chain(records.iter().map(Vec::as_slice)).collect();
        Self { accounts: accounts.len() as u64, keys: keys.len() as u64, digest: sha256_framed(&parts) }
    }
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// An account was opened.
    AccountCreated,
    /// An account was frozen.
    AccountFrozen,
    /// A freeze ended.
    AccountUnfrozen,
    /// A key was made.
    KeyCreated,
    /// A special key was made.
    SpecialKeyCreated,
    /// A key's IP list was replaced.
    KeyIpEdited,
    /// A key was put out of use.
    KeyDisabled,
    /// A key was put back into use.
    KeyEnabled,
    /// Keys were deleted.
    KeyDeleted,
    /// Facts of an account changed.
    AccountEdited,
    /// A key was edited.
    KeyEdited,
    /// A key got a successor.
    KeyRotated,
    /// The life of keys ended.
    KeyExpired,
    /// The overlap of keys with their successors ended.
    KeyRetired,
    /// Keys that violated Default Security Controls were deleted, or what the rules keep of them was renewed.
    KeysWatched,
    /// Every key was deleted, or all that one key made.
    KeysDeleted,
    /// Every key was put out of use.
    KeysDisabled,
    /// The account left special-key mode.
    SpecialModeLeft,
    /// A second factor was added.
    FactorAdded,
    /// A second factor was taken away.
    FactorRemoved,
    /// Recovery codes were made anew.
    RecoveryCodesMade,
    /// A recovery code was used.
    RecoveryCodeUsed,
    /// The password changed.
    PasswordChanged,
    /// The password was chosen anew, by a code that was sent to the account's address.
    PasswordReset,
    /// An operator took every second factor away.
    FactorsReset,
    /// An owner signed in.
    SignedIn,
    /// Somebody failed to sign in.
    SignInFailed,
    /// A proof for a change failed.
    StepUpFailed,
    /// Keys came from a file.
    KeysImported,
    /// A tax report key was made.
    TaxKeyCreated,
    /// A token for an operator was made.
    OperatorTokenMade,
    /// A token of an operator was revoked, with those that it made.
    OperatorTokenRevoked,
    /// An operator put money into a wallet of the embedded venue.
    SandboxDeposit,
    /// An operator made a liquidation loan in the embedded venue.
    SandboxLoan,
    /// An operator had an effect tried again that the exchange had refused.
    EffectRetried,
}

#[cfg(test)]
mod tests {
    use super::*;
    use latchkey_protocol::Wallet;

    #[test]
    fn effects_read_back_from_the_outbox_and_unknown_ones_are_refused() {
        let owner = AccountId(1);
        let account = TradingAccount { owner, wallet: Wallet::Cross };
        let (asset, amount) = (Asset::parse("USDT").unwrap(), Amount::from_scaled(i128::MAX));
        for effect in [
            Effect::OpenWallet { account },
            Effect::Credit { account, asset, amount },
            Effect::EnterSpecialMode { owner },
            Effect::LeaveSpecialMode { owner },
            Effect::CancelEverything { owner },
        ] {
            let text = serde_json::to_string(&effect).unwrap();
            assert_eq!(serde_json::from_str::<Effect>(&text).unwrap(), effect);
        }
        assert!(serde_json::from_str::<Effect>(r#"{"close-wallet":{"owner":1}}"#).is_err());
    }
}

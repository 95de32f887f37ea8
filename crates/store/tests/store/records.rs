//! Plain records and changes.

use std::path::Path;

use latchkey_authority::account::{Account, Email, Kyc, Products, Sealed, Terms, TermsSigned};
use latchkey_authority::change::{Action, Actor, AnswerAfter, AuditEvent, Change, Direction, Effect, Outcome, Write};
use latchkey_authority::ip::{IpForms, IpRestriction, IpRule};
use latchkey_authority::key::{Capabilities, KeyRecord, KeyState, Material};
use latchkey_authority::label::Label;
use latchkey_authority::policy::Policy;
use latchkey_authority::step_up::FactorSet;
use latchkey_protocol::{AccountId, ApiKey, KeyId, PermissionSet, Timestamp};
use latchkey_store::random;
use latchkey_store::sqlite::{SqliteSettings, SqliteStore};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

pub(crate) async fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(&SqliteSettings::new(&folder.join("data/latchkey.db"), &mut random::fill)).await.unwrap()
}

pub(crate) fn account(id: i64) -> Account {
    let created = NOW.plus_millis(-400 * 86_400_000);
    let opened = Some(created.plus_millis(86_400_000));
    Account {
        kyc: Kyc::VerifiedPlus,
        vip: 9,
        deposited: true,
        products: Products { margin: opened, futures: opened, options: opened },
        terms: TermsSigned::from_iter([Terms::MarginSpecialKey]),
        totp: Some(Sealed(vec![1])),
        ..Account::new(AccountId(id), Email::parse(&format!("user{id}@example.com")).unwrap(), created)
    }
}

pub(crate) fn key(id: u128, account: i64) -> KeyRecord {
    KeyRecord {
        permissions: PermissionSet::READING,
        capabilities: Capabilities { margin: true, futures: true, options: true, portfolio_margin: false },
        ..KeyRecord::new(
            KeyId(id),
            AccountId(account),
            ApiKey::parse(format!("{id:0>64}").as_bytes()).unwrap(),
            Label::parse("bot").unwrap(),
            Material::Hmac { sealed: Sealed(vec![1, 2, 3]) },
            listed("127.0.0.1"),
            NOW.plus_millis(-10 * 86_400_000),
        )
    }
}

pub(crate) fn listed(list: &str) -> IpRestriction {
    IpRestriction::Listed(IpRule::parse_list(list, IpForms::AddressesAndNetworks, &Policy::default()).unwrap())
}

pub(crate) fn deleted(mut key: KeyRecord) -> KeyRecord {
    let reason = latchkey_authority::key::DeleteReason::Requested;
    key.state = KeyState::Deleted { at: NOW, by: Actor::System, reason };
    key.version += 1;
    key
}

/// A change of nothing but the audit record.
pub(crate) fn change(account: i64) -> Change {
    Change {
        accounts: Vec::new(),
        keys: Vec::new(),
        guards: Vec::new(),
        effects: Vec::new(),
        audit: AuditEvent {
            at: NOW,
            who: Actor::System,
            from: None,
            action: Action::AccountCreated,
            account: AccountId(account),
            key: None,
            before: Vec::new(),
            after: Vec::new(),
            outcome: Outcome::Done,
            with: FactorSet::EMPTY,
        },
        notices: Vec::new(),
        settled: None,
        signed_out: None,
        answer_after: AnswerAfter::Local,
        direction: Direction::Widening,
    }
}

pub(crate) fn with_account(mut change: Change, record: Account, expected: Option<u64>) -> Change {
    change.accounts.push(Write { record, expected });
    change
}

pub(crate) fn with_key(mut change: Change, record: KeyRecord, expected: Option<u64>) -> Change {
    change.keys.push(Write { record, expected });
    change
}

pub(crate) fn with_effect(mut change: Change, effect: Effect) -> Change {
    change.effects.push(effect);
    change
}

/// How many cases a long test tries.
#[expect(clippy::disallowed_methods, reason = "how a long run is asked for")]
pub(crate) fn cases(few: u64) -> u64 {
    std::env::var("LATCHKEY_PROOF_CASES").map_or(few, |cases| cases.parse().unwrap())
}

//! Batches from files: whole or not at all, by the rules of each key's time.

use super::*;
use crate::account::Account;
use crate::change::{AuditState, ImportSummary, NoticeKind};
use crate::ip::IpRestriction;
use crate::issue::RowRefused;
use crate::permission_rules::Need;
use crate::policy::DAY;
use crate::ports::KeptNotice;

fn operator() -> Caller {
    Caller { account: AccountId(0), ..caller(Via::Operator("carol".into())) }
}

/// A key of `account` with fixed texts, the public name being `number`.
fn row(account: i64, number: u128) -> ImportRow {
    let fixed = FixedText {
        api_key: Some(api_key(number)),
        secret: SecretKey::parse("s".repeat(64)).ok(),
        ..Default::default()
    };
    ImportRow { account: AccountId(account), key: NewKey { fixed, ..new_key(PermissionSet::READING) } }
}

fn import(authority: &Authority<House>, rows: &[ImportRow]) -> Result<Imported, ImportError> {
    now_or_never(authority.import_keys(&operator(), rows, NOW))
}

fn refused(authority: &Authority<House>, rows: &[ImportRow]) -> RowRefused {
    match import(authority, rows) {
        Err(ImportError::Row(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

fn two_accounts() -> Authority<House> {
    let authority = authority();
    authority.ports().insert(account(2));
    authority
}

#[test]
fn a_batch_is_one_change_that_moves_every_account_and_tells_every_owner() {
    let authority = two_accounts();
    let rows = [row(1, 11), row(2, 21), row(1, 12)];
    let imported = import(&authority, &rows).unwrap();
    assert_eq!((imported.revision, imported.summary.accounts, imported.summary.keys), (1, 0, 3));
    assert_eq!(events(&authority), [Event::Committed(1), Event::Live(1)]);
    let stored = authority.ports().records();
    let versions: Vec<u64> = [1, 2].map(|id| stored.accounts[&AccountId(id)].version).to_vec();
    assert_eq!(versions, [2, 2], "an owner's change that was decided before does not commit after");
    let mut keys: Vec<KeyRecord> = stored.keys.values().cloned().collect();
    keys.sort_unstable_by_key(|key| key.api_key);
    assert_eq!(keys.iter().map(|key| key.account.0).collect::<Vec<_>>(), [1, 1, 2]);
    let (_, event) = stored.audit.last().unwrap();
    assert_eq!((event.account, event.action, event.key), (AccountId(0), Action::KeysImported, None));
    assert_eq!(event.after, [AuditState::Import(imported.summary)]);
    keys.sort_unstable_by_key(|key| rows.iter().position(|row| row.key.fixed.api_key == Some(key.api_key)));
    assert_eq!(imported.summary, ImportSummary::of(&[], &keys));
    let told: Vec<_> =
        stored.notices.iter().map(|KeptNotice { notice, .. }| (notice.account.0, notice.kind, &*notice.text)).collect();
    assert_eq!(
        told,
        [
            (1, NoticeKind::Operator, "2 keys were imported by an operator."),
            (2, NoticeKind::Operator, "A key was imported by an operator."),
        ]
    );
    let said = format!("{:?}{:?}", stored.audit, stored.notices);
    assert!(!said.contains(&"s".repeat(64)), "{said}");
}

/// What makes a key bad, and what is said of it.
type Bad<'a> = (&'a dyn Fn(&mut ImportRow), Refusal);

#[test]
fn one_bad_key_refuses_the_whole_batch_by_its_place() {
    let authority = two_accounts();
    let with = |change: &dyn Fn(&mut ImportRow)| {
        let mut bad = row(1, 13);
        change(&mut bad);
        refused(&authority, &[row(1, 11), row(2, 12), bad])
    };
    let withdrawals = PermissionSet::READING.with(Permission::Withdrawals);
    let cases: [Bad<'_>; 6] = [
        (
            &|row| (row.key.permissions, row.key.ips) = (withdrawals, None),
            Refusal::PermissionNeeds(Permission::Withdrawals, Need::IpListForHmac),
        ),
        (&|row| row.account = AccountId(9), Refusal::AccountUnknown),
        (&|row| row.key.fixed.api_key = Some(api_key(12)), Refusal::ApiKeyTaken),
        (&|row| row.key.created = Some(NOW.plus_micros(1)), Refusal::CreatedOutOfRange),
        (&|row| row.key.created = Some(NOW.plus_micros(-401 * DAY)), Refusal::CreatedOutOfRange),
        (&|row| row.key.symbols = Some(vec![Symbol::parse("BTCUSDT").unwrap(); 31]), Refusal::TooManySymbols(30)),
    ];
    for (change, refusal) in cases {
        assert_eq!(with(change), RowRefused { row: 2, refusal });
    }
    let bad_pem = with(&|row| row.key.proof = NewProof::Public("AAAA".into()));
    assert!(bad_pem.row == 2 && matches!(bad_pem.refusal, Refusal::PublicKey(_)), "{bad_pem:?}");
    assert_eq!(authority.ports().records().keys.len(), 0);
    assert_eq!(events(&authority), []);
}

#[test]
fn an_account_gets_no_more_keys_than_it_may_have() {
    let authority = authority();
    let many: Vec<ImportRow> = (0..31).map(|number| row(1, 100 + number)).collect();
    assert_eq!(refused(&authority, &many), RowRefused { row: 30, refusal: Refusal::TooManyKeys(30) });
    import(&authority, &many[..30]).unwrap();
    assert_eq!(refused(&authority, &[row(1, 200)]), RowRefused { row: 0, refusal: Refusal::TooManyKeys(30) });
}

#[test]
fn a_key_is_judged_as_of_the_time_when_it_was_made() {
    let authority = authority();
    let futures = PermissionSet::READING.with(Permission::Futures);
    let before = NOW.plus_micros(-400 * DAY);
    let of = |created| {
        let mut row = row(1, 11);
        (row.key.permissions, row.key.created) = (futures, Some(created));
        row
    };
    let refused = refused(&authority, &[of(before)]);
    assert!(matches!(refused.refusal, Refusal::PermissionNeeds(Permission::Futures, _)), "{refused:?}");
    import(&authority, &[of(before.plus_micros(2 * DAY))]).unwrap();

    let mut open = row(1, 12);
    (open.key.ips, open.key.created) = (None, Some(NOW.plus_micros(-91 * DAY)));
    import(&authority, &[open]).unwrap();
    let stored = authority.ports().records();
    let key = stored.keys.values().find(|key| key.ip == IpRestriction::Unrestricted).unwrap();
    assert!(!key.lives(authority.policy(), NOW), "its life without an IP list was over before");
    assert_eq!(key.watch.due, Some(NOW));
}

#[test]
fn a_name_that_is_stored_is_taken_and_a_public_key_twice_is_flagged() {
    let authority = authority();
    import(&authority, &[row(1, 11)]).unwrap();
    assert_eq!(refused(&authority, &[row(1, 12), row(1, 11)]), RowRefused { row: 1, refusal: Refusal::ApiKeyTaken });
    let public = |number| {
        let mut row = row(1, number);
        (row.key.proof, row.key.fixed.secret) = (NewProof::Public(pem("ed25519").into()), None);
        row
    };
    import(&authority, &[public(21), public(22)]).unwrap();
    let stored = authority.ports().records();
    let mut shared: Vec<_> = stored
        .keys
        .values()
        .filter_map(|key| key.material.public().map(|public| (key.api_key, public.shared)))
        .collect();
    shared.sort_unstable();
    assert_eq!(shared, [(api_key(21), false), (api_key(22), true)]);
}

#[test]
fn nobody_but_an_operator_imports_and_a_held_account_stays_as_it_is() {
    let authority = authority();
    let trader = trader(&authority);
    for other in [caller(Via::Owner), trader] {
        let refused = now_or_never(authority.import_keys(&other, &[row(1, 11)], NOW));
        let Err(ImportError::Row(RowRefused { row: 0, refusal })) = refused else { panic!("{refused:?}") };
        assert_eq!(refusal, Refusal::OnlyByOperator);
    }
    let until = NOW.plus_micros(DAY);
    let held = Account { widening_held_until: Some(until), ..account(1) };
    authority.ports().insert(held);
    assert_eq!(refused(&authority, &[row(1, 11)]).refusal, Refusal::WideningHeld { until });
}

#[test]
fn a_change_of_the_owner_in_between_is_seen() {
    let authority = authority();
    let frozen = Account { deposited: false, version: 2, ..account(1) };
    let act = move |house: &House| house.insert(frozen);
    *authority.ports().let_in_between.lock().unwrap() = Some(Box::new(act));
    assert_eq!(refused(&authority, &[row(1, 11)]).refusal, Refusal::NoDeposit);
}

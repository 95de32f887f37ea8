//! Every served endpoint against every kind of key and every missing permission.

use latchkey_admission::{Rejection, Stage};
use latchkey_authority::key::{KeyKind, PermissionMode, Scope};
use latchkey_authority::memory::InMemory;
use latchkey_protocol::catalog::{Catalog, Endpoint, KeyKinds, Route, SecurityType};
use latchkey_protocol::{Permission, PermissionSet};

use crate::harness::{House, TestKey, number_of, pair};

/// The rows that ask for a key and that the venue answers.
fn keyed() -> impl Iterator<Item = &'static Endpoint> {
    Catalog::rows().filter(|row| row.route != Route::Unavailable && row.security != SecurityType::None)
}

fn everything() -> PermissionSet {
    Permission::ALL.iter().fold(PermissionSet::READING, |set, permission| set.with(*permission))
}

/// How the line ends for a call without parameters. Many rows miss one, which comes after the permission.
fn refusal(house: &House, key: &TestKey, row: &Endpoint) -> Option<Rejection> {
    house.permit(Some(key), row.method.as_str(), row.path, "").err()
}

#[track_caller]
fn check_refused(house: &House, key: &TestKey, row: &Endpoint, why: &str) {
    let rejection = refusal(house, key, row).unwrap_or_else(|| panic!("{row:?}: {why}"));
    let (status, body) = house.told(&rejection, row.path);
    let family = if row.path.starts_with("/sapi") { 400 } else { 401 };
    assert_eq!((status, number_of(&body, "code")), (family, -2015), "{row:?}: {why}");
    assert_eq!(rejection.stage, Stage::Permission, "{row:?}: {why}");
}

#[track_caller]
fn check_passes(house: &House, key: &TestKey, row: &Endpoint, why: &str) {
    let stage = refusal(house, key, row).map(|rejection| rejection.stage);
    assert!(!matches!(stage, Some(stage) if stage <= Stage::Permission), "{row:?}: {why}: {stage:?}");
}

#[tokio::test]
async fn each_permission_that_is_missing_is_missed() {
    let house = House::new().await;
    let whole = house.key(1, everything(), KeyKind::Standard);
    let (mut walked, mut missed) = (0, 0);
    for without in Permission::ALL {
        // A walk weighs about as much as one address may in a minute.
        house.clock.advance_millis(60_000);
        let lacking = house.key(1, everything().without(*without), KeyKind::Standard);
        for row in keyed() {
            walked += 1;
            if row.permission == Some(*without) {
                missed += 1;
                check_refused(&house, &lacking, row, without.as_str());
            } else {
                check_passes(&house, &lacking, row, without.as_str());
            }
        }
    }
    let asking = keyed().filter(|row| row.permission.is_some()).count();
    assert_eq!((walked, missed), (keyed().count() * Permission::ALL.len(), asking));
    assert!(asking > 50, "{asking}");
    house.clock.advance_millis(60_000);
    for row in keyed() {
        check_passes(&house, &whole, row, "all permissions");
    }
}

#[tokio::test]
async fn each_kind_of_key_reaches_its_own_rows_and_no_other() {
    let house = House::new().await;
    let special = |scope, mode: PermissionMode| {
        let kind = KeyKind::Special { scope, mode };
        (kind, house.key(1, mode.permissions(), kind))
    };
    let keys = [
        special(Scope::Cross, PermissionMode::Trade),
        special(Scope::Cross, PermissionMode::Read),
        special(Scope::Isolated(pair("BTCUSDT")), PermissionMode::Trade),
        (KeyKind::Tax, house.key(1, PermissionSet::READING, KeyKind::Tax)),
        // Even a tax report key that was granted more, which cannot be, reaches no more.
        (KeyKind::Tax, house.key(1, everything(), KeyKind::Tax)),
    ];
    for (kind, key) in &keys {
        house.clock.advance_millis(60_000);
        let granted = house.venue.authority().ports().records().keys[&key.id].permissions;
        for row in keyed() {
            let of_kind = match row.key_kinds {
                KeyKinds::Any => *kind != KeyKind::Tax,
                KeyKinds::StandardOnly => false,
                KeyKinds::Report => true,
            };
            let permitted = row.permission.is_none_or(|permission| granted.contains(permission));
            if of_kind && permitted {
                check_passes(&house, key, row, &format!("{kind:?}"));
            } else {
                check_refused(&house, key, row, &format!("{kind:?}"));
            }
        }
    }
}

#[test]
fn what_manages_keys_accounts_or_funds_is_for_standard_keys() {
    let managing = ["sub-account", "broker", "apiKey", "api-key-list", "special-key-mode", "FastWithdraw", "/repay"];
    for row in keyed().filter(|row| managing.iter().any(|part| row.path.contains(part))) {
        let history = row.path.ends_with("repay-history");
        assert_eq!(row.key_kinds == KeyKinds::StandardOnly, !history, "{row:?}");
    }
}

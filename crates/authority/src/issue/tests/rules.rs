//! The table has rows of each kind for every rule, and no key ever has more than it was granted.

use super::row::{Row, rows};
use crate::account::{Account, Kyc, Owner, PortfolioMargin};
use crate::effective::{DeadReason, Standing, effective_permissions, reach};
use crate::ip::IpRestriction;
use crate::key::{Capabilities, KeyKind, KeyRecord, Material, PermissionMode, PublicMaterial, Scope};
use crate::permission_rules::{Need, PERMISSION_RULES};
use crate::policy::{Policy, Profile};
use crate::step_up::{IntentKind, StepUpFlaw};
use crate::tests::{NOW, account, key, rules};
use latchkey_protocol::{Permission, PermissionSet};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The refusals, as their file lists them, so that none is forgotten here.
const REFUSALS: &str = include_str!("../../refusal.rs");

/// Refusals that are no rules of the table: what a store finds, and what is asked of a new account.
const NOT_IN_THE_TABLE: [&str; 6] =
    ["AccountUnknown", "EmailTaken", "ApiKeyTaken", "MasterUnknown", "BalanceNotPositive", "StepUpNeeded"];

/// The variants of `Refusal` by name.
fn refusals() -> impl Iterator<Item = &'static str> {
    let start = REFUSALS.find("pub enum Refusal {").unwrap();
    let body = REFUSALS[start..].split("\n}").next().unwrap();
    body.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?;
        name.starts_with(|c: char| c.is_ascii_uppercase()).then(|| name.split(['(', ' ', ',']).next().unwrap())
    })
}

/// Whether two rows ask for the same, but for one word that is there, gone or another.
fn neighbours(one: &Row<'_>, other: &Row<'_>) -> bool {
    let words = |row: &Row<'_>| -> Vec<String> {
        let of_account = row.words.iter().map(|word| format!("account {word}"));
        let all = of_account.chain(row.key.iter().map(|word| format!("key {word}")));
        all.filter(|word| word.split_whitespace().count() == 2).collect()
    };
    let (one_words, other_words) = (words(one), words(other));
    let missing = |from: &[String], of: &[String]| from.iter().filter(|word| !of.contains(word)).count();
    let (gone, new) = (missing(&one_words, &other_words), missing(&other_words, &one_words));
    one.action == other.action && gone <= 1 && new <= 1
}

/// Asserts that some row has an outcome that `fails` names, and that a row that differs from it in one word alone
/// has one that `passes` names.
fn assert_both(rule: &str, fails: impl Fn(&str) -> bool, passes: impl Fn(&str) -> bool) {
    let failing: Vec<Row<'_>> = rows().filter(|row| fails(row.expected)).collect();
    assert!(!failing.is_empty(), "no row fails for {rule}");
    let alone = failing.iter().any(|row| rows().any(|other| passes(other.expected) && neighbours(row, &other)));
    assert!(alone, "no row fails for {rule} alone: each differs from every row that passes in more than one word");
}

#[test]
fn every_condition_of_a_permission_has_a_row_that_fails_for_it_alone_and_one_that_passes() {
    for rule in PERMISSION_RULES {
        let passes = rows()
            .any(|row| row.action == "create" && row.expected == "ok" && row.permissions().contains(rule.permission));
        assert!(passes, "no row grants {}", rule.permission);
        for need in rule.needs {
            let refusal = format!("PermissionNeeds({:?}, {need:?})", rule.permission);
            assert!(
                rows().any(|row| row.action == "create" && row.expected == refusal),
                "no row is refused with {refusal}"
            );
        }
    }
    for need in Need::ALL {
        let refused = format!(", {need:?})");
        assert_both(need.name(), |expected| expected.ends_with(&refused), |expected| expected == "ok");
        let withheld = format!(":{}", need.name());
        let in_force = |expected: &str| !expected.contains(&withheld) && !expected.starts_with("dead");
        assert_both(&withheld, |expected| expected.ends_with(&withheld), in_force);
    }
}

#[test]
fn every_refusal_has_a_row_that_fails_for_it_alone_and_one_that_passes() {
    let mut count = 0;
    for name in refusals().filter(|name| !NOT_IN_THE_TABLE.contains(name)) {
        count += 1;
        let named = |expected: &str| expected.split(['(', ' ']).next() == Some(name);
        assert_both(name, named, |expected| expected == "ok" || expected == "unchanged");
    }
    assert!(count > 50, "{count} refusals were found");
}

#[test]
fn every_kind_of_change_has_a_row_that_asks_for_its_proof_and_one_that_takes_it() {
    for kind in IntentKind::ALL {
        let needed = format!("StepUpNeeded({kind:?} ");
        assert_both(&needed, |expected| expected.starts_with(&needed), |expected| expected == "ok");
    }
    for flaw in [StepUpFlaw::OtherChange, StepUpFlaw::Stale, StepUpFlaw::TooWeak] {
        let wrong = format!("StepUpWrong({flaw:?})");
        assert_both(&wrong, |expected| expected == wrong, |expected| expected == "ok");
    }
}

#[test]
fn every_reason_of_a_dead_key_has_its_rows() {
    use DeadReason::*;
    for reason in [Deleted, Expired, Disabled, AccountFrozen, KycTooLow, Retired, ResidenceRestricted] {
        let dead = format!("dead:{}", reason.name());
        assert_both(&dead, |expected| expected == dead, |expected| expected.starts_with("reading"));
    }
}

#[test]
fn every_action_has_a_row_that_is_done() {
    let actions: BTreeSet<&str> = rows().map(|row| row.action).collect();
    for action in actions.into_iter().filter(|action| *action != "effective") {
        assert!(rows().any(|row| row.action == action && row.expected == "ok"), "{action}");
    }
}

fn any_account() -> impl Strategy<Value = Account> {
    let facts = (0..3u8, any::<[bool; 6]>(), 0..3u8, 0..800i64);
    facts.prop_map(|(kyc, [margin, futures, options, controls, frozen, deposited], pm, days)| {
        let mut account = account(1);
        let since = NOW.plus_millis(-days * 86_400_000);
        account.kyc = [Kyc::None, Kyc::Verified, Kyc::VerifiedPlus][usize::from(kyc)];
        account.products.margin = margin.then_some(since);
        account.products.futures = futures.then_some(since);
        account.products.options = options.then_some(since);
        account.default_security_controls = controls;
        account.deposited = deposited;
        account.portfolio_margin = match pm {
            0 => PortfolioMargin::None,
            1 => PortfolioMargin::Retail { since },
            _ => PortfolioMargin::Pro { since },
        };
        account.frozen.extend(frozen.then(|| crate::account::Frozen {
            at: since,
            by: crate::change::Actor::World,
            reason: String::new(),
        }));
        account
    })
}

fn any_key() -> impl Strategy<Value = KeyRecord> {
    let public = || PublicMaterial { der: vec![], fingerprint: [0; 32], shared: false };
    let facts = (prop::collection::vec(any::<bool>(), 11), any::<[bool; 5]>(), 0..3u8, 0..4u8, 0..400i64);
    facts.prop_map(move |(granted, [listed, futures, portfolio_margin, read, nowhere], material, kind, days)| {
        let mut key = key(1);
        key.created = NOW.plus_millis(-days * 86_400_000);
        key.permissions = Permission::ALL.iter().zip(granted).filter(|(_, on)| *on).map(|(p, _)| *p).collect();
        key.ip = match (listed, nowhere) {
            (true, true) => IpRestriction::Listed(vec![]),
            (true, false) => IpRestriction::Listed(rules("10.0.0.0/16")),
            (false, _) => IpRestriction::Unrestricted,
        };
        key.unrestricted_since = (!listed).then_some(key.created);
        key.material = match material {
            0 => key.material,
            1 => Material::Rsa(public()),
            _ => Material::Ed25519(public()),
        };
        key.capabilities = Capabilities { margin: true, futures, options: true, portfolio_margin };
        let mode = if read { PermissionMode::Read } else { PermissionMode::Trade };
        key.kind = match kind {
            0 | 1 => KeyKind::Standard,
            2 => KeyKind::Special { scope: Scope::Cross, mode },
            _ => KeyKind::Tax,
        };
        key
    })
}

proptest! {
    #[test]
    fn a_key_never_has_more_than_it_was_granted(
        account in any_account(),
        key in any_key(),
        profile in prop::sample::select(Profile::ALL.to_vec()),
    ) {
        let policy = Policy::of(profile);
        let owner = Owner::new(&account, None).unwrap();
        let effective = effective_permissions(&policy, &owner, &key, NOW);
        let within = |inner: PermissionSet, outer: PermissionSet| inner.intersection(outer) == inner;
        prop_assert!(within(effective.permissions, key.permissions));
        prop_assert!(within(effective.permissions, reach(key.kind)));
        if effective.standing != Standing::Alive {
            prop_assert_eq!(effective.permissions, PermissionSet::EMPTY);
        }
        let has = |permission| effective.permissions.contains(permission);
        prop_assert!(!has(Permission::Withdrawals) || key.ip.is_listed());
        prop_assert!(!has(Permission::Margin) || key.kind == KeyKind::Standard);
        // Everything granted within reach is either in force or withheld with its reason.
        if effective.standing == Standing::Alive {
            let withheld = effective.withheld.iter().map(|w| w.permission);
            let all: PermissionSet = effective.permissions.iter().chain(withheld).collect();
            prop_assert_eq!(all, key.permissions.intersection(reach(key.kind)));
            prop_assert!(effective.until.is_none_or(|until| NOW < until));
        }
    }

    #[test]
    fn an_answer_holds_until_the_moment_it_names(key in any_key(), micros in 1..1_000_000_000i64) {
        let (policy, account) = (Policy::default(), account(1));
        let owner = Owner::new(&account, None).unwrap();
        let at = |time| effective_permissions(&policy, &owner, &key, time);
        let Some(until) = at(NOW).until else { return Ok(()) };
        prop_assert_eq!(at(until.plus_micros(-1)), at(NOW));
        prop_assert!(at(until.plus_micros(-1).plus_micros(micros)).standing != Standing::Alive);
    }
}

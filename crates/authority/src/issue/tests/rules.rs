//! The table has rows of each kind for every rule, and no key ever has more than it was granted.

use super::row::{Row, rows};
use crate::account::{Account, Kyc, Owner, PortfolioMargin};
use crate::effective::{Standing, effective_permissions, reach};
use crate::ip::IpRestriction;
use crate::key::{Capabilities, KeyKind, KeyRecord, Material, PermissionMode, PublicMaterial, Scope};
use crate::permission_rules::PERMISSION_RULES;
use crate::policy::{Policy, Profile};
use crate::tests::{NOW, account, key, rules};
use latchkey_protocol::{Permission, PermissionSet};
use proptest::prelude::*;

fn created() -> impl Iterator<Item = Row<'static>> {
    rows().filter(|row| row.action == "create")
}

#[test]
fn every_condition_of_a_permission_has_a_row_that_fails_for_it_alone_and_one_that_passes() {
    for rule in PERMISSION_RULES {
        let passes = created().any(|row| row.expected == "ok" && row.permissions().contains(rule.permission));
        assert!(passes, "no row grants {}", rule.permission);
        for need in rule.needs {
            let refusal = format!("PermissionNeeds({:?}, {need:?})", rule.permission);
            assert!(created().any(|row| row.expected == refusal), "no row is refused with {refusal}");
        }
    }
    for need in crate::permission_rules::Need::ALL {
        let withheld = format!(":{}", need.name());
        assert!(rows().any(|row| row.action == "effective" && row.expected.ends_with(&withheld)), "{withheld}");
    }
}

#[test]
fn every_reason_has_its_row() {
    let reasons = [
        "NotYourAccount",
        "CallerKeyNotStandard",
        "CallerLacksPermission",
        "CallerKeyDead",
        "NotBySignedCall",
        "NotByOperator",
        "Label",
        "Ip(",
        "IpListEmpty",
        "PublicKey",
        "TooManySymbols",
        "UnknownPair",
        "TargetMissing",
        "CreatedOutOfRange",
        "AccountFrozen",
        "KycTooLow",
        "NoSecondFactor",
        "NoDeposit",
        "NoMarginAccount",
        "PortfolioMarginUnsupported",
        "CrossMarginProForbidden",
        "VipTooLow",
        "TermsNotSigned",
        "Cooldown",
        "TooManyKeys",
        "PermissionNeeds",
        "KeyUnknown",
        "NameUnknown",
        "KeyDead",
        "HeldByOperator",
    ];
    for reason in reasons {
        assert!(rows().any(|row| row.expected.starts_with(reason)), "{reason}");
    }
    for dead in ["deleted", "expired", "disabled", "account-frozen", "kyc-too-low"] {
        assert!(rows().any(|row| row.expected.strip_prefix("dead:") == Some(dead)), "{dead}");
    }
    for action in
        ["create", "special", "edit-ip", "delete-special", "disable", "enable", "delete", "freeze", "unfreeze"]
    {
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
        account.frozen = frozen.then(|| crate::account::Frozen {
            at: since,
            by: crate::change::Actor::World,
            reason: String::new(),
        });
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

//! What is written down of changes that are refused, and what owners are told.

use super::*;
use crate::account::{Account, SubKind};
use crate::change::{AuditEvent, Notice, NoticeKind};
use crate::effective::DeadReason;
use crate::issue::{AccountEdit, IpChange, KeyEdit, NewSubAccount, Overlap, Rotation};
use crate::step_up::StepUpFlaw;

fn audit(authority: &Authority<House>) -> Vec<AuditEvent> {
    authority.ports().records().audit.iter().map(|(_, event)| event.clone()).collect()
}

fn notices(authority: &Authority<House>) -> Vec<Notice> {
    core::mem::take(&mut authority.ports().records().notices).into_iter().map(|kept| kept.notice).collect()
}

#[test]
fn a_refused_change_is_noted_and_a_demand_is_not() {
    let authority = authority();
    let owner = caller(Via::Owner);
    let new = new_key(PermissionSet::READING);
    let asked = now_or_never(authority.create_key(&owner, AccountId(1), &new, NOW));
    assert!(matches!(refusal(asked), Refusal::StepUpNeeded(_)));
    assert_eq!(audit(&authority), [], "asking for a proof refuses nothing");

    let operator = Caller { from: Some([192, 0, 2, 9].into()), ..caller(Via::Operator("olga".into())) };
    let made = now_or_never(authority.create_key(&operator, AccountId(1), &new, NOW));
    assert_eq!(refusal(made), Refusal::NotByOperator);
    let events = audit(&authority);
    let [event] = events.as_slice() else { panic!("one record: {events:?}") };
    assert_eq!(event.outcome, Outcome::Refused(Refusal::NotByOperator.to_string()));
    assert_eq!((event.action, event.account, event.from), (Action::KeyCreated, AccountId(1), operator.from));
    assert_eq!(event.who, Actor::Operator("olga".into()));
    assert!(event.before.is_empty() && event.after.is_empty());
    assert_eq!(authority.ports().records().keys.len(), 0);
}

#[test]
fn an_attempt_on_somebody_elses_account_is_told_of_the_one_who_made_it() {
    let authority = authority();
    let stranger = Caller { account: AccountId(77), ..caller(Via::Owner) };
    let frozen = now_or_never(authority.freeze_account(&stranger, AccountId(1), "", false, NOW));
    assert_eq!(refusal(frozen), Refusal::NotYourAccount);
    assert_eq!(audit(&authority)[0].account, AccountId(77));
}

#[test]
fn a_proof_fits_once() {
    let authority = authority();
    let mut used = None;
    let make = |owner: &Caller| {
        used.clone_from(&owner.step_up);
        now_or_never(authority.create_key(owner, AccountId(1), &new_key(PermissionSet::READING), NOW))
    };
    confirmed(make).ok().unwrap();
    let again = Caller { step_up: used, ..caller(Via::Owner) };
    let made = now_or_never(authority.create_key(&again, AccountId(1), &new_key(PermissionSet::READING), NOW));
    assert_eq!(refusal(made), Refusal::StepUpWrong(StepUpFlaw::OtherChange));
    let events = audit(&authority);
    assert_eq!((events.len(), events[0].with.iter().count()), (2, 3), "the audit says what was shown");
    assert!(!events[1].outcome.is_done());
}

#[test]
fn an_owner_is_told_at_once_of_what_a_signed_call_made() {
    let authority = authority();
    let trader = trader(&authority);
    notices(&authority);
    let made = now_or_never(authority.create_special_key(&trader, AccountId(1), &new_special("fast"), FACTS, NOW))
        .ok()
        .unwrap();
    let told = notices(&authority);
    assert!(told.iter().any(|n| n.kind == NoticeKind::SignedCall && n.key == Some(made.record.id)), "{told:?}");

    let mut wrong = new_special("read");
    wrong.mode = PermissionMode::Read;
    now_or_never(authority.create_special_key(&trader, AccountId(1), &wrong, FACTS, NOW)).ok().unwrap();
    assert!(notices(&authority).iter().any(|notice| notice.kind == NoticeKind::ModeIgnored));
}

#[test]
fn an_operators_reset_of_factors_signs_the_account_out() {
    let authority = authority();
    let reset = |via| now_or_never(authority.reset_factors(&caller(via), AccountId(1), NOW));
    let shelf = authority.ports().shelf();
    for kind in ShelfKind::ALL {
        for owner in [1, 2] {
            let put = shelf.put(kind, [owner; 32], Some(AccountId(owner.into())), b"", NOW, NOW.plus_micros(1));
            assert!(now_or_never(put).unwrap());
        }
    }
    let gone = || {
        let there = |kind| now_or_never(shelf.get(kind, [1; 32], NOW)).unwrap().is_some();
        ShelfKind::ALL.into_iter().filter(|kind| !there(*kind)).collect::<Vec<_>>()
    };
    assert!(reset(Via::Owner).is_err() && gone().is_empty());
    reset(Via::Operator("olga".into())).unwrap();
    assert_eq!(gone(), ShelfKind::OF_SIGNED_IN);
    assert_eq!(authority.ports().records().shelf.len(), 16 - 3, "nobody else is signed out");
}

#[test]
fn all_that_a_key_made_ends_in_one_step_across_sub_accounts() {
    let authority = authority();
    let trader = trader(&authority);
    let special =
        now_or_never(authority.create_special_key(&trader, AccountId(1), &new_special("a"), FACTS, NOW)).ok().unwrap();
    let sub =
        NewSubAccount { email: Email::parse("sub@example.com").unwrap(), kind: SubKind::Normal, password_hash: None };
    let sub = now_or_never(authority.create_sub_account(&trader, AccountId(1), &sub, NOW)).unwrap();
    assert_eq!(sub.master, Some(AccountId(1)));
    let trade = PermissionSet::READING.with(Permission::SpotAndMarginTrading);
    let first = now_or_never(authority.create_key(&trader, sub.id, &new_key(trade), NOW)).ok().unwrap();
    assert_eq!(first.record.made_by, trader.key());

    let maker = trader.key().unwrap();
    let owner = caller(Via::Owner);
    let found = now_or_never(authority.descendants(&owner, AccountId(1), maker, NOW)).unwrap();
    assert_eq!(found.len(), 2);
    confirmed(|owner| now_or_never(authority.delete_key(owner, AccountId(1), maker, NOW))).unwrap();
    let ended = confirmed(|owner| now_or_never(authority.end_descendants(owner, AccountId(1), maker, NOW)));
    assert_eq!(ended.unwrap(), 2, "the maker's own end does not hide what it made");
    for id in [special.record.id, first.record.id] {
        let state = authority.ports().key(id).state;
        assert!(matches!(state, KeyState::Deleted { reason: crate::key::DeleteReason::MakerEnded, .. }));
    }
    assert_eq!(authority.ports().account(sub.id).version, 3, "the sub-account's record moved with its key");
}

#[test]
fn a_successor_that_its_owner_made_does_not_descend_from_the_key_that_it_followed() {
    let authority = authority();
    let first = trader(&authority);
    let old = first.key().unwrap();
    let rotation = Rotation { overlap: Overlap::For(24), proof: NewProof::Hmac };
    let successor = confirmed(|owner| now_or_never(authority.rotate_key(owner, AccountId(1), old, &rotation, NOW)));
    let successor = successor.ok().unwrap().record;
    let second = Caller { via: Via::Key { key: successor.id }, ..first.clone() };
    let by = |maker: &Caller, label: &str| {
        now_or_never(authority.create_special_key(maker, AccountId(1), &new_special(label), FACTS, NOW))
            .ok()
            .unwrap()
            .record
    };
    let (older, newer) = (by(&first, "older"), by(&second, "newer"));
    let of = |maker| {
        let found = now_or_never(authority.descendants(&caller(Via::Owner), AccountId(1), maker, NOW)).unwrap();
        found.into_iter().map(|key| key.id).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(of(old), [older.id].into());
    assert_eq!(of(successor.id), [newer.id].into());
    confirmed(|owner| now_or_never(authority.delete_key(owner, AccountId(1), old, NOW))).unwrap();
    assert_eq!(of(old), [older.id].into(), "its end hides nothing");
}

#[test]
fn a_successor_lives_beside_the_old_key_and_the_sweep_ends_the_overlap() {
    let authority = authority();
    let old = trader(&authority).key().unwrap();
    let rotation = Rotation { overlap: Overlap::WhenIdle { hours: 2 }, proof: NewProof::Hmac };
    let made = confirmed(|owner| now_or_never(authority.rotate_key(owner, AccountId(1), old, &rotation, NOW)));
    let made = made.ok().unwrap();
    assert!(made.secret.is_some() && made.record.id != old);
    let hours = |hours: i64| NOW.plus_millis(hours * 3_600_000);
    let state = |id| authority.ports().key(id);
    assert_eq!(state(old).retiring.unwrap().successor, made.record.id);
    let sweep = |used: Timestamp, now| now_or_never(authority.sweep(AccountId(1), &|_| Some(used), now)).unwrap();
    assert_eq!(now_or_never(authority.due_accounts(hours(1), 9)).unwrap(), []);
    assert_eq!(now_or_never(authority.due_accounts(hours(2), 9)).unwrap(), [AccountId(1)]);
    assert_eq!(sweep(hours(1), hours(2)), 0, "it was used an hour ago");
    assert_eq!(sweep(hours(1), hours(3)), 1);
    assert!(matches!(state(old).state, KeyState::Deleted { reason: crate::key::DeleteReason::Retired, .. }));
    assert_eq!(state(made.record.id).state, KeyState::Active);
}

#[test]
fn a_violator_reads_only_is_told_and_ends_after_the_grace_unless_it_is_healed() {
    let days = |days: i64| NOW.plus_millis(days * 86_400_000);
    let authority = authority();
    let edit = |controls| AccountEdit { controls: Some(controls), ..AccountEdit::default() };
    let turn = |on, at| {
        let ask = |caller: &Caller| now_or_never(authority.edit_account(caller, AccountId(1), &edit(on), None, at));
        ask(&caller(Via::World)).unwrap()
    };
    turn(false, NOW);
    let mut new = new_key(PermissionSet::READING.with(Permission::SpotAndMarginTrading));
    new.ips = None;
    let make = || now_or_never(authority.create_key(&caller(Via::World), AccountId(1), &new, NOW)).ok().unwrap().record;
    let (healed, doomed) = (make().id, make().id);
    let find = |id| authority.ports().key(id);
    let effective = |id, at| {
        let facts = authority.ports().account(AccountId(1));
        let owner = crate::account::Owner::new(&facts, None).unwrap();
        crate::effective::effective_permissions(authority.policy(), &owner, &find(id), at).permissions
    };
    let sweep = |at| now_or_never(authority.sweep(AccountId(1), &|_| None, at)).unwrap();
    assert_eq!(effective(doomed, NOW), new.permissions);

    turn(true, days(1));
    let told = notices(&authority);
    assert_eq!(told.iter().filter(|notice| notice.kind == NoticeKind::Controls).count(), 2, "{told:?}");
    assert_eq!(effective(doomed, days(1)), PermissionSet::READING, "it reads only, at once");
    assert_eq!(find(doomed).watch.violating, Some(days(1)));
    assert_eq!(sweep(days(7)), 0, "the grace runs from when it began to violate");

    let listed = KeyEdit { ips: Some(IpChange::Set("192.0.2.1".into())), ..KeyEdit::default() };
    let world = caller(Via::World);
    now_or_never(authority.edit_key(&world, AccountId(1), healed, &listed, None, days(7))).unwrap();
    assert_eq!(effective(healed, days(7)), new.permissions, "a list restores it");
    assert_eq!(sweep(days(8)), 1);
    assert!(matches!(find(doomed).state, KeyState::Deleted { reason: crate::key::DeleteReason::ControlsViolated, .. }));
    assert_eq!(find(healed).state, KeyState::Active);
    assert!(notices(&authority).iter().any(|n| n.kind == NoticeKind::KeyEnded && n.key == Some(doomed)));

    let third = {
        turn(false, days(8));
        now_or_never(authority.create_key(&world, AccountId(1), &new, days(8))).ok().unwrap().record.id
    };
    turn(true, days(9));
    turn(false, days(10));
    assert_eq!((effective(third, days(10)), find(third).watch.violating), (new.permissions, None));
    turn(true, days(20));
    assert_eq!(find(third).watch.violating, Some(days(20)), "the grace begins anew");
}

#[test]
fn the_master_switch_reaches_the_keys_of_sub_accounts_at_once() {
    let authority = authority();
    let mut sub = account(2);
    sub.master = Some(AccountId(1));
    authority.ports().insert(sub);
    let world = caller(Via::World);
    let turn = |on| {
        let edit = AccountEdit { controls: Some(on), ..AccountEdit::default() };
        now_or_never(authority.edit_account(&world, AccountId(1), &edit, None, NOW)).unwrap()
    };
    turn(false);
    let mut new = new_key(PermissionSet::READING.with(Permission::SpotAndMarginTrading));
    new.ips = None;
    let key = now_or_never(authority.create_key(&world, AccountId(2), &new, NOW)).ok().unwrap().record.id;
    notices(&authority);
    turn(true);
    assert_eq!(authority.ports().key(key).watch.violating, Some(NOW));
    let told: Vec<AccountId> = notices(&authority).iter().map(|notice| notice.account).collect();
    assert_eq!(told, [AccountId(2), AccountId(1)], "the sub-account and its master");
}

#[test]
fn an_ended_life_is_never_revived_by_a_longer_one_in_a_new_policy() {
    let days = |days: i64| NOW.plus_millis(days * 86_400_000);
    let authority = authority();
    let mut new = new_key(PermissionSet::READING);
    new.ips = None;
    let world = caller(Via::World);
    let id = now_or_never(authority.create_key(&world, AccountId(1), &new, NOW)).ok().unwrap().record.id;
    let longer = Policy { unrestricted_key_days: 365, ..*authority.policy() };
    let record = authority.ports().key(id);
    let facts: Account = authority.ports().account(AccountId(1));
    let owner = crate::account::Owner::new(&facts, None).unwrap();
    let standing = |policy, at| crate::effective::key_standing(policy, &owner, &record, at);
    let dead = crate::effective::Standing::Dead(DeadReason::Expired);
    assert_eq!(standing(&longer, days(90)), dead, "nothing had to be written for that");
    assert_eq!(standing(&Policy { unrestricted_key_days: 0, ..longer }, days(90)), dead);

    // A key that still lives when the policy changes gets the new end with the next sweep.
    let Authority { ports, .. } = authority;
    let authority = Authority::new(ports, longer);
    assert_eq!(now_or_never(authority.sweep(AccountId(1), &|_| None, days(50))).unwrap(), 1);
    let record = authority.ports().key(id);
    assert_eq!(record.life_end(&longer), Some(days(365)));
}

#[test]
fn an_owner_is_warned_fourteen_seven_and_one_day_before_the_end_and_once_each() {
    let authority = authority();
    let mut new = new_key(PermissionSet::READING);
    new.ips = None;
    now_or_never(authority.create_key(&caller(Via::World), AccountId(1), &new, NOW)).ok().unwrap();
    notices(&authority);
    let mut warned = Vec::new();
    for day in 1..=91_i64 {
        let now = NOW.plus_millis(day * 86_400_000);
        if now_or_never(authority.due_accounts(now, 9)).unwrap().is_empty() {
            continue;
        }
        now_or_never(authority.sweep(AccountId(1), &|_| None, now)).unwrap();
        warned.extend(notices(&authority).into_iter().map(|notice| (day, notice.kind)));
    }
    use NoticeKind::{KeyEnded, KeyExpiring};
    assert_eq!(warned, [(76, KeyExpiring), (83, KeyExpiring), (89, KeyExpiring), (90, KeyEnded)]);
}

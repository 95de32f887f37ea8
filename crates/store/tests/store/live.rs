use std::sync::Arc;

use latchkey_admission::live::LiveKey;
use latchkey_admission::ports::{Clock, Keys as _};
use latchkey_authority::account::{Frozen, PortfolioMargin};
use latchkey_authority::change::{Actor, Committed, Effect};
use latchkey_authority::effective::{DeadReason, Standing};
use latchkey_authority::key::{KeyKind, KeyRecord, PermissionMode, Scope};
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::{Live as _, Store as _};
use latchkey_authority::{account::Account, key::KeyState};
use latchkey_protocol::{AccountId, PermissionSet, Timestamp, Wallet};
use latchkey_store::live::{GRAVES_MAX, LiveMap};
use latchkey_store::sqlite::Row;

use crate::records::{NOW, account, change, deleted, key, listed, open, with_account, with_effect, with_key};

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

fn map() -> LiveMap {
    LiveMap::new(Policy::default(), Arc::new(Still), 42)
}

fn committed(revision: u64, accounts: &[Account], keys: &[KeyRecord]) -> Committed {
    Committed { revision, effects: Vec::new(), accounts: accounts.to_vec(), keys: keys.to_vec(), waiting: Vec::new() }
}

fn dead(key: &LiveKey) -> Option<DeadReason> {
    match key.state().standing {
        Standing::Alive => None,
        Standing::Dead(reason) => Some(reason),
    }
}

fn frozen(mut account: Account) -> Account {
    account.frozen = vec![Frozen { at: NOW, by: Actor::System, reason: "because".into() }];
    account.version += 1;
    account
}

fn allows(key: &LiveKey, address: &str) -> bool {
    key.state().ip.allows(address.parse().unwrap())
}

#[test]
fn an_edit_is_seen_by_whoever_holds_the_key_already() {
    let live = map();
    live.apply(&committed(1, &[account(1)], &[key(7, 1)]));
    let held = live.find(&key(7, 1).api_key).unwrap();
    assert!(allows(&held, "127.0.0.1") && dead(&held).is_none());
    let generation = held.generation();
    let mut edited = key(7, 1);
    edited.ip = listed("10.0.0.1");
    live.apply(&committed(2, &[], &[edited]));
    assert!(allows(&held, "10.0.0.1") && !allows(&held, "127.0.0.1"));
    assert!(held.generation() > generation);
    assert!(Arc::ptr_eq(&held, &live.find(&key(7, 1).api_key).unwrap()), "one object for life");
}

#[test]
fn a_key_just_deleted_stays_findable_and_dead() {
    let live = map();
    live.apply(&committed(1, &[account(1)], &[key(7, 1)]));
    let held = live.find(&key(7, 1).api_key).unwrap();
    let generation = held.generation();
    live.apply(&committed(2, &[], &[deleted(key(7, 1))]));
    assert_eq!((dead(&held), held.state().permissions), (Some(DeadReason::Deleted), PermissionSet::EMPTY));
    assert!(held.generation() > generation);
    assert!(Arc::ptr_eq(&held, &live.find(&key(7, 1).api_key).unwrap()));
}

#[test]
fn deleted_keys_are_let_go_in_their_order_and_do_not_come_back() {
    let live = map();
    let all = || (0..GRAVES_MAX as u128 + 10).map(|id| key(id, 1));
    live.apply(&committed(1, &[account(1)], &all().collect::<Vec<_>>()));
    let held = live.find(&key(0, 1).api_key).unwrap();
    for key in all() {
        live.apply(&committed(2, &[], &[deleted(key)]));
    }
    assert_eq!((live.len(), live.keys_of(AccountId(1)).len()), (GRAVES_MAX, GRAVES_MAX));
    assert_eq!(dead(&held), Some(DeadReason::Deleted), "whoever holds it still");
    assert!(live.find(&key(9, 1).api_key).is_none());
    assert_eq!(dead(&live.find(&key(10, 1).api_key).unwrap()), Some(DeadReason::Deleted));
    // A change from before the deletion that comes late.
    live.apply(&committed(1, &[], &[key(0, 1), key(10, 1)]));
    assert!(live.find(&key(0, 1).api_key).is_none());
    assert_eq!(dead(&live.find(&key(10, 1).api_key).unwrap()), Some(DeadReason::Deleted));
}

#[test]
fn an_account_that_activates_portfolio_margin_swaps_the_wallet_of_its_special_keys() {
    let live = map();
    let mut special = key(7, 1);
    special.kind = KeyKind::Special { scope: Scope::Cross, mode: PermissionMode::Trade };
    live.apply(&committed(1, &[account(1)], &[special.clone()]));
    let held = live.find(&special.api_key).unwrap();
    let (generation, before) = (held.generation(), held.state());
    let mut pro = account(1);
    pro.portfolio_margin = PortfolioMargin::Pro { since: NOW };
    live.apply(&committed(2, &[pro], &[]));
    assert_eq!((before.trading.wallet, held.state().trading.wallet), (Wallet::Cross, Wallet::Portfolio));
    assert!(held.generation() > generation);
    assert_eq!(held.state().record, special);
}

#[test]
fn a_freeze_of_the_master_reaches_the_keys_of_its_sub_accounts() {
    let live = map();
    let mut sub = account(2);
    sub.master = Some(AccountId(1));
    live.apply(&committed(1, &[account(1), sub.clone(), account(3)], &[key(6, 1), key(7, 2), key(8, 3)]));
    let find = |id, owner| live.find(&key(id, owner).api_key).unwrap();
    let (own, subs, other) = (find(6, 1), find(7, 2), find(8, 3));
    let generations = [own.generation(), subs.generation(), other.generation()];
    let account_generations = [subs.account.generation(), other.account.generation()];
    live.apply(&committed(2, &[frozen(account(1))], &[]));
    assert_eq!((dead(&own), dead(&subs)), (Some(DeadReason::AccountFrozen), Some(DeadReason::AccountFrozen)));
    assert_eq!(dead(&other), None);
    assert!(own.generation() > generations[0] && subs.generation() > generations[1]);
    assert_eq!(other.generation(), generations[2]);
    assert!(subs.account.generation() > account_generations[0]);
    assert_eq!(other.account.generation(), account_generations[1]);
    // And back, but not for a sub-account that is frozen itself.
    live.apply(&committed(3, &[frozen(sub)], &[]));
    live.apply(&committed(4, &[account(1)], &[]));
    assert_eq!((dead(&own), dead(&subs)), (None, Some(DeadReason::AccountFrozen)));
}

#[test]
fn a_change_of_the_master_that_its_sub_accounts_do_not_share_leaves_their_keys_alone() {
    let live = map();
    let mut sub = account(2);
    sub.master = Some(AccountId(1));
    live.apply(&committed(1, &[account(1), sub], &[key(6, 1), key(7, 2)]));
    let (own, subs) = (live.find(&key(6, 1).api_key).unwrap(), live.find(&key(7, 2).api_key).unwrap());
    let generations = || [own.generation(), subs.generation()];
    let before = generations();
    let mut master = account(1);
    master.products.futures = Some(NOW);
    live.apply(&committed(2, &[master.clone()], &[]));
    let after = generations();
    assert!(after[0] > before[0] && after[1] == before[1], "{before:?} {after:?}");
    master.default_security_controls = !master.default_security_controls;
    live.apply(&committed(3, &[master], &[]));
    assert!(generations()[1] > after[1]);
}

#[test]
fn an_older_change_that_comes_late_is_ignored() {
    let live = map();
    live.apply(&committed(1, &[account(1)], &[key(7, 1)]));
    live.apply(&committed(3, &[frozen(account(1))], &[deleted(key(7, 1))]));
    live.apply(&committed(2, &[account(1)], &[key(7, 1), key(8, 1)]));
    let find = |id| live.find(&key(id, 1).api_key).unwrap();
    assert_eq!(dead(&find(7)), Some(DeadReason::Deleted));
    assert_eq!(dead(&find(8)), Some(DeadReason::AccountFrozen), "the new key, under the account that is in force");
}

#[test]
fn records_may_come_before_what_they_belong_to() {
    let live = map();
    let mut sub = account(2);
    sub.master = Some(AccountId(1));
    live.apply(&committed(3, &[], &[key(7, 2)]));
    live.apply(&committed(2, &[sub], &[]));
    assert!(live.is_empty(), "without its master, nothing is admitted");
    live.apply(&committed(1, &[account(1)], &[]));
    assert_eq!(dead(&live.find(&key(7, 2).api_key).unwrap()), None);
}

#[test]
fn unknown_keys_leave_no_trace() {
    let live = map();
    live.apply(&committed(1, &[account(1)], &[key(7, 1)]));
    for id in 1000..3000 {
        assert!(live.find(&key(id, 1).api_key).is_none());
    }
    assert_eq!(live.len(), 1);
}

#[tokio::test]
async fn a_start_puts_everything_stored_in_force() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    // The master has the higher id, so it comes after its sub-account.
    let mut sub = account(1);
    sub.master = Some(AccountId(2));
    let first = with_account(with_account(change(1), sub, None), account(2), None);
    let first = with_key(with_key(first, key(7, 1), None), key(8, 2), None);
    store.commit(first).await.unwrap();
    store.commit(with_key(change(2), deleted(key(8, 2)), Some(1))).await.unwrap();
    let (live, mut rows) = (map(), Vec::<Row>::new());
    store.each_row(|row| rows.push(row)).await.unwrap();
    live.load(rows);
    let find = |id, owner| live.find(&key(id, owner).api_key);
    assert_eq!(dead(&find(7, 1).unwrap()), None);
    assert!(find(8, 2).is_none() && live.keys_of(AccountId(2)).is_empty(), "deleted keys are not loaded");
    assert_eq!(live.account(AccountId(1)).unwrap().master.as_ref().unwrap().id, AccountId(2));
    // A change that was committed later than what was loaded still counts.
    let mut disabled = key(7, 1);
    disabled.state = KeyState::Disabled { at: NOW, by: Actor::System, also: Box::default() };
    disabled.version = 2;
    live.apply(&store.commit(with_key(change(1), disabled, Some(1))).await.unwrap());
    assert_eq!(dead(&find(7, 1).unwrap()), Some(DeadReason::Disabled));
}

#[test]
fn changes_and_calls_at_once_see_whole_states() {
    let live = map();
    live.apply(&committed(1, &[account(1)], &[key(7, 1)]));
    let name = key(7, 1).api_key;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for revision in 2..2000_u64 {
                let list = if revision % 2 == 0 { "10.0.0.1" } else { "127.0.0.1" };
                let mut edited = key(7, 1);
                edited.ip = listed(list);
                live.apply(&committed(revision, &[], &[edited, key(u128::from(revision) + 100, 1)]));
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut seen = 0;
                while seen < 1998 {
                    let found = live.find(&name).unwrap();
                    let generation = found.generation();
                    assert!(generation >= seen, "generations only rise");
                    seen = generation;
                    let state = found.state();
                    let both = ["10.0.0.1", "127.0.0.1"].map(|address| state.ip.allows(address.parse().unwrap()));
                    assert!(both[0] != both[1]);
                }
            });
        }
    });
    assert_eq!(live.len(), 1999);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_in_parts_loads_everything_but_what_waits_for_the_exchange() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let mut sub = account(1);
    sub.master = Some(AccountId(2));
    let mut first = with_account(with_account(change(1), sub, None), account(2), None);
    for id in 0..9000 {
        first = with_key(first, key(id, 1 + id as i64 % 2), None);
    }
    store.commit(first).await.unwrap();
    store.commit(with_key(change(1), deleted(key(5000, 1)), Some(1))).await.unwrap();
    let effect = Effect::EnterSpecialMode { owner: AccountId(2) };
    let waits = with_effect(with_key(change(2), key(9001, 2), None), effect);
    let committed = store.commit(waits).await.unwrap();
    store.park(committed.effects[0], "refused").await.unwrap();

    let live = Arc::new(map());
    store.load_live(&live).await.unwrap();
    assert_eq!((live.len(), live.keys_of(AccountId(1)).len()), (8999, 4499));
    for id in [0, 4095, 4096, 8999] {
        assert_eq!(dead(&live.find(&key(id, 1).api_key).unwrap()), None);
    }
    for id in [5000, 9001] {
        assert!(live.find(&key(id, 2).api_key).is_none(), "{id}");
    }
    store.mark_done(&committed.effects).await.unwrap();
    let live = Arc::new(map());
    store.load_live(&live).await.unwrap();
    assert!(live.find(&key(9001, 2).api_key).is_some());
}

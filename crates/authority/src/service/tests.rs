use super::*;
use crate::account::Email;
use crate::caller::Via;
use crate::change::{Actor, Effect, EffectId};
use crate::issue::{NewAccount, NewKey, NewSpecialKey, OpeningBalance, SpecialTarget};
use crate::key::{KeyState, PermissionMode, Scope};
use crate::memory::InMemory;
use crate::ports::{ExchangeFacts, Shelf, ShelfKind};
use crate::step_up::{Factor, StepUp};
use crate::stored::Stored;
use crate::tests::{NOW, account, api_key, pem};
use core::sync::atomic::Ordering;
use house::{Event, House, now_or_never};
use latchkey_protocol::{Amount, Asset, Permission, PermissionSet, Symbol, Wallet};

mod house;
mod import;
mod refused;

/// A service over a house with account 1.
fn authority() -> Authority<House> {
    let house = House::default();
    house.insert(account(1));
    Authority::new(house, Policy::default())
}

fn caller(via: Via) -> Caller {
    Caller { account: AccountId(1), from: None, via, step_up: None, claim: None }
}

/// Asks as the owner of account 1, shows what is demanded, and asks again.
fn confirmed<T>(mut ask: impl FnMut(&Caller) -> Result<T, AuthorityError>) -> Result<T, AuthorityError> {
    let owner = caller(Via::Owner);
    match ask(&owner) {
        Err(AuthorityError::Refused(Refusal::StepUpNeeded(demand))) => {
            let factors = [Factor::Password, Factor::Totp, Factor::EmailCode].into_iter().collect();
            ask(&Caller { step_up: Some(StepUp::proven(demand.digest, factors, NOW)), ..owner })
        }
        done => done,
    }
}

fn new_key(permissions: PermissionSet) -> NewKey {
    NewKey {
        label: "bot".into(),
        proof: NewProof::Hmac,
        permissions,
        ips: Some("127.0.0.1".into()),
        symbols: None,
        fixed: FixedText::default(),
        created: None,
    }
}

fn new_special(label: &str) -> NewSpecialKey {
    NewSpecialKey {
        label: label.into(),
        scope: Scope::Cross,
        ips: Some("127.0.0.1".into()),
        proof: NewProof::Hmac,
        mode: PermissionMode::Trade,
        fixed: FixedText::default(),
        created: None,
    }
}

const FACTS: ExchangeFacts =
    ExchangeFacts { special_mode: false, has_liability: false, in_liquidation: false, isolated_pair: false };

/// Makes a trading key and returns the caller that signs with it.
fn trader(authority: &Authority<House>) -> Caller {
    let permissions = PermissionSet::READING.with(Permission::SpotAndMarginTrading);
    let new = new_key(permissions);
    let make = |owner: &Caller| now_or_never(authority.create_key(owner, AccountId(1), &new, NOW));
    let record = confirmed(make).ok().unwrap().record;
    Caller { from: Some([127, 0, 0, 1].into()), ..caller(Via::Key { key: record.id }) }
}

fn events(authority: &Authority<House>) -> Vec<Event> {
    core::mem::take(&mut *authority.ports().events.lock().unwrap())
}

fn refusal<T>(result: Result<T, AuthorityError>) -> Refusal {
    match result {
        Err(AuthorityError::Refused(refusal)) => refusal,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("not refused"),
    }
}

#[test]
fn a_secret_is_handed_out_once_and_rests_sealed() {
    let authority = authority();
    let new = new_key(PermissionSet::READING);
    let make = |owner: &Caller| now_or_never(authority.create_key(owner, AccountId(1), &new, NOW));
    let created = confirmed(make).ok().unwrap();
    let secret = created.secret.unwrap();
    assert_eq!(secret.expose().len(), 64);
    assert_ne!(secret.expose(), created.record.api_key.as_str());
    let records = authority.ports().records();
    let stored = String::from_utf8(records.keys[&created.record.id].encode()).unwrap();
    let audit = serde_json::to_string(&records.audit).unwrap();
    let hex = const_hex::encode(secret.expose());
    for text in [&stored, &audit, &format!("{:?}", created.record)] {
        assert!(!text.contains(secret.expose()) && !text.contains(&hex), "{text}");
    }
    assert!(stored.contains(&const_hex::encode("hmac-secret")), "the blob is bound to its purpose");
}

#[test]
fn fixed_texts_are_used_and_never_twice() {
    let authority = authority();
    let new = || NewKey {
        fixed: FixedText {
            api_key: Some(api_key(5)),
            secret: SecretKey::parse("s".repeat(64)).ok(),
            ..FixedText::default()
        },
        ..new_key(PermissionSet::READING)
    };
    let world = caller(Via::World);
    let created = now_or_never(authority.create_key(&world, AccountId(1), &new(), NOW)).ok().unwrap();
    assert_eq!(created.record.api_key, api_key(5));
    assert_eq!(created.secret.unwrap().expose(), "s".repeat(64));
    let again = now_or_never(authority.create_key(&world, AccountId(1), &new(), NOW));
    assert_eq!(refusal(again), Refusal::ApiKeyTaken);
}

#[test]
fn a_known_public_key_is_taken_and_flagged() {
    let authority = authority();
    let mut new = new_key(PermissionSet::READING);
    new.proof = NewProof::Public(pem("ed25519").into());
    let make = || confirmed(|owner| now_or_never(authority.create_key(owner, AccountId(1), &new, NOW))).ok().unwrap();
    let (first, second) = (make(), make());
    assert!(first.secret.is_none() && second.secret.is_none());
    assert!(!first.record.material.public().unwrap().shared);
    assert!(second.record.material.public().unwrap().shared);
}

#[test]
fn a_special_key_is_live_only_after_the_exchange_is_ready() {
    let authority = authority();
    let trader = trader(&authority);
    events(&authority);
    let created =
        now_or_never(authority.create_special_key(&trader, AccountId(1), &new_special("a"), FACTS, NOW)).ok().unwrap();
    let settled = Event::Settled(vec![EffectId(1), EffectId(2)]);
    assert_eq!(events(&authority), [Event::Committed(2), settled, Event::Live(2)]);
    assert_eq!(created.record.made_by, trader.key());

    authority.ports().exchange_is_down.store(true, Ordering::Relaxed);
    let waiting = now_or_never(authority.create_special_key(&trader, AccountId(1), &new_special("b"), FACTS, NOW));
    assert!(matches!(waiting, Err(AuthorityError::NotSettled(_))));
    assert_eq!(events(&authority), [Event::Committed(3)], "stored, in the outbox, and not live");
}

#[test]
fn a_narrowing_change_is_live_before_the_exchange_and_before_the_answer() {
    let authority = authority();
    let owner = caller(Via::Owner);
    authority.ports().exchange_is_down.store(true, Ordering::Relaxed);
    let frozen = now_or_never(authority.freeze_account(&owner, AccountId(1), "panic", true, NOW));
    assert!(matches!(frozen, Err(AuthorityError::NotSettled(_))));
    assert_eq!(events(&authority), [Event::Committed(1), Event::Live(1)]);
    assert_eq!(authority.ports().records().effects, [Effect::CancelEverything { owner: AccountId(1) }]);
}

#[test]
fn a_special_key_lives_its_whole_life_through_its_routes() {
    let authority = authority();
    let trader = trader(&authority);
    let created = now_or_never(authority.create_special_key(&trader, AccountId(1), &new_special("fast"), FACTS, NOW))
        .ok()
        .unwrap();
    let api_key = created.record.api_key;
    now_or_never(authority.edit_special_key_ip(&trader, api_key, Scope::Cross, "192.0.2.7", NOW)).unwrap();
    let view = now_or_never(authority.special_key(&trader, api_key, Scope::Cross, NOW)).unwrap();
    assert_eq!((view.ip_alone(), view.label.as_str()), ("192.0.2.7".to_owned(), "fast"));
    assert_eq!(now_or_never(authority.special_keys(&trader, Scope::Cross, NOW)).unwrap(), [view]);
    let pair = Scope::Isolated(Symbol::parse("BTCUSDT").unwrap());
    assert_eq!(now_or_never(authority.special_keys(&trader, pair, NOW)).unwrap(), []);

    let target = SpecialTarget { api_key: Some(api_key), label: None };
    now_or_never(authority.delete_special_keys(&trader, &target, Scope::Cross, NOW)).unwrap();
    let again = now_or_never(authority.delete_special_keys(&trader, &target, Scope::Cross, NOW));
    assert_eq!(refusal(again), Refusal::KeyUnknown);
    assert_eq!(now_or_never(authority.special_keys(&trader, Scope::Cross, NOW)).unwrap(), []);
    let tombstone = authority.ports().key(created.record.id);
    assert!(matches!(tombstone.state, KeyState::Deleted { .. }), "a tombstone stays");
}

#[test]
fn disabled_keys_come_back_and_nothing_is_written_twice() {
    let authority = authority();
    let owner = caller(Via::Owner);
    let key = trader(&authority).key().unwrap();
    let revision = || authority.ports().records().revision;
    now_or_never(authority.disable_key(&owner, AccountId(1), key, NOW)).unwrap();
    let after = revision();
    now_or_never(authority.disable_key(&owner, AccountId(1), key, NOW)).unwrap();
    assert_eq!(revision(), after, "what is so already is no change");
    confirmed(|owner| now_or_never(authority.enable_key(owner, AccountId(1), key, NOW))).unwrap();
    confirmed(|owner| now_or_never(authority.delete_key(owner, AccountId(1), key, NOW))).unwrap();
    assert_eq!(
        refusal(now_or_never(authority.enable_key(&owner, AccountId(1), key, NOW))),
        Refusal::KeyUnknown,
        "a deleted key never comes back"
    );
    now_or_never(authority.freeze_account(&owner, AccountId(1), "", false, NOW)).unwrap();
    confirmed(|owner| now_or_never(authority.unfreeze_account(owner, AccountId(1), NOW))).unwrap();
    assert_eq!(authority.ports().account(AccountId(1)).frozen, vec![]);
}

#[test]
fn a_decision_that_was_overtaken_is_made_again() {
    let authority = authority();
    let trader = trader(&authority);
    // Between load and commit the calling key is disabled.
    let key = trader.key().unwrap();
    *authority.ports().let_in_between.lock().unwrap() = Some(Box::new(move |house: &House| {
        let mut records = house.records();
        let disabled = KeyState::Disabled { at: NOW, by: Actor::Owner(AccountId(1)), also: Box::default() };
        records.keys.get_mut(&key).unwrap().state = disabled;
        records.accounts.get_mut(&AccountId(1)).unwrap().version += 1;
    }));
    let late = now_or_never(authority.create_special_key(&trader, AccountId(1), &new_special("late"), FACTS, NOW));
    assert_eq!(refusal(late), Refusal::CallerKeyDead);

    authority.ports().always_conflict.store(true, Ordering::Relaxed);
    let busy = now_or_never(authority.freeze_account(&caller(Via::Owner), AccountId(1), "", false, NOW));
    assert!(matches!(busy, Err(AuthorityError::Busy)));
}

#[test]
fn many_at_once_never_exceed_the_count_nor_lose_a_key() {
    let authority = authority();
    let trader = trader(&authority);
    let outcomes: Vec<Option<Refusal>> = std::thread::scope(|scope| {
        let create = |i: usize| {
            let (authority, trader) = (&authority, &trader);
            scope.spawn(move || {
                if i.is_multiple_of(2) {
                    let made =
                        now_or_never(authority.create_special_key(trader, AccountId(1), &new_special("x"), FACTS, NOW));
                    made.err().map(|error| refusal::<()>(Err(error)))
                } else {
                    let new = new_key(PermissionSet::READING);
                    let made = now_or_never(authority.create_key(&caller(Via::World), AccountId(1), &new, NOW));
                    made.err().map(|error| refusal::<()>(Err(error)))
                }
            })
        };
        let tasks: Vec<_> = (0..64).map(create).collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    let refused = outcomes.iter().flatten();
    assert!(refused.clone().all(|refusal| *refusal == Refusal::TooManyKeys(30)));
    assert_eq!(refused.count(), 64 - 29, "29 and the calling key");
    let records = authority.ports().records();
    assert_eq!(records.keys.len(), 30);
    let made = records.audit.iter().filter(|(_, event)| event.outcome.is_done()).count();
    assert_eq!(made, 30);
    assert_eq!(records.accounts[&AccountId(1)].version, 31);
}

fn new_account(email: &str) -> NewAccount {
    let facts = account(1);
    NewAccount {
        email: Email::parse(email).unwrap(),
        kyc: facts.kyc,
        vip: 9,
        deposited: true,
        products: facts.products,
        portfolio_margin: facts.portfolio_margin,
        cross_margin_pro: facts.cross_margin_pro,
        terms: facts.terms,
        default_security_controls: true,
        sub_of: None,
        residence: None,
        special_key_exception: false,
        password_hash: None,
        totp: latchkey_crypto::totp::TotpSeed::parse("JBSWY3DPEHPK3PXP").ok(),
        created: None,
        funds: vec![],
    }
}

#[test]
fn accounts_have_their_own_address_seed_and_master() {
    let authority = authority();
    let world = caller(Via::World);
    let mut new = new_account("master@example.com");
    new.funds = vec![OpeningBalance {
        wallet: Wallet::Spot,
        asset: Asset::parse("USDT").unwrap(),
        amount: Amount::from_scaled(1),
    }];
    let master = now_or_never(authority.create_account(&world, &new, NOW)).unwrap();
    assert!(master.totp.is_some() && !format!("{:?}", master.totp).contains("JBSW"));
    assert!(matches!(events(&authority)[..], [Event::Committed(1), Event::Settled(_), Event::Live(1)]));
    assert_eq!(refusal(now_or_never(authority.create_account(&world, &new, NOW))), Refusal::EmailTaken);

    let mut sub = new_account("sub@example.com");
    sub.sub_of = Some(master.email.clone());
    assert_eq!(now_or_never(authority.create_account(&world, &sub, NOW)).unwrap().master, Some(master.id));
    sub.email = Email::parse("sub2@example.com").unwrap();
    sub.sub_of = Some(Email::parse("nobody@example.com").unwrap());
    assert_eq!(refusal(now_or_never(authority.create_account(&world, &sub, NOW))), Refusal::MasterUnknown);
}

#[test]
fn restrictions_and_account_are_shown_as_they_are_in_force() {
    let authority = authority();
    let trader = trader(&authority);
    let restrictions = now_or_never(authority.api_restrictions(&trader, NOW)).unwrap();
    let on: Vec<&str> = restrictions.fields().filter(|(_, on)| *on).map(|(name, _)| name).collect();
    assert_eq!(on, ["enableReading", "enableSpotAndMarginTrading"]);
    assert!(restrictions.ip_restrict);
    let info = now_or_never(authority.account_info(&trader, NOW)).unwrap();
    assert_eq!((info.vip_level, info.margin, info.portfolio_margin_retail), (9, true, false));
    let stranger = Caller { account: AccountId(77), ..trader };
    assert_eq!(refusal(now_or_never(authority.account_info(&stranger, NOW))), Refusal::AccountUnknown);
}

#[test]
fn futures_of_the_service_may_run_on_any_thread() {
    fn sendable<T: Send>(_: &T) {}
    let authority = authority();
    let owner = caller(Via::Owner);
    let new = new_key(PermissionSet::READING);
    sendable(&authority.create_key(&owner, AccountId(1), &new, NOW));
    sendable(&authority.freeze_account(&owner, AccountId(1), "", true, NOW));
    sendable(&authority.create_account(&owner, &new_account("a@b"), NOW));
}

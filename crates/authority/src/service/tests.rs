use super::*;
use crate::account::{Email, Sealed};
use crate::caller::Via;
use crate::change::{AuditEvent, Effect, EffectId, Write};
use crate::issue::OpeningBalance;
use crate::key::{KeyState, PermissionMode};
use crate::ports::SealBroken;
use crate::step_up::{Factor, StepUp};
use crate::stored::Stored;
use crate::tests::{NOW, account, api_key, pem};
use core::pin::pin;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::task::{Context, Poll, Waker};
use latchkey_protocol::{Amount, Asset, Permission, PermissionSet, Symbol, Wallet};
use std::collections::BTreeMap;
use std::sync::Mutex;
use zeroize::Zeroizing;

/// Runs a future whose ports answer at once.
fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a port waited"),
    }
}

/// What happened outside, in order.
#[derive(Clone, PartialEq, Debug)]
enum Event {
    Committed(u64),
    Settled(Vec<EffectId>),
    Live(u64),
}

/// All ports over plain memory; records rest encoded, as in a store.
#[derive(Default)]
struct House {
    rows: Mutex<Rows>,
    events: Mutex<Vec<Event>>,
    counter: AtomicU64,
    exchange_is_down: AtomicBool,
    always_conflict: AtomicBool,
    let_in_between: Mutex<Option<Interference>>,
}

/// What happens between a load and the commit that follows.
type Interference = Box<dyn FnOnce(&House) + Send>;

#[derive(Default)]
struct Rows {
    revision: u64,
    accounts: BTreeMap<AccountId, Vec<u8>>,
    keys: BTreeMap<KeyId, Vec<u8>>,
    effects: Vec<Effect>,
    audit: Vec<AuditEvent>,
}

impl Rows {
    fn account(&self, id: AccountId) -> Option<Account> {
        self.accounts.get(&id).map(|bytes| Account::decode(bytes).unwrap())
    }

    fn keys(&self) -> impl Iterator<Item = KeyRecord> {
        self.keys.values().map(|bytes| KeyRecord::decode(bytes).unwrap())
    }

    fn holds<T>(write: &Write<T>, stored: Option<u64>) -> bool {
        write.expected == stored
    }

    fn commit(&mut self, change: Change) -> Result<Committed, StoreError> {
        let key_version = |id| self.keys.get(&id).map(|bytes| KeyRecord::decode(bytes).unwrap().version);
        let version = |id| self.account(id).map(|account| account.version);
        let fresh = change.accounts.iter().all(|write| Self::holds(write, version(write.record.id)))
            && change.keys.iter().all(|write| Self::holds(write, key_version(write.record.id)))
            && change.guards.iter().all(|guard| version(guard.account) == Some(guard.version));
        if !fresh {
            return Err(StoreError::Conflict);
        }
        let inserted = change.keys.iter().filter(|write| write.expected.is_none());
        if inserted.into_iter().any(|write| self.keys().any(|key| key.api_key == write.record.api_key)) {
            return Err(StoreError::Taken(Unique::ApiKey));
        }
        self.revision += 1;
        let first = i64::try_from(self.revision).unwrap() * 1000;
        let effects = (first..).take(change.effects.len()).map(EffectId).collect();
        self.effects.extend(change.effects);
        self.audit.push(change.audit);
        let accounts: Vec<Account> = change.accounts.into_iter().map(|write| write.record).collect();
        let keys: Vec<KeyRecord> = change.keys.into_iter().map(|write| write.record).collect();
        self.accounts.extend(accounts.iter().map(|account| (account.id, account.encode())));
        self.keys.extend(keys.iter().map(|key| (key.id, key.encode())));
        Ok(Committed { revision: self.revision, effects, accounts, keys })
    }
}

impl Store for House {
    async fn load(&self, account: AccountId) -> Result<Option<Loaded>, StoreError> {
        let loaded = {
            let rows = self.rows.lock().unwrap();
            rows.account(account).map(|account| Loaded {
                master: account.master.and_then(|master| rows.account(master)),
                keys: rows
                    .keys()
                    .filter(|key| key.account == account.id && !matches!(key.state, KeyState::Deleted { .. }))
                    .collect(),
                account,
            })
        };
        if let Some(act) = self.let_in_between.lock().unwrap().take() {
            act(self);
        }
        Ok(loaded)
    }

    async fn account_by_email(&self, email: &Email) -> Result<Option<AccountId>, StoreError> {
        let rows = self.rows.lock().unwrap();
        Ok(rows.accounts.keys().copied().find(|id| rows.account(*id).unwrap().email == *email))
    }

    async fn key(&self, api_key: ApiKey) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self.rows.lock().unwrap().keys().find(|key| key.api_key == api_key))
    }

    async fn all_keys(&self, account: AccountId) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(self.rows.lock().unwrap().keys().filter(|key| key.account == account).collect())
    }

    async fn public_key_known(&self, fingerprint: [u8; 32]) -> Result<bool, StoreError> {
        let known = |key: &KeyRecord| key.material.public().is_some_and(|public| public.fingerprint == fingerprint);
        Ok(self.rows.lock().unwrap().keys().any(|key| known(&key)))
    }

    async fn next_account_id(&self) -> Result<AccountId, StoreError> {
        Ok(AccountId(1000 + i64::try_from(self.counter.fetch_add(1, Ordering::Relaxed)).unwrap()))
    }

    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        if self.always_conflict.load(Ordering::Relaxed) {
            return Err(StoreError::Conflict);
        }
        let committed = self.rows.lock().unwrap().commit(change)?;
        self.events.lock().unwrap().push(Event::Committed(committed.revision));
        Ok(committed)
    }
}

impl Secrets for House {
    fn seal(&self, what: SealFor, secret: &[u8]) -> Sealed {
        let mut sealed = what.purpose.as_str().as_bytes().to_vec();
        sealed.extend(what.account.0.to_be_bytes());
        sealed.extend(secret.iter().map(|byte| byte ^ 0xff));
        Sealed(sealed)
    }

    fn open(&self, what: SealFor, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealBroken> {
        let bound = self.seal(what, &[]).0;
        let secret = sealed.0.strip_prefix(bound.as_slice()).ok_or(SealBroken)?;
        Ok(Zeroizing::new(secret.iter().map(|byte| byte ^ 0xff).collect()))
    }

    fn random(&self, bytes: &mut [u8]) {
        let seed = self.counter.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let stream = (0u8..).flat_map(|block| latchkey_crypto::digest::sha256(&[&seed[..], &[block]].concat()));
        bytes.iter_mut().zip(stream).for_each(|(byte, drawn)| *byte = drawn);
    }
}

impl Live for House {
    fn apply(&self, committed: &Committed) {
        self.events.lock().unwrap().push(Event::Live(committed.revision));
    }
}

impl Outbox for House {
    async fn settle(&self, effects: &[EffectId]) -> Result<(), NotSettled> {
        if self.exchange_is_down.load(Ordering::Relaxed) {
            return Err(NotSettled);
        }
        self.events.lock().unwrap().push(Event::Settled(effects.to_vec()));
        Ok(())
    }
}

impl Ports for House {
    type Store = Self;
    type Secrets = Self;
    type Live = Self;
    type Outbox = Self;

    fn store(&self) -> &Self {
        self
    }

    fn secrets(&self) -> &Self {
        self
    }

    fn live(&self) -> &Self {
        self
    }

    fn outbox(&self) -> &Self {
        self
    }
}

/// A service over a house with account 1.
fn authority() -> Authority<House> {
    let house = House::default();
    house.rows.lock().unwrap().accounts.insert(AccountId(1), account(1).encode());
    Authority::new(house, Policy::default())
}

fn caller(via: Via) -> Caller {
    Caller { account: AccountId(1), from: None, via, step_up: None }
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
    caller(Via::Key { key: record.id, kind: record.kind, effective: permissions })
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
    let rows = authority.ports().rows.lock().unwrap();
    let stored = String::from_utf8(rows.keys[&created.record.id].clone()).unwrap();
    let audit = serde_json::to_string(&rows.audit).unwrap();
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
        fixed: FixedText { api_key: Some(api_key(5)), secret: SecretKey::parse("s".repeat(64)).ok() },
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
    let created = now_or_never(authority.create_special_key(&trader, &new_special("a"), FACTS, NOW)).ok().unwrap();
    let settled = Event::Settled(vec![EffectId(2000), EffectId(2001)]);
    assert_eq!(events(&authority), [Event::Committed(2), settled, Event::Live(2)]);
    assert_eq!(created.record.made_by, trader.key());

    authority.ports().exchange_is_down.store(true, Ordering::Relaxed);
    let waiting = now_or_never(authority.create_special_key(&trader, &new_special("b"), FACTS, NOW));
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
    assert_eq!(authority.ports().rows.lock().unwrap().effects, [Effect::CancelEverything { owner: AccountId(1) }]);
}

#[test]
fn a_special_key_lives_its_whole_life_through_its_routes() {
    let authority = authority();
    let trader = trader(&authority);
    let created = now_or_never(authority.create_special_key(&trader, &new_special("fast"), FACTS, NOW)).ok().unwrap();
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
    let tombstone = now_or_never(authority.ports().key(api_key)).unwrap().unwrap();
    assert!(matches!(tombstone.state, KeyState::Deleted { .. }), "a tombstone stays");
}

#[test]
fn disabled_keys_come_back_and_nothing_is_written_twice() {
    let authority = authority();
    let owner = caller(Via::Owner);
    let key = trader(&authority).key().unwrap();
    let revision = || authority.ports().rows.lock().unwrap().revision;
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
    assert_eq!(authority.ports().rows.lock().unwrap().account(AccountId(1)).unwrap().frozen, None);
}

#[test]
fn a_decision_that_was_overtaken_is_made_again() {
    let authority = authority();
    let trader = trader(&authority);
    // Between load and commit the calling key is disabled.
    let key = trader.key().unwrap();
    *authority.ports().let_in_between.lock().unwrap() = Some(Box::new(move |house: &House| {
        let mut rows = house.rows.lock().unwrap();
        let mut record = rows.keys().find(|record| record.id == key).unwrap();
        let mut account = rows.account(AccountId(1)).unwrap();
        record.state = KeyState::Disabled { at: NOW, by: crate::change::Actor::Owner(AccountId(1)) };
        account.version += 1;
        rows.keys.insert(key, record.encode());
        rows.accounts.insert(AccountId(1), account.encode());
    }));
    let late = now_or_never(authority.create_special_key(&trader, &new_special("late"), FACTS, NOW));
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
                    let made = now_or_never(authority.create_special_key(trader, &new_special("x"), FACTS, NOW));
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
    let rows = authority.ports().rows.lock().unwrap();
    assert_eq!(rows.keys().count(), 30);
    assert_eq!((rows.revision, rows.audit.len()), (30, 30));
    assert_eq!(rows.account(AccountId(1)).unwrap().version, 31);
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

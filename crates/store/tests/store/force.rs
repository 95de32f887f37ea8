//! A change is in force before its answer leaves: whatever the order of a change and a call, no call is handed over
//! against the answered state.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use latchkey_admission::call::{Field, FoundBy, Listed, RawCall, RequestIds};
use latchkey_admission::limiter::{Limiter, Limits};
use latchkey_admission::ports::{Clock, OpenMaterial, Recorder};
use latchkey_admission::replay::{self, Replay};
use latchkey_admission::{Call, CallRecord, Permit, Rejection, Rules, Trail, check};
use latchkey_authority::account::{Account, Frozen, PortfolioMargin};
use latchkey_authority::change::{Actor, Committed};
use latchkey_authority::key::{AcceptedProofs, KeyKind, KeyRecord, KeyState, Material, PermissionMode, Scope};
use latchkey_authority::policy::{Policy, ReplayRule};
use latchkey_authority::ports::Live as _;
use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::sign::Signer;
use latchkey_crypto::verify::Verifier;
use latchkey_protocol::catalog::Catalog;
use latchkey_protocol::{AccountId, KeyId, Permission, PermissionSet, Symbol, Timestamp, Wallet};
use latchkey_store::live::LiveMap;

use crate::records::{NOW, account, cases, deleted, key, listed};

const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

impl OpenMaterial for Still {
    fn open(&self, _: AccountId, _: KeyId, _: &Material) -> Option<Verifier> {
        Some(Verifier::hmac(&SecretKey::parse(SECRET).unwrap()))
    }
}

impl Recorder for Still {
    fn record(&self, _: CallRecord) {}
}

/// The line without its door and its venue.
struct House {
    live: LiveMap,
    catalog: Catalog,
    rules: Rules,
    limiter: Limiter,
    replay: Replay,
    ids: RequestIds,
}

impl House {
    fn new() -> Self {
        Self::remembering(replay::Settings::default())
    }

    fn remembering(settings: replay::Settings) -> Self {
        let policy = Policy {
            request_weight_per_minute: u32::MAX,
            raw_requests_per_5m: u32::MAX,
            failed_verifications_per_minute: u32::MAX,
            ..Policy::default()
        };
        Self {
            live: LiveMap::new(policy, Arc::new(Still), 42),
            catalog: Catalog::builtin(),
            rules: Rules::from(&policy),
            limiter: Limiter::new(Limits::from(&policy)),
            replay: Replay::new(settings),
            ids: RequestIds::new(7),
        }
    }

    /// Judges an order of `key`; `number` makes it another than those before.
    fn admit(&self, key: &KeyRecord, number: u32) -> Result<Permit, Rejection> {
        let sent = NOW.as_millis() - 12;
        let payload =
            format!("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&newClientOrderId=n{number}&timestamp={sent}");
        let signature = Signer::hmac(&SecretKey::parse(SECRET).unwrap()).sign(&[payload.as_bytes()]).unwrap();
        let query = format!("{payload}&signature={signature}");
        let raw = RawCall {
            method: "POST",
            path: "/api/v3/order",
            query: query.as_bytes(),
            body: b"",
            api_key: Field::One(key.api_key.as_str().as_bytes()),
            time_unit: Field::Absent,
            sbe: Field::Absent,
            headers: &Listed(&[]),
            peer: PEER,
            found_by: FoundBy::Socket,
        };
        let mut trail = Trail::open(Arc::new(Still), Arc::new(Still), self.ids.next(), raw.source());
        let trail = &mut trail;
        let routed = check::route(&raw, &self.catalog, trail)?;
        self.limiter.arrive(&routed, trail)?;
        let known = check::key(check::shape(routed, &self.rules, trail)?, &self.live, trail)?;
        let timely = check::timing(check::ip(known, trail)?, &self.replay, trail)?;
        let ready = self.limiter.budget(timely, trail)?;
        let proven = self.limiter.verified(check::signature(ready, &Still, &self.replay, trail), trail)?;
        let whole = check::parameters(check::permission(proven)?)?;
        Ok(check::replay(self.limiter.charge(whole, trail)?)?.permit(trail.id(), trail.arrived()))
    }
}

/// A key with its owners, and a change after which the call may not pass as it was judged.
struct Case {
    owners: [Account; 2],
    key: KeyRecord,
    account: Option<Account>,
    changed: Option<KeyRecord>,
}

const KINDS: u64 = 9;

fn case(number: u64) -> Case {
    let id = 10 + number.cast_signed() * 2;
    let (master, mut sub) = (account(id), account(id + 1));
    sub.master = Some(master.id);
    let mut key = key(u128::from(number) + 1, id + 1);
    key.permissions = PermissionSet::READING.with(Permission::SpotAndMarginTrading);
    let mut case = Case { owners: [master.clone(), sub.clone()], key: key.clone(), account: None, changed: None };
    let frozen = vec![Frozen { at: NOW, by: Actor::System, reason: String::new() }];
    match number % KINDS {
        0 => key.state = KeyState::Disabled { at: NOW, by: Actor::System, also: Box::default() },
        1 => key = deleted(key),
        2 => key.ip = listed("10.0.0.1"),
        3 => key.permissions = PermissionSet::READING,
        4 => key.symbols = Some(vec![Symbol::parse("ETHUSDT").unwrap()]),
        5 => key.accepts = AcceptedProofs::Message9421,
        6 => case.account = Some(Account { frozen, version: 2, ..sub }),
        7 => case.account = Some(Account { frozen, version: 2, ..master }),
        _ => {
            case.key.kind = KeyKind::Special { scope: Scope::Cross, mode: PermissionMode::Trade };
            let portfolio_margin = PortfolioMargin::Pro { since: NOW };
            case.account = Some(Account { portfolio_margin, version: 2, ..sub });
        }
    }
    case.changed = case.account.is_none().then_some(key);
    case
}

/// The next number of a sequence that looks like chance.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn pause(turns: u64) {
    for _ in 0..turns {
        std::hint::spin_loop();
    }
}

/// Whether a call that was handed over acts as the state before the change had it.
fn against_the_answer(call: &Result<Call, Rejection>) -> bool {
    call.as_ref().is_ok_and(|call| call.holder.as_ref().unwrap().trading().wallet != Wallet::Portfolio)
}

#[test]
fn no_call_is_admitted_against_an_answered_change() {
    let house = House::new();
    let mut state = 7;
    let (mut before, mut after) = (0_u64, 0_u64);
    for number in 0..cases(400) {
        let Case { owners, key, account, changed } = case(number);
        let revision = number * 2 + 1;
        let first = Committed {
            revision,
            effects: Vec::new(),
            accounts: owners.into(),
            keys: vec![key.clone()],
            waiting: vec![],
        };
        house.live.apply(&first);
        let second = Committed {
            revision: revision + 1,
            effects: Vec::new(),
            accounts: account.into_iter().collect(),
            keys: changed.into_iter().collect(),
            waiting: Vec::new(),
        };
        let early = house.admit(&key, 0).unwrap_or_else(|rejection| panic!("case {number}: {rejection:?}"));
        let answered = AtomicBool::new(false);
        let pauses = [(); 3].map(|()| draw(&mut state) % 6000);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                pause(pauses[0]);
                house.live.apply(&second);
                answered.store(true, Ordering::SeqCst);
            });
            pause(pauses[1]);
            for call in 1..=3 {
                let permit = house.admit(&key, call);
                pause(pauses[2]);
                let was_answered = answered.load(Ordering::SeqCst);
                let handed = permit.and_then(|permit| permit.hand_over(NOW));
                assert!(!was_answered || !against_the_answer(&handed), "case {number}, call {call}");
                if was_answered { after += 1 } else { before += u64::from(handed.is_ok()) }
            }
        });
        let handed = early.hand_over(NOW);
        assert!(handed.is_err(), "case {number}: a permit from before the change");
        let late = house.admit(&key, 9).and_then(|permit| permit.hand_over(NOW));
        assert!(!against_the_answer(&late), "case {number}: a call after the change");
        assert_eq!(late.is_ok(), number % KINDS == KINDS - 1, "case {number}: another wallet alone is no refusal");
    }
    assert!(before > 0 && after > 0, "{before} calls before the answer and {after} behind it");
}

fn committed(revision: u64, accounts: Vec<Account>, key: KeyRecord) -> Committed {
    Committed { revision, effects: Vec::new(), accounts, keys: vec![key], waiting: Vec::new() }
}

/// A key whose calls may be repeated, then the same key whose changes may not.
fn tightened(house: &House, between: impl FnOnce(&KeyRecord)) {
    let owner = account(10);
    let permissions = PermissionSet::READING.with(Permission::SpotAndMarginTrading);
    let key = KeyRecord { replay: Some(ReplayRule::Off), permissions, ..key(1, 10) };
    house.live.apply(&committed(1, vec![owner], key.clone()));
    between(&key);
    let key = KeyRecord { replay: Some(ReplayRule::StateChanging), ..key };
    house.live.apply(&committed(2, Vec::new(), key));
}

fn reason(handed: Result<Call, Rejection>) -> &'static str {
    handed.map_or_else(|rejection| rejection.name(), |_| "admitted")
}

#[test]
fn a_repetition_that_was_allowed_when_it_was_judged_is_refused_once_it_is_not() {
    let house = House::new();
    let (mut early, mut known) = (Vec::new(), None);
    tightened(&house, |key| {
        for _ in 0..2 {
            assert_eq!(reason(house.admit(key, 1).and_then(|permit| permit.hand_over(NOW))), "admitted");
        }
        early = [1, 2, 2].map(|number| house.admit(key, number).unwrap()).into();
        known = Some(key.clone());
    });
    let handed: Vec<_> = early.into_iter().map(|permit| reason(permit.hand_over(NOW))).collect();
    assert_eq!(handed, ["signature-used", "admitted", "signature-used"]);
    let again = house.admit(&known.unwrap(), 1).and_then(|permit| permit.hand_over(NOW));
    assert_eq!(reason(again), "signature-used", "what was handed over while it was allowed is known");
}

#[test]
fn a_call_from_before_the_memory_is_refused_once_the_memory_counts() {
    let house = House::remembering(replay::Settings { since: NOW, ..replay::Settings::default() });
    let mut early = None;
    tightened(&house, |key| {
        assert_eq!(reason(house.admit(key, 1).and_then(|permit| permit.hand_over(NOW))), "admitted");
        early = Some(house.admit(key, 2));
    });
    assert_eq!(reason(early.unwrap().and_then(|permit| permit.hand_over(NOW))), "stamped-before-start");
}

#[test]
fn a_call_that_found_no_place_in_the_memory_is_refused_once_the_memory_counts() {
    let house = House::remembering(replay::Settings { share_max: 1, ..replay::Settings::default() });
    let mut early = None;
    tightened(&house, |key| {
        assert_eq!(reason(house.admit(key, 1).and_then(|permit| permit.hand_over(NOW))), "admitted");
        early = Some(house.admit(key, 2));
    });
    assert_eq!(reason(early.unwrap().and_then(|permit| permit.hand_over(NOW))), "replay-memory-full");
}

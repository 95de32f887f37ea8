//! A whole house in memory: exchange, authority, live keys, and callers that sign.

mod journal;
mod ports;

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use latchkey_admission::call::{Field, FoundBy, Listed, RawCall, RequestIds};
use latchkey_admission::limiter::{Limiter, Limits};
use latchkey_admission::ports::{CallLog, CallLogError, Clock, Recorder, Venue as _};
use latchkey_admission::records::{CallPage, CallQuery};
use latchkey_admission::replay::{Replay, Settings};
use latchkey_admission::{Answer, CallRecord, Outcome, Permit, Rejection, Rules, Trail, check};
use latchkey_authority::account::{Account, Email, Kyc, Products, Sealed, SubKind, Terms, TermsSigned};
use latchkey_authority::ip::{IpForms, IpRestriction, IpRule};
use latchkey_authority::key::{Capabilities, KeyKind, KeyRecord, KeyState, Material, PermissionMode, Scope};
use latchkey_authority::label::Label;
use latchkey_authority::memory::InMemory;
use latchkey_authority::policy::{Policy, Profile};
use latchkey_authority::service::Authority;
use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::sign::Signer;
use latchkey_exchange::spec::SymbolSpec;
use latchkey_exchange::{Flow, MarketSettings, OrderLimits};
use latchkey_protocol::catalog::Catalog;
use latchkey_protocol::{
    AccountId, Amount, ApiKey, Asset, KeyId, Permission, PermissionSet, Symbol, TimeUnit, Timestamp, TradingAccount,
    Wallet,
};
use latchkey_venue::Venue;
use latchkey_venue::sequencer::{Exchange, Parts, Sequencing};

pub(crate) use journal::{Gate, MemoryJournal};
use ports::{Keys, MemoryPorts};

/// Nobody asks for records of calls here: the tests of the whole house do.
struct NoCalls;

impl CallLog for NoCalls {
    fn find(&self, _: &CallQuery) -> Result<CallPage, CallLogError> {
        Ok(CallPage::default())
    }
}

/// Where tests play: 2026-09-21T14:13:20Z.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A clock that moves when it is told to.
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn at(time: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(time.as_micros())))
    }

    pub(crate) fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis * 1000, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

struct Forgetful;

impl Recorder for Forgetful {
    fn record(&self, _: CallRecord) {}
}

/// A caller: the public name of a key, and what it signs with.
#[derive(Clone)]
pub(crate) struct TestKey {
    pub(crate) id: KeyId,
    pub(crate) api_key: ApiKey,
    secret: String,
}

pub(crate) struct House {
    pub(crate) clock: Arc<HandClock>,
    pub(crate) venue: Venue<MemoryPorts>,
    pub(crate) gate: Arc<Gate>,
    sequencing: Sequencing,
    keys: Arc<Keys>,
    policy: Policy,
    limiter: Limiter,
    replay: Replay,
    /// How many calls were signed: each is stamped a microsecond later, so that no two are the same.
    signed: AtomicI64,
    catalog: Catalog,
    ids: RequestIds,
}

/// How a house is set up.
pub(crate) struct Setup {
    pub(crate) queue: usize,
    pub(crate) flow: Flow,
    pub(crate) journal: MemoryJournal,
}

impl Default for Setup {
    fn default() -> Self {
        Self { queue: 64, flow: Flow::None, journal: MemoryJournal::default() }
    }
}

impl House {
    /// Account 1 (all products, VIP 9) with 100000 USDT and 10 BTC in spot, 50000 USDT in cross margin and 2000 USDT in
    /// isolated BTCUSDT; account 2 with as much in spot. Account 3 is a sub-account of the first, account 4 one of the
    /// second, account 5 an asset sub-account of the first; they have nothing.
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let clock = HandClock::at(NOW);
        let policy = Policy::of(Profile::Default);
        let gate = setup.journal.gate();
        let (exchange, sequencing) = Exchange::start(Parts {
            settings: MarketSettings { flow: setup.flow, symbols: symbols(), ..MarketSettings::builtin(7) },
            restored: None,
            limits: OrderLimits { per_10s: policy.orders_per_10s, per_day: policy.orders_per_day },
            journal: Box::new(setup.journal),
            clock: clock.clone(),
            snapshots: None,
            queue: NonZeroUsize::new(setup.queue).unwrap(),
        })
        .unwrap();
        for (owner, wallet, asset, units) in [
            (1, Wallet::Spot, "USDT", 100_000),
            (1, Wallet::Spot, "BTC", 10),
            (1, Wallet::Cross, "USDT", 50_000),
            (1, Wallet::Isolated(pair("BTCUSDT")), "USDT", 2_000),
            (2, Wallet::Spot, "USDT", 100_000),
            (2, Wallet::Spot, "BTC", 10),
        ] {
            let account = TradingAccount { owner: AccountId(owner), wallet };
            let amount = Amount::from_scaled(units * 100_000_000);
            exchange.deposit(account, Asset::parse(asset).unwrap(), amount).await.unwrap();
        }
        let sub = |id, master| Account { master: Some(AccountId(master)), ..account(id) };
        let asset_sub = Account { sub_kind: SubKind::Asset, ..sub(5, 1) };
        let accounts = [account(1), account(2), sub(3, 1), sub(4, 2), asset_sub];
        let keys = Arc::new(Keys::new(policy, clock.clone()));
        let ports = MemoryPorts::new(accounts, keys.clone(), exchange.clone());
        let authority = Arc::new(Authority::new(ports, policy));
        let venue =
            Venue::new(exchange, authority, clock.clone(), Arc::new(NoCalls), tokio::runtime::Handle::current());
        Self {
            clock,
            venue,
            gate,
            sequencing,
            keys,
            policy,
            limiter: Limiter::new(Limits::from(&policy)),
            replay: Replay::new(Settings::default()),
            signed: AtomicI64::new(0),
            catalog: Catalog::builtin(),
            ids: RequestIds::new(1),
        }
    }

    /// A key that reads and trades spot.
    pub(crate) fn trader(&self, owner: i64) -> TestKey {
        let permissions = PermissionSet::READING.with(Permission::SpotAndMarginTrading);
        self.key(owner, permissions, KeyKind::Standard)
    }

    /// A key that only reads.
    pub(crate) fn reader(&self, owner: i64) -> TestKey {
        self.key(owner, PermissionSet::READING, KeyKind::Standard)
    }

    /// A special key that trades.
    pub(crate) fn special(&self, owner: i64, scope: Scope) -> TestKey {
        let mode = PermissionMode::Trade;
        self.key(owner, mode.permissions(), KeyKind::Special { scope, mode })
    }

    /// Any key.
    pub(crate) fn key(&self, owner: i64, permissions: PermissionSet, kind: KeyKind) -> TestKey {
        let ports = self.venue.authority().ports();
        let id = u128::from(ports.next());
        let key = TestKey {
            id: KeyId(id),
            api_key: ApiKey::parse(format!("{id:0>64}").as_bytes()).unwrap(),
            secret: format!("{id:s>64}"),
        };
        let record = KeyRecord {
            permissions,
            kind,
            capabilities: Capabilities { margin: true, futures: true, options: true, portfolio_margin: false },
            ..KeyRecord::new(
                key.id,
                AccountId(owner),
                key.api_key,
                Label::parse("bot").unwrap(),
                Material::Hmac { sealed: Sealed(key.secret.clone().into_bytes()) },
                IpRestriction::Listed(IpRule::parse_list("127.0.0.1", IpForms::Addresses, &self.policy).unwrap()),
                NOW.plus_millis(-86_400_000),
            )
        };
        ports.put(record);
        key
    }

    /// A caller from what `POST /sapi/v1/margin/apiKey` answered.
    pub(crate) fn holder_of(&self, created: &str) -> TestKey {
        let api_key = ApiKey::parse(text_of(created, "apiKey").as_bytes()).unwrap();
        TestKey { id: self.keys.live(&api_key).unwrap().id, api_key, secret: text_of(created, "secretKey") }
    }

    /// Puts an edit of a key in force.
    pub(crate) fn edit(&self, key: &TestKey, edit: impl FnOnce(&mut KeyRecord)) {
        let mut record = self.venue.authority().ports().records().keys[&key.id].clone();
        edit(&mut record);
        self.keys.live(&key.api_key).unwrap().refresh(&record, &self.policy, self.clock.now());
    }

    /// Ends the life of a key.
    pub(crate) fn end(&self, key: &TestKey) {
        self.edit(key, |record| record.state = KeyState::Expired { at: record.created });
    }

    /// The time of the house, as the wire prints it.
    pub(crate) fn now_millis(&self) -> i64 {
        self.clock.now().as_millis()
    }

    /// Brings a call through the line. Parameters of every method stand in the query.
    pub(crate) fn permit(
        &self,
        key: Option<&TestKey>,
        method: &str,
        path: &str,
        query: &str,
    ) -> Result<Permit, Rejection> {
        self.permit_with_body(key, method, path, query, "")
    }

    /// Brings a call through the line that has parameters in the body too.
    pub(crate) fn permit_with_body(
        &self,
        key: Option<&TestKey>,
        method: &str,
        path: &str,
        query: &str,
        body: &str,
    ) -> Result<Permit, Rejection> {
        let found = latchkey_protocol::catalog::Method::parse(method).unwrap();
        let latchkey_protocol::catalog::Found::Endpoint(row) = self.catalog.find(found, path) else {
            panic!("no row {method} {path}");
        };
        let query = match key {
            Some(key) if row.security.is_signed() => {
                let mut payload = query.to_owned();
                if !payload.is_empty() {
                    payload.push('&');
                }
                let stamp = self.clock.now().as_micros() + self.signed.fetch_add(1, Ordering::Relaxed);
                payload.push_str(&format!("timestamp={stamp}"));
                let signer = Signer::hmac(&SecretKey::parse(&key.secret).unwrap());
                let signature = signer.sign(&[payload.as_bytes(), body.as_bytes()]).unwrap();
                format!("{payload}&signature={signature}")
            }
            _ => query.to_owned(),
        };
        let raw = RawCall {
            method,
            path,
            query: query.as_bytes(),
            body: body.as_bytes(),
            api_key: key.map_or(Field::Absent, |key| Field::One(key.api_key.as_str().as_bytes())),
            time_unit: Field::Absent,
            sbe: Field::Absent,
            headers: &Listed(&[]),
            peer: PEER,
            found_by: FoundBy::Socket,
        };
        let mut trail = Trail::open(Arc::new(Forgetful), self.clock.clone(), self.ids.next(), raw.source());
        let routed = check::route(&raw, &self.catalog, &mut trail)?;
        self.limiter.arrive(&routed, &mut trail)?;
        let shaped = check::shape(routed, &Rules::from(&self.policy), &mut trail)?;
        let known = check::key(shaped, self.keys.as_ref(), &mut trail)?;
        let placed = check::ip(known, &mut trail)?;
        let timely = check::timing(placed, &self.replay, &mut trail)?;
        let ready = self.limiter.budget(timely, &mut trail)?;
        let proven = check::signature(ready, self.keys.as_ref(), &self.replay, &mut trail);
        let proven = self.limiter.verified(proven, &mut trail)?;
        let granted = check::permission(proven)?;
        let whole = check::parameters(granted)?;
        let charged = self.limiter.charge(whole, &mut trail)?;
        let fresh = check::replay(charged)?;
        Ok(fresh.permit(trail.id(), trail.arrived()))
    }

    /// A call from arrival to its end.
    pub(crate) async fn call(&self, key: Option<&TestKey>, method: &str, path: &str, query: &str) -> Outcome {
        match self.permit(key, method, path, query) {
            Ok(permit) => self.submit(permit).await,
            Err(rejection) => Outcome::Rejected(rejection),
        }
    }

    pub(crate) async fn submit(&self, permit: Permit) -> Outcome {
        match self.venue.submit(permit) {
            Ok(ticket) => ticket.await,
            Err(rejection) => Outcome::Rejected(rejection),
        }
    }

    /// The body of a good answer.
    pub(crate) async fn good(&self, key: Option<&TestKey>, method: &str, path: &str, query: &str) -> String {
        match self.call(key, method, path, query).await {
            Outcome::Answered(answer) => json(&answer),
            other => panic!("{method} {path}?{query}: {other:?}"),
        }
    }

    /// The status and body of a refusal.
    pub(crate) async fn refused(&self, key: Option<&TestKey>, method: &str, path: &str, query: &str) -> (u16, String) {
        match self.call(key, method, path, query).await {
            Outcome::Rejected(rejection) => self.told(&rejection, path),
            other => panic!("{method} {path}?{query}: {other:?}"),
        }
    }

    pub(crate) fn told(&self, rejection: &Rejection, path: &str) -> (u16, String) {
        let error = rejection.error(latchkey_protocol::catalog::Family::of(path));
        (error.row.status, json(&Answer::from(error.to_value())))
    }

    /// Stops the thread.
    pub(crate) async fn stop(self) -> latchkey_venue::sequencer::End {
        let sequencing = self.sequencing;
        tokio::task::spawn_blocking(|| sequencing.stop()).await.unwrap()
    }
}

pub(crate) fn json(answer: &Answer) -> String {
    let mut bytes = Vec::new();
    answer.value.write_json(TimeUnit::Millisecond, &mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// The text of a member of a flat object.
pub(crate) fn text_of(json: &str, name: &str) -> String {
    let start = json.find(&format!("\"{name}\":\"")).unwrap() + name.len() + 4;
    json[start..].split('"').next().unwrap().to_owned()
}

/// The number of a member of a flat object.
pub(crate) fn number_of(json: &str, name: &str) -> i64 {
    let start = json.find(&format!("\"{name}\":")).unwrap() + name.len() + 3;
    let digits: String = json[start..].chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
    digits.parse().unwrap()
}

pub(crate) fn pair(name: &str) -> Symbol {
    Symbol::parse(name).unwrap()
}

pub(crate) fn symbols() -> Vec<SymbolSpec> {
    let mut symbols = SymbolSpec::builtin();
    symbols.truncate(2);
    symbols
}

fn account(id: i64) -> Account {
    let created = NOW.plus_millis(-400 * 86_400_000);
    let opened = Some(created);
    Account {
        kyc: Kyc::VerifiedPlus,
        vip: 9,
        deposited: true,
        products: Products { margin: opened, futures: opened, options: None },
        terms: TermsSigned::from_iter([Terms::MarginSpecialKey]),
        totp: Some(Sealed(vec![1])),
        ..Account::new(AccountId(id), Email::parse(&format!("user{id}@example.com")).unwrap(), created)
    }
}

//! A house in memory: every port of the authority and of the console, and a clock that tests move.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use latchkey_admission::live::{LiveAccount, LiveKey};
use latchkey_admission::ports::{CallLog, CallLogError, Clock, Keys};
use latchkey_admission::records::{CallEntry, CallPage, CallQuery, Cursor};
use latchkey_authority::account::{
    Account, CrossMarginPro, Email, Kyc, PasswordHash, PortfolioMargin, Products, Sealed, Terms, TermsSigned,
};
use latchkey_authority::caller::{Caller, Via};
use latchkey_authority::change::{AuditEvent, Committed, Effect, EffectId};
use latchkey_authority::issue::NewAccount;
use latchkey_authority::key::{KeyRecord, KeyState};
use latchkey_authority::memory::{InMemory, Records};
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::{
    ExchangeFacts, Live, NotSettled, Outbox, SealBroken, SealFor, Secrets, ShelfKind, StoreError,
};
use latchkey_authority::service::Authority;
use latchkey_console::ports::{Answer, AuditLog, Exchange, Mail, Sms};
use latchkey_crypto::totp::TotpSeed;
use latchkey_protocol::{AccountId, ApiKey, Symbol, Timestamp};
use zeroize::Zeroizing;

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// The seed of alice's one-time codes.
pub(crate) const SEED: &str = "JBSWY3DPEHPK3PXPJBSWY3DP";
/// When tests begin: 2026-09-21T14:13:20Z.
const BEGIN_MS: i64 = 1_790_000_000_000;

/// What was sent: to whom, and the text.
pub(crate) type Sent = Vec<(String, String)>;

/// Everything behind the console.
pub(crate) struct State {
    records: Mutex<Records>,
    pub(crate) mail: Mutex<Sent>,
    pub(crate) sms: Mutex<Sent>,
    /// Oldest first.
    pub(crate) calls: Mutex<Vec<CallEntry>>,
    clock_ms: AtomicI64,
    drawn: AtomicU64,
    /// The next change is stored, and its answer is lost.
    pub(crate) answer_lost: AtomicBool,
}

/// A handle to it; every port.
#[derive(Clone)]
pub(crate) struct House(pub(crate) Arc<State>);

impl House {
    pub(crate) fn new() -> Self {
        Self(Arc::new(State {
            records: Mutex::default(),
            mail: Mutex::default(),
            sms: Mutex::default(),
            calls: Mutex::default(),
            clock_ms: AtomicI64::new(BEGIN_MS),
            drawn: AtomicU64::new(1),
            answer_lost: AtomicBool::new(false),
        }))
    }

    /// Moves the clock.
    pub(crate) fn wait_s(&self, seconds: i64) {
        self.0.clock_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Forgets every failed attempt.
    pub(crate) fn forgive(&self) {
        let name = ShelfKind::Attempts.name();
        self.records().shelf.retain(|(kind, _), _| *kind != name);
    }

    pub(crate) fn audit(&self) -> Vec<AuditEvent> {
        self.records().audit.iter().map(|(_, event)| event.clone()).collect()
    }

    /// What the exchange was asked to do, in order.
    pub(crate) fn effects(&self) -> Vec<Effect> {
        self.records().effects.clone()
    }

    pub(crate) fn key(&self, id: &str) -> KeyRecord {
        let records = self.records();
        records.keys.values().find(|key| key.id.to_string() == id).unwrap().clone()
    }

    pub(crate) fn account(&self, id: i64) -> Account {
        self.records().accounts[&AccountId(id)].clone()
    }

    /// Every value on the shelf, as one text.
    pub(crate) fn shelf_text(&self) -> String {
        let records = self.records();
        records.shelf.values().map(|item| String::from_utf8_lossy(&item.value).into_owned()).collect()
    }

    pub(crate) fn shelf_count(&self, kind: ShelfKind) -> usize {
        self.records().shelf.keys().filter(|(name, _)| *name == kind.name()).count()
    }

    /// Opens an account that every rule allows everything; with `seed`, one-time codes are enrolled.
    pub(crate) async fn open(
        &self,
        authority: &Authority<Self>,
        email: &str,
        seed: Option<&str>,
        of: Option<&str>,
    ) -> i64 {
        let system = Caller { account: AccountId(0), from: None, via: Via::World, step_up: None, claim: None };
        let created = self.now().plus_millis(-400 * 86_400_000);
        let opened = Some(created);
        let new = NewAccount {
            email: Email::parse(email).unwrap(),
            kyc: Kyc::VerifiedPlus,
            vip: 9,
            deposited: true,
            products: Products { margin: opened, futures: opened, options: opened },
            portfolio_margin: PortfolioMargin::None,
            cross_margin_pro: CrossMarginPro::None,
            terms: TermsSigned::from_iter([Terms::MarginSpecialKey]),
            default_security_controls: true,
            sub_of: of.map(|email| Email::parse(email).unwrap()),
            residence: None,
            special_key_exception: false,
            password_hash: Some(password_hash()),
            totp: seed.map(|seed| TotpSeed::parse(seed).unwrap()),
            created: Some(created),
            funds: Vec::new(),
        };
        authority.create_account(&system, &new, self.now()).await.unwrap_or_else(|error| panic!("{error}")).id.0
    }

    /// The code that an app shows now.
    pub(crate) fn code(&self, seed: &str) -> String {
        TotpSeed::parse(seed).unwrap().code(u64::try_from(self.now().as_millis() / 1000).unwrap())
    }
}

fn password_hash() -> PasswordHash {
    static HASH: OnceLock<String> = OnceLock::new();
    let hash =
        HASH.get_or_init(|| latchkey_crypto::password::hash(PASSWORD, &mut |salt: &mut [u8]| salt.fill(7)).unwrap());
    PasswordHash::new(hash.clone())
}

impl Clock for House {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.clock_ms.load(Ordering::SeqCst))
    }
}

impl Keys for House {
    fn find(&self, api_key: &ApiKey) -> Option<Arc<LiveKey>> {
        let records = self.records();
        let record = records.keys.values().find(|key| key.api_key == *api_key)?;
        if matches!(record.state, KeyState::Deleted { .. }) {
            return None;
        }
        let account = Arc::new(LiveAccount::new(records.accounts[&record.account].clone(), None));
        Some(Arc::new(LiveKey::new(record, account, &Policy::default(), self.now())))
    }
}

impl AuditLog for House {
    fn of(&self, account: AccountId, after: u64, limit: u32) -> Answer<'_, Vec<serde_json::Value>> {
        Box::pin(async move {
            let records = self.records();
            let own = records.audit.iter().filter(|(seq, event)| event.account == account && *seq > after);
            Ok(own
                .take(limit as usize)
                .map(|(seq, event)| serde_json::json!({ "revision": seq, "event": event }))
                .collect())
        })
    }
}

/// An exchange that knows one pair.
impl Exchange for House {
    fn facts(&self, _: AccountId, symbol: Option<Symbol>) -> Answer<'_, ExchangeFacts> {
        let isolated_pair = symbol.is_some_and(|symbol| symbol.to_string() == "BTCUSDT");
        Box::pin(async move { Ok(ExchangeFacts { isolated_pair, ..ExchangeFacts::default() }) })
    }
}

impl CallLog for House {
    fn find(&self, query: &CallQuery) -> Result<CallPage, CallLogError> {
        let calls = self.0.calls.lock().unwrap();
        let mut entries: Vec<CallEntry> = calls.iter().rev().filter(|entry| query.matches(entry)).cloned().collect();
        // Small pages, so that an export has several.
        let limit = query.limit.min(3);
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| more).map(Cursor::of);
        Ok(CallPage { entries, next })
    }
}

impl Mail for House {
    fn send<'a>(&'a self, to: &'a Email, _subject: &'a str, text: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.0.mail.lock().unwrap().push((to.as_str().to_owned(), text.to_owned()));
            Ok(())
        })
    }
}

impl Sms for House {
    fn send<'a>(&'a self, _account: AccountId, email: &'a Email, text: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.0.sms.lock().unwrap().push((email.as_str().to_owned(), text.to_owned()));
            Ok(())
        })
    }
}

impl InMemory for House {
    fn memory(&self) -> &Mutex<Records> {
        &self.0.records
    }

    fn after_commit(&self, _: &Committed) -> Result<(), StoreError> {
        if self.0.answer_lost.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the answer was lost".into()));
        }
        Ok(())
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
        let seed = self.0.drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let stream = (0u8..).flat_map(|block| latchkey_crypto::digest::sha256(&[&seed[..], &[block]].concat()));
        bytes.iter_mut().zip(stream).for_each(|(byte, drawn)| *byte = drawn);
    }
}

impl Live for House {
    fn apply(&self, _committed: &Committed) {}
}

impl Outbox for House {
    async fn settle(&self, _effects: &[EffectId]) -> Result<(), NotSettled> {
        Ok(())
    }
}

/// Where every request of the tests comes from.
pub(crate) const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

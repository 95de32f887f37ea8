//! A house in memory: every port of the authority and of the console, and a clock that tests move.

use std::collections::BTreeMap;
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
use latchkey_authority::change::{AuditEvent, Change, Committed, Effect, EffectId, Notice};
use latchkey_authority::issue::NewAccount;
use latchkey_authority::key::{KeyRecord, KeyState};
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::{
    Directory, ExchangeFacts, KeptNotice, Live, Loaded, NotSettled, Notes, Outbox, Ports, SealBroken, SealFor, Secrets,
    Shelf, ShelfItem, ShelfKind, Store, StoreError, Unique,
};
use latchkey_authority::service::Authority;
use latchkey_console::ports::{Answer, AuditLog, Exchange, Mail, Sms};
use latchkey_crypto::totp::TotpSeed;
use latchkey_protocol::{AccountId, ApiKey, KeyId, Symbol, Timestamp};
use zeroize::Zeroizing;

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// The seed of alice's one-time codes.
pub(crate) const SEED: &str = "JBSWY3DPEHPK3PXPJBSWY3DP";
/// When tests begin: 2026-09-21T14:13:20Z.
const BEGIN_MS: i64 = 1_790_000_000_000;

/// What was sent: to whom, and the text.
pub(crate) type Sent = Vec<(String, String)>;

#[derive(Default)]
struct Rows {
    revision: u64,
    accounts: BTreeMap<AccountId, Account>,
    keys: BTreeMap<KeyId, KeyRecord>,
    audit: Vec<(u64, AuditEvent)>,
    effects: Vec<Effect>,
    notices: Vec<KeptNotice>,
    shelf: BTreeMap<(&'static str, [u8; 32]), ShelfItem>,
}

/// Everything behind the console.
pub(crate) struct State {
    rows: Mutex<Rows>,
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
            rows: Mutex::default(),
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
        self.0.rows.lock().unwrap().shelf.retain(|(kind, _), _| *kind != name);
    }

    pub(crate) fn audit(&self) -> Vec<AuditEvent> {
        self.0.rows.lock().unwrap().audit.iter().map(|(_, event)| event.clone()).collect()
    }

    /// What the exchange was asked to do, in order.
    pub(crate) fn effects(&self) -> Vec<Effect> {
        self.0.rows.lock().unwrap().effects.clone()
    }

    pub(crate) fn key(&self, id: &str) -> KeyRecord {
        let rows = self.0.rows.lock().unwrap();
        rows.keys.values().find(|key| key.id.to_string() == id).unwrap().clone()
    }

    pub(crate) fn account(&self, id: i64) -> Account {
        self.0.rows.lock().unwrap().accounts[&AccountId(id)].clone()
    }

    /// Every value on the shelf, as one text.
    pub(crate) fn shelf_text(&self) -> String {
        let rows = self.0.rows.lock().unwrap();
        rows.shelf.values().map(|item| String::from_utf8_lossy(&item.value).into_owned()).collect()
    }

    pub(crate) fn shelf_count(&self, kind: ShelfKind) -> usize {
        self.0.rows.lock().unwrap().shelf.keys().filter(|(name, _)| *name == kind.name()).count()
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
        let rows = self.0.rows.lock().unwrap();
        let record = rows.keys.values().find(|key| key.api_key == *api_key)?;
        if matches!(record.state, KeyState::Deleted { .. }) {
            return None;
        }
        let account = Arc::new(LiveAccount::new(rows.accounts[&record.account].clone(), None));
        Some(Arc::new(LiveKey::new(record, account, &Policy::default(), self.now())))
    }
}

impl AuditLog for House {
    fn of(&self, account: AccountId, after: u64, limit: u32) -> Answer<'_, Vec<serde_json::Value>> {
        Box::pin(async move {
            let rows = self.0.rows.lock().unwrap();
            let own = rows.audit.iter().filter(|(seq, event)| event.account == account && *seq > after);
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

impl Store for House {
    async fn load(&self, account: AccountId) -> Result<Option<Loaded>, StoreError> {
        let rows = self.0.rows.lock().unwrap();
        Ok(rows.accounts.get(&account).map(|found| Loaded {
            account: found.clone(),
            master: found.master.and_then(|master| rows.accounts.get(&master).cloned()),
            keys: rows
                .keys
                .values()
                .filter(|key| key.account == account && !matches!(key.state, KeyState::Deleted { .. }))
                .cloned()
                .collect(),
        }))
    }

    async fn account_by_email(&self, email: &Email) -> Result<Option<AccountId>, StoreError> {
        let rows = self.0.rows.lock().unwrap();
        Ok(rows.accounts.values().find(|account| account.email == *email).map(|account| account.id))
    }

    async fn key(&self, api_key: ApiKey) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self.0.rows.lock().unwrap().keys.values().find(|key| key.api_key == api_key).cloned())
    }

    async fn all_keys(&self, account: AccountId) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(self.0.rows.lock().unwrap().keys.values().filter(|key| key.account == account).cloned().collect())
    }

    async fn public_key_known(&self, fingerprint: [u8; 32]) -> Result<bool, StoreError> {
        let known = |key: &KeyRecord| key.material.public().is_some_and(|public| public.fingerprint == fingerprint);
        Ok(self.0.rows.lock().unwrap().keys.values().any(known))
    }

    async fn next_account_id(&self) -> Result<AccountId, StoreError> {
        let rows = self.0.rows.lock().unwrap();
        Ok(AccountId(1 + i64::try_from(rows.accounts.len()).unwrap()))
    }

    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let at = self.now();
        let rows = &mut *self.0.rows.lock().unwrap();
        let accounts = change
            .accounts
            .iter()
            .all(|write| write.expected == rows.accounts.get(&write.record.id).map(|account| account.version));
        let keys =
            change.keys.iter().all(|write| write.expected == rows.keys.get(&write.record.id).map(|key| key.version));
        let guards = change.guards.iter().all(|guard| rows.accounts[&guard.account].version == guard.version);
        if !(accounts && keys && guards) {
            return Err(StoreError::Conflict);
        }
        let new = change.accounts.iter().filter(|write| write.expected.is_none());
        if new.into_iter().any(|write| rows.accounts.values().any(|account| account.email == write.record.email)) {
            return Err(StoreError::Taken(Unique::Email));
        }
        if let Some(settled) = &change.settled {
            let name = (ShelfKind::Idempotency.name(), settled.claim.name);
            let item = rows.shelf.get_mut(&name).filter(|item| item.version == settled.claim.version);
            let item = item.ok_or(StoreError::ClaimLost)?;
            *item = ShelfItem {
                value: settled.encode(),
                version: item.version + 1,
                expires: settled.claim.kept_until,
                ..item.clone()
            };
        }
        rows.revision += 1;
        rows.audit.push((rows.revision, change.audit));
        keep_notices(rows, at, change.notices);
        let accounts: Vec<Account> = change.accounts.into_iter().map(|write| write.record).collect();
        let keys: Vec<KeyRecord> = change.keys.into_iter().map(|write| write.record).collect();
        rows.accounts.extend(accounts.iter().map(|account| (account.id, account.clone())));
        rows.keys.extend(keys.iter().map(|key| (key.id, key.clone())));
        let effects = (0..).take(change.effects.len()).map(EffectId).collect();
        rows.effects.extend(change.effects);
        if self.0.answer_lost.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the answer was lost".into()));
        }
        Ok(Committed { revision: rows.revision, effects, accounts, keys, waiting: Vec::new() })
    }
}

fn keep_notices(rows: &mut Rows, at: Timestamp, notices: Vec<Notice>) {
    for notice in notices {
        let id = rows.notices.len() as u64 + 1;
        rows.notices.push(KeptNotice { id, at, notice, sent: false });
    }
}

impl Directory for House {
    async fn accounts(&self, after: AccountId, limit: u32) -> Result<Vec<Account>, StoreError> {
        let rows = self.0.rows.lock().unwrap();
        Ok(rows.accounts.values().filter(|account| account.id > after).take(limit as usize).cloned().collect())
    }

    async fn sub_accounts(&self, master: AccountId, skip: u64, limit: u32) -> Result<Vec<Account>, StoreError> {
        let (skip, limit) = (usize::try_from(skip).unwrap(), usize::try_from(limit).unwrap());
        let rows = self.0.rows.lock().unwrap();
        let found = rows.accounts.values().filter(|account| account.master == Some(master));
        Ok(found.skip(skip).take(limit).cloned().collect())
    }

    async fn count_sub_accounts(&self, master: AccountId) -> Result<u64, StoreError> {
        self.sub_accounts(master, 0, u32::MAX).await.map(|all| all.len() as u64)
    }

    async fn account_of_key(&self, key: KeyId) -> Result<Option<AccountId>, StoreError> {
        Ok(self.0.rows.lock().unwrap().keys.get(&key).map(|key| key.account))
    }

    async fn due(&self, _now: Timestamp, _limit: u32) -> Result<Vec<AccountId>, StoreError> {
        Ok(Vec::new())
    }
}

impl Notes for House {
    async fn note(&self, event: AuditEvent) -> Result<u64, StoreError> {
        let rows = &mut *self.0.rows.lock().unwrap();
        rows.revision += 1;
        rows.audit.push((rows.revision, event));
        Ok(rows.revision)
    }

    async fn notices(&self, account: AccountId, after: u64, limit: u32) -> Result<Vec<KeptNotice>, StoreError> {
        let rows = self.0.rows.lock().unwrap();
        let own = rows.notices.iter().filter(|kept| kept.notice.account == account && kept.id > after);
        Ok(own.take(limit as usize).cloned().collect())
    }

    async fn unsent_notices(&self, _: Timestamp, limit: u32) -> Result<Vec<KeptNotice>, StoreError> {
        let rows = self.0.rows.lock().unwrap();
        Ok(rows.notices.iter().filter(|kept| !kept.sent).take(limit as usize).cloned().collect())
    }

    async fn postpone(&self, _: u64, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn mark_sent(&self, ids: &[u64]) -> Result<(), StoreError> {
        let rows = &mut *self.0.rows.lock().unwrap();
        rows.notices.iter_mut().filter(|kept| ids.contains(&kept.id)).for_each(|kept| kept.sent = true);
        Ok(())
    }
}

impl Shelf for House {
    async fn put(
        &self,
        kind: ShelfKind,
        key: [u8; 32],
        owner: Option<AccountId>,
        value: &[u8],
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<bool, StoreError> {
        let rows = &mut *self.0.rows.lock().unwrap();
        let name = (kind.name(), key);
        if rows.shelf.get(&name).is_some_and(|item| now < item.expires) {
            return Ok(false);
        }
        rows.shelf.insert(name, ShelfItem { key, owner, value: value.to_vec(), version: 1, expires });
        Ok(true)
    }

    async fn get(&self, kind: ShelfKind, key: [u8; 32], now: Timestamp) -> Result<Option<ShelfItem>, StoreError> {
        let rows = self.0.rows.lock().unwrap();
        Ok(rows.shelf.get(&(kind.name(), key)).filter(|item| now < item.expires).cloned())
    }

    async fn swap(
        &self,
        kind: ShelfKind,
        key: [u8; 32],
        version: u64,
        value: &[u8],
        expires: Timestamp,
    ) -> Result<bool, StoreError> {
        let rows = &mut *self.0.rows.lock().unwrap();
        let Some(item) = rows.shelf.get_mut(&(kind.name(), key)).filter(|item| item.version == version) else {
            return Ok(false);
        };
        *item = ShelfItem { key, owner: item.owner, value: value.to_vec(), version: version + 1, expires };
        Ok(true)
    }

    async fn take(&self, kind: ShelfKind, key: [u8; 32], now: Timestamp) -> Result<Option<ShelfItem>, StoreError> {
        let taken = self.0.rows.lock().unwrap().shelf.remove(&(kind.name(), key));
        Ok(taken.filter(|item| now < item.expires))
    }

    async fn list(
        &self,
        kind: ShelfKind,
        owner: Option<AccountId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<ShelfItem>, StoreError> {
        let rows = self.0.rows.lock().unwrap();
        let of_kind = rows.shelf.iter().filter(|((name, _), _)| *name == kind.name()).map(|(_, item)| item);
        let wanted = of_kind.filter(|item| now < item.expires && (owner.is_none() || item.owner == owner));
        Ok(wanted.take(limit as usize).cloned().collect())
    }

    async fn remove_owner(&self, kind: ShelfKind, owner: AccountId) -> Result<u64, StoreError> {
        let rows = &mut *self.0.rows.lock().unwrap();
        let before = rows.shelf.len();
        rows.shelf.retain(|(name, _), item| *name != kind.name() || item.owner != Some(owner));
        Ok((before - rows.shelf.len()) as u64)
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, StoreError> {
        let rows = &mut *self.0.rows.lock().unwrap();
        let before = rows.shelf.len();
        rows.shelf.retain(|_, item| now < item.expires);
        Ok((before - rows.shelf.len()) as u64)
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

impl Ports for House {
    type Store = Self;
    type Secrets = Self;
    type Live = Self;
    type Outbox = Self;
    type Shelf = Self;

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

    fn shelf(&self) -> &Self {
        self
    }
}

/// Where every request of the tests comes from.
pub(crate) const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

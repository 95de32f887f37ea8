//! One account, one key, and the checks in the order of the door's own line.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use latchkey_admission::call::{Field, FoundBy, Listed, RawCall, RequestIds};
use latchkey_admission::limiter::{Limiter, Limits};
use latchkey_admission::live::{LiveAccount, LiveKey};
use latchkey_admission::ports::{Clock, Keys, OpenMaterial, Recorder};
use latchkey_admission::replay::{self, Replay};
use latchkey_admission::{CallRecord, Outcome, Permit, Rejection, Rules, Trail, check};
use latchkey_authority::account::{Account, Email, Kyc, Products, Sealed};
use latchkey_authority::ip::{IpForms, IpRestriction, IpRule};
use latchkey_authority::key::{Capabilities, KeyKind, KeyRecord, Material, make_key_id};
use latchkey_authority::label::Label;
use latchkey_authority::policy::{Policy, Profile, ReplayRule};
use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::sign::Signer;
use latchkey_crypto::verify::Verifier;
use latchkey_protocol::catalog::{Catalog, Endpoint};
use latchkey_protocol::{AccountId, ApiKey, KeyId, Permission, Timestamp, Value};

/// When every call arrives.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_230_000_000);
pub(crate) const OWNER: AccountId = AccountId(100_000_001);
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
/// The addresses that the key may be used from: one IPv4 address, and two of one IPv6 /64 beside one of another.
const LISTED: &str = "192.0.2.7,2001:db8::1,2001:db8::ffff:2,2001:db8:0:1::1";
/// The key's name and its secret.
const NAME: &str = "TestTestTestTestTestTestTestTestTestTestTestTestTestTestTest0001";

/// Limits that no test reaches; counted all the same.
const UNLIMITED: Policy = Policy {
    request_weight_per_minute: u32::MAX,
    raw_requests_per_5m: u32::MAX,
    sapi_ip_weight_per_minute: u32::MAX,
    sapi_uid_weight_per_minute: u32::MAX,
    ..Policy::of(Profile::Default)
};

struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

#[derive(Default)]
struct Kept(Mutex<Vec<CallRecord>>);

impl Recorder for Kept {
    fn record(&self, record: CallRecord) {
        self.0.lock().unwrap().push(record);
    }
}

struct Opener;

impl OpenMaterial for Opener {
    fn open(&self, _: AccountId, _: KeyId, _: &Material) -> Option<Verifier> {
        SecretKey::parse(NAME).ok().map(|secret| Verifier::hmac(&secret))
    }
}

struct One(Arc<LiveKey>);

impl Keys for One {
    fn find(&self, api_key: &ApiKey) -> Option<Arc<LiveKey>> {
        (*api_key == self.0.api_key).then(|| Arc::clone(&self.0))
    }
}

/// The line without its door and its venue.
pub(crate) struct House {
    catalog: Catalog,
    keys: One,
    account: Account,
    limiter: Limiter,
    replay: Replay,
    records: Arc<Kept>,
    ids: RequestIds,
    signer: Signer,
}

impl House {
    /// A key that may do everything that its kind may, whose calls may be repeated as `rule` says.
    pub(crate) fn with(kind: KeyKind, rule: ReplayRule, settings: replay::Settings) -> Self {
        let account = account();
        let live = Arc::new(LiveAccount::new(account.clone(), None));
        let key = LiveKey::new(&record(kind, rule), live, &UNLIMITED, NOW);
        Self {
            catalog: Catalog::builtin(),
            keys: One(Arc::new(key)),
            account,
            limiter: Limiter::new(Limits::from(&UNLIMITED)),
            replay: Replay::new(settings),
            records: Arc::default(),
            ids: RequestIds::new(7),
            signer: Signer::hmac(&SecretKey::parse(NAME).unwrap()),
        }
    }

    /// Parameters of a call that was signed `number` microseconds ago, with their signature.
    pub(crate) fn sealed(&self, parameters: &str, number: i64) -> String {
        let joint = if parameters.is_empty() { "" } else { "&" };
        let stamp = NOW.plus_micros(-number).as_micros();
        let payload = format!("{parameters}{joint}recvWindow=60000&timestamp={stamp}");
        let signature = self.signer.sign(&[payload.as_bytes()]).unwrap();
        format!("{payload}&signature={signature}")
    }

    /// The same house under the limits of `policy`.
    pub(crate) fn limited(self, policy: &Policy) -> Self {
        Self { limiter: Limiter::new(Limits::from(policy)), ..self }
    }

    /// From the bytes to the permit.
    pub(crate) fn admit(&self, row: &Endpoint, query: &str) -> (Result<Permit, Rejection>, Trail) {
        self.admit_from(PEER, row, query)
    }

    /// As [`Self::admit`], from one of the addresses that the key lists.
    pub(crate) fn admit_from(&self, peer: IpAddr, row: &Endpoint, query: &str) -> (Result<Permit, Rejection>, Trail) {
        let path = row.path.replace("{id}", "00000000-0000-0007-0000-00000000002a");
        let raw = RawCall {
            method: row.method.as_str(),
            path: &path,
            query: query.as_bytes(),
            body: b"",
            api_key: Field::One(NAME.as_bytes()),
            time_unit: Field::Absent,
            sbe: Field::Absent,
            headers: &Listed(&[]),
            peer,
            found_by: FoundBy::Socket,
        };
        let (recorder, clock) = (Arc::clone(&self.records) as _, Arc::new(StillClock) as _);
        let mut trail = Trail::open(recorder, clock, self.ids.next(), raw.source());
        let permit = self.check(&raw, &mut trail);
        (permit, trail)
    }

    /// From the bytes to the venue's hands, and its record.
    pub(crate) fn walk(&self, row: &Endpoint, query: &str) -> Result<(), Rejection> {
        let (permit, trail) = self.admit(row, query);
        let ended = permit.and_then(|permit| permit.hand_over(NOW)).map(drop);
        end(trail, ended.clone().err());
        ended
    }

    fn check(&self, raw: &RawCall<'_>, t: &mut Trail) -> Result<Permit, Rejection> {
        self.limiter.admit(raw.peer, raw.path, t.arrived())?;
        let routed = check::route(raw, &self.catalog, t)?;
        self.limiter.arrive(&routed, t)?;
        let shaped = check::shape(routed, &Rules::from(&UNLIMITED), t)?;
        let known = check::key(shaped, &self.keys, t)?;
        let placed = check::ip(known, t)?;
        let timely = check::timing(placed, &self.replay, t)?;
        let ready = self.limiter.budget(timely, t)?;
        let proven = check::signature(ready, &Opener, &self.replay, t);
        let proven = self.limiter.verified(proven, t)?;
        let granted = check::permission(proven)?;
        let whole = check::parameters(granted)?;
        let charged = self.limiter.charge(whole, t)?;
        Ok(check::replay(charged)?.permit(t.id(), t.arrived()))
    }

    /// Changes the account's facts, as a change of its record does.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Account)) {
        let mut account = self.account.clone();
        change(&mut account);
        self.keys.0.account.replace(account);
        self.keys.0.judge_again(&UNLIMITED, NOW);
    }

    /// The record of the call that ended last.
    pub(crate) fn last(&self) -> CallRecord {
        self.records.0.lock().unwrap().last().cloned().expect("a record")
    }
}

/// Ends a call: answered, unless it was refused.
pub(crate) fn end(trail: Trail, refused: Option<Rejection>) {
    trail.finish(refused.map_or_else(|| Outcome::Answered(Value::empty().into()), Outcome::Rejected));
}

fn account() -> Account {
    let opened = Some(NOW.plus_millis(-86_400_000));
    Account {
        kyc: Kyc::VerifiedPlus,
        vip: 9,
        deposited: true,
        products: Products { margin: opened, futures: opened, options: opened },
        totp: Some(Sealed(vec![0; 32])),
        ..Account::new(OWNER, Email::parse("alice@example.com").unwrap(), NOW.plus_millis(-86_400_000))
    }
}

fn record(kind: KeyKind, rule: ReplayRule) -> KeyRecord {
    let created = NOW.plus_millis(-3_600_000);
    KeyRecord {
        permissions: Permission::ALL.iter().copied().collect(),
        kind,
        capabilities: Capabilities { margin: true, futures: true, options: true, portfolio_margin: false },
        replay: Some(rule),
        ..KeyRecord::new(
            make_key_id(created, [1; 10]),
            OWNER,
            ApiKey::parse(NAME.as_bytes()).unwrap(),
            Label::parse("bot").unwrap(),
            Material::Hmac { sealed: Sealed(Vec::new()) },
            IpRestriction::Listed(IpRule::parse_list(LISTED, IpForms::Addresses, &UNLIMITED).unwrap()),
            created,
        )
    }
}

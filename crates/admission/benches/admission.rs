//! Admission alone: every check of the line on a hot key, from the bytes to the handed-over call, and beside it the
//! bare verification of the same payload.
//!
//! `cargo bench -p latchkey-admission`

#![expect(clippy::unwrap_used, reason = "what cannot be set up cannot be measured")]

use std::collections::hash_map::RandomState;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use latchkey_admission::call::{Field, FoundBy, Listed, RawCall, RequestIds};
use latchkey_admission::limiter::{Limiter, Limits};
use latchkey_admission::live::{LiveAccount, LiveKey};
use latchkey_admission::ports::{Clock, Keys, OpenMaterial, Recorder};
use latchkey_admission::replay::{self, Replay};
use latchkey_admission::{Call, CallRecord, Outcome, Permit, Rejection, Rules, Trail, check};
use latchkey_authority::account::{Account, Email, Kyc, Sealed};
use latchkey_authority::ip::{IpForms, IpRestriction, IpRule};
use latchkey_authority::key::{KeyRecord, Material, PublicMaterial, make_key_id};
use latchkey_authority::label::Label;
use latchkey_authority::policy::{Policy, Profile};
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::public_key::PublicKey;
use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::sign::{RsaSize, Signer};
use latchkey_crypto::verify::Verifier;
use latchkey_protocol::catalog::Catalog;
use latchkey_protocol::params::RawParams;
use latchkey_protocol::{AccountId, ApiKey, KeyId, Permission, PermissionSet, Timestamp, Value};

/// When every call arrives; the requests are signed 12 ms before.
const NOW: Timestamp = Timestamp::from_millis(1_795_230_000_000);
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

/// Reads the system's clock, as a server does, and answers a fixed time, so that the requests stay fresh.
struct BenchClock;

impl Clock for BenchClock {
    #[expect(clippy::disallowed_methods, reason = "what the reading costs belongs to the measurement")]
    fn now(&self) -> Timestamp {
        black_box(std::time::SystemTime::now());
        NOW
    }
}

#[derive(Default)]
struct Counting(AtomicU64);

impl Recorder for Counting {
    fn record(&self, record: CallRecord) {
        self.0.fetch_add(u64::from(record.proven), Ordering::Relaxed);
    }
}

struct Map(papaya::HashMap<ApiKey, Arc<LiveKey>, RandomState>);

impl Keys for Map {
    fn find(&self, api_key: &ApiKey) -> Option<Arc<LiveKey>> {
        self.0.pin().get(api_key).map(Arc::clone)
    }
}

/// Reads public keys; the one secret lies open here, because no more than its first use would be sealed.
struct Opener;

impl OpenMaterial for Opener {
    fn open(&self, _: AccountId, _: KeyId, material: &Material) -> Option<Verifier> {
        match material {
            Material::Hmac { .. } => SecretKey::parse(SECRET).ok().map(|secret| Verifier::hmac(&secret)),
            Material::Rsa(public) | Material::Ed25519(public) => {
                PublicKey::from_der(&public.der).ok().map(|key| Verifier::public(&key))
            }
        }
    }
}

/// Limits that the bench does not reach; counted all the same.
const UNLIMITED: Policy =
    Policy { request_weight_per_minute: u32::MAX, raw_requests_per_5m: u32::MAX, ..Policy::of(Profile::Default) };

/// The line without its door and its venue.
struct House {
    catalog: Catalog,
    keys: Map,
    rules: Rules,
    limiter: Limiter,
    replay: Replay,
    recorder: Arc<Counting>,
    clock: Arc<BenchClock>,
    ids: RequestIds,
}

impl House {
    fn with(keys: impl IntoIterator<Item = LiveKey>) -> Self {
        let map = Map(papaya::HashMap::new());
        for key in keys {
            map.0.pin().insert(key.api_key, Arc::new(key));
        }
        Self {
            catalog: Catalog::builtin(),
            keys: map,
            rules: Rules::from(&Policy::default()),
            limiter: Limiter::new(Limits::from(&UNLIMITED)),
            replay: Replay::new(replay::Settings::default()),
            recorder: Arc::default(),
            clock: Arc::new(BenchClock),
            ids: RequestIds::new(7),
        }
    }

    /// From the bytes to the call in the venue's hands, and its record.
    fn walk(&self, raw: &RawCall<'_>) -> Result<Call, Rejection> {
        let mut trail =
            Trail::open(Arc::clone(&self.recorder) as _, Arc::clone(&self.clock) as _, self.ids.next(), raw.source());
        let call = self.admit(raw, &mut trail)?.hand_over(self.clock.now())?;
        trail.submitted();
        trail.finish(Outcome::Answered(Value::empty().into()));
        Ok(call)
    }

    /// The checks in the order of the door's own line.
    fn admit(&self, raw: &RawCall<'_>, t: &mut Trail) -> Result<Permit, Rejection> {
        self.limiter.admit(raw.peer, raw.path, t.arrived())?;
        let routed = check::route(raw, &self.catalog, t)?;
        self.limiter.arrive(&routed, t)?;
        let shaped = check::shape(routed, &self.rules, t)?;
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
}

fn account() -> Account {
    Account {
        kyc: Kyc::VerifiedPlus,
        vip: 9,
        deposited: true,
        totp: Some(Sealed(vec![0; 32])),
        ..Account::new(AccountId(354_937_868), Email::parse("alice@example.com").unwrap(), NOW.plus_millis(-86_400_000))
    }
}

fn live_key(number: u8, api_key: ApiKey, signer: &Signer, owner: &Arc<LiveAccount>) -> LiveKey {
    let public = || {
        let key = signer.public_key().unwrap();
        PublicMaterial { der: key.to_der(), fingerprint: key.fingerprint(), shared: false }
    };
    let policy = Policy::default();
    let created = NOW.plus_millis(-3_600_000);
    let rules = IpRule::parse_list("192.0.2.7, 198.51.100.4", IpForms::Addresses, &policy).unwrap();
    let record = KeyRecord {
        permissions: PermissionSet::READING.with(Permission::SpotAndMarginTrading),
        ..KeyRecord::new(
            make_key_id(created, [number; 10]),
            owner.id,
            api_key,
            Label::parse("bot").unwrap(),
            match signer.key_type() {
                KeyType::Hmac => Material::Hmac { sealed: Sealed(Vec::new()) },
                KeyType::Rsa => Material::Rsa(public()),
                KeyType::Ed25519 => Material::Ed25519(public()),
            },
            IpRestriction::Listed(rules),
            created,
        )
    };
    LiveKey::new(&record, Arc::clone(owner), &policy, NOW)
}

/// A query string with its signature at the end, percent-encoded as clients send it.
fn signed(signer: &Signer, payload: &str) -> String {
    let signature = signer.sign(&[payload.as_bytes()]).unwrap();
    let encoded = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("{payload}&signature={encoded}")
}

fn admission(criterion: &mut Criterion) {
    let owner = Arc::new(LiveAccount::new(account(), None));
    let mut entropy = |bytes: &mut [u8]| bytes.fill(42);
    let signers = [
        ("HMAC", Signer::hmac(&SecretKey::parse(SECRET).unwrap())),
        ("Ed25519", Signer::generate_ed25519(&mut entropy)),
        ("RSA-2048", Signer::generate_rsa(RsaSize::Bits2048).unwrap()),
    ];
    let api_key = |number: usize| ApiKey::parse(format!("{number:064}").as_bytes()).unwrap();
    let house = House::with(
        (0_u8..).zip(&signers).map(|(number, (_, signer))| live_key(number, api_key(number.into()), signer, &owner)),
    );
    let sent = NOW.plus_millis(-12).as_micros() / 1000;
    let calls = [
        ("query", "GET", "/api/v3/account", format!("omitZeroBalances=true&recvWindow=5000&timestamp={sent}")),
        (
            "order",
            "POST",
            "/api/v3/order",
            format!(
                "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.00100000&price=49000.00&recvWindow=5000&timestamp={sent}"
            ),
        ),
    ];
    for (number, (kind, signer)) in signers.iter().enumerate() {
        let api_key = api_key(number);
        let verifier = house.keys.find(&api_key).unwrap();
        let verifier = verifier.verifier(&Opener).unwrap();
        let mut group = criterion.benchmark_group(*kind);
        for (what, method, path, payload) in &calls {
            let query = signed(signer, payload);
            let raw = RawCall {
                method,
                path,
                query: query.as_bytes(),
                body: b"",
                api_key: Field::One(api_key.as_str().as_bytes()),
                time_unit: Field::Absent,
                sbe: Field::Absent,
                headers: &Listed(&[]),
                peer: PEER,
                found_by: FoundBy::Socket,
            };
            assert!(house.walk(&raw).is_ok(), "the {kind} {what} is refused");
            group.bench_function(format!("{what}, all checks"), |bencher| {
                bencher.iter(|| black_box(house.walk(black_box(&raw))));
            });
            let params = RawParams::split(raw.query, raw.body).unwrap();
            let text = signer.sign(&[payload.as_bytes()]).unwrap();
            let signature = verifier.decode(text.as_bytes()).unwrap();
            group.bench_function(format!("{what}, verification alone"), |bencher| {
                bencher.iter(|| verifier.verify(black_box(params.payload()), black_box(&signature)).unwrap());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, admission);
criterion_main!(benches);

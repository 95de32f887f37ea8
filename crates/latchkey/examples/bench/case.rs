//! The cases: which request, signed by which key, on which floor, against which target.

use std::hint::black_box;
use std::ops::Range;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::sign::{RsaSize, Signer};
use latchkey_crypto::verify::Verifier;

use crate::floor::Floor;
use crate::load::Bytes;

/// A kind of request under measurement.
pub(crate) struct Case {
    /// What the table says.
    pub(crate) name: &'static str,
    /// What the server must do at least, besides the verification.
    pub(crate) floor: Floor,
    /// The most that the server should take, as a multiple of floor and verification; `None` where no target is set.
    pub(crate) target: Option<f64>,
    key: Type,
    call: fn(usize) -> Call,
}

/// Which key signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Type {
    Hmac,
    Ed25519,
    Rsa,
}

pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) parameters: String,
}

pub(crate) const CASES: [Case; 9] = [
    Case {
        name: "HMAC query, no market data (`GET /sapi/v1/account/status`)",
        floor: Floor::Http,
        target: Some(1.3),
        key: Type::Hmac,
        call: status,
    },
    Case {
        name: "HMAC query (`GET /api/v3/order`)",
        floor: Floor::Http,
        target: Some(1.3),
        key: Type::Hmac,
        call: one_order,
    },
    Case {
        name: "HMAC query (`GET /api/v3/account`)",
        floor: Floor::Http,
        target: Some(1.3),
        key: Type::Hmac,
        call: account,
    },
    Case {
        name: "Ed25519 query (`GET /api/v3/order`)",
        floor: Floor::Http,
        target: None,
        key: Type::Ed25519,
        call: one_order,
    },
    Case {
        name: "RSA-2048 query (`GET /api/v3/order`)",
        floor: Floor::Http,
        target: None,
        key: Type::Rsa,
        call: one_order,
    },
    Case { name: "HMAC order", floor: Floor::Order, target: Some(1.3), key: Type::Hmac, call: order },
    Case {
        name: "HMAC order that rests, and its cancel",
        floor: Floor::Order,
        target: Some(1.3),
        key: Type::Hmac,
        call: order_and_cancel,
    },
    Case { name: "Ed25519 order", floor: Floor::Order, target: Some(1.25), key: Type::Ed25519, call: order },
    Case { name: "RSA-2048 order", floor: Floor::Order, target: Some(1.25), key: Type::Rsa, call: order },
];

/// A query that the server answers in place.
pub(crate) fn status(_: usize) -> Call {
    Call { method: "GET", path: "/sapi/v1/account/status", parameters: String::new() }
}

pub(crate) fn account(_: usize) -> Call {
    Call { method: "GET", path: "/api/v3/account", parameters: "omitZeroBalances=true&".into() }
}

/// Asks for the order that the load's first request leaves open.
fn one_order(_: usize) -> Call {
    Call { method: "GET", path: "/api/v3/order", parameters: format!("symbol=BTCUSDT&origClientOrderId={STANDING}&") }
}

/// An order that finds nobody on the other side and ends at once, so that any number of them fits the limits.
fn order(_: usize) -> Call {
    let parameters = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.00100000&price=49000.00&";
    Call { method: "POST", path: "/api/v3/order", parameters: parameters.into() }
}

/// An order with an even number rests; the odd number after it cancels it.
fn order_and_cancel(number: usize) -> Call {
    let path = "/api/v3/order";
    if number.is_multiple_of(2) {
        Call { method: "POST", path, parameters: resting(&format!("bench-{number}")) }
    } else {
        let parameters = format!("symbol=BTCUSDT&origClientOrderId=bench-{}&", number - 1);
        Call { method: "DELETE", path, parameters }
    }
}

fn resting(name: &str) -> String {
    format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.00100000&price=49000.00&newClientOrderId={name}&"
    )
}

/// The client's name of the order that stays open.
const STANDING: &str = "bench-standing";

impl Case {
    /// The requests of these numbers, signed now.
    pub(crate) fn requests(&self, keys: &Keys, numbers: Range<usize>) -> Result<Vec<Bytes>> {
        let start = micros();
        let key = keys.of(self.key);
        numbers.zip(start..).map(|(number, now)| key.request(&(self.call)(number), now)).collect()
    }

    /// What the bare verification of one of the requests takes, in nanoseconds: the median of short stretches, so that
    /// one in which another program had the processor does not count.
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    pub(crate) fn verification_ns(&self, keys: &Keys) -> Result<f64> {
        const STRETCHES: usize = 201;
        const TIMES: u32 = 10;
        let key = keys.of(self.key);
        let payload = Key::payload(&(self.call)(0), micros());
        let signature = key.verifier.decode(key.signer.sign(&[payload.as_bytes()])?.as_bytes())?;
        let mut stretches = Vec::with_capacity(STRETCHES);
        for _ in 0..STRETCHES {
            let start = Instant::now();
            for _ in 0..TIMES {
                key.verifier.verify(black_box(&[payload.as_bytes()]), black_box(&signature))?;
            }
            stretches.push(start.elapsed() / TIMES);
        }
        stretches.sort_unstable();
        let median = stretches.get(STRETCHES / 2).context("nothing was measured")?;
        Ok(median.as_nanos() as f64)
    }
}

/// The keys of the world's one account.
pub(crate) struct Keys {
    pub(crate) hmac: Key,
    pub(crate) ed25519: Key,
    pub(crate) rsa: Key,
}

pub(crate) struct Key {
    pub(crate) api_key: String,
    signer: Signer,
    verifier: Verifier,
}

/// 64 characters, as a secret is.
const SECRET: &str = "benchBENCHbenchBENCHbenchBENCHbenchBENCHbenchBENCHbenchBENCH0123";

impl Keys {
    pub(crate) fn make() -> Result<Self> {
        let secret = SecretKey::parse(SECRET)?;
        let (hmac, api_key) = (Signer::hmac(&secret), |first: &str| format!("{first:0<64}"));
        let pair = |signer: Signer, name| {
            let public = signer.public_key().context("a pair has a public half")?;
            anyhow::Ok(Key { api_key: api_key(name), verifier: Verifier::public(&public), signer })
        };
        let mut seed = |bytes: &mut [u8]| bytes.fill(42);
        Ok(Self {
            hmac: Key { api_key: api_key("hmac"), signer: hmac, verifier: Verifier::hmac(&secret) },
            ed25519: pair(Signer::generate_ed25519(&mut seed), "ed25519")?,
            rsa: pair(Signer::generate_rsa(RsaSize::Bits2048)?, "rsa")?,
        })
    }

    fn of(&self, key: Type) -> &Key {
        match key {
            Type::Hmac => &self.hmac,
            Type::Ed25519 => &self.ed25519,
            Type::Rsa => &self.rsa,
        }
    }

    /// The request that leaves the order of [`one_order`] open.
    pub(crate) fn standing_order(&self) -> Result<Bytes> {
        let call = Call { method: "POST", path: "/api/v3/order", parameters: resting(STANDING) };
        self.hmac.request(&call, micros())
    }

    /// The world file: one account, a key of each type that may be used from `ips`, request limits out of the way, and a
    /// market that rests. `policy` is added to the policy, a line a field.
    pub(crate) fn world(&self, ips: &str, policy: &str) -> String {
        let mut world = String::from(
            r#"[[account]]
email = "bench@example.com"
password = "correct horse battery staple"
totp = "JBSWY3DPEHPK3PXP"
kyc = "verified-plus"
vip = 9
deposited = true
spot = { USDT = "100000000", BTC = "1000" }
"#,
        );
        for (name, key) in [("hmac", &self.hmac), ("ed25519", &self.ed25519), ("rsa", &self.rsa)] {
            let proof = match key.signer.public_key() {
                None => format!("secret_key = \"{SECRET}\""),
                Some(public) => format!("public_key = \"\"\"\n{}\"\"\"", public.to_pem()),
            };
            world.push_str(&format!(
                r#"
[[account.key]]
label = "{name}"
type = "{name}"
permissions = ["reading", "spot-and-margin-trading"]
ips = ["{ips}"]
api_key = "{}"
{proof}
"#,
                key.api_key
            ));
        }
        world.push_str(
            r#"
[policy]
request_weight_per_minute = 1000000000
raw_requests_per_5m = 1000000000
connections_per_5m = 0
orders_per_10s = 1000000000
orders_per_day = 1000000000
sapi_ip_weight_per_minute = 1000000000
"#,
        );
        world.push_str(policy);
        world.push_str("\n[market]\nflow = \"none\"\n");
        world
    }
}

impl Key {
    fn payload(call: &Call, now: u64) -> String {
        format!("{}recvWindow=60000&timestamp={now}", call.parameters)
    }

    /// The call's signature as the wire carries it.
    pub(crate) fn sign(&self, call: &Call, now: u64) -> Result<String> {
        Ok(self.signer.sign(&[Self::payload(call, now).as_bytes()])?)
    }

    /// The call as it goes over the wire, signed at `now`, in microseconds.
    pub(crate) fn request(&self, call: &Call, now: u64) -> Result<Bytes> {
        Ok(self.request_with(call, now, &self.sign(call, now)?))
    }

    /// The same with a given signature, right or wrong.
    pub(crate) fn request_with(&self, call: &Call, now: u64, signature: &str) -> Bytes {
        let payload = Self::payload(call, now);
        let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let length = if call.method == "GET" { "" } else { "Content-Length: 0\r\n" };
        let request = format!(
            "{} {}?{payload}&signature={signature} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n\
             Accept: */*\r\nX-MBX-APIKEY: {}\r\n{length}\r\n",
            call.method, call.path, self.api_key
        );
        Bytes::from(request.into_bytes())
    }
}

/// The wall clock, in microseconds.
#[expect(clippy::disallowed_methods, reason = "a client stamps its requests")]
pub(crate) fn micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

use super::rehearsal::Rehearsal;
use super::*;
use crate::credentials::{Credential, KeyCredential};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use latchkey_authority::account::{Account, Sealed};
use latchkey_authority::key::KeyRecord;
use latchkey_authority::memory::InMemory;
use latchkey_authority::ports::{SealBroken, SealFor, Secrets};
use latchkey_authority::service::Authority;
use latchkey_crypto::digest::sha256;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

mod made;
mod refused;

/// 2026-11-01T00:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_793_491_200_000);

/// Seals nothing; draws from a counter.
#[derive(Default)]
struct Plain(AtomicU64);

impl Secrets for Plain {
    fn seal(&self, _: SealFor, secret: &[u8]) -> Sealed {
        Sealed(secret.to_vec())
    }

    fn open(&self, _: SealFor, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealBroken> {
        Ok(Zeroizing::new(sealed.0.clone()))
    }

    fn random(&self, bytes: &mut [u8]) {
        let seed = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let stream = (0_u8..).flat_map(|block| sha256(&[&seed[..], &[block]].concat()));
        bytes.iter_mut().zip(stream).for_each(|(byte, drawn)| *byte = drawn);
    }
}

/// Runs a future whose ports answer at once.
fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a port waited"),
    }
}

fn parse(text: &str) -> Result<World, Problem> {
    World::parse(text, Path::new("w.toml"))
}

/// Populates an empty house and hands it to `look`, together with what was made or why nothing was.
fn populated<T>(
    world: &World,
    dir: &Path,
    look: impl FnOnce(&Authority<Rehearsal<'_, Plain>>, Result<Vec<Credential>, WorldError>) -> T,
) -> T {
    let secrets = Plain::default();
    let authority = Authority::new(Rehearsal::new(&secrets), world.policy());
    let made = now_or_never(populate(&authority, world, NOW, dir));
    look(&authority, made)
}

/// Everything that was made, accounts and keys in the order of their ids.
fn stored(authority: &Authority<Rehearsal<'_, Plain>>) -> (Vec<Account>, Vec<KeyRecord>) {
    let records = authority.ports().records();
    (records.accounts.values().cloned().collect(), records.keys.values().cloned().collect())
}

fn keys(made: &[Credential]) -> Vec<&KeyCredential> {
    made.iter()
        .filter_map(|made| match made {
            Credential::Key(key) => Some(key),
            _ => None,
        })
        .collect()
}

/// An account of which every rule is content, with one key. Special keys may be added.
const ALICE: &str = r#"[[account]]
email = "alice@example.com"
totp = "JBSWY3DPEHPK3PXP"
kyc = "verified-plus"
vip = 9
deposited = true
products = ["margin"]
terms = ["margin-special-key"]
spot = { USDT = "1000" }
cross = { USDT = "500" }
isolated.BTCUSDT = { USDT = "100" }

[[account.key]]
label = "bot"
type = "hmac"
permissions = ["reading", "spot-and-margin-trading"]
ips = ["127.0.0.1"]
"#;

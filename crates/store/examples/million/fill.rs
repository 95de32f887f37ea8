//! Fills a store: accounts of 25 keys each, of every ten keys two HMAC, four RSA and four Ed25519.

use std::path::Path;

use latchkey_authority::account::{Account, Email, Kyc, Sealed};
use latchkey_authority::change::Actor;
use latchkey_authority::ip::{IpForms, IpRestriction, IpRule};
use latchkey_authority::key::{KeyRecord, Material, PublicMaterial, make_key_id};
use latchkey_authority::label::Label;
use latchkey_authority::policy::Policy;
use latchkey_authority::ports::{Purpose, SealFor, Secrets as _};
use latchkey_crypto::digest::sha256;
use latchkey_crypto::entropy::draw;
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::secret::{SecretKey, generate_key_text};
use latchkey_crypto::sign::{RsaSize, Signer};
use latchkey_protocol::{AccountId, ApiKey, Permission, PermissionSet, Timestamp};
use latchkey_store::random;
use latchkey_store::secrets::{Vault, key_file};
use latchkey_store::sqlite::import::Import;
use latchkey_store::sqlite::{SqliteSettings, SqliteStore};

use crate::{Outcome, now, show};

/// When every key was made.
const MADE: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// Keys of one account.
const KEYS_EACH: u64 = 25;
/// Keys of one transaction.
const BATCH: u64 = 5_000;
/// Where the modulus of a 2048-bit key lies in its `SubjectPublicKeyInfo`, but for its first 16 and last bytes.
const MODULUS: std::ops::Range<usize> = 49..288;

/// Makes the store of `count` keys in `folder`.
pub(crate) async fn fill(folder: &Path, count: u64) -> Outcome<()> {
    let start = now();
    let store = SqliteStore::open(&SqliteSettings::new(&folder.join("latchkey.db"), &mut random::fill)).await?;
    let wrapping = key_file::read_or_create(&folder.join("encryption.key"), &mut random::fill)?;
    let vault = Vault::unlock(&store, &wrapping).await?;
    let rsa = Signer::generate_rsa(RsaSize::Bits2048)?.public_key().ok_or("RSA keys have a public half")?.to_der();
    let mut done = 0;
    while done < count {
        let batch = BATCH.min(count - done);
        let first = done / KEYS_EACH;
        let accounts = first..first + batch.div_ceil(KEYS_EACH);
        let keys = (done..done + batch).map(|number| key(&vault, &rsa, number)).collect::<Outcome<_>>()?;
        let accounts = accounts.map(account).collect::<Outcome<_>>()?;
        store.import(Import { accounts, keys, who: Actor::System, from: None, at: MADE }).await?;
        done += batch;
    }
    store.close().await?;
    show(&format!("{count} keys imported in {:.1} s", start.elapsed().as_secs_f64()));
    Ok(())
}

fn owner(number: u64) -> Outcome<AccountId> {
    Ok(AccountId(100_000_001 + i64::try_from(number)?))
}

fn account(number: u64) -> Outcome<Account> {
    Ok(Account {
        kyc: Kyc::VerifiedPlus,
        deposited: true,
        totp: Some(Sealed(vec![0; 64])),
        ..Account::new(owner(number)?, Email::parse(&format!("owner{number}@example.com"))?, MADE)
    })
}

fn key(vault: &Vault, rsa: &[u8], number: u64) -> Outcome<KeyRecord> {
    let (id, account) = (make_key_id(MADE, draw(&mut random::fill)), owner(number / KEYS_EACH)?);
    let material = match number % 10 {
        0 | 1 => {
            let what = SealFor { purpose: Purpose::HmacSecret, account, key: Some((id, KeyType::Hmac)) };
            let secret = SecretKey::generate(&mut random::fill);
            Material::Hmac { sealed: vault.seal(what, secret.expose().as_bytes()) }
        }
        2..=5 => {
            let mut der = rsa.to_vec();
            random::fill(der.get_mut(MODULUS).ok_or("another shape of RSA key")?);
            Material::Rsa(public(der))
        }
        _ => {
            let signer = Signer::generate_ed25519(&mut random::fill);
            Material::Ed25519(public(signer.public_key().ok_or("Ed25519 keys have a public half")?.to_der()))
        }
    };
    let rules = IpRule::parse_list("192.0.2.7 198.51.100.0/24", IpForms::AddressesAndNetworks, &Policy::default())?;
    Ok(KeyRecord {
        permissions: PermissionSet::READING.with(Permission::SpotAndMarginTrading),
        ..KeyRecord::new(
            id,
            account,
            ApiKey::parse(generate_key_text(&mut random::fill).as_bytes()).ok_or("no API key")?,
            Label::parse(&format!("bot {number}"))?,
            material,
            IpRestriction::Listed(rules),
            MADE,
        )
    })
}

fn public(der: Vec<u8>) -> PublicMaterial {
    let fingerprint = sha256(&der);
    PublicMaterial { der, fingerprint, shared: false }
}

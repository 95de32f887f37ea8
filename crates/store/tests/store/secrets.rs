use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use latchkey_admission::ports::OpenMaterial;
use latchkey_authority::key::{Material, PublicMaterial};
use latchkey_authority::ports::{Purpose, SealFor, Secrets as _, Store as _};
use latchkey_crypto::digest::sha256;
use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::seal::wrap::WrappingKey;
use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::sign::Signer;
use latchkey_protocol::{AccountId, KeyId};
use latchkey_store::random;
use latchkey_store::secrets::key_file::{self, KeyFileError};
use latchkey_store::secrets::{UnlockError, Vault};

use crate::records::{account, change, key, open, with_account, with_key};

const FOR_KEY: SealFor =
    SealFor { purpose: Purpose::HmacSecret, account: AccountId(1), key: Some((KeyId(7), KeyType::Hmac)) };
const FOR_CODES: SealFor = SealFor { purpose: Purpose::TotpSeed, account: AccountId(1), key: None };

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let digit = |six: &[u8]| char::from(ALPHABET[six.iter().fold(0, |sum, bit| sum * 2 + usize::from(*bit))]);
    bits.chunks_exact(6).map(digit).collect()
}

/// The ways in which a secret might lie in a file: as it is, in hex of both cases, in base64 at every alignment.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let aligned = (0..3).map(|skip| base64(&secret[skip..]).into_bytes());
    let mut all: Vec<_> = aligned.collect();
    all.extend([secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()]);
    all
}

fn found(folder: &Path, secret: &[u8]) -> bool {
    let spellings = spellings(secret);
    fs::read_dir(folder).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        spellings.iter().any(|spelling| bytes.windows(spelling.len()).any(|window| window == spelling.as_slice()))
    })
}

#[tokio::test]
async fn a_planted_secret_is_in_no_file_of_the_store() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    let store = open(scratch.path()).await;
    let wrapping = WrappingKey::generate(&mut random::fill);
    let vault = Vault::unlock(&store, &wrapping).await.unwrap();
    let secret = SecretKey::generate(&mut random::fill);
    let seed = *b"a planted seed of twenty";

    let mut record = key(7, 1);
    record.material = Material::Hmac { sealed: vault.seal(FOR_KEY, secret.expose().as_bytes()) };
    let mut owner = account(1);
    owner.totp = Some(vault.seal(FOR_CODES, &seed));
    store.commit(with_key(with_account(change(1), owner, None), record, None)).await.unwrap();

    let wrapped = wrapping.expose_text();
    let kek: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&wrapped[at * 2..at * 2 + 2], 16).unwrap()).collect();
    // With the log beside the database, then with all of it written into the database.
    assert!(data.join("latchkey.db-wal").exists());
    for _ in 0..2 {
        assert!(!found(&data, secret.expose().as_bytes()));
        assert!(!found(&data, &seed) && !found(&data, &kek));
        assert!(found(&data, b"user1@example.com"), "the search finds what is there");
        open(scratch.path()).await.close().await.unwrap();
    }
    store.close().await.unwrap();
    assert!(!found(&data, secret.expose().as_bytes()));

    // And yet it verifies after a restart.
    let store = open(scratch.path()).await;
    let vault = Vault::unlock(&store, &wrapping).await.unwrap();
    let loaded = store.load(AccountId(1)).await.unwrap().unwrap();
    let verifier = OpenMaterial::open(&vault, AccountId(1), KeyId(7), &loaded.keys[0].material).unwrap();
    let signature = Signer::hmac(&secret).sign(&[b"payload"]).unwrap();
    verifier.verify(&[b"payload"], &verifier.decode(signature.as_bytes()).unwrap()).unwrap();
    let opened = vault.open(FOR_CODES, &loaded.account.totp.unwrap()).unwrap();
    assert_eq!(opened.expose(), seed);
}

#[tokio::test]
async fn a_wrong_key_does_not_open_the_store() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let right = WrappingKey::generate(&mut random::fill);
    Vault::unlock(&store, &right).await.unwrap();
    let wrong = Vault::unlock(&store, &WrappingKey::generate(&mut random::fill)).await;
    assert!(matches!(wrong, Err(UnlockError::WrongKey)));
    Vault::unlock(&store, &right).await.unwrap();
}

#[tokio::test]
async fn a_used_store_without_root_keys_gets_no_new_ones() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    store.commit(with_account(change(1), account(1), None)).await.unwrap();
    let unlocked = Vault::unlock(&store, &WrappingKey::generate(&mut random::fill)).await;
    assert!(matches!(unlocked, Err(UnlockError::Missing)));
}

#[tokio::test]
async fn a_sealed_secret_opens_only_in_its_own_place() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let wrapping = WrappingKey::generate(&mut random::fill);
    let vault = Vault::unlock(&store, &wrapping).await.unwrap();
    let secret = SecretKey::generate(&mut random::fill);
    let sealed = vault.seal(FOR_KEY, secret.expose().as_bytes());
    assert!(vault.open(FOR_KEY, &sealed).is_ok());
    for other in [
        SealFor { account: AccountId(2), ..FOR_KEY },
        SealFor { key: Some((KeyId(8), KeyType::Hmac)), ..FOR_KEY },
        SealFor { key: None, ..FOR_KEY },
        SealFor { purpose: Purpose::TotpSeed, ..FOR_KEY },
    ] {
        assert!(vault.open(other, &sealed).is_err(), "{other:?}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let other = open(elsewhere.path()).await;
    let other = Vault::unlock(&other, &wrapping).await.unwrap();
    assert!(other.open(FOR_KEY, &sealed).is_err(), "another store under the same key");
    let material = Material::Hmac { sealed };
    assert!(OpenMaterial::open(&vault, AccountId(1), KeyId(7), &material).is_some());
    assert!(OpenMaterial::open(&vault, AccountId(1), KeyId(9), &material).is_none());
}

#[tokio::test]
async fn public_keys_become_verifiers_of_their_own_type() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path()).await;
    let vault = Vault::unlock(&store, &WrappingKey::generate(&mut random::fill)).await.unwrap();
    let signer = Signer::generate_ed25519(&mut random::fill);
    let der = signer.public_key().unwrap().to_der();
    let public = PublicMaterial { fingerprint: sha256(&der), der, shared: false };
    let open = |material| OpenMaterial::open(&vault, AccountId(1), KeyId(7), &material);
    let verifier = open(Material::Ed25519(public.clone())).unwrap();
    let signature = signer.sign(&[b"payload"]).unwrap();
    verifier.verify(&[b"payload"], &verifier.decode(signature.as_bytes()).unwrap()).unwrap();
    assert!(open(Material::Rsa(public.clone())).is_none(), "the record lies about the type");
    assert!(open(Material::Ed25519(PublicMaterial { der: vec![1, 2, 3], ..public })).is_none());
}

#[test]
fn key_files_are_made_private_and_read_back() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("key");
    assert!(matches!(key_file::read(&path), Err(KeyFileError::Missing { .. })));
    let made = key_file::read_or_create(&path, &mut random::fill).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let read = key_file::read_or_create(&path, &mut random::fill).unwrap();
    assert_eq!(*made.expose_text(), *read.expose_text());
    assert!(key_file::create(&path, &mut random::fill).is_err(), "a key file is never overwritten");
    assert_eq!(*key_file::read(&path).unwrap().expose_text(), *made.expose_text());
}

#[test]
fn key_files_that_others_can_open_or_that_hold_something_else_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("key");
    key_file::create(&path, &mut random::fill).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = key_file::read(&path).err().unwrap();
        assert!(error.to_string().contains(&format!("{mode:04o}")), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for content in ["", "abc", &"0".repeat(63), &"g".repeat(64), &"0".repeat(2000)] {
        fs::write(&path, content).unwrap();
        assert!(matches!(key_file::read(&path), Err(KeyFileError::Content { .. })), "{content}");
    }
}

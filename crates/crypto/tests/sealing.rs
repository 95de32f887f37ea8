//! What sealed data withstands, and the exact bytes of its format.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::seal::wrap::{WrappingKey, WrappingKeyError};
use latchkey_crypto::seal::{Keyring, KeyringError, RootKey, SealContext, SealError, root_key_version};
use proptest::prelude::*;

const CONTEXT: SealContext<'static> = SealContext {
    store_id: b"store-1",
    purpose: "hmac-secret",
    account: 4711,
    key_id: &[9; 16],
    key_type: Some(KeyType::Hmac),
};

fn counting() -> impl FnMut(&mut [u8]) {
    let mut next = 0u8;
    move |bytes: &mut [u8]| {
        for byte in bytes {
            *byte = next;
            next = next.wrapping_add(1);
        }
    }
}

fn keyring(versions: &[u8]) -> Keyring {
    Keyring::new(versions.iter().map(|v| RootKey::new(u32::from(*v), &[*v; 32])).collect()).unwrap()
}

/// The format is a promise to stores already written: this blob was computed by another program.
#[test]
fn format_1_byte_for_byte() {
    let blob = keyring(&[1, 2]).seal(&CONTEXT, b"plaintext", &mut counting());
    assert_eq!(const_hex::encode(&blob), include_str!("../testdata/sealed-1.txt").trim_end());
    assert_eq!(blob.len(), b"plaintext".len() + 57);
    assert_eq!(keyring(&[1, 2]).open(&CONTEXT, &blob).unwrap().expose(), b"plaintext");
}

#[test]
fn each_salt_is_fresh() {
    let (ring, mut entropy) = (keyring(&[1]), counting());
    let (one, two) = (ring.seal(&CONTEXT, b"x", &mut entropy), ring.seal(&CONTEXT, b"x", &mut entropy));
    assert_ne!(one[9..41], two[9..41]);
    assert_ne!(one[41..], two[41..]);
}

#[test]
fn any_other_place_is_refused() {
    let ring = keyring(&[1]);
    let blob = ring.seal(&CONTEXT, b"secret", &mut counting());
    for other in [
        SealContext { store_id: b"store-2", ..CONTEXT },
        SealContext { store_id: b"store-", ..CONTEXT },
        SealContext { purpose: "totp-seed", ..CONTEXT },
        SealContext { purpose: "", ..CONTEXT },
        SealContext { account: 4712, ..CONTEXT },
        SealContext { account: -4711, ..CONTEXT },
        SealContext { key_id: &[9; 15], ..CONTEXT },
        SealContext { key_id: &[], ..CONTEXT },
        SealContext { key_type: Some(KeyType::Rsa), ..CONTEXT },
        SealContext { key_type: None, ..CONTEXT },
        // The same bytes with the boundary between two fields moved.
        SealContext { store_id: b"store-1h", purpose: "mac-secret", ..CONTEXT },
    ] {
        assert_eq!(ring.open(&other, &blob).err(), Some(SealError::Refused), "{other:?}");
    }
}

#[test]
fn any_cut_or_longer_blob_is_refused() {
    let ring = keyring(&[1]);
    let mut blob = ring.seal(&CONTEXT, b"secret", &mut counting());
    for length in 0..blob.len() {
        assert!(ring.open(&CONTEXT, &blob[..length]).is_err(), "{length}");
    }
    blob.push(0);
    assert_eq!(ring.open(&CONTEXT, &blob).err(), Some(SealError::Refused));
}

#[test]
fn other_kinds_newer_formats_and_unknown_keys_are_named() {
    let ring = keyring(&[1, 7]);
    let blob = ring.seal(&CONTEXT, b"secret", &mut counting());
    assert_eq!(root_key_version(&blob), Ok(7));
    let with = |at: usize, byte: u8| {
        let mut blob = blob.clone();
        blob[at] = byte;
        ring.open(&CONTEXT, &blob).err()
    };
    assert_eq!(with(0, b'X'), Some(SealError::NotSealed));
    assert_eq!(with(4, 0), Some(SealError::NotSealed));
    assert_eq!(with(4, 2), Some(SealError::NewerFormat { found: 2 }));
    assert_eq!(with(8, 6), Some(SealError::UnknownRootKey(6)));
    assert_eq!(with(8, 1), Some(SealError::Refused));
    assert_eq!(ring.open(&CONTEXT, b"").err(), Some(SealError::NotSealed));
    assert_eq!(root_key_version(&blob[..8]), Err(SealError::NotSealed));
    assert_eq!(keyring(&[1]).open(&CONTEXT, &blob).err(), Some(SealError::UnknownRootKey(7)));
    let other = Keyring::new(vec![RootKey::new(7, &[8; 32])]).unwrap();
    assert_eq!(other.open(&CONTEXT, &blob).err(), Some(SealError::Refused));
}

#[test]
fn rotation_seals_anew_and_still_opens_the_old() {
    let (mut ring, mut entropy) = (keyring(&[3]), counting());
    let old = ring.seal(&CONTEXT, b"old", &mut entropy);
    assert_eq!(ring.rotate(&mut entropy), 4);
    let new = ring.seal(&CONTEXT, b"new", &mut entropy);
    assert_eq!((root_key_version(&old), root_key_version(&new)), (Ok(3), Ok(4)));
    assert_eq!(ring.open(&CONTEXT, &old).unwrap().expose(), b"old");
    assert_eq!(ring.open(&CONTEXT, &new).unwrap().expose(), b"new");
    assert_eq!(ring.versions().collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn a_keyring_has_a_key_and_one_for_each_version() {
    assert_eq!(Keyring::new(vec![]).err(), Some(KeyringError::Empty));
    let twice = vec![RootKey::new(2, &[0; 32]), RootKey::new(1, &[0; 32]), RootKey::new(2, &[1; 32])];
    assert_eq!(Keyring::new(twice).err(), Some(KeyringError::Duplicate(2)));
    assert_eq!(keyring(&[5, 9, 2]).current_version(), 9);
}

#[test]
fn wrapped_root_keys_open_with_the_same_key_for_the_same_store() {
    let (key, mut entropy) = (WrappingKey::new(&[5; 32]), counting());
    let ring = keyring(&[1, 2]);
    let sealed = ring.seal(&CONTEXT, b"secret", &mut entropy);
    let blob = key.wrap(b"store-1", &ring, &mut entropy);
    let again = key.unwrap(b"store-1", &blob).unwrap();
    assert_eq!(again.current_version(), 2);
    assert_eq!(again.open(&CONTEXT, &sealed).unwrap().expose(), b"secret");

    assert_eq!(key.unwrap(b"store-2", &blob).err(), Some(SealError::Refused));
    assert_eq!(WrappingKey::new(&[6; 32]).unwrap(b"store-1", &blob).err(), Some(SealError::Refused));
    assert_eq!(key.unwrap(b"store-1", &sealed).err(), Some(SealError::NotSealed));
    assert_eq!(ring.open(&CONTEXT, &blob).err(), Some(SealError::NotSealed));
    let mut newer = blob.clone();
    newer[4] = 2;
    assert_eq!(key.unwrap(b"store-1", &newer).err(), Some(SealError::NewerFormat { found: 2 }));
    for at in 0..blob.len() {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        assert!(key.unwrap(b"store-1", &changed).is_err(), "{at}");
        assert!(key.unwrap(b"store-1", &blob[..at]).is_err(), "{at}");
    }
}

#[test]
fn the_canary_tells_a_wrong_key() {
    let ring = keyring(&[1]);
    let canary = ring.seal_canary(b"store-1", &mut counting());
    assert_eq!(ring.check_canary(b"store-1", &canary), Ok(()));
    assert_eq!(ring.check_canary(b"store-2", &canary), Err(SealError::Refused));
    let other = Keyring::new(vec![RootKey::new(1, &[2; 32])]).unwrap();
    assert_eq!(other.check_canary(b"store-1", &canary), Err(SealError::Refused));
    assert_eq!(keyring(&[2]).check_canary(b"store-1", &canary), Err(SealError::UnknownRootKey(1)));
}

#[test]
fn key_files_hold_64_hex_digits() {
    let key = WrappingKey::generate(&mut counting());
    let text = key.expose_text();
    assert_eq!(text.len(), 65);
    let blob = key.wrap(b"store", &keyring(&[1]), &mut counting());
    for text in [text.as_str(), text.trim_end(), &text.to_uppercase(), &format!("  {}\r\n", text.trim_end())] {
        assert!(WrappingKey::parse(text).unwrap().unwrap(b"store", &blob).is_ok());
    }
    for text in ["", &text[1..], &format!("{}0", text.trim_end()), &format!("0x{}", &text[2..]), &"g".repeat(64)] {
        assert_eq!(WrappingKey::parse(text).err(), Some(WrappingKeyError), "{text}");
    }
}

proptest! {
    #![proptest_config({
        #[expect(clippy::disallowed_methods, reason = "the number of cases is the tester's choice")]
        let cases = std::env::var("LATCHKEY_PROOF_CASES").ok().and_then(|text| text.parse().ok());
        ProptestConfig { cases: cases.unwrap_or(64), failure_persistence: None, ..ProptestConfig::default() }
    })]

    #[test]
    fn what_is_sealed_opens_and_no_byte_may_change(
        plaintext in prop::collection::vec(any::<u8>(), 0..200), salt in any::<u8>(),
        account in any::<i64>(), at in any::<prop::sample::Index>(), change in 1..=255u8,
    ) {
        let ring = keyring(&[1, 2]);
        let context = SealContext { account, ..CONTEXT };
        let mut blob = ring.seal(&context, &plaintext, &mut |bytes: &mut [u8]| bytes.fill(salt));
        let opened = ring.open(&context, &blob).unwrap();
        prop_assert_eq!(opened.expose(), &plaintext);
        let at = at.index(blob.len());
        blob[at] ^= change;
        prop_assert!(ring.open(&context, &blob).is_err());
    }
}

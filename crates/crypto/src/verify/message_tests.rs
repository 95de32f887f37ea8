use super::*;
use crate::sign::{RsaSize, Signer};

/// Source: RFC 9421, appendix B.1.2.
const RSA_PSS: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----";
/// Source: RFC 9421, appendix B.1.4.
const ED25519: &str = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";
const ED25519_PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF";
/// Source: RFC 9421, appendix B.1.5.
const SHARED_SECRET: &str = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

const DIGEST: &str = "WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==";

fn public(text: &str) -> Verifier {
    Verifier::public(&PublicKey::parse(text).unwrap())
}

/// Verifies the published signature, and that neither it nor its base may change by a bit.
fn check(verifier: &Verifier, algorithm: MessageAlgorithm, base: &[&str], text: &str) {
    let base = base.join("\n");
    let signature = verifier.decode_message(text.as_bytes()).unwrap_or_else(|shape| panic!("{shape}"));
    assert_eq!(verifier.message_algorithm(Some(algorithm.name())), Some(algorithm));
    assert_eq!(verifier.verify_message(algorithm, base.as_bytes(), &signature), Ok(()));
    for at in 0..base.len() {
        let mut other = base.clone().into_bytes();
        other[at] ^= 1;
        assert_eq!(verifier.verify_message(algorithm, &other, &signature), Err(BadSignature));
    }
    for other in MessageAlgorithm::ALL.into_iter().filter(|other| *other != algorithm) {
        assert_eq!(verifier.verify_message(other, base.as_bytes(), &signature), Err(BadSignature));
    }
}

/// Source: RFC 9421, appendix B.2.1.
#[test]
fn published_minimal_rsa_pss() {
    let base =
        [r#""@signature-params": ();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#];
    let text = "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==";
    check(&public(RSA_PSS), MessageAlgorithm::RsaPssSha512, &base, text);
}

/// Source: RFC 9421, appendix B.2.2.
#[test]
fn published_selective_rsa_pss() {
    let digest = format!("\"content-digest\": sha-512=:{DIGEST}:");
    let base = [
        r#""@authority": example.com"#,
        &digest,
        r#""@query-param";name="Pet": dog"#,
        r#""@signature-params": ("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example""#,
    ];
    let text = "LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==";
    check(&public(RSA_PSS), MessageAlgorithm::RsaPssSha512, &base, text);
}

/// Source: RFC 9421, appendix B.2.3.
#[test]
fn published_full_rsa_pss() {
    let digest = format!("\"content-digest\": sha-512=:{DIGEST}:");
    let base = [
        r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
        r#""@method": POST"#,
        r#""@path": /foo"#,
        r#""@query": ?param=Value&Pet=dog"#,
        r#""@authority": example.com"#,
        r#""content-type": application/json"#,
        &digest,
        r#""content-length": 18"#,
        r#""@signature-params": ("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#,
    ];
    let text = "bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==";
    check(&public(RSA_PSS), MessageAlgorithm::RsaPssSha512, &base, text);
}

/// Source: RFC 9421, appendix B.2.5.
#[test]
fn published_hmac() {
    let base = [
        r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
        r#""@authority": example.com"#,
        r#""content-type": application/json"#,
        r#""@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
    ];
    let verifier = Verifier::Hmac(HmacVerifier::new(&STANDARD.decode(SHARED_SECRET).unwrap()));
    check(&verifier, MessageAlgorithm::HmacSha256, &base, "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=");
}

/// Source: RFC 9421, appendix B.2.6.
#[test]
fn published_ed25519() {
    let base = [
        r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
        r#""@method": POST"#,
        r#""@path": /foo"#,
        r#""@authority": example.com"#,
        r#""content-type": application/json"#,
        r#""content-length": 18"#,
        r#""@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
    ];
    let text = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";
    check(&public(ED25519), MessageAlgorithm::Ed25519, &base, text);
    let signer = Signer::from_pem(ED25519_PRIVATE).unwrap();
    assert_eq!(signer.sign_message(base.join("\n").as_bytes()).unwrap(), text);
}

/// Source: RFC 9421, appendix B.2.
#[test]
fn published_content_digest() {
    assert_eq!(crate::message::content_sha_512(br#"{"hello": "world"}"#), DIGEST);
}

#[test]
fn what_a_signer_makes_its_key_verifies_by_its_algorithm_alone() {
    let secret = SecretKey::parse("s".repeat(64)).unwrap();
    let signers = [
        Signer::hmac(&secret),
        Signer::generate_ed25519(&mut |bytes: &mut [u8]| bytes.fill(7)),
        Signer::generate_rsa(RsaSize::Bits2048).unwrap(),
    ];
    for signer in &signers {
        let verifier = signer.public_key().map_or_else(|| Verifier::hmac(&secret), |key| Verifier::public(&key));
        let algorithm = MessageAlgorithm::preferred(signer.key_type());
        let text = signer.sign_message(b"base").unwrap();
        check(&verifier, algorithm, &["base"], &text);
        for foreign in MessageAlgorithm::ALL.into_iter().filter(|other| other.key_type() != signer.key_type()) {
            assert_eq!(verifier.message_algorithm(Some(foreign.name())), None);
        }
        assert_eq!(verifier.message_algorithm(Some("none")), None);
        assert!(verifier.message_algorithm(None).is_some());
    }
}

#[test]
fn an_rsa_key_takes_both_paddings_and_means_the_older_one_when_none_is_named() {
    let signer = Signer::generate_rsa(RsaSize::Bits2048).unwrap();
    let verifier = Verifier::public(&signer.public_key().unwrap());
    assert_eq!(verifier.message_algorithm(None), Some(MessageAlgorithm::RsaV15Sha256));
    let text = signer.sign(&[b"base"]).unwrap();
    check(&verifier, MessageAlgorithm::RsaV15Sha256, &["base"], &text);
}

#[test]
fn a_name_of_a_key_is_its_own() {
    let secret = |letter: &str| Verifier::hmac(&SecretKey::parse(letter.repeat(64)).unwrap()).identity();
    assert_eq!(secret("a"), secret("a"));
    let names = [secret("a"), secret("b"), public(RSA_PSS).identity(), public(ED25519).identity()];
    for (at, name) in names.iter().enumerate() {
        assert!(!names[..at].contains(name));
    }
}

//! Which texts are taken as keys, and what is said about the others: the tables in `testdata`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use latchkey_crypto::key_type::KeyType;
use latchkey_crypto::pem::{ArmorError, TEXT_MAX};
use latchkey_crypto::public_key::{PublicKey, PublicKeyError};
use latchkey_crypto::sign::{PrivateKeyError, Signer};
use std::collections::BTreeSet;
use std::fmt::Debug;

/// Walks a table of `expected | what | text`, each text in the forms it may be pasted in.
#[track_caller]
fn check<T, E: Debug>(table: &str, rows: usize, parse: impl Fn(&str) -> Result<T, E>) -> Vec<T> {
    let mut taken = Vec::new();
    let mut seen = 0;
    for row in table.lines().filter(|line| !line.starts_with('#')) {
        let [expected, what, text] = row.splitn(3, " | ").collect::<Vec<_>>().try_into().unwrap();
        let lines = text.replace("\\n", "\n");
        for text in [text, &lines, &lines.replace('\n', "\r\n"), &format!("\r\n {lines} \t\n")] {
            let outcome = parse(text);
            let found = match &outcome {
                Ok(_) => "Ok".to_owned(),
                Err(error) => format!("{error:?}"),
            };
            assert_eq!(found, expected, "{what}: {text:?}");
            taken.extend(outcome);
        }
        seen += 1;
    }
    assert_eq!(seen, rows, "the table was cut or grown: say so here");
    taken
}

#[test]
fn public_keys() {
    let taken = check(include_str!("../testdata/public-keys.txt"), 93, PublicKey::parse);
    // Seven rows are accepted; the RSA 2048 and the Ed25519 key stand in two forms each.
    let fingerprints: BTreeSet<_> = taken.iter().map(PublicKey::fingerprint).collect();
    assert_eq!((taken.len(), fingerprints.len()), (28, 5));
    for key in taken {
        let again = PublicKey::from_der(&key.to_der()).unwrap();
        assert_eq!(again.fingerprint(), key.fingerprint());
        assert_eq!(PublicKey::parse(&key.to_pem()).unwrap().to_der(), key.to_der());
    }
}

#[test]
fn private_keys() {
    let taken = check(include_str!("../testdata/private-keys.txt"), 32, Signer::from_pem);
    for signer in taken {
        let pem = signer.private_pem().unwrap().unwrap();
        let again = Signer::from_pem(pem.expose()).unwrap();
        assert_eq!(again.public_key().unwrap().to_der(), signer.public_key().unwrap().to_der());
    }
}

/// The sample keys of the published documentation: API key types, and Spot Testnet, "How can I use
/// Ed25519 API Keys?" and "How can I use RSA API Keys?".
#[test]
fn published_sample_keys() {
    for (key_type, body) in [
        (KeyType::Ed25519, "MCowBQYDK2VwAyEAgmDRTtj2FA+wzJUIlAL9ly1eovjLBu7uXUFR+jFULmg="),
        (KeyType::Ed25519, "MCowBQYDK2VwAyEACeCSz7VJkh3Bb+NF794hLMU8fLB9Zr+/tGMdVKCC2eo="),
        (
            KeyType::Rsa,
            "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyfKiFXpcOhF5rX1XxePN
             akwN7Etwtn3v05cZNY+ftDHbVZHs/kY6Ruj5lhxVFAq5dv7Ba9/4jPijXuMuIc6Y
             8nUlqtrrxC8DEOAczw9SKATDYZN9nbLfYlbBFfHzRQUXdAtYCPI6XtxmJBS7aOBb
             4nZe1SVm+bhLrp0YQnx2P0s+37qkGeVn09m6w9MnWxjgCkkYFPWQkXIu5qOnwx6p
             NfqDmFD7d7dUc/6PZQ1bKFALu/UETsobmBk82ShbrBhlc0JXuhf9qBR7QASjHjFQ
             2N+VF2PfH8dm5prZIpz/MFKPkBW4Yuss0OXiD+jQt1J2JUKspLqsIqoXjHQQGjL7
             3wIDAQAB",
        ),
    ] {
        let framed = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
        let key = PublicKey::parse(&framed).unwrap();
        assert_eq!(key.key_type(), key_type);
        assert_eq!(PublicKey::parse(body).unwrap().to_der(), key.to_der());
    }

    // The published RSA-4096 block has its lines out of order.
    let scrambled = "-----BEGIN PUBLIC KEY-----
bL4DUXwR3ijFSXzcecQtVFU1zVWcSQd0Meztl3DLX42l/8EALJx3LSz9YKS0PMQW
MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAv9ij99RAJM4JLl8Rg47b
dJXMrv84WL1OK/gid4hCnxo083LYLXUpIqMmL+O6fmXAvsvkyMyT520Cw0ZNCrUk
WoCjGE4JZZGF4wOkWdF37JFWbDnE/GF5mAykKj+OMaECBlZ207KleQqgVzHjKuCb
hPMuBVVD3IhjBfIc7EEM438LbtayMDx4dviPWwm127jwn8qd9H3kv5JBoDfsdYMB
3k39r724CljqlAfX33GpbV2LvEkL6Da3OFk+grfN98X2pCBRz5+1N95I2cRD7o+j
wtCr+65E+Gqjo4OI60F9Gq5GDcrnudnUw13a4zwlU6W+Cy8gJ4R0CcKTc4+VhYVX
5wW2tzLVnDqvjIN8hjhgtmUv8hr19Wn+42ev+5sNtO5QAS6sJMJG5D+cpxCNhei1
Xm+1zXliaA1fvVYRqon2MdHcedFeAjzVtX38+Xweytowydcq2V/9pUUNZIzUqX7t
Zr3F+Ao3QOb/CuWbUBpUcbXfGv7AI1ozP8LRByyu6O8Z1dZNdkdjWVt83maUrIJH
jjc7jlZY9JbH6EyYV5TenjJaupvdlx72vA7Fcgevx87seog2JALAJqZQNT+t9/tm
rTUSEp3t4aINKUC1QC0CYKECAwEAAQ==
-----END PUBLIC KEY-----";
    assert_eq!(PublicKey::parse(scrambled).unwrap_err(), PublicKeyError::Malformed);
}

#[test]
fn length_is_bounded() {
    let text = "A".repeat(TEXT_MAX + 1);
    assert_eq!(PublicKey::parse(&text).unwrap_err(), PublicKeyError::Armor(ArmorError::TooLong));
    assert_eq!(Signer::from_pem(&text).err(), Some(PrivateKeyError::Armor(ArmorError::TooLong)));
    assert_eq!(PublicKey::parse(" \n").unwrap_err(), PublicKeyError::Armor(ArmorError::Empty));
}

/// An error may name the mistake, but a private key pasted by mistake must not travel into a log.
#[test]
fn errors_never_quote_the_text() {
    for row in include_str!("../testdata/public-keys.txt").lines().filter(|line| !line.starts_with('#')) {
        let text = row.splitn(3, " | ").last().unwrap();
        let Err(error) = PublicKey::parse(text) else { continue };
        let said = format!("{error} {error:?}");
        let words = text.split(['\\', ' ']).filter(|word| word.len() > 30);
        for word in words {
            assert!(!said.contains(word), "{said}");
        }
        assert!(said.len() < 300, "{said}");
    }
}

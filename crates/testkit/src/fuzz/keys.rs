//! Keys: public keys as people paste them, IP lists, stored records.

use latchkey_authority::account::Account;
use latchkey_authority::ip::{IpForms, IpRule};
use latchkey_authority::key::{KeyRecord, parse_key_id};
use latchkey_authority::label::Label;
use latchkey_authority::policy::Policy;
use latchkey_authority::stored::Stored as _;
use latchkey_crypto::public_key::PublicKey;

/// A key that is taken has one canonical form.
pub(super) fn public_key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for key in [PublicKey::parse(&text), PublicKey::from_der(data)].into_iter().flatten() {
        let again = PublicKey::from_der(&key.to_der()).expect("the canonical form is taken");
        assert_eq!(again.fingerprint(), key.fingerprint(), "one key, one fingerprint");
        let pem = PublicKey::parse(&key.to_pem()).expect("the printed form is taken");
        assert_eq!(pem.fingerprint(), key.fingerprint(), "one key, one fingerprint");
    }
}

/// What is taken of a list reads back, covers itself, and never reaches the whole network.
pub(super) fn ip_list(data: &[u8]) {
    let (text, policy) = (String::from_utf8_lossy(data), Policy::default());
    if let Ok(rules) = IpRule::parse_list(&text, IpForms::AddressesAndNetworks, &policy) {
        assert!(rules.len() <= usize::from(policy.ips_per_key), "a list is bounded");
        for rule in &rules {
            let again = IpRule::parse(&rule.to_string(), IpForms::AddressesAndNetworks, &policy);
            assert_eq!(again.as_ref(), Ok(rule), "a rule reads back");
            assert!(rule.contains(rule.network()), "a rule covers its own address");
            assert!(rule.prefix() >= policy.ip_prefix_min_v4, "no rule is wider than policy allows");
        }
    }
    if let Ok(label) = Label::parse(&text) {
        assert_eq!(Label::parse(label.as_str()).as_ref(), Ok(&label), "a label reads back");
    }
    if let Some(id) = parse_key_id(&text) {
        assert_eq!(id.to_string(), text, "an id has one spelling");
    }
}

/// A record that is read is written as it was understood.
pub(super) fn stored(data: &[u8]) {
    if let Ok(account) = Account::decode(data) {
        assert_eq!(Account::decode(&account.encode()).ok().as_ref(), Some(&account), "an account reads back");
    }
    if let Ok(key) = KeyRecord::decode(data) {
        assert_eq!(KeyRecord::decode(&key.encode()).ok().as_ref(), Some(&key), "a key reads back");
    }
}

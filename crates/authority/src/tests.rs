//! Plain values that the tests of this crate share.

use crate::account::{Account, Email, Kyc, Products, Sealed, Terms, TermsSigned};
use crate::ip::{IpForms, IpRestriction, IpRule};
use crate::key::{Capabilities, KeyRecord, Material};
use crate::label::Label;
use crate::policy::Policy;
use latchkey_protocol::{AccountId, ApiKey, KeyId, PermissionSet, Timestamp};

/// The time at which tests play: 2026-09-21T14:13:20Z.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// An account that every rule allows everything, opened 400 days before [`NOW`], products a day later.
pub(crate) fn account(id: i64) -> Account {
    let created = NOW.plus_millis(-400 * 86_400_000);
    let opened = Some(created.plus_millis(86_400_000));
    Account {
        kyc: Kyc::VerifiedPlus,
        vip: 9,
        deposited: true,
        products: Products { margin: opened, futures: opened, options: opened },
        terms: TermsSigned::from_iter([Terms::MarginSpecialKey]),
        totp: Some(Sealed(vec![1])),
        ..Account::new(AccountId(id), Email::parse(&format!("user{id}@example.com")).unwrap(), created)
    }
}

/// A reading HMAC key of account 1 with an IP list, made ten days before [`NOW`].
pub(crate) fn key(id: u128) -> KeyRecord {
    KeyRecord {
        permissions: PermissionSet::READING,
        capabilities: Capabilities { margin: true, futures: true, options: true, portfolio_margin: false },
        ..KeyRecord::new(
            KeyId(id),
            AccountId(1),
            api_key(id),
            Label::parse("bot").unwrap(),
            Material::Hmac { sealed: Sealed(vec![1, 2, 3]) },
            IpRestriction::Listed(rules("127.0.0.1")),
            NOW.plus_millis(-10 * 86_400_000),
        )
    }
}

pub(crate) fn api_key(id: u128) -> ApiKey {
    ApiKey::parse(format!("{id:0>64}").as_bytes()).unwrap()
}

pub(crate) fn rules(list: &str) -> Vec<IpRule> {
    IpRule::parse_list(list, IpForms::AddressesAndNetworks, &Policy::default()).unwrap()
}

/// A public key of the given type, as its owner pastes it.
pub(crate) fn pem(key_type: &str) -> &'static str {
    match key_type {
        "rsa" => include_str!("../testdata/rsa-2048.pub.pem"),
        _ => include_str!("../testdata/ed25519.pub.pem"),
    }
}

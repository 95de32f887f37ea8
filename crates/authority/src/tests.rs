//! Plain values that the tests of this crate share.

use crate::account::{
    Account, CrossMarginPro, Email, Kyc, PortfolioMargin, Products, Sealed, SubKind, Terms, TermsSigned,
};
use crate::ip::{IpForms, IpRestriction, IpRule};
use crate::key::{AcceptedProofs, Capabilities, KeyKind, KeyRecord, KeyState, Material, Watch};
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
        id: AccountId(id),
        email: Email::parse(&format!("user{id}@example.com")).unwrap(),
        kyc: Kyc::VerifiedPlus,
        vip: 9,
        deposited: true,
        products: Products { margin: opened, futures: opened, options: opened },
        portfolio_margin: PortfolioMargin::None,
        cross_margin_pro: CrossMarginPro::None,
        terms: TermsSigned::from_iter([Terms::MarginSpecialKey]),
        default_security_controls: true,
        master: None,
        residence: None,
        frozen: vec![],
        special_key_exception: false,
        left_special_mode: None,
        password_hash: None,
        totp: Some(Sealed(vec![1])),
        passkeys: vec![],
        recovery: vec![],
        widening_held_until: None,
        sub_kind: SubKind::Normal,
        created,
        version: 1,
    }
}

/// A reading HMAC key of account 1 with an IP list, made ten days before [`NOW`].
pub(crate) fn key(id: u128) -> KeyRecord {
    KeyRecord {
        id: KeyId(id),
        account: AccountId(1),
        api_key: api_key(id),
        label: Label::parse("bot").unwrap(),
        material: Material::Hmac { sealed: Sealed(vec![1, 2, 3]) },
        permissions: PermissionSet::READING,
        ip: IpRestriction::Listed(rules("127.0.0.1")),
        symbols: None,
        kind: KeyKind::Standard,
        state: KeyState::Active,
        created: NOW.plus_millis(-10 * 86_400_000),
        unrestricted_since: None,
        made_unrestricted: false,
        made_by: None,
        capabilities: Capabilities { margin: true, futures: true, options: true, portfolio_margin: false },
        accepts: AcceptedProofs::Payload,
        replay: None,
        retiring: None,
        watch: Watch::default(),
        version: 1,
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

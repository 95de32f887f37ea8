//! Accounts: who holds keys, and the facts that the rules ask about.

use crate::change::Actor;
use crate::hold::Holder;
use crate::policy::Policy;
use crate::stored::{Stored, hex};
use core::fmt;
use latchkey_crypto::digest::{sha256, to_hex};
use latchkey_protocol::{AccountId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};

mod country;
mod factor;

pub use country::{Country, CountrySet, NotACountry};
pub use factor::{Passkey, RecoveryCode};

/// An account as it is stored. Master accounts have no `master`; sub-accounts name theirs.
///
/// `password_hash` and `totp` do not print. What may be shown is [`crate::view::AccountSummary`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The wire's `uid`.
    pub id: AccountId,
    /// How its owner signs in; unique in a store.
    pub email: Email,
    /// How well its owner is known.
    pub kyc: Kyc,
    /// VIP level, 0 to 9.
    pub vip: u8,
    /// Whether it has had a deposit.
    pub deposited: bool,
    /// Products opened, with the time of each.
    pub products: Products,
    /// Portfolio margin.
    pub portfolio_margin: PortfolioMargin,
    /// Cross Margin Pro.
    pub cross_margin_pro: CrossMarginPro,
    /// Agreements signed; those of the master bind its sub-accounts.
    pub terms: TermsSigned,
    /// Whether Default Security Controls are on; that of the master covers its sub-accounts.
    pub default_security_controls: bool,
    /// The master account, of a sub-account.
    pub master: Option<AccountId>,
    /// Where the owner lives.
    pub residence: Option<Country>,
    /// Its freezes, at most one of each [`Holder`], the highest first. While there is one, no key of the account, nor of
    /// its sub-accounts, is admitted.
    #[serde(deserialize_with = "freezes")]
    pub frozen: Vec<Frozen>,
    /// An operator's exception from the VIP level that special keys need.
    pub special_key_exception: bool,
    /// When the account left special-key mode; the cooldown runs from here.
    pub left_special_mode: Option<Timestamp>,
    /// The password, hashed.
    pub password_hash: Option<PasswordHash>,
    /// The seed of the enrolled one-time codes, sealed for [`crate::ports::Purpose::TotpSeed`].
    pub totp: Option<Sealed>,
    /// Its passkeys.
    #[serde(default)]
    pub passkeys: Vec<Passkey>,
    /// Its recovery codes that were not used yet.
    #[serde(default)]
    pub recovery: Vec<RecoveryCode>,
    /// Until when nothing is widened, because an operator took the second factors away.
    #[serde(default)]
    pub widening_held_until: Option<Timestamp>,
    /// What a sub-account is for.
    #[serde(default)]
    pub sub_kind: SubKind,
    /// When it was opened.
    pub created: Timestamp,
    /// Counts the changes of this record and of its keys, from 1.
    pub version: u64,
}

impl Stored for Account {}

impl Account {
    /// An account that was just opened: its own master, of an owner of whom nothing is known, without a product, a factor
    /// or a deposit, under Default Security Controls.
    pub fn new(id: AccountId, email: Email, created: Timestamp) -> Self {
        Self {
            id,
            email,
            kyc: Kyc::None,
            vip: 0,
            deposited: false,
            products: Products::default(),
            portfolio_margin: PortfolioMargin::None,
            cross_margin_pro: CrossMarginPro::None,
            terms: TermsSigned::default(),
            default_security_controls: true,
            master: None,
            residence: None,
            frozen: Vec::new(),
            special_key_exception: false,
            left_special_mode: None,
            password_hash: None,
            totp: None,
            passkeys: Vec::new(),
            recovery: Vec::new(),
            widening_held_until: None,
            sub_kind: SubKind::Normal,
            created,
            version: 1,
        }
    }

    /// Whether its sub-accounts have the same from it as from `other`: all that [`Owner`] takes from a master.
    pub fn lends_like(&self, other: &Self) -> bool {
        let facts = |of: &Self| {
            let factor = of.has_factor();
            (of.kyc, of.vip, of.deposited, factor, of.widening_held_until, of.residence, of.default_security_controls)
        };
        facts(self) == facts(other) && self.frozen == other.frozen && self.terms == other.terms
    }

    /// Whether it has a second factor of its own.
    pub const fn has_factor(&self) -> bool {
        self.totp.is_some() || !self.passkeys.is_empty()
    }
}

/// An e-mail address, in lower case: at most 254 characters, one `@`, before it at most 64 characters, behind it a host name.
/// Parts between dots are not empty. Source: RFC 5321, 4.1.2, without quoted names and address literals.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(Box<str>);

/// What may stand in an address before the `@` beside letters, digits and dots.
const ATOM: &[u8] = b"!#$%&'*+-/=?^_`{|}~";

/// The text is no e-mail address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an e-mail address")]
pub struct NotAnEmail;

impl Email {
    /// Reads an address; letter case is not kept.
    ///
    /// # Errors
    /// [`NotAnEmail`].
    pub fn parse(text: &str) -> Result<Self, NotAnEmail> {
        let (local, domain) = text.split_once('@').ok_or(NotAnEmail)?;
        let atom =
            |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || ATOM.contains(&c));
        let label = |part: &str| {
            let inside = part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
            inside && (1..=63).contains(&part.len()) && !part.starts_with('-') && !part.ends_with('-')
        };
        let short = text.len() <= 254 && local.len() <= 64;
        let valid = short && local.split('.').all(atom) && domain.split('.').all(label);
        if valid { Ok(Self(text.to_ascii_lowercase().into())) } else { Err(NotAnEmail) }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Email {
    type Error = NotAnEmail;

    fn try_from(text: String) -> Result<Self, NotAnEmail> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0.into()
    }
}

/// How well an owner is known. Source: Binance support, "How to Create API Keys on Binance".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kyc {
    /// Not at all.
    #[default]
    None,
    /// Verified; not enough for keys since 2021-08-23.
    Verified,
    /// Verified Plus.
    VerifiedPlus,
}

/// Products with conditions on keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Product {
    /// Cross and isolated margin.
    Margin,
    /// Futures.
    Futures,
    /// European options.
    Options,
}

impl Product {
    /// Every product.
    pub const ALL: [Self; 3] = [Self::Margin, Self::Futures, Self::Options];
}

/// When each product was opened; `None` is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Products {
    /// Margin.
    pub margin: Option<Timestamp>,
    /// Futures.
    pub futures: Option<Timestamp>,
    /// Options.
    pub options: Option<Timestamp>,
}

impl Products {
    /// When `product` was opened.
    pub const fn opened(&self, product: Product) -> Option<Timestamp> {
        match product {
            Product::Margin => self.margin,
            Product::Futures => self.futures,
            Product::Options => self.options,
        }
    }

    /// Whether `product` was open at `time`.
    pub fn is_open(&self, product: Product, time: Timestamp) -> bool {
        self.opened(product).is_some_and(|opened| opened <= time)
    }
}

/// Portfolio margin, with the time it was activated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortfolioMargin {
    /// Not active.
    #[default]
    None,
    /// The retail program.
    Retail {
        /// When it was activated.
        since: Timestamp,
    },
    /// Portfolio Margin Pro.
    Pro {
        /// When it was activated.
        since: Timestamp,
    },
}

impl PortfolioMargin {
    /// When it was activated; `None` when it is not active.
    pub const fn since(self) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::Retail { since } | Self::Pro { since } => Some(since),
        }
    }

    /// Whether it was active at `time`.
    pub fn active(self, time: Timestamp) -> bool {
        self.since().is_some_and(|since| since <= time)
    }
}

/// Cross Margin Pro. Source: "Create Special Key", 2026-01-15.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrossMarginPro {
    /// Not a Cross Margin Pro account.
    #[default]
    None,
    /// One without an agreement on special keys.
    WithoutAgreement,
    /// One with it.
    ByAgreement,
}

/// What a sub-account is for; a master account is `Normal`.
/// Source: sub-account API, "Create sub-account API key V2".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubKind {
    /// An ordinary one.
    #[default]
    Normal,
    /// An asset sub-account: its keys are not managed by signed calls.
    Asset,
}

/// An agreement that an owner may sign.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Terms {
    /// The supplemental product terms of margin special keys.
    MarginSpecialKey,
}

/// The agreements signed, in order and once each.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TermsSigned(std::collections::BTreeSet<Terms>);

impl TermsSigned {
    /// Whether `terms` are signed.
    pub fn contains(&self, terms: Terms) -> bool {
        self.0.contains(&terms)
    }

    /// The agreements.
    pub fn iter(&self) -> impl Iterator<Item = Terms> {
        self.0.iter().copied()
    }
}

impl FromIterator<Terms> for TermsSigned {
    fn from_iter<I: IntoIterator<Item = Terms>>(terms: I) -> Self {
        Self(terms.into_iter().collect())
    }
}

/// The facts of a freeze.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// Since when.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// Why, in the words of who did it.
    pub reason: String,
}

impl Frozen {
    /// Who it was to `account`.
    pub fn holder(&self, account: AccountId) -> Holder {
        Holder::of(&self.by, account)
    }
}

/// Reads freezes. In format 2 there was one, or none.
pub(crate) fn freezes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Frozen>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        All(Vec<Frozen>),
        One(Option<Frozen>),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::All(all) => all,
        Either::One(one) => one.into_iter().collect(),
    })
}

/// A sealed secret; only the store's key opens it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(#[serde(with = "hex")] pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// A password hash in the PHC format; does not print.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a hash that [`latchkey_crypto::password`] made.
    pub const fn new(phc: String) -> Self {
        Self(phc)
    }

    /// The hash, for verification alone.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Names the hash where a change of it is proved: SHA-256 in hexadecimal.
    pub(crate) fn fingerprint(&self) -> String {
        to_hex(&sha256(self.0.as_bytes()))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// An account together with its master: what every rule about a key's owner is asked of.
///
/// Identity, terms and controls are the master's; a freeze, a deposit, a second factor and a VIP level of either
/// count, because they are the customer's. An exception from the VIP level is made for one account alone.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    account: &'a Account,
    master: Option<&'a Account>,
}

impl<'a> Owner<'a> {
    /// Pairs a sub-account with its master, or a master with nothing.
    /// `None` when `master` is not the account that `account` names.
    pub fn new(account: &'a Account, master: Option<&'a Account>) -> Option<Self> {
        (account.master == master.map(|master| master.id)).then_some(Self { account, master })
    }

    /// The account itself.
    pub const fn account(&self) -> &'a Account {
        self.account
    }

    /// The master: that of a sub-account, else the account itself.
    pub const fn master(&self) -> &'a Account {
        match self.master {
            Some(master) => master,
            None => self.account,
        }
    }

    /// The identity level that counts.
    pub const fn kyc(&self) -> Kyc {
        self.master().kyc
    }

    /// The freeze that holds: the account's own before its master's.
    pub fn frozen(&self) -> Option<&'a Frozen> {
        self.account.frozen.first().or(self.master().frozen.first())
    }

    /// The VIP level that counts.
    pub fn vip(&self) -> u8 {
        self.account.vip.max(self.master().vip)
    }

    /// Whether a deposit was ever made.
    pub const fn deposited(&self) -> bool {
        self.account.deposited || self.master().deposited
    }

    /// Whether a second factor is enrolled.
    pub const fn second_factor(&self) -> bool {
        self.account.has_factor() || self.master().has_factor()
    }

    /// Until when nothing is widened; `None` when nothing holds it at `now`.
    pub fn held(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.account.widening_held_until.max(self.master().widening_held_until)?;
        (now < until).then_some(until)
    }

    /// A margin-restricted country that the account or its master lives in.
    pub fn restricted_residence(&self, policy: &Policy) -> Option<Country> {
        let homes = [self.account.residence, self.master().residence];
        homes.into_iter().flatten().find(|home| policy.margin_restricted.contains(*home))
    }

    /// Whether `terms` bind this account.
    pub fn signed(&self, terms: Terms) -> bool {
        self.master().terms.contains(terms)
    }

    /// Whether Default Security Controls are on.
    pub const fn controls(&self) -> bool {
        self.master().default_security_controls
    }

    /// Until when no special key can be created; `None` when there is no cooldown at `now`.
    pub fn cooldown(&self, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
        let end = policy.cooldown_end(self.account.left_special_mode?);
        (now < end).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::account;

    #[test]
    fn an_address_is_one_that_mail_can_be_sent_to() {
        for good in ["a@b", "Bot.1+keys@Mail.Example.com", "x_virtual@abcnoemail.com"] {
            assert_eq!(Email::parse(good).map(|email| email.to_string()), Ok(good.to_ascii_lowercase()));
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for bad in [
            "a", "@b", "a@", "a..b@c", ".a@b", "a.@b", "a@b..c", "a@-b", "a@b-", "a@b_c", "a b@c", "a@b@c", "a,b@c",
            &long,
        ] {
            assert_eq!(Email::parse(bad), Err(NotAnEmail), "{bad}");
        }
    }

    #[test]
    fn a_stored_account_reads_back_and_shows_no_secret() {
        let mut stored = account(7);
        stored.password_hash = Some(PasswordHash::new("$argon2id$planted".into()));
        stored.totp = Some(Sealed(b"planted".to_vec()));
        stored.portfolio_margin = PortfolioMargin::Pro { since: Timestamp::from_millis(5) };
        stored.residence = Some(Country::parse("DE").unwrap());
        assert_eq!(Account::decode(&stored.encode()).unwrap(), stored);
        let debug = format!("{stored:?}");
        assert!(!debug.contains("planted") && !debug.contains(&const_hex::encode("planted")), "{debug}");
    }

    #[test]
    fn unknown_values_and_newer_formats_are_refused_by_name() {
        let text = String::from_utf8(account(7).encode()).unwrap();
        let read = |from: &str, to: &str| {
            assert!(text.contains(from), "{text}");
            Account::decode(text.replace(from, to).as_bytes()).unwrap_err().to_string()
        };
        assert!(read("verified-plus", "verified-ultra").contains("verified-ultra"));
        assert!(read("margin-special-key", "margin-other").contains("margin-other"));
        assert!(read("\"portfolio_margin\":\"none\"", "\"portfolio_margin\":\"max\"").contains("max"));
        assert!(read("\"vip\"", "\"vipp\"").contains("vipp"));
        assert!(read("\"format\":3", "\"format\":4").contains("newer"));
    }

    #[test]
    fn a_freeze_of_the_format_before_is_read() {
        let mut stored = account(7);
        let text = String::from_utf8(stored.encode()).unwrap().replace("\"format\":3", "\"format\":2");
        let read = |frozen: &str| {
            assert!(text.contains("\"frozen\":[]"), "{text}");
            let text = text.replace("\"frozen\":[]", &format!("\"frozen\":{frozen}"));
            Account::decode(text.as_bytes()).map(|account| account.frozen)
        };
        let one = r#"{"at":1000000,"by":{"operator":"olga"},"reason":"court"}"#;
        stored.frozen = vec![Frozen {
            at: Timestamp::from_millis(1000),
            by: Actor::Operator("olga".into()),
            reason: "court".into(),
        }];
        assert_eq!(Account::decode(&stored.encode()).unwrap(), stored);
        assert_eq!(read("null").unwrap(), vec![]);
        assert_eq!(read(one).unwrap(), stored.frozen);
        assert!(read(r#"{"at":1}"#).is_err() && read("7").is_err());
    }

    #[test]
    fn addresses_are_compared_without_letter_case() {
        assert_eq!(Email::parse("Alice@Example.com").unwrap().as_str(), "alice@example.com");
        for bad in ["", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n", "é@b", "<a@b>"] {
            assert_eq!(Email::parse(bad), Err(NotAnEmail), "{bad}");
        }
    }

    #[test]
    fn a_sub_account_is_judged_by_its_master() {
        let (mut master, mut sub) = (account(1), account(2));
        sub.master = Some(master.id);
        sub.kyc = Kyc::None;
        sub.vip = 0;
        sub.terms = TermsSigned::default();
        sub.default_security_controls = false;
        master.frozen = vec![Frozen { at: Timestamp::from_millis(1), by: Actor::World, reason: String::new() }];
        let owner = Owner::new(&sub, Some(&master)).unwrap();
        assert_eq!((owner.kyc(), owner.vip(), owner.controls()), (Kyc::VerifiedPlus, 9, true));
        assert!(owner.signed(Terms::MarginSpecialKey) && owner.frozen().is_some());
        assert!(Owner::new(&sub, None).is_none(), "a sub-account without its master decides nothing");
        assert!(Owner::new(&master, Some(&sub)).is_none());
    }
}

//! Keys as they are stored.
//!
//! ```text
//!            ┌──── enable ────┐
//!            ▼                │
//!  made → Active ─ disable → Disabled
//!            │                │
//!            ├─ life over → Expired ── delete ─┐
//!            └─ delete, grace or overlap over ─┴→ Deleted (a tombstone; its id never comes back)
//! ```

use crate::account::{Owner, Product, Sealed};
use crate::change::Actor;
use crate::effective::DeadReason;
use crate::ip::IpRestriction;
use crate::label::Label;
use crate::policy::{Policy, ReplayRule};
use crate::stored::{Stored, api_key, hex, key_id, optional_key_id, permissions};
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::{AccountId, ApiKey, KeyId, Permission, PermissionSet, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

/// An API key as it is stored. What may be shown is [`crate::view::KeySummary`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// The internal name.
    #[serde(with = "key_id")]
    pub id: KeyId,
    /// Whose key it is.
    pub account: AccountId,
    /// The public name.
    #[serde(with = "api_key")]
    pub api_key: ApiKey,
    /// The owner's name for it.
    pub label: Label,
    /// What proves a request.
    pub material: Material,
    /// The permissions as granted; what is in force says [`crate::effective::effective_permissions`].
    #[serde(with = "permissions")]
    pub permissions: PermissionSet,
    /// From where it may be used.
    pub ip: IpRestriction,
    /// The only symbols it may trade; `None` is all.
    pub symbols: Option<Vec<Symbol>>,
    /// What it is for.
    pub kind: KeyKind,
    /// Where it stands in its life.
    pub state: KeyState,
    /// When it was made; the rules judge it as of then.
    pub created: Timestamp,
    /// Since when it has been without an IP list; `None` while it has one.
    pub unrestricted_since: Option<Timestamp>,
    /// Whether it was made without an IP list.
    pub made_unrestricted: bool,
    /// The key that made it by a signed call.
    #[serde(with = "optional_key_id")]
    pub made_by: Option<KeyId>,
    /// What the account could do when the key was made.
    pub capabilities: Capabilities,
    /// Which proofs it accepts.
    pub accepts: AcceptedProofs,
    /// Its own rule on repeated calls; `None` is the policy's.
    pub replay: Option<ReplayRule>,
    /// Set once a successor took its place; the key then lives only for the overlap.
    #[serde(default)]
    pub retiring: Option<Retiring>,
    /// What the rules that act with time keep of it.
    #[serde(default)]
    pub watch: Watch,
    /// Counts the changes of this record, from 1.
    pub version: u64,
}

impl Stored for KeyRecord {}

impl KeyRecord {
    /// A standard key that was just made and may do nothing yet.
    pub fn new(
        id: KeyId,
        account: AccountId,
        api_key: ApiKey,
        label: Label,
        material: Material,
        ip: IpRestriction,
        created: Timestamp,
    ) -> Self {
        let unrestricted = !ip.is_listed();
        Self {
            id,
            account,
            api_key,
            label,
            material,
            permissions: PermissionSet::EMPTY,
            ip,
            symbols: None,
            kind: KeyKind::Standard,
            state: KeyState::Active,
            created,
            unrestricted_since: unrestricted.then_some(created),
            made_unrestricted: unrestricted,
            made_by: None,
            capabilities: Capabilities::default(),
            accepts: AcceptedProofs::default(),
            replay: None,
            retiring: None,
            watch: Watch::default(),
            version: 1,
        }
    }

    /// HMAC, RSA or Ed25519.
    pub const fn key_type(&self) -> KeyType {
        self.material.key_type()
    }

    /// When a key that is still without an IP list ends; `None` is never. A longer life in a new policy revives
    /// nothing: the earlier of today's end and the one that was written holds.
    pub fn life_end(&self, policy: &Policy) -> Option<Timestamp> {
        let now = policy.unrestricted_end(self.unrestricted_since?);
        [now, self.watch.life_end].into_iter().flatten().min()
    }

    /// Whether its life without an IP list, or its overlap with a successor, is over at `now`.
    pub fn over(&self, policy: &Policy, now: Timestamp) -> Option<DeadReason> {
        if self.life_end(policy).is_some_and(|end| end <= now) {
            Some(DeadReason::Expired)
        } else if self.retiring.is_some_and(|retiring| retiring.at <= now) {
            Some(DeadReason::Retired)
        } else {
            None
        }
    }

    /// Whether it has not ended at `now`: active or disabled, and its time not over.
    pub fn lives(&self, policy: &Policy, now: Timestamp) -> bool {
        matches!(self.state, KeyState::Active | KeyState::Disabled { .. }) && self.over(policy, now).is_none()
    }

    /// Whether it counts towards the `keys` of its account at `now`: living ones do, unless a successor lives and
    /// counts instead.
    pub fn counts<'a>(&self, keys: impl IntoIterator<Item = &'a Self>, policy: &Policy, now: Timestamp) -> bool {
        let replaced =
            |retiring: Retiring| keys.into_iter().any(|key| key.id == retiring.successor && key.lives(policy, now));
        self.lives(policy, now) && !self.retiring.is_some_and(replaced)
    }
}

/// What proves a request: a sealed secret, or the public half of a pair.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Material {
    /// HMAC-SHA-256.
    Hmac {
        /// The secret, sealed for [`crate::ports::Purpose::HmacSecret`].
        sealed: Sealed,
    },
    /// RSA.
    Rsa(PublicMaterial),
    /// Ed25519.
    Ed25519(PublicMaterial),
}

/// The public half of a pair.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicMaterial {
    /// The `SubjectPublicKeyInfo`; reads back with `PublicKey::from_der`.
    #[serde(with = "hex")]
    pub der: Vec<u8>,
    /// SHA-256 of `der`.
    #[serde(with = "hex")]
    pub fingerprint: [u8; 32],
    /// Whether another key had the same public key when this one was made.
    pub shared: bool,
}

impl Material {
    /// HMAC, RSA or Ed25519.
    pub const fn key_type(&self) -> KeyType {
        match self {
            Self::Hmac { .. } => KeyType::Hmac,
            Self::Rsa(_) => KeyType::Rsa,
            Self::Ed25519(_) => KeyType::Ed25519,
        }
    }

    /// The public half; `None` for HMAC.
    pub const fn public(&self) -> Option<&PublicMaterial> {
        match self {
            Self::Hmac { .. } => None,
            Self::Rsa(public) | Self::Ed25519(public) => Some(public),
        }
    }
}

/// What a key is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum KeyKind {
    /// An ordinary key: the spot wallet, and what its permissions reach.
    Standard,
    /// A margin special key: one margin account, through the spot endpoints.
    Special {
        /// Which margin account.
        scope: Scope,
        /// What it may do there.
        mode: PermissionMode,
    },
    /// A tax report key: reads history and reports.
    Tax,
}

impl KeyKind {
    /// The scope of a special key; `None` for the others.
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::Special { scope, .. } => Some(scope),
            Self::Standard | Self::Tax => None,
        }
    }
}

/// The margin account of a special key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Cross margin.
    Cross,
    /// One pair's isolated margin.
    Isolated(Symbol),
}

impl Scope {
    /// The scope that the wire's optional `symbol` addresses.
    pub fn of(symbol: Option<Symbol>) -> Self {
        symbol.map_or(Self::Cross, Self::Isolated)
    }
}

/// What a special key may do. Source: "Create Special Key", 2026-01-15.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PermissionMode {
    /// Place and cancel orders, and read.
    #[default]
    Trade,
    /// Read, and FIX in read-only mode; Ed25519 only.
    Read,
}

impl PermissionMode {
    /// The value on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trade => "TRADE",
            Self::Read => "READ",
        }
    }

    /// Parses the wire's value, letter case included.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "TRADE" => Some(Self::Trade),
            "READ" => Some(Self::Read),
            _ => None,
        }
    }

    /// The permissions that a special key of this mode is granted.
    /// Source: margin special API key FAQ, 2026-05-14 (no loans); "Create Special Key", 2026-01-15 (FIX read only).
    pub const fn permissions(self) -> PermissionSet {
        match self {
            Self::Trade => PermissionSet::READING.with(Permission::SpotAndMarginTrading),
            Self::Read => PermissionSet::READING.with(Permission::FixReadOnly),
        }
    }
}

/// Where a key stands in its life.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum KeyState {
    /// In use.
    Active,
    /// Out of use until it is enabled again.
    Disabled {
        /// Since when.
        at: Timestamp,
        /// By whom.
        by: Actor,
        /// Who else did since: it stays out of use until each of them undid it.
        #[serde(default, skip_serializing_if = "<[Hold]>::is_empty")]
        also: Box<[Hold]>,
    },
    /// Its life without an IP list is over; never revived.
    Expired {
        /// Since when.
        at: Timestamp,
    },
    /// Gone; the record stays as a tombstone for its owner.
    Deleted {
        /// Since when.
        at: Timestamp,
        /// By whom.
        by: Actor,
        /// Why.
        reason: DeleteReason,
    },
}

/// One who put a key out of use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Since when.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
}

impl KeyState {
    /// Who holds it out of use, in order of time.
    pub fn holds(&self) -> Vec<Hold> {
        match self {
            Self::Disabled { at, by, also } => {
                let first = Hold { at: *at, by: by.clone() };
                core::iter::once(first).chain(also.iter().cloned()).collect()
            }
            Self::Active | Self::Expired { .. } | Self::Deleted { .. } => Vec::new(),
        }
    }

    /// The state of a key that is held out of use by these, or by nobody.
    pub fn held(holds: impl IntoIterator<Item = Hold>) -> Self {
        let mut holds = holds.into_iter();
        match holds.next() {
            Some(Hold { at, by }) => Self::Disabled { at, by, also: holds.collect() },
            None => Self::Active,
        }
    }

    /// Whether the end is written: expired or deleted.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Expired { .. } | Self::Deleted { .. })
    }
}

/// Why a key was deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeleteReason {
    /// Its owner, or one who acts for its owner, asked for it.
    Requested,
    /// It violated Default Security Controls longer than the grace.
    ControlsViolated,
    /// The account left special-key mode.
    LeftSpecialMode,
    /// Its overlap with a successor is over.
    Retired,
    /// The key that made it, directly or not, was ended with all that it made.
    MakerEnded,
}

/// A key that has a successor: both live for a while, then this one is deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retiring {
    /// The key that took its place.
    #[serde(with = "key_id")]
    pub successor: KeyId,
    /// Since when both live.
    pub since: Timestamp,
    /// When it ends at the latest.
    pub at: Timestamp,
    /// It ends earlier once it was not used for so many hours.
    pub idle_hours: Option<u16>,
}

/// What the rules that act with time keep of a key. Written with each change of it, never by hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    /// Since when it violates Default Security Controls; the grace runs from here.
    pub violating: Option<Timestamp>,
    /// When its life without an IP list ends, by the policy at the time of writing.
    pub life_end: Option<Timestamp>,
    /// Of how many days before its end its owner was last told.
    pub warned_days: Option<u16>,
    /// When it next needs the sweep; `None` is never.
    pub due: Option<Timestamp>,
}

/// What an account could do at the time a key was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// Margin was open.
    pub margin: bool,
    /// Futures were open.
    pub futures: bool,
    /// Options were open.
    pub options: bool,
    /// Portfolio margin was active.
    pub portfolio_margin: bool,
}

impl Capabilities {
    /// What `owner` can do at `time`.
    pub fn of(owner: &Owner<'_>, time: Timestamp) -> Self {
        let account = owner.account();
        Self {
            margin: account.products.is_open(Product::Margin, time),
            futures: account.products.is_open(Product::Futures, time),
            options: account.products.is_open(Product::Options, time),
            portfolio_margin: account.portfolio_margin.active(time),
        }
    }
}

/// Which proofs a key accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcceptedProofs {
    /// The compatible scheme: `signature` over the payload.
    #[default]
    Payload,
    /// RFC 9421 message signatures alone.
    Message9421,
    /// Both.
    Both,
}

/// Makes the id of a key: a UUID of version 7 from the time and ten random bytes.
pub fn make_key_id(now: Timestamp, random: [u8; 10]) -> KeyId {
    let [a, b, tail @ ..] = random;
    let millis = u128::from(now.as_millis().max(0).cast_unsigned()) & 0xffff_ffff_ffff;
    let first = u128::from(u16::from_be_bytes([a, b]) & 0x0fff);
    let last = u128::from(u64::from_be_bytes(tail) & 0x3fff_ffff_ffff_ffff);
    KeyId(millis << 80 | 0x7 << 76 | first << 64 | 0b10 << 62 | last)
}

/// Reads the text of a key id: a UUID in lower case with its hyphens.
pub fn parse_key_id(text: &str) -> Option<KeyId> {
    let digit = |id: u128, byte: u8| {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(id << 4 | u128::from(value))
    };
    let mut id = 0;
    for (place, byte) in text.bytes().enumerate() {
        match (place, byte) {
            (8 | 13 | 18 | 23, b'-') => {}
            (8 | 13 | 18 | 23, _) => return None,
            _ => id = digit(id, byte)?,
        }
    }
    (text.len() == 36).then_some(KeyId(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::key;

    #[test]
    fn a_stored_key_reads_back() {
        let mut stored = key(1);
        assert_eq!(KeyRecord::decode(&stored.encode()).unwrap(), stored);
        stored.kind =
            KeyKind::Special { scope: Scope::Isolated(Symbol::parse("BTCUSDT").unwrap()), mode: PermissionMode::Read };
        stored.material = Material::Ed25519(PublicMaterial { der: vec![1, 2, 3], fingerprint: [9; 32], shared: true });
        stored.ip = IpRestriction::Unrestricted;
        stored.made_by = Some(KeyId(5));
        stored.retiring = Some(Retiring {
            successor: KeyId(6),
            since: Timestamp::from_millis(1),
            at: Timestamp::from_millis(2),
            idle_hours: Some(3),
        });
        stored.watch.violating = Some(Timestamp::from_millis(4));
        stored.symbols = Some(vec![Symbol::parse("BTCUSDT").unwrap()]);
        stored.state = KeyState::Deleted {
            at: Timestamp::from_millis(3),
            by: Actor::Key { account: AccountId(1), key: KeyId(5) },
            reason: DeleteReason::Requested,
        };
        assert_eq!(KeyRecord::decode(&stored.encode()).unwrap(), stored);
        let hold = |by| Hold { at: Timestamp::from_millis(3), by };
        stored.state = KeyState::held([hold(Actor::World), hold(Actor::System)]);
        assert_eq!(KeyRecord::decode(&stored.encode()).unwrap(), stored);
        // As the format before has it.
        stored.state = KeyState::held([hold(Actor::World)]);
        let text = String::from_utf8(stored.encode()).unwrap().replace("\"format\":3", "\"format\":2");
        assert!(text.contains(r#""state":{"disabled":{"at":3000,"by":"world"}}"#), "{text}");
        assert_eq!(KeyRecord::decode(text.as_bytes()).unwrap(), stored);
    }

    #[test]
    fn unknown_values_are_refused_by_name() {
        let text = String::from_utf8(key(1).encode()).unwrap();
        let read = |from: &str, to: &str| {
            assert!(text.contains(from), "{text}");
            KeyRecord::decode(text.replace(from, to).as_bytes()).unwrap_err().to_string()
        };
        assert!(read("\"reading\"", "\"flying\"").contains("flying"));
        assert!(read("\"standard\"", "\"master\"").contains("master"));
        assert!(read("\"state\":\"active\"", "\"state\":\"dozing\"").contains("dozing"));
        assert!(read("\"hmac\"", "\"sha1\"").contains("sha1"));
        assert!(read("127.0.0.1", "127.0.0.1/8").contains("IP rule"));
        assert!(read("\"format\":3", "\"format\":9").contains("`9`"));
    }

    #[test]
    fn key_ids_are_ordered_by_time_and_read_back() {
        let time = Timestamp::from_millis(1_790_000_000_000);
        let id = make_key_id(time, [0xff; 10]);
        assert_eq!(id.to_string(), "01a0c450-6c00-7fff-bfff-ffffffffffff");
        assert_eq!(parse_key_id(&id.to_string()), Some(id));
        assert!(make_key_id(time.plus_millis(1), [0; 10]) > id);
        assert_eq!(parse_key_id(&id.to_string().to_uppercase()), None);
        for bad in ["", "1", "01a0c4506c007fffbfffffffffffffff", "01a0c450-6c00-7fff-bfff-ffffffffffff0"] {
            assert_eq!(parse_key_id(bad), None, "{bad}");
        }
    }
}

use super::create::restriction;
use super::*;
use crate::account::{CrossMarginPro, Frozen, Kyc, PortfolioMargin, TermsSigned};
use crate::caller::Via;
use crate::change::Actor;
use crate::effective::{Effective, Standing, effective_permissions};
use crate::ip::IpForms;
use crate::key::{Capabilities, DeleteReason, KeyKind, KeyState, Material, PermissionMode, PublicMaterial, Scope};
use crate::label::Label;
use crate::policy::{PolicyOverrides, Profile};
use crate::ports::ExchangeFacts;
use crate::tests::{NOW, account, api_key, key, pem};
use latchkey_crypto::public_key::PublicKey;
use latchkey_protocol::{AccountId, KeyId, Permission, PermissionSet, Symbol};
mod changes;
mod rules;

const DECISIONS: &str = include_str!("../../testdata/decisions.txt");

/// The key that a row is about, and the key that calls.
const ADDRESSED: KeyId = KeyId(1);
const CALLING: KeyId = KeyId(2);

struct Row<'a> {
    action: &'a str,
    words: Vec<&'a str>,
    key: Vec<&'a str>,
    expected: &'a str,
}

fn rows() -> impl Iterator<Item = Row<'static>> {
    DECISIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [action, account, key, expected] = columns.as_slice() else { panic!("four columns: {line}") };
        Row { action, words: account.split(' ').collect(), key: key.split(' ').collect(), expected }
    })
}

fn duration(text: &str) -> i64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let hours = number.parse::<i64>().unwrap() * if unit == "d" { 24 } else { 1 };
    hours * 3_600_000
}

impl Row<'_> {
    /// The value of `name=value` in the third column.
    fn option(&self, name: &str) -> Option<&str> {
        self.key.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    fn has(&self, word: &str) -> bool {
        self.key.contains(&word)
    }

    fn created(&self) -> Timestamp {
        NOW.plus_millis(-duration(self.option("age").unwrap_or("0d")))
    }

    fn policy(&self) -> Policy {
        let mut profile = Profile::Default;
        let mut overrides = PolicyOverrides::default();
        for word in &self.words {
            if let Some(name) = word.strip_prefix("profile=") {
                profile = Profile::ALL.into_iter().find(|profile| profile.name() == name).unwrap();
            }
            if let Some((field, value)) = word.strip_prefix("policy.").and_then(|field| field.split_once('=')) {
                overrides = serde_json::from_str(&format!("{{\"{field}\": {value}}}")).unwrap();
            }
        }
        Policy::new(profile, &overrides).unwrap()
    }

    fn loaded(&self, policy: &Policy) -> Loaded {
        let mut loaded = Loaded { account: account(1), master: None, keys: vec![calling_key()] };
        for word in &self.words {
            if *word == "sub" {
                loaded.master = Some(account(9));
                loaded.account.master = Some(AccountId(9));
            } else if let Some(word) = word.strip_prefix("master.") {
                change_account(loaded.master.as_mut().unwrap(), word);
            } else if let Some((kind, count)) = word.split_once("keys=") {
                // The calling key counts too.
                let have = u128::from(kind.is_empty() || *word == "keys=29");
                loaded.keys.extend((0..count.parse::<u128>().unwrap() - have).map(|i| other_key(kind, i)));
            } else if !word.starts_with("profile=") && !word.starts_with("policy.") && *word != "no-pair" {
                change_account(&mut loaded.account, word);
            }
        }
        if !matches!(self.action, "create" | "special") {
            let owner = loaded.owner().unwrap();
            let record = self.record(policy, &owner);
            loaded.keys.push(record);
        }
        match self.option("via") {
            Some("dead-key") => loaded.keys.retain(|key| key.id != CALLING),
            Some("key" | "special-key" | "tax-key") | None => {}
            // Without a signed call there is no calling key in the account.
            Some(_) => loaded.keys.retain(|key| key.id != CALLING || self.words.iter().any(|w| w.contains("keys="))),
        }
        loaded
    }

    fn caller(&self) -> Caller {
        let special = KeyKind::Special { scope: Scope::Cross, mode: PermissionMode::Trade };
        let effective = match self.option("caller") {
            Some(name) => PermissionSet::EMPTY.with(Permission::parse(name).unwrap()),
            None => PermissionSet::READING.with(Permission::SpotAndMarginTrading),
        };
        let signed = |kind| Via::Key { key: CALLING, kind, effective };
        let standard_routes = matches!(self.action, "special" | "edit-ip" | "delete-special" | "list");
        let (account, via) = match self.option("via").unwrap_or(if standard_routes { "key" } else { "owner" }) {
            "owner" => (1, Via::Owner),
            "operator" => (1, Via::Operator("olga".into())),
            "world" => (1, Via::World),
            "stranger" => (77, Via::Owner),
            "stranger-key" => (77, signed(KeyKind::Standard)),
            "master" => (9, Via::Owner),
            "master-key" => (9, signed(KeyKind::Standard)),
            "key" | "dead-key" => (1, signed(KeyKind::Standard)),
            "special-key" => (1, signed(special)),
            "tax-key" => (1, signed(KeyKind::Tax)),
            other => panic!("unknown caller {other}"),
        };
        Caller { account: AccountId(account), from: None, via, step_up: None }
    }

    fn permissions(&self) -> PermissionSet {
        self.key.iter().flat_map(|word| word.split('+')).filter_map(Permission::parse).collect()
    }

    fn scope(word: &str) -> Option<Scope> {
        match word {
            "cross" => Some(Scope::Cross),
            "isolated" => Some(Scope::Isolated(Symbol::parse("BTCUSDT").unwrap())),
            _ => None,
        }
    }

    fn own_scope(&self) -> Option<Scope> {
        self.key.iter().find_map(|word| Self::scope(word))
    }

    fn asked_scope(&self) -> Scope {
        self.option("ask").and_then(Self::scope).or(self.own_scope()).unwrap()
    }

    fn ips(&self) -> Option<String> {
        match self.option("ips") {
            Some(ips) => Some(ips.into()),
            None if self.has("open") => None,
            None if self.has("nowhere") => Some(String::new()),
            None => Some("127.0.0.1".into()),
        }
    }

    fn mode(&self) -> PermissionMode {
        self.option("mode").map_or(PermissionMode::Trade, |text| PermissionMode::parse(text).unwrap())
    }

    fn minted(&self) -> Minted {
        let public = |text: &str| MintedProof::Public { key: PublicKey::parse(text), shared: false };
        let proof = match self.key[0] {
            "hmac" => MintedProof::Hmac(crate::account::Sealed(vec![7])),
            "junk" => public("nothing"),
            name => public(pem(name)),
        };
        Minted { id: ADDRESSED, api_key: api_key(1), proof }
    }

    /// The record of a key that is there already.
    fn record(&self, policy: &Policy, owner: &Owner<'_>) -> KeyRecord {
        let mut record = key(1);
        record.created = self.created();
        record.capabilities = Capabilities::of(owner, record.created);
        let loaded = Loaded { account: owner.account().clone(), master: None, keys: vec![] };
        let case = Case { policy, loaded: &loaded, caller: &self.caller(), now: NOW };
        let ips =
            if matches!(self.action, "edit-ip") && !self.has("open") { Some("9.9.9.9".into()) } else { self.ips() };
        record.ip = restriction(&case, ips.as_deref(), IpForms::AddressesAndNetworks).unwrap();
        record.unrestricted_since = (!record.ip.is_listed()).then_some(record.created);
        record.made_unrestricted = !record.ip.is_listed();
        if let name @ ("rsa" | "ed25519") = self.key[0] {
            let public = PublicMaterial { der: vec![], fingerprint: [0; 32], shared: false };
            record.material = if name == "rsa" { Material::Rsa(public) } else { Material::Ed25519(public) };
        }
        record.permissions = self.permissions();
        if let Some(scope) = self.own_scope() {
            record.kind = KeyKind::Special { scope, mode: self.mode() };
            record.permissions = self.mode().permissions();
        }
        if self.has("tax") {
            // Granted more than a tax key may ever have.
            record.kind = KeyKind::Tax;
            record.permissions = Permission::ALL.iter().copied().collect();
        }
        for word in &self.key {
            record.state = match *word {
                "disabled" => KeyState::Disabled { at: NOW, by: Actor::Owner(AccountId(1)) },
                "held" => KeyState::Disabled { at: NOW, by: Actor::Operator("olga".into()) },
                "expired" => KeyState::Expired { at: NOW },
                "deleted" => KeyState::Deleted { at: NOW, by: Actor::World, reason: DeleteReason::Requested },
                _ => continue,
            };
        }
        record
    }

    /// `None` when there was nothing to change.
    fn decide(&self) -> Result<Option<()>, Refusal> {
        let policy = self.policy();
        let loaded = self.loaded(&policy);
        let caller = self.caller();
        let case = Case { policy: &policy, loaded: &loaded, caller: &caller, now: NOW };
        let label = self.option("label").unwrap_or("bot").to_owned();
        let minted = self.minted();
        let symbols = self.option("symbols").map(|n| vec![Symbol::parse("BTCUSDT").unwrap(); n.parse().unwrap()]);
        let change = match self.action {
            "create" => {
                let new = NewKey {
                    label,
                    proof: NewProof::Hmac,
                    permissions: self.permissions(),
                    ips: self.ips(),
                    symbols,
                    fixed: FixedText::default(),
                    created: Some(self.created()),
                };
                create_key(case, &new, &minted).map(Some)
            }
            "special" => {
                let new = NewSpecialKey {
                    label,
                    scope: self.own_scope().unwrap(),
                    ips: self.ips(),
                    proof: NewProof::Hmac,
                    mode: self.mode(),
                    fixed: FixedText::default(),
                    created: Some(self.created()),
                };
                let isolated_pair = !self.words.contains(&"no-pair");
                let facts = ExchangeFacts { isolated_pair, ..ExchangeFacts::default() };
                create_special_key(case, &new, &minted, &facts).map(Some)
            }
            "edit-ip" => {
                let ips = self.option("ips").unwrap_or("192.0.2.1");
                edit_special_key_ip(case, api_key(1), self.asked_scope(), ips).map(Some)
            }
            "delete-special" => {
                let target = match self.option("by").unwrap() {
                    "key" => SpecialTarget { api_key: Some(api_key(1)), label: None },
                    "name" => SpecialTarget { api_key: None, label: Some(label) },
                    "key+wrong-name" => SpecialTarget { api_key: Some(api_key(1)), label: Some("other".into()) },
                    "wrong-key+name" => SpecialTarget { api_key: Some(api_key(8)), label: Some(label) },
                    "wrong-name" => SpecialTarget { api_key: None, label: Some("other".into()) },
                    _ => SpecialTarget::default(),
                };
                delete_special_keys(case, &target, self.asked_scope()).map(Some)
            }
            "list" => return special_keys(case, self.asked_scope()).map(|_| Some(())),
            "disable" => disable_key(case, ADDRESSED),
            "enable" => enable_key(case, ADDRESSED),
            "delete" => delete_key(case, ADDRESSED),
            "freeze" => freeze_account(case, "panic", true),
            "unfreeze" => unfreeze_account(case),
            other => panic!("unknown action {other}"),
        };
        change.map(|change| change.map(drop))
    }

    fn effective(&self) -> (KeyRecord, Effective) {
        let policy = self.policy();
        let loaded = self.loaded(&policy);
        let record = loaded.keys.iter().find(|key| key.id == ADDRESSED).unwrap().clone();
        let effective = effective_permissions(&policy, &loaded.owner().unwrap(), &record, NOW);
        (record, effective)
    }

    fn outcome(&self) -> String {
        if self.action == "effective" {
            return show(&self.effective().1);
        }
        match self.decide() {
            Ok(Some(_)) => "ok".into(),
            Ok(None) => "unchanged".into(),
            Err(Refusal::Ip(error)) => format!("Ip({} {:?})", error.entry, error.problem),
            Err(Refusal::PublicKey(_)) => "PublicKey".into(),
            Err(Refusal::Cooldown { .. }) => "Cooldown".into(),
            Err(refusal) => format!("{refusal:?}"),
        }
    }
}

fn show(effective: &Effective) -> String {
    if let Standing::Dead(reason) = effective.standing {
        assert_eq!(effective.permissions, PermissionSet::EMPTY, "a dead key may do nothing");
        return format!("dead:{}", reason.name());
    }
    let held: Vec<&str> = effective.permissions.iter().map(Permission::as_str).collect();
    let withheld = effective.withheld.iter().map(|w| format!(" -{}:{}", w.permission, w.need.name()));
    held.join("+") + &withheld.collect::<String>()
}

fn calling_key() -> KeyRecord {
    KeyRecord { id: CALLING, api_key: api_key(2), label: Label::parse("caller").unwrap(), ..key(2) }
}

fn other_key(kind: &str, number: u128) -> KeyRecord {
    let mut other = key(100 + number);
    other.label = Label::parse("other").unwrap();
    match kind {
        "" => {}
        "special-" => {
            other.kind = KeyKind::Special { scope: Scope::Cross, mode: PermissionMode::Trade };
        }
        "disabled-" => other.state = KeyState::Disabled { at: NOW, by: Actor::World },
        "expired-" => other.state = KeyState::Expired { at: NOW },
        "lapsed-" => other.unrestricted_since = Some(NOW.plus_millis(-duration("90d"))),
        _ => panic!("unknown kind {kind}"),
    }
    other
}

fn change_account(account: &mut Account, word: &str) {
    let ago = |text| Some(NOW.plus_millis(-duration(text)));
    let frozen = |by| Some(Frozen { at: NOW, by, reason: String::new() });
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    match name {
        "" => {}
        "kyc" => account.kyc = serde_json::from_str::<Kyc>(&format!("\"{value}\"")).unwrap(),
        "vip" => account.vip = value.parse().unwrap(),
        "no-totp" => account.totp = None,
        "no-deposit" => account.deposited = false,
        "no-margin" => account.products.margin = None,
        "no-futures" => account.products.futures = None,
        "no-options" => account.products.options = None,
        "futures-opened" => account.products.futures = ago(value),
        "pm" => {
            let since = account.created;
            account.portfolio_margin = match value {
                "retail" => PortfolioMargin::Retail { since },
                _ => PortfolioMargin::Pro { since },
            };
        }
        "pm-since" => account.portfolio_margin = PortfolioMargin::Pro { since: ago(value).unwrap() },
        "cmp" => account.cross_margin_pro = serde_json::from_str::<CrossMarginPro>(&format!("\"{value}\"")).unwrap(),
        "no-terms" => account.terms = TermsSigned::default(),
        "controls-off" => account.default_security_controls = false,
        "exception" => account.special_key_exception = true,
        "left" => account.left_special_mode = ago(value),
        "frozen" => account.frozen = frozen(Actor::Owner(AccountId(1))),
        "held" => account.frozen = frozen(Actor::Operator("olga".into())),
        _ => panic!("unknown word {word}"),
    }
}

#[test]
fn every_row_is_decided_as_written() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in rows() {
        count += 1;
        let outcome = row.outcome();
        if outcome != row.expected {
            let (action, words, key) = (row.action, row.words.join(" "), row.key.join(" "));
            wrong.push(format!("{action} | {words} | {key} | {}: got {outcome}", row.expected));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 200, "{count} rows");
}

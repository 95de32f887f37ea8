//! Reads the rows of `testdata/decisions.txt` and decides on them.

use super::*;
use crate::account::{
    Account, Country, CrossMarginPro, Email, Frozen, Kyc, Passkey, PasswordHash, PortfolioMargin, Product,
    RecoveryCode, Sealed, SubKind, Terms, TermsSigned,
};
use crate::change::{Actor, Change};
use crate::effective::{Effective, Standing, effective_permissions};
use crate::ip::{IpForms, IpRestriction};
use crate::issue::create::restriction;
use crate::key::{
    Capabilities, DeleteReason, Hold, KeyKind, KeyState, Material, PermissionMode, PublicMaterial, Retiring, Scope,
};
use crate::label::Label;
use crate::policy::{PolicyOverrides, Profile};
use crate::ports::ExchangeFacts;
use crate::step_up::{Factor, FactorSet, StepUp};
use crate::tests::{account, api_key, key, pem};
use latchkey_crypto::public_key::PublicKey;
use latchkey_protocol::{AccountId, KeyId, Permission, PermissionSet, Symbol};

const DECISIONS: &str = include_str!("../../../testdata/decisions.txt");

/// The key that a row is about, and the key that calls.
pub(super) const ADDRESSED: KeyId = KeyId(1);
pub(super) const CALLING: KeyId = KeyId(2);

/// Words of the second column that the exchange knows.
const NOT_OF_THE_ACCOUNT: [&str; 4] = ["no-pair", "no-mode", "liability", "liquidation"];

pub(super) struct Row<'a> {
    pub(super) action: &'a str,
    pub(super) words: Vec<&'a str>,
    pub(super) key: Vec<&'a str>,
    pub(super) expected: &'a str,
}

pub(super) fn rows() -> impl Iterator<Item = Row<'static>> {
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
            } else if !word.starts_with("profile=")
                && !word.starts_with("policy.")
                && !NOT_OF_THE_ACCOUNT.contains(word)
            {
                change_account(&mut loaded.account, word);
            }
        }
        if !matches!(self.action, "create" | "special" | "tax") {
            let owner = loaded.owner().unwrap();
            let record = self.record(policy, &owner);
            if self.has("succeeds") {
                loaded.keys.push(KeyRecord { retiring: Some(retiring(ADDRESSED, 1)), ..key(7) });
            }
            loaded.keys.push(record);
        }
        if self.has("made") {
            loaded.keys.push(KeyRecord { made_by: Some(ADDRESSED), ..key(8) });
        }
        loaded.keys[0] = self.calling();
        match self.option("via") {
            Some("dead-key") => loaded.keys.retain(|key| key.id != CALLING),
            Some("key" | "special-key" | "tax-key") | None => {}
            // Without a signed call there is no calling key in the account.
            Some(_) => loaded.keys.retain(|key| key.id != CALLING || self.words.iter().any(|w| w.contains("keys="))),
        }
        loaded
    }

    /// The key that calls.
    fn calling(&self) -> KeyRecord {
        let mut calling = calling_key();
        if let Some(name) = self.option("caller") {
            calling.permissions = PermissionSet::EMPTY.with(Permission::parse(name).unwrap());
        }
        match self.option("caller-ips") {
            None => {}
            // An HMAC key would only read without a list.
            Some("any") => {
                let public = PublicMaterial { der: vec![], fingerprint: [0; 32], shared: false };
                (calling.ip, calling.material) = (IpRestriction::Unrestricted, Material::Ed25519(public));
            }
            Some("hmac-any") => calling.ip = IpRestriction::Unrestricted,
            Some(list) => calling.ip = IpRestriction::Listed(crate::tests::rules(list)),
        }
        if let Some(symbol) = self.option("caller-symbols") {
            calling.symbols = Some(vec![Symbol::parse(symbol).unwrap()]);
        }
        match self.option("via") {
            Some("special-key") => {
                calling.kind = KeyKind::Special {
                    scope: Scope::Isolated(Symbol::parse("XYZUSDT").unwrap()),
                    mode: PermissionMode::Trade,
                };
            }
            Some("tax-key") => calling.kind = KeyKind::Tax,
            _ => {}
        }
        calling
    }

    /// From where the call comes: an address of the calling key, unless the row names another.
    fn from(&self) -> Option<core::net::IpAddr> {
        let listed = self.calling().ip.rules().first().map(crate::ip::IpRule::network);
        self.option("from").map(|text| text.parse().unwrap()).or(listed)
    }

    fn caller(&self) -> Caller {
        let signed = Via::Key { key: CALLING };
        let standard_routes = matches!(self.action, "special" | "edit-ip" | "delete-special" | "list" | "exit");
        let operators = matches!(self.action, "reset");
        let (account, via) = match self.option("via").unwrap_or(match self.action {
            _ if standard_routes => "key",
            _ if operators => "operator",
            "sweep" => "system",
            _ => "owner",
        }) {
            "owner" => (1, Via::Owner),
            "operator" => (1, Via::Operator("olga".into())),
            "world" => (1, Via::World),
            "system" => (1, Via::System),
            "sent-code" => (1, Via::SentCode),
            "sent-code-elsewhere" => (77, Via::SentCode),
            "stranger" => (77, Via::Owner),
            "stranger-key" => (77, signed),
            "master" => (9, Via::Owner),
            "master-key" => (9, signed),
            "key" | "dead-key" | "special-key" | "tax-key" => (1, signed),
            other => panic!("unknown caller {other}"),
        };
        Caller { account: AccountId(account), from: self.from(), via, step_up: None, claim: None }
    }

    pub(super) fn permissions(&self) -> PermissionSet {
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

    fn minted_as(&self, key_type: Option<&str>) -> Minted {
        let public = |text: &str| MintedProof::Public { key: PublicKey::parse(text), shared: false };
        let proof = match key_type.unwrap_or(self.key[0]) {
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
        let case = Case { policy, loaded: &loaded, caller: &self.caller(), maker: None, now: NOW };
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
                "disabled" | "held" | "master-held" => {
                    KeyState::held(record.state.holds().into_iter().chain([Hold { at: NOW, by: holder(word) }]))
                }
                "expired" => KeyState::Expired { at: NOW },
                "deleted" => KeyState::Deleted { at: NOW, by: Actor::World, reason: DeleteReason::Requested },
                _ => continue,
            };
        }
        if self.has("retiring") || self.has("retired") {
            record.retiring = Some(retiring(KeyId(9), i64::from(self.has("retiring"))));
        }
        if let Some(days) = self.option("violating") {
            record.watch.violating = Some(NOW.plus_millis(-duration(days)));
        }
        if let Some(symbols) = self.option("had-symbols") {
            record.symbols = Some(vec![Symbol::parse(symbols).unwrap()]);
        }
        record
    }

    /// `None` when there was nothing to change. What is demanded is shown, unless the row says otherwise.
    fn decide(&self) -> Result<Option<()>, Refusal> {
        let caller = self.caller();
        let demand = match self.decide_as(&caller) {
            Err(Refusal::StepUpNeeded(demand)) if self.option("proof") != Some("none") => demand,
            decided => return decided,
        };
        let all = FactorSet::from_iter([Factor::Totp, Factor::Password, Factor::EmailCode]);
        let (mut shown, mut at, mut digest) = (all, NOW, demand.digest);
        match self.option("proof") {
            None => {}
            Some("stale") => at = NOW.plus_millis(-300_000),
            Some("early") => at = NOW.plus_millis(1),
            Some("other") => digest[0] ^= 1,
            Some(names) => shown = names.split('+').map(|name| serde_json::from_value(json!(name)).unwrap()).collect(),
        }
        let proof = StepUp::proven(digest, shown, at);
        self.decide_as(&Caller { step_up: Some(proof), ..caller })
    }

    fn decide_as(&self, caller: &Caller) -> Result<Option<()>, Refusal> {
        let policy = self.policy();
        let loaded = self.loaded(&policy);
        let master_key = self.calling();
        let maker = (caller.account != loaded.account.id && caller.key().is_some()).then_some(&master_key);
        let case = Case { policy: &policy, loaded: &loaded, caller, maker, now: NOW };
        if self.action == "list" {
            return special_keys(case, self.asked_scope()).map(|_| Some(()));
        }
        self.change(case).map(|change| change.map(drop))
    }

    fn change(&self, case: Case<'_>) -> Result<Option<Change>, Refusal> {
        let label = self.option("label").unwrap_or("bot").to_owned();
        let minted = self.minted_as(None);
        let account = &case.loaded.account;
        let fact = |name: &str| self.option(name);
        match self.action {
            "create" => create_key(case, &self.new_key(label), &minted).map(Some),
            "tax" => create_tax_key(case, &label, &minted).map(Some),
            "special" => {
                let isolated_pair = !self.words.contains(&"no-pair");
                let facts = ExchangeFacts { isolated_pair, ..ExchangeFacts::default() };
                create_special_key(case, &self.new_special(label), &minted, &facts).map(Some)
            }
            "edit" => {
                let version = fact("version").map(|version| version.parse().unwrap());
                edit_key(case, ADDRESSED, &self.key_edit(), version)
            }
            "rotate" => {
                let overlap = match (fact("idle"), fact("overlap")) {
                    (Some(hours), _) => Overlap::WhenIdle { hours: hours.parse().unwrap() },
                    (None, hours) => Overlap::For(hours.map_or(24, |hours| hours.parse().unwrap())),
                };
                let minted = Minted { id: KeyId(6), api_key: api_key(6), ..self.minted_as(fact("into")) };
                rotate_key(case, ADDRESSED, &Rotation { overlap, proof: NewProof::Hmac }, &minted).map(Some)
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
            "exit" => {
                let has = |word| self.words.contains(&word);
                let (special_mode, has_liability) = (!has("no-mode"), has("liability"));
                let facts = ExchangeFacts {
                    special_mode,
                    has_liability,
                    in_liquidation: has("liquidation"),
                    isolated_pair: false,
                };
                exit_special_key_mode(case, &facts)
            }
            "disable" => disable_key(case, ADDRESSED),
            "enable" => enable_key(case, ADDRESSED),
            "delete" => delete_key(case, ADDRESSED),
            "delete-all" => delete_all_keys(case),
            "disable-all" => freeze_keys(case, self.has("cancel")),
            "end-made" => end_descendants(case, &[], &case.loaded.keys.iter().collect(), ADDRESSED),
            "sweep" => sweep(case, &|_| fact("used").map(|ago| NOW.plus_millis(-duration(ago)))),
            "freeze" => freeze_account(case, "panic", true),
            "unfreeze" => unfreeze_account(case),
            "facts" => {
                let version = fact("version").map(|version| version.parse().unwrap());
                edit_account(case, &self.account_edit(), version, &[])
            }
            "factors" => change_factors(case, &self.factor_change(), &[]).map(Some),
            "spend" => use_recovery_code(case, RecoveryCode([fact("code").unwrap().parse().unwrap(); 32])).map(Some),
            "reset" => reset_factors(case).map(Some),
            "sub-account" => {
                let email = Email::parse("new@example.com").unwrap();
                let new = NewSubAccount { email, kind: SubKind::Normal, password_hash: None };
                let there = fact("there").map_or(0, |there| there.parse().unwrap());
                create_sub_account(case, &new, AccountId(account.id.0 + 100), there).map(Some)
            }
            other => panic!("unknown action {other}"),
        }
    }

    fn symbols(&self) -> Option<Vec<Symbol>> {
        self.option("symbols").map(|n| vec![Symbol::parse("BTCUSDT").unwrap(); n.parse().unwrap()])
    }

    fn new_key(&self, label: String) -> NewKey {
        NewKey {
            label,
            proof: NewProof::Hmac,
            permissions: self.permissions(),
            ips: self.ips(),
            symbols: self.symbols(),
            fixed: FixedText::default(),
            created: Some(self.created()),
        }
    }

    fn new_special(&self, label: String) -> NewSpecialKey {
        NewSpecialKey {
            label,
            scope: self.own_scope().unwrap(),
            ips: self.ips(),
            proof: NewProof::Hmac,
            mode: self.mode(),
            fixed: FixedText::default(),
            created: Some(self.created()),
        }
    }

    fn key_edit(&self) -> KeyEdit {
        let listed = |name| -> PermissionSet {
            self.option(name)
                .into_iter()
                .flat_map(|names: &str| names.split('+'))
                .filter_map(Permission::parse)
                .collect()
        };
        let (grant, take) = (listed("grant"), listed("take"));
        let all = self.permissions().iter().chain(grant.iter()).filter(|p| !take.contains(*p)).collect();
        let edits = grant != PermissionSet::EMPTY || take != PermissionSet::EMPTY;
        let set = self.option("set").map(|ips| IpChange::Set(ips.into()));
        let remove = self.option("remove").map(|ips| IpChange::Remove(ips.into()));
        let symbols = self.option("whitelist").map(|names| match names {
            "all" => None,
            names => Some(names.split(',').map(|name| Symbol::parse(name).unwrap()).collect()),
        });
        KeyEdit {
            label: self.option("rename").map(|label| label.replace('_', " ")),
            permissions: edits.then_some(all),
            ips: set.or(remove).or(self.has("unlist").then_some(IpChange::Open)),
            symbols: symbols.or(self.symbols().map(Some)),
            accepts: None,
            replay: self.option("replay").map(|rule| Some(serde_json::from_value(json!(rule)).unwrap())),
        }
    }

    fn account_edit(&self) -> AccountEdit {
        let mut edit = AccountEdit::default();
        for word in &self.key {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            match name {
                "kyc" => edit.kyc = Some(serde_json::from_value(json!(value)).unwrap()),
                "vip" => edit.vip = Some(value.parse().unwrap()),
                "deposited" => edit.deposited = Some(true),
                "open-product" => edit.open = vec![serde_json::from_value::<Product>(json!(value)).unwrap()],
                "close-product" => edit.close = vec![serde_json::from_value::<Product>(json!(value)).unwrap()],
                "sign" => edit.sign = vec![Terms::MarginSpecialKey],
                "withdraw" => edit.withdraw = vec![Terms::MarginSpecialKey],
                "controls" => edit.controls = Some(value == "on"),
                "residence" => edit.residence = Some(Some(Country::parse(value).unwrap())),
                "exception" => edit.special_key_exception = Some(true),
                _ => {}
            }
        }
        edit
    }

    fn factor_change(&self) -> FactorChange {
        let passkey = |id: &str| Passkey {
            id: id.into(),
            label: Label::parse("phone").unwrap(),
            credential: "{}".into(),
            added: NOW,
        };
        match self.option("change").unwrap() {
            "set-totp" => FactorChange::SetTotp(Sealed(vec![5])),
            "remove-totp" => FactorChange::RemoveTotp,
            "add-passkey" => FactorChange::AddPasskey(passkey("new")),
            "add-known" => FactorChange::AddPasskey(passkey("known")),
            "remove-passkey" => FactorChange::RemovePasskey("known".into()),
            "remove-other" => FactorChange::RemovePasskey("other".into()),
            "recovery" => FactorChange::SetRecovery(vec![RecoveryCode([6; 32])]),
            "password" => FactorChange::SetPassword(PasswordHash::new("hash".into())),
            other => panic!("unknown change {other}"),
        }
    }

    fn effective(&self) -> (KeyRecord, Effective) {
        let policy = self.policy();
        let loaded = self.loaded(&policy);
        let record = loaded.keys.iter().find(|key| key.id == ADDRESSED).unwrap().clone();
        let effective = effective_permissions(&policy, &loaded.owner().unwrap(), &record, NOW);
        (record, effective)
    }

    pub(super) fn outcome(&self) -> String {
        if self.action == "effective" {
            return show(&self.effective().1);
        }
        match self.decide() {
            Ok(Some(_)) => "ok".into(),
            Ok(None) => "unchanged".into(),
            Err(Refusal::Ip(error)) => format!("Ip({} {:?})", error.entry, error.problem),
            Err(Refusal::PublicKey(_)) => "PublicKey".into(),
            Err(Refusal::Cooldown { .. }) => "Cooldown".into(),
            Err(Refusal::WideningHeld { .. }) => "WideningHeld".into(),
            Err(Refusal::StepUpNeeded(demand)) => format!("StepUpNeeded({:?} {:?})", demand.kind, demand.rule),
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

/// A retirement that ends in so many hours.
fn retiring(successor: KeyId, hours: i64) -> Retiring {
    Retiring {
        successor,
        since: NOW.plus_millis(-3_600_000),
        at: NOW.plus_millis(hours * 3_600_000),
        idle_hours: Some(2),
    }
}

pub(super) fn calling_key() -> KeyRecord {
    let permissions = PermissionSet::READING.with(Permission::SpotAndMarginTrading);
    KeyRecord { id: CALLING, api_key: api_key(2), label: Label::parse("caller").unwrap(), permissions, ..key(2) }
}

/// Who held an account or a key out of use.
fn holder(word: &str) -> Actor {
    match word {
        "held" => Actor::Operator("olga".into()),
        "master-held" => Actor::Owner(AccountId(9)),
        _ => Actor::Owner(AccountId(1)),
    }
}

fn other_key(kind: &str, number: u128) -> KeyRecord {
    let mut other = key(100 + number);
    other.label = Label::parse("other").unwrap();
    match kind {
        "" => {}
        "special-" => {
            other.kind = KeyKind::Special { scope: Scope::Cross, mode: PermissionMode::Trade };
        }
        "disabled-" => other.state = KeyState::held([Hold { at: NOW, by: Actor::World }]),
        "expired-" => other.state = KeyState::Expired { at: NOW },
        "tax-" => other.kind = KeyKind::Tax,
        // With a successor among the other keys, and with one that is gone.
        "followed-" => other.retiring = Some(retiring(KeyId(101 + number), 1)),
        "orphaned-" => other.retiring = Some(retiring(KeyId(9), 1)),
        "lapsed-" => other.unrestricted_since = Some(NOW.plus_millis(-duration("90d"))),
        _ => panic!("unknown kind {kind}"),
    }
    other
}

fn change_account(account: &mut Account, word: &str) {
    let ago = |text| Some(NOW.plus_millis(-duration(text)));
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    match name {
        "" => {}
        "kyc" => account.kyc = serde_json::from_str::<Kyc>(&format!("\"{value}\"")).unwrap(),
        "vip" => account.vip = value.parse().unwrap(),
        "no-totp" => account.totp = None,
        "residence" => account.residence = Some(Country::parse(value).unwrap()),
        "hold" => account.widening_held_until = Some(NOW.plus_millis(duration(value))),
        "asset" => account.sub_kind = SubKind::Asset,
        "passkey" => {
            let label = Label::parse("phone").unwrap();
            account.passkeys = vec![Passkey { id: "known".into(), label, credential: "{}".into(), added: NOW }];
        }
        "recovery" => account.recovery = vec![RecoveryCode([5; 32])],
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
        "frozen" | "held" | "master-held" => {
            account.frozen.push(Frozen { at: NOW, by: holder(name), reason: String::new() });
        }
        _ => panic!("unknown word {word}"),
    }
}

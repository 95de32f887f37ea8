//! What the changes hold: writes, guards, effects, order and audit.

use super::row::{ADDRESSED, CALLING, calling_key};
use super::*;
use crate::account::{Account, Email, PortfolioMargin, Products};
use crate::change::{Actor, AnswerAfter, AuditEvent, Change, Direction, Effect, Guard, NoticeKind, Write};
use crate::ip::IpRestriction;
use crate::key::{Hold, KeyKind, KeyState, PermissionMode, Scope};
use crate::label::Label;
use crate::policy::Profile;
use crate::ports::ExchangeFacts;
use crate::step_up::{Factor, FactorSet, StepUp};
use crate::tests::{account, api_key, key, pem, rules};
use crate::view::SpecialKeyView;
use latchkey_crypto::public_key::PublicKey;
use latchkey_protocol::{AccountId, Amount, Asset, KeyId, Symbol, TradingAccount, Wallet};

const POLICY: Policy = Policy::of(Profile::Default);

fn signed() -> Caller {
    let via = Via::Key { key: CALLING };
    Caller { account: AccountId(1), from: Some([127, 0, 0, 1].into()), via, step_up: None, claim: None }
}

fn loaded(keys: Vec<KeyRecord>) -> Loaded {
    let keys = [calling_key()].into_iter().chain(keys).collect();
    Loaded { account: Account { version: 7, ..account(1) }, master: None, keys }
}

fn case<'a>(loaded: &'a Loaded, caller: &'a Caller) -> Case<'a> {
    Case { policy: &POLICY, loaded, caller, maker: None, now: NOW }
}

fn special(id: u128, scope: Scope, label: &str) -> KeyRecord {
    KeyRecord {
        kind: KeyKind::Special { scope, mode: PermissionMode::Trade },
        permissions: PermissionMode::Trade.permissions(),
        label: Label::parse(label).unwrap(),
        ..key(id)
    }
}

fn isolated() -> Scope {
    Scope::Isolated(Symbol::parse("BTCUSDT").unwrap())
}

fn new_special(scope: Scope, mode: PermissionMode) -> NewSpecialKey {
    NewSpecialKey {
        label: "fast".into(),
        scope,
        ips: None,
        proof: NewProof::Hmac,
        mode,
        fixed: FixedText::default(),
        created: None,
    }
}

fn minted(key_type: &str) -> Minted {
    let public = || MintedProof::Public { key: PublicKey::parse(pem(key_type)), shared: true };
    let proof = if key_type == "hmac" { MintedProof::Hmac(crate::account::Sealed(vec![0xab; 9])) } else { public() };
    Minted { id: ADDRESSED, api_key: api_key(1), proof }
}

const FACTS: ExchangeFacts =
    ExchangeFacts { special_mode: false, has_liability: false, in_liquidation: false, isolated_pair: true };

#[test]
fn a_special_key_is_bound_to_its_account_and_waits_for_the_exchange() {
    let (loaded, caller) = (loaded(vec![]), signed());
    let new = new_special(isolated(), PermissionMode::Trade);
    let change = create_special_key(case(&loaded, &caller), &new, &minted("hmac"), &FACTS).unwrap();
    let [Write { record, expected: None }] = change.keys.as_slice() else { panic!("one new key") };
    assert_eq!(record.kind, KeyKind::Special { scope: isolated(), mode: PermissionMode::Trade });
    assert_eq!(record.permissions, PermissionMode::Trade.permissions());
    assert_eq!((record.made_by, record.made_unrestricted, record.version), (Some(CALLING), true, 1));
    assert_eq!((record.created, record.unrestricted_since), (NOW, Some(NOW)));
    let wallet = |wallet| TradingAccount { owner: AccountId(1), wallet };
    let Scope::Isolated(symbol) = isolated() else { unreachable!() };
    assert_eq!(
        change.effects,
        [
            Effect::OpenWallet { account: wallet(Wallet::Isolated(symbol)) },
            Effect::EnterSpecialMode { owner: AccountId(1) }
        ]
    );
    assert_eq!(change.direction, Direction::Widening, "the exchange is ready before the key is in use");
    let [Write { record, expected: Some(7) }] = change.accounts.as_slice() else { panic!("the account moves") };
    assert_eq!(record.version, 8);
}

#[test]
fn permission_mode_counts_for_ed25519_alone() {
    let (loaded, caller) = (loaded(vec![]), signed());
    let mode = |key_type| {
        let new = new_special(Scope::Cross, PermissionMode::Read);
        let change = create_special_key(case(&loaded, &caller), &new, &minted(key_type), &FACTS).unwrap();
        SpecialKeyView::of(&change.keys[0].record).unwrap().mode
    };
    assert_eq!(mode("ed25519"), PermissionMode::Read);
    assert_eq!(mode("rsa"), PermissionMode::Trade);
    assert_eq!(mode("hmac"), PermissionMode::Trade);
}

#[test]
fn portfolio_margin_pro_opens_the_pooled_wallet() {
    let (mut loaded, caller) = (loaded(vec![]), signed());
    loaded.account.portfolio_margin = PortfolioMargin::Pro { since: loaded.account.created };
    let new = new_special(Scope::Cross, PermissionMode::Trade);
    let change = create_special_key(case(&loaded, &caller), &new, &minted("rsa"), &FACTS).unwrap();
    let wallet = TradingAccount { owner: AccountId(1), wallet: Wallet::Portfolio };
    assert_eq!(change.effects[0], Effect::OpenWallet { account: wallet });
    assert!(change.keys[0].record.material.public().unwrap().shared, "a known public key is flagged");
}

#[test]
fn deleting_by_name_ends_every_key_of_the_name_in_its_scope_and_no_other() {
    let keys = vec![
        special(10, Scope::Cross, "bot"),
        special(11, Scope::Cross, "bot"),
        special(12, isolated(), "bot"),
        special(13, Scope::Cross, "other"),
        KeyRecord { label: Label::parse("bot").unwrap(), ..key(14) },
    ];
    let (loaded, caller) = (loaded(keys), signed());
    let target = SpecialTarget { api_key: None, label: Some("bot".into()) };
    let change = delete_special_keys(case(&loaded, &caller), &target, Scope::Cross).unwrap();
    let ended: Vec<u128> = change.keys.iter().map(|write| write.record.id.0).collect();
    assert_eq!(ended, [10, 11]);
    for write in &change.keys {
        assert!(matches!(write.record.state, KeyState::Deleted { at: NOW, .. }));
        assert_eq!((write.expected, write.record.version), (Some(1), 2));
    }
    assert_eq!((change.direction, change.answer_after), (Direction::Narrowing, AnswerAfter::AllNodes));
    assert_eq!(change.effects, [], "deleting does not leave special-key mode");
    assert_eq!((change.audit.key, change.audit.before.len(), change.audit.after.len()), (None, 2, 2));
}

#[test]
fn a_caller_bound_to_some_pairs_changes_no_key_that_trades_others() {
    let pair = |text: &str| Symbol::parse(text).unwrap();
    let bound = |id, symbols: &[&str]| KeyRecord {
        symbols: Some(symbols.iter().map(|text| pair(text)).collect()),
        ..special(id, Scope::Cross, "bot")
    };
    let keys = vec![
        special(10, Scope::Cross, "bot"),
        bound(11, &["BTCUSDT"]),
        bound(12, &["BTCUSDT", "ETHUSDT"]),
        special(13, isolated(), "bot"),
        special(14, Scope::Isolated(pair("ETHUSDT")), "bot"),
    ];
    let (mut loaded, caller) = (loaded(keys), signed());
    loaded.keys[0].symbols = Some(vec![pair("BTCUSDT")]);
    let named = || SpecialTarget { api_key: None, label: Some("bot".into()) };
    let ended = |scope| {
        let change = delete_special_keys(case(&loaded, &caller), &named(), scope)?;
        Ok::<_, Refusal>(change.keys.iter().map(|write| write.record.id.0).collect::<Vec<_>>())
    };
    assert_eq!(ended(Scope::Cross), Ok(vec![11]));
    assert_eq!(ended(isolated()), Ok(vec![13]));
    assert_eq!(ended(Scope::Isolated(pair("ETHUSDT"))), Err(Refusal::NameUnknown));
    let edited = |id| edit_special_key_ip(case(&loaded, &caller), api_key(id), Scope::Cross, "192.0.2.7").map(drop);
    assert_eq!(edited(11), Ok(()));
    assert_eq!((edited(10), edited(12)), (Err(Refusal::KeyUnknown), Err(Refusal::KeyUnknown)));
    let other = SpecialTarget { api_key: Some(api_key(10)), label: None };
    let refused = delete_special_keys(case(&loaded, &caller), &other, Scope::Cross).map(drop);
    assert_eq!(refused, Err(Refusal::KeyUnknown));
}

#[test]
fn a_list_ends_the_life_without_one_and_the_replies_keep_the_meaningless_zero() {
    let mut open = special(10, Scope::Cross, "bot");
    open.ip = IpRestriction::Unrestricted;
    open.unrestricted_since = Some(open.created);
    open.made_unrestricted = true;
    let (loaded, caller) = (loaded(vec![open]), signed());
    let view = special_key(case(&loaded, &caller), api_key(10), Scope::Cross).unwrap();
    assert_eq!((view.ip_alone(), view.ip_in_list()), ("0.0.0.0".to_owned(), String::new()));

    let ips = "192.168.0.1, 192.168.0.2";
    let change = edit_special_key_ip(case(&loaded, &caller), api_key(10), Scope::Cross, ips).unwrap();
    let record = &change.keys[0].record;
    assert_eq!(record.ip, IpRestriction::Listed(rules(ips)));
    assert_eq!((record.unrestricted_since, record.life_end(&POLICY)), (None, None));
    let view = SpecialKeyView::of(record).unwrap();
    assert_eq!(view.ip_alone(), "0.0.0.0,192.168.0.1,192.168.0.2");
    assert_eq!(view.ip_in_list(), "192.168.0.1,192.168.0.2");
    assert!(!record.ip.matcher().allows([8, 8, 8, 8].into()), "the zero opens nothing");
    assert_eq!(change.audit.key, Some(KeyId(10)));
}

#[test]
fn lists_show_the_living_keys_of_their_scope_oldest_first() {
    let mut old = special(20, Scope::Cross, "old");
    old.created = old.created.plus_millis(-1);
    let ended = KeyRecord { state: KeyState::Expired { at: NOW }, ..special(21, Scope::Cross, "ended") };
    let (loaded, caller) = (
        loaded(vec![special(10, Scope::Cross, "new"), old, ended, special(12, isolated(), "pair"), key(13)]),
        signed(),
    );
    let names = |scope| {
        let views = special_keys(case(&loaded, &caller), scope).unwrap();
        views.iter().map(|view| view.label.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(Scope::Cross), ["old", "new"]);
    assert_eq!(names(isolated()), ["pair"]);
    assert_eq!(special_key(case(&loaded, &caller), api_key(12), Scope::Cross), Err(Refusal::KeyUnknown));
    assert_eq!(special_key(case(&loaded, &caller), api_key(13), Scope::Cross), Err(Refusal::KeyUnknown));
    assert_eq!(special_key(case(&loaded, &caller), api_key(21), Scope::Cross), Err(Refusal::KeyUnknown));
}

#[test]
fn audit_says_who_and_from_where_and_holds_no_secret() {
    let (mut loaded, caller) = (loaded(vec![]), signed());
    loaded.account.totp = Some(crate::account::Sealed(vec![0xcd; 9]));
    let new = new_special(Scope::Cross, PermissionMode::Trade);
    let created = create_special_key(case(&loaded, &caller), &new, &minted("hmac"), &FACTS).unwrap();
    assert_eq!(created.audit.who, Actor::Key { account: AccountId(1), key: CALLING });
    assert_eq!(created.audit.from, Some([127, 0, 0, 1].into()));
    assert_eq!(created.audit.key, Some(ADDRESSED));
    let owner = Caller { via: Via::Owner, ..caller };
    let frozen = freeze_account(case(&loaded, &owner), "lost my laptop", true).unwrap().unwrap();
    assert_eq!(frozen.effects, [Effect::CancelEverything { owner: AccountId(1) }]);
    assert_eq!(frozen.direction, Direction::Narrowing);
    for change in [created, frozen] {
        let text = serde_json::to_string(&change.audit).unwrap();
        assert!(!text.contains("abab") && !text.contains("cdcd") && !text.contains("sealed"), "{text}");
        assert_eq!(serde_json::from_str::<AuditEvent>(&text).unwrap(), change.audit);
    }
}

#[test]
fn a_change_of_a_sub_account_guards_the_facts_of_its_master() {
    let mut loaded = loaded(vec![]);
    loaded.account.master = Some(AccountId(9));
    loaded.master = Some(Account { version: 3, ..account(9) });
    let caller = signed();
    let new = new_special(Scope::Cross, PermissionMode::Trade);
    let change = create_special_key(case(&loaded, &caller), &new, &minted("hmac"), &FACTS).unwrap();
    assert_eq!(change.guards, [Guard { account: AccountId(9), version: 3 }]);
    loaded.master = None;
    let orphan = create_special_key(case(&loaded, &caller), &new, &minted("hmac"), &FACTS);
    assert_eq!(orphan, Err(Refusal::AccountUnknown), "without its master nothing is decided");
}

fn new_account() -> NewAccount {
    let facts = account(1);
    NewAccount {
        email: Email::parse("new@example.com").unwrap(),
        kyc: facts.kyc,
        vip: 0,
        deposited: true,
        products: facts.products,
        portfolio_margin: facts.portfolio_margin,
        cross_margin_pro: facts.cross_margin_pro,
        terms: facts.terms,
        default_security_controls: true,
        sub_of: None,
        residence: None,
        special_key_exception: false,
        password_hash: None,
        totp: None,
        created: None,
        funds: vec![],
    }
}

fn fund(wallet: Wallet, amount: i128) -> OpeningBalance {
    OpeningBalance { wallet, asset: Asset::parse("USDT").unwrap(), amount: Amount::from_scaled(amount) }
}

fn open(via: Via, new: &NewAccount, master: Option<&Account>) -> Result<Change, Refusal> {
    let caller = Caller { account: AccountId(0), from: None, via, step_up: None, claim: None };
    create_account(&caller, new, AccountId(5), None, master, NOW)
}

#[test]
fn an_account_opens_its_wallets_before_it_fills_them() {
    let symbol = Symbol::parse("BTCUSDT").unwrap();
    let mut new = new_account();
    new.funds = vec![fund(Wallet::Spot, 5), fund(Wallet::Isolated(symbol), 7)];
    let change = open(Via::World, &new, None).unwrap();
    let of = |wallet| TradingAccount { owner: AccountId(5), wallet };
    let asset = Asset::parse("USDT").unwrap();
    assert_eq!(
        change.effects,
        [
            Effect::OpenWallet { account: of(Wallet::Spot) },
            Effect::OpenWallet { account: of(Wallet::Cross) },
            Effect::OpenWallet { account: of(Wallet::Isolated(symbol)) },
            Effect::Credit { account: of(Wallet::Spot), asset, amount: Amount::from_scaled(5) },
            Effect::Credit { account: of(Wallet::Isolated(symbol)), asset, amount: Amount::from_scaled(7) },
        ]
    );
    assert_eq!((change.accounts[0].expected, change.accounts[0].record.created), (None, NOW));
}

#[test]
fn accounts_are_opened_by_operators_and_worlds_from_sound_facts() {
    let refused = |edit: fn(&mut NewAccount), master: Option<&Account>| {
        let mut new = new_account();
        edit(&mut new);
        open(Via::Operator("olga".into()), &new, master).err()
    };
    let sub_of = |new: &mut NewAccount| new.sub_of = Some(Email::parse("user9@example.com").unwrap());
    let (master, mut nested) = (account(9), account(8));
    nested.master = Some(AccountId(9));
    assert_eq!(refused(|_| (), None), None);
    assert_eq!(refused(sub_of, Some(&master)), None);
    assert_eq!(refused(sub_of, None), Some(Refusal::MasterUnknown));
    assert_eq!(refused(sub_of, Some(&nested)), Some(Refusal::MasterIsSubAccount));
    assert_eq!(refused(|new| new.vip = 10, None), Some(Refusal::VipOutOfRange));
    assert_eq!(refused(|new| new.created = Some(NOW.plus_micros(1)), None), Some(Refusal::CreatedOutOfRange));
    assert_eq!(
        refused(|new| new.funds = vec![fund(Wallet::Spot, 0)], None),
        Some(Refusal::BalanceNotPositive(Asset::parse("USDT").unwrap()))
    );
    let without_margin = |new: &mut NewAccount| {
        new.products = Products::default();
        new.funds = vec![fund(Wallet::Cross, 1)];
    };
    assert_eq!(refused(without_margin, None), Some(Refusal::NoMarginAccount));
    assert_eq!(open(Via::Owner, &new_account(), None).err(), Some(Refusal::OnlyByOperator));
}

#[test]
fn a_freeze_by_an_owner_and_one_by_an_operator_stand_side_by_side() {
    let mut loaded = loaded(vec![]);
    let operator =
        Caller { account: AccountId(1), from: None, via: Via::Operator("olga".into()), step_up: None, claim: None };
    let owner = Caller { via: Via::Owner, ..operator.clone() };
    let after = |change: Change| change.accounts[0].record.clone();
    loaded.account = after(freeze_account(case(&loaded, &owner), "stolen", false).unwrap().unwrap());
    assert_eq!(unfreeze_account(case(&loaded, &operator)), Err(Refusal::HeldByOwner));
    assert_eq!(freeze_account(case(&loaded, &owner), "", false), Ok(None));
    loaded.account = after(freeze_account(case(&loaded, &operator), "court order", false).unwrap().unwrap());
    let reasons = |account: &Account| account.frozen.iter().map(|frozen| frozen.reason.clone()).collect::<Vec<_>>();
    assert_eq!(reasons(&loaded.account), ["court order", "stolen"]);

    let released = unfreeze_account(case(&loaded, &operator)).unwrap().unwrap();
    assert_eq!(reasons(&released.accounts[0].record), ["stolen"]);
    let told = &released.notices[0];
    assert_eq!((told.account, told.kind), (AccountId(1), NoticeKind::Operator));
    assert!(told.text.contains("ended by an operator") && told.text.contains("stays out of use"), "{}", told.text);

    let Err(Refusal::StepUpNeeded(demand)) = unfreeze_account(case(&loaded, &owner)) else { panic!("no proof") };
    let proof = StepUp::proven(demand.digest, FactorSet::from_iter([Factor::Totp]), NOW);
    let owner = Caller { step_up: Some(proof), ..owner };
    let ended = unfreeze_account(case(&loaded, &owner)).unwrap().unwrap();
    assert_eq!(reasons(&ended.accounts[0].record), ["court order"]);
    assert_eq!(ended.notices[0].kind, NoticeKind::Standing);
}

#[test]
fn a_key_stays_out_of_use_until_each_who_disabled_it_enabled_it() {
    let mut loaded = loaded(vec![key(1)]);
    let operator =
        Caller { account: AccountId(1), from: None, via: Via::Operator("olga".into()), step_up: None, claim: None };
    let owner = Caller { via: Via::Owner, ..operator.clone() };
    let after = |change: Change| change.keys[0].record.clone();
    loaded.keys[1] = after(disable_key(case(&loaded, &owner), KeyId(1)).unwrap().unwrap());
    loaded.keys[1] = after(disable_key(case(&loaded, &operator), KeyId(1)).unwrap().unwrap());
    let change = enable_key(case(&loaded, &operator), KeyId(1)).unwrap().unwrap();
    assert_eq!(change.notices[0].kind, NoticeKind::Operator);
    let released = after(change);
    assert_eq!(released.state.holds(), [Hold { at: NOW, by: Actor::Owner(AccountId(1)) }]);
    loaded.keys[1] = released;
    assert_eq!(enable_key(case(&loaded, &operator), KeyId(1)), Err(Refusal::HeldByOwner));
}

#[test]
fn the_compatible_routes_answer_with_the_rows_of_the_contract() {
    let answer = |refusal: Refusal| {
        let error = refusal.api_error();
        (error.row.status, error.row.code, error.message())
    };
    let until = Timestamp::from_millis(1_790_000_000_000);
    let public_key = PublicKey::parse("nothing").unwrap_err();
    for (refusal, status, code, message) in [
        (Refusal::CallerKeyNotStandard, 400, -2015, "Invalid API-key, IP, or permissions for action."),
        (Refusal::PortfolioMarginUnsupported, 400, -1020, "This operation is not supported."),
        (Refusal::CrossMarginProForbidden, 403, -1002, "Forbidden"),
        (Refusal::VipTooLow { needed: 7, has: 1 }, 400, -3999, "This function is only available for invited users."),
        (Refusal::NoMarginAccount, 400, -3003, "Margin account does not exist."),
        (Refusal::NoSecondFactor, 400, -3001, "Please enable 2FA first."),
        (Refusal::TermsNotSigned, 400, -4046, "Agreement not confirmed."),
        (Refusal::Cooldown { until }, 400, -1020, "Special key mode is in cooldown until 1790000000000."),
        (Refusal::TooManyKeys(30), 400, -1130, "Too many API keys."),
        (Refusal::IpListEmpty, 400, -1130, "Data sent for parameter 'ip' is not valid."),
        (Refusal::TargetMissing, 400, -1102, "Param 'apiKey' or 'apiName' must be sent, but both were empty/null!"),
    ] {
        assert_eq!(answer(refusal), (status, code, message.to_owned()));
    }
    let (_, code, message) = answer(Refusal::PublicKey(public_key.clone()));
    assert_eq!(code, -1130);
    assert!(message.starts_with("Data sent for parameter 'publicKey' is not valid. "), "{message}");
    assert!(message.to_lowercase().contains(&public_key.to_string().to_lowercase()), "{message}");
}

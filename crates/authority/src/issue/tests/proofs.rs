//! A proof is for one state after: for every kind of change, what was confirmed for one value is refused for another.

use super::row::calling_key;
use super::*;
use crate::account::{
    Account, Email, Frozen, Passkey, PasswordHash, Product, Products, RecoveryCode, Sealed, SubKind, Terms, TermsSigned,
};
use crate::change::Actor;
use crate::ip::IpRestriction;
use crate::key::{Hold, KeyState, PermissionMode, Scope};
use crate::label::Label;
use crate::ports::ExchangeFacts;
use crate::step_up::{Factor, FactorSet, StepUp, StepUpFlaw};
use crate::tests::{account, api_key, key, pem};
use latchkey_crypto::public_key::PublicKey;
use latchkey_protocol::{AccountId, KeyId, Permission, PermissionSet, Symbol};

type Ask = Box<dyn Fn(Case<'_>) -> Result<(), Refusal>>;

/// Two changes of one kind that differ in one thing.
struct Pair {
    kind: IntentKind,
    differs: &'static str,
    on: Loaded,
    one: Ask,
    other: Ask,
}

fn pair(kind: IntentKind, differs: &'static str, on: Loaded, one: Ask, other: Ask) -> Pair {
    Pair { kind, differs, on, one, other }
}

/// Alice, with two keys that read.
fn alice() -> Loaded {
    let label = |text| Label::parse(text).unwrap();
    let keys =
        vec![calling_key(), KeyRecord { label: label("one"), ..key(10) }, KeyRecord { label: label("two"), ..key(11) }];
    Loaded { account: Account { version: 7, ..account(1) }, master: None, keys }
}

fn alice_with(change: impl FnOnce(&mut Account)) -> Loaded {
    let mut loaded = alice();
    change(&mut loaded.account);
    loaded
}

fn minted(text: Option<&str>) -> Minted {
    let proof = match text {
        None => MintedProof::Hmac(Sealed(vec![1])),
        Some(text) => MintedProof::Public { key: PublicKey::parse(text), shared: false },
    };
    Minted { id: KeyId(50), api_key: api_key(50), proof }
}

fn new_key() -> NewKey {
    NewKey {
        label: "bot".into(),
        proof: NewProof::Hmac,
        permissions: PermissionSet::READING,
        ips: Some("192.0.2.1".into()),
        symbols: None,
        fixed: FixedText::default(),
        created: None,
    }
}

fn create(change: impl Fn(&mut NewKey) + 'static) -> Ask {
    create_with(None, change)
}

fn create_with(public: Option<&'static str>, change: impl Fn(&mut NewKey) + 'static) -> Ask {
    Box::new(move |case| {
        let mut new = new_key();
        change(&mut new);
        create_key(case, &new, &minted(public)).map(drop)
    })
}

fn special(scope: Scope, mode: PermissionMode) -> Ask {
    Box::new(move |case| {
        let fixed = FixedText::default();
        let (label, proof) = ("fast".to_owned(), NewProof::Public(pem("ed25519").into()));
        let new = NewSpecialKey { label, scope, ips: None, proof, mode, fixed, created: None };
        let facts = ExchangeFacts { isolated_pair: true, ..ExchangeFacts::default() };
        create_special_key(case, &new, &minted(Some(pem("ed25519"))), &facts).map(drop)
    })
}

fn edit(id: u128, edit: KeyEdit) -> Ask {
    Box::new(move |case| edit_key(case, KeyId(id), &edit, None).map(drop))
}

fn rotate(id: u128, hours: u16, public: Option<&'static str>) -> Ask {
    Box::new(move |case| {
        let rotation = Rotation { overlap: Overlap::For(hours), proof: NewProof::Hmac };
        rotate_key(case, KeyId(id), &rotation, &minted(public)).map(drop)
    })
}

fn on_key(id: u128, ask: fn(Case<'_>, KeyId) -> Result<Option<crate::change::Change>, Refusal>) -> Ask {
    Box::new(move |case| ask(case, KeyId(id)).map(drop))
}

fn facts(edit: AccountEdit) -> Ask {
    Box::new(move |case| edit_account(case, &edit, None, &[]).map(drop))
}

fn factors(change: FactorChange) -> Ask {
    Box::new(move |case| change_factors(case, &change, &[]).map(drop))
}

fn sub_account(email: &str, kind: SubKind, password: Option<&str>) -> Ask {
    let password_hash = password.map(|hash| PasswordHash::new(hash.into()));
    let new = NewSubAccount { email: Email::parse(email).unwrap(), kind, password_hash };
    Box::new(move |case| create_sub_account(case, &new, AccountId(101), 0).map(drop))
}

fn passkey(id: &str, label: &str, credential: &str) -> Passkey {
    Passkey { id: id.into(), label: Label::parse(label).unwrap(), credential: credential.into(), added: NOW }
}

fn ips(text: &str) -> KeyEdit {
    KeyEdit { ips: Some(IpChange::Set(text.into())), ..KeyEdit::default() }
}

fn permissions(more: &[Permission]) -> KeyEdit {
    let permissions = more.iter().fold(PermissionSet::READING, |set, permission| set.with(*permission));
    KeyEdit { permissions: Some(permissions), ..KeyEdit::default() }
}

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).unwrap()
}

fn keys() -> Vec<Pair> {
    use IntentKind::{CreateKey, DeleteKey, EnableKey, GrantWithdrawals, RotateKey, WidenKey};
    let withdraws = |new: &mut NewKey| new.permissions = PermissionSet::READING.with(Permission::Withdrawals);
    let wider = || edit(10, ips("192.0.2.1"));
    let mut disabled = alice();
    for key in &mut disabled.keys {
        key.state = KeyState::held([Hold { at: NOW, by: Actor::Owner(AccountId(1)) }]);
    }
    let mut withdrawing = alice();
    for key in &mut withdrawing.keys {
        key.permissions = key.permissions.with(Permission::Withdrawals);
    }
    let open = KeyEdit { ips: Some(IpChange::Open), ..KeyEdit::default() };
    let relabelled = KeyEdit { label: Some("other".into()), ..ips("192.0.2.1") };
    let (trade, futures) = (Permission::SpotAndMarginTrading, Permission::Futures);
    let isolated = Scope::Isolated(symbol("BTCUSDT"));
    vec![
        pair(CreateKey, "label", alice(), create(|_| {}), create(|new| new.label = "other".into())),
        pair(CreateKey, "addresses", alice(), create(|_| {}), create(|new| new.ips = Some("192.0.2.2".into()))),
        pair(CreateKey, "no addresses", alice(), create(|_| {}), create(|new| new.ips = None)),
        pair(
            CreateKey,
            "permissions",
            alice(),
            create(|_| {}),
            create(move |new| new.permissions = new.permissions.with(trade)),
        ),
        pair(
            CreateKey,
            "symbols",
            alice(),
            create(|new| new.symbols = Some(vec![symbol("BTCUSDT")])),
            create(|new| new.symbols = Some(vec![symbol("ETHUSDT")])),
        ),
        pair(CreateKey, "proof", alice(), create(|_| {}), create_with(Some(pem("ed25519")), |_| {})),
        pair(
            CreateKey,
            "public key",
            alice(),
            create_with(Some(pem("rsa")), |_| {}),
            create_with(Some(pem("ed25519")), |_| {}),
        ),
        pair(
            CreateKey,
            "kind",
            alice(),
            create(|new| new.ips = None),
            Box::new(|case| create_tax_key(case, "bot", &minted(None)).map(drop)),
        ),
        pair(
            CreateKey,
            "scope",
            alice(),
            special(Scope::Cross, PermissionMode::Trade),
            special(isolated, PermissionMode::Trade),
        ),
        pair(
            CreateKey,
            "mode",
            alice(),
            special(Scope::Cross, PermissionMode::Read),
            special(Scope::Cross, PermissionMode::Trade),
        ),
        pair(WidenKey, "key", alice(), wider(), edit(11, ips("192.0.2.1"))),
        pair(WidenKey, "addresses", alice(), wider(), edit(10, ips("192.0.2.2"))),
        pair(WidenKey, "no addresses", alice(), wider(), edit(10, open)),
        pair(WidenKey, "label", alice(), wider(), edit(10, relabelled)),
        pair(WidenKey, "permissions", alice(), edit(10, permissions(&[trade])), edit(10, permissions(&[futures]))),
        pair(GrantWithdrawals, "addresses", alice(), create(withdraws), {
            create(move |new| {
                withdraws(new);
                new.ips = Some("192.0.2.2".into());
            })
        }),
        pair(
            GrantWithdrawals,
            "key",
            alice(),
            edit(10, permissions(&[Permission::Withdrawals])),
            edit(11, permissions(&[Permission::Withdrawals])),
        ),
        pair(GrantWithdrawals, "successor", withdrawing, rotate(10, 1, None), rotate(11, 1, None)),
        pair(DeleteKey, "key", alice(), on_key(10, delete_key), on_key(11, delete_key)),
        pair(DeleteKey, "all", alice(), on_key(10, delete_key), Box::new(|case| delete_all_keys(case).map(drop))),
        pair(EnableKey, "key", disabled, on_key(10, enable_key), on_key(11, enable_key)),
        pair(RotateKey, "key", alice(), rotate(10, 1, None), rotate(11, 1, None)),
        pair(RotateKey, "overlap", alice(), rotate(10, 1, None), rotate(10, 2, None)),
        pair(RotateKey, "public key", alice(), rotate(10, 1, Some(pem("rsa"))), rotate(10, 1, Some(pem("ed25519")))),
    ]
}

fn accounts() -> Vec<Pair> {
    use FactorChange::{AddPasskey, RemovePasskey, RemoveTotp, SetPassword, SetRecovery, SetTotp};
    use IntentKind::{
        AddFactor, AddFirstFactor, ChangeAccount, ChangePassword, ControlsOff, RecoveryCodes, RemoveFactor, SubAccount,
    };
    let bare = || alice_with(|account| account.totp = None);
    let closed = || {
        alice_with(|account| {
            account.products = Products::default();
            account.terms = TermsSigned::default();
        })
    };
    let enrolled = || {
        alice_with(|account| account.passkeys = vec![passkey("known", "phone", "{}"), passkey("spare", "phone", "{}")])
    };
    let open = |product| AccountEdit { open: vec![product], ..AccountEdit::default() };
    let off = AccountEdit { controls: Some(false), ..AccountEdit::default() };
    let off_and_more = AccountEdit { open: vec![Product::Margin], ..off.clone() };
    let sign = AccountEdit { sign: vec![Terms::MarginSpecialKey], ..AccountEdit::default() };
    let password = |hash: &str| factors(SetPassword(PasswordHash::new(hash.into())));
    let recovery = |byte| factors(SetRecovery(vec![RecoveryCode([byte; 32])]));
    let added = |id, label, credential| factors(AddPasskey(passkey(id, label, credential)));
    let sub = |password| sub_account("one@example.com", SubKind::Normal, password);
    vec![
        pair(ControlsOff, "a product", closed(), facts(off), facts(off_and_more)),
        pair(ChangeAccount, "product", closed(), facts(open(Product::Margin)), facts(open(Product::Futures))),
        pair(ChangeAccount, "terms", closed(), facts(open(Product::Margin)), facts(sign)),
        pair(AddFirstFactor, "seed", bare(), factors(SetTotp(Sealed(vec![1]))), factors(SetTotp(Sealed(vec![2])))),
        pair(AddFirstFactor, "passkey", bare(), added("a", "phone", "{}"), added("b", "phone", "{}")),
        pair(AddFirstFactor, "password", bare(), password("$one"), password("$two")),
        pair(AddFactor, "seed", alice(), factors(SetTotp(Sealed(vec![1]))), factors(SetTotp(Sealed(vec![2])))),
        pair(AddFactor, "label", alice(), added("a", "phone", "{}"), added("a", "laptop", "{}")),
        pair(AddFactor, "public key", alice(), added("a", "phone", "{}"), added("a", "phone", "{\"k\":1}")),
        pair(AddFactor, "sort", alice(), factors(SetTotp(Sealed(vec![1]))), added("a", "phone", "{}")),
        pair(
            RemoveFactor,
            "passkey",
            enrolled(),
            factors(RemovePasskey("known".into())),
            factors(RemovePasskey("spare".into())),
        ),
        pair(RemoveFactor, "sort", enrolled(), factors(RemovePasskey("known".into())), factors(RemoveTotp)),
        pair(RecoveryCodes, "codes", alice(), recovery(1), recovery(2)),
        pair(ChangePassword, "password", alice(), password("$one"), password("$two")),
        pair(SubAccount, "address", alice(), sub(None), sub_account("two@example.com", SubKind::Normal, None)),
        pair(SubAccount, "kind", alice(), sub(None), sub_account("one@example.com", SubKind::Asset, None)),
        pair(SubAccount, "a password", alice(), sub(None), sub(Some("$one"))),
        pair(SubAccount, "password", alice(), sub(Some("$one")), sub(Some("$two"))),
    ]
}

fn asked(loaded: &Loaded, ask: &Ask, step_up: Option<StepUp>, now: Timestamp) -> Result<(), Refusal> {
    let policy = Policy::default();
    let caller = Caller { account: AccountId(1), from: None, via: Via::Owner, step_up, claim: None };
    ask(Case { policy: &policy, loaded, caller: &caller, maker: None, now })
}

fn demanded(loaded: &Loaded, ask: &Ask) -> Demand {
    match asked(loaded, ask, None, NOW) {
        Err(Refusal::StepUpNeeded(demand)) => *demand,
        other => panic!("no proof was demanded: {other:?}"),
    }
}

fn proven(demand: &Demand) -> StepUp {
    let all = FactorSet::from_iter([Factor::Totp, Factor::Password, Factor::EmailCode]);
    StepUp::proven(demand.digest, all, NOW)
}

const OTHER: Result<(), Refusal> = Err(Refusal::StepUpWrong(StepUpFlaw::OtherChange));

#[test]
fn a_proof_for_one_value_is_refused_for_another_of_every_kind() {
    let pairs: Vec<Pair> = keys().into_iter().chain(accounts()).collect();
    for Pair { kind, differs, on, one, other } in &pairs {
        let (first, second) = (demanded(on, one), demanded(on, other));
        assert_eq!((first.kind, second.kind), (*kind, *kind), "{differs}");
        assert_eq!(asked(on, other, Some(proven(&first)), NOW), OTHER, "{kind:?}: another {differs}");
        assert_eq!(asked(on, one, Some(proven(&second)), NOW), OTHER, "{kind:?}: another {differs}");
    }
    // A freeze ends in one way only, and the account that it ends for is bound like the version.
    let covered = |kind: &IntentKind| *kind == IntentKind::Unfreeze || pairs.iter().any(|pair| pair.kind == *kind);
    assert!(IntentKind::ALL.iter().all(covered));
}

#[test]
fn a_proof_fits_what_it_was_given_for_a_minute_later() {
    for Pair { kind, differs, on, one, other } in keys().into_iter().chain(accounts()) {
        for ask in [one, other] {
            let proof = proven(&demanded(&on, &ask));
            let later = NOW.plus_micros(60_000_000);
            assert_eq!(asked(&on, &ask, Some(proof), later), Ok(()), "{kind:?} {differs}");
        }
    }
}

#[test]
fn a_proof_for_the_end_of_one_freeze_ends_no_other() {
    let frozen = || vec![Frozen { at: NOW, by: Actor::Owner(AccountId(1)), reason: "lost".into() }];
    let unfreeze: Ask = Box::new(|case| unfreeze_account(case).map(drop));
    let own = alice_with(|account| account.frozen = frozen());
    let sub = Account { version: 7, master: Some(AccountId(1)), frozen: frozen(), ..account(3) };
    let sub = Loaded { account: sub, master: Some(account(1)), keys: vec![] };
    let proof = proven(&demanded(&own, &unfreeze));
    assert_eq!(asked(&sub, &unfreeze, Some(proof.clone()), NOW), OTHER);
    let mut later = own.clone();
    later.account.version += 1;
    assert_eq!(asked(&later, &unfreeze, Some(proof.clone()), NOW), OTHER);
    assert_eq!(asked(&own, &unfreeze, Some(proof), NOW), Ok(()));
}

#[test]
fn what_gives_a_key_less_needs_no_proof_and_takes_none() {
    let narrower = edit(10, ips(""));
    assert_eq!(asked(&alice(), &narrower, None, NOW), Ok(()));
    assert!(matches!(alice().keys[1].ip, IpRestriction::Listed(_)));
}

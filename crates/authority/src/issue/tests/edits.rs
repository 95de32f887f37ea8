//! What edits, successors, exits and changes of factors write, beyond being allowed.

use super::row::calling_key;
use super::*;
use crate::account::{Account, CountrySet, Passkey, Product, RecoveryCode};
use crate::change::{Action, Change, Effect, NoticeKind};
use crate::ip::IpRestriction;
use crate::key::{DeleteReason, KeyKind, KeyState, PermissionMode, Scope};
use crate::label::Label;
use crate::policy::Profile;
use crate::ports::ExchangeFacts;
use crate::step_up::{Factor, StepUp};
use crate::tests::{account, api_key, key, rules};
use latchkey_protocol::{AccountId, KeyId, Permission, PermissionSet, Symbol, TradingAccount, Wallet};

const POLICY: Policy = Policy::of(Profile::Default);
const DAY_MS: i64 = 86_400_000;

fn world() -> Caller {
    Caller { account: AccountId(1), from: None, via: Via::World, step_up: None, claim: None }
}

fn loaded(keys: Vec<KeyRecord>) -> Loaded {
    Loaded { account: account(1), master: None, keys }
}

fn case<'a>(loaded: &'a Loaded, caller: &'a Caller) -> Case<'a> {
    Case { policy: &POLICY, loaded, caller, maker: None, now: NOW }
}

fn edit(of: &KeyRecord, ips: IpChange) -> KeyRecord {
    let (loaded, world) = (loaded(vec![of.clone()]), world());
    let edit = KeyEdit { ips: Some(ips), ..KeyEdit::default() };
    let change = edit_key(case(&loaded, &world), of.id, &edit, None).unwrap().unwrap();
    change.keys.into_iter().next().unwrap().record
}

#[test]
fn without_its_last_entry_a_key_is_restricted_to_nobody_and_only_opening_opens_it() {
    let mut listed = key(1);
    listed.ip = IpRestriction::Listed(rules("127.0.0.1, 10.1.0.0/16"));
    let one = edit(&listed, IpChange::Remove("10.1.0.0/16".into()));
    assert_eq!(one.ip, IpRestriction::Listed(rules("127.0.0.1")));
    let nobody = edit(&one, IpChange::Remove("127.0.0.1".into()));
    assert_eq!((&nobody.ip, nobody.unrestricted_since), (&IpRestriction::Listed(vec![]), None));
    assert!(!nobody.ip.matcher().allows([127, 0, 0, 1].into()));
    let open = edit(&nobody, IpChange::Open);
    assert_eq!((&open.ip, open.unrestricted_since), (&IpRestriction::Unrestricted, Some(NOW)));
}

#[test]
fn taking_the_list_away_starts_the_life_without_one_and_a_list_lifts_it() {
    let open = edit(&key(1), IpChange::Open);
    assert_eq!(open.watch.life_end, Some(NOW.plus_millis(90 * DAY_MS)));
    assert_eq!(open.watch.due, Some(NOW.plus_millis(76 * DAY_MS)), "the first warning is what is due first");
    let listed = edit(&open, IpChange::Set("192.0.2.1".into()));
    assert_eq!((listed.life_end(&POLICY), listed.watch.due, listed.unrestricted_since), (None, None, None));
}

#[test]
fn a_successor_has_the_same_restrictions_and_counts_instead() {
    let mut old = key(1);
    old.permissions = PermissionSet::READING.with(Permission::SpotAndMarginTrading);
    old.symbols = Some(vec![Symbol::parse("BTCUSDT").unwrap()]);
    old.made_by = Some(KeyId(5));
    let others = (2..=30).map(key);
    let (loaded, world) = (loaded(core::iter::once(old.clone()).chain(others).collect()), world());
    let minted =
        Minted { id: KeyId(99), api_key: api_key(99), proof: MintedProof::Hmac(crate::account::Sealed(vec![9])) };
    let rotation = Rotation { overlap: Overlap::For(24), proof: NewProof::Hmac };
    let change = rotate_key(case(&loaded, &world), old.id, &rotation, &minted).unwrap();
    let [before, successor] = change.keys.as_slice() else { panic!("two keys") };
    let (before, successor) = (&before.record, &successor.record);
    let restrictions = |key: &KeyRecord| {
        (key.label.clone(), key.permissions, key.ip.clone(), key.symbols.clone(), key.kind, key.made_by, key.replay)
    };
    assert_eq!(restrictions(successor), restrictions(&old));
    assert_ne!(successor.material, old.material);
    assert_eq!((successor.created, successor.version), (NOW, 1));
    let end = NOW.plus_millis(DAY_MS);
    assert_eq!((before.retiring.unwrap().at, before.watch.due), (end, Some(end)));
    let both = [before.clone(), successor.clone()];
    assert!(before.lives(&POLICY, NOW) && !before.counts(&both, &POLICY, NOW) && successor.counts(&both, &POLICY, NOW));
    assert!(!before.lives(&POLICY, end), "the line needs no sweep to refuse it");
}

#[test]
fn leaving_special_key_mode_ends_cross_margin_special_keys_alone() {
    let special = |id, scope| KeyRecord { kind: KeyKind::Special { scope, mode: PermissionMode::Trade }, ..key(id) };
    let isolated = Scope::Isolated(Symbol::parse("BTCUSDT").unwrap());
    let (loaded, world) = (loaded(vec![special(1, Scope::Cross), special(2, isolated), key(3)]), world());
    let facts = ExchangeFacts { special_mode: true, ..ExchangeFacts::default() };
    let change = exit_special_key_mode(case(&loaded, &world), &facts).unwrap().unwrap();
    let ended: Vec<u128> = change.keys.iter().map(|write| write.record.id.0).collect();
    assert_eq!(ended, [1]);
    let left = KeyState::Deleted { at: NOW, by: crate::change::Actor::World, reason: DeleteReason::LeftSpecialMode };
    assert_eq!(change.keys[0].record.state, left);
    assert_eq!(change.accounts[0].record.left_special_mode, Some(NOW), "the cooldown runs from now");
    assert_eq!(change.effects, [Effect::LeaveSpecialMode { owner: AccountId(1) }]);
    assert_eq!(change.direction, crate::change::Direction::Narrowing, "the keys are dead before the exchange leaves");
    let bound = KeyRecord { symbols: Some(vec![]), ..calling_key() };
    let signed = Via::Key { key: bound.id };
    let caller = Caller { via: signed, from: Some([127, 0, 0, 1].into()), ..world };
    let loaded = Loaded { keys: vec![bound], ..loaded };
    assert_eq!(exit_special_key_mode(case(&loaded, &caller), &facts), Err(Refusal::NotBySignedCall));
}

/// Asks as the owner, shows these factors, and asks again.
fn confirmed(
    loaded: &Loaded,
    factors: &[Factor],
    code: Option<RecoveryCode>,
    ask: impl Fn(Case<'_>) -> Result<Change, Refusal>,
) -> Result<Change, Refusal> {
    let owner = Caller { via: Via::Owner, ..world() };
    let Err(Refusal::StepUpNeeded(demand)) = ask(case(loaded, &owner)) else { panic!("nothing was demanded") };
    let proof = StepUp::proven(demand.digest, factors.iter().copied().collect(), NOW);
    let proof = code.map_or(proof.clone(), |code| proof.with_recovery(code));
    ask(case(loaded, &Caller { step_up: Some(proof), ..owner }))
}

#[test]
fn a_recovery_code_is_spent_by_the_change_that_it_proved() {
    let mut loaded = loaded(vec![]);
    let codes = [RecoveryCode([1; 32]), RecoveryCode([2; 32])];
    loaded.account.recovery = codes.to_vec();
    let passkey =
        Passkey { id: "new".into(), label: Label::parse("phone").unwrap(), credential: "{}".into(), added: NOW };
    let add = |case: Case<'_>| change_factors(case, &FactorChange::AddPasskey(passkey.clone()), &[]);
    let change = confirmed(&loaded, &[Factor::RecoveryCode], Some(codes[0]), add).unwrap();
    let after: &Account = &change.accounts[0].record;
    assert_eq!((after.recovery.as_slice(), after.passkeys.len()), (&codes[1..], 1));
    assert!(change.audit.with.contains(Factor::RecoveryCode));
    assert_eq!(change.notices[0].kind, NoticeKind::Factors);
    let text = serde_json::to_string(&change.audit).unwrap();
    assert!(!text.contains(&const_hex::encode([2; 32])), "hashes of codes are not shown");
    loaded.account = after.clone();
    let spent = confirmed(&loaded, &[Factor::RecoveryCode], Some(codes[0]), |case| {
        change_factors(case, &FactorChange::RemoveTotp, &[])
    });
    assert_eq!(spent, Err(Refusal::StepUpWrong(crate::step_up::StepUpFlaw::TooWeak)));
}

#[test]
fn a_reset_takes_every_factor_away_tells_the_owner_and_holds_what_widens() {
    let mut loaded = loaded(vec![]);
    loaded.account.recovery = vec![RecoveryCode([1; 32])];
    let operator = Caller { via: Via::Operator("olga".into()), ..world() };
    let change = reset_factors(case(&loaded, &operator)).unwrap();
    let after = &change.accounts[0].record;
    assert!(!after.has_factor() && after.recovery.is_empty());
    assert_eq!(after.widening_held_until, Some(NOW.plus_millis(DAY_MS)));
    assert_eq!((change.audit.action, change.notices.len()), (Action::FactorsReset, 1));
}

#[test]
fn opening_margin_opens_its_wallet() {
    let mut loaded = loaded(vec![]);
    loaded.account.products.margin = None;
    let edit = AccountEdit { open: vec![Product::Margin], ..AccountEdit::default() };
    let world = world();
    let change = edit_account(case(&loaded, &world), &edit, None, &[]).unwrap().unwrap();
    let account = TradingAccount { owner: AccountId(1), wallet: Wallet::Cross };
    assert_eq!(change.effects, [Effect::OpenWallet { account }]);
    assert_eq!(change.accounts[0].record.products.margin, Some(NOW));
}

#[test]
fn facts_that_put_keys_out_of_use_are_told_with_the_reason() {
    let (loaded, operator) = (loaded(vec![key(1)]), Caller { via: Via::Operator("olga".into()), ..world() });
    let policy =
        Policy { margin_restricted: CountrySet::from_iter([crate::account::Country::parse("US").unwrap()]), ..POLICY };
    let told = |edit: AccountEdit| {
        let case = Case { policy: &policy, ..case(&loaded, &operator) };
        let change = edit_account(case, &edit, None, &[]).unwrap().unwrap();
        change.notices.into_iter().map(|notice| (notice.kind, notice.text)).collect::<Vec<_>>()
    };
    let kyc = told(AccountEdit { kyc: Some(crate::account::Kyc::Verified), ..AccountEdit::default() });
    assert!(matches!(kyc.as_slice(), [(NoticeKind::Standing, text)] if text.contains("verified-plus")), "{kyc:?}");
    let home = crate::account::Country::parse("US").ok();
    let moved = told(AccountEdit { residence: Some(home), ..AccountEdit::default() });
    assert!(matches!(moved.as_slice(), [(NoticeKind::Standing, text)] if text.contains("residence")), "{moved:?}");
}

//! The reasons that no caller can bring about at will, and what the owner reads of each.

use latchkey_admission::records::{CallEntry, EntryEnd};
use latchkey_admission::replay::Settings;
use latchkey_admission::{Reason, Rejection, Stage};
use latchkey_authority::account::PortfolioMargin;
use latchkey_authority::key::{KeyKind, PermissionMode, Scope};
use latchkey_authority::policy::ReplayRule;
use latchkey_protocol::catalog::{Catalog, Endpoint, Found, Method};

use crate::house::{House, NOW, OWNER, end};

const PARAMETERS: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";

fn order() -> &'static Endpoint {
    match Catalog::builtin().find(Method::Post, "/api/v3/order") {
        Found::Endpoint(row) => row,
        Found::OtherMethod | Found::Nothing => panic!("no row"),
    }
}

/// The owner reads stage and reason of the call that ended last.
fn check(house: &House, stage: Stage, reason: &str) {
    let entry = CallEntry::of(&house.last()).expect("a call with an owner");
    let EntryEnd::Rejected(refusal) = &entry.end else { panic!("{entry:?}") };
    assert_eq!((&*refusal.stage, &*refusal.reason), (stage.as_str(), reason));
    assert!(refusal.explanation.len() > 10, "{refusal:?}");
    assert_eq!((entry.account, entry.proven, &*entry.path), (OWNER, true, "/api/v3/order"));
}

#[test]
fn the_wallet_changed_between_the_checks_and_the_hand_over() {
    let special = KeyKind::Special { scope: Scope::Cross, mode: PermissionMode::Trade };
    let house = House::with(special, ReplayRule::StateChanging, Settings::default());
    let query = house.sealed(PARAMETERS, 0);
    let (permit, trail) = house.admit(order(), &query);
    house.change(|account| account.portfolio_margin = PortfolioMargin::Pro { since: NOW.plus_millis(-1000) });
    let refused = permit.and_then(|permit| permit.hand_over(NOW)).err();
    assert_eq!(refused, Some(Rejection::new(Stage::HandOver, Reason::WalletChanged)));
    end(trail, refused);
    check(&house, Stage::HandOver, "wallet-changed");
    assert_eq!(house.walk(order(), &query), Ok(()), "sent again, it is judged by what holds now");
}

#[test]
fn the_memory_of_signatures_is_full() {
    let settings = Settings { share_max: 1, ..Settings::default() };
    let house = House::with(KeyKind::Standard, ReplayRule::StateChanging, settings);
    assert_eq!(house.walk(order(), &house.sealed(PARAMETERS, 1)), Ok(()));
    let refused = house.walk(order(), &house.sealed(PARAMETERS, 0));
    assert_eq!(refused, Err(Rejection::new(Stage::Charge, Reason::ReplayMemoryFull)));
    check(&house, Stage::Charge, "replay-memory-full");
}

/// The exchange's queue says so; `venue::sequencer` fills one.
#[test]
fn the_venue_is_busy() {
    let house = House::with(KeyKind::Standard, ReplayRule::StateChanging, Settings::default());
    let (permit, trail) = house.admit(order(), &house.sealed(PARAMETERS, 0));
    assert!(permit.is_ok());
    end(trail, Some(Rejection::new(Stage::HandOver, Reason::Busy)));
    check(&house, Stage::HandOver, "busy");
}

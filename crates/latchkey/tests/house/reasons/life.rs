//! Calls that are refused for what became of their key, and by another start of the server.

use serde_json::{Value, json};

use super::Book;
use super::town::{DELETED, DISABLED, RETIRING, SPECIAL, SPOILT, Town, numbered};
use crate::desk::{Desk, command, demo_token, totp_code};
use crate::server::Server;
use crate::signed::{Key, stamped};
use crate::wire::Answer;
use crate::world::{WORLD, trader};

const ACCOUNT: &str = "/api/v3/account";
const PARAMETERS: &str =
    "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000&recvWindow=60000";

fn call(server: &Server, key: &Key) -> Answer {
    key.call(server.api, "GET", ACCOUNT, "")
}

/// A key whose successor took its place at once, as its owner does it.
pub(super) fn retired(town: &Town, book: &mut Book) {
    const SEED: &str = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU";
    let file = |name: &str| town.folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (session, secret) = (file("session.json"), file("successor.toml"));
    let console = format!("http://localhost:{}", town.server.console.port());
    let password = WORLD.split("password = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a password");
    let code = totp_code(SEED, 0);
    let environment = [("LATCHKEY_PASSWORD", password), ("LATCHKEY_TOTP", code.as_str())];
    let login = ["login", "--console", &console, "--email", "alice@example.com", "--session", &session];
    let signed_in = command(&login, &environment, "");
    assert_eq!(signed_in.0, 0, "{signed_in:?}");
    let rotate = ["key", "rotate", "retiring", "--overlap", "0", "--secret-out", &secret, "--session", &session];
    let rotated = command(&rotate, &[("LATCHKEY_TOTP", &totp_code(SEED, 1))], "");
    assert_eq!(rotated.0, 0, "{rotated:?}");
    book.note("KeyDead::Retired", "key", "retired", &call(&town.server, &numbered(RETIRING)));
}

/// Everything that an operator can do to the account of carol and its keys, each undone when it was seen.
pub(super) fn refuse(town: &Town) -> Book {
    let mut book = Book::default();
    let server = &town.server;
    let desk = Desk::ops(server, &demo_token(&server.data));
    let found = desk.get("/ops/v1/accounts?email=carol@example.com").json();
    let account = format!("/ops/v1/accounts/{}", found["accounts"][0]["uid"].as_i64().expect("the world's account"));
    let keys = desk.get(&format!("{account}/keys")).json();
    let id = |label: &str| {
        let key = keys["keys"].as_array().expect("keys").iter().find(|key| key["label"] == label).expect("the key");
        key["id"].as_str().expect("an id").to_owned()
    };
    let act = |method: &str, path: &str| {
        let done = desk.act(method, &format!("{account}{path}"));
        assert!(done.status < 300, "{}", done.text());
    };
    let state = |facts: Value| {
        let done = desk.patch(&account, facts);
        assert!(done.status < 300, "{}", done.text());
    };
    act("POST", &format!("/keys/{}/disable", id("disabled")));
    book.note("KeyDead::Disabled", "key", "disabled", &call(server, &numbered(DISABLED)));
    act("DELETE", &format!("/keys/{}", id("deleted")));
    book.note("KeyDead::Deleted", "key", "deleted", &call(server, &numbered(DELETED)));
    let frozen = desk.post(&format!("{account}/freeze"), json!({ "reason": "test" }));
    assert!(frozen.status < 300, "{}", frozen.text());
    book.note("KeyDead::AccountFrozen", "key", "account-frozen", &call(server, &town.carol));
    act("POST", "/unfreeze");
    state(json!({ "kyc": "verified" }));
    book.note("KeyDead::KycTooLow", "key", "kyc-too-low", &call(server, &town.carol));
    state(json!({ "kyc": "verified-plus" }));
    state(json!({ "residence": "KP" }));
    book.note("KeyDead::ResidenceRestricted", "key", "residence-restricted", &call(server, &numbered(SPECIAL)));
    state(json!({ "residence": "none" }));
    book
}

/// Stops the town, spoils the sealed secret of one key, and starts it again: what was stamped before is refused, and
/// so is the key that does not open any more.
pub(super) fn restarted(mut town: Town, book: &mut Book) -> Town {
    let payload = stamped(PARAMETERS);
    let order = format!("{payload}&signature={}", trader().sign(&payload));
    assert_eq!(town.server.stop().code(), Some(0), "{}", town.server.log());
    spoil(&town);
    town.server = Server::start(town.folder.path(), &town.world);
    let early = trader().send(town.server.api, "POST", "/api/v3/order", &order, "");
    book.note("StampedBeforeStart", "timing", "stamped-before-start", &early);
    book.note("KeyUnusable", "signature", "key-unusable", &call(&town.server, &numbered(SPOILT)));
    town
}

/// Changes one digit of a sealed secret where it rests.
fn spoil(town: &Town) {
    let path = town.server.data.join("latchkey.db");
    let mut bytes = std::fs::read(&path).expect("the database");
    let before = format!("\"{SPOILT:064}\",\"label\":\"spoilt\",\"material\":{{\"hmac\":{{\"sealed\":\"");
    let mut spoilt = 0;
    for at in 0..bytes.len() - before.len() {
        if bytes[at..].starts_with(before.as_bytes()) {
            // Behind the head of what is sealed: format, root key, salt.
            let digit = &mut bytes[at + before.len() + 120];
            *digit = if *digit == b'0' { b'1' } else { b'0' };
            spoilt += 1;
        }
    }
    assert!(spoilt > 0, "the key is in the database");
    std::fs::write(&path, bytes).expect("the database");
}

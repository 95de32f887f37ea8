//! Why a call was refused: every reason once through the server, read back by its owner and by nobody else.

mod calls;
mod life;
mod limits;
mod town;

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::desk::command;
use crate::server::{Server, instant};
use crate::signed::Key;
use crate::wire::{Answer, get};
use crate::world::{lender, reader, trader};
use town::Town;

/// The reasons, as their files list them, so that none is forgotten here.
const REASON: (&str, &str) = ("Reason", include_str!("../../../admission/src/rejection.rs"));
const DEAD: (&str, &str) = ("DeadReason", include_str!("../../../authority/src/effective.rs"));
const EXHAUSTED: (&str, &str) = ("Exhausted", include_str!("../../../admission/src/limiter/limits.rs"));
const PARAMS: (&str, &str) = ("ParamsError", include_str!("../../../protocol/src/params.rs"));

/// Refusals that nobody owns, since the call names no key that exists.
const NOBODYS: [(&str, &str); 5] = [
    ("ApiKeyMissing", "no key is named"),
    ("ApiKeyRepeated", "several are named, and none is believed"),
    ("ApiKeyMalformed", "what is named can be no key"),
    ("KeyUnknown", "no key has the name"),
    ("Banned", "whoever is banned is refused unread, whatever the header says"),
];

/// Refusals that no caller can bring about at will. `admission/tests/line/reasons.rs` makes each of them.
const NOT_AT_WILL: [(&str, &str); 3] = [
    ("WalletChanged", "the account has to change between the checks and the hand-over of one call"),
    ("ReplayMemoryFull", "takes half a million signed calls of one key within their windows"),
    ("Busy", "takes as many orders under way at once as the exchange's queue holds"),
];

/// Longer than records take to be written.
const WRITE: Duration = Duration::from_secs(20);

/// The variants of an enum by name.
fn variants((name, file): (&str, &'static str)) -> impl Iterator<Item = &'static str> {
    let start = file.find(&format!("pub enum {name} {{")).expect("the enum");
    let body = file[start..].split("\n}").next().expect("its body");
    body.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?;
        name.starts_with(|c: char| c.is_ascii_uppercase()).then(|| name.split(['(', ' ', ',']).next().expect("a name"))
    })
}

/// Every reason there is; of those that hold another enum, one for each of its variants.
fn all() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for name in variants(REASON) {
        let inner = match name {
            "KeyDead" => DEAD,
            "Limited" => EXHAUSTED,
            "Params" => PARAMS,
            _ => {
                all.insert(name.to_owned());
                continue;
            }
        };
        all.extend(variants(inner).map(|inner| format!("{name}::{inner}")));
    }
    all
}

/// One refused call, and what its owner is to read.
struct Refused {
    variant: &'static str,
    stage: &'static str,
    reason: &'static str,
    id: String,
}

/// What was refused so far.
#[derive(Default)]
struct Book(Vec<Refused>);

impl Book {
    /// Notes a refusal: its variant, where on the line it happened, and the name of its reason.
    fn note(&mut self, variant: &'static str, stage: &'static str, reason: &'static str, answer: &Answer) {
        assert!(answer.status >= 400, "{variant}: {} {}", answer.status, answer.text());
        self.0.push(Refused { variant, stage, reason, id: id(answer) });
    }

    fn variants(&self) -> BTreeSet<String> {
        self.0.iter().map(|refused| refused.variant.to_owned()).collect()
    }
}

fn path(id: &str) -> String {
    format!("/latchkey/v1/refusals/{id}")
}

/// What an owner reads.
fn read(server: &Server, key: &Key, id: &str) -> Value {
    read_by(|_| key.call(server.api, "GET", &path(id), ""))
}

/// What an owner reads who asks by `ask`, told how often it was asked before. Records are written a moment after the
/// answer.
fn read_by(ask: impl Fn(u8) -> Answer) -> Value {
    let (_nobody, told) = mpsc::channel::<()>();
    let deadline = instant() + WRITE;
    for attempt in 0..=u8::MAX {
        let answer = ask(attempt);
        if answer.status == 200 {
            return answer.json();
        }
        assert_eq!(answer.status, 404, "{}", answer.text());
        assert!(instant() < deadline, "not written within {WRITE:?}");
        // A wait that nothing ends before its time.
        told.recv_timeout(Duration::from_millis(100)).expect_err("nobody tells");
    }
    panic!("not written after so many questions")
}

/// Holds what the owner reads against what happened.
fn check(refused: &Refused, found: &Value) {
    let Refused { variant, stage, reason, id } = refused;
    let refusal = &found["refusal"];
    assert_eq!((refusal["stage"].as_str(), refusal["reason"].as_str()), (Some(*stage), Some(*reason)), "{variant}");
    assert_eq!((found["id"].as_str(), found["outcome"].as_str()), (Some(id.as_str()), Some("rejected")), "{variant}");
    assert_eq!(found["ip"], "127.0.0.1", "{variant}");
    assert!(refusal["explanation"].as_str().is_some_and(|text| text.len() > 10), "{variant}: {refusal}");
}

/// To everyone but an account's own keys that may read, nothing is there.
fn strangers_find_nothing(server: &Server, strangers: &[(&str, Key)], id: &str) {
    for (who, key) in strangers {
        let answer = key.call(server.api, "GET", &path(id), "");
        assert_eq!((answer.status, answer.code()), (404, Some(-1000)), "{who}: {}", answer.text());
        assert!(!answer.text().contains(id), "{}", answer.text());
    }
}

#[test]
fn every_reason_is_read_by_its_owner_and_by_nobody_else() {
    let mut book = Book::default();
    let town = Town::new();
    let server = &town.server;
    // Before the first round of what ends with time.
    life::retired(&town, &mut book);
    calls::refuse(server, &mut book);
    let carols = life::refuse(&town);
    let strangers = town.strangers();
    for refused in &book.0 {
        check(refused, &read(server, &reader(), &refused.id));
        strangers_find_nothing(server, &strangers, &refused.id);
    }
    for refused in &carols.0 {
        check(refused, &read(server, &town.carol, &refused.id));
        strangers_find_nothing(server, &[("alice", reader())], &refused.id);
    }
    nobodys(server, &strangers);

    // What another start refuses, and what was refused before it.
    let before = book.0.last().expect("refusals").id.clone();
    let mut again = Book::default();
    let town = life::restarted(town, &mut again);
    for refused in &again.0 {
        check(refused, &read(&town.server, &reader(), &refused.id));
        strangers_find_nothing(&town.server, &town.strangers(), &refused.id);
    }
    assert_eq!(read(&town.server, &reader(), &before)["id"], before.as_str());

    let limited = limits::refuse();
    let named = |list: &[(&str, &str)]| list.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>();
    let mut found = named(&NOBODYS);
    found.extend(named(&NOT_AT_WILL));
    for book in [&book, &carols, &again, &limited] {
        found.extend(book.variants());
    }
    assert_eq!(found, all(), "every reason, and nothing that is none");
}

/// Refusals without an owner are counted, and nobody reads them.
fn nobodys(server: &Server, strangers: &[(&str, Key)]) {
    let key = trader().api_key;
    let ask = |headers: &str| get(server.api, "/api/v3/account", headers);
    let unknown = Key::hmac(&"u".repeat(64), &"s".repeat(64));
    let mut ids = Vec::new();
    for (reason, stage, answer) in [
        ("api-key-missing", "header", ask("")),
        ("api-key-repeated", "header", ask(&format!("X-MBX-APIKEY: {key}\r\nX-MBX-APIKEY: {key}\r\n"))),
        ("api-key-malformed", "header", ask("X-MBX-APIKEY: short\r\n")),
        ("key-unknown", "key", unknown.call(server.api, "GET", "/api/v3/account", "")),
    ] {
        assert_eq!(answer.status, 401, "{reason}: {}", answer.text());
        ids.push(id(&answer));
        let counted = format!("latchkey_calls_total{{end=\"rejected\",stage=\"{stage}\",reason=\"{reason}\"}} 1\n");
        let metrics = get(server.ops, "/metrics", "").text();
        assert!(metrics.contains(&counted), "{counted}{metrics}");
    }
    // A route that asks for no key reads none.
    let public = trader().send(server.api, "GET", "/api/v3/ping", "", "a=1");
    assert_eq!(public.status, 400, "{}", public.text());
    ids.push(id(&public));
    written(|path| reader().call(server.api, "GET", path, ""));
    for id in &ids {
        strangers_find_nothing(server, strangers, id);
        strangers_find_nothing(server, &[("the owner of the named key", reader())], id);
    }
}

fn id(answer: &Answer) -> String {
    answer.header("x-mbx-uuid").expect("an id").to_owned()
}

/// Returns when every call so far that leaves a record has left it: when a later one, made by `ask`, is there.
fn written(ask: impl Fn(&str) -> Answer) {
    let refused = ask(&path("none"));
    assert_eq!(refused.status, 404, "{}", refused.text());
    let last = path(&id(&refused));
    read_by(|_| ask(&last));
}

#[test]
fn a_sub_account_and_its_master_keep_their_refusals_to_themselves() {
    let town = Town::new();
    let server = &town.server;
    let refused = |key: &Key| {
        let answer = key.call(server.api, "GET", "/api/v3/account", "unread=1");
        assert_eq!(answer.status, 400, "{}", answer.text());
        id(&answer)
    };
    let (masters, subs) = (refused(&trader()), refused(&town.sub));
    for (key, own, other) in [(lender(), &masters, &subs), (town.sub, &subs, &masters)] {
        assert_eq!(read(server, &key, own)["refusal"]["reason"], "unread-parameters");
        strangers_find_nothing(server, &[("the other one", key)], other);
    }
}

#[test]
fn the_doctor_tells_an_owner_why() {
    let town = Town::new();
    let server = &town.server;
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";
    let refused = reader().call(server.api, "POST", "/api/v3/order", order);
    let id = &id(&refused);
    read(server, &reader(), id);
    let credentials = server.data.join("credentials.json");
    let (credentials, url) = (credentials.to_str().expect("UTF-8"), format!("http://{}", server.api));
    let doctor = |key: &str, id: &str| {
        command(&["doctor", "--credentials", credentials, "--base-url", &url, "--key", key, id], &[], "")
    };
    let (status, out, notes) = doctor("alice@example.com/lender", id);
    assert_eq!(status, 0, "{notes}");
    let row = |name: &str| {
        let line = out.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {out}"));
        line[name.len()..].trim().to_owned()
    };
    assert_eq!((row("refused at").as_str(), row("reason").as_str()), ("permission", "permission-missing"));
    assert_eq!(row("call"), "POST /api/v3/order");
    assert!(row("from").starts_with("127.0.0.1"), "{out}");
    assert!(row("told").starts_with("-2015"), "{out}");
    assert!(row("to fix").contains("spot-and-margin-trading"), "{out}");
    for key in ["bob@example.com/bobs", "sub@example.com/subs", "alice@example.com/blind"] {
        let (status, out, notes) = doctor(key, id);
        assert!(status == 1 && out.is_empty() && notes.contains("no refusal has this id"), "{key}: {out}{notes}");
    }
}

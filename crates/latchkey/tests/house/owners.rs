//! The way of an owner, from an account that an operator opened to a key that trades; and the command line.

use std::fs;

use serde_json::{Value, json};

use crate::desk::{Desk, command, demo_token, totp_code as code};
use crate::server::Server;
use crate::signed::Key;
use crate::world::{House, house};

/// The seed of alice's one-time codes.
pub(crate) const SEED: &str = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU";
const PASSWORD: &str = "a password of bob's own";

/// The newest code of eight digits that was sent to `email`. The letter may still be on its way.
pub(crate) fn sent_code(ops: &Desk, email: &str, subject: &str) -> String {
    for _ in 0..20_000 {
        let letters = ops.get("/ops/v1/mailbox").json();
        let letter = letters["messages"].as_array().expect("messages").iter().find(|letter| {
            letter["to"] == email && letter["subject"].as_str().is_some_and(|text| text.contains(subject))
        });
        if let Some(letter) = letter {
            let text = letter["text"].as_str().expect("a text");
            let is_code = |word: &&str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit());
            return text.split(|c: char| !c.is_ascii_digit()).find(is_code).expect("a code").to_owned();
        }
    }
    panic!("no letter `{subject}` to {email}")
}

/// Alice, signed in with the present one-time code; and her token.
pub(crate) fn alice(server: &Server) -> (Desk, String) {
    let nobody = Desk::console(server, "");
    let password = json!({
        "email": "alice@example.com",
        "password": "planted-password-of-alice-7",
        "transport": "bearer",
    });
    let needed = nobody.post("/v1/session", password).json();
    let body = json!({ "signIn": needed["signIn"], "code": code(SEED, 0) });
    let signed_in = nobody.post("/v1/session/totp", body);
    assert_eq!(signed_in.status, 201, "{}", signed_in.text());
    let token = signed_in.json()["token"].as_str().expect("a token").to_owned();
    (Desk::console(server, &token), token)
}

/// Sends a change, shows what is asked for, and sends it again.
pub(crate) fn confirmed(
    desk: &Desk,
    method: &str,
    path: &str,
    body: Option<&Value>,
    prove: impl Fn(&str, &str),
) -> (u16, Value) {
    confirmed_with(desk, (method, path), "", body, prove)
}

/// As [`confirmed`], with further header lines.
pub(crate) fn confirmed_with(
    desk: &Desk,
    (method, path): (&str, &str),
    headers: &str,
    body: Option<&Value>,
    prove: impl Fn(&str, &str),
) -> (u16, Value) {
    let asked = desk.with(method, path, headers, body);
    assert_eq!(asked.status, 403, "{}", asked.text());
    let step_up = asked.json()["stepUp"].clone();
    let id = step_up["id"].as_str().expect("a ceremony");
    for need in step_up["needs"].as_array().expect("needs") {
        prove(id, need.as_str().expect("a need"));
    }
    let done = desk.with(method, path, &format!("{headers}Latchkey-Step-Up: {id}\r\n"), body);
    (done.status, done.json())
}

fn bob(house: &House, ops: &Desk) -> i64 {
    let facts = json!({ "email": "bob@example.com", "kyc": "verified-plus", "deposited": true });
    let made = ops.post("/ops/v1/accounts", facts);
    assert_eq!(made.status, 201, "{}", made.text());
    let uid = made.json()["uid"].as_i64().expect("a uid");
    let nobody = Desk::console(&house.server, "");
    let credentials = json!({ "email": "bob@example.com", "password": PASSWORD, "transport": "bearer" });
    assert_eq!(nobody.post("/v1/session", credentials).status, 401, "there is no password yet");
    uid
}

/// Chooses bob's password by a code, and signs in.
fn sign_in(server: &Server, ops: &Desk) -> Desk {
    let nobody = Desk::console(server, "");
    let begun = nobody.post("/v1/password/reset", json!({ "email": "bob@example.com" }));
    assert_eq!(begun.status, 202, "{}", begun.text());
    let reset = begun.json()["reset"].clone();
    let code = sent_code(ops, "bob@example.com", "Choose your password");
    let finish = |code: &str| {
        let body = json!({ "reset": reset, "code": code, "password": PASSWORD });
        nobody.patiently("/v1/password/reset/finish", &body)
    };
    let done = finish(&code);
    assert_eq!(done.status, 204, "{}", done.text());
    assert_ne!(finish(&code).status, 204, "a code is good once");
    let credentials = json!({ "email": "bob@example.com", "password": PASSWORD, "transport": "bearer" });
    let signed_in = nobody.patiently("/v1/session", &credentials);
    assert_eq!(signed_in.status, 201, "{}", signed_in.text());
    Desk::console(server, signed_in.json()["token"].as_str().expect("a token"))
}

#[test]
fn an_owner_gets_from_an_opened_account_to_a_key() {
    let house = house();
    let ops = Desk::ops(&house.server, &demo_token(&house.server.data));
    let uid = bob(&house, &ops);
    let bob = sign_in(&house.server, &ops);

    let refused = bob.post("/v1/accounts/me/keys", json!({ "label": "early" }));
    assert_eq!(refused.status, 409, "a second factor comes first: {}", refused.text());
    let begun = bob.act("POST", "/v1/factors/totp/begin").json();
    let seed = begun["seed"].as_str().expect("a seed").to_owned();
    let first = code(&seed, 0);
    let body = json!({ "registration": begun["registration"], "code": first });
    let (status, said) = confirmed(&bob, "POST", "/v1/factors/totp/confirm", Some(&body), |id, need| {
        let at = format!("/v1/step-up/{id}");
        let proved = match need {
            "password" => bob.post(&format!("{at}/password"), json!({ "password": PASSWORD })),
            "email-code" => {
                assert_eq!(bob.act("POST", &format!("{at}/email")).status, 204);
                let code = sent_code(&ops, "bob@example.com", "Confirm a change");
                bob.post(&format!("{at}/email/verify"), json!({ "code": code }))
            }
            other => panic!("`{other}` is asked for the first factor"),
        };
        assert_eq!(proved.status, 200, "{}", proved.text());
    });
    assert_eq!(status, 204, "{said}");

    let new = json!({ "label": "bot", "permissions": ["reading", "spot-and-margin-trading"], "ips": ["127.0.0.1"] });
    let (status, made) = confirmed(&bob, "POST", "/v1/accounts/me/keys", Some(&new), |id, need| {
        assert_eq!(need, "factor");
        let proved = bob.post(&format!("/v1/step-up/{id}/totp"), json!({ "code": code(&seed, 1) }));
        assert_eq!(proved.status, 200, "{}", proved.text());
    });
    assert_eq!(status, 201, "{made}");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let key = Key::hmac(&text(&made["key"]["apiKey"]), &text(&made["secretKey"]));
    let account = key.call(house.server.api, "GET", "/api/v3/account", "");
    assert_eq!(account.status, 200, "{}", account.text());
    assert_eq!(account.json()["uid"], uid);
    let frozen = ops.post(&format!("/ops/v1/accounts/{uid}/freeze"), json!({ "reason": "test" }));
    assert_eq!(frozen.status, 204);
    assert_ne!(key.call(house.server.api, "GET", "/api/v3/account", "").status, 200);
}

#[test]
fn a_reset_tells_nobody_who_has_an_account() {
    let house = house();
    let ops = Desk::ops(&house.server, &demo_token(&house.server.data));
    let nobody = Desk::console(&house.server, "");
    let ask = |email: &str| nobody.post("/v1/password/reset", json!({ "email": email }));
    let (known, unknown, none) = (ask("alice@example.com"), ask("nobody@example.com"), ask("no address"));
    for answer in [&known, &unknown, &none] {
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(answer.json().as_object().expect("an object").len(), 2);
    }
    let finish = |reset: &Value, code: &str| {
        let body = json!({ "reset": reset, "code": code, "password": PASSWORD });
        nobody.patiently("/v1/password/reset/finish", &body)
    };
    let (of_known, of_unknown) =
        (finish(&known.json()["reset"], "00000000"), finish(&unknown.json()["reset"], "00000000"));
    assert_eq!((of_known.status, of_known.text()), (of_unknown.status, of_unknown.text()));
    assert_eq!(of_known.status, 403);
    let code = sent_code(&ops, "alice@example.com", "Choose your password");
    let crossed = finish(&unknown.json()["reset"], &code);
    assert_eq!(crossed.status, 403, "a code belongs to its reset: {}", crossed.text());
    let letters = ops.get("/ops/v1/mailbox").text();
    assert!(!letters.contains("nobody@example.com"), "{letters}");
}

/// The command line as alice, whose session lies in `session`.
struct Alice {
    session: String,
}

impl Alice {
    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
        let words: Vec<&str> = arguments.iter().copied().chain(["--session", &self.session]).collect();
        command(&words, environment, "")
    }

    /// Finds the calls of `bot`: two were answered, and one refused because the key was disabled.
    fn reads_what_was_recorded(&self, file: &str) {
        let dead = ["calls", "list", "--key", "bot", "--outcome", "disabled"];
        // Records are written a moment after their call.
        let listed = (0..1000).map(|_| self.run(&dead, &[])).find(|(_, out, _)| out.lines().count() > 1);
        let (_, listed, _) = listed.expect("the refused call");
        assert!(listed.contains("GET /api/v3/account") && listed.contains("rejected"), "{listed}");
        let export = ["calls", "export", "--key", "bot", "--out", file];
        assert_eq!(self.run(&export, &[]).0, 0);
        let text = fs::read_to_string(file).expect("a file");
        let count = |what: &str| text.lines().filter(|line| line.contains(what)).count();
        assert_eq!((count(""), count(",answered,"), count(",disabled,")), (4, 2, 1), "{text}");
        let again = self.run(&export, &[]);
        assert!(again.0 == 1 && again.2.contains("calls.csv"), "a file that is there stays: {again:?}");
        let sheet = format!("{file}.parquet");
        let parquet = self.run(&["calls", "export", "--format", "parquet", "--key", "bot", "--out", &sheet], &[]);
        if cfg!(feature = "parquet") {
            let bytes = fs::read(&sheet).unwrap_or_else(|_| panic!("{parquet:?}"));
            assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
        } else {
            assert_eq!(parquet.0, 1, "the program is built without it: {parquet:?}");
        }
        let absent = format!("{file}.none");
        let unknown = self.run(&["calls", "export", "--format", "xlsx", "--out", &absent], &[]);
        assert!(unknown.0 == 1 && unknown.2.contains("`format` is one of `csv`"), "{unknown:?}");
        assert!(!fs::exists(&absent).expect("a folder"), "nothing is left of what failed");
    }
}

#[test]
fn the_command_line_serves_an_owner() {
    let house = house();
    let path = |name: &str| house.folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let alice = Alice { session: path("session.json") };
    let early = alice.run(&["key", "list"], &[]);
    assert!(early.0 == 1 && early.2.contains("latchkey login"), "{early:?}");

    let console = format!("http://localhost:{}", house.server.console.port());
    let environment = [("LATCHKEY_PASSWORD", "planted-password-of-alice-7"), ("LATCHKEY_TOTP", &code(SEED, 0))];
    let login = ["login", "--console", &console, "--email", "alice@example.com"];
    let signed_in = alice.run(&login, &environment);
    assert_eq!(signed_in.0, 0, "{signed_in:?}");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(&alice.session).expect("a session").permissions().mode() & 0o777, 0o600);

    let secret = path("bot.toml");
    let create = [
        "key",
        "create",
        "bot",
        "--permissions",
        "reading,spot-and-margin-trading",
        "--ips",
        "127.0.0.1",
        "--secret-out",
        &secret,
        "--json",
    ];
    let made = alice.run(&create, &[("LATCHKEY_TOTP", &code(SEED, 1))]);
    assert_eq!(made.0, 0, "{made:?}");
    let made: Value = serde_json::from_str(&made.1).expect("JSON");
    assert_eq!(made["secretKey"], Value::Null, "it is in the file alone");
    let pair: toml::Table = fs::read_to_string(&secret).expect("a file").parse().expect("TOML");
    let key = Key::hmac(pair["api_key"].as_str().unwrap(), pair["secret_key"].as_str().unwrap());
    assert_eq!(key.call(house.server.api, "GET", "/api/v3/account", "").status, 200);

    let child = key.call(house.server.api, "POST", "/sapi/v1/margin/apiKey", "apiName=child&ip=127.0.0.1");
    assert_eq!(child.status, 200, "{}", child.text());

    let listed = alice.run(&["key", "list"], &[]);
    let line = listed.1.lines().find(|line| line.contains(" bot ")).expect("the key's line").to_owned();
    assert!(line.contains("127.0.0.1") && line.contains("active"), "{line}");
    let narrowed = alice.run(&["key", "edit", "bot", "--permissions", "reading"], &[]);
    assert_eq!(narrowed.0, 0, "narrowing needs no code: {narrowed:?}");
    let can = |path: &str, ip: &str| alice.run(&["key", "can", "bot", "GET", path, "--ip", ip], &[]).0;
    assert_eq!((can("/api/v3/account", "127.0.0.1"), can("/api/v3/account", "192.0.2.1")), (0, 1));
    let trade = alice.run(&["key", "can", "bot", "POST", "/api/v3/order", "--ip", "127.0.0.1"], &[]);
    assert!(trade.0 == 1 && trade.1.starts_with("no\n") && trade.1.contains("permission"), "{trade:?}");
    let disabled = alice.run(&["key", "disable", "bot"], &[]);
    assert_eq!(disabled.0, 0, "{disabled:?}");
    assert!(disabled.2.contains("keys that it made live on (1): `latchkey key end-descendants"), "{disabled:?}");
    assert_ne!(key.call(house.server.api, "GET", "/api/v3/account", "").status, 200);
    alice.reads_what_was_recorded(&path("calls.csv"));
    let unknown = alice.run(&["key", "show", "nothing"], &[]);
    assert!(unknown.0 == 1 && unknown.2.contains("there is no key `nothing`"), "{unknown:?}");
    assert!(alice.run(&["account", "show"], &[]).1.contains("alice@example.com"));
    assert_eq!(alice.run(&["account", "set", "me", "--vip", "3"], &[]).0, 1, "an operator's fact");
    assert_eq!(alice.run(&["logout"], &[]).0, 0);
    assert!(!fs::exists(&alice.session).expect("a folder"));
}

#[test]
fn a_rotation_says_which_key_goes_when_and_for_whom() {
    let house = house();
    let path = |name: &str| house.folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let alice = Alice { session: path("session.json") };
    let console = format!("http://localhost:{}", house.server.console.port());
    let environment = [("LATCHKEY_PASSWORD", "planted-password-of-alice-7"), ("LATCHKEY_TOTP", &code(SEED, 0))];
    let signed_in = alice.run(&["login", "--console", &console, "--email", "alice@example.com"], &environment);
    assert_eq!(signed_in.0, 0, "{signed_in:?}");
    let shown = |key: &str, fact: &str| {
        let (_, out, _) = alice.run(&["key", "show", key], &[]);
        let value = out.lines().find_map(|line| line.strip_prefix(fact)?.strip_prefix("  "));
        value.map(|value| value.trim().to_owned())
    };
    let older = shown("trader", "id").expect("its id");
    assert_eq!(shown("trader", "repeated calls").as_deref(), Some("policy"));
    let rotate = ["key", "rotate", "trader", "--overlap", "48", "--secret-out", &path("new.toml")];
    let rotated = alice.run(&rotate, &[("LATCHKEY_TOTP", &code(SEED, 1))]);
    assert_eq!(rotated.0, 0, "{rotated:?}");
    let end = shown(&older, "retires").expect("an end");
    let newer = shown(&older, "successor").expect("a successor");
    assert!(rotated.1.contains(&format!("both live until the former key {older} retires: {end}\n")), "{rotated:?}");
    assert!(rotated.1.contains("of the type hmac, since no --public-key was given"), "{rotated:?}");

    let of_newer = alice.run(&["key", "show", &newer], &[]).1;
    assert!(of_newer.ends_with(&format!("both live until the former key {older} retires: {end}\n")), "{of_newer}");
    assert!(!alice.run(&["key", "show", &older], &[]).1.contains("both live"));

    let listed = alice.run(&["key", "list"], &[]).1;
    let told = format!("{older} (trader) retires {end}; its successor is {newer}");
    assert!(listed.lines().any(|line| line == told), "{listed}");
    let line = |id: &str| listed.lines().find(|line| line.starts_with(&format!("{id} "))).expect("its line");
    assert!(line(&older).contains("active (retiring)") && !line(&newer).contains("retiring"), "{listed}");
    let both = alice.run(&["key", "disable", "trader"], &[]);
    assert!(both.0 == 1 && both.2.contains(&format!("{older} (the older, ")), "{both:?}");
    assert!(both.2.contains(&format!("retires {end}), {newer} (the newer, ")), "{both:?}");
    let deleted = alice.run(&["key", "disable", &newer], &[]);
    assert!(deleted.0 == 0 && deleted.1 == format!("{newer}: disabled\n"), "{deleted:?}");
}

#[test]
fn the_command_line_serves_an_operator() {
    let house = house();
    let credentials = house.server.data.join("credentials.json");
    let credentials = credentials.to_str().expect("UTF-8");
    let run = |arguments: &[&str]| {
        let words: Vec<&str> = arguments.iter().copied().chain(["--credentials", credentials]).collect();
        command(&words, &[], "")
    };
    let made = run(&["account", "create", "carol@example.com", "--kyc", "verified", "--json"]);
    assert_eq!(made.0, 0, "{made:?}");
    let set =
        run(&["account", "set", "carol@example.com", "--vip", "5", "--open", "margin,futures", "--residence", "FR"]);
    assert!(set.0 == 0 && set.1.contains("futures since") && set.1.contains("FR"), "{set:?}");
    let listed = run(&["account", "list"]);
    assert!(listed.1.contains("carol@example.com") && listed.1.contains("alice@example.com"), "{listed:?}");
    let frozen = run(&["account", "freeze", "carol@example.com", "--reason", "test"]);
    assert!(frozen.0 == 0 && frozen.1.contains("frozen"), "{frozen:?}");
    assert_eq!(run(&["account", "unfreeze", "carol@example.com"]).0, 0);
    assert_eq!(run(&["account", "reset-factors", "carol@example.com"]).0, 0);
    assert_eq!(run(&["key", "disable", "trader", "--account", "alice@example.com"]).0, 0);
    let keys = run(&["key", "list", "--account", "alice@example.com"]);
    assert!(keys.1.lines().any(|line| line.contains(" trader ") && line.contains("disabled")), "{keys:?}");
    assert_eq!(run(&["key", "enable", "trader", "--account", "alice@example.com"]).0, 1, "the owner's alone");
    let deleted = run(&["key", "delete", "trader", "--account", "alice@example.com"]);
    assert!(deleted.0 == 0 && deleted.1.ends_with(": deleted\n"), "{deleted:?}");

    let file = house.folder.path().join("reader.token");
    let file = file.to_str().expect("UTF-8");
    let token = run(&["token", "create", "reader", "--scopes", "accounts:read", "--days", "2", "--out", file]);
    assert_eq!(token.0, 0, "{token:?}");
    let ops = format!("http://{}", house.server.ops);
    let with = |arguments: &[&str]| {
        let words: Vec<&str> = arguments.iter().copied().chain(["--ops", &ops, "--token-file", file]).collect();
        command(&words, &[], "")
    };
    assert_eq!(with(&["account", "list"]).0, 0);
    let refused = with(&["account", "freeze", "carol@example.com", "--reason", "test"]);
    assert!(refused.0 == 1 && refused.2.contains("accounts:write"), "{refused:?}");
    let listed = run(&["token", "list"]).1;
    let id =
        listed.lines().find(|line| line.contains("reader")).and_then(|line| line.split(' ').next()).expect("an id");
    assert_eq!(run(&["token", "revoke", id]).0, 0);
    assert_eq!(with(&["account", "list"]).0, 1);

    let export = house.folder.path().join("audit.ndjson");
    let export = export.to_str().expect("UTF-8");
    assert_eq!(run(&["audit", "export", "--out", export]).0, 0);
    let [head, key] = [["audit", "head"], ["audit", "key"]].map(|words| run(&words));
    let pem = house.folder.path().join("audit.pub.pem");
    fs::write(&pem, &key.1).expect("a file");
    let verify = ["audit", "verify", export, "--head", head.1.trim(), "--key", pem.to_str().expect("UTF-8")];
    let verified = command(&verify, &[], "");
    assert!(verified.0 == 0 && verified.1.starts_with("holds:"), "{verified:?}");
}

#[test]
fn an_owner_makes_a_special_key_that_trades_the_margin_account() {
    let house = house();
    let (desk, _) = alice(&house.server);
    let new = json!({ "label": "by hand", "scope": "cross", "ips": ["127.0.0.0/24"] });
    let (status, made) = confirmed(&desk, "POST", "/v1/accounts/me/special-keys", Some(&new), |id, need| {
        assert_eq!(need, "factor");
        let proved = desk.post(&format!("/v1/step-up/{id}/totp"), json!({ "code": code(SEED, 1) }));
        assert_eq!(proved.status, 200, "{}", proved.text());
    });
    assert_eq!(status, 201, "{made}");
    assert_eq!((&made["key"]["kind"], &made["key"]["scope"]), (&json!("special"), &json!("cross")));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let key = Key::hmac(&text(&made["key"]["apiKey"]), &text(&made["secretKey"]));
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";
    let placed = key.call(house.server.api, "POST", "/api/v3/order", order);
    assert_eq!(placed.status, 200, "{}", placed.text());
    let listed = crate::world::trader().call(house.server.api, "GET", "/sapi/v1/margin/api-key-list", "");
    assert!(listed.status == 200 && listed.text().contains("by hand"), "{}", listed.text());
}

//! Plants secrets, lets the server work, and looks for them wherever they must not be.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use tempfile::TempDir;

use crate::server::Server;
use crate::signed::{Key, stamped};
use crate::wire::{Answer, ask, get};
use crate::world::{WORLD, elsewhere, reader, trader};

const PASSWORD: &str = "planted-password-of-alice-7";
const SEED: &str = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU";

const MORE_KEYS: &str = r#"
[[account.key]]
label = "made-rsa"
type = "rsa"
permissions = ["reading"]
ips = ["127.0.0.1"]

[[account.key]]
label = "made-ed25519"
type = "ed25519"
permissions = ["reading"]
ips = ["127.0.0.1"]
"#;

/// Something that must not be found, by a name that may be printed.
struct Planted {
    name: String,
    forms: Vec<Vec<u8>>,
}

impl Planted {
    fn new(name: &str, secret: &[u8]) -> Self {
        assert!(secret.len() >= 16, "{name} is too short to be found by accident alone");
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let encoded: String = secret
            .iter()
            .map(|byte| match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' => char::from(*byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect();
        let mut forms = vec![secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
        forms.push(encoded.to_lowercase().into_bytes());
        forms.push(encoded.into_bytes());
        // In a longer text, base64 begins at one of three places.
        for lead in 0..3 {
            let shifted = [vec![0; lead], secret.to_vec()].concat();
            let (from, to) = ((lead * 4).div_ceil(3), shifted.len() / 3 * 4);
            forms.extend(
                [STANDARD.encode(&shifted), URL_SAFE.encode(&shifted)].map(|text| text.as_bytes()[from..to].to_vec()),
            );
        }
        forms.retain(|form| !form.is_empty());
        Self { name: name.to_owned(), forms }
    }
}

/// How many first bytes of a form are looked up at each place.
const PREFIX: usize = 8;

/// All forms of all secrets by their first bytes, so that one pass over a file looks for all of them.
struct Search<'a>(HashMap<&'a [u8], Vec<(&'a str, &'a [u8])>>);

impl<'a> Search<'a> {
    fn new(planted: &'a [Planted]) -> Self {
        let mut by_prefix: HashMap<_, Vec<_>> = HashMap::new();
        for one in planted {
            for form in &one.forms {
                by_prefix.entry(&form[..PREFIX]).or_default().push((one.name.as_str(), form.as_slice()));
            }
        }
        Self(by_prefix)
    }

    /// The names of the secrets that stand in `bytes`.
    fn found_in(&self, bytes: &[u8]) -> BTreeSet<&'a str> {
        let mut firsts = [false; 256];
        for prefix in self.0.keys() {
            firsts[usize::from(prefix[0])] = true;
        }
        let mut found = BTreeSet::new();
        for (at, window) in bytes.windows(PREFIX).enumerate().filter(|(_, window)| firsts[usize::from(window[0])]) {
            let forms = self.0.get(window).into_iter().flatten();
            found.extend(forms.filter(|(_, form)| bytes[at..].starts_with(form)).map(|(name, _)| *name));
        }
        found
    }
}

/// The files of a demo that are there to hold secrets: what it made, and what opens it.
const SECRET_FILES: [&str; 2] = ["credentials.json", "key-encryption.key"];

/// All files of a folder but those that are there to hold secrets.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        if path.is_dir() && name != "keys" {
            found.extend(files(&path));
        } else if path.is_file() && !SECRET_FILES.contains(&name) {
            found.push(path);
        }
    }
    found
}

/// Where any of the planted secrets is found.
fn search(planted: &[Planted], places: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<String> {
    let search = Search::new(planted);
    let mut found = Vec::new();
    for (place, bytes) in places {
        found.extend(search.found_in(&bytes).into_iter().map(|name| format!("{name} in {place}")));
    }
    found
}

fn on_disk(server: &Server) -> Vec<(String, Vec<u8>)> {
    let mut paths = files(&server.data);
    paths.push(server.log.clone());
    paths.into_iter().map(|path| (path.display().to_string(), fs::read(path).expect("a file"))).collect()
}

/// Base32 without padding, as authenticators write seeds.
fn base32(text: &str) -> Vec<u8> {
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            _ => byte - b'2' + 26,
        };
        held = held << 5 | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits & 0xff) as u8);
        }
    }
    out
}

fn planted(data: &Path) -> Vec<Planted> {
    let mut planted = vec![
        Planted::new("the password", PASSWORD.as_bytes()),
        Planted::new("the seed's text", SEED.as_bytes()),
        Planted::new("the seed", &base32(SEED)),
    ];
    for number in 1..=3 {
        let secret = format!("SecretSecretSecretSecretSecretSecretSecretSecretSecretSecret{number:04}");
        planted.push(Planted::new(&format!("secret {number}"), secret.as_bytes()));
    }
    let credentials: serde_json::Value =
        serde_json::from_slice(&fs::read(data.join("credentials.json")).expect("credentials")).expect("JSON");
    let token = credentials.as_array().expect("a list").iter().find_map(|entry| entry["operatorToken"].as_str());
    planted.push(Planted::new("the operator's token", token.expect("a token").as_bytes()));
    for entry in fs::read_dir(data.join("keys")).expect("the folder of private keys") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a private key");
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(&body).expect("base64");
        // The last bytes of either kind of private key are secret numbers alone.
        planted.push(Planted::new(&path.display().to_string(), &der[der.len() - 32..]));
        planted.push(Planted::new(&path.display().to_string(), &text.as_bytes()[text.len() - 90..text.len() - 30]));
    }
    assert!(planted.len() >= 11, "two private keys");
    planted
}

/// Calls of every kind, good and bad; all answers.
fn traffic(server: &Server) -> Vec<Answer> {
    let api = server.api;
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";
    let mut answers = Vec::new();
    for key in [trader(), reader(), elsewhere()] {
        answers.push(key.call(api, "GET", "/api/v3/account", ""));
        answers.push(key.call(api, "POST", "/api/v3/order", order));
        answers.push(key.call(api, "POST", "/api/v3/order", "symbol=BTCUSDT&side=HOLD"));
        answers.push(key.call(api, "GET", "/sapi/v1/account/apiRestrictions", ""));
        answers.push(key.call(api, "GET", "/sapi/v1/account/info", ""));
        answers.push(key.call(api, "GET", "/latchkey/v1/key", ""));
        answers.push(key.call(api, "GET", "/sapi/v1/margin/api-key-list", ""));
    }
    let wrong = Key::hmac(&trader().api_key, &"w".repeat(64));
    answers.push(wrong.call(api, "GET", "/api/v3/account", ""));
    answers.push(ask(api, &format!("GET /nowhere HTTP/1.1\r\nHost: {api}\r\nX-MBX-APIKEY: short\r\n\r\n")));
    // No request at all, with a secret in it: the door tells of the end of the connection.
    let secret = format!("SecretSecretSecretSecretSecretSecretSecretSecretSecretSecret{:04}", 1);
    answers.push(ask(api, &format!("GE(T /{secret} HTTP/1.1\r\n{secret}: {secret}\r\n\r\n")));
    answers
}

#[test]
fn secrets_are_nowhere_but_where_they_belong() {
    let folder = TempDir::new().expect("a folder");
    let world = folder.path().join("world.toml");
    fs::write(&world, format!("{WORLD}{MORE_KEYS}")).expect("a world file");
    let mut server = Server::start_with(folder.path(), &world, &[("LATCHKEY_LOG", "trace")]);
    let mut planted = planted(&server.data);
    let api = server.api;
    let mut answers = traffic(&server);

    // A special key's secret: in the answer that makes it, and never again.
    let made = trader().call(api, "POST", "/sapi/v1/margin/apiKey", "apiName=special&ip=127.0.0.1");
    assert_eq!(made.status, 200, "{}", made.text());
    let (api_key, secret) = (made.json()["apiKey"].clone(), made.json()["secretKey"].clone());
    let (api_key, secret) = (api_key.as_str().expect("a key"), secret.as_str().expect("a secret"));
    planted.push(Planted::new("the special key's secret", secret.as_bytes()));
    let special = Key::hmac(api_key, secret);
    answers.push(special.call(api, "GET", "/api/v3/account", ""));
    answers.push(special.call(api, "POST", "/api/v3/order", "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=1"));
    let named = format!("apiKey={api_key}");
    answers.push(trader().call(api, "GET", "/sapi/v1/margin/apiKey", &named));
    answers.push(trader().call(api, "GET", "/sapi/v1/margin/api-key-list", ""));
    answers.push(trader().call(api, "PUT", "/sapi/v1/margin/apiKey/ip", &format!("{named}&ip=127.0.0.1,192.0.2.9")));
    answers.push(trader().call(api, "DELETE", "/sapi/v1/margin/apiKey", &named));

    // Callers who mix things up: a secret as the key's name, a private key where a public one belongs.
    answers.push(Key::hmac(secret, secret).call(api, "GET", "/api/v3/account", ""));
    for entry in fs::read_dir(server.data.join("keys")).expect("private keys") {
        let private = fs::read_to_string(entry.expect("an entry").path()).expect("a private key");
        let encoded: String = private.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let payload = stamped(&format!("apiName=mixed&ip=127.0.0.1&publicKey={encoded}"));
        let body = format!("{payload}&signature={}", trader().sign(&payload));
        let refused = trader().send(api, "POST", "/sapi/v1/margin/apiKey", "", &body);
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert!(refused.text().contains("private"), "says what is wrong: {}", refused.text());
        answers.push(refused);
    }

    let token = fs::read_to_string(server.data.join("credentials.json")).expect("credentials");
    let token: serde_json::Value = serde_json::from_str(&token).expect("JSON");
    let token =
        token.as_array().expect("a list").iter().find_map(|entry| entry["operatorToken"].as_str()).expect("one");
    for path in [
        "/health",
        "/metrics",
        "/ops/v1/accounts",
        "/ops/v1/accounts/100000001/keys",
        "/ops/v1/audit",
        "/ops/v1/policy",
    ] {
        let answer = get(server.ops, path, &format!("Authorization: Bearer {token}\r\n"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answers.push(answer);
    }
    answers.push(get(server.ops, "/ops/v1/accounts", "Authorization: Bearer wrong\r\n"));
    answers.push(ask(server.console, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));

    let said = answers.iter().map(|answer| {
        let line = answer.head.lines().next().unwrap_or_default().to_owned();
        (format!("an answer {line}"), [answer.head.as_bytes(), &answer.body].concat())
    });
    assert_eq!(search(&planted, said), Vec::<String>::new());
    assert_eq!(search(&planted, on_disk(&server)), Vec::<String>::new(), "while it runs");
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
    let rest = on_disk(&server);
    let database = rest.iter().filter(|(place, _)| place.contains("latchkey.db")).map(|(_, bytes)| bytes.len());
    assert!(database.sum::<usize>() > 50_000, "the records are among what is searched");
    assert!(rest.iter().any(|(place, _)| place.contains("/journal/")));
    assert!(server.log().contains("DEBUG"), "the log was to tell everything");
    assert_eq!(search(&planted, rest), Vec::<String>::new(), "after its end");

    the_search_finds_what_is_there(&server, &planted);
    secret_files_are_their_owners_alone(&server);
}

/// What holds secrets is closed to others.
fn secret_files_are_their_owners_alone(server: &Server) {
    let keys = fs::read_dir(server.data.join("keys")).expect("a folder").map(|entry| entry.expect("an entry").path());
    for path in SECRET_FILES.into_iter().map(|name| server.data.join(name)).chain(keys) {
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}

/// The search is worth something only if it finds each secret in each form.
fn the_search_finds_what_is_there(server: &Server, planted: &[Planted]) {
    for one in planted {
        for form in &one.forms {
            let text = [b"before ", form.as_slice(), b" behind"].concat();
            assert!(Search::new(planted).found_in(&text).contains(one.name.as_str()), "{}", one.name);
        }
    }
    let control = server.data.join("journal").join("control");
    let all: Vec<_> = planted.iter().flat_map(|one| one.forms[1].iter().copied().chain(*b"\n")).collect();
    fs::write(&control, all).expect("a file");
    let found = search(planted, on_disk(server));
    for one in planted {
        assert!(found.iter().any(|found| found.starts_with(&one.name) && found.ends_with("control")), "{}", one.name);
    }
    fs::remove_file(control).expect("own file");
    let secret = format!("SecretSecretSecretSecretSecretSecretSecretSecretSecretSecret{:04}", 1);
    for lead in ["", "x", "xy"] {
        let longer = STANDARD.encode(format!("{lead}{secret} and more"));
        assert!(Search::new(planted).found_in(longer.as_bytes()).contains("secret 1"), "base64 behind {lead:?}");
    }
    let kept = fs::read(server.data.join("credentials.json")).expect("credentials");
    let kept = search(planted, [("credentials".to_owned(), kept)]);
    assert!(kept.contains(&"secret 1 in credentials".to_owned()), "{kept:?}");
    assert!(kept.contains(&"the operator's token in credentials".to_owned()), "{kept:?}");
}

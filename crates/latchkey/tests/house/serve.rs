//! `latchkey serve` from its configuration file to a signed call, over a stop and a start under another policy.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use latchkey_crypto::digest::{sha256, to_hex};
use latchkey_crypto::sign::Signer;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::audit::verified;
use crate::desk::{Desk, totp_code as code};
use crate::owners::confirmed;
use crate::server::{Server, run};
use crate::signed::Key;

const TOKEN: &str = "an-operators-token-that-is-made-for-this-test-alone";
const ORIGIN: &str = "keys.example.com";
const OWNER: &str = "bob@example.com";
const PASSWORD: &str = "a password of bob's own";

/// A mail server that speaks plain text, and what it was handed.
#[derive(Clone)]
pub(crate) struct PostOffice {
    pub(crate) port: u16,
    letters: Arc<Mutex<Vec<String>>>,
}

impl PostOffice {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let office = Self { port: listener.local_addr().expect("bound").port(), letters: Arc::default() };
        let counter = office.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counter = counter.clone();
                std::thread::spawn(move || counter.serve(stream));
            }
        });
        office
    }

    fn serve(&self, stream: TcpStream) {
        let mut out = stream.try_clone().expect("a socket");
        let mut letter: Option<String> = None;
        if out.write_all(b"220 here\r\n").is_err() {
            return;
        }
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let answer: &[u8] = match (&mut letter, line.as_str()) {
                (Some(_), ".") => {
                    self.letters.lock().expect("whole").extend(letter.take());
                    b"250 taken\r\n"
                }
                (Some(text), line) => {
                    text.push_str(line);
                    text.push('\n');
                    continue;
                }
                (None, "DATA") => {
                    letter = Some(String::new());
                    b"354 go on\r\n"
                }
                (None, _) => b"250 fine\r\n",
            };
            if out.write_all(answer).is_err() {
                return;
            }
        }
    }

    /// The newest letter with these words; it may still be on its way.
    fn letter(&self, words: &str) -> String {
        let deadline = crate::server::instant() + std::time::Duration::from_secs(30);
        while crate::server::instant() < deadline {
            // A long line is broken by `=` at its end.
            let letters = self.letters.lock().expect("whole");
            let found = letters.iter().rev().map(|letter| letter.replace("=\n", "")).find(|text| text.contains(words));
            if let Some(letter) = found {
                return letter;
            }
            drop(letters);
            std::thread::yield_now();
        }
        panic!("no letter says `{words}`: {:?}", self.letters.lock().expect("whole"))
    }

    /// The code of eight digits in the newest letter with these words.
    pub(crate) fn code(&self, words: &str) -> String {
        let letter = self.letter(words);
        let is_code = |word: &&str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit());
        letter.split(|c: char| !c.is_ascii_digit()).find(is_code).expect("a code").to_owned()
    }
}

/// A folder with keys, their files private, outside the data.
struct Place {
    folder: TempDir,
    office: PostOffice,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::DirBuilder::new().mode(0o700).create(folder.path().join("keys")).expect("a folder");
        let private = |name: &str, text: &str| {
            let mut file = fs::OpenOptions::new();
            let path = folder.path().join("keys").join(name);
            let mut file = file.write(true).create_new(true).mode(0o600).open(path).expect("a file");
            file.write_all(text.as_bytes()).expect("written");
        };
        private("encryption.key", &format!("{}\n", "5a".repeat(32)));
        let signer = Signer::generate_ed25519(&mut |bytes: &mut [u8]| bytes.fill(3));
        private("audit.pem", signer.private_pem().expect("a key").expect("a pair").expose());
        Self { folder, office: PostOffice::open() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn config(&self, policy: &str) -> PathBuf {
        let path = self.path().join("latchkey.toml");
        let text = format!(
            "data_dir = \"data\"\n[api]\nlisten = \"127.0.0.1:0\"\n[console]\nlisten = \"127.0.0.1:0\"\n\
             origin = \"https://{ORIGIN}\"\n[ops]\nlisten = \"127.0.0.1:0\"\n[keys]\n\
             encryption_key_file = \"keys/encryption.key\"\naudit_key_file = \"keys/audit.pem\"\n\
             [operators.carol]\ntoken_sha256 = \"{token}\"\n[mail]\nhost = \"127.0.0.1\"\nport = {mail}\n\
             tls = \"none\"\nfrom = \"keys@example.com\"\n{policy}",
            token = to_hex(&sha256(TOKEN.as_bytes())),
            mail = self.office.port,
        );
        fs::write(&path, text).expect("a configuration");
        path
    }

    fn start(&self, policy: &str) -> Server {
        Server::serve(self.path(), &self.config(policy))
    }

    /// Bob, signed in with a password that he chose by a code, and his account's first second factor; its seed.
    fn enrolled(&self, server: &Server) -> (Desk, String) {
        let nobody = Desk::named(server.console, ORIGIN, "");
        let begun = nobody.post("/v1/password/reset", json!({ "email": OWNER }));
        assert_eq!(begun.status, 202, "{}", begun.text());
        let code_sent = self.office.code("Subject: Choose your password");
        let body = json!({ "reset": begun.json()["reset"], "code": code_sent, "password": PASSWORD });
        assert_eq!(nobody.post("/v1/password/reset/finish", body).status, 204);
        let credentials = json!({ "email": OWNER, "password": PASSWORD, "transport": "bearer" });
        let signed_in = nobody.post("/v1/session", credentials);
        assert_eq!(signed_in.status, 201, "{}", signed_in.text());
        let bob = Desk::named(server.console, ORIGIN, signed_in.json()["token"].as_str().expect("a token"));
        let begun = bob.act("POST", "/v1/factors/totp/begin").json();
        let seed = begun["seed"].as_str().expect("a seed").to_owned();
        let body = json!({ "registration": begun["registration"], "code": code(&seed, 0) });
        let (status, said) = confirmed(&bob, "POST", "/v1/factors/totp/confirm", Some(&body), |id, need| {
            let at = format!("/v1/step-up/{id}");
            let proved = if need == "password" {
                bob.post(&format!("{at}/password"), json!({ "password": PASSWORD }))
            } else {
                assert_eq!(bob.act("POST", &format!("{at}/email")).status, 204);
                let sent = self.office.code("Subject: Confirm a change");
                bob.post(&format!("{at}/email/verify"), json!({ "code": sent }))
            };
            assert_eq!(proved.status, 200, "{}", proved.text());
        });
        assert_eq!(status, 204, "{said}");
        (bob, seed)
    }
}

#[test]
fn an_owner_gets_to_a_key_that_outlives_a_restart_and_follows_the_policy_of_its_start() {
    let place = Place::new();
    let mut server = place.start("");
    assert!(
        server
            .ready
            .ends_with(&format!(" console=https://{ORIGIN} ops=http://{} console-at={}", server.ops, server.console)),
        "{}",
        server.ready
    );
    let ops = Desk::ops(&server, TOKEN);
    let opened = json!({ "email": OWNER, "kyc": "verified-plus", "deposited": true });
    let opened = ops.post("/ops/v1/accounts", opened);
    assert_eq!(opened.status, 201, "{}", opened.text());
    place.office.letter("Subject: Your new account");
    let (bob, seed) = place.enrolled(&server);

    let new = json!({ "label": "bot", "permissions": ["reading"] });
    let (status, made) = confirmed(&bob, "POST", "/v1/accounts/me/keys", Some(&new), |id, _| {
        let proved = bob.post(&format!("/v1/step-up/{id}/totp"), json!({ "code": code(&seed, 1) }));
        assert_eq!(proved.status, 200, "{}", proved.text());
    });
    assert_eq!(status, 201, "{made}");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let key = Key::hmac(&text(&made["key"]["apiKey"]), &text(&made["secretKey"]));
    assert_eq!(key.call(server.api, "GET", "/api/v3/account", "").status, 200);
    assert_eq!(made["key"]["daysLeft"], 89, "whole days of 90");
    let file = "# latchkey keys 1\naccount\tlabel\ttype\tapi_key\tips\n";
    let import = ops.with("POST", "/ops/v1/imports/keys", "", Some(&json!(file)));
    assert!(import.status == 403 && import.text().contains("imports = true"), "{}", import.text());
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());

    // Nothing is due for two months by the policy under which the key was written.
    let mut again = place.start("[policy]\nunrestricted_key_days = 10\n");
    assert_eq!(key.call(again.api, "GET", "/api/v3/account", "").status, 200);
    place.office.letter("The key \"bot\" has no IP list and ends within 14 days");
    let uid = opened.json()["uid"].as_i64().expect("a uid");
    let ops = Desk::ops(&again, TOKEN);
    let listed = ops.get(&format!("/ops/v1/accounts/{uid}/keys")).json();
    assert_eq!((&listed["keys"][0]["label"], &listed["keys"][0]["daysLeft"]), (&json!("bot"), &json!(9)));
    verified(place.path(), &ops);
    assert_eq!(again.stop().code(), Some(0), "{}", again.log());
    assert!(!again.log().contains("ERROR") && !again.log().contains("panicked"), "{}", again.log());
}

#[test]
fn key_files_that_others_may_read_or_that_lie_in_the_data_are_refused_by_name() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let config = place.config("");
    let refused = |config: &Path| {
        let ended = run(&["serve", "--config", config.to_str().expect("UTF-8")]);
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
        assert!(!place.path().join("data/latchkey.db").exists(), "nothing was started");
        ended.stderr
    };
    let file = place.path().join("keys/encryption.key");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("own file");
    let said = refused(&config);
    assert!(said.contains("encryption_key_file") && said.contains("chmod 600"), "{said}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("own file");
    let text = fs::read_to_string(&config).expect("text").replace("data_dir = \"data\"", "data_dir = \"keys\"");
    fs::write(&config, text).expect("a configuration");
    let said = refused(&config);
    assert!(said.contains("audit_key_file") && said.contains("inside the data folder"), "{said}");
}

//! Second factors by the command line: from an account without any to one whose owner lost the app.

use std::fs;
use std::path::PathBuf;
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::desk::{Desk, code_command, command, demo_token, fed_command, totp_code};
use crate::owners::{SEED, sent_code};
use crate::server::Server;
use crate::world::{House, house};

const BOB: &str = "bob@example.com";

/// An owner's command line.
struct Owner<'a> {
    house: &'a House,
    email: &'static str,
    password: &'static str,
}

impl Owner<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.house.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
        let session = self.path("session.json");
        let words: Vec<&str> =
            arguments.iter().copied().chain(["--session", session.to_str().expect("UTF-8")]).collect();
        let environment: Vec<_> = environment.iter().copied().chain([("LATCHKEY_PASSWORD", self.password)]).collect();
        command(&words, &environment, "")
    }

    fn login(&self, more: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
        let console = format!("http://localhost:{}", self.house.server.console.port());
        let words = ["login", "--console", &console, "--email", self.email];
        self.run(&words.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>(), environment)
    }

    /// A command that prints the next letter's code with this subject once it is there, and who feeds it.
    fn mail_command(&self, subject: &'static str) -> (String, JoinHandle<()>) {
        let (email, ops, token) = (self.email, self.house.server.ops, demo_token(&self.house.server.data));
        fed_command(&self.path(&subject.replace(' ', "-")), move || {
            sent_code(&Desk::named(ops, &ops.to_string(), &token), email, subject)
        })
    }
}

fn open_account(server: &Server) {
    let ops = Desk::ops(server, &demo_token(&server.data));
    let opened = ops.post("/ops/v1/accounts", json!({ "email": BOB, "kyc": "verified-plus", "deposited": true }));
    assert_eq!(opened.status, 201, "{}", opened.text());
}

#[test]
fn a_new_owner_enrols_an_app_before_the_first_key() {
    let house = house();
    open_account(&house.server);
    let bob = Owner { house: &house, email: BOB, password: "a password of bob's own" };
    let (mail, feeder) = bob.mail_command("Choose your password");
    let signed_in = bob.login(&["--new-password", "--email-code-command", &mail], &[]);
    feeder.join().expect("a code was sent");
    assert!(signed_in.0 == 0 && signed_in.2.contains("latchkey factor totp"), "{signed_in:?}");
    let create = ["key", "create", "bot", "--ips", "127.0.0.1"];
    let early = bob.run(&create, &[]);
    assert!(early.0 == 1 && early.2.contains("`latchkey factor totp` enrols one"), "{early:?}");
    assert!(bob.run(&["factor", "list"], &[]).1.ends_with("recovery codes left: 0\n"));

    let seed = bob.path("seed");
    let (mail, feeder) = bob.mail_command("Confirm a change");
    let enrol = ["factor", "totp", "--secret-out", seed.to_str().expect("UTF-8"), "--totp-command"];
    let words = code_command(&seed);
    let enrol: Vec<&str> = enrol.iter().copied().chain([words.as_str(), "--email-code-command", &mail]).collect();
    let enrolled = bob.run(&enrol, &[]);
    assert_eq!(enrolled.0, 0, "{enrolled:?}");
    feeder.join().expect("a code was sent");
    let text = fs::read_to_string(&seed).expect("the seed's file");
    assert!(!enrolled.1.contains(text.trim()) && !enrolled.2.contains(text.trim()), "{enrolled:?}");
    let again = bob.run(&enrol, &[]);
    assert!(again.0 == 1 && again.2.contains("is not overwritten"), "{again:?}");
    let made = bob.run(&create, &[("LATCHKEY_TOTP", &totp_code(&text, 1))]);
    assert_eq!(made.0, 0, "{made:?}");
    assert!(bob.run(&["factor", "list"], &[]).1.lines().any(|line| line.starts_with("totp")));
    let last = bob.run(&["factor", "remove", "totp"], &[]);
    assert!(last.0 == 1 && last.2.contains("last-factor"), "the last one stays while keys live: {last:?}");
    let unknown = bob.run(&["factor", "remove", "phone"], &[]);
    assert!(unknown.0 == 1 && unknown.2.contains("there is no factor `phone`"), "{unknown:?}");
}

#[test]
fn a_lost_app_is_replaced_by_a_recovery_code() {
    let house = house();
    let alice = Owner { house: &house, email: "alice@example.com", password: "planted-password-of-alice-7" };
    let signed_in = alice.login(&[], &[("LATCHKEY_TOTP", &totp_code(SEED, 0))]);
    assert_eq!(signed_in.0, 0, "{signed_in:?}");
    assert!(!signed_in.2.contains("factor"), "she has one: {signed_in:?}");
    let made = alice.run(&["factor", "recovery-codes", "--json"], &[("LATCHKEY_TOTP", &totp_code(SEED, 1))]);
    assert_eq!(made.0, 0, "{made:?}");
    let codes: Value = serde_json::from_str(&made.1).expect("JSON");
    let code = [("LATCHKEY_RECOVERY_CODE", codes["codes"][0].as_str().expect("a code"))];

    let enrol = |name: &str| {
        let seed = alice.path(name);
        let (file, words) = (seed.to_str().expect("UTF-8"), code_command(&seed));
        let words = ["factor", "totp", "--recovery", "--secret-out", file, "--first-code-command", &words];
        (alice.run(&words, &code), seed)
    };
    let (replaced, seed) = enrol("new");
    assert_eq!(replaced.0, 0, "{replaced:?}");
    let seed = fs::read_to_string(&seed).expect("the seed's file");
    assert_ne!(seed.trim(), SEED);
    let listed = alice.run(&["factor", "list"], &[]);
    assert!(listed.1.contains("totp") && listed.1.ends_with("recovery codes left: 9\n"), "{listed:?}");
    let key = alice.run(&["key", "create", "bot", "--ips", "127.0.0.1"], &[("LATCHKEY_TOTP", &totp_code(&seed, 1))]);
    assert_eq!(key.0, 0, "the new seed counts: {key:?}");
    let (spent, file) = enrol("third");
    assert!(spent.0 == 1 && spent.2.contains("proof-refused"), "{spent:?}");
    assert!(!file.exists(), "a seed that is not enrolled is not kept");
}

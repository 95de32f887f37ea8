//! What the command line says to those who are refused, use it wrongly, or stop reading.

use std::process::{Command, Stdio};

use crate::desk::{command, totp_code};
use crate::owners::SEED;
use crate::world::{House, house};

/// Alice's command line, signed in.
struct Alice {
    house: House,
    session: String,
    credentials: String,
}

impl Alice {
    fn sign_in() -> Self {
        let house = house();
        let text = |path: std::path::PathBuf| path.to_str().expect("UTF-8").to_owned();
        let session = text(house.folder.path().join("session.json"));
        let credentials = text(house.server.data.join("credentials.json"));
        let alice = Self { house, session, credentials };
        let console = format!("http://localhost:{}", alice.house.server.console.port());
        let environment =
            [("LATCHKEY_PASSWORD", "planted-password-of-alice-7"), ("LATCHKEY_TOTP", &totp_code(SEED, 0))];
        let words = ["login", "--console", &console, "--email", "alice@example.com", "--session", &alice.session];
        let signed_in = command(&words, &environment, "");
        assert_eq!(signed_in.0, 0, "{signed_in:?}");
        alice
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let words: Vec<&str> = arguments.iter().copied().chain(["--session", &self.session]).collect();
        command(&words, &[], "")
    }

    fn operator(&self, arguments: &[&str]) -> (i32, String, String) {
        let words: Vec<&str> = arguments.iter().copied().chain(["--credentials", &self.credentials]).collect();
        command(&words, &[], "")
    }

    /// What the doctor says of the trader's key, to whom the session belongs or to anybody.
    fn doctor(&self, is_owner: bool) -> (i32, String, String) {
        let base = format!("http://{}", self.house.server.api);
        let session = if is_owner { self.session.clone() } else { format!("{}.none", self.session) };
        let words = ["doctor", "--credentials", &self.credentials, "--key", "alice@example.com/trader"];
        command(&words.iter().copied().chain(["--base-url", &base, "--session", &session]).collect::<Vec<_>>(), &[], "")
    }
}

#[test]
fn the_doctor_names_what_holds_a_key_to_its_owner_alone() {
    let alice = Alice::sign_in();
    assert_eq!(alice.doctor(true).0, 0, "{:?}", alice.doctor(true));
    let told = |wanted: &str| {
        let (code, out, _) = alice.doctor(true);
        let fixes: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix("to fix")).map(str::trim).collect();
        assert!(code == 1 && fixes.len() == 1 && fixes[0].contains(wanted), "{wanted}: {out}");
        assert!(!out.contains("another key"), "all is told: {out}");
    };
    let of = ["--account", "alice@example.com"];
    assert_eq!(alice.operator(&["account", "freeze", "alice@example.com", "--reason", "asked by phone"]).0, 0);
    told("by its operator (asked by phone): the operator must end that");
    let stranger = alice.doctor(false);
    assert!(stranger.1.contains("latchkey login") && !stranger.1.contains("phone"), "{stranger:?}");
    let shown = alice.run(&["account", "show"]).1;
    assert!(shown.lines().any(|line| line.starts_with("frozen by") && line.ends_with("operator")), "{shown}");
    assert_eq!(alice.operator(&["account", "unfreeze", "alice@example.com"]).0, 0);

    assert_eq!(alice.run(&["key", "disable", "trader"]).0, 0);
    told("by owner: `latchkey key enable ");
    assert_eq!(alice.operator(&["key", "disable", "trader", of[0], of[1]]).0, 0);
    told("by owner,operator: each of them must end that");
    let shown = alice.run(&["key", "show", "trader"]).1;
    assert!(shown.lines().any(|line| line.starts_with("out of use by") && line.ends_with("owner,operator")), "{shown}");
    assert_eq!(alice.operator(&["key", "delete", "trader", of[0], of[1]]).0, 0);
    told("was deleted at ");
}

#[test]
fn wrong_usage_is_told_with_what_would_be_right() {
    let alice = Alice::sign_in();
    let outcome = alice.run(&["calls", "list", "--outcome", "nonsense"]);
    assert!(outcome.0 == 2 && outcome.2.contains("client-gone") && outcome.2.contains("ip-not-allowed"), "{outcome:?}");
    let base = format!("http://{}", alice.house.server.api);
    let words = ["doctor", "nonsense", "--credentials", &alice.credentials, "--key", "alice@example.com/trader"];
    let id = command(&words.iter().copied().chain(["--base-url", &base]).collect::<Vec<_>>(), &[], "");
    assert!(id.0 == 2 && id.2.contains("`nonsense` is not the id of a request"), "{id:?}");
    let unasked = command(&["login", "--console", &base], &[], "");
    assert!(unasked.0 == 1 && unasked.2.contains("E-mail address?") && unasked.2.contains("--email"), "{unasked:?}");
}

#[test]
fn a_reader_that_goes_away_ends_the_program_without_a_word() {
    let alice = Alice::sign_in();
    let mut child = Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .args(["key", "list", "--session", &alice.session])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // Long before the server has answered it.
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("own child");
    assert!(ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
}

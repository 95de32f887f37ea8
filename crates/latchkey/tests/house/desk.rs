//! JSON over the operators' and the people's doors, and the command line against both.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use latchkey_crypto::totp::TotpSeed;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

use crate::server::{Server, wall_us};
use crate::wire::{Answer, ask};

/// One side of a conversation: a door, and who speaks.
pub(crate) struct Desk {
    to: SocketAddr,
    host: String,
    token: String,
}

impl Desk {
    /// The operators' door.
    pub(crate) fn ops(server: &Server, token: &str) -> Self {
        Self { to: server.ops, host: server.ops.to_string(), token: token.to_owned() }
    }

    /// The people's door.
    pub(crate) fn console(server: &Server, token: &str) -> Self {
        let host = format!("localhost:{}", server.console.port());
        Self { to: server.console, host, token: token.to_owned() }
    }

    /// A door that answers to `host`.
    pub(crate) fn named(to: SocketAddr, host: &str, token: &str) -> Self {
        Self { to, host: host.to_owned(), token: token.to_owned() }
    }

    /// Asks, with further header lines that end in CR LF each.
    pub(crate) fn with(&self, method: &str, path: &str, headers: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string);
        let kind = if body.is_some() { "Content-Type: application/json\r\n" } else { "" };
        let token =
            if self.token.is_empty() { String::new() } else { format!("Authorization: Bearer {}\r\n", self.token) };
        let body = body.unwrap_or_default();
        let (host, length) = (&self.host, body.len());
        ask(
            self.to,
            &format!(
                "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{token}{kind}{headers}Content-Length: {length}\r\n\r\n{body}"
            ),
        )
    }

    /// Asks for something.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.with("GET", path, "", None)
    }

    /// Sends something.
    pub(crate) fn post(&self, path: &str, body: Value) -> Answer {
        self.with("POST", path, "", Some(&body))
    }

    /// Sends something again until the wait after earlier failures is over.
    pub(crate) fn patiently(&self, path: &str, body: &Value) -> Answer {
        loop {
            let answer = self.post(path, body.clone());
            if answer.status != 429 {
                return answer;
            }
        }
    }

    /// Does something that needs no body.
    pub(crate) fn act(&self, method: &str, path: &str) -> Answer {
        self.with(method, path, "", None)
    }

    /// Edits something at the version that is there.
    pub(crate) fn patch(&self, path: &str, body: Value) -> Answer {
        let tag = self.get(path).header("etag").expect("a version").to_owned();
        self.with("PATCH", path, &format!("If-Match: {tag}\r\n"), Some(&body))
    }
}

/// The operator's token of a demo.
pub(crate) fn demo_token(data: &Path) -> String {
    let text = std::fs::read(data.join("credentials.json")).expect("credentials");
    let list: Value = serde_json::from_slice(&text).expect("JSON");
    let found = list.as_array().expect("a list").iter().find_map(|entry| entry.get("operatorToken")?.as_str());
    found.expect("an operator's token").to_owned()
}

/// A token for some tasks.
pub(crate) fn scoped_token(desk: &Desk, scopes: &[&str]) -> String {
    let made = desk.post("/ops/v1/tokens", json!({ "name": scopes.join(" "), "scopes": scopes, "days": 1 }));
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["token"].as_str().expect("a token").to_owned()
}

/// The one-time code of this step, or of one that follows; each is good for one use.
pub(crate) fn totp_code(seed: &str, steps: u64) -> String {
    let now = u64::try_from(wall_us() / 1_000_000).expect("after the epoch");
    TotpSeed::parse(seed).expect("a seed").code(now + steps * 30)
}

/// A command that prints `text` as soon as it is there, through a pipe at `pipe`; and who writes it.
pub(crate) fn fed_command(pipe: &Path, text: impl FnOnce() -> String + Send + 'static) -> (String, JoinHandle<()>) {
    mknodat(CWD, pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    let words = format!("cat {}", pipe.to_str().expect("UTF-8"));
    let pipe = pipe.to_owned();
    let feeder = std::thread::spawn(move || {
        // Opens once the command reads: what it asks for is under way by then.
        let mut to = File::options().write(true).open(pipe).expect("a reader");
        to.write_all(text().as_bytes()).expect("it reads");
    });
    (words, feeder)
}

/// A command that prints the present one-time code of a seed file.
pub(crate) fn code_command(seed: &Path) -> String {
    format!("{} factor code --seed-file {}", env!("CARGO_BIN_EXE_latchkey"), seed.to_str().expect("UTF-8"))
}

/// Runs the binary with values of the environment and a text on its standard input.
pub(crate) fn command(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .args(arguments)
        .env_remove("LATCHKEY_OPERATOR_TOKEN")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let ended = child.wait_with_output().expect("own child");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ended.status.code().unwrap_or(-1), text(&ended.stdout), text(&ended.stderr))
}

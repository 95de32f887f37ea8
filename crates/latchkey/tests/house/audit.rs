//! The audit chain as auditors meet it: exports, signed heads, and `latchkey audit verify`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::desk::{Desk, command, demo_token};
use crate::world::{House, house};

/// An export, a head of it, and the key, in a folder.
fn kept(house: &House, desk: &Desk) -> [PathBuf; 3] {
    kept_in(house.folder.path(), desk)
}

fn kept_in(folder: &Path, desk: &Desk) -> [PathBuf; 3] {
    let [export, head, key] = ["audit.ndjson", "head.txt", "audit.pub.pem"].map(|name| folder.join(name));
    fs::write(&key, desk.get("/ops/v1/audit/key").body).expect("a file");
    fs::write(&head, desk.get("/ops/v1/audit/head").body).expect("a file");
    fs::write(&export, desk.get("/ops/v1/audit/export").body).expect("a file");
    [export, head, key]
}

fn verify([export, head, key]: [&Path; 3]) -> (i32, String) {
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let arguments = ["audit", "verify", &text(export), "--head", &text(head), "--key", &text(key)];
    let (code, out, err) = command(&arguments, &[], "");
    (code, format!("{out}{err}"))
}

/// Asserts that the whole chain verifies.
pub(crate) fn holds(house: &House, desk: &Desk) {
    verified(house.folder.path(), desk);
}

/// Asserts that the whole chain verifies, by files in `folder`.
pub(crate) fn verified(folder: &Path, desk: &Desk) {
    let [export, head, key] = kept_in(folder, desk);
    let (code, said) = verify([&export, &head, &key]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn an_export_holds_and_a_changed_one_does_not() {
    let house = house();
    let desk = Desk::ops(&house.server, &demo_token(&house.server.data));
    for number in 0..4 {
        desk.post("/ops/v1/accounts", json!({ "email": format!("u{number}@example.com") }));
    }
    let [export, head, key] = kept(&house, &desk);
    let (code, said) = verify([&export, &head, &key]);
    assert_eq!(code, 0, "{said}");
    let text = fs::read_to_string(&export).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() > 5 && said.contains(&format!("{} records", lines.len() - 1)), "{said}");

    let changed = house.folder.path().join("changed.ndjson");
    let refused = |text: String| {
        fs::write(&changed, text).expect("a file");
        let (code, said) = verify([&changed, &head, &key]);
        assert_eq!(code, 1, "{said}");
        said
    };
    assert!(refused(text.replacen("u0@example.com", "u9@example.com", 1)).contains("line "));
    let without = |skipped: usize| {
        let kept = lines.iter().enumerate().filter(|(at, _)| *at != skipped).map(|(_, line)| format!("{line}\n"));
        kept.collect::<String>()
    };
    assert!(refused(without(3)).contains("line 4"));
    assert!(refused(without(lines.len() - 1)).contains("ends after"));
    let mut moved = lines.clone();
    moved.swap(2, 3);
    assert!(refused(moved.iter().map(|line| format!("{line}\n")).collect()).contains("line 3"));
}

#[test]
fn one_owners_records_hold_by_themselves() {
    let house = house();
    let desk = Desk::ops(&house.server, &demo_token(&house.server.data));
    desk.post("/ops/v1/accounts", json!({ "email": "u@example.com" }));
    let alice = desk.get("/ops/v1/accounts?email=alice@example.com").json()["accounts"][0]["uid"].as_i64().unwrap();
    let [export, head, key] = kept(&house, &desk);
    fs::write(&export, desk.get(&format!("/ops/v1/audit/export?account={alice}")).body).expect("a file");
    assert_eq!(verify([&export, &head, &key]).0, 1, "the head of the whole is not that of a part");
    fs::write(&head, desk.get(&format!("/ops/v1/audit/head?account={alice}")).body).expect("a file");
    let (code, said) = verify([&export, &head, &key]);
    assert_eq!(code, 0, "{said}");
    assert!(!fs::read_to_string(&export).unwrap().contains("u@example.com"));
}

#[test]
fn a_stop_signs_and_tells_the_last_head() {
    let mut house = house();
    let desk = Desk::ops(&house.server, &demo_token(&house.server.data));
    desk.post("/ops/v1/accounts", json!({ "email": "u@example.com" }));
    let [export, _, key] = kept(&house, &desk);
    assert_eq!(house.server.stop().code(), Some(0), "{}", house.server.log());
    let log = house.server.log();
    let last = log.lines().rfind(|line| line.contains("audit head: ")).expect("a head in the log");
    let head = last.split_once("audit head: ").expect("a head").1;
    let file = house.folder.path().join("last-head.txt");
    fs::write(&file, head).expect("a file");
    let (code, said) = verify([&export, &file, &key]);
    assert_eq!(code, 0, "{said}\n{log}");
}

#[test]
fn a_store_that_was_rewritten_does_not_start() {
    let mut house = house();
    let data = house.server.data.clone();
    assert_eq!(house.server.stop().code(), Some(0), "{}", house.server.log());
    let audit_key = data.join("audit.pem");
    fs::remove_file(&audit_key).expect("the demo's audit key");
    let arguments = crate::server::arguments(&data, &house.world);
    let ended = crate::server::run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("audit"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

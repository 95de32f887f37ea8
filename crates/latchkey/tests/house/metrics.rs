//! What operators read at `/metrics`: every number by its listed name, and nobody's name.

use std::collections::BTreeSet;

use tempfile::TempDir;

use crate::limits::with_world;
use crate::server::{Server, wall_us};
use crate::wire::get;
use crate::world::{lender, reader, trader};

/// Where operators look a name up.
const DOCS: [&str; 3] = [
    include_str!("../../../../docs/limits.md"),
    include_str!("../../../../docs/operators.md"),
    include_str!("../../../../docs/calls.md"),
];

fn metrics(server: &Server) -> String {
    get(server.ops, "/metrics", "").text()
}

/// The value of a line, by all that stands before it.
fn value(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// Every value of every label.
fn labels(text: &str) -> BTreeSet<(&str, &str)> {
    let inside = text.lines().filter_map(|line| line.split_once('{')?.1.split_once('}')).map(|(labels, _)| labels);
    inside.flat_map(|labels| labels.split(',')).map(|label| label.split_once('=').expect("a value")).collect()
}

#[test]
fn every_number_is_listed_and_follows_what_happens() {
    let folder = TempDir::new().expect("a folder");
    let policy = "request_weight_per_minute = 200\nfailed_verifications_per_minute = 5\nban_after = 3\n\
                  key_weight_per_minute = 150\nkey_share_percent = 90\n";
    let (server, _) = with_world(folder.path(), policy, "");
    let api = server.api;
    let before = metrics(&server);
    assert!(before.ends_with("# EOF\n"), "{before}");
    let families: Vec<_> = before.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(families.len() > 15, "{families:?}");
    for family in &families {
        // With its labels or without.
        let names = [format!("`{family}`"), format!("`{family}_total`"), format!("`{family}_total{{")];
        let listed = |doc: &str| names.iter().any(|name| doc.contains(name));
        assert!(DOCS.iter().any(|doc| listed(doc)), "`{family}` is in no list");
    }
    for name in ["latchkey_bans_running", "latchkey_bans_begun_total", "latchkey_failed_verifications_total"] {
        assert_eq!(value(&before, name), 0);
    }
    assert_eq!(value(&before, "latchkey_replay_signatures"), 0);

    for key in [trader(), reader(), lender()] {
        assert_eq!(key.call(api, "GET", "/latchkey/v1/key", "").status, 200);
    }
    assert_eq!(trader().call(api, "GET", "/sapi/v1/account/status", "").status, 200);
    assert_eq!(trader().call(api, "GET", "/sapi/v1/margin/api-key-list", "").status, 200);
    for _ in 0..4 {
        let query = format!("timestamp={}&signature={}", wall_us() / 1000, "0".repeat(64));
        assert_eq!(reader().send(api, "GET", "/latchkey/v1/key", &query, "").code(), Some(-1022));
    }
    let used = metrics(&server);
    assert_eq!(value(&used, "latchkey_failed_verifications_total"), 4);
    assert_eq!((value(&used, "latchkey_replay_signatures"), value(&used, "latchkey_replay_keys")), (5, 3));
    for (table, subjects) in [
        ("addresses", 1),
        ("failed-verifications", 1),
        ("homes", 3),
        ("sapi-ip", 1),
        ("sapi-uid", 1),
        ("keys", 3),
        ("key-shares", 3),
        ("bans", 0),
    ] {
        let of_table = |name: &str| value(&used, &format!("latchkey_{name}{{table=\"{table}\"}}"));
        assert_eq!(of_table("limiter_subjects"), subjects, "{table}");
        assert_eq!((of_table("limiter_places"), of_table("limiter_crowded_total")), (65_536, 0), "{table}");
    }

    while get(api, "/api/v3/ping", "").status != 418 {}
    let banned = metrics(&server);
    assert_eq!((value(&banned, "latchkey_bans_running"), value(&banned, "latchkey_bans_begun_total")), (1, 1));
    let limited = "latchkey_calls_total{end=\"rejected\",stage=\"limits\",reason=\"request-weight\"}";
    assert!(value(&banned, limited) >= 3);

    let names = |value: &str| value.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'-' | b'"'));
    for (label, value) in labels(&banned) {
        assert!(["end", "stage", "reason", "table", "class"].contains(&label) && names(value), "{label}={value}");
    }
}

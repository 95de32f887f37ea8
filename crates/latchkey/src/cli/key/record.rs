//! What people read of a key: in a list, alone, and beside the one that takes its place.

use std::io::Write;

use serde_json::Value;

use crate::cli::Printable;
use crate::cli::table::{Table, cell, time};

/// The keys as a table, and below it which of them retire.
pub(super) fn list(keys: &[Value], out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table =
        Table::new(["ID", "LABEL", "TYPE", "KIND", "STATE", "PERMISSIONS", "IPS", "DAYS LEFT", "LAST USED"]);
    for key in keys {
        let state = match key.get("dead").and_then(Value::as_str) {
            Some(reason) if cell(key.get("state")) == "active" => format!("active ({reason})"),
            None if retires(key) => format!("{} (retiring)", cell(key.get("state"))),
            _ => cell(key.get("state")),
        };
        table.row([
            cell(key.get("id")),
            cell(key.get("label")),
            cell(key.get("type")),
            cell(key.get("kind")),
            state,
            cell(key.get("effective")),
            addresses(key),
            cell(key.get("daysLeft")),
            time(key.pointer("/lastUsed/at")),
        ]);
    }
    table.print(out)?;
    for key in keys.iter().filter(|key| retires(key)) {
        let (id, label, successor) = (cell(key.get("id")), cell(key.get("label")), cell(key.get("successor")));
        let line = format!("{id} ({label}) retires {}; its successor is {successor}", end(key));
        writeln!(out, "{}", Printable(&line))?;
    }
    Ok(())
}

/// A key, a line a fact.
pub(super) fn lines(key: &Value) -> Vec<(&'static str, String)> {
    let of = |name: &str| cell(key.get(name));
    let withheld = key.get("withheld").and_then(Value::as_array).into_iter().flatten();
    let withheld: Vec<String> =
        withheld.map(|one| format!("{} ({})", cell(one.get("permission")), cell(one.get("reason")))).collect();
    let none_is = |name: &str, none: &str| {
        if key.get(name).is_none_or(Value::is_null) { none.to_owned() } else { of(name) }
    };
    let lines = [
        ("id", of("id")),
        ("API key", of("apiKey")),
        ("label", of("label")),
        ("type", of("type")),
        ("kind", of("kind")),
        ("margin account", of("scope")),
        ("mode", of("permissionMode")),
        ("state", of("state")),
        ("since", time(key.get("stateSince"))),
        ("out of use by", of("heldBy")),
        ("not admitted because", of("dead")),
        ("granted", of("permissions")),
        ("in force", of("effective")),
        ("withheld", if withheld.is_empty() { "-".to_owned() } else { withheld.join("; ") }),
        ("from", addresses(key)),
        ("symbols", none_is("symbols", "all")),
        ("accepts", of("accepts")),
        ("repeated calls", none_is("replay", "policy")),
        ("made", time(key.get("created"))),
        ("ends", time(key.get("ends"))),
        ("days left", of("daysLeft")),
        ("last used", last_used(key)),
        ("made by key", of("madeBy")),
        ("successor", of("successor")),
        ("retires", end(key)),
    ];
    lines.into_iter().filter(|(_, value)| value != "-").collect()
}

/// The living key whose place this one takes.
pub(super) fn former<'a>(keys: &'a [Value], key: &Value) -> Option<&'a Value> {
    keys.iter().find(|other| retires(other) && other.get("successor") == key.get("id"))
}

/// Until when a key and its successor both live, and of which kind the successor is where nobody chose that.
pub(super) fn overlap(former: &Value, unchosen: Option<&Value>) -> String {
    let line = format!("both live until the former key {} retires: {}", cell(former.get("id")), end(former));
    let Some(key) = unchosen else { return line };
    let (kind, was) = (cell(key.get("type")), cell(former.get("type")));
    format!("{line}\nthe successor is of the type {kind}, since no --public-key was given; the former key is {was}")
}

/// Which keys a label may mean.
pub(super) fn which(label: &str, keys: &[&Value]) -> String {
    let mut keys = keys.to_vec();
    keys.sort_by_key(|key| key.get("created").and_then(Value::as_i64));
    let last = keys.len().saturating_sub(1);
    let one = |(place, key): (usize, &&Value)| {
        let age = match (place, last) {
            (0, 1) => "the older, ",
            (0, _) => "the oldest, ",
            (1, 1) => "the newer, ",
            (place, last) if place == last => "the newest, ",
            _ => "",
        };
        let retiring = if retires(key) { format!(", retires {}", end(key)) } else { String::new() };
        format!("{} ({age}made {}{retiring})", cell(key.get("id")), time(key.get("created")))
    };
    let named: Vec<String> = keys.iter().enumerate().map(one).collect();
    format!("several keys are called `{label}`; name one by its id: {}", named.join(", "))
}

/// Whether a living key has a successor.
fn retires(key: &Value) -> bool {
    let is_living = matches!(cell(key.get("state")).as_str(), "active" | "disabled");
    is_living && key.get("successor").is_some_and(Value::is_string)
}

/// When a key retires.
fn end(key: &Value) -> String {
    let at = time(key.get("retires"));
    match key.get("retiresAfterIdleHours").and_then(Value::as_u64) {
        Some(hours) => format!("{at} at the latest, before that once it was idle for {hours} h"),
        None => at,
    }
}

/// When and from where a key was last used.
fn last_used(key: &Value) -> String {
    let at = time(key.pointer("/lastUsed/at"));
    key.pointer("/lastUsed/ip").and_then(Value::as_str).map_or_else(|| at.clone(), |ip| format!("{at} from {ip}"))
}

/// From where a key may be used.
fn addresses(key: &Value) -> String {
    let listed = key.get("ipRestricted").and_then(Value::as_bool).unwrap_or_default();
    match cell(key.get("ips")) {
        _ if !listed => "everywhere".to_owned(),
        none if none == "-" => "nowhere".to_owned(),
        list => list,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(id: &str, created: i64, successor: Option<&str>) -> Value {
        let retires = successor.map(|_| 1_790_000_000_000_i64);
        json!({
            "id": id, "label": "bot", "type": "hmac", "state": "active", "created": created,
            "successor": successor, "retires": retires,
        })
    }

    #[test]
    fn a_label_of_two_keys_names_both() {
        let (older, newer) = (key("1", 0, Some("2")), key("2", 1_000, None));
        assert_eq!(
            which("bot", &[&newer, &older]),
            "several keys are called `bot`; name one by its id: 1 (the older, made 1970-01-01 00:00:00Z, retires \
             2026-09-21 14:13:20Z), 2 (the newer, made 1970-01-01 00:00:01Z)"
        );
        let third = key("3", 2_000, None);
        let three = which("bot", &[&older, &newer, &third]);
        assert!(three.contains("1 (the oldest, ") && three.contains("2 (made ") && three.contains("3 (the newest, "));
    }

    #[test]
    fn a_list_says_who_retires_and_for_whom() {
        let told = |keys: &[Value]| {
            let mut out = Vec::new();
            list(keys, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let mut older = key("1", 0, Some("2"));
        let both = told(&[older.clone(), key("2", 1_000, None)]);
        assert!(both.contains("active (retiring)"), "{both}");
        assert!(both.ends_with("1 (bot) retires 2026-09-21 14:13:20Z; its successor is 2\n"), "{both}");
        older["retiresAfterIdleHours"] = json!(24);
        assert!(told(&[older.clone()]).contains("at the latest, before that once it was idle for 24 h; its successor"));
        older["state"] = json!("deleted");
        assert!(!told(&[older]).contains("retir"), "it is over");
    }
}

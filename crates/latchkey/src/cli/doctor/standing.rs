//! What an owner who is signed in knows of a key that the server does not take.

use latchkey_authority::key::parse_key_id;
use serde_json::Value;

use crate::cli::key;
use crate::cli::session::SessionArgs;
use crate::cli::table::{cell, time};

/// One line: what keeps the key out, and what to do about it. Nothing without a session, or when the key is not one of
/// its account.
pub(super) fn read(session: &SessionArgs, api_key: &str) -> Option<String> {
    let remote = session.remote().ok()?;
    let account = remote.get("/v1/accounts/me").ok()?.json().ok()?;
    let key = key::find(&remote, "/v1/accounts/me/keys", api_key).ok()?;
    Some(tell(&account, &key))
}

fn tell(account: &Value, key: &Value) -> String {
    // A server that is none of ours can send any text as one, and this stands in a command to copy.
    let id = Some(cell(key.get("id"))).filter(|id| parse_key_id(id).is_some()).unwrap_or_else(|| "KEY".to_owned());
    let since = time(key.get("stateSince"));
    let dead = cell(key.get("dead"));
    match cell(key.get("state")).as_str() {
        "deleted" => return format!("the key {id} was deleted at {since}: make another one"),
        "expired" => return format!("the key {id} ended at {since}, without an IP list: make another one"),
        "disabled" => {
            let by = cell(key.get("heldBy"));
            let mend = match by.as_str() {
                "owner" => format!("`latchkey key enable {id}` puts it back"),
                _ => format!("each of them must end that; `latchkey key enable {id}` ends the owner's part"),
            };
            return format!("the key {id} is disabled since {since}, by {by}: {mend}");
        }
        _ => {}
    }
    match dead.as_str() {
        "-" => {
            let ips = if key.get("ipRestricted").and_then(Value::as_bool) == Some(true) {
                cell(key.get("ips"))
            } else {
                "everywhere".to_owned()
            };
            format!("the key {id} is in force for {ips}: call from there, or change it with `latchkey key edit`")
        }
        "account-frozen" => {
            let (since, by) = (time(account.get("frozenSince")), cell(account.get("frozenBy")));
            let mend = match by.as_str() {
                "owner" => "`latchkey account unfreeze` ends that".to_owned(),
                by => format!("the {by} must end that"),
            };
            format!("the account is frozen since {since}, by its {by} ({}): {mend}", cell(account.get("frozen")))
        }
        "retired" => format!("the key {id} is retired: use its successor {}", cell(key.get("successor"))),
        "kyc-too-low" => format!("the key {id} waits for its owner to be verified: turn to the operator"),
        reason => format!("the key {id} is out of force ({reason}): turn to the operator"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "01990000-0000-7000-8000-000000000007";

    #[test]
    fn each_hold_is_named_with_what_ends_it() {
        let account = json!({ "frozen": "asked by phone", "frozenSince": 0, "frozenBy": "operator" });
        let key = |state: &str, more: Value| {
            let mut key =
                json!({ "id": ID, "state": state, "stateSince": 0, "ipRestricted": true, "ips": ["192.0.2.7"] });
            key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            tell(&account, &key)
        };
        let since = "1970-01-01 00:00:00Z";
        assert_eq!(
            key("active", json!({ "dead": "account-frozen" })),
            format!(
                "the account is frozen since {since}, by its operator (asked by phone): the operator must end that"
            )
        );
        assert_eq!(
            key("disabled", json!({ "dead": "disabled", "heldBy": ["owner"] })),
            format!("the key {ID} is disabled since {since}, by owner: `latchkey key enable {ID}` puts it back")
        );
        assert!(key("disabled", json!({ "heldBy": ["owner", "operator"] })).contains("each of them must end that"));
        assert!(key("active", json!({ "dead": "retired", "successor": "8" })).ends_with("use its successor 8"));
        assert!(key("active", json!({})).contains("in force for 192.0.2.7"));
        assert!(key("expired", json!({})).contains("make another one"));
        let odd = key("disabled", json!({ "id": "1; rm -r /", "heldBy": ["owner"] }));
        assert!(odd.ends_with("`latchkey key enable KEY` puts it back"), "a server can send any text: {odd}");
    }
}

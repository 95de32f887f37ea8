use latchkey_admission::call::RequestIds;
use latchkey_admission::records::{CallEntry, EntryEnd, RefusalEntry, UsedEntry};
use latchkey_protocol::{AccountId, KeyId, Timestamp};
use serde_json::json;

use crate::client::Console;

const CALLS: &str = "/v1/accounts/me/calls";

/// Ten calls of alice, from minute to minute and with one key after the other, and one of bob.
async fn console() -> Console {
    let console = Console::new().await;
    let ids = RequestIds::new(7);
    let call = |account: i64, minute: i64| CallEntry {
        id: ids.next(),
        at: Timestamp::from_millis(1_700_000_000_000 + minute * 60_000),
        took_us: 12,
        account: AccountId(account),
        key: KeyId(u128::try_from(minute % 2 + 1).unwrap()),
        method: "GET".into(),
        path: "/api/v3/account".into(),
        source: "192.0.2.7".parse().unwrap(),
        found_by: "socket".into(),
        ip_entry: Some("192.0.2.0/24".into()),
        proven: true,
        changes_state: false,
        clock_us: Some(-3000),
        used: Some(UsedEntry { budget: "ip".into(), weight: 20, used: 40, allowed: Some(1200) }),
        end: EntryEnd::Answered,
        count: 1,
    };
    let mut calls: Vec<_> = (0..10).map(|minute| call(1, minute)).collect();
    calls[9].end = EntryEnd::Rejected(Box::new(RefusalEntry {
        stage: "parameters".into(),
        reason: "parameter".into(),
        code: -1121,
        told: "Invalid symbol.".into(),
        explanation: "=HYPERLINK(\"http://example.com\")\u{1b}[2J".into(),
        payload: None,
    }));
    calls.push(call(2, 0));
    *console.house.0.calls.lock().unwrap() = calls;
    console
}

#[tokio::test]
async fn an_owner_reads_own_calls_page_by_page() {
    let console = console().await;
    let alice = console.alice().await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = alice.get(&format!("{CALLS}?limit=3{cursor}")).await.ok();
        seen.extend(page["calls"].as_array().unwrap().iter().cloned());
        let Some(next) = page["cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen.len(), 10, "bob's is not among them");
    assert_eq!(seen[0]["outcome"], "rejected");
    assert_eq!(seen[0]["refusal"]["explanation"], "=HYPERLINK(\"http://example.com\")\u{1b}[2J");
    assert_eq!(seen[1]["weight"], json!({ "budget": "ip", "weight": 20, "used": 40, "allowed": 1200 }));
    assert_eq!(seen[1]["ipEntry"], "192.0.2.0/24");
    let filtered = |filter: &str| {
        let path = format!("{CALLS}?{filter}");
        let alice = &alice;
        async move { alice.get(&path).await.ok()["calls"].as_array().unwrap().len() }
    };
    assert_eq!(filtered("outcome=parameter").await, 1);
    assert_eq!(filtered("ip=192.0.2.8").await, 0);
    assert_eq!(filtered("path=/api/v3/order").await, 0);
    assert_eq!(filtered("endTime=1700000120000").await, 2);
    assert_eq!(filtered("key=00000000-0000-0000-0000-000000000009").await, 0);
}

#[tokio::test]
async fn an_export_holds_every_page_and_no_formula() {
    let console = console().await;
    let alice = console.alice().await;
    let whole = alice.get(&format!("{CALLS}/export")).await;
    assert_eq!(whole.status, 200, "{}", whole.text);
    assert_eq!(whole.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(whole.headers["content-disposition"], "attachment; filename=\"calls-1.csv\"");
    let lines: Vec<&str> = whole.text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 11, "a head and ten calls: {}", whole.text);
    assert!(lines[1].contains("\"'=HYPERLINK(\"\"http://example.com\"\")\\u{1b}[2J\""), "{}", lines[1]);
    let some = alice.get(&format!("{CALLS}/export?format=csv&endTime=1700000120000")).await;
    assert_eq!(some.text.lines().count(), 3);
    let none = alice.get(&format!("{CALLS}/export?ip=192.0.2.8")).await;
    assert_eq!(none.text.lines().count(), 1, "a head alone");
}

#[tokio::test]
async fn others_find_nothing_and_nonsense_is_refused() {
    let console = console().await;
    let (alice, bob) = (console.alice().await, console.bob().await);
    assert_eq!(bob.get(CALLS).await.ok()["calls"].as_array().unwrap().len(), 1);
    for path in ["/v1/accounts/1/calls", "/v1/accounts/1/calls/export"] {
        assert_eq!(bob.get(path).await.problem(), "account-unknown");
        assert_eq!(console.send("GET", path, &[], None).await.problem(), "sign-in-needed");
    }
    for filter in ["limit=0", "limit=1001", "cursor=1", "key=bot", "ip=home", "startTime=-1", "format=csv", "x=1"] {
        assert_eq!(alice.get(&format!("{CALLS}?{filter}")).await.problem(), "malformed", "{filter}");
    }
    for filter in ["format=xlsx", "format=parquet", "limit=1", "cursor=1.1", "endTime=253402300800000"] {
        assert_eq!(alice.get(&format!("{CALLS}/export?{filter}")).await.problem(), "malformed", "{filter}");
    }
}

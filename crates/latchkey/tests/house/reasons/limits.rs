//! Calls that are refused because something is used up.

use std::cell::Cell;

use tempfile::TempDir;

use super::town::numbered;
use super::{Book, check, id, path, read_by, written};
use crate::limits::with_world;
use crate::server::{Server, wall_us};
use crate::signed::Key;
use crate::wire::{Answer, get};
use crate::world::{lender, trader};

/// Small numbers, each reached in its turn.
const POLICY: &str = "orders_per_day = 1\nrequest_weight_per_minute = 80\nraw_requests_per_5m = 400\n\
                      sapi_ip_weight_per_minute = 70\nsapi_uid_weight_per_minute = 6\n\
                      failed_verifications_per_minute = 3\nkey_weight_per_minute = 60\nkey_share_percent = 15\n";
/// What reads in the end, from addresses that used nothing up.
const READER: u32 = 130;
const KEY: &str = "/latchkey/v1/key";

/// The first answer that a limit gives.
fn until_refused(call: impl Fn() -> Answer) -> Answer {
    // A window that turns on the way takes as many again.
    let mut answers = (0..1200).map(|_| call());
    answers.find(|answer| answer.status == 429).expect("a limit")
}

/// A call of `key` that only pays for its arrival.
fn unsigned(server: &Server, key: &Key, path: &str) -> Answer {
    key.send(server.api, "GET", path, "", "")
}

/// The refusal of such a call when others, which name no key and leave no record, have used up what there was.
fn crowded_out(server: &Server, key: &Key, path: &str) -> Answer {
    until_refused(|| {
        let nameless = get(server.api, path, "");
        if nameless.status == 429 { unsigned(server, key, path) } else { nameless }
    })
}

/// Uses everything up, and reads every refusal.
pub(super) fn refuse() -> Book {
    let folder = TempDir::new().expect("a folder");
    let more = |label: &str, number: u32| {
        format!(
            "\n[[account.key]]\nlabel = \"{label}\"\ntype = \"hmac\"\npermissions = [\"reading\"]\n\
             api_key = \"{number:064}\"\nsecret_key = \"{number:064}\"\n"
        )
    };
    let keys: String = (READER..READER + 5).map(|number| more(&number.to_string(), number)).collect();
    let (server, _) = with_world(folder.path(), POLICY, &keys);
    let api = server.api;
    let mut book = Book::default();
    let [key, share, address] = [1, 2, 3].map(|n| numbered(READER + n));

    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";
    let orders = until_refused(|| trader().call(api, "POST", "/api/v3/order", order));
    book.note("TooManyOrders", "venue", "too-many-orders", &orders);
    let of_share = until_refused(|| share.call(api, "GET", KEY, ""));
    book.note("Limited::KeyShare", "budget", "key-share", &of_share);
    let of_key = until_refused(|| key.call(api, "GET", "/sapi/v1/account/status", ""));
    book.note("Limited::Key", "budget", "key-weight", &of_key);
    let of_endpoint = crowded_out(&server, &address, "/sapi/v1/account/info");
    book.note("Limited::EndpointOfAddress", "limits", "sapi-ip-weight", &of_endpoint);
    let of_account = until_refused(|| lender().call(api, "GET", "/sapi/v1/margin/api-key-list", ""));
    book.note("Limited::EndpointOfAccount", "budget", "sapi-uid-weight", &of_account);
    let forged = until_refused(|| {
        let query = format!("timestamp={}&signature={}", wall_us() / 1000, "0".repeat(64));
        address.send(api, "GET", KEY, &query, "")
    });
    book.note("Limited::FailedVerifications", "budget", "failed-verifications", &forged);
    let weight = crowded_out(&server, &address, KEY);
    book.note("Limited::RequestWeight", "limits", "request-weight", &weight);
    // On `/sapi` nobody is banned, and what carries no signature costs its account nothing.
    let raw = crowded_out(&server, &address, "/sapi/v1/margin/api-key-list");
    book.note("Limited::RawRequests", "limits", "raw-requests", &raw);

    // Each question from another address: of none may the key use much.
    for (network, refused) in (1..).zip(&book.0) {
        let ask = |attempt| numbered(READER).call_from([127, 1, network, attempt], api, &path(&refused.id));
        check(refused, &read_by(ask));
    }
    banned(&server, &address);
    book
}

/// A banned address is refused unread: the key that it names owns nothing.
fn banned(server: &Server, key: &Key) {
    // Calls that name no key lead to the ban, so that the records of this one are not told together.
    assert!((0..300).any(|_| get(server.api, KEY, "").status == 418), "a ban");
    let ban = unsigned(server, key, KEY);
    assert_eq!(ban.status, 418, "{}", ban.text());
    let id = id(&ban);
    let counted = "latchkey_calls_total{end=\"rejected\",stage=\"limits\",reason=\"banned\"} 2\n";
    assert!(get(server.ops, "/metrics", "").text().contains(counted));
    let asked = Cell::new(0);
    let elsewhere = |path: &str| {
        asked.set(asked.get() + 1);
        numbered(READER + 4).call_from([127, 2, 0, asked.get()], server.api, path)
    };
    written(elsewhere);
    let answer = elsewhere(&path(&id));
    assert_eq!((answer.status, answer.code()), (404, Some(-1000)), "{}", answer.text());
}

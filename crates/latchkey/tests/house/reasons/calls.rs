//! Calls that are refused for what they say.

use latchkey_protocol::catalog::{Catalog, Endpoint, Route};

use super::Book;
use super::town::{OLD, WHITELISTED, numbered};
use crate::message::{Message, ONLY};
use crate::server::{Server, wall_us};
use crate::signed::{Key, stamped};
use crate::wire::{Answer, ask};
use crate::world::{elsewhere, lender, reader, special, trader};

const ACCOUNT: &str = "/api/v3/account";
const ORDER: &str = "/api/v3/order";
const TEST_ORDER: &str = "/api/v3/order/test";
const PARAMETERS: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";

/// A request of `key` with further header lines, its query as it stands.
fn with(server: &Server, key: &Key, method: &str, target: &str, headers: &str) -> Answer {
    let (host, name) = (server.api, &key.api_key);
    ask(
        host,
        &format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nX-MBX-APIKEY: {name}\r\n{headers}Content-Length: 0\r\n\r\n"
        ),
    )
}

/// Parameters and their signature.
fn sealed(key: &Key, payload: &str) -> String {
    format!("{payload}&signature={}", key.sign_encoded(payload))
}

/// A refusal for everything that a call can say wrong.
pub(super) fn refuse(server: &Server, book: &mut Book) {
    routes(server, book);
    shapes(server, book);
    fields(server, book);
    keys(server, book);
    signatures(server, book);
    rules(server, book);
    repeated(server, book);
}

fn routes(server: &Server, book: &mut Book) {
    let ask = |method: &str, target: &str| with(server, &trader(), method, target, "");
    book.note("NoSuchEndpoint", "route", "no-such-endpoint", &ask("GET", "/api/v3/nothing"));
    book.note("MethodNotAllowed", "route", "method-not-allowed", &ask("PUT", ACCOUNT));
    let withheld = |row: &&Endpoint| row.route == Route::Unavailable && row.security.is_signed();
    let row = Catalog::rows().find(withheld).expect("a row that the venue does not offer");
    let answer = trader().call(server.api, row.method.as_str(), row.path, "");
    book.note("NotAvailable", "route", "not-available", &answer);
    let (host, name) = (server.api, trader().api_key);
    let head = format!("POST {ORDER} HTTP/1.1\r\nHost: {host}\r\nX-MBX-APIKEY: {name}\r\nContent-Length: 9000\r\n\r\n");
    book.note("Unreadable", "edge", "unreadable", &crate::wire::ask(host, &head));
}

fn shapes(server: &Server, book: &mut Book) {
    let key = &lender();
    let unit = with(server, key, "GET", ACCOUNT, "X-MBX-TIME-UNIT: fortnights\r\n");
    book.note("TimeUnit", "shape", "time-unit", &unit);
    book.note("SbeDisabled", "shape", "sbe-disabled", &with(server, key, "GET", ACCOUNT, "X-MBX-SBE: 3:1\r\n"));
    let body = key.send(server.api, "GET", ACCOUNT, "", "a=1");
    book.note("BodyOnGet", "shape", "body-on-get", &body);
    let many: Vec<_> = (0..70).map(|n| format!("p{n}=1")).collect();
    for (variant, query) in [
        ("Params::MalformedPair", "alone"),
        ("Params::IllegalName", "a%20b=1"),
        ("Params::Duplicate", "a=1&a=2"),
        ("Params::TooMany", many.join("&").as_str()),
        ("Params::BadEncoding", "a%zz=1"),
    ] {
        let answer = with(server, key, "GET", &format!("{ACCOUNT}?{query}"), "");
        book.note(variant, "shape", "malformed-parameters", &answer);
    }
}

fn fields(server: &Server, book: &mut Book) {
    let key = &trader();
    let ask = |query: &str| with(server, key, "GET", &format!("{ACCOUNT}?{query}"), "");
    book.note("FieldMissing", "shape", "field-missing", &ask("signature=00"));
    book.note("FieldEmpty", "shape", "field-empty", &ask("timestamp=&signature=00"));
    book.note("FieldIllegal", "shape", "field-illegal", &ask("timestamp=noon&signature=00"));
    let window = |window: &str| ask(&format!("{}&recvWindow={window}&signature=00", stamped("")));
    book.note("RecvWindowTooLarge", "shape", "recv-window-too-large", &window("60001"));
    book.note("RecvWindowPrecision", "shape", "recv-window-precision", &window("5.0001"));
    let both = Message::new(server, ONLY, "GET", ACCOUNT, "timestamp=1", "").send(server);
    book.note("FieldNotRequired", "shape", "field-not-required", &both);
    let half = with(server, key, "GET", ACCOUNT, "Signature-Input: sig1=()\r\n");
    book.note("Message", "shape", "message-signature", &half);
}

fn keys(server: &Server, book: &mut Book) {
    let old = numbered(OLD).call(server.api, "GET", ACCOUNT, "");
    book.note("KeyDead::Expired", "key", "expired", &old);
    let placed = elsewhere().call(server.api, "GET", ACCOUNT, "");
    book.note("IpNotAllowed", "ip", "ip-not-allowed", &placed);
    let at = |offset_ms: i64| {
        let payload = format!("timestamp={}", wall_us() / 1000 + offset_ms);
        trader().send(server.api, "GET", ACCOUNT, &sealed(&trader(), &payload), "")
    };
    book.note("TimestampTooOld", "timing", "timestamp-too-old", &at(-70_000));
    book.note("TimestampAhead", "timing", "timestamp-ahead", &at(70_000));
}

fn signatures(server: &Server, book: &mut Book) {
    let compatible = numbered(ONLY).call(server.api, "GET", ACCOUNT, "");
    book.note("ProofNotAccepted", "signature", "proof-not-accepted", &compatible);
    let with = |signature: &str| {
        let query = format!("{}&signature={signature}", stamped(""));
        reader().send(server.api, "GET", ACCOUNT, &query, "")
    };
    book.note("SignatureShape", "signature", "signature-shape", &with("00"));
    book.note("SignatureWrong", "signature", "signature-wrong", &with(&"0".repeat(64)));
    let mut message = Message::new(server, ONLY, "POST", TEST_ORDER, "", PARAMETERS);
    message.body = message.body.replace("40000", "40001");
    book.note("ContentDigestWrong", "signature", "content-digest-wrong", &message.send(server));
}

fn rules(server: &Server, book: &mut Book) {
    let api = server.api;
    let reads = reader().call(api, "POST", ORDER, PARAMETERS);
    book.note("PermissionMissing", "permission", "permission-missing", &reads);
    let [special, _] = special();
    let manages = special.call(api, "POST", "/sapi/v1/margin/apiKey", "apiName=child&ip=127.0.0.1");
    book.note("KeyKind", "permission", "key-kind", &manages);
    let listed = numbered(WHITELISTED).call(api, "POST", ORDER, PARAMETERS);
    book.note("SymbolNotWhitelisted", "parameters", "symbol-not-whitelisted", &listed);
    let side = trader().call(api, "POST", ORDER, &PARAMETERS.replace("BUY", "HOLD"));
    book.note("Parameter", "parameters", "parameter", &side);
    for (method, path, parameters) in
        [("GET", ACCOUNT, "unread=1"), ("POST", ORDER, format!("{PARAMETERS}&unread=1").as_str())]
    {
        let unread = trader().call(api, method, path, parameters);
        book.note("UnreadParameters", "parameters", "unread-parameters", &unread);
    }
    let poor = trader().call(api, "POST", ORDER, &PARAMETERS.replace("0.001", "9"));
    book.note("Venue", "venue", "venue", &poor);
}

fn repeated(server: &Server, book: &mut Book) {
    let send = |method: &str, path: &str, query: &str| trader().send(server.api, method, path, query, "");
    let order = sealed(&trader(), &stamped(PARAMETERS));
    assert_eq!(send("POST", ORDER, &order).status, 200);
    book.note("SignatureUsed", "charge", "signature-used", &send("POST", ORDER, &order));
    let cancel = sealed(&trader(), &stamped("symbol=BTCUSDT"));
    assert_eq!(send("DELETE", "/api/v3/openOrders", &cancel).status, 200);
    book.note("SignatureUsed", "charge", "signature-used", &send("DELETE", "/api/v3/openOrders", &cancel));
    let order = sealed(&trader(), &stamped(PARAMETERS));
    assert_eq!(send("POST", TEST_ORDER, &order).status, 200);
    book.note("SignatureElsewhere", "charge", "signature-elsewhere", &send("POST", ORDER, &order));
    let cancel = sealed(&trader(), &stamped("symbol=BTCUSDT"));
    assert_eq!(send("GET", "/api/v3/openOrders", &cancel).status, 200);
    let elsewhere = send("DELETE", "/api/v3/openOrders", &cancel);
    book.note("SignatureElsewhere", "charge", "signature-elsewhere", &elsewhere);
}

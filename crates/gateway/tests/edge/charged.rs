//! What a request costs its address, whatever becomes of it.

use std::net::IpAddr;
use std::sync::Arc;

use latchkey_admission::trail::End;
use latchkey_authority::policy::Policy;
use latchkey_gateway::edge::{Proxies, Word};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{PING, answer, connect, connect_from, order, until_closed};
use crate::stage::{Door, PATIENCE, SHORT, open, open_limited};

/// A door that takes so many requests of an address, and waits a short time for a body.
async fn taking(raw_requests_per_5m: u32) -> Door {
    let policy = Policy { raw_requests_per_5m, ..Policy::default() };
    open_limited(policy, None, |settings| settings.body_timeout = SHORT).await
}

/// A door that gives so much weight to an address.
async fn weighing(request_weight_per_minute: u32, ban_after: u16) -> Door {
    open_limited(Policy { request_weight_per_minute, ban_after, ..Policy::default() }, None, |_| {}).await
}

async fn ping(door: &Door) -> String {
    answer(&mut connect(door, PING).await).await
}

/// Waits until a request was recorded: where the library answers by itself, or nobody does, that comes later.
async fn recorded(door: &Door) {
    while door.records.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

fn header(answer: &str, name: &str) -> Option<String> {
    let lines = answer.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
}

#[tokio::test]
async fn every_request_counts_whatever_becomes_of_it() {
    let post = "POST /api/v3/order HTTP/1.1\r\nHost: localhost\r\n";
    let late = order(60);
    for (request, status) in [
        (format!("{post}Transfer-Encoding: chunked\r\n\r\n"), "411"),
        (order(9000), "413"),
        (format!("{post}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n"), "415"),
        (format!("{post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n"), "400"),
        (format!("{post}X: 1\n\r\n"), "400"),
        ("GET /api/v3/ping HTTP/1.0\r\nHost: localhost\r\n\r\n".to_owned(), "400"),
        ("GET /api/v3/ping HTTP/1.1\r\nHost: elsewhere\r\n\r\n".to_owned(), "421"),
        ("GET /api/v3/ping HTTP/1.1\r\nHost : localhost\r\n\r\n".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(20_000)), "431"),
        ("POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n".to_owned(), "404"),
        (format!("{post}Content-Length: 9\r\n\r\n"), "401"),
        (late, "408"),
    ] {
        let door = taking(1).await;
        let heard = until_closed(&mut connect(&door, &request).await).await;
        assert!(heard.split(' ').nth(1) == Some(status), "{request:?}: {heard}");
        recorded(&door).await;
        let next = ping(&door).await;
        assert!(next.starts_with("HTTP/1.1 429"), "{request:?} was not counted: {next}");
    }
}

#[tokio::test]
async fn a_body_that_never_comes_whole_counts() {
    let door = taking(1).await;
    let mut aborted = connect(&door, &order(60)).await;
    aborted.write_all(b"a=").await.unwrap();
    drop(aborted);
    recorded(&door).await;
    assert!(ping(&door).await.starts_with("HTTP/1.1 429"));
}

#[tokio::test]
async fn a_request_with_a_body_counts_once() {
    let door = taking(2).await;
    for _ in 0..2 {
        let whole = format!("{}{}", order(3), "a=1");
        assert!(answer(&mut connect(&door, &whole).await).await.starts_with("HTTP/1.1 400"));
    }
    assert!(ping(&door).await.starts_with("HTTP/1.1 429"));
    let door = weighing(100, 0).await;
    let heard = answer(&mut connect(&door, &format!("{}{}", order(3), "a=1")).await).await;
    assert_eq!(header(&heard, "x-mbx-used-weight-1m").as_deref(), Some("1"), "{heard}");
}

#[tokio::test]
async fn what_a_body_weighs_is_charged_when_it_is_there() {
    let body = "computeCommissionRates=true";
    let test = order(body.len()).replace("/order ", "/order/test ");
    let door = weighing(21, 0).await;
    let heard = answer(&mut connect(&door, &format!("{test}{body}")).await).await;
    assert_eq!(header(&heard, "x-mbx-used-weight-1m").as_deref(), Some("20"), "{heard}");
    let heard = answer(&mut connect(&door, &format!("{test}{body}")).await).await;
    assert!(heard.starts_with("HTTP/1.1 429"), "{heard}");
    let heard = ping(&door).await;
    assert_eq!(header(&heard, "x-mbx-used-weight-1m").as_deref(), Some("21"), "what does not fit leaves no weight");
}

#[tokio::test]
async fn a_refusal_that_the_head_decides_does_not_wait_for_the_body() {
    let door = open(|_| {}).await;
    let without = order(60).replace("X-MBX-APIKEY", "X-Other");
    let malformed = order(60).replace("kkk", "k-k");
    let unsigned = order(60).replace("X-MBX-APIKEY", "Signature-Input");
    for (head, expected) in [
        (&without, "401"),
        (&malformed, "401"),
        (&unsigned, "400"),
        (&without.replace("/api/v3/order", "/sapi/v1/sub-account/virtualSubAccount"), "401"),
        (&order(60).replace("/api/v3/order", "/nothing"), "404"),
        (&order(60).replace("POST", "PATCH"), "405"),
    ] {
        let heard = until_closed(&mut connect(&door, head).await).await;
        assert!(heard.starts_with(&format!("HTTP/1.1 {expected}")), "{head:?}: {heard}");
        assert_eq!(header(&heard, "connection").as_deref(), Some("close"), "{heard}");
        assert!(header(&heard, "x-mbx-uuid").is_some(), "{heard}");
        assert!(expected != "401" || heard.contains("-2014"), "{heard}");
    }
    // With a key that could be one the body is read, whatever it says.
    let mut whole = connect(&door, &order(3)).await;
    assert!(timeout(SHORT, whole.read_u8()).await.is_err(), "answered before the body came");
    whole.write_all(b"a=1").await.unwrap();
    assert!(answer(&mut whole).await.contains("-1102"));
}

#[tokio::test]
async fn a_limited_address_is_told_before_its_body_is_read() {
    let door = weighing(1, 2).await;
    assert!(ping(&door).await.starts_with("HTTP/1.1 200"));
    for status in ["429", "429", "418", "418"] {
        let heard = until_closed(&mut connect(&door, &order(60)).await).await;
        assert!(heard.split(' ').nth(1) == Some(status), "{heard}");
        assert!(heard.contains("-1003") && header(&heard, "retry-after").is_some(), "{heard}");
    }
}

#[tokio::test]
async fn a_banned_address_is_told_so_and_its_connection_ends() {
    let door = weighing(1, 1).await;
    let mut kept = connect(&door, PING).await;
    assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200"));
    kept.write_all(PING.as_bytes()).await.unwrap();
    assert!(answer(&mut kept).await.starts_with("HTTP/1.1 429"), "refused, and not banned yet");
    kept.write_all(format!("{PING}{PING}").as_bytes()).await.unwrap();
    let heard = until_closed(&mut kept).await;
    assert!(heard.starts_with("HTTP/1.1 418"), "{heard}");
    assert_eq!(header(&heard, "connection").as_deref(), Some("close"));
    assert_eq!(heard.matches("HTTP/1.1 ").count(), 1, "{heard}");
    // Whoever comes again is told again; `/sapi` knows no 418.
    for (path, status) in [("/api/v3/ping", "418"), ("/sapi/v1/account/status", "429")] {
        let heard = until_closed(&mut connect(&door, &PING.replace("/api/v3/ping", path)).await).await;
        assert!(heard.starts_with(&format!("HTTP/1.1 {status}")), "{heard}");
        assert!(heard.contains("IP banned until"), "{heard}");
        assert_eq!(header(&heard, "connection").as_deref(), Some("close"));
    }
}

#[tokio::test]
async fn a_proxy_keeps_its_connection_when_one_of_its_callers_is_banned() {
    let listed = Arc::new(|address: IpAddr| address.is_loopback());
    let policy = Policy { request_weight_per_minute: 1, ban_after: 1, ..Policy::default() };
    let proxies = Proxies { listed, word: Word::XForwardedFor };
    let door = open_limited(policy, Some(proxies), |_| {}).await;
    let ping = |caller: &str| PING.replace("\r\n\r\n", &format!("\r\nX-Forwarded-For: {caller}\r\n\r\n"));
    let mut proxy = connect(&door, "").await;
    for (caller, status) in
        [("192.0.2.1", "200"), ("192.0.2.1", "429"), ("192.0.2.1", "418"), ("192.0.2.1", "418"), ("192.0.2.2", "200")]
    {
        proxy.write_all(ping(caller).as_bytes()).await.unwrap();
        let heard = answer(&mut proxy).await;
        assert!(heard.starts_with(&format!("HTTP/1.1 {status}")), "{caller}: {heard}");
    }
}

#[tokio::test]
async fn an_answer_is_read_though_its_request_is_not() {
    let door = open(|_| {}).await;
    let head = order(60_000)
        .replace("/api/v3/order", "/sapi/v1/sub-account/virtualSubAccount")
        .replace("X-MBX-APIKEY", "X-Other");
    for _ in 0..50 {
        let mut stream = TcpStream::connect(door.at).await.unwrap();
        stream.write_all(format!("{head}{}", "a".repeat(60_000)).as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("an end");
        read.expect("an orderly end");
        assert!(heard.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&heard));
    }
}

#[tokio::test]
async fn an_address_holds_so_many_bytes_of_bodies() {
    let door = open(|settings| settings.buffered_bytes_per_address_max = 100).await;
    let mut holder = connect(&door, &order(60)).await;
    holder.write_all("a".repeat(50).as_bytes()).await.unwrap();
    let whole = format!("{}{}", order(60), "b".repeat(60));
    // What has arrived counts, once it was read: ask until it is.
    while !answer(&mut connect(&door, &whole).await).await.starts_with("HTTP/1.1 503") {}
    let heard = answer(&mut connect_from([127, 0, 0, 9], &door, &whole).await).await;
    assert!(heard.starts_with("HTTP/1.1 400"), "another address pays for it: {heard}");
    holder.write_all("a".repeat(10).as_bytes()).await.unwrap();
    assert!(answer(&mut holder).await.starts_with("HTTP/1.1 400"));
    assert!(answer(&mut connect(&door, &whole).await).await.starts_with("HTTP/1.1 400"), "it does not come back");
    let busy = |end: &End| matches!(end, End::Rejected(rejection) if rejection.name() == "busy");
    assert!(door.records.lock().unwrap().iter().any(|record| busy(&record.end)));
}

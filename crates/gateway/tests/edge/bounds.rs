//! The bounds of the door, set short.

use std::sync::atomic::Ordering;
use std::time::Duration;

use latchkey_gateway::edge::Refused;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::client::{PING, answer, connect, order, until_closed};
use crate::stage::{Door, PATIENCE, SHORT, is_read, open};

const TIME: &str = "GET /api/v3/time HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Sends a byte every so often until the server closes; says what came.
async fn trickle(stream: TcpStream) -> String {
    let (mut reads, mut writes) = stream.into_split();
    let writing = tokio::spawn(async move {
        let mut beat = tokio::time::interval(Duration::from_millis(30));
        loop {
            beat.tick().await;
            if writes.write_all(b"a").await.is_err() {
                return;
            }
        }
    });
    let mut heard = Vec::new();
    let read = timeout(PATIENCE, reads.read_to_end(&mut heard)).await;
    writing.abort();
    // A reset is an end too: the last bytes of the trickle met a closed door.
    drop(read.unwrap_or_else(|_| panic!("still open after {PATIENCE:?}")));
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_off() {
    let door = open(|settings| settings.header_timeout = SHORT).await;
    let stream = connect(&door, "GET /api/v3/ping HTTP/1.1\r\nHost: localhost\r\nX-A: ").await;
    let heard = trickle(stream).await;
    assert!(!heard.contains("200"), "{heard}");
    assert_eq!(door.counters.refused(Refused::HeadTimeout), 1);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_cut_off() {
    let door = open(|settings| settings.header_timeout = SHORT).await;
    let mut silent = connect(&door, "").await;
    assert!(!until_closed(&mut silent).await.contains("200"));
    let mut idle = connect(&door, PING).await;
    assert!(answer(&mut idle).await.starts_with("HTTP/1.1 200"));
    assert!(!until_closed(&mut idle).await.contains("200"));
}

#[tokio::test]
async fn a_body_that_trickles_is_cut_off() {
    let door = open(|settings| settings.body_timeout = SHORT).await;
    let heard = trickle(connect(&door, &order(6000)).await).await;
    assert!(heard.starts_with("HTTP/1.1 408"), "{heard}");
    assert_eq!(door.counters.refused(Refused::BodyTimeout), 1);
}

#[tokio::test]
async fn a_head_may_have_sixteen_kibibytes() {
    let door = open(|_| {}).await;
    let request =
        |filler: usize| format!("GET /api/v3/ping HTTP/1.1\r\nHost: localhost\r\nX-A: {}\r\n\r\n", "a".repeat(filler));
    let mut small = connect(&door, &request(15 * 1024)).await;
    assert!(answer(&mut small).await.starts_with("HTTP/1.1 200"));
    let mut large = connect(&door, &request(16 * 1024)).await;
    let heard = until_closed(&mut large).await;
    assert!(heard.starts_with("HTTP/1.1 431"), "{heard}");
    // A head that never ends is not kept until its end.
    let mut endless = TcpStream::connect(door.at).await.unwrap();
    endless.write_all(b"GET /").await.unwrap();
    let mut sent = 0;
    while sent < (4 << 20) && endless.write_all(&[b'a'; 4096]).await.is_ok() {
        sent += 4096;
    }
    let heard = until_closed(&mut endless).await;
    assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 4"), "{heard}");
}

#[tokio::test]
async fn a_connection_over_the_cap_waits_for_a_place() {
    let door = open(|settings| settings.connections_max = 2).await;
    let mut first = connect(&door, PING).await;
    let mut second = connect(&door, PING).await;
    answer(&mut first).await;
    answer(&mut second).await;
    let mut third = connect(&door, PING).await;
    let early = timeout(SHORT, third.read_u8()).await;
    assert!(early.is_err(), "a third connection was served beside two");
    drop(first);
    assert!(answer(&mut third).await.starts_with("HTTP/1.1 200"));
    assert_eq!(door.counters.connections.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn bodies_share_a_budget_that_comes_back() {
    let door = open(|settings| settings.buffered_bytes_max = 100).await;
    let head = &order(60);
    let mut holder = connect(&door, head).await;
    holder.write_all("a".repeat(50).as_bytes()).await.unwrap();
    // What has arrived counts, once it was read: ask until it is.
    let mut refused = String::new();
    while !refused.starts_with("HTTP/1.1 503") {
        let mut other = connect(&door, head).await;
        other.write_all("b".repeat(60).as_bytes()).await.unwrap();
        refused = answer(&mut other).await;
    }
    drop(holder);
    let mut served = String::new();
    while !served.starts_with("HTTP/1.1 400") {
        let mut other = connect(&door, head).await;
        other.write_all("b".repeat(60).as_bytes()).await.unwrap();
        served = answer(&mut other).await;
        assert!(!served.starts_with("HTTP/1.1 200"), "{served}");
    }
}

#[tokio::test]
async fn an_open_request_is_answered_when_the_server_stops_and_idle_connections_end() {
    let door = open(|_| {}).await;
    let mut idle = connect(&door, PING).await;
    answer(&mut idle).await;
    let mut open = connect(&door, TIME).await;
    door.arrived.acquire().await.unwrap().forget();
    door.stop.send_replace(true);
    assert_eq!(until_closed(&mut idle).await, "");
    assert!(!door.ended.is_finished(), "the door does not wait for the open request");
    door.let_go.add_permits(1);
    let heard = until_closed(&mut open).await;
    assert!(heard.starts_with("HTTP/1.1 200") && heard.ends_with("{}"), "{heard}");
    timeout(PATIENCE, door.ended).await.expect("the door ends").unwrap();
    TcpStream::connect(door.at).await.expect_err("nobody listens any more");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let door = open(|settings| settings.drain_timeout = SHORT).await;
    let mut never = connect(&door, TIME).await;
    door.arrived.acquire().await.unwrap().forget();
    door.stop.send_replace(true);
    timeout(PATIENCE, door.ended).await.expect("the door ends").unwrap();
    let heard = until_closed(&mut never).await;
    assert!(!heard.contains("200"), "{heard}");
}

#[tokio::test]
async fn what_a_body_announces_holds_nothing() {
    let door = open(|settings| settings.buffered_bytes_max = 100).await;
    let head = &order(60);
    let mut slow = Vec::new();
    for _ in 0..10 {
        slow.push(connect(&door, &format!("{head}a=")).await);
    }
    let mut other = connect(&door, head).await;
    other.write_all("b".repeat(60).as_bytes()).await.unwrap();
    assert!(answer(&mut other).await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_off() {
    let door = open(|settings| settings.write_timeout = SHORT).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut deaf = socket.connect(door.at).await.unwrap();
    let many = PING.repeat(100);
    // Ends when the server closes: it reads no more while its answers wait.
    let asking = async { while deaf.write_all(many.as_bytes()).await.is_ok() {} };
    timeout(12 * PATIENCE, asking).await.expect("the server gives up");
    assert_eq!(door.counters.refused(Refused::Broken), 1);
}

#[tokio::test]
async fn an_address_holds_so_many_connections() {
    let door = open(|settings| settings.connections_per_address_max = 2).await;
    let mut first = connect(&door, PING).await;
    let mut second = connect(&door, PING).await;
    answer(&mut first).await;
    answer(&mut second).await;
    let mut third = connect(&door, PING).await;
    assert_eq!(until_closed(&mut third).await, "", "a third connection was served");
    assert_eq!(door.counters.refused(Refused::Connections), 1);
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 9], 0).into()).unwrap();
    let mut neighbour = socket.connect(door.at).await.unwrap();
    neighbour.write_all(PING.as_bytes()).await.unwrap();
    assert!(answer(&mut neighbour).await.starts_with("HTTP/1.1 200"), "another address pays for it");
    drop(first);
    // Its place comes back once the server saw the end.
    loop {
        let mut again = TcpStream::connect(door.at).await.unwrap();
        let mut byte = [0];
        if again.write_all(PING.as_bytes()).await.is_ok() && matches!(again.read(&mut byte).await, Ok(1)) {
            break;
        }
    }
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_served() {
    let door = open(|_| {}).await;
    for head in [
        "GET /api/v3/ping HTTP/1.1\nHost: localhost\r\n\r\n",
        "GET /api/v3/ping HTTP/1.1\r\nHost: localhost\n\r\n",
        "GET /api/v3/ping HTTP/1.1\r\nHost: localhost\r\n\n",
        "GET /api/v3/ping#x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /api/v3/order HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\na=",
    ] {
        let mut stream = connect(&door, &format!("{head}{PING}")).await;
        let heard = until_closed(&mut stream).await;
        assert!(heard.starts_with("HTTP/1.1 400"), "{head:?}: {heard}");
        assert_eq!(heard.matches("HTTP/1.1 ").count(), 1, "{head:?}: {heard}");
    }
    assert!(!door.records.lock().unwrap().iter().any(is_read));
}

/// Sends what is refused before the line, and expects the status that is told (none: the connection ends) and the
/// one reason that is counted. It is nobody's call: it has no key.
async fn check(door: &Door, request: &str, status: &str, why: Refused) {
    let before: Vec<u64> = Refused::ALL.iter().map(|why| door.counters.refused(*why)).collect();
    let mut stream = connect(door, request).await;
    stream.shutdown().await.unwrap();
    let heard = until_closed(&mut stream).await;
    assert!(heard.starts_with(status), "{request:?}: {heard}");
    let counted = || -> Vec<Refused> {
        let more = Refused::ALL.iter().zip(&before).map(|(why, before)| (*why, door.counters.refused(*why) - before));
        more.flat_map(|(why, times)| (0..times).map(move |_| why)).collect()
    };
    // The count may follow the end of the connection.
    let late = async {
        while counted().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, late).await.unwrap_or_else(|_| panic!("{request:?} is not counted"));
    let counted = counted();
    assert_eq!(counted, [why], "{request:?}");
    assert!(door.records.lock().unwrap().iter().all(|record| record.key.is_none()), "{request:?}");
}

#[tokio::test]
async fn each_refusal_of_the_door_is_counted_by_its_reason() {
    let door = open(|_| {}).await;
    let bad = "HTTP/1.1 400";
    let ping = |head: &str| format!("GET /api/v3/ping HTTP/1.1\r\n{head}\r\n");
    let post = |head: &str| format!("POST /api/v3/order HTTP/1.1\r\nHost: localhost\r\n{head}\r\n");
    check(&door, &ping("Host: localhost\n"), bad, Refused::BareLf).await;
    check(&door, "GET http://localhost/api/v3/ping HTTP/1.1\r\nHost: localhost\r\n\r\n", bad, Refused::Target).await;
    check(&door, "GET /api/v3/ping#x HTTP/1.1\r\nHost: localhost\r\n\r\n", bad, Refused::Target).await;
    check(&door, "GET /api/v3/ping HTTP/1.0\r\nHost: localhost\r\n\r\n", "HTTP/1.0 400", Refused::Version).await;
    check(&door, &ping(""), bad, Refused::Host).await;
    check(&door, &ping("Host: localhost\r\nHost: localhost\r\n"), bad, Refused::Host).await;
    check(&door, &ping("Host: elsewhere\r\n"), "HTTP/1.1 421", Refused::WrongHost).await;
    check(&door, &post("Content-Length: 0\r\nContent-Length: 0\r\n"), bad, Refused::Length).await;
    let chunked = post("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n";
    check(&door, &chunked, "HTTP/1.1 411", Refused::TransferEncoding).await;
    let packed = post("Content-Encoding: gzip\r\nContent-Length: 2\r\n") + "a=";
    check(&door, &packed, "HTTP/1.1 415", Refused::ContentEncoding).await;
    check(&door, &ping("Host: localhost\r\nContent-Length: 99999999\r\n"), "HTTP/1.1 413", Refused::BodyTooLarge).await;
    check(&door, &ping("Host: localhost\r\nX\0: 1\r\n"), bad, Refused::Head).await;
    check(&door, "\x16\x03\x01 GET", bad, Refused::Head).await;
    let long = format!("Host: localhost\r\nX: {}\r\n", "a".repeat(17 << 10));
    check(&door, &ping(&long), "HTTP/1.1 431", Refused::HeadTooLarge).await;
    let many = format!("Host: localhost\r\n{}", "X: 1\r\n".repeat(70));
    check(&door, &ping(&many), "HTTP/1.1 431", Refused::HeadTooLarge).await;
}

#[test]
fn names_of_reasons_are_unique() {
    let names: std::collections::BTreeSet<_> = Refused::ALL.iter().map(|why| why.name()).collect();
    assert_eq!(names.len(), Refused::ALL.len());
    assert!(Refused::ALL.iter().enumerate().all(|(number, why)| *why as usize == number));
}

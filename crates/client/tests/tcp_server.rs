//! The HTTP transport against a server thread on a free port of this machine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where a test would")]

use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use latchkey_client::client::Client;
use latchkey_client::credentials::Credentials;
use latchkey_client::http::{BaseUrl, HttpSettings, HttpTransport};
use latchkey_client::outcome::Outcome;
use latchkey_client::request::{Proof, Request};
use latchkey_client::transport::{Reply, Transport as _, TransportError, Wire};
use latchkey_crypto::key_type::KeyType;
use latchkey_protocol::ApiKey;
use latchkey_protocol::catalog::Method;

const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";

/// A server that answers one request on each connection with the given bytes, in order, then closes; it returns
/// what it read.
fn serve(answers: Vec<Vec<u8>>) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            requests.push(read_request(&mut stream));
            // The other side may hang up first when it takes no more.
            let _ = stream.write_all(&answer);
        }
        requests
    });
    (address, server)
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut byte = [0];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        stream.read_exact(&mut byte).unwrap();
        text.push(char::from(byte[0]));
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
        .into_bytes()
}

fn settings() -> HttpSettings {
    HttpSettings { exchange_timeout: Duration::from_millis(500), body_max: 1000, ..HttpSettings::default() }
}

fn exchange(address: SocketAddr, wire: &Wire) -> Result<Reply, TransportError> {
    let base = BaseUrl::parse(&format!("http://{address}")).unwrap();
    HttpTransport::new(base, &settings()).unwrap().exchange(wire)
}

fn wire(method: Method, target: &str, body: Option<&str>) -> Wire {
    let api_key = ApiKey::parse(API_KEY.as_bytes());
    Wire { method, target: target.to_owned(), body: body.map(str::to_owned), api_key, fields: Vec::new() }
}

#[test]
fn every_method_arrives_byte_for_byte() {
    let rows = [
        (Method::Get, "/a?x=%EF%BC%91&y=a%2Bb&signature=00", None),
        (Method::Delete, "/a?x=~-._&z=", None),
        (Method::Post, "/a?x=1", Some("y=%20&signature=a%2F%3D")),
        (Method::Put, "/a", Some("y=2")),
        (Method::Post, "/a?x=1&signature=00", None),
        (Method::Put, "/a?x=1", None),
    ];
    let (address, server) = serve(rows.iter().map(|_| answer("200 OK", "", "{}")).collect());
    for (method, target, body) in rows {
        assert_eq!(exchange(address, &wire(method, target, body)).unwrap().body, b"{}");
    }
    for (request, (method, target, body)) in server.join().unwrap().iter().zip(rows) {
        let (head, sent_body) = request.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        assert_eq!(lines.next().unwrap(), format!("{} {target} HTTP/1.1", method.as_str()));
        assert_eq!(sent_body, body.unwrap_or_default());
        let header = |name: &str| {
            head.lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix(name).map(|_| line[name.len()..].to_owned()))
        };
        assert_eq!(header("x-mbx-apikey: ").unwrap(), API_KEY);
        assert_eq!(header("user-agent: ").unwrap(), concat!("latchkey/", env!("CARGO_PKG_VERSION")));
        let form = header("content-type: ");
        assert_eq!(form.as_deref(), body.map(|_| "application/x-www-form-urlencoded"));
        if body.is_none() && matches!(method, Method::Post | Method::Put) {
            assert_eq!(header("content-length: ").as_deref(), Some("0"));
        }
    }
}

#[test]
fn refusals_keep_status_headers_and_body() {
    let (address, server) =
        serve(vec![answer("418 I'm a teapot", "Retry-After: 9\r\nX-MBX-UUID: u-1\r\n", "{\"code\":-1003}")]);
    let reply = exchange(address, &wire(Method::Get, "/a", None)).unwrap();
    assert_eq!(
        (reply.status, reply.headers.find("retry-after"), reply.headers.find("x-mbx-uuid")),
        (418, Some("9"), Some("u-1"))
    );
    assert_eq!(reply.body, b"{\"code\":-1003}");
    server.join().unwrap();
}

#[test]
fn a_redirect_is_not_followed() {
    // The second answer would be taken if it were.
    let (address, server) = serve(vec![answer("307 Temporary Redirect", "Location: /elsewhere\r\n", "")]);
    assert_eq!(exchange(address, &wire(Method::Post, "/a", Some("b=1"))).unwrap().status, 307);
    assert_eq!(server.join().unwrap().len(), 1);
}

#[test]
fn nobody_listening_means_that_nothing_was_sent() {
    let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    assert!(matches!(exchange(address, &wire(Method::Post, "/a", None)), Err(TransportError::NotSent(_))));
}

#[test]
fn a_lost_connection_means_that_nobody_knows() {
    let cases: [&[u8]; 4] = [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"no http at all\r\n\r\n",
    ];
    let (address, server) = serve(cases.iter().map(|case| case.to_vec()).collect());
    for case in cases {
        let result = exchange(address, &wire(Method::Post, "/a", None));
        assert!(matches!(result, Err(TransportError::NoAnswer(_))), "{case:?}: {result:?}");
    }
    server.join().unwrap();
}

#[test]
fn a_silent_server_is_left_after_the_timeout() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let result = exchange(listener.local_addr().unwrap(), &wire(Method::Post, "/a", None));
    assert!(matches!(result, Err(TransportError::NoAnswer(_))), "{result:?}");
}

#[test]
fn sizes_are_bounded() {
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    let (address, server) = serve(vec![answer("200 OK", "", &"x".repeat(1001)), endless.into_bytes()]);
    assert_eq!(exchange(address, &wire(Method::Get, "/a", None)), Err(TransportError::TooLarge { limit: 1000 }));
    assert!(matches!(exchange(address, &wire(Method::Get, "/a", None)), Err(TransportError::NoAnswer(_))));
    server.join().unwrap();
}

#[test]
fn error_texts_have_no_query() {
    let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let error = exchange(address, &wire(Method::Get, "/a?signature=5ec2e7", None)).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("5ec2e7"));
}

#[test]
fn a_whole_call_runs_over_the_wire() {
    let secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    let (address, server) = serve(vec![
        answer("200 OK", "", "{\"serverTime\":1499827319559}"),
        answer("200 OK", "X-MBX-UUID: u-2\r\n", "{\"orderId\":1}"),
    ]);
    let credentials = Credentials::parse(API_KEY, KeyType::Hmac, secret).unwrap();
    let mut client =
        Client::connect(BaseUrl::parse(&format!("http://{address}/")).unwrap(), Some(credentials)).unwrap();
    let order =
        Request::post("/api/v3/order").proof(Proof::Signed).in_body().param("symbol", "BTCUSDT").build().unwrap();
    match client.call(&order).unwrap() {
        Outcome::Answered(answer) => assert_eq!(answer.body, b"{\"orderId\":1}"),
        other => panic!("{other:?}"),
    }
    let requests = server.join().unwrap();
    assert!(requests[0].starts_with("GET /api/v3/time HTTP/1.1\r\n"));
    assert!(!requests[0].contains(API_KEY));
    assert!(requests[1].starts_with("POST /api/v3/order HTTP/1.1\r\n"));
    let body = requests[1].split_once("\r\n\r\n").unwrap().1;
    assert!(body.starts_with("symbol=BTCUSDT&newClientOrderId=lk-") && body.contains("&timestamp=14998273"), "{body}");
}

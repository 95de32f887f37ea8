//! Whose word counts on where a request comes from, over real sockets.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use latchkey_admission::call::{FoundBy, Source};
use latchkey_gateway::edge::{Proxies, Word};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use crate::stage::{Door, PATIENCE, SHORT, is_read, open_behind};

const TABLE: &str = include_str!("../../testdata/sources.txt");

/// Listed and unlisted ends of a socket.
const LISTED: &str = "127.0.1.7";
const UNLISTED: &str = "127.0.2.7";

fn listed(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[..3] == [127, 0, 1] || address.octets()[0] == 10,
        IpAddr::V6(address) => address.segments()[..3] == [0x2001, 0xdb8, 1],
    }
}

/// What became of a request.
#[derive(Clone, PartialEq, Debug)]
enum Fate {
    Admitted(Source),
    Refused,
    Shut,
}

struct Row {
    text: &'static str,
    before: Vec<u8>,
    headers: String,
    /// By `forwarded`, `x-forwarded-for` and the PROXY protocol.
    expected: [&'static str; 3],
}

fn row(text: &'static str) -> Row {
    let columns: Vec<_> = text.split('|').map(str::trim).collect();
    let [before, headers, forwarded, x_forwarded_for, proxy] = columns[..] else { panic!("five columns in {text}") };
    let before = match before.split_once(' ') {
        None if before.is_empty() => Vec::new(),
        Some(("v1", line)) => format!("{line}\r\n").into_bytes(),
        Some(("raw", line)) => line.replace("\\r", "\r").replace("\\n", "\n").into_bytes(),
        Some(("v2", hex)) => {
            let digits: Vec<_> = hex.chars().filter(|digit| *digit != ' ').collect();
            let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
            b"\r\n\r\n\0\r\nQUIT\n".iter().copied().chain(digits.chunks(2).map(byte)).collect()
        }
        _ => panic!("no such preamble in {text}"),
    };
    let headers = headers.split(" \\ ").filter(|line| !line.is_empty()).map(|line| format!("{line}\r\n")).collect();
    Row { text, before, headers, expected: [forwarded, x_forwarded_for, proxy] }
}

/// What the table says of a row that `peer` sends to a door that takes the word `word`.
fn expected(row: &Row, word: Option<Word>, peer: &str) -> Fate {
    let socket = Source::socket(peer.parse().unwrap());
    let (column, found_by) = match word {
        Some(Word::Forwarded) => (row.expected[0], FoundBy::Forwarded),
        Some(Word::XForwardedFor) => (row.expected[1], FoundBy::XForwardedFor),
        Some(Word::ProxyProtocol) if peer != LISTED => return Fate::Shut,
        Some(Word::ProxyProtocol) => {
            (row.expected[2], if row.before.starts_with(b"PROXY") { FoundBy::ProxyV1 } else { FoundBy::ProxyV2 })
        }
        None => ("", FoundBy::Socket),
    };
    if word != Some(Word::ProxyProtocol) && !row.before.is_empty() {
        return Fate::Refused;
    }
    match column {
        _ if word.is_none() || peer != LISTED => Fate::Admitted(socket),
        "400" => Fate::Refused,
        "shut" => Fate::Shut,
        "local" => Fate::Admitted(Source { found_by: FoundBy::ProxyLocal, ..socket }),
        address => Fate::Admitted(Source { address: address.parse().unwrap(), found_by }),
    }
}

async fn found(door: &Door, row: &Row, peer: &str) -> Fate {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(peer.parse().unwrap(), 0)).unwrap();
    let mut stream = socket.connect(door.at).await.unwrap();
    let request = format!("GET /api/v3/ping HTTP/1.1\r\nHost: localhost\r\n{}Connection: close\r\n\r\n", row.headers);
    stream.write_all(&[&row.before[..], request.as_bytes()].concat()).await.unwrap();
    let mut heard = Vec::new();
    // A door that closes unread resets.
    drop(timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("an end in time"));
    let admitted: Vec<_> = door.records.lock().unwrap().drain(..).filter(is_read).collect();
    match (&admitted[..], String::from_utf8_lossy(&heard)) {
        ([record], heard) if heard.starts_with("HTTP/1.1 200") => {
            Fate::Admitted(Source { address: record.peer, found_by: record.found_by })
        }
        ([], heard) if heard.starts_with("HTTP/1.1 400") => Fate::Refused,
        ([], heard) if heard.is_empty() => Fate::Shut,
        (admitted, heard) => panic!("{}: {heard} with {} records", row.text, admitted.len()),
    }
}

#[tokio::test]
async fn listed_hops_alone_matter() {
    let rows: Vec<_> = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(row).collect();
    let mut combinations = 0;
    let mut wrong = Vec::new();
    for word in [None, Some(Word::Forwarded), Some(Word::XForwardedFor), Some(Word::ProxyProtocol)] {
        let proxies = word.map(|word| Proxies { listed: Arc::new(listed), word });
        let door = open_behind(proxies, |_| {}).await;
        for row in &rows {
            for peer in [LISTED, UNLISTED] {
                combinations += 1;
                let (found, expected) = (found(&door, row, peer).await, expected(row, word, peer));
                if found != expected {
                    wrong.push(format!("{word:?} from {peer}: {}: {found:?}, not {expected:?}", row.text));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {combinations}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(combinations >= 1000, "{combinations} combinations");
}

#[tokio::test]
async fn a_connection_that_does_not_say_who_calls_is_cut_off() {
    let proxies = Proxies { listed: Arc::new(listed), word: Word::ProxyProtocol };
    let door = open_behind(Some(proxies), |settings| settings.header_timeout = SHORT).await;
    for begun in ["", "PROX", "PROXY TCP4 192.0.2.1 ", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(LISTED.parse().unwrap(), 0)).unwrap();
        let mut stream = socket.connect(door.at).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        drop(timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("an end in time"));
        assert_eq!(heard, b"", "{begun:?}");
    }
}

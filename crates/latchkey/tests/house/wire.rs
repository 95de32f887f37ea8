//! Exact bytes to a server, and what it answers, with deadlines.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketType};
use serde_json::Value;

use crate::server::instant;

/// The longest silence before a test gives up on an answer.
const SILENCE: Duration = Duration::from_secs(15);

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `Null` when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The contract's code, when the body is the contract's error.
    pub(crate) fn code(&self) -> Option<i64> {
        self.json().get("code")?.as_i64()
    }
}

/// A connection.
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
    head_only: bool,
}

impl Wire {
    pub(crate) fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&to, SILENCE).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket option");
        stream.set_write_timeout(Some(SILENCE)).expect("a socket option");
        Self { stream, received: Vec::new(), head_only: false }
    }

    /// As [`Self::open`], from an address of this machine's own.
    fn open_from(from: [u8; 4], to: SocketAddr) -> Self {
        let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        net::bind(&socket, &SocketAddr::from((from, 0))).expect("a loopback address");
        net::connect(&socket, &to).expect("the server accepts");
        let stream = TcpStream::from(socket);
        stream.set_write_timeout(Some(SILENCE)).expect("a socket option");
        Self { stream, received: Vec::new(), head_only: false }
    }

    /// Sends; a server that has closed already is no failure of the test.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Tells the server that nothing more comes.
    pub(crate) fn end(&mut self) {
        // The server may have closed first.
        drop(self.stream.shutdown(Shutdown::Write));
    }

    /// The next answer comes without a body, whatever length it announces: the request is a HEAD.
    pub(crate) fn expect_head(&mut self) {
        self.head_only = true;
    }

    /// The next answer; `None` when the server closes instead.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        self.answer_or_silence(SILENCE)
            .unwrap_or_else(|| panic!("no answer within {SILENCE:?}, only {:?}", self.left()))
    }

    /// The next answer or the end of the connection, unless neither comes within `longest`.
    pub(crate) fn answer_or_silence(&mut self, longest: Duration) -> Option<Option<Answer>> {
        let deadline = instant() + longest;
        loop {
            if let Some((answer, used)) = parse(&self.received, self.head_only) {
                self.received.drain(..used);
                // An interim answer is not the answer.
                if answer.status >= 200 {
                    self.head_only = false;
                    return Some(Some(answer));
                }
                continue;
            }
            let left = deadline.saturating_duration_since(instant());
            if left.is_zero() {
                return None;
            }
            self.stream.set_read_timeout(Some(left)).expect("a socket option");
            let mut buffer = [0; 16 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => self.received.extend_from_slice(&buffer[..read]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => break,
                Err(error) => panic!("cannot read: {error}"),
            }
        }
        assert!(self.received.is_empty(), "half an answer: {:?}", self.left());
        Some(None)
    }

    fn left(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// All answers until the server closes.
    pub(crate) fn all(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some(answer) = self.answer() {
            answers.push(answer);
        }
        answers
    }
}

/// The first whole answer of what was received, and how long it is.
fn parse(received: &[u8], head_only: bool) -> Option<(Answer, usize)> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let status = head.get(9..12).and_then(|digits| digits.parse().ok()).expect("a status line");
    let mut answer = Answer { status, head, body: Vec::new() };
    if status < 200 || status == 204 || head_only {
        return Some((answer, end));
    }
    if answer.header("transfer-encoding").is_some() {
        let (body, used) = chunked(&received[end..])?;
        answer.body = body;
        return Some((answer, end + used));
    }
    let length = answer.header("content-length").map_or(0, |text| text.parse().expect("a length"));
    answer.body = received.get(end..end + length)?.to_vec();
    Some((answer, end + length))
}

fn chunked(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = bytes.get(at..)?.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[at..at + line]).ok()?, 16).ok()?;
        at += line + 2;
        body.extend_from_slice(bytes.get(at..at + size)?);
        bytes.get(at + size..at + size + 2)?;
        at += size + 2;
        if size == 0 {
            return Some((body, at));
        }
    }
}

/// Sends one whole request on a new connection.
pub(crate) fn ask(to: SocketAddr, request: &str) -> Answer {
    let mut wire = Wire::open(to);
    wire.send(request.as_bytes());
    wire.answer().unwrap_or_else(|| panic!("closed without an answer to {request:?}"))
}

/// As [`ask`], from an address of this machine's own.
pub(crate) fn ask_from(from: [u8; 4], to: SocketAddr, request: &str) -> Answer {
    let mut wire = Wire::open_from(from, to);
    wire.send(request.as_bytes());
    wire.answer().unwrap_or_else(|| panic!("closed without an answer to {request:?}"))
}

/// A plain GET with further header lines, each ending in CR LF.
pub(crate) fn get(to: SocketAddr, target: &str, headers: &str) -> Answer {
    ask(to, &format!("GET {target} HTTP/1.1\r\nHost: {to}\r\n{headers}\r\n"))
}

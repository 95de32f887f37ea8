//! The door over real sockets, its bounds set short.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests stop where a test would"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use latchkey_admission::call::RequestIds;
use latchkey_admission::limiter::{Limiter, Limits};
use latchkey_admission::live::LiveKey;
use latchkey_admission::ports::{Clock, Keys, OpenMaterial, Recorder, Venue};
use latchkey_admission::replay::{self, Replay};
use latchkey_admission::{CallRecord, Outcome, Permit, Rejection, Rules, Ticket};
use latchkey_authority::key::Material;
use latchkey_authority::policy::Policy;
use latchkey_crypto::verify::Verifier;
use latchkey_gateway::edge::{Counters, Edge, Settings};
use latchkey_gateway::line::{Line, Parts};
use latchkey_protocol::catalog::{Catalog, Route};
use latchkey_protocol::{AccountId, ApiKey, Hosts, KeyId, Timestamp, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than any bound under test, shorter than the bounds of production.
const PATIENCE: Duration = Duration::from_secs(5);
/// The short bound under test.
const SHORT: Duration = Duration::from_millis(300);

const PING: &str = "GET /api/v3/ping HTTP/1.1\r\nHost: localhost\r\n\r\n";
const TIME: &str = "GET /api/v3/time HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A house without keys whose clock stands still; `time` is answered when the test lets it.
struct Stage {
    arrived: Arc<Semaphore>,
    let_go: Arc<Semaphore>,
}

impl Keys for Stage {
    fn find(&self, _: &ApiKey) -> Option<Arc<LiveKey>> {
        None
    }
}

impl OpenMaterial for Stage {
    fn open(&self, _: AccountId, _: KeyId, _: &Material) -> Option<Verifier> {
        None
    }
}

impl Clock for Stage {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_732_000_000_000)
    }
}

impl Recorder for Stage {
    fn record(&self, _: CallRecord) {}
}

impl Venue for Stage {
    fn submit(&self, permit: Permit) -> Result<Ticket, Rejection> {
        let route = permit.call().row.route;
        let (arrived, let_go) = (Arc::clone(&self.arrived), Arc::clone(&self.let_go));
        Ok(Box::pin(async move {
            if route == Route::Time {
                arrived.add_permits(1);
                let_go.acquire().await.unwrap().forget();
            }
            Outcome::Answered(Value::empty().into())
        }))
    }
}

/// An open door.
struct Door {
    at: SocketAddr,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
    counters: Arc<Counters>,
    arrived: Arc<Semaphore>,
    let_go: Arc<Semaphore>,
}

async fn open(change: impl FnOnce(&mut Settings)) -> Door {
    let (arrived, let_go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let stage = || Arc::new(Stage { arrived: Arc::clone(&arrived), let_go: Arc::clone(&let_go) });
    let line = Line::new(Parts {
        catalog: Catalog::builtin(),
        keys: stage(),
        opener: stage(),
        rules: Rules { recv_window_max_ms: 60_000 },
        limiter: Arc::new(Limiter::new(Limits::from(&Policy::default()))),
        replay: Arc::new(Replay::new(replay::Settings::default())),
        venue: stage(),
        recorder: stage(),
        clock: stage(),
        ids: RequestIds::new(1),
    });
    let mut settings = Settings::new(Hosts::new(["localhost"]));
    change(&mut settings);
    let counters = Arc::new(Counters::default());
    let edge = Edge::new(Arc::new(line), settings, None, Arc::clone(&counters));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let ended = tokio::spawn(edge.run(listener, stopped));
    Door { at, stop, ended, counters, arrived, let_go }
}

/// Sends, then reads until the server closes or `PATIENCE` ends; says what came and whether it closed.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    match timeout(PATIENCE, stream.read_to_end(&mut heard)).await {
        Ok(Ok(_)) => {}
        // A server that refuses before it has read everything resets.
        Ok(Err(error)) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        Err(_) => panic!("still open after {PATIENCE:?}"),
    }
    String::from_utf8(heard).unwrap()
}

/// Reads one answer; every answer of this house is `{}` or an error of one line.
async fn answer(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(b"}") {
        let mut byte = [0];
        let read = timeout(PATIENCE, stream.read(&mut byte)).await.expect("an answer in time").unwrap();
        assert_eq!(read, 1, "closed after {:?}", String::from_utf8_lossy(&heard));
        heard.push(byte[0]);
    }
    String::from_utf8(heard).unwrap()
}

async fn connect(door: &Door, first: &str) -> TcpStream {
    let mut stream = TcpStream::connect(door.at).await.unwrap();
    stream.write_all(first.as_bytes()).await.unwrap();
    stream
}

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
    assert_eq!(door.counters.protocol_errors.load(Ordering::Relaxed), 1);
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
    let head = "POST /api/v3/order HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n";
    let heard = trickle(connect(&door, head).await).await;
    assert!(heard.starts_with("HTTP/1.1 408"), "{heard}");
    assert_eq!(door.counters.refused.load(Ordering::Relaxed), 1);
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
    let head = "POST /api/v3/order HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\n\r\n";
    let mut holder = connect(&door, head).await;
    holder.write_all(b"a=").await.unwrap();
    // Served only after the first one's head was read and its share taken, or before: ask until it is taken.
    let mut refused = String::new();
    while !refused.starts_with("HTTP/1.1 503") {
        let mut other = connect(&door, head).await;
        other.write_all("b".repeat(60).as_bytes()).await.unwrap();
        refused = answer(&mut other).await;
    }
    drop(holder);
    let mut served = String::new();
    while !served.starts_with("HTTP/1.1 401") {
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

use axum::routing::{get, post};
use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::*;

/// Longer than any bound under test.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(200);
const WHO: &str = "GET /who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";

async fn open(change: impl FnOnce(&mut Pages)) -> (SocketAddr, watch::Sender<bool>) {
    let who = |ConnectInfo(caller): ConnectInfo<SocketAddr>| async move { caller.ip().to_string() };
    let router = Router::new()
        .route("/who", get(who))
        .route("/take", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/large", get(|| async { vec![b'a'; 64 << 20] }));
    let mut pages = Pages { router, tls: None, peers: None, proxies: None, long_bodies: &[], bounds: Bounds::STANDARD };
    change(&mut pages);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(pages.serve(listener, stopped));
    (at, stop)
}

async fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// Sends, and tells all that comes until the server closes.
async fn ask(mut stream: TcpStream, request: &str) -> String {
    // A server that closed already takes no more.
    drop(stream.write_all(request.as_bytes()).await);
    let mut heard = Vec::new();
    drop(timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("an end in time"));
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn slow_heads_and_bodies_are_cut_off() {
    let (at, _stop) = open(|pages| {
        pages.bounds.head_timeout = SHORT;
        pages.bounds.body_timeout = SHORT;
    })
    .await;
    assert!(!ask(connect("127.0.0.1", at).await, "GET /who HTTP/1.1\r\nHost").await.contains("200"));
    assert_eq!(ask(connect("127.0.0.1", at).await, "").await, "");
    let slow = "POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc";
    assert!(ask(connect("127.0.0.1", at).await, slow).await.starts_with("HTTP/1.1 400"));
    let whole = "POST /take HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
    assert!(ask(connect("127.0.0.1", at).await, whole).await.ends_with("\r\n\r\n3"));
}

#[tokio::test(start_paused = true)]
async fn a_long_body_may_take_its_time_as_long_as_it_keeps_coming() {
    const PAUSE: Duration = Duration::from_secs(7);
    let received = |is_long: bool, pieces: usize| async move {
        let (mut pieces_to, body) = Channel::<Bytes, axum::Error>::new(1);
        let mut body = Timed::new(body, Duration::from_secs(10), is_long);
        tokio::spawn(async move {
            for _ in 0..pieces {
                timeout(PAUSE, std::future::pending::<()>()).await.unwrap_err();
                drop(pieces_to.send_data(Bytes::from_static(b"a")).await);
            }
            // The sender stays, silent.
            std::future::pending::<()>().await;
        });
        let mut received = 0;
        while let Some(Ok(_)) = body.frame().await {
            received += 1;
            // A server that is busy with a piece takes nothing from the time of the next one.
            if is_long {
                timeout(3 * PAUSE, std::future::pending::<()>()).await.unwrap_err();
            }
        }
        received
    };
    assert_eq!(received(true, 5).await, 5);
    assert_eq!(received(false, 5).await, 1, "what came in time is taken, and nothing later is waited for");
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_off() {
    let (at, _stop) = open(|pages| {
        pages.bounds.write_timeout = SHORT;
        pages.bounds.connections_max = 1;
    })
    .await;
    let mut deaf = connect("127.0.0.1", at).await;
    deaf.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    // The only place is free again although the first caller is still there.
    let heard = ask(connect("127.0.0.1", at).await, &format!("{WHO}\r\n")).await;
    assert!(heard.ends_with("127.0.0.1"), "{heard}");
}

#[tokio::test]
async fn a_handshake_keeps_nobody_else_waiting() {
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(Arc::new(
        tokio_rustls::rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_cert_resolver(Arc::new(tokio_rustls::rustls::server::ResolvesServerCertUsingSni::new()));
    let (at, _stop) = open(|pages| pages.tls = Some(TlsAcceptor::from(Arc::new(config)))).await;
    let _silent = connect("127.0.0.1", at).await;
    // Answered by an alert at once, while the first handshake is still open.
    let heard = timeout(PATIENCE, async {
        let mut second = connect("127.0.0.1", at).await;
        second.write_all(b"no handshake at all, and long enough\r\n\r\n").await.unwrap();
        let mut heard = Vec::new();
        drop(second.read_to_end(&mut heard).await);
        heard
    });
    assert_eq!(heard.await.expect("an alert").first(), Some(&21));
}

#[tokio::test]
async fn an_address_holds_so_many_connections_and_a_proxy_tells_who_calls() {
    let listed: PeerFilter = Arc::new(|address: IpAddr| address.to_string().starts_with("127.0.1."));
    let (at, _stop) = open(|pages| {
        pages.proxies = Some(Proxies { listed, word: Word::XForwardedFor });
        pages.bounds.connections_per_address_max = 1;
    })
    .await;
    let mut held = connect("127.0.2.1", at).await;
    held.write_all(b"GET /who HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    held.read_u8().await.unwrap();
    assert_eq!(ask(connect("127.0.2.1", at).await, &format!("{WHO}\r\n")).await, "");
    let _proxy = connect("127.0.1.1", at).await;
    for (from, headers, expected) in [
        ("127.0.1.1", "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"),
        ("127.0.1.1", "X-Forwarded-For: 203.0.113.9, 192.0.2.1, 127.0.1.9\r\n", "192.0.2.1"),
        ("127.0.3.1", "X-Forwarded-For: 192.0.2.1\r\n", "127.0.3.1"),
        ("127.0.1.1", "", "x-forwarded-for is missing behind a proxy\n"),
        ("127.0.1.1", "X-Forwarded-For: a\r\n", "x-forwarded-for cannot be read\n"),
    ] {
        let heard = ask(connect(from, at).await, &format!("{WHO}{headers}\r\n")).await;
        assert!(heard.ends_with(&format!("\r\n\r\n{expected}")), "{from} {headers:?}: {heard}");
    }
}

#[tokio::test]
async fn others_than_listed_peers_are_closed_unread() {
    let (at, _stop) = open(|pages| pages.peers = Some(Arc::new(|peer| peer.to_string() == "127.0.0.5"))).await;
    assert_eq!(ask(connect("127.0.0.6", at).await, &format!("{WHO}\r\n")).await, "");
    assert!(ask(connect("127.0.0.5", at).await, &format!("{WHO}\r\n")).await.ends_with("127.0.0.5"));
}

//! Sockets, bounds and deadlines. Behind this module nothing names an HTTP library.
//!
//! Every bound is a field of [`Settings`]. What hyper refuses by itself (a malformed request line or header: 400;
//! more headers or larger ones than allowed: 431) carries an empty body; everything else is answered in the
//! contract's error shape.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::CONNECTION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use latchkey_admission::call::{FoundBy, Source};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use latchkey_protocol::{Hosts, code};

use crate::line::Line;

mod forwarded;
mod patience;
mod places;
mod proxy_protocol;
mod refused;
mod request;
mod scan;
mod source;

pub use patience::Patient;
pub use places::{Place, Places};
pub use refused::{Counters, Refused};
pub use source::{PeerFilter, Proxies, Word};

/// The parsers of what proxies say, for whoever tests or fuzzes them.
pub mod parsers {
    pub use super::forwarded::{Last, Malformed, Node, forwarded, x_forwarded_for};
    pub use super::proxy_protocol::{Origin, PREAMBLE_MAX, Preamble, preamble};
    pub use super::source::{HOPS_MAX, Header, Unclear, behind};
}

use proxy_protocol::{Origin, Preamble, preamble};
use scan::{Heads, Scanned};

/// How long the rest of a request that is not read is waited for.
const LINGER: Duration = Duration::from_secs(1);
/// The most that is read meanwhile; the longest body of all fits.
const LINGER_BYTES: u64 = 1 << 20;

/// The bounds of the door.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The names that it answers to.
    pub hosts: Hosts,
    /// Open connections; one more waits in the system's backlog.
    pub connections_max: usize,
    /// Open connections of one address (IPv6: of one /64); one more is closed. Those of listed proxies, which call for
    /// many, are not counted.
    pub connections_per_address_max: usize,
    /// Request line and headers, in bytes, all together.
    pub header_bytes_max: usize,
    /// Header lines.
    pub headers_max: usize,
    /// Time for one request's head to arrive; also how long an idle connection is kept.
    pub header_timeout: Duration,
    /// Time for one request's body to arrive.
    pub body_timeout: Duration,
    /// Time for a reader to take an answer.
    pub write_timeout: Duration,
    /// Bytes of all bodies that are held at one time.
    pub buffered_bytes_max: usize,
    /// Bytes of the bodies of one address (IPv6: of one /64) that are held at one time.
    pub buffered_bytes_per_address_max: usize,
    /// Time that open requests get when the server stops.
    pub drain_timeout: Duration,
}

impl Settings {
    /// The bounds of production, for a door that answers to `hosts`.
    pub fn new(hosts: Hosts) -> Self {
        Self {
            hosts,
            connections_max: 10_000,
            connections_per_address_max: 500,
            header_bytes_max: 16 * 1024,
            headers_max: 64,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            buffered_bytes_max: 64 * 1024 * 1024,
            buffered_bytes_per_address_max: 1024 * 1024,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// One listener and what its connections share.
pub struct Edge {
    peers: Option<PeerFilter>,
    proxies: Option<Proxies>,
    line: Arc<Line>,
    settings: Settings,
    tls: Option<TlsAcceptor>,
    buffered: Semaphore,
    buffered_of: Places,
    connections: Arc<Semaphore>,
    places: Places,
    counters: Arc<Counters>,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug)]
struct Caller {
    /// The socket's other end, or whom a PROXY preamble names.
    source: Source,
    /// A listed proxy, whose requests tell for whom it calls.
    is_hop: bool,
}

impl Edge {
    /// A door before `line`; with `tls` it speaks TLS only.
    pub fn new(line: Arc<Line>, settings: Settings, tls: Option<Arc<ServerConfig>>, counters: Arc<Counters>) -> Self {
        Self {
            peers: None,
            proxies: None,
            line,
            places: Places::new(settings.connections_per_address_max, settings.connections_max),
            tls: tls.map(TlsAcceptor::from),
            buffered: Semaphore::new(settings.buffered_bytes_max),
            buffered_of: Places::new(settings.buffered_bytes_per_address_max, settings.buffered_bytes_max),
            connections: Arc::new(Semaphore::new(settings.connections_max)),
            counters,
            settings,
        }
    }

    /// The same door for some peers alone: a connection of any other is closed unread.
    #[must_use]
    pub fn only_from(self, peers: PeerFilter) -> Self {
        Self { peers: Some(peers), ..self }
    }

    /// The same door behind proxies, whose word counts on who calls. With the PROXY protocol nobody else may connect.
    #[must_use]
    pub fn behind(self, proxies: Proxies) -> Self {
        Self { proxies: Some(proxies), ..self }
    }

    /// Accepts until `stop` turns true, then lets open requests end within the drain time.
    pub async fn run(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let edge = Arc::new(self);
        let mut open = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                accepted = edge.accept(&listener) => accepted,
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let (edge, stop) = (Arc::clone(&edge), stop.clone());
            open.spawn(async move {
                edge.connection(stream, peer, stop).await;
                drop(place);
            });
            while open.try_join_next().is_some() {}
        }
        drop(listener);
        let drained = async { while open.join_next().await.is_some() {} };
        if tokio::time::timeout(edge.settings.drain_timeout, drained).await.is_err() {
            tracing::warn!("connections were still open at the end of the drain time");
        }
    }

    async fn accept(
        &self,
        listener: &TcpListener,
    ) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
        let place = Arc::clone(&self.connections).acquire_owned().await.ok()?;
        match listener.accept().await {
            Ok((_, peer)) if self.peers.as_ref().is_some_and(|allow| !allow(peer.ip())) => {
                self.counters.refuse(Refused::Peer);
                None
            }
            Ok((stream, peer)) => {
                self.counters.connections.fetch_add(1, Ordering::Relaxed);
                Some((stream, peer, place))
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of descriptors: give the open connections a moment to end.
                tokio::time::timeout(Duration::from_millis(50), std::future::pending::<()>()).await.ok();
                None
            }
        }
    }

    async fn connection(&self, mut stream: TcpStream, peer: SocketAddr, stop: watch::Receiver<bool>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let caller = match self.caller(&mut stream, peer).await {
            Ok(caller) => caller,
            Err(why) => return self.counters.refuse(why),
        };
        let Some(place) = self.place(caller) else {
            self.counters.refuse(Refused::Connections);
            tracing::debug!(caller = %caller.source, "an address opens more connections than it may");
            return;
        };
        let stream = Patient::new(stream, self.settings.write_timeout);
        match &self.tls {
            None => self.http(stream, caller, stop).await,
            Some(acceptor) => match tokio::time::timeout(self.settings.header_timeout, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => self.http(stream, caller, stop).await,
                Ok(Err(error)) => {
                    self.counters.refuse(Refused::Tls);
                    tracing::debug!(%error, "TLS handshake failed");
                }
                Err(_) => {
                    self.counters.refuse(Refused::Tls);
                    tracing::debug!("TLS handshake took too long");
                }
            },
        }
        drop(place);
    }

    /// A place for a connection, unless the caller holds or opens too many. A proxy calls for many: how many
    /// connections it needs is its own affair.
    fn place(&self, caller: Caller) -> Option<Option<Place>> {
        if caller.is_hop {
            return Some(None);
        }
        let address = caller.source.address;
        self.places.take(address).filter(|_| self.line.may_connect(address)).map(Some)
    }

    /// Who opened a connection; or why it is not to be served.
    async fn caller(&self, stream: &mut TcpStream, peer: SocketAddr) -> Result<Caller, Refused> {
        let source = Source::socket(peer.ip().to_canonical());
        let Some(Proxies { listed, word }) = &self.proxies else { return Ok(Caller { source, is_hop: false }) };
        let is_listed = listed(source.address);
        if *word != Word::ProxyProtocol {
            return Ok(Caller { source, is_hop: is_listed });
        }
        if !is_listed {
            return Err(Refused::Peer);
        }
        match tokio::time::timeout(self.settings.header_timeout, origin(stream)).await {
            Ok(Ok(Some(Origin::Caller(address, found_by)))) => {
                Ok(Caller { source: Source { address, found_by }, is_hop: false })
            }
            Ok(Ok(Some(Origin::Proxy))) => {
                let source = Source { found_by: FoundBy::ProxyLocal, ..source };
                Ok(Caller { source, is_hop: false })
            }
            Ok(Ok(None)) => {
                tracing::warn!(%peer, "a listed proxy did not say who calls");
                Err(Refused::Proxy)
            }
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "a connection ended before it said who calls");
                Err(Refused::Proxy)
            }
            Err(_) => {
                tracing::debug!(%peer, "a connection did not say in time who calls");
                Err(Refused::Proxy)
            }
        }
    }

    async fn http(&self, stream: impl AsyncRead + AsyncWrite + Unpin, caller: Caller, mut stop: watch::Receiver<bool>) {
        let heads = Heads::default();
        let mut stream = Scanned::new(stream, heads.clone(), self.settings.header_bytes_max);
        let cut = AtomicBool::new(false);
        let service = service_fn(|request| {
            let (head, cut) = (heads.next(), &cut);
            async move {
                let reply = self.request(request, head, caller).await;
                cut.fetch_or(reply.headers().contains_key(CONNECTION), Ordering::Relaxed);
                Ok::<_, io::Error>(reply)
            }
        });
        let ended = {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.settings.header_timeout)
                .max_buf_size(self.settings.header_bytes_max)
                .max_headers(self.settings.headers_max)
                .serve_connection(TokioIo::new(&mut stream), service);
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                biased;
                ended = connection.as_mut() => ended,
                () = stopped(&mut stop) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        };
        if let Err(error) = ended {
            self.counters.refuse(if error.is_parse_too_large() {
                Refused::HeadTooLarge
            } else if error.is_parse() {
                Refused::Head
            } else if error.is_timeout() {
                Refused::HeadTimeout
            } else {
                Refused::Broken
            });
            tracing::debug!(%error, "connection ended");
            // Answered by the library, behind which nobody else sees it.
            if error.is_parse() && !caller.is_hop {
                drop(self.line.unreadable(caller.source, "", code::BAD_REQUEST.with(["its head"])));
                cut.store(true, Ordering::Relaxed);
            }
        }
        if cut.load(Ordering::Relaxed) {
            linger(stream.unscanned()).await;
        }
    }
}

/// Reads what the caller of a request that was not read whole still sends, for a moment and up to a bound: a connection
/// that is closed over unread bytes is reset, and the caller may never see the answer.
async fn linger(stream: &mut (impl AsyncRead + Unpin)) {
    let ended = async {
        let (mut unread, mut stream) = ([0; 4096], stream.take(LINGER_BYTES));
        while matches!(stream.read(&mut unread).await, Ok(1..)) {}
    };
    let _ = tokio::time::timeout(LINGER, ended).await;
}

/// Reads the PROXY preamble and not a byte more; `None` when there is none that tells an origin.
async fn origin(stream: &mut TcpStream) -> io::Result<Option<Origin>> {
    let mut bytes = Vec::new();
    loop {
        match preamble(&bytes) {
            Ok(Preamble::Whole(origin)) => return Ok(Some(origin)),
            Ok(Preamble::More(more)) => {
                let known = bytes.len();
                bytes.resize(known + more, 0);
                stream.read_exact(bytes.get_mut(known..).unwrap_or_default()).await?;
            }
            Err(proxy_protocol::Malformed) => return Ok(None),
        }
    }
}

/// Waits until the server is told to stop, or until nobody is left to tell.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_still_sent_is_thrown_away_unscanned_and_to_a_bound() {
        let heads = Heads::default();
        // Each byte would end a head.
        let endless = tokio::io::repeat(b'\n').take(2 * LINGER_BYTES);
        let mut stream = Scanned::new(endless, heads.clone(), 1024);
        linger(stream.unscanned()).await;
        assert_eq!(stream.unscanned().limit(), LINGER_BYTES);
        assert_eq!(heads.next(), None);
    }
}

//! Sockets, bounds and deadlines. Behind this module nothing names an HTTP library.
//!
//! Every bound is a field of [`Settings`]. What hyper refuses by itself (a malformed request line or header: 400;
//! more headers or larger ones than allowed: 431) carries an empty body; everything else is answered in the
//! contract's error shape.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use latchkey_protocol::Hosts;

use crate::line::Line;

mod request;

/// The bounds of the door.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The names that it answers to.
    pub hosts: Hosts,
    /// Open connections; one more waits in the system's backlog.
    pub connections_max: usize,
    /// Request line and headers, in bytes, all together.
    pub header_bytes_max: usize,
    /// Header lines.
    pub headers_max: usize,
    /// Time for one request's head to arrive; also how long an idle connection is kept.
    pub header_timeout: Duration,
    /// Time for one request's body to arrive.
    pub body_timeout: Duration,
    /// Bytes of all bodies that are held at one time.
    pub buffered_bytes_max: usize,
    /// Time that open requests get when the server stops.
    pub drain_timeout: Duration,
}

impl Settings {
    /// The bounds of production, for a door that answers to `hosts`.
    pub fn new(hosts: Hosts) -> Self {
        Self {
            hosts,
            connections_max: 10_000,
            header_bytes_max: 16 * 1024,
            headers_max: 64,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            buffered_bytes_max: 64 * 1024 * 1024,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// What the door refused before the line, for metrics.
#[derive(Default, Debug)]
pub struct Counters {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Requests refused by the door itself.
    pub refused: AtomicU64,
    /// Connections that ended with an error of the protocol: malformed, too large, too slow.
    pub protocol_errors: AtomicU64,
}

/// Which peers may connect at all.
pub type PeerFilter = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// One listener and what its connections share.
pub struct Edge {
    peers: Option<PeerFilter>,
    line: Arc<Line>,
    settings: Settings,
    tls: Option<TlsAcceptor>,
    buffered: Semaphore,
    connections: Arc<Semaphore>,
    counters: Arc<Counters>,
}

impl Edge {
    /// A door before `line`; with `tls` it speaks TLS only.
    pub fn new(line: Arc<Line>, settings: Settings, tls: Option<Arc<ServerConfig>>, counters: Arc<Counters>) -> Self {
        Self {
            peers: None,
            line,
            tls: tls.map(TlsAcceptor::from),
            buffered: Semaphore::new(settings.buffered_bytes_max),
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
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                None
            }
            // A listed proxy connects for many, so only those who come themselves are counted.
            Ok((_, peer)) if self.peers.is_none() && !self.line.may_connect(peer.ip()) => {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
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

    async fn connection(&self, stream: TcpStream, peer: SocketAddr, stop: watch::Receiver<bool>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        match &self.tls {
            None => self.http(stream, peer, stop).await,
            Some(acceptor) => match tokio::time::timeout(self.settings.header_timeout, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => self.http(stream, peer, stop).await,
                Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                Err(_) => tracing::debug!("TLS handshake took too long"),
            },
        }
    }

    async fn http(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
        mut stop: watch::Receiver<bool>,
    ) {
        let service = service_fn(|request| async move { Ok::<_, io::Error>(self.request(request, peer.ip()).await) });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.settings.header_timeout)
            .max_buf_size(self.settings.header_bytes_max)
            .max_headers(self.settings.headers_max)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = stopped(&mut stop) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            self.counters.protocol_errors.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%error, "connection ended");
        }
    }
}

/// Waits until the server is told to stop, or until nobody is left to tell.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

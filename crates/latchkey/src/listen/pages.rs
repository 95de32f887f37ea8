//! The doors of people and operators: the same bounds as the machines' door, in front of routes.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use latchkey_gateway::edge::parsers::{Header, Unclear, behind};
use latchkey_gateway::edge::{Patient, PeerFilter, Place, Places, Proxies, Word};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

/// The bounds of a door with pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Open connections; one more waits in the system's backlog.
    pub(super) connections_max: usize,
    /// Open connections of one address; one more is closed.
    pub(super) connections_per_address_max: usize,
    /// Time for a TLS handshake, and for a request's head; also how long an idle connection is kept.
    pub(super) head_timeout: Duration,
    /// Time for a request's body; where it may be long, time for its next piece.
    pub(super) body_timeout: Duration,
    /// Time for a reader to take what is written before a flush.
    pub(super) write_timeout: Duration,
}

impl Bounds {
    /// The bounds of production.
    pub(super) const STANDARD: Self = Self {
        connections_max: 256,
        connections_per_address_max: 64,
        head_timeout: Duration::from_secs(30),
        body_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(30),
    };
    /// Request line and headers, in bytes, all together.
    const HEAD_BYTES_MAX: usize = 16 * 1024;
    /// Header lines.
    const HEADERS_MAX: usize = 64;
}

/// Routes and who may ask for them.
pub(super) struct Pages {
    pub(super) router: Router,
    pub(super) tls: Option<TlsAcceptor>,
    /// Which peers may connect at all.
    pub(super) peers: Option<PeerFilter>,
    /// The proxies in front, which tell by a header for whom they call.
    pub(super) proxies: Option<Proxies>,
    /// The paths whose bodies may take as long as they keep coming.
    pub(super) long_bodies: &'static [&'static str],
    pub(super) bounds: Bounds,
}

impl Pages {
    /// Accepts until `stop` turns true, then lets open requests end. The routes find who calls as
    /// [`ConnectInfo<SocketAddr>`], with port 0 where a proxy told.
    pub(super) async fn serve(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let connections = Arc::new(Semaphore::new(self.bounds.connections_max));
        let places = Places::new(self.bounds.connections_per_address_max, self.bounds.connections_max);
        let pages = Arc::new(self);
        let mut open = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                accepted = accept(&listener, &connections) => accepted,
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let Some(own) = pages.admit(peer.ip(), &places) else { continue };
            let (pages, stop) = (Arc::clone(&pages), stop.clone());
            open.spawn(async move {
                pages.connection(stream, peer, stop).await;
                drop((place, own));
            });
            while open.try_join_next().is_some() {}
        }
        drop(listener);
        while open.join_next().await.is_some() {}
    }

    /// A place for a connection of `peer`; a proxy's are not counted.
    fn admit(&self, peer: IpAddr, places: &Places) -> Option<Option<Place>> {
        if self.peers.as_ref().is_some_and(|allow| !allow(peer)) {
            return None;
        }
        if self.is_hop(peer) { Some(None) } else { places.take(peer).map(Some) }
    }

    fn is_hop(&self, peer: IpAddr) -> bool {
        self.proxies.as_ref().is_some_and(|proxies| (proxies.listed)(peer.to_canonical()))
    }

    async fn connection(&self, stream: TcpStream, peer: SocketAddr, stop: watch::Receiver<bool>) {
        let stream = Patient::new(stream, self.bounds.write_timeout);
        match &self.tls {
            None => self.http(stream, peer, stop).await,
            Some(acceptor) => match timeout(self.bounds.head_timeout, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => self.http(stream, peer, stop).await,
                Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                Err(_) => tracing::debug!("TLS handshake took too long"),
            },
        }
    }

    async fn http(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        mut stop: watch::Receiver<bool>,
    ) {
        let routes = TowerToHyperService::new(self.router.clone());
        let service = service_fn(|request| async { Ok::<_, Infallible>(self.answer(request, peer, &routes).await) });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.bounds.head_timeout)
            .max_buf_size(Bounds::HEAD_BYTES_MAX)
            .max_headers(Bounds::HEADERS_MAX)
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
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        routes: &TowerToHyperService<Router>,
    ) -> Response {
        let caller = match self.caller(request.headers(), peer) {
            Ok(caller) => caller,
            Err((header, unclear)) => {
                tracing::warn!(proxy = %peer.ip(), header = header.name(), "{}", unclear.text());
                let text = format!("{} {}\n", header.name(), unclear.text());
                return (StatusCode::BAD_REQUEST, text).into_response();
            }
        };
        let is_long = self.long_bodies.contains(&request.uri().path());
        let timed = |body: Incoming| if body.is_end_stream() { Body::empty() } else { self.timed(body, is_long) };
        let mut request = request.map(timed);
        request.extensions_mut().insert(ConnectInfo(caller));
        match routes.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Who calls: the socket's other end, or whom a listed proxy names.
    fn caller(&self, headers: &HeaderMap, peer: SocketAddr) -> Result<SocketAddr, (Header, Unclear)> {
        let Some(proxies) = self.proxies.as_ref().filter(|_| self.is_hop(peer.ip())) else { return Ok(peer) };
        let header = match proxies.word {
            Word::Forwarded => Header::Forwarded,
            Word::XForwardedFor => Header::XForwardedFor,
            Word::ProxyProtocol => return Ok(peer),
        };
        let lines = headers.get_all(header.name()).iter().rev().map(HeaderValue::as_bytes);
        let source = behind(header, lines, &*proxies.listed).map_err(|unclear| (header, unclear))?;
        Ok(SocketAddr::new(source.address, 0))
    }

    fn timed(&self, body: Incoming, is_long: bool) -> Body {
        Body::new(Timed::new(body, self.bounds.body_timeout, is_long))
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    /// The wait after a connection that could not be accepted.
    const PAUSE: Duration = Duration::from_millis(50);
    let place = Arc::clone(connections).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            // Out of descriptors: give the open connections a moment to end.
            timeout(PAUSE, std::future::pending::<()>()).await.ok();
            None
        }
    }
}

/// Waits until the server is told to stop, or until nobody is left to tell.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// A body that has to arrive within a time; or, if it is long, its next piece from when that is awaited.
struct Timed<B> {
    body: B,
    end: Pin<Box<Sleep>>,
    renewed: Option<Duration>,
    /// Whether the time of the next piece has begun.
    is_awaited: bool,
}

/// The body took too long.
#[derive(Debug, thiserror::Error)]
#[error("the body was not received in time")]
struct TooSlow;

impl<B> Timed<B> {
    /// A body that has `time`, as a whole or, if it `is_long`, for each piece.
    fn new(body: B, time: Duration, is_long: bool) -> Self {
        let end = Box::pin(sleep_until(Instant::now() + time));
        Self { body, end, renewed: is_long.then_some(time), is_awaited: true }
    }
}

impl<B: hyper::body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Unpin> hyper::body::Body for Timed<B> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.is_awaited = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)));
        }
        if let (Some(time), false) = (self.renewed, self.is_awaited) {
            self.end.as_mut().reset(Instant::now() + time);
        }
        self.is_awaited = true;
        self.end.as_mut().poll(cx).map(|()| Some(Err(axum::Error::new(TooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;

//! The three listeners of a house, and their common end.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use latchkey_authority::ip::IpRule;
use latchkey_console::Peer;
use latchkey_console::guard::Guard;
use latchkey_gateway::edge::{Edge, PeerFilter, Proxies, Settings, Word};
use latchkey_protocol::Hosts;
use latchkey_venue::sequencer::{End, Sequencing};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::assemble::House;
use crate::config::listen::AddressFrom;
use crate::descriptors;
use crate::drivers;
use crate::mail::Channels;
use crate::ops::{self, Ops};

mod pages;

use pages::{Bounds, Pages};

/// What to listen on, and as whom.
pub struct Listeners {
    /// The door for programs.
    pub api: Door,
    /// The door for people.
    pub console: SocketAddr,
    /// The proxies in front of the console; see [`Door::proxies`].
    pub console_proxies: Option<Proxies>,
    /// The origin that people type; absent: `http://localhost` with the console's port.
    pub console_origin: Option<String>,
    /// The door for operators.
    pub ops: Door,
    /// The operators of the configuration: name and SHA-256 of the token.
    pub operators: Vec<(String, [u8; 32])>,
    /// Whether the sandbox calls exist.
    pub sandbox: bool,
    /// Whether operators may import keys.
    pub imports: bool,
    /// The ways to owners.
    pub channels: Channels,
}

/// One address, the names that it answers to besides its own, and its certificate.
pub struct Door {
    /// Where it listens; port 0 picks a free one.
    pub address: SocketAddr,
    /// Further names.
    pub names: Vec<String>,
    /// TLS, when it is spoken.
    pub tls: Option<Arc<ServerConfig>>,
    /// The proxies in front of it. When there are some and it speaks plain text, nobody else on another machine may
    /// connect.
    pub proxies: Option<Proxies>,
}

/// A house whose doors are open.
pub struct Open {
    /// The line for standard output.
    pub ready: String,
    /// The door for programs, as a URL.
    pub api: String,
    /// The address of the operators' door, as a URL.
    pub ops: String,
    house: Arc<House>,
    sequencing: Sequencing,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    terminate: Signal,
    interrupt: Signal,
}

/// Reads a certificate chain and its key.
///
/// # Errors
/// What cannot be read, with the file's name.
pub fn tls(certificate: &Path, key: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("the certificate `{}` cannot be read", certificate.display()))?;
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("the certificate's key `{}` cannot be read", key.display()))?;
    // Named, since another part of the program brings a second library: without a name neither would be taken.
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)?;
    Ok(Arc::new(config))
}

/// Opens the doors of a house; when it returns, all three accept.
///
/// # Errors
/// An address that cannot be listened on.
pub async fn open(house: House, sequencing: Sequencing, listeners: Listeners) -> anyhow::Result<Open> {
    let house = Arc::new(house);
    // Before the ready line: whoever reads it may stop the server at once.
    let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (stop, stopped) = watch::channel(false);
    let api = bind(listeners.api.address).await?;
    let console = bind(listeners.console).await?;
    let ops = bind(listeners.ops.address).await?;
    let (api_at, console_at, ops_at) = (api.local_addr()?, console.local_addr()?, ops.local_addr()?);
    let url = |tls: bool, at: SocketAddr| format!("{}://{at}", if tls { "https" } else { "http" });
    let api_url = url(listeners.api.tls.is_some(), api_at);
    let ops_url = url(listeners.ops.tls.is_some(), ops_at);
    // The origin that people type need not tell where the console itself is.
    let console_told =
        listeners.console_origin.as_ref().map(|_| format!(" console-at={console_at}")).unwrap_or_default();
    let origin = listeners.console_origin.unwrap_or_else(|| format!("http://localhost:{}", console_at.port()));

    let mut tasks = JoinSet::new();
    let standard = Settings::new(Hosts::new(names(api_at, &listeners.api.names)));
    let connections_max = descriptors::connections(standard.connections_max)?;
    let settings = Settings { connections_max, ..standard };
    let speaks_tls = listeners.api.tls.is_some();
    let edge = Edge::new(Arc::clone(&house.line), settings, listeners.api.tls, Arc::clone(&house.door));
    let edge = match listeners.api.proxies {
        None => edge,
        Some(proxies) if speaks_tls || proxies.word == Word::ProxyProtocol => edge.behind(proxies),
        Some(proxies) => edge.only_from(peers(&proxies)).behind(proxies),
    };
    tasks.spawn(edge.run(api, stopped.clone()));

    let channels = listeners.channels;
    let settings = latchkey_console::Settings { origin: origin.clone(), api: api_url.clone() };
    let routes = latchkey_console::router(settings, house.console(&channels));
    let pages = Pages {
        router: routes.layer(axum::middleware::from_fn(name_peer)),
        tls: None,
        peers: listeners.console_proxies.as_ref().map(peers),
        proxies: listeners.console_proxies,
        long_bodies: &[],
        bounds: Bounds::STANDARD,
    };
    tasks.spawn(pages.serve(console, stopped.clone()));

    let known = names(ops_at, &listeners.ops.names);
    let guard = Guard::with_names(&ops_url, known.iter().map(String::as_str));
    let state = Ops {
        house: Arc::clone(&house),
        operators: listeners.operators.into(),
        sandbox: listeners.sandbox,
        imports: listeners.imports,
        mailbox: channels.mailbox,
        mail: channels.mail.clone(),
        origin: origin.clone(),
        tokens: Arc::default(),
    };
    let pages = Pages {
        router: ops::router(state, guard).layer(axum::middleware::from_fn(name_peer)),
        tls: listeners.ops.tls.map(TlsAcceptor::from),
        peers: None,
        proxies: None,
        long_bodies: ops::LONG_BODIES,
        bounds: Bounds::STANDARD,
    };
    tasks.spawn(pages.serve(ops, stopped.clone()));

    tasks.spawn(drivers::keep(Arc::clone(&house), channels.mail, stopped.clone()));
    tasks.spawn(drivers::look_at_all(Arc::clone(&house), stopped.clone()));
    let (settling, guarded, until) = (Arc::clone(&house), Arc::clone(&house), stopped.clone());
    tasks.spawn(async move { settling.keep_settling(stopped).await });
    tasks.spawn(async move { guarded.guard.keep(until).await });
    let ready = format!("ready api={api_url} console={origin} ops={ops_url}{console_told}");
    Ok(Open { ready, api: api_url, ops: ops_url, house, sequencing, tasks, stop, terminate, interrupt })
}

impl Open {
    /// Serves until the first SIGTERM or SIGINT, then drains; a second one ends the program at once.
    ///
    /// # Errors
    /// When the exchange failed, which stops the house.
    pub async fn until_stopped(self) -> anyhow::Result<()> {
        /// Time for all listeners to end; the API's own drain time lies within.
        const DRAIN: Duration = Duration::from_secs(12);
        let Self { house, sequencing, mut tasks, stop, mut terminate, mut interrupt, .. } = self;
        let failed = tokio::select! {
            biased;
            _ = terminate.recv() => false,
            _ = interrupt.recv() => false,
            end = house.exchange_ended() => end == End::Failed,
        };
        tracing::info!("stopping: open requests are finished first; a second signal stops at once");
        stop.send_replace(true);
        let drain = async {
            let listeners = async { while tasks.join_next().await.is_some() {} };
            if tokio::time::timeout(DRAIN, listeners).await.is_err() {
                tracing::warn!("connections were still open at the end of the drain time");
                tasks.abort_all();
            }
            house.guard.save().await;
            if let Err(error) = drivers::uses(&house).await {
                tracing::error!(error = format!("{error:#}"), "the last uses of keys were not written");
            }
            // What the last requests changed is signed too, and told where the store's keeper cannot reach it.
            if let Err(error) = drivers::head(&house).await {
                tracing::error!(error = format!("{error:#}"), "the last audit head was not signed");
            }
            if let Err(error) = house.store().close().await {
                tracing::warn!(%error, "the store was not closed in order");
            }
            tokio::task::spawn_blocking(move || sequencing.stop()).await
        };
        let end = tokio::select! {
            biased;
            _ = terminate.recv() => std::process::exit(130),
            _ = interrupt.recv() => std::process::exit(130),
            end = drain => end?,
        };
        anyhow::ensure!(!failed && end == End::Stopped, "the exchange has failed; its log says why");
        Ok(())
    }
}

/// The proxies of a configuration; none are listed where nothing is said about their word.
pub fn proxies(listed: &[IpRule], word: Option<AddressFrom>) -> Option<Proxies> {
    let word = match word? {
        AddressFrom::Forwarded => Word::Forwarded,
        AddressFrom::XForwardedFor => Word::XForwardedFor,
        AddressFrom::ProxyProtocol => Word::ProxyProtocol,
    };
    let listed: Arc<[IpRule]> = listed.into();
    let listed: PeerFilter = Arc::new(move |peer| {
        let peer = peer.to_canonical();
        listed.iter().any(|rule| rule.contains(peer))
    });
    Some(Proxies { listed, word })
}

/// Lets listed proxies and this machine in.
fn peers(proxies: &Proxies) -> PeerFilter {
    let listed = Arc::clone(&proxies.listed);
    Arc::new(move |peer| peer.to_canonical().is_loopback() || listed(peer))
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// The names of a listener: its own address, and on loopback all names of this machine.
fn names(at: SocketAddr, more: &[String]) -> Vec<String> {
    let mut names = more.to_vec();
    names.push(match at {
        SocketAddr::V4(at) => at.ip().to_string(),
        SocketAddr::V6(at) => format!("[{}]", at.ip()),
    });
    if at.ip().is_loopback() {
        names.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
    }
    names
}

/// Tells the routes who connected.
async fn name_peer(ConnectInfo(at): ConnectInfo<SocketAddr>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Peer(at.ip()));
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use latchkey_authority::ip::IpForms;
    use latchkey_authority::policy::Policy;

    use super::*;

    #[test]
    fn listed_proxies_and_this_machine_alone_may_connect() {
        assert!(proxies(&[], None).is_none(), "without a list everyone may");
        let listed = IpRule::parse_list("192.0.2.0/24", IpForms::AddressesAndNetworks, &Policy::default()).unwrap();
        let proxies = proxies(&listed, Some(AddressFrom::Forwarded)).unwrap();
        let allow = peers(&proxies);
        for peer in ["192.0.2.7", "::ffff:192.0.2.7", "127.0.0.1", "::1"] {
            assert!(allow(peer.parse().unwrap()), "{peer}");
        }
        for peer in ["192.0.3.7", "2001:db8::1", "::ffff:192.0.3.7"] {
            assert!(!allow(peer.parse().unwrap()), "{peer}");
        }
        assert!((proxies.listed)("::ffff:192.0.2.7".parse().unwrap()));
        assert!(!(proxies.listed)("127.0.0.1".parse().unwrap()), "this machine may connect, but is believed nothing");
    }
}

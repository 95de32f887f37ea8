//! The client: 64 connections that each keep one request under way.
//!
//! It never sleeps: between answers it asks the system again at once. So no server pays for waking it, neither a floor,
//! whose answers come as fast as they are read, nor a slower one.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::child::Child;

/// Connections that are kept open.
pub(crate) const CONNECTIONS: usize = 64;

/// A request as it goes over the wire.
pub(crate) type Bytes = std::sync::Arc<[u8]>;

/// Sends requests, from one thread.
pub(crate) struct Load {
    runtime: Runtime,
}

/// One connection, kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back for a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body_len: usize,
}

/// Where the connections of a load come from.
#[derive(Clone, Copy)]
pub(crate) enum From {
    /// All from 127.0.0.1.
    One,
    /// Each from an address of its own: 127.0.1.1, 127.0.1.2 and so on.
    Each,
}

impl From {
    /// The address of connection `number`.
    pub(crate) fn address(self, number: usize) -> Ipv4Addr {
        match self {
            Self::One => Ipv4Addr::LOCALHOST,
            Self::Each => Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 1, 1).to_bits() + number as u32),
        }
    }
}

impl Load {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { runtime: tokio::runtime::Builder::new_current_thread().enable_io().build()? })
    }

    /// Sends one request and says how long the answer's body is.
    pub(crate) fn body_len(&mut self, server: &Child, requests: &[Bytes]) -> Result<usize> {
        let request = requests.first().context("there is no request")?;
        let answer =
            self.run(async { Connection::open(Ipv4Addr::LOCALHOST, server.address).await?.call(request).await })?;
        ensure!(answer.status == 200, "the server answers {}", answer.status);
        Ok(answer.body_len)
    }

    /// Spreads the requests over new connections and says how much processor time of the server each took; the first
    /// `warm_up` of each connection do not count. Every answer must have `status`.
    pub(crate) fn ns_per_request(
        &mut self,
        server: &Child,
        from: From,
        requests: &[Bytes],
        warm_up: usize,
        status: u16,
    ) -> Result<f64> {
        let (first, counted) = requests.split_at(warm_up * CONNECTIONS);
        self.runtime.block_on(async {
            let mut connections = Vec::new();
            for number in 0..CONNECTIONS {
                connections.push(Connection::open(from.address(number), server.address).await?);
            }
            let connections = drive(connections, first, status).await?;
            let before = server.used_ns()?;
            let connections = drive(connections, counted, status).await?;
            let used = server.used_ns()? - before;
            drop(connections);
            Ok(used as f64 / counted.len() as f64)
        })
    }

    /// Runs a client of another shape on the load's thread.
    pub(crate) fn run<T>(&self, client: impl Future<Output = T>) -> T {
        self.runtime.block_on(client)
    }
}

/// Each connection sends its share, one request after another.
async fn drive(connections: Vec<Connection>, requests: &[Bytes], status: u16) -> Result<Vec<Connection>> {
    let mut under_way = JoinSet::new();
    let share = (requests.len() / CONNECTIONS).max(1);
    for (mut connection, requests) in connections.into_iter().zip(requests.chunks_exact(share)) {
        let requests = requests.to_vec();
        under_way.spawn(async move {
            for request in requests {
                let answer = connection.call(&request).await?;
                ensure!(answer.status == status, "{}", String::from_utf8_lossy(&connection.buffer));
            }
            anyhow::Ok(connection)
        });
    }
    let done = Cell::new(false);
    let connections = async {
        let connections = under_way.join_all().await.into_iter().collect();
        done.set(true);
        connections
    };
    let awake = async {
        while !done.get() {
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(connections, awake).0
}

impl Connection {
    pub(crate) async fn open(from: Ipv4Addr, address: SocketAddr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10) })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn call(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server has closed the connection");
            if let Some((head, answer)) = self.answer()
                && answer.body_len <= self.buffer.len() - head
            {
                return Ok(answer);
            }
        }
    }

    /// The length of the head, and what it says, once it is there.
    fn answer(&self) -> Option<(usize, Answer)> {
        let head = self.buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let text = str::from_utf8(self.buffer.get(..head)?).ok()?;
        let status = text.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        Some((head, Answer { status, body_len: length.parse().ok()? }))
    }
}

//! The client: 64 connections that each keep one request under way.
//!
//! It never sleeps: between answers it asks the system again at once. So no server pays for waking it, neither a floor,
//! whose answers come as fast as they are read, nor a slower one.

use std::cell::Cell;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
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

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Load {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { runtime: tokio::runtime::Builder::new_current_thread().enable_io().build()? })
    }

    /// Sends one request and says how long the answer's body is.
    pub(crate) fn body_len(&mut self, server: &Child, requests: &[Bytes]) -> Result<usize> {
        let request = requests.first().context("there is no request")?;
        self.runtime.block_on(async { Connection::open(server.address).await?.call(request).await })
    }

    /// Spreads the requests over new connections and says how much processor time of the server each took; the first
    /// `warm_up` of each connection do not count.
    pub(crate) fn ns_per_request(&mut self, server: &Child, requests: &[Bytes], warm_up: usize) -> Result<f64> {
        let (first, counted) = requests.split_at(warm_up * CONNECTIONS);
        self.runtime.block_on(async {
            let mut connections = Vec::new();
            for _ in 0..CONNECTIONS {
                connections.push(Connection::open(server.address).await?);
            }
            let connections = drive(connections, first).await?;
            let before = server.used_ns()?;
            let connections = drive(connections, counted).await?;
            let used = server.used_ns()? - before;
            drop(connections);
            Ok(used as f64 / counted.len() as f64)
        })
    }
}

/// Each connection sends its share, one request after another.
async fn drive(connections: Vec<Connection>, requests: &[Bytes]) -> Result<Vec<Connection>> {
    let mut under_way = JoinSet::new();
    let share = requests.len() / CONNECTIONS;
    for (mut connection, requests) in connections.into_iter().zip(requests.chunks_exact(share)) {
        let requests = requests.to_vec();
        under_way.spawn(async move {
            for request in requests {
                connection.call(&request).await?;
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
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10) })
    }

    /// Sends a request, reads the whole answer and says how long its body is.
    async fn call(&mut self, request: &[u8]) -> Result<usize> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server has closed the connection");
            if let Some((head, body)) = self.answer()
                && body <= self.buffer.len() - head
            {
                ensure!(self.buffer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&self.buffer));
                return Ok(body);
            }
        }
    }

    /// The lengths of head and body, once the head is there.
    fn answer(&self) -> Option<(usize, usize)> {
        let head = self.buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let text = str::from_utf8(self.buffer.get(..head)?).ok()?;
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        Some((head, length.parse().ok()?))
    }
}

//! The least that a server on this HTTP stack could spend: the settings of the real door, and a constant.

use std::convert::Infallible;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use latchkey_gateway::edge::Settings;
use latchkey_protocol::Hosts;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Which floor a case stands on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Floor {
    /// The HTTP stack answers a constant.
    Http,
    /// The HTTP stack hands 64 bytes to one thread, which writes them to a file, makes the file durable once for all
    /// that had arrived, and answers a constant.
    Order,
}

impl Floor {
    /// Its name in tables and on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Order => "order",
        }
    }
}

/// What is handed to the thread.
type Entry = ([u8; 64], oneshot::Sender<()>);

/// The most entries that share one flush, and that wait; those of the exchange's queue.
const BATCH: usize = 512;
const QUEUE: usize = latchkey_venue::sequencer::QUEUE;

/// Serves a floor until it is killed: `floor NAME SIZE FOLDER`.
pub(crate) fn serve(arguments: &[&str]) -> Result<()> {
    let [name, size, folder] = arguments else { anyhow::bail!("`floor` takes a name, a size and a folder") };
    let body = Bytes::from(vec![b'x'; size.parse()?]);
    let writer = match *name {
        "HTTP" => None,
        "order" => Some(writer(Path::new(folder), size)?),
        _ => anyhow::bail!("there is no such floor"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(accept(body, writer))
}

async fn accept(body: Bytes, writer: Option<SyncSender<Entry>>) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ready(&listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, body.clone(), writer.clone()));
    }
}

#[expect(clippy::print_stdout, reason = "tells its parent where it listens")]
fn ready(listener: &TcpListener) -> Result<()> {
    println!("ready api=http://{}", listener.local_addr()?);
    Ok(())
}

async fn connection(stream: TcpStream, body: Bytes, writer: Option<SyncSender<Entry>>) {
    let settings = Settings::new(Hosts::new(["127.0.0.1"]));
    let (body, writer) = (&body, &writer);
    let service = service_fn(|_: Request<Incoming>| async move {
        if let Some(writer) = writer {
            let (token, answer) = oneshot::channel();
            if writer.try_send(([7; 64], token)).is_ok() {
                // The writer ends only with the process.
                let _ = answer.await;
            }
        }
        let mut reply = Response::new(Full::new(body.clone()));
        reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8"));
        Ok::<_, Infallible>(reply)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout.max(Duration::from_secs(1)))
        .max_buf_size(settings.header_bytes_max)
        .max_headers(settings.headers_max)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that its client ends needs no answer.
    let _ = served.await;
}

fn writer(folder: &Path, name: &str) -> Result<SyncSender<Entry>> {
    let file = tempfile::Builder::new().prefix(&format!("floor-{name}-")).tempfile_in(folder)?.into_file();
    let (queue, entries) = sync_channel(QUEUE);
    std::thread::Builder::new().name("floor".into()).spawn(move || write(file, &entries)).context("no thread")?;
    Ok(queue)
}

fn write(mut file: File, entries: &Receiver<Entry>) {
    let (mut bytes, mut tokens) = (Vec::new(), Vec::new());
    while let Ok(first) = entries.recv() {
        for (entry, token) in std::iter::once(first).chain(entries.try_iter()).take(BATCH) {
            bytes.extend_from_slice(&entry);
            tokens.push(token);
        }
        if file.write_all(&bytes).and_then(|()| file.sync_data()).is_err() {
            return;
        }
        bytes.clear();
        for token in tokens.drain(..) {
            // A client that went away needs no answer.
            let _ = token.send(());
        }
    }
}

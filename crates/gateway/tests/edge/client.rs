//! A caller of the door.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::stage::{Door, PATIENCE};

/// A whole request that costs one.
pub(crate) const PING: &str = "GET /api/v3/ping HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The head of a signed call whose body of `length` bytes is still to come.
pub(crate) fn order(length: usize) -> String {
    let key = "k".repeat(64);
    format!("POST /api/v3/order HTTP/1.1\r\nHost: localhost\r\nX-MBX-APIKEY: {key}\r\nContent-Length: {length}\r\n\r\n")
}

/// Reads until the server closes or `PATIENCE` ends; says what came.
pub(crate) async fn until_closed(stream: &mut TcpStream) -> String {
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
pub(crate) async fn answer(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(b"}") {
        let mut byte = [0];
        let read = timeout(PATIENCE, stream.read(&mut byte)).await.expect("an answer in time").unwrap();
        assert_eq!(read, 1, "closed after {:?}", String::from_utf8_lossy(&heard));
        heard.push(byte[0]);
    }
    String::from_utf8(heard).unwrap()
}

/// A connection that has sent `first`.
pub(crate) async fn connect(door: &Door, first: &str) -> TcpStream {
    let mut stream = TcpStream::connect(door.at).await.unwrap();
    stream.write_all(first.as_bytes()).await.unwrap();
    stream
}

/// A connection from another address of this machine.
pub(crate) async fn connect_from(address: [u8; 4], door: &Door, first: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    let mut stream = socket.connect(door.at).await.unwrap();
    stream.write_all(first.as_bytes()).await.unwrap();
    stream
}

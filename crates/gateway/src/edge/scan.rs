//! Reads along with the HTTP library: what it does not show, and what it lets pass that others read differently.
//!
//! The scanner frames requests by itself (lines that end in CR LF, `Content-Length`) and notes one [`Head`] a request.
//! A request without a note, or whose note does not fit, is never served: where the two disagree, the caller is told
//! to come again on a new connection.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Refused;

/// Why a request is not served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    BareLf,
    Fragment,
    Length,
}

impl Fault {
    /// What the caller is told.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::BareLf => "a line ends without CR",
            Self::Fragment => "the target has a fragment",
            Self::Length => "the length cannot be read",
        }
    }

    /// As what it is counted.
    pub(super) const fn why(self) -> Refused {
        match self {
            Self::BareLf => Refused::BareLf,
            Self::Fragment => Refused::Target,
            Self::Length => Refused::Length,
        }
    }
}

/// What the scanner saw of one request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Head {
    /// Why the request is not served.
    pub(super) fault: Option<Fault>,
    /// How long its target is.
    pub(super) target: usize,
    /// The query as sent, where the HTTP library was shown another: it does not take `"`.
    pub(super) query: Option<Box<[u8]>>,
}

/// The notes about requests that were read and not yet served, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads(Arc<Mutex<VecDeque<Head>>>);

impl Heads {
    /// Takes the note about the request that is served next.
    pub(super) fn next(&self) -> Option<Head> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Whether there was room.
    fn add(&self, head: Head) -> bool {
        let mut heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = heads.len() < HEADS_MAX;
        if room {
            heads.push_back(head);
        }
        room
    }
}

/// The most notes that wait; requests beyond get none, and are not served. What the HTTP library reads ahead is shorter.
const HEADS_MAX: usize = 4096;

/// Where in the stream of requests the scanner is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Head,
    /// So many bytes of a body are still to come.
    Body(u64),
    /// The request before was not understood, or is refused: nothing behind it counts.
    Lost,
}

struct Scanner {
    place: Place,
    heads: Heads,
    /// The line that is being read.
    line: Vec<u8>,
    /// Whole lines of this head.
    lines: usize,
    /// Bytes of this head.
    read: usize,
    read_max: usize,
    head: Head,
    length: Option<u64>,
    chunked: bool,
}

/// What hides a `"` from the HTTP library.
const MASK: u8 = b'\'';

impl Scanner {
    fn scan(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            match self.place {
                Place::Lost => return,
                Place::Body(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = bytes.split_at_mut(here).1;
                    let left = left - here as u64;
                    self.place = if left == 0 { Place::Head } else { Place::Body(left) };
                }
                Place::Head => {
                    let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
                    let (piece, behind) = bytes.split_at_mut(end);
                    self.piece(piece);
                    bytes = behind;
                }
            }
        }
    }

    /// Takes a line or a part of one.
    fn piece(&mut self, piece: &mut [u8]) {
        self.read += piece.len();
        if self.read > self.read_max {
            self.place = Place::Lost;
            return;
        }
        let known = self.line.len();
        self.line.extend_from_slice(piece);
        if self.lines == 0 && piece.contains(&b'"') {
            let query = self.line.iter().position(|byte| *byte == b'?').unwrap_or(usize::MAX);
            let hidden = piece.iter_mut().enumerate().filter(|(at, byte)| known + at > query && **byte == b'"');
            hidden.for_each(|(_, byte)| *byte = MASK);
        }
        if piece.ends_with(b"\n") {
            self.whole_line();
            self.line.clear();
        }
    }

    fn whole_line(&mut self) {
        let Some(line) = self.line.strip_suffix(b"\r\n") else {
            self.head.fault = Some(Fault::BareLf);
            return self.whole_head();
        };
        match (line, self.lines) {
            // Empty lines before a request are skipped. Source: RFC 9112, section 2.2.
            ([], 0) => return,
            ([], _) => return self.whole_head(),
            (line, 0) => {
                let target = target(line);
                self.head.target = target.len();
                if target.contains(&b'#') {
                    self.head.fault = Some(Fault::Fragment);
                }
                self.head.query = target
                    .iter()
                    .position(|byte| *byte == b'?')
                    .and_then(|mark| target.get(mark + 1..))
                    .filter(|query| query.contains(&b'"'))
                    .map(Box::from);
            }
            (line, _) => match field(line) {
                Some((name, value)) if name.eq_ignore_ascii_case(b"content-length") => {
                    match (self.length, number(value)) {
                        (None, Some(length)) => self.length = Some(length),
                        _ => self.head.fault = Some(Fault::Length),
                    }
                }
                Some((name, _)) if name.eq_ignore_ascii_case(b"transfer-encoding") => self.chunked = true,
                _ => {}
            },
        }
        self.lines += 1;
    }

    fn whole_head(&mut self) {
        let mut lost = self.chunked || self.head.fault.is_some();
        lost |= !self.heads.add(core::mem::take(&mut self.head));
        self.place = match self.length.take() {
            _ if lost => Place::Lost,
            None | Some(0) => Place::Head,
            Some(length) => Place::Body(length),
        };
        (self.lines, self.read, self.chunked) = (0, 0, false);
    }
}

/// What stands between the first and the last space of a request line.
fn target(line: &[u8]) -> &[u8] {
    let space = |byte: &u8| *byte == b' ';
    match (line.iter().position(space), line.iter().rposition(space)) {
        (Some(first), Some(last)) if first < last => line.get(first + 1..last).unwrap_or_default(),
        _ => b"",
    }
}

fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':')?);
    Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
}

fn number(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    core::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

/// A stream whose requests are scanned as they are read.
pub(super) struct Scanned<S> {
    stream: S,
    scanner: Scanner,
}

impl<S> Scanned<S> {
    /// Scans what `stream` brings; heads longer than `head_max` bytes are left to the HTTP library's refusal.
    pub(super) fn new(stream: S, heads: Heads, head_max: usize) -> Self {
        let scanner = Scanner {
            place: Place::Head,
            heads,
            line: Vec::with_capacity(256),
            lines: 0,
            read: 0,
            read_max: head_max,
            head: Head::default(),
            length: None,
            chunked: false,
        };
        Self { stream, scanner }
    }

    /// The stream itself, for what is read to be thrown away.
    pub(super) const fn unscanned(&mut self) -> &mut S {
        &mut self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Scanned<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.scanner.scan(buf.filled_mut().get_mut(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Scanned<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans `text` cut into pieces of `size`; gives the notes and what the HTTP library is shown.
    fn scanned(text: &str, size: usize) -> (Vec<Head>, String) {
        let heads = Heads::default();
        let mut scanned = Scanned::new(tokio::io::empty(), heads.clone(), 1024);
        let mut shown = text.as_bytes().to_vec();
        shown.chunks_mut(size).for_each(|piece| scanned.scanner.scan(piece));
        (std::iter::from_fn(|| heads.next()).collect(), String::from_utf8(shown).unwrap())
    }

    fn check(text: &str, expected: &[(Option<&str>, usize)]) -> String {
        let (whole, shown) = scanned(text, text.len());
        for size in 1..text.len() {
            assert_eq!(scanned(text, size), (whole.clone(), shown.clone()), "{text:?} in pieces of {size}");
        }
        let told: Vec<_> = whole.iter().map(|head| (head.fault.map(Fault::text), head.target)).collect();
        assert_eq!(told, expected, "{text:?}");
        shown
    }

    #[test]
    fn requests_are_told_apart_by_their_lengths() {
        check(
            "\r\nPOST /a HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET /b HTTP/1.1\r\n\nGET /long HTTP/1.1\r\nX: 1\r\n\r\n",
            &[(None, 2), (None, 5)],
        );
        check("GET /a HTTP/1.1\r\ncontent-LENGTH:0\r\n\r\nGET /bc HTTP/1.1\r\n\r\n", &[(None, 2), (None, 3)]);
    }

    #[test]
    fn nothing_behind_what_is_refused_counts() {
        let next = "GET /b HTTP/1.1\r\n\r\n";
        for (head, fault) in [
            ("GET /a HTTP/1.1\nX: 1\r\n\r\n", "a line ends without CR"),
            ("GET /a HTTP/1.1\r\nX: 1\n\r\n", "a line ends without CR"),
            ("\nGET /a HTTP/1.1\r\n\r\n", "a line ends without CR"),
            ("GET /a#b HTTP/1.1\r\n\r\n", "the target has a fragment"),
            ("GET /a HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "the length cannot be read"),
            ("GET /a HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", "the length cannot be read"),
        ] {
            let (heads, _) = scanned(&format!("{head}{next}"), 7);
            assert_eq!(
                heads.iter().map(|head| head.fault.map(Fault::text)).collect::<Vec<_>>(),
                [Some(fault)],
                "{head:?}"
            );
        }
        let (heads, _) = scanned(&format!("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{next}"), 9);
        assert_eq!(heads.len(), 1);
        let (heads, _) = scanned(&format!("GET /a HTTP/1.1\r\nX: {}\r\n\r\n{next}", "a".repeat(1024)), 100);
        assert_eq!(heads.len(), 0, "a head that is too long");
    }

    #[test]
    fn quotes_of_a_query_are_kept_and_hidden() {
        let text = "GET /a\"?s=[\"A\"] HTTP/1.1\r\nX: \"q\"\r\n\r\n";
        let shown = check(text, &[(None, 11)]);
        assert_eq!(shown, "GET /a\"?s=['A'] HTTP/1.1\r\nX: \"q\"\r\n\r\n");
        assert_eq!(scanned(text, 5).0[0].query.as_deref(), Some(&b"s=[\"A\"]"[..]));
    }

    #[test]
    fn notes_that_nobody_takes_are_bounded() {
        let heads = Heads::default();
        let mut scanned = Scanned::new(tokio::io::empty(), heads.clone(), 1024);
        for _ in 0..2 * HEADS_MAX {
            scanned.scanner.scan(&mut b"a\r\n\r\n".to_vec());
        }
        assert_eq!(heads.0.lock().unwrap().len(), HEADS_MAX);
        assert_eq!(scanned.scanner.place, Place::Lost, "what has no note is not served");
    }
}

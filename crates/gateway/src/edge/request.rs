//! From an HTTP request to a [`RawCall`], refusing what could be read in two ways.

use std::fmt;
use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Version};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use latchkey_admission::call::{Field, Headers, RawCall, Source};
use latchkey_admission::{Reason, Rejection, Stage};
use latchkey_protocol::catalog::GET_BODY_MAX;
use latchkey_protocol::code::{self, ApiError};
use tokio::sync::SemaphorePermit;

use super::places::Place;
use super::scan::Head;
use super::source::{Header, Word, behind};
use super::{Caller, Edge, Refused};
use crate::respond::{Reply, last, not_last, refuse};

/// A body and its share of the budgets, held until the call is answered.
struct Held<'a> {
    bytes: Bytes,
    _share: Option<SemaphorePermit<'a>>,
    _place: Place,
}

/// Why a request is turned away, and what the caller is told.
type Turned = (Refused, ApiError);

impl Edge {
    pub(super) async fn request(&self, request: Request<Incoming>, seen: Option<Head>, caller: Caller) -> Reply {
        let (head, body) = request.into_parts();
        let (seen, source) = match framed(&head, seen) {
            Ok(seen) => match self.source(&head.headers, caller) {
                Ok(source) => (seen, source),
                Err((why, error)) => return self.refused(why, refuse(&error)),
            },
            // Whom a proxy calls for counts only in a request that reads one way.
            Err((why, error)) if caller.is_hop => return self.refused(why, refuse(&error)),
            Err((why, error)) => return self.refused(why, self.line.unreadable(caller.source, head.uri.path(), error)),
        };
        if let Err((why, error)) = self.serves(&head.headers) {
            return self.refused(why, self.line.unreadable(source, head.uri.path(), error));
        }
        let raw = RawCall {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: seen.query.as_deref().unwrap_or_else(|| head.uri.query().unwrap_or_default().as_bytes()),
            body: &[],
            api_key: field(&head.headers, "x-mbx-apikey"),
            time_unit: field(&head.headers, "x-mbx-time-unit"),
            sbe: field(&head.headers, "x-mbx-sbe"),
            headers: &Sent(&head.headers),
            peer: source.address,
            found_by: source.found_by,
        };
        if body.is_end_stream() {
            let reply = self.line.serve(raw).await;
            // A proxy's connection serves others than the one who is banned.
            return if caller.is_hop { not_last(reply) } else { reply };
        }
        let mut trail = self.line.trail(source);
        if let Err(rejection) = self.line.take_head(&raw, &mut trail) {
            return last(self.line.refuse(&raw, rejection, trail));
        }
        let max = trail.row().map_or(GET_BODY_MAX, |row| row.body_max);
        match self.body(body, max, source.address).await {
            Ok(body) => self.line.serve_whole(RawCall { body: &body.bytes, ..raw }, trail).await,
            Err((why, rejection)) => self.refused(why, self.line.refuse(&raw, rejection, trail)),
        }
    }

    /// A reply of the door itself, behind which nothing counts.
    fn refused(&self, why: Refused, reply: Reply) -> Reply {
        self.counters.refuse(why);
        last(reply)
    }

    /// Whether a request is for this door, and its body of a kind that is read here.
    fn serves(&self, headers: &HeaderMap) -> Result<(), Turned> {
        let mut hosts = headers.get_all(HOST).iter();
        match (hosts.next(), hosts.next()) {
            (Some(host), None) if self.settings.hosts.allow(host.as_bytes()) => {}
            (Some(_), None) => return Err((Refused::WrongHost, code::WRONG_HOST.plain())),
            _ => return Err(malformed(Refused::Host, "one Host header is needed")),
        }
        if headers.contains_key(TRANSFER_ENCODING) {
            return Err((Refused::TransferEncoding, code::LENGTH_REQUIRED.plain()));
        }
        if headers.contains_key(CONTENT_ENCODING) {
            return Err((Refused::ContentEncoding, code::UNSUPPORTED_ENCODING.plain()));
        }
        Ok(())
    }

    /// Where a request comes from. A listed proxy must say it; its own address never stands in for the caller's.
    fn source(&self, headers: &HeaderMap, caller: Caller) -> Result<Source, Turned> {
        let header = match &self.proxies {
            Some(proxies) if caller.is_hop => match proxies.word {
                Word::Forwarded => Header::Forwarded,
                Word::XForwardedFor => Header::XForwardedFor,
                Word::ProxyProtocol => return Ok(caller.source),
            },
            _ => return Ok(caller.source),
        };
        let lines = headers.get_all(header.name()).iter().rev().map(HeaderValue::as_bytes);
        let listed = |address| self.proxies.as_ref().is_some_and(|proxies| (proxies.listed)(address));
        behind(header, lines, &listed).map_err(|unclear| {
            tracing::warn!(proxy = %caller.source.address, header = header.name(), "{}", unclear.text());
            (Refused::Proxy, code::BAD_REQUEST.with([format!("{} {}", header.name(), unclear.text())]))
        })
    }

    /// Reads a body of at most `max` bytes within the deadline. What has arrived is held against the budgets of all
    /// bodies and of the address's; what is only announced is not.
    async fn body(&self, body: Incoming, max: usize, address: IpAddr) -> Result<Held<'_>, (Refused, Rejection)> {
        let announced = body.size_hint().exact().and_then(|size| usize::try_from(size).ok());
        let announced = announced.filter(|size| *size <= max);
        let unreadable = |why, error| (why, Rejection::unreadable(error));
        let too_large = || unreadable(Refused::BodyTooLarge, code::BODY_TOO_LARGE.with([max.to_string()]));
        let announced = announced.ok_or_else(too_large)?;
        let read = tokio::time::timeout(self.settings.body_timeout, self.frames(body, announced, address)).await;
        read.unwrap_or_else(|_| Err(unreadable(Refused::BodyTimeout, code::REQUEST_TIMEOUT.plain())))
    }

    async fn frames(
        &self,
        mut body: Incoming,
        announced: usize,
        address: IpAddr,
    ) -> Result<Held<'_>, (Refused, Rejection)> {
        let (mut bytes, mut several, mut share) = (Bytes::new(), BytesMut::new(), None::<SemaphorePermit<'_>>);
        let mut place = self.buffered_of.empty(address);
        while let Some(frame) = body.frame().await {
            let broken = || Rejection::unreadable(code::BAD_REQUEST.with(["the body ended early"]));
            let frame = frame.map_err(|_| (Refused::BodyBroken, broken()))?;
            let Ok(data) = frame.into_data() else { continue };
            let more = u32::try_from(data.len()).ok().and_then(|size| self.buffered.try_acquire_many(size).ok());
            let more = more.filter(|_| place.grow(data.len()));
            let more = more.ok_or_else(|| (Refused::Busy, Rejection::new(Stage::Edge, Reason::Busy)))?;
            match &mut share {
                None => share = Some(more),
                Some(share) => share.merge(more),
            }
            if data.len() == announced {
                bytes = data;
            } else {
                several.extend_from_slice(&data);
            }
        }
        if !several.is_empty() {
            bytes = several.freeze();
        }
        Ok(Held { bytes, _share: share, _place: place })
    }
}

/// Whether a request reads one way.
fn framed(head: &Parts, seen: Option<Head>) -> Result<Head, Turned> {
    let seen = seen.ok_or_else(|| malformed(Refused::Pipelined, "it follows one that was refused"))?;
    if let Some(fault) = seen.fault {
        return Err(malformed(fault.why(), fault.text()));
    }
    if head.version != Version::HTTP_11 {
        return Err(malformed(Refused::Version, "only HTTP/1.1 is served"));
    }
    if head.uri.authority().is_some() || head.uri.scheme().is_some() {
        return Err(malformed(Refused::Target, "the target names a host"));
    }
    if head.uri.path_and_query().map(|target| target.as_str().len()) != Some(seen.target) {
        return Err(malformed(Refused::Target, "the target can be read in two ways"));
    }
    Ok(seen)
}

fn malformed(why: Refused, what: &str) -> Turned {
    (why, code::BAD_REQUEST.with([what]))
}

fn field<'a>(headers: &'a HeaderMap, name: &'static str) -> Field<'a> {
    headers.get_all(name).iter().fold(Field::Absent, |field, value| field.and(value.as_bytes()))
}

/// The header fields as sent.
struct Sent<'a>(&'a HeaderMap);

impl Headers for Sent<'_> {
    fn each<'s>(&'s self, name: &str, take: &mut dyn FnMut(&'s [u8])) {
        self.0.get_all(name).iter().for_each(|value| take(value.as_bytes()));
    }
}

/// Names alone: values may be credentials.
impl fmt::Debug for Sent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

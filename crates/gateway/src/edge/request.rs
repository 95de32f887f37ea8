//! From an HTTP request to a [`RawCall`], refusing what could be read in two ways.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Version};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use latchkey_admission::call::{Field, FoundBy, Headers, RawCall};
use latchkey_protocol::catalog::GET_BODY_MAX;
use latchkey_protocol::code::{self, ApiError};
use tokio::sync::SemaphorePermit;

use super::Edge;
use crate::respond::{Reply, refuse};

/// A body and its share of the budget, held until the call is answered.
struct Held<'a> {
    bytes: Bytes,
    _share: Option<SemaphorePermit<'a>>,
}

impl Edge {
    pub(super) async fn request(&self, request: Request<Incoming>, peer: IpAddr) -> Reply {
        match self.read(request, peer).await {
            Ok(reply) => reply,
            Err(error) => {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                refuse(&error)
            }
        }
    }

    async fn read(&self, request: Request<Incoming>, peer: IpAddr) -> Result<Reply, ApiError> {
        let (head, body) = request.into_parts();
        let malformed = |what: &str| code::BAD_REQUEST.with([what]);
        if head.version != Version::HTTP_11 {
            return Err(malformed("only HTTP/1.1 is served"));
        }
        if head.uri.authority().is_some() || head.uri.scheme().is_some() {
            return Err(malformed("the target names a host"));
        }
        let mut hosts = head.headers.get_all(HOST).iter();
        match (hosts.next(), hosts.next()) {
            (Some(host), None) if self.settings.hosts.allow(host.as_bytes()) => {}
            (Some(_), None) => return Err(code::WRONG_HOST.plain()),
            _ => return Err(malformed("one Host header is needed")),
        }
        if head.headers.contains_key(TRANSFER_ENCODING) {
            return Err(code::LENGTH_REQUIRED.plain());
        }
        if head.headers.contains_key(CONTENT_ENCODING) {
            return Err(code::UNSUPPORTED_ENCODING.plain());
        }
        let path = head.uri.path();
        let body = self.body(body, self.line.body_max(head.method.as_str(), path).unwrap_or(GET_BODY_MAX)).await?;
        let raw = RawCall {
            method: head.method.as_str(),
            path,
            query: head.uri.query().unwrap_or_default().as_bytes(),
            body: &body.bytes,
            api_key: field(&head.headers, "x-mbx-apikey"),
            time_unit: field(&head.headers, "x-mbx-time-unit"),
            sbe: field(&head.headers, "x-mbx-sbe"),
            headers: &Sent(&head.headers),
            peer,
            found_by: FoundBy::Socket,
        };
        Ok(self.line.serve(raw).await)
    }

    /// Reads a body of at most `max` bytes within the deadline and the budget of all bodies.
    async fn body(&self, body: Incoming, max: usize) -> Result<Held<'_>, ApiError> {
        let announced = hyper::body::Body::size_hint(&body).exact().unwrap_or(u64::MAX);
        if announced == 0 {
            return Ok(Held { bytes: Bytes::new(), _share: None });
        }
        let too_large = || code::BODY_TOO_LARGE.with([max.to_string()]);
        let announced = usize::try_from(announced).ok().filter(|size| *size <= max).ok_or_else(too_large)?;
        let busy = || code::SERVER_BUSY.plain();
        let size = u32::try_from(announced).map_err(|_| busy())?;
        let share = self.buffered.try_acquire_many(size).map_err(|_| busy())?;
        let read = tokio::time::timeout(self.settings.body_timeout, Limited::new(body, max).collect()).await;
        match read {
            Ok(Ok(collected)) => Ok(Held { bytes: collected.to_bytes(), _share: Some(share) }),
            Ok(Err(_)) => Err(code::BAD_REQUEST.with(["the body ended early"])),
            Err(_) => Err(code::REQUEST_TIMEOUT.plain()),
        }
    }
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

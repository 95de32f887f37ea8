//! What the door refuses by itself, before the line: one row a reason, each with a count.
//!
//! Such a request has no key yet, so that no owner has it among the own calls: a count is what is left of it.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! refused {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal;)+) => {
        /// Why the door refused a connection or a request.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Refused {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Refused {
            /// Every reason, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }
    };
}

refused! {
    /// A connection from an address that may not connect.
    Peer "peer";
    /// A listed proxy did not say, or not clearly, for whom it calls.
    Proxy "proxy";
    /// An address opens, or holds, more connections than it may.
    Connections "connections";
    /// The TLS handshake failed, or took too long.
    Tls "tls";
    /// The head of a request is not HTTP.
    Head "head";
    /// The head of a request, or the number of its lines, is too large.
    HeadTooLarge "head-too-large";
    /// The head of a request did not come in time.
    HeadTimeout "head-timeout";
    /// A connection ended within a request or an answer.
    Broken "broken";
    /// A line ends in LF alone.
    BareLf "bare-lf";
    /// The length of a body cannot be read, or is told twice.
    Length "length";
    /// The target names a host, has a fragment, or can be read in two ways.
    Target "target";
    /// A request follows one that was refused on the same connection.
    Pipelined "pipelined";
    /// Not HTTP/1.1.
    Version "version";
    /// No `Host`, or several.
    Host "host";
    /// A `Host` that is none of the server's names.
    WrongHost "wrong-host";
    /// A body in chunks, or otherwise without its length.
    TransferEncoding "transfer-encoding";
    /// A compressed body.
    ContentEncoding "content-encoding";
    /// A body that is larger than its route takes.
    BodyTooLarge "body-too-large";
    /// A body that did not come in time.
    BodyTimeout "body-timeout";
    /// A body that ended early.
    BodyBroken "body-broken";
    /// All bodies together take more memory than they may.
    Busy "busy";
}

/// What came to the door, for metrics.
#[derive(Debug)]
pub struct Counters {
    /// Connections accepted.
    pub connections: AtomicU64,
    refused: [AtomicU64; Refused::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self { connections: AtomicU64::new(0), refused: [const { AtomicU64::new(0) }; Refused::ALL.len()] }
    }
}

impl Counters {
    /// How often the door refused for this reason.
    pub fn refused(&self, why: Refused) -> u64 {
        self.refused.get(why as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    pub(super) fn refuse(&self, why: Refused) {
        if let Some(count) = self.refused.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

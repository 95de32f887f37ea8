//! The stages of the line, in the order in which they may refuse a call.

/// Where a call was when its answer was decided. The order is the precedence of refusals: the first failing
/// stage names the answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    /// The bytes are not a request that this system reads.
    Edge,
    /// Which row of the catalog.
    Route,
    /// Bans and limits of the address.
    Limits,
    /// The key header.
    Header,
    /// The security fields: present and well-formed.
    Shape,
    /// The key exists and is alive.
    Key,
    /// The address is on the key's list.
    Ip,
    /// `timestamp` and `recvWindow`.
    Timing,
    /// Limits of the key and account, looked at only.
    Budget,
    /// The signature holds.
    Signature,
    /// The key may do this.
    Permission,
    /// The endpoint's own parameters.
    Parameters,
    /// The key's and account's own counters, replay.
    Charge,
    /// Timing and generations once more, in the last instant.
    HandOver,
    /// The venue's own rules.
    Venue,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 15] = [
        Self::Edge,
        Self::Route,
        Self::Limits,
        Self::Header,
        Self::Shape,
        Self::Key,
        Self::Ip,
        Self::Timing,
        Self::Budget,
        Self::Signature,
        Self::Permission,
        Self::Parameters,
        Self::Charge,
        Self::HandOver,
        Self::Venue,
    ];

    /// The name in records and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Route => "route",
            Self::Limits => "limits",
            Self::Header => "header",
            Self::Shape => "shape",
            Self::Key => "key",
            Self::Ip => "ip",
            Self::Timing => "timing",
            Self::Budget => "budget",
            Self::Signature => "signature",
            Self::Permission => "permission",
            Self::Parameters => "parameters",
            Self::Charge => "charge",
            Self::HandOver => "hand-over",
            Self::Venue => "venue",
        }
    }
}

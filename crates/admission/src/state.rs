//! The one value that walks the line, and what is known of a call at each step.
//!
//! Each check takes the state before and returns the state after; the fields are private to the crate, so no
//! step can be skipped or swapped, and only [`Admission::permit`] on the last state yields a [`Permit`].

use std::sync::Arc;

use latchkey_protocol::catalog::{Arguments, Endpoint};
use latchkey_protocol::message_signature::{ContentDigest, MessageSignature};
use latchkey_protocol::params::{ParamsError, RawParams};
use latchkey_protocol::{ApiKey, TimeUnit, Timestamp};

use crate::call::RawCall;
use crate::live::{KeyState, LiveKey, Scheme};
use crate::permit::{Call, Holder, Permit, Signed, Window};
use crate::replay::{Once, Trace};

/// A call on its way through the checks.
pub struct Admission<'a, S> {
    pub(crate) raw: &'a RawCall<'a>,
    pub(crate) row: &'static Endpoint,
    pub(crate) state: S,
}

impl<'a, S> Admission<'a, S> {
    pub(crate) fn into<T>(self, state: impl FnOnce(S) -> T) -> Admission<'a, T> {
        Admission { raw: self.raw, row: self.row, state: state(self.state) }
    }

    /// The call's row.
    pub fn row(&self) -> &'static Endpoint {
        self.row
    }
}

/// The row is found and the parameters are taken apart.
pub struct Routed<'a> {
    pub(crate) params: Result<RawParams<'a>, ParamsError>,
}

/// What a call shows of its caller.
pub(crate) enum Credential<'a> {
    /// Nothing.
    None,
    /// A key without a signature.
    KeyOnly(ApiKey),
    /// A key and a signature over the payload.
    Payload { api_key: ApiKey, signature: &'a [u8], window: Window },
    /// A signature over parts of the message (RFC 9421).
    Message9421 { api_key: ApiKey, message: Box<Message<'a>>, window: Window },
}

/// A message signature and the digest of the content that it covers.
pub(crate) struct Message<'a> {
    pub(crate) signature: MessageSignature<'a>,
    pub(crate) nonce: &'a str,
    pub(crate) digest: Option<ContentDigest<'a>>,
}

/// The security fields are present and well-formed.
pub struct Shaped<'a> {
    pub(crate) params: RawParams<'a>,
    pub(crate) unit: TimeUnit,
    pub(crate) credential: Credential<'a>,
}

/// The key exists and is alive.
pub struct Known<'a> {
    pub(crate) shaped: Shaped<'a>,
    pub(crate) held: Option<Held>,
}

/// A key and the state that this call is judged by.
pub(crate) struct Held {
    pub(crate) key: Arc<LiveKey>,
    pub(crate) state: Arc<KeyState>,
    pub(crate) key_generation: u64,
    pub(crate) account_generation: u64,
    /// Whether everything that was stamped when the call was is remembered.
    pub(crate) remembered: bool,
    /// What is remembered of the call's signature, once it held.
    pub(crate) trace: Trace,
}

/// The caller's address may use the key.
pub struct Placed<'a>(pub(crate) Known<'a>);

/// The call is neither old nor early.
pub struct Timely<'a>(pub(crate) Known<'a>);

/// Nothing stands against spending a verification on it.
pub struct Ready<'a>(pub(crate) Known<'a>);

/// The signature holds.
pub struct Proven<'a>(pub(crate) Known<'a>);

/// The key may do this.
pub struct Granted<'a>(pub(crate) Known<'a>);

/// The endpoint's parameters are read.
pub struct Whole<'a> {
    pub(crate) known: Known<'a>,
    pub(crate) arguments: Arguments,
}

/// Charged to the key's and account's counters.
pub struct Charged<'a>(pub(crate) Whole<'a>);

/// Not known to be a repetition, and ready to be handed over.
pub struct Fresh<'a> {
    pub(crate) whole: Whole<'a>,
    pub(crate) once: Option<Once>,
}

impl Admission<'_, Fresh<'_>> {
    /// The permit: the only way to one.
    pub fn permit(self, id: crate::call::RequestId, arrived: Timestamp) -> Permit {
        let Fresh { whole: Whole { known, arguments }, once } = self.state;
        let remembered = known.held.as_ref().is_some_and(|held| held.remembered);
        let signed = match known.shaped.credential {
            Credential::Payload { window, .. } => Some(Signed { scheme: Scheme::Payload, window, remembered, once }),
            Credential::Message9421 { window, .. } => {
                Some(Signed { scheme: Scheme::Message9421, window, remembered, once })
            }
            Credential::None | Credential::KeyOnly(_) => None,
        };
        let holder =
            known.held.map(|held| Holder::new(held.key, held.state, held.key_generation, held.account_generation));
        Permit::new(
            Call { id, row: self.row, arguments, unit: known.shaped.unit, peer: self.raw.peer, arrived, holder },
            signed,
        )
    }
}

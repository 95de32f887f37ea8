//! What the line asks of the world.

use std::sync::Arc;

use latchkey_authority::key::Material;
use latchkey_crypto::verify::Verifier;
use latchkey_protocol::{AccountId, ApiKey, KeyId, Timestamp};

use crate::live::LiveKey;
use crate::records::{CallPage, CallQuery};
use crate::{CallRecord, Permit, Rejection, Ticket};

/// The live keys. Answers from memory, without a lock that another request can hold.
pub trait Keys: Send + Sync {
    /// The key of this name, dead ones too.
    fn find(&self, api_key: &ApiKey) -> Option<Arc<LiveKey>>;
}

/// Opens a key's material on its first use: unseals a secret or parses a public key.
pub trait OpenMaterial: Send + Sync {
    /// The verifier, or `None` when the material cannot be opened (the adapter logs why).
    fn open(&self, account: AccountId, key: KeyId, material: &Material) -> Option<Verifier>;
}

/// The wall clock.
pub trait Clock: Send + Sync {
    /// Now. Never earlier than an earlier answer.
    fn now(&self) -> Timestamp;
}

/// Where admitted calls go.
pub trait Venue: Send + Sync {
    /// Takes a call over. The venue calls [`Permit::hand_over`] in the last instant before it acts.
    ///
    /// # Errors
    /// A refusal that needed no wait: full queue, wrong parameters.
    fn submit(&self, permit: Permit) -> Result<Ticket, Rejection>;
}

/// Takes the record of every call.
pub trait Recorder: Send + Sync {
    /// Never blocks; what cannot be kept is counted.
    fn record(&self, record: CallRecord);
}

/// Finds the records of calls for their owner.
pub trait CallLog: Send + Sync {
    /// One page of what is looked for. Reads files: not for a thread that serves requests.
    ///
    /// # Errors
    /// [`CallLogError`] when the records cannot be read.
    fn find(&self, query: &CallQuery) -> Result<CallPage, CallLogError>;
}

/// The records of calls cannot be read.
#[derive(Debug)]
pub struct CallLogError(pub Box<dyn std::error::Error + Send + Sync>);

impl std::fmt::Display for CallLogError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the call records cannot be read")
    }
}

impl std::error::Error for CallLogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

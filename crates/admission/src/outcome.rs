//! What becomes of a call.

use std::future::Future;
use std::pin::Pin;

use latchkey_protocol::Value;
use smallvec::SmallVec;

use crate::Rejection;

/// The end of a call. Three, not two: an unknown outcome is never called a failure.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// The venue answered.
    Answered(Answer),
    /// Refused, certainly without effect.
    Rejected(Rejection),
    /// The venue stayed silent; whether it acted must be asked.
    Unknown,
}

/// A venue's answer, before a face encodes it.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// The body.
    pub value: Value,
    /// Unfilled-order counts to announce: window label (`10S`, `1D`) and count.
    pub order_counts: SmallVec<[(&'static str, u32); 2]>,
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self { value, order_counts: SmallVec::new() }
    }
}

/// The wait for a venue's answer.
pub type Ticket = Pin<Box<dyn Future<Output = Outcome> + Send>>;

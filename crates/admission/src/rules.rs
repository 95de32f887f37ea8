//! The part of the policy that the checks read.

use latchkey_authority::policy::Policy;

/// Numbers of the policy on the line, copied once at start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// The largest `recvWindow` in milliseconds.
    pub recv_window_max_ms: u32,
}

impl From<&Policy> for Rules {
    fn from(policy: &Policy) -> Self {
        Self { recv_window_max_ms: policy.recv_window_max_ms }
    }
}

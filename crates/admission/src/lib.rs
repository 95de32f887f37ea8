//! May this call pass? The decision, pure: bytes and facts come in, a [`Permit`] or a [`Rejection`] goes out.
//!
//! The door (`gateway`) calls the functions of [`check`] in the order of [`Stage`]; a venue accepts only what comes
//! out at the end. Nothing here waits, does I/O or takes a lock that another request can hold.
//! Start at [`state`] (the value that walks the line), then [`check`], [`live`] (keys) and [`limiter`].

pub mod call;
pub mod check;
pub mod decide;
mod explain;
pub mod hash;
pub mod last_use;
pub mod limiter;
pub mod live;
mod outcome;
mod permit;
pub mod ports;
pub mod records;
mod rejection;
pub mod replay;
mod rules;
mod stage;
pub mod state;
pub mod trail;

pub use outcome::{Answer, Outcome, Ticket};
pub use permit::{AHEAD_MAX_US, Call, Holder, Permit, Window};
pub use rejection::{Reason, Rejection};
pub use rules::Rules;
pub use stage::Stage;
pub use state::Admission;
pub use trail::{CallRecord, Trail};

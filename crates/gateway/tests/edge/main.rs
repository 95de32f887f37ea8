//! The door over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests stop where a test would"
)]

mod bounds;
mod charged;
mod client;
mod sources;
mod stage;

//! The whole line in memory: every check in its order, over the real catalog, with a clock that stands still.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests stop where a test would"
)]

mod failures;
mod house;
mod pairs;
mod reasons;

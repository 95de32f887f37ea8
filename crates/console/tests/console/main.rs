//! The console over ports in memory: what people's browsers and programs may do, and what they may not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod accounts;
mod authenticator;
mod calls;
mod client;
mod factors;
mod house;
mod keys;
mod limits;
mod requests;
mod reset;
mod sign_in;
mod step_up;
mod values;

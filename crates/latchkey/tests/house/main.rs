//! The whole server as its callers meet it: a process, sockets, exact bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests stop where a test would"
)]

mod audit;
mod bad_input;
mod catalog_walk;
mod desk;
mod factors;
mod imports;
mod lifecycle;
mod limits;
mod line;
mod message;
mod metrics;
mod operators;
mod owners;
mod powers;
mod reasons;
mod repeats;
mod replay;
mod secrets;
mod serve;
mod server;
mod signed;
mod template;
mod terminal;
mod tls;
mod wire;
mod world;

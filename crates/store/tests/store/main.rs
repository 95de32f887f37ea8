//! The adapters over real files and a real database, in scratch folders.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod audit;
mod call_records;
mod claims;
mod contention;
mod crash;
mod force;
mod import;
mod journal;
mod live;
mod notes;
mod records;
mod secrets;
mod shelf;
mod snapshots;
mod sqlite;
mod uses;
mod waiting;

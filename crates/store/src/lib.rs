//! Where state rests: the adapters that answer the ports of the floors below with files, a database and memory.
//!
//! | module | answers | rests in |
//! |---|---|---|
//! | [`sqlite`] | `authority::ports::Store`, the audit chain, the outbox | one SQLite file |
//! | [`secrets`] | `authority::ports::Secrets`, `admission::ports::OpenMaterial` | root keys, wrapped, in the store |
//! | [`live`] | `authority::ports::Live`, `admission::ports::Keys` | memory, filled from the store at start |
//! | [`segments`], [`snapshots`] | `exchange::ports::Journal` | files that only grow, in a locked folder |
//! | [`records`] | `admission::ports::{Recorder, CallLog}` | segments and compressed archives |
//! | [`guard_state`] | keeps `admission::limiter::Held` over a restart | one small file, replaced whole |
//! | [`random`] | the entropy that others are given | the operating system |
//!
//! Nothing here decides. What a record means is the business of `authority`, what a logged command does that of
//! `exchange`; here they are bytes that are there whole or not at all. The roof puts the pieces together and drives
//! the outbox.

pub mod audit;
mod crc32c;
pub mod folder;
pub mod guard_state;
pub mod live;
pub mod random;
pub mod records;
pub mod secrets;
pub mod segments;
pub mod snapshots;
pub mod sqlite;

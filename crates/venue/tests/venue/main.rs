//! The venue over a real exchange: signed calls go through the line's own checks, which alone make permits, and come
//! back as the bytes that a client reads. The journal, the store and the clock are plain memory.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that meets the unexpected stops there")]

mod account;
mod harness;
mod keys;
mod loans;
mod market;
mod orders;
mod sequencing;
mod snapshots;
mod subs;
mod walk;

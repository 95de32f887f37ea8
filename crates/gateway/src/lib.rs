//! The machines' door: bytes come in over HTTP, walk the line, and an answer goes out.
//!
//! Never writes a key record. Start at [`mod@line`] (the two functions that every request crosses), then [`edge`]
//! (sockets, bounds and deadlines) and [`respond`] (the one place that knows statuses and headers).

pub mod edge;
pub mod line;
pub mod respond;

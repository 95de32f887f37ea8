//! The exchange from outside: orders, filters, counts, conservation, replay, and a slow obvious book to compare with.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test that meets the unexpected stops there")]

mod counts;
mod effects;
mod filters;
mod flow;
mod laws;
mod loans;
mod log;
mod names;
mod orders;
mod queries;
mod reference;
mod self_trade;
mod support;

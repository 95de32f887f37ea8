//! Where admitted calls go: the embedded exchange and our own endpoints.
//!
//! The door hands a `Permit` to [`Venue`], which asks it once more in the last instant and answers with values. What
//! touches the market is done by one thread, in the order of arrival; what manages keys is done by the authority.
//!
//! ```text
//! Permit ─▶ Venue::submit ─┬─▶ sequencer thread: hand-over, command or query ─▶ commit ─▶ Ticket ─▶ Answer
//!                          ├─▶ authority (special keys, read-backs) ─────────────────────▶ Ticket ─▶ Answer
//!                          └─▶ answered at once (ping, time, exchange information)
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`sequencer`] | the thread that owns the exchange and its command log, and the way to it |
//! | [`Venue`] | the match from route to answer |
//! | `orders`, `account`, `market_data`, `exchange_info` | `/api` |
//! | `wallet`, `margin`, `special_keys`, `loans` | `/sapi` of an account itself |
//! | `sub_accounts`, `sub_keys`, `broker` | `/sapi` of a master for its sub-accounts |
//! | `own` | `/latchkey` |
//! | `refusal` | the exchange's refusals as rows of the contract |
//!
//! What it never does: act on a call whose key, account or timing changed since it was admitted, or answer what is not
//! durable yet.

mod account;
mod broker;
mod calls;
mod exchange_info;
mod loans;
mod margin;
mod market_data;
mod orders;
mod own;
mod refusal;
mod search;
pub mod sequencer;
mod special_keys;
mod sub_accounts;
mod sub_keys;
mod symbols;
mod venue;
mod wallet;

pub use venue::Venue;

//! The market: books, ledger and the synthetic flow, as one deterministic state machine.
//!
//! [`Core`] takes a [`Command`] with its time and answers a [`Reply`] or a [`Refusal`]; queries read it between
//! commands. There is no clock, no random source and no I/O in here: the same settings and the same commands make
//! the same state, byte for byte. A refused command changes nothing, so that only accepted ones are logged.
//!
//! The venue crate calls it: it turns routes into commands and queries, owns the thread, and drives the
//! [`Sequencer`], which writes each command to a [`ports::Journal`] and withholds answers until they are durable.
//!
//! ```text
//! Command ─▶ Core::apply ─▶ judge ─▶ accept ─▶ match ─▶ rest or end ─▶ Reply
//!                             │                  │
//!                          Refusal        ledger, tape, candles, order count
//! ```
//!
//! What it never does: round a trade (commissions alone round, half-up at eight decimals), let a balance fall below
//! zero, trade through a limit price, or depend on the order of a hash table. Amounts only move: for each asset,
//! wallets, fees and the synthetic market together hold what was issued.
//!
//! What it keeps: every order and trade of an account, for good; of the public tape 10 000 trades a symbol; of candles
//! an hour of seconds, two weeks of minutes and five years of hours. Quotes of the synthetic market leave no orders
//! behind.
//!
//! Start at [`Command`], then [`Core`]. Orders: `engine` (the rules), `matching`, `book`, `order`. Money: `ledger`, `loans`.
//! The market that makes itself: `flow`.

mod book;
mod candles;
mod chunked;
mod client_order_id;
mod command;
mod counter;
mod engine;
mod filters;
mod flow;
mod ledger;
mod loans;
mod market;
mod matching;
mod names;
mod order;
pub mod ports;
mod refusal;
mod reply;
mod rng;
mod sequencer;
mod settings;
mod snapshot;
pub mod spec;
mod tape;
pub mod view;

pub use client_order_id::ClientOrderId;
pub use command::{Cancel, Command, DecodeError, EffectId, NewOrder, Transfer};
pub use engine::{Core, Frozen};
pub use refusal::{FilterName, LiquidityFloor, OrderInterval, Refusal, RefusalKind};
pub use reply::{CancelledOrder, Fill, OrderCounts, PlacedOrder, Reply};
pub use sequencer::{Released, Sequencer, replay};
pub use settings::{Commission, Flow, MarketSettings, OrderLimits, Rate, SettingsError};
pub use snapshot::SnapshotError;

/// The most symbols of one exchange.
pub const MAX_SYMBOLS: usize = 10_000;
/// The longest span that a filter may average prices over, in minutes.
pub const MAX_AVERAGE_MINUTES: u32 = 60;

//! The roof: configuration, worlds, the one place that picks adapters, the listeners and the command line.
//!
//! Start at [`assemble`]: it names every adapter behind every port.

pub mod assemble;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod demo;
pub mod descriptors;
pub mod drivers;
pub mod guard;
pub mod import;
pub mod listen;
pub mod logging;
pub mod mail;
pub mod memory;
pub mod metrics;
pub mod ops;
pub mod outbox;
pub mod recording;
pub mod safety;
pub mod serve;
mod services;
pub mod world;

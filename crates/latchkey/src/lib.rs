//! latchkey

pub mod cli;

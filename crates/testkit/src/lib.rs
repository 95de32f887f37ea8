//! What tests of the whole house share. Never part of what is shipped.
//!
//! [`fuzz`] holds a body for each parser that strangers reach: a plain function over bytes, which panics when a
//! property is broken. The same bodies run under `cargo fuzz` (folder `fuzz/`, a nightly toolchain) and under the
//! runner of this crate (`cargo run -p latchkey-testkit --bin fuzz`), which replays the corpus and then mutates it.

pub mod fuzz;

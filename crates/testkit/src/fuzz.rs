//! The bodies, by name.
#![expect(clippy::expect_used, reason = "a body fails by panicking")]

mod doors;
mod files;
mod keys;
pub mod mutate;
mod requests;

/// A property of a parser, asked of arbitrary bytes: panics when it does not hold.
pub type Body = fn(&[u8]);

/// Every body with its name, which is also the name of its corpus.
pub const BODIES: &[(&str, Body)] = &[
    ("request", requests::request),
    ("payload", requests::payload),
    ("arguments", requests::arguments),
    ("routes", requests::routes),
    ("records", requests::records),
    ("proxy", doors::proxy),
    ("forwarding", doors::forwarding),
    ("message_signature", doors::message_signature),
    ("public_key", keys::public_key),
    ("ip_list", keys::ip_list),
    ("stored", keys::stored),
    ("world", files::world),
    ("configuration", files::configuration),
];

/// The body of this name.
pub fn body(name: &str) -> Option<Body> {
    BODIES.iter().find(|(known, _)| *known == name).map(|(_, body)| *body)
}

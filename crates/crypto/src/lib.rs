//! Key material: everything that makes, proves, guards or hides a key.
//!
//! | module | what | who asks |
//! |---|---|---|
//! | [`key_type`] | the three kinds of key and their names | everybody |
//! | [`secret`] | the text of API keys and secrets, and the guarded [`secret::SecretKey`] | `authority`, `store`, `client` |
//! | [`public_key`] | which public keys may be registered, and why others may not | `authority` |
//! | [`verify`] | signatures from the wire, and the check of a request's proof | `admission` |
//! | [`message`] | algorithms of message signatures, digests of content | `admission`, `client` |
//! | [`sign`] | private keys and signatures of the caller's side | `client` |
//! | [`seal`] | how secrets rest: root keys, envelopes, the wrapping key, the canary | `store` |
//! | [`password`] | password hashes | `authority` |
//! | [`totp`] | one-time codes | `authority` |
//! | [`digest`] | SHA-256 for fingerprints and hash chains | `authority`, `store` |
//! | [`entropy`] | how randomness comes in | `authority`, `store` |
//! | [`pem`] | limits and errors of pasted keys | with the keys |
//!
//! Start at [`verify::Verifier`]: a request's signature passes there, once per call.
//!
//! What this crate never does: read a clock, the environment or a random source of its own (the
//! one exception is [`sign::Signer::generate_rsa`]), keep state between calls, or implement a
//! primitive. Encodings are parsed here, strictly; hashes, curves and ciphers come from libraries.
//! No secret can be printed: types that hold one have no `Debug`, and error texts never quote input.

mod der;
pub mod digest;
pub mod entropy;
pub mod key_type;
pub mod message;
pub mod password;
pub mod pem;
pub mod public_key;
pub mod seal;
pub mod secret;
pub mod sign;
pub mod totp;
pub mod verify;

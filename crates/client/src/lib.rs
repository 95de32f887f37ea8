//! The caller's side: build a request, sign it, send it, and know what became of it.
//!
//! Used by the command line (`latchkey call`, `latchkey sign`) and by programs that trade. It is blocking and
//! keeps one connection pool.
//!
//! | module | what |
//! |---|---|
//! | [`client`] | [`client::Client`]: the driver; start here |
//! | [`request`] | method, path and parameters, and the exact bytes that are signed |
//! | [`message`] | message signatures (RFC 9421), the other scheme |
//! | [`credentials`] | an API key and its signer |
//! | [`call`] | the state machine of one call: clock, backing off, unknown outcomes; no I/O |
//! | [`outcome`] | answered, refused or unknown |
//! | [`placement`] | which calls place an order, and how such an order is found again |
//! | [`clock`] | the venue's clock as seen from here |
//! | [`timing`] | where time, waiting and randomness come in |
//! | [`transport`] | what carries requests: a trait, and what can be lost on the way |
//! | [`http`] | the transport over HTTP/1.1, with TLS |
//! | [`encode`] | percent-encoding |
//!
//! What this crate never does: read the environment, a file or a terminal; follow a redirect; send a key in
//! plain text to another machine unless told so; send a call that changes state a second time while the outcome
//! of the first is unknown; print a secret or a signature.

pub mod call;
pub mod client;
pub mod clock;
pub mod credentials;
pub mod encode;
pub mod http;
pub mod message;
pub mod outcome;
pub mod placement;
pub mod request;
pub mod timing;
pub mod transport;
mod verdict;

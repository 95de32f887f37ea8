//! The management API: what owners do with their accounts and keys.

pub(crate) mod account;
pub(crate) mod calls;
pub(crate) mod can;
pub(crate) mod factors;
pub(crate) mod keys;
pub(crate) mod once;
pub(crate) mod records;
mod routes;
pub(crate) mod sessions;
pub(crate) mod subs;
pub(crate) mod view;

pub(crate) use routes::router;

//! Who holds which key: accounts, keys, and every rule that binds them.
//!
//! Pure: time, randomness and the exchange's facts come in as values; decisions go out as a [`change::Change`].
//! Start at [`service::Authority`]: every door changes accounts and keys through it, and through nothing else.
//!
//! What this crate never does: admit a call, keep a fact of the exchange, or read a clock.
//!
//! | module | what | who asks |
//! |---|---|---|
//! | [`service`] | the way in: load, decide, save, tell | consoles, signed endpoints, worlds |
//! | [`issue`], [`caller`] | the decisions, and who may ask for what | [`service`] |
//! | [`step_up`] | proofs beyond being signed in, each for one change | consoles |
//! | [`refusal`] | every reason to refuse a change, and its answer on the wire | faces |
//! | [`policy`] | the numbers that vary by source or operator, and their profiles | everybody |
//! | [`permission_rules`] | what each permission needs: one row a permission | here |
//! | [`account`], [`key`], [`ip`], [`label`] | the records and their parts, parsed once | `store`, `admission`, faces |
//! | [`hold`] | who put something out of use, and who may undo that | here |
//! | [`effective`], [`trading`] | what a key may do now, and which wallet it unlocks | `admission`, `store` |
//! | [`change`] | what a decision yields: writes, effects, audit | `store`, `venue` |
//! | [`claim`] | what a request that may be sent again made | consoles, `store` |
//! | [`tier`] | limits of an account by its VIP level | `admission`, `venue` |
//! | [`ports`] | what is asked of the world | adapters |
//! | [`memory`] | those that keep records, over plain memory | rehearsals of worlds, tests |
//! | [`view`] | what may be shown of a record | faces |
//! | [`stored`] | how records rest as bytes | `store` |

pub mod account;
pub mod caller;
pub mod change;
pub mod claim;
pub mod effective;
pub mod hold;
pub mod ip;
pub mod issue;
pub mod key;
pub mod label;
pub mod memory;
pub mod permission_rules;
pub mod policy;
pub mod ports;
pub mod refusal;
pub mod service;
pub mod step_up;
pub mod stored;
pub mod tier;
pub mod trading;
pub mod view;

#[cfg(test)]
mod tests;

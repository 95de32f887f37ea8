//! The published contract as data: the vocabulary that every other crate speaks.
//!
//! Nothing here decides anything. Start at [`catalog`] (what may be called), [`code`] (what can be answered
//! when it goes wrong), [`limits`] (what is counted, and how long) and [`params`] (how a request becomes
//! parameters and a signed payload); [`message_signature`] is the other way to sign.

pub mod catalog;
pub mod code;
pub mod decimal;
mod hosts;
mod ids;
pub mod limits;
pub mod message_signature;
pub mod order;
pub mod params;
mod permission;
mod symbol;
mod time;
mod value;
mod wallet;

pub use decimal::{Amount, Price, Quantity};
pub use hosts::Hosts;
pub use ids::{AccountId, ApiKey, KeyId};
pub use permission::{Permission, PermissionSet};
pub use symbol::{Asset, Symbol};
pub use time::{RecvWindow, RecvWindowError, TimeUnit, Timestamp};
pub use value::Value;
pub use wallet::{RiskPath, TradingAccount, Wallet};

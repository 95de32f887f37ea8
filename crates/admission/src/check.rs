//! The checks, in the order of the line. Each is a function from the state before to the state after.

mod ip;
mod key;
mod message;
mod owner;
mod parameters;
mod permission;
mod replay;
mod route;
mod shape;
mod signature;
mod timing;

pub use ip::ip;
pub use key::key;
pub use owner::owner;
pub use parameters::parameters;
pub use permission::permission;
pub use replay::replay;
pub use route::route;
pub use shape::{head, shape};
pub use signature::signature;
pub use timing::timing;

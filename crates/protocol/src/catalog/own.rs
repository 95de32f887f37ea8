//! Our own signed routes, outside the compatible contract.

use super::table::endpoints;
use super::{Kind, Param};

endpoints! {
    /// What a caller may ask of its own key: type, rules, budget, when it ends.
    ROWS from "Latchkey";
    Get "/latchkey/v1/key"           UserData Ip 1 => OwnKey;
    Get "/latchkey/v1/calls"         UserData Ip 5 => OwnCalls(CALLS).hides();
    Get "/latchkey/v1/refusals/{id}" UserData Ip 1 => OwnRefusal.hides();
}

/// What to look for among the account's own calls.
const CALLS: &[Param] = &[
    Param::may("key", Kind::Text { max: 64 }),
    Param::may("startTime", Kind::Time),
    Param::may("endTime", Kind::Time),
    Param::may("path", Kind::Text { max: 128 }),
    Param::may("outcome", Kind::Text { max: 64 }),
    Param::may("ip", Kind::Text { max: 45 }),
    Param::may("cursor", Kind::Text { max: 64 }),
    Param::may("limit", Kind::Limit { max: 1000 }),
];

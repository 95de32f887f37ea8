//! Our own signed routes, outside the compatible contract.

use super::table::endpoints;

endpoints! {
    /// What a caller may ask of its own key: type, rules, budget, when it ends.
    ROWS from "Latchkey";
    Get "/latchkey/v1/key" UserData Ip 1 => OwnKey;
}

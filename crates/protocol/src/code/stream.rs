//! Errors of streams: listen keys, listen tokens, subscriptions.

use super::rows;

rows! {
    /// The listen key is unknown or has expired.
    INVALID_LISTEN_KEY = -1125 "INVALID_LISTEN_KEY" 400 "This listenKey does not exist." Spot;
    /// The listen key of a margin stream is unknown or has expired.
    LISTEN_KEY_NOT_FOUND = -3038 "LISTEN_KEY_NOT_FOUND" 400 "Listen key not found." Sapi;
    /// The listen token is unknown or has expired; the contract has the number, not the text.
    INVALID_LISTEN_TOKEN = -1209 "INVALID_LISTEN_TOKEN" 400 "Invalid listenToken." Seen;
    /// The account's stream is subscribed on this connection already.
    SUBSCRIPTION_ACTIVE = -2035 "SUBSCRIPTION_ACTIVE" 400 "User Data Stream subscription already active." Spot;
    /// Nothing is subscribed.
    SUBSCRIPTION_INACTIVE = -2036 "SUBSCRIPTION_INACTIVE" 400 "User Data Stream subscription not active." Spot;
    /// The connection has used all its subscription ids.
    MAXIMUM_SUBSCRIPTION_IDS = -2042 "MAXIMUM_SUBSCRIPTION_IDS" 400 "Maximum subscription ID reached for this connection." Spot;
}

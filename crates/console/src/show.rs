//! What is shown of accounts and keys, for other doors that show the same: one shape, whoever looks.

use latchkey_admission::ports::Keys;
use latchkey_authority::account::Owner;
use latchkey_authority::key::KeyRecord;
use latchkey_authority::policy::Policy;
use latchkey_protocol::Timestamp;
use serde_json::{Value, json};

use crate::api::view::{AccountView, KeyLight};

/// An account, without secrets: the body of `GET /v1/accounts/{account}`.
pub fn account(owner: &Owner<'_>) -> Value {
    json!(AccountView::of(owner))
}

/// A key in the light of its account, without secrets: the body of `GET /v1/accounts/{account}/keys/{key}`.
pub fn key(policy: &Policy, owner: Owner<'_>, live: &dyn Keys, now: Timestamp, key: &KeyRecord) -> Value {
    json!(KeyLight { policy, owner, live, now }.view(key))
}

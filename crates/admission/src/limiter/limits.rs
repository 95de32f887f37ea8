//! The numbers of the limiter, and the names of what can be exhausted.

use latchkey_authority::policy::{Policy, SuccessfulOrderWeight};
use latchkey_authority::tier::Tiers;
use latchkey_protocol::limits::Window;

use super::{FIVE_MINUTES, MINUTE};

/// The numbers in force, copied once at start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    pub(super) request_weight_per_minute: u32,
    pub(super) raw_requests_per_5m: u32,
    pub(super) sapi_ip_weight_per_minute: u32,
    pub(super) failed_verifications_per_minute: u32,
    pub(super) connections_per_5m: u32,
    pub(super) ban_after: u16,
    pub(super) successful_orders_are_free: bool,
    key_weight_per_minute: u32,
    key_share_percent: u8,
    tiers: Tiers,
}

impl Limits {
    /// The numbers of a policy, those of accounts by `tiers`.
    pub fn new(policy: &Policy, tiers: Tiers) -> Self {
        Self {
            request_weight_per_minute: policy.request_weight_per_minute,
            raw_requests_per_5m: policy.raw_requests_per_5m,
            sapi_ip_weight_per_minute: policy.sapi_ip_weight_per_minute,
            failed_verifications_per_minute: policy.failed_verifications_per_minute,
            connections_per_5m: policy.connections_per_5m,
            ban_after: policy.ban_after,
            successful_orders_are_free: policy.successful_order_weight == SuccessfulOrderWeight::Zero,
            key_weight_per_minute: policy.key_weight_per_minute,
            key_share_percent: policy.key_share_percent,
            tiers,
        }
    }

    pub(super) fn sapi_uid_weight(&self, vip: u8) -> u32 {
        self.tiers.of(vip).sapi_uid_weight_per_minute
    }

    /// The weight a minute of one key, when it is limited.
    pub(super) fn of_key(&self) -> Option<u32> {
        Some(self.key_weight_per_minute).filter(|limit| *limit > 0)
    }

    /// The weight a minute that one key may use of an address's, when it is limited; at least one.
    pub(super) fn share_of_key(&self) -> Option<u32> {
        let share = u64::from(self.request_weight_per_minute) * u64::from(self.key_share_percent) / 100;
        (self.key_share_percent > 0).then(|| u32::try_from(share).unwrap_or(u32::MAX).max(1))
    }
}

impl From<&Policy> for Limits {
    /// Without tiers.
    fn from(policy: &Policy) -> Self {
        Self::new(policy, Tiers::from(policy))
    }
}

/// What a caller has used up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Exhausted {
    /// The address's request weight.
    RequestWeight,
    /// The address's number of requests.
    RawRequests,
    /// An endpoint's weight for the address.
    EndpointOfAddress,
    /// An endpoint's weight for the account.
    EndpointOfAccount,
    /// The address's failed verifications.
    FailedVerifications,
    /// The key's own weight. Beyond the contract.
    Key,
    /// The key's part of the address's weight. Beyond the contract.
    KeyShare,
}

impl Exhausted {
    /// The name in records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RequestWeight => "request-weight",
            Self::RawRequests => "raw-requests",
            Self::EndpointOfAddress => "sapi-ip-weight",
            Self::EndpointOfAccount => "sapi-uid-weight",
            Self::FailedVerifications => "failed-verifications",
            Self::Key => "key-weight",
            Self::KeyShare => "key-share",
        }
    }

    /// The window that it is counted in.
    pub const fn window(self) -> Window {
        match self {
            Self::RawRequests => FIVE_MINUTES,
            Self::RequestWeight
            | Self::EndpointOfAddress
            | Self::EndpointOfAccount
            | Self::FailedVerifications
            | Self::Key
            | Self::KeyShare => MINUTE,
        }
    }
}

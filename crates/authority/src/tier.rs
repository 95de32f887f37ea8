//! Tiers: limits of an account that depend on its VIP level. What is counted by address is the same for everyone.

use std::collections::BTreeMap;

use crate::policy::Policy;

/// VIP levels: 0 to 9.
pub const VIP_LEVELS: usize = 10;

/// The limits that belong to an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct AccountLimits {
    /// See [`Policy::orders_per_10s`].
    pub orders_per_10s: u32,
    /// See [`Policy::orders_per_day`].
    pub orders_per_day: u32,
    /// See [`Policy::sapi_uid_weight_per_minute`].
    pub sapi_uid_weight_per_minute: u32,
}

impl From<&Policy> for AccountLimits {
    fn from(policy: &Policy) -> Self {
        Self {
            orders_per_10s: policy.orders_per_10s,
            orders_per_day: policy.orders_per_day,
            sapi_uid_weight_per_minute: policy.sapi_uid_weight_per_minute,
        }
    }
}

/// `[policy.tier.NAME]`: what an account has from a VIP level on, up to the next tier's. A field that is not named is
/// the policy's own.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierOverrides {
    /// The lowest VIP level of the tier, 0 to 9.
    pub vip_from: u8,
    /// See [`Policy::orders_per_10s`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders_per_10s: Option<u32>,
    /// See [`Policy::orders_per_day`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders_per_day: Option<u32>,
    /// See [`Policy::sapi_uid_weight_per_minute`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sapi_uid_weight_per_minute: Option<u32>,
}

/// The limits of every VIP level.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Tiers([AccountLimits; VIP_LEVELS]);

/// Tiers that cannot be in force together.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TierError {
    /// Beyond the highest level.
    #[error("tier `{0}`: `vip_from` must be 0 to 9")]
    VipFrom(String),
    /// A limit of nothing.
    #[error("tier `{0}`: a limit must be above 0")]
    Zero(String),
    /// Two tiers begin at one level.
    #[error("tiers `{0}` and `{1}` begin at the same VIP level")]
    Twice(String, String),
}

impl TierError {
    /// The tier that is wrong.
    pub fn tier(&self) -> &str {
        match self {
            Self::VipFrom(name) | Self::Zero(name) | Self::Twice(name, _) => name,
        }
    }
}

impl Tiers {
    /// The tiers of a policy.
    ///
    /// # Errors
    /// [`TierError`] names the first tier that does not fit.
    pub fn new(policy: &Policy, tiers: &BTreeMap<String, TierOverrides>) -> Result<Self, TierError> {
        let mut by_level: BTreeMap<u8, &str> = BTreeMap::new();
        let mut limits = Self::from(policy);
        let mut sorted: Vec<_> = tiers.iter().collect();
        sorted.sort_by_key(|(_, tier)| tier.vip_from);
        for (name, tier) in sorted {
            if usize::from(tier.vip_from) >= VIP_LEVELS {
                return Err(TierError::VipFrom(name.clone()));
            }
            if [tier.orders_per_10s, tier.orders_per_day, tier.sapi_uid_weight_per_minute].contains(&Some(0)) {
                return Err(TierError::Zero(name.clone()));
            }
            if let Some(other) = by_level.insert(tier.vip_from, name) {
                return Err(TierError::Twice(name.clone(), other.to_owned()));
            }
            let own = AccountLimits::from(policy);
            let of_tier = AccountLimits {
                orders_per_10s: tier.orders_per_10s.unwrap_or(own.orders_per_10s),
                orders_per_day: tier.orders_per_day.unwrap_or(own.orders_per_day),
                sapi_uid_weight_per_minute: tier.sapi_uid_weight_per_minute.unwrap_or(own.sapi_uid_weight_per_minute),
            };
            limits.0.iter_mut().skip(usize::from(tier.vip_from)).for_each(|level| *level = of_tier);
        }
        Ok(limits)
    }

    /// The limits of an account of this VIP level.
    pub fn of(&self, vip: u8) -> AccountLimits {
        let [first, ..] = self.0;
        self.0.get(usize::from(vip)).or(self.0.last()).copied().unwrap_or(first)
    }
}

impl From<&Policy> for Tiers {
    /// The same for every level.
    fn from(policy: &Policy) -> Self {
        Self([AccountLimits::from(policy); VIP_LEVELS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiers(json: &str) -> Result<Tiers, TierError> {
        Tiers::new(&Policy::default(), &serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_tier_holds_from_its_level_to_the_next_one() {
        let tiers = tiers(
            r#"{"maker": {"vip_from": 7, "orders_per_day": 900000},
                "active": {"vip_from": 3, "orders_per_10s": 300, "sapi_uid_weight_per_minute": 360000}}"#,
        )
        .unwrap();
        let of = |vip| {
            let limits = tiers.of(vip);
            (limits.orders_per_10s, limits.orders_per_day, limits.sapi_uid_weight_per_minute)
        };
        assert_eq!((of(0), of(2)), ((100, 200_000, 180_000), (100, 200_000, 180_000)));
        assert_eq!((of(3), of(6)), ((300, 200_000, 360_000), (300, 200_000, 360_000)));
        assert_eq!(
            (of(7), of(9)),
            ((100, 900_000, 180_000), (100, 900_000, 180_000)),
            "a tier inherits from the policy"
        );
        assert_eq!(of(200), of(9));
        assert_eq!(Tiers::new(&Policy::default(), &BTreeMap::new()), Ok(Tiers::from(&Policy::default())));
    }

    #[test]
    fn tiers_that_do_not_fit_are_named() {
        assert_eq!(tiers(r#"{"x": {"vip_from": 10}}"#), Err(TierError::VipFrom("x".into())));
        assert_eq!(tiers(r#"{"x": {"vip_from": 1, "orders_per_day": 0}}"#), Err(TierError::Zero("x".into())));
        let twice = tiers(r#"{"x": {"vip_from": 1}, "y": {"vip_from": 1}}"#);
        assert_eq!(twice, Err(TierError::Twice("y".into(), "x".into())));
        let unknown = serde_json::from_str::<TierOverrides>(r#"{"vip_from": 1, "weight": 2}"#);
        assert!(unknown.unwrap_err().to_string().contains("weight"));
    }
}

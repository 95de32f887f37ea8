//! The numbers that vary by source or operator: one row a field, one column a profile.
//!
//! Nothing else in the crate holds such a number. A profile selects a column whole; [`PolicyOverrides`] then
//! replaces single fields, as the `[policy]` table of a configuration or world file does.

use std::collections::BTreeMap;

use latchkey_protocol::Timestamp;

use crate::account::CountrySet;
use crate::step_up::StepUpRule;
use crate::tier::TierOverrides;

/// Declares [`Policy`] and [`PolicyOverrides`] from one table. Columns: default, `binance-2026`, `vip4-2026-01`.
macro_rules! policy {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:expr, $binance:expr, $vip4:expr;)+) => {
        /// Every rule that is a number or a switch. Made by [`Policy::of`] or [`Policy::new`].
        #[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
        pub struct Policy {
            $($(#[$doc])* pub $field: $type,)+
        }

        /// Single fields that replace those of a profile; unknown names are refused.
        #[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct PolicyOverrides {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)+
            /// `[policy.tier.NAME]`: limits of accounts by VIP level; see [`Tiers`](crate::tier::Tiers).
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            pub tier: BTreeMap<String, TierOverrides>,
        }

        impl Policy {
            /// The column of `profile`, whole.
            pub const fn of(profile: Profile) -> Self {
                match profile {
                    Profile::Default => Self { $($field: $default,)+ },
                    Profile::Binance2026 => Self { $($field: $binance,)+ },
                    Profile::Vip4202601 => Self { $($field: $vip4,)+ },
                }
            }

            /// The names of all fields, in the order of the table.
            pub const FIELDS: &'static [&'static str] = &[$(stringify!($field)),+];

            fn with(mut self, overrides: &PolicyOverrides) -> Self {
                $(if let Some(value) = overrides.$field { self.$field = value; })+
                self
            }
        }
    };
}

policy! {
    /// Lowest VIP level, 0 to 9, that may hold special keys without an exception.
    /// Source: margin special API key FAQ, 2026-05-14 (VIP 7); "Create Special Key", 2026-01-15 (VIP 4).
    special_key_vip_level: u8 = 7, 7, 4;
    /// Whether the master account must have signed the special-key terms.
    /// Source: margin special API key FAQ, 2026-05-14.
    special_key_terms_required: bool = true, true, false;
    /// How Cross Margin Pro accounts are treated when a special key is asked for.
    /// Source: "Create Special Key", 2026-01-15 (by agreement); margin change log (sunset 2026-04-13).
    cross_margin_pro: CrossMarginProRule = CrossMarginProRule::ByAgreement, CrossMarginProRule::Sunset, CrossMarginProRule::ByAgreement;
    /// Hours after leaving special-key mode during which no special key can be created.
    /// Source: margin change log, 2026-04-22.
    special_key_cooldown_hours: u16 = 24, 24, 24;
    /// Request weight a minute and address.
    /// Source: API key guide (1200); spot API, since 2023-08-25 (6000).
    request_weight_per_minute: u32 = 1200, 6000, 1200;
    /// Unfilled orders in ten seconds and account.
    /// Source: API key guide (100); spot API, 2026-07-21 (50).
    orders_per_10s: u32 = 100, 50, 100;
    /// Unfilled orders a day and account.
    /// Source: API key guide (200000); spot API, 2026-07-21 (160000).
    orders_per_day: u32 = 200_000, 160_000, 200_000;
    /// Raw requests in five minutes and address.
    /// Source: spot API enumeration sample (61000); spot API, since 2026-04-02 (300000).
    raw_requests_per_5m: u32 = 61_000, 300_000, 61_000;
    /// Whether a successful placement or cancel costs the listed weight.
    successful_order_weight: SuccessfulOrderWeight = SuccessfulOrderWeight::Listed, SuccessfulOrderWeight::Zero, SuccessfulOrderWeight::Listed;
    /// Weight a minute of one `/sapi` endpoint for one address.
    /// Source: margin API, general information, 2026-01-15.
    sapi_ip_weight_per_minute: u32 = 12_000, 12_000, 12_000;
    /// Weight a minute of one `/sapi` endpoint for one account.
    /// Source: margin API, general information, 2026-01-15.
    sapi_uid_weight_per_minute: u32 = 180_000, 180_000, 180_000;
    /// Refused requests within one window after which an address is banned; 0 bans nobody.
    /// Source: ours; the exchange does not publish its number.
    ban_after: u16 = 20, 20, 20;
    /// Failed verifications a minute and address; beyond it only keys that verified from there in the last hour are
    /// verified. Source: ours.
    failed_verifications_per_minute: u32 = 300, 300, 300;
    /// Connections that an address may open in five minutes; 0 is no limit. As many as requests, so that a client that
    /// keeps no connection meets the limit on requests first. Source: ours.
    connections_per_5m: u32 = 61_000, 300_000, 61_000;
    /// Weight a minute of one key over all endpoints and addresses; 0 is no limit. Beyond the contract.
    key_weight_per_minute: u32 = 0, 0, 0;
    /// The part of an address's weight, in percent, that one key may use, so that it cannot starve the others behind
    /// the address; 0 is no limit. Beyond the contract.
    key_share_percent: u8 = 0, 0, 0;
    /// Keys of one account, special ones included; deleted and expired keys do not count.
    /// Source: margin special API key FAQ, 2026-05-14.
    keys_per_account: u16 = 30, 30, 30;
    /// Sub-accounts that an owner, or a signed call, may open for one master; operators and worlds may go beyond.
    /// Source: ours; the exchange's number depends on the customer.
    sub_accounts_per_account: u16 = 200, 200, 200;
    /// Entries in one key's IP list.
    /// Source: "Create Special Key", 2026-01-15.
    ips_per_key: u16 = 30, 30, 30;
    /// Pairs in one key's symbol whitelist.
    /// Source: sub-account symbol whitelist FAQ, 2022-01-18.
    symbols_per_key: u16 = 30, 30, 30;
    /// Life in days of a key without an IP list; 0 is no end.
    /// Source: API key guide (90); Binance support, "How to Create API Keys on Binance" (no end).
    unrestricted_key_days: u16 = 90, 0, 90;
    /// Whether an HMAC key without an IP list only reads while Default Security Controls are on.
    /// Source: Binance support, "How to Create API Keys on Binance".
    hmac_without_ip_reads_only: bool = true, true, true;
    /// Days until a key that violates the controls is deleted.
    dsc_grace_days: u16 = 7, 7, 7;
    /// Whether signed calls may make keys; a signed call cannot show a second factor.
    signed_key_creation: SignedKeyCreation = SignedKeyCreation::Allow, SignedKeyCreation::Allow, SignedKeyCreation::Allow;
    /// What an owner shows to make, widen, rotate, enable or delete a key, to end a freeze or to change factors.
    /// Source: API key guide ("each edit is confirmed by 2FA").
    step_up_widening: StepUpRule = StepUpRule::Factor, StepUpRule::Factor, StepUpRule::Factor;
    /// What an owner shows to let a key withdraw.
    step_up_withdrawals: StepUpRule = StepUpRule::FactorAndEmail, StepUpRule::FactorAndEmail, StepUpRule::FactorAndEmail;
    /// What an owner shows to turn Default Security Controls off.
    step_up_controls_off: StepUpRule = StepUpRule::FactorAndEmail, StepUpRule::FactorAndEmail, StepUpRule::FactorAndEmail;
    /// What an owner shows to enrol the first second factor.
    first_factor: StepUpRule = StepUpRule::PasswordAndEmail, StepUpRule::PasswordAndEmail, StepUpRule::PasswordAndEmail;
    /// Hours during which nothing is widened after an operator took second factors away.
    reset_hold_hours: u16 = 24, 24, 24;
    /// Countries whose residents have no special keys.
    /// Source: margin special API key FAQ, 2026-05-14 (the list is the operator's).
    margin_restricted: CountrySet = CountrySet::EMPTY, CountrySet::EMPTY, CountrySet::EMPTY;
    /// Longest overlap in hours of a key with its successor.
    rotation_overlap_max_hours: u16 = 720, 720, 720;
    /// Shortest (widest) IPv4 prefix of an IP rule, 1 to 32.
    ip_prefix_min_v4: u8 = 16, 16, 16;
    /// Shortest (widest) IPv6 prefix of an IP rule, 1 to 128.
    ip_prefix_min_v6: u8 = 48, 48, 48;
    /// Whether `/api/v3/userDataStream` is served or answers 410.
    /// Source: spot API change log, 2026-02-20.
    listen_key: ListenKeyRule = ListenKeyRule::Served, ListenKeyRule::Gone, ListenKeyRule::Served;
    /// Largest `recvWindow` in milliseconds, 1 to 3600000; more than 60000 only in the demo.
    /// Source: REST API, "Timing security".
    recv_window_max_ms: u32 = 60_000, 60_000, 60_000;
    /// Which calls may not be repeated byte for byte inside their window.
    replay: ReplayRule = ReplayRule::StateChanging, ReplayRule::StateChanging, ReplayRule::StateChanging;
}

/// A published column of the policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub enum Profile {
    /// What the founding documents promise.
    #[default]
    #[serde(rename = "default")]
    Default,
    /// The exchange's public numbers of 2026.
    #[serde(rename = "binance-2026")]
    Binance2026,
    /// The older published text on special keys: VIP level 4, no terms.
    #[serde(rename = "vip4-2026-01")]
    Vip4202601,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Default, Self::Binance2026, Self::Vip4202601];

    /// The name in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Binance2026 => "binance-2026",
            Self::Vip4202601 => "vip4-2026-01",
        }
    }
}

/// See [`Policy::cross_margin_pro`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrossMarginProRule {
    /// Special keys with an agreement, else `Forbidden`.
    ByAgreement,
    /// The product is gone: an account that is still in it gets `Forbidden`.
    Sunset,
}

/// See [`Policy::successful_order_weight`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuccessfulOrderWeight {
    /// The listed weight.
    Listed,
    /// Nothing.
    Zero,
}

/// See [`Policy::listen_key`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListenKeyRule {
    /// Served as before 2026-02-20.
    Served,
    /// Answers 410.
    Gone,
}

/// See [`Policy::replay`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplayRule {
    /// Any call may be repeated.
    Off,
    /// Calls that change state may not.
    StateChanging,
    /// No signed call may.
    All,
}

/// See [`Policy::signed_key_creation`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignedKeyCreation {
    /// They may.
    Allow,
    /// They may, for addresses that the calling key may be used from itself.
    WithinCallersIps,
    /// They may not.
    Deny,
}

/// A value outside the bounds of its field.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("policy field `{field}` must be {bounds}")]
pub struct PolicyError {
    /// Which field.
    pub field: &'static str,
    /// Its bounds in words.
    pub bounds: &'static str,
}

impl Policy {
    /// The column of `profile` with single fields replaced.
    ///
    /// # Errors
    /// [`PolicyError`] names the first field outside its bounds.
    pub fn new(profile: Profile, overrides: &PolicyOverrides) -> Result<Self, PolicyError> {
        let policy = Self::of(profile).with(overrides);
        let bounds = [
            ("special_key_vip_level", policy.special_key_vip_level <= 9, "0 to 9"),
            ("request_weight_per_minute", policy.request_weight_per_minute > 0, "above 0"),
            ("orders_per_10s", policy.orders_per_10s > 0, "above 0"),
            ("orders_per_day", policy.orders_per_day > 0, "above 0"),
            ("raw_requests_per_5m", policy.raw_requests_per_5m > 0, "above 0"),
            ("sapi_ip_weight_per_minute", policy.sapi_ip_weight_per_minute > 0, "above 0"),
            ("sapi_uid_weight_per_minute", policy.sapi_uid_weight_per_minute > 0, "above 0"),
            ("key_share_percent", policy.key_share_percent <= 100, "0 to 100"),
            ("ip_prefix_min_v4", (1..=32).contains(&policy.ip_prefix_min_v4), "1 to 32"),
            ("ip_prefix_min_v6", (1..=128).contains(&policy.ip_prefix_min_v6), "1 to 128"),
            // Nothing else stands between a stolen password and these.
            ("step_up_withdrawals", policy.step_up_withdrawals.needs_factor(), "a rule with a factor"),
            ("first_factor", policy.first_factor.needs_password(), "a rule with the password"),
            ("recv_window_max_ms", (1..=3_600_000).contains(&policy.recv_window_max_ms), "1 to 3600000"),
        ];
        match bounds.into_iter().find(|(_, within, _)| !within) {
            Some((field, _, bounds)) => Err(PolicyError { field, bounds }),
            None => Ok(policy),
        }
    }

    /// When a key that has been without an IP list since `since` ends; `None` is never.
    pub fn unrestricted_end(&self, since: Timestamp) -> Option<Timestamp> {
        (self.unrestricted_key_days > 0).then(|| since.plus_micros(i64::from(self.unrestricted_key_days) * DAY))
    }

    /// When an account that left special-key mode at `left` may create a special key again.
    pub fn cooldown_end(&self, left: Timestamp) -> Timestamp {
        left.plus_micros(i64::from(self.special_key_cooldown_hours) * HOUR)
    }
}

/// Microseconds.
pub(crate) const HOUR: i64 = 3_600_000_000;
/// Microseconds.
pub(crate) const DAY: i64 = 24 * HOUR;

impl Default for Policy {
    fn default() -> Self {
        Self::of(Profile::Default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_selects_its_column_whole() {
        let default = Policy::of(Profile::Default);
        assert_eq!((default.special_key_vip_level, default.special_key_terms_required), (7, true));
        assert_eq!((default.request_weight_per_minute, default.raw_requests_per_5m), (1200, 61_000));
        assert_eq!((default.orders_per_10s, default.orders_per_day), (100, 200_000));
        let binance = Policy::of(Profile::Binance2026);
        assert_eq!(binance.cross_margin_pro, CrossMarginProRule::Sunset);
        assert_eq!((binance.unrestricted_key_days, binance.listen_key), (0, ListenKeyRule::Gone));
        let older = Policy::of(Profile::Vip4202601);
        assert_eq!(older, Policy { special_key_vip_level: 4, special_key_terms_required: false, ..default });
    }

    #[test]
    fn overrides_replace_single_fields_and_unknown_ones_are_refused() {
        let read = serde_json::from_str::<PolicyOverrides>;
        let overrides = read(r#"{"request_weight_per_minute": 6000, "replay": "off"}"#).unwrap();
        let policy = Policy::new(Profile::Default, &overrides).unwrap();
        assert_eq!(
            policy,
            Policy { request_weight_per_minute: 6000, replay: ReplayRule::Off, ..Policy::of(Profile::Default) }
        );
        assert!(read(r#"{"requestweight": 1}"#).unwrap_err().to_string().contains("requestweight"));
        assert!(read(r#"{"replay": "sometimes"}"#).unwrap_err().to_string().contains("sometimes"));
    }

    #[test]
    fn values_outside_their_bounds_are_named() {
        let refused = |json| Policy::new(Profile::Default, &serde_json::from_str(json).unwrap()).map_err(|e| e.field);
        assert_eq!(refused(r#"{"special_key_vip_level": 10}"#), Err("special_key_vip_level"));
        assert_eq!(refused(r#"{"ip_prefix_min_v4": 33}"#), Err("ip_prefix_min_v4"));
        assert_eq!(refused(r#"{"ip_prefix_min_v6": 0}"#), Err("ip_prefix_min_v6"));
        assert_eq!(refused(r#"{"recv_window_max_ms": 0}"#), Err("recv_window_max_ms"));
        assert_eq!(refused(r#"{"step_up_withdrawals": "password"}"#), Err("step_up_withdrawals"));
        assert_eq!(refused(r#"{"first_factor": "none"}"#), Err("first_factor"));
        assert!(refused(r#"{"unrestricted_key_days": 0, "keys_per_account": 0}"#).is_ok());
    }

    #[test]
    fn a_life_of_zero_days_has_no_end() {
        let start = Timestamp::from_millis(1_000);
        assert_eq!(Policy::of(Profile::Binance2026).unrestricted_end(start), None);
        let end = Policy::of(Profile::Default).unrestricted_end(start);
        assert_eq!(end, Some(Timestamp::from_millis(1_000 + 90 * 86_400_000)));
    }

    #[test]
    fn names_of_profiles_are_those_of_the_configuration() {
        for profile in Profile::ALL {
            assert_eq!(serde_json::to_string(&profile).unwrap(), format!("\"{}\"", profile.name()));
        }
    }
}

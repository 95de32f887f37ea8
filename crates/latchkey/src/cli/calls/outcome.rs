//! The ends of calls that can be asked for, as the records spell them.

/// How a call ends.
const ENDS: [&str; 4] = ["answered", "rejected", "unknown", "client-gone"];

/// Why one is refused.
const REASONS: [&str; 55] = [
    "account-frozen",
    "api-key-malformed",
    "api-key-missing",
    "api-key-repeated",
    "banned",
    "body-on-get",
    "busy",
    "content-digest-wrong",
    "deleted",
    "disabled",
    "expired",
    "failed-verifications",
    "field-empty",
    "field-illegal",
    "field-missing",
    "field-not-required",
    "ip-not-allowed",
    "key-kind",
    "key-share",
    "key-unknown",
    "key-unusable",
    "key-weight",
    "kyc-too-low",
    "malformed-parameters",
    "message-signature",
    "method-not-allowed",
    "no-such-endpoint",
    "not-available",
    "parameter",
    "permission-missing",
    "proof-not-accepted",
    "raw-requests",
    "recv-window-precision",
    "recv-window-too-large",
    "replay-memory-full",
    "request-weight",
    "residence-restricted",
    "retired",
    "sapi-ip-weight",
    "sapi-uid-weight",
    "sbe-disabled",
    "signature-elsewhere",
    "signature-shape",
    "signature-used",
    "signature-wrong",
    "stamped-before-start",
    "symbol-not-whitelisted",
    "time-unit",
    "timestamp-ahead",
    "timestamp-too-old",
    "too-many-orders",
    "unread-parameters",
    "unreadable",
    "venue",
    "wallet-changed",
];

/// Reads an outcome for clap.
pub(super) fn parse(text: &str) -> Result<&'static str, String> {
    let known = ENDS.into_iter().chain(REASONS).find(|known| *known == text);
    known.ok_or_else(|| format!("use {}, or a reason: {}", ENDS.join(", "), REASONS.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The names that a source gives to the variants of an enum.
    fn names(source: &'static str, of: &str) -> BTreeSet<&'static str> {
        let body = source.split(of).nth(1).and_then(|rest| rest.split("\n    }\n").next()).unwrap();
        body.split("=> \"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
    }

    #[test]
    fn every_end_and_reason_of_the_records_can_be_asked_for() {
        let mut reasons = names(include_str!("../../../../admission/src/rejection.rs"), "pub fn name(&self)");
        reasons.extend(names(
            include_str!("../../../../authority/src/effective.rs"),
            "impl DeadReason {\n    /// The short name, as records spell it.\n    pub const fn name(self)",
        ));
        reasons.extend(names(include_str!("../../../../admission/src/limiter/limits.rs"), "pub const fn name(self)"));
        assert_eq!(reasons, REASONS.into_iter().collect());
        let ends = names(include_str!("../../../../admission/src/records.rs"), "pub const fn name(&self)");
        assert_eq!(ends, ENDS.into_iter().collect());
    }

    #[test]
    fn nonsense_is_answered_with_what_there_is() {
        assert_eq!(parse("ip-not-allowed"), Ok("ip-not-allowed"));
        let said = parse("nonsense").unwrap_err();
        assert!(said.contains("client-gone, or a reason: ") && said.contains("key-unknown"), "{said}");
    }
}

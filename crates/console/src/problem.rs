//! The errors of the management API: problem details (RFC 9457), one row a kind.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// A kind of error: the last part of its documentation link, its status, and what it says to everyone.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Row {
    /// The fragment of the link, unique.
    pub(crate) name: &'static str,
    /// The status of the answer.
    pub(crate) status: u16,
    /// A short text that does not depend on the case.
    pub(crate) title: &'static str,
}

/// Declares the table: every row is a constant, and all of them stand in [`ROWS`].
macro_rules! problems {
    ($($constant:ident $status:literal $name:literal $title:literal;)+) => {
        $(pub(crate) const $constant: &Row = &Row { name: $name, status: $status, title: $title };)+

        /// Every row, in the order of the documentation.
        pub(crate) const ROWS: &[&Row] = &[$($constant),+];
    };
}

problems! {
    MALFORMED 400 "malformed" "The request cannot be read.";
    SIGN_IN_NEEDED 401 "sign-in-needed" "Sign in first.";
    SIGN_IN_REFUSED 401 "sign-in-refused" "The sign-in is refused.";
    CSRF 403 "csrf" "The request does not carry the token of its session.";
    STEP_UP_NEEDED 403 "step-up-needed" "The change must be confirmed.";
    STEP_UP_WRONG 403 "step-up-wrong" "The confirmation does not fit the change.";
    PROOF_REFUSED 403 "proof-refused" "The proof is refused.";
    NOT_ALLOWED 403 "not-allowed" "This is not allowed.";
    NOT_FOUND 404 "not-found" "There is nothing here.";
    ACCOUNT_UNKNOWN 404 "account-unknown" "There is no such account in reach.";
    KEY_UNKNOWN 404 "key-unknown" "There is no such key.";
    FACTOR_UNKNOWN 404 "factor-unknown" "There is no such factor.";
    SESSION_UNKNOWN 404 "session-unknown" "There is no such session.";
    CEREMONY_UNKNOWN 404 "ceremony-unknown" "There is no such ceremony, or it is over.";
    METHOD_NOT_ALLOWED 405 "method-not-allowed" "The resource does not have this method.";
    RULE 409 "rule" "A rule does not allow the change.";
    LIMIT 409 "limit" "The account has as many as it may.";
    FROZEN 409 "frozen" "The account is frozen.";
    KEY_ENDED 409 "key-ended" "The key has ended.";
    HELD 409 "held" "Another holds this.";
    KYC 409 "kyc" "The owner is not verified enough.";
    NO_FACTOR 409 "no-factor" "A second factor is needed first.";
    LAST_FACTOR 409 "last-factor" "The last factor stays while keys live.";
    NO_DEPOSIT 409 "no-deposit" "A first deposit is needed.";
    PERMISSION 409 "permission" "A permission cannot be granted.";
    SPECIAL 409 "special" "The account cannot have special keys.";
    WIDENING_HELD 409 "widening-held" "Nothing may be widened for some time.";
    TAKEN 409 "taken" "The value belongs to another.";
    NO_CHANNEL 409 "no-channel" "No channel for this is configured.";
    BUSY 409 "busy" "The account is being changed by others.";
    STALE 412 "stale" "The resource was changed meanwhile.";
    TOO_LARGE 413 "too-large" "The body is too large.";
    MEDIA_TYPE 415 "media-type" "The body must be JSON.";
    INVALID 422 "invalid" "A value is refused.";
    IDEMPOTENCY_REUSED 422 "idempotency-reused" "The idempotency key belongs to another request.";
    PRECONDITION_NEEDED 428 "precondition-needed" "The version must be named.";
    TOO_MANY_ATTEMPTS 429 "too-many-attempts" "Too many attempts: wait.";
    UNAVAILABLE 503 "unavailable" "The service cannot answer now.";
}

/// An error with what is particular about the case.
#[derive(Debug)]
pub(crate) struct Problem {
    row: &'static Row,
    detail: Option<String>,
    members: Map<String, Value>,
    retry_after_s: Option<u64>,
}

impl Problem {
    /// What happened, in plain English without secrets.
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// A further member for programs.
    pub(crate) fn member(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// When to come again, in seconds.
    pub(crate) const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The row.
    pub(crate) const fn row(&self) -> &'static Row {
        self.row
    }
}

impl From<&'static Row> for Problem {
    fn from(row: &'static Row) -> Self {
        Self { row, detail: None, members: Map::new(), retry_after_s: None }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let row = self.row;
        let mut body = json!({
            "type": format!("/docs/errors#{}", row.name),
            "title": row.title,
            "status": row.status,
            "detail": self.detail.unwrap_or_else(|| row.title.to_owned()),
        });
        if let Some(object) = body.as_object_mut() {
            object.extend(self.members);
        }
        let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(CONTENT_TYPE, kind)], body.to_string()).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if row.status == 401 {
            response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_every_status_is_one() {
        let names: BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
        for row in ROWS {
            assert!((400..600).contains(&row.status), "{}", row.name);
            assert!(row.title.ends_with('.'), "{}", row.name);
        }
    }

    #[test]
    fn the_documentation_names_every_problem() {
        let page = include_str!("../../../docs/management-api.md");
        for row in ROWS {
            let line = format!("| `{}` | {} |", row.name, row.status);
            assert!(page.contains(&line), "docs/management-api.md has no line that starts with: {line}");
        }
    }
}

//! The errors of the operators' API: problem details (RFC 9457).

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use latchkey_authority::ports::StoreError;
use latchkey_authority::refusal::Refusal;
use latchkey_authority::service::AuthorityError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// A failed request.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    /// The fragment of its documentation link.
    name: &'static str,
    detail: String,
    /// What more a program can read.
    more: Map<String, Value>,
}

impl Problem {
    /// A problem of this kind.
    pub(crate) fn new(status: StatusCode, name: &'static str, detail: impl Into<String>) -> Self {
        Self { status, name, detail: detail.into(), more: Map::new() }
    }

    /// The problem with one more member.
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// A value that cannot be taken.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    /// There is no such thing.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("there is no such {what}"))
    }

    /// Something behind the API failed; the log says what.
    pub(crate) fn failed(error: &anyhow::Error) -> Self {
        tracing::error!(error = format!("{error:#}"), "an operator's request failed");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the server cannot answer now")
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(&error)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::failed(&error.into())
    }
}

impl From<AuthorityError> for Problem {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Refused(refusal) => refusal.into(),
            AuthorityError::Busy => Self::new(StatusCode::CONFLICT, "busy", "the account is being changed by others"),
            AuthorityError::NotSettled(error) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-settled", error.to_string())
            }
            error @ AuthorityError::Store(_) => Self::failed(&error.into()),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, name) = match &refusal {
            Refusal::AccountUnknown => (StatusCode::NOT_FOUND, "account-unknown"),
            Refusal::KeyUnknown => (StatusCode::NOT_FOUND, "key-unknown"),
            Refusal::NotByOperator => (StatusCode::FORBIDDEN, "not-by-operator"),
            Refusal::Stale { .. } => (StatusCode::PRECONDITION_FAILED, "stale"),
            Refusal::EmailTaken => (StatusCode::CONFLICT, "taken"),
            _ => (StatusCode::CONFLICT, "rule"),
        };
        Self::new(status, name, refusal.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
        let Self { status, name, detail, more } = self;
        let title = status.canonical_reason().unwrap_or_default();
        let kind = format!("/docs/errors#{name}");
        let mut body = json!({ "type": kind, "title": title, "status": status.as_u16(), "detail": detail });
        if let Some(members) = body.as_object_mut() {
            members.extend(more);
        }
        let mut response = (status, [(CONTENT_TYPE, PROBLEM)], body.to_string()).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// A JSON body, strictly read.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(error)) => Err(Problem::invalid(error.body_text())),
            Err(error) => Err(Problem::new(error.status(), "malformed", error.body_text())),
        }
    }
}

//! Errors as RFC 9457 problem documents.
//!
//! A handler returns a [`Problem`]; the outermost layer writes it out, because only that layer knows the
//! path and the request's number. What the framework refuses by itself (404, 405, …) takes the same way.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use volary_live::LiveError;

/// What is wrong at one place of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Fault {
    /// JSON pointer into the body, or the name of a parameter.
    pub(crate) pointer: String,
    /// A word for programs.
    pub(crate) code: String,
    /// A sentence for people.
    pub(crate) message: String,
}

/// Why a request was not done.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) title: &'static str,
    pub(crate) detail: String,
    pub(crate) errors: Vec<Fault>,
    pub(crate) retry_after_s: Option<u64>,
}

/// How a problem looks on the wire.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProblemDocument {
    /// A stable name of the kind of problem.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The same in words.
    pub(crate) title: String,
    /// The status code.
    pub(crate) status: u16,
    /// What happened, and what to do.
    pub(crate) detail: String,
    /// The path that was asked for.
    pub(crate) instance: String,
    /// The request's number, as in the log.
    pub(crate) request_id: String,
    /// The places that are wrong, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<Fault>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let (kind, title) = named(status);
        Self { status, kind, title, detail: detail.into(), errors: Vec::new(), retry_after_s: None }
    }

    pub(crate) fn kind(mut self, kind: &'static str, title: &'static str) -> Self {
        (self.kind, self.title) = (kind, title);
        self
    }

    pub(crate) fn with(mut self, errors: Vec<Fault>) -> Self {
        self.errors = errors;
        self
    }

    pub(crate) fn retry_after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds.max(1));
        self
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after_s(1)
    }

    /// The server failed; why is for the log, not for whoever asks.
    pub(crate) fn failed(why: impl Into<String>) -> Self {
        let detail = "the server failed; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail).logged(why.into())
    }

    /// As a document about this request.
    pub(crate) fn document(&self, instance: &str, request_id: &str) -> ProblemDocument {
        ProblemDocument {
            kind: format!("/problems/{}", self.kind),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            instance: instance.to_owned(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
        }
    }
}

/// Name and title of a status that needs no other.
fn named(status: StatusCode) -> (&'static str, &'static str) {
    match status.as_u16() {
        400 => ("bad-request", "The request cannot be read"),
        401 => ("unauthenticated", "A token is needed"),
        403 => ("forbidden", "This token may not do that"),
        404 => ("not-found", "Nothing is there"),
        405 => ("method-not-allowed", "That cannot be done here"),
        408 => ("timeout", "The request took too long to come"),
        409 => ("conflict", "Something else is there already"),
        412 => ("precondition-failed", "It has changed since you read it"),
        413 => ("too-large", "The request is too large"),
        415 => ("unsupported-media-type", "The body is of a kind that is not read"),
        421 => ("misdirected", "This is another host"),
        422 => ("unprocessable", "The request says something that cannot be"),
        429 => ("too-many-requests", "Too many requests"),
        503 => ("busy", "Not now"),
        _ if status.is_client_error() => ("bad-request", "The request cannot be done"),
        _ => ("failed", "The server failed"),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The store failed: what was not acknowledged may be sent again.
impl From<LiveError> for Problem {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Stopped => Self::busy(error.to_string()).retry_after_s(5),
            // The message names a file or a database; that is for the log, not for whoever asks.
            other => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the store failed; its log says why")
                .with(vec![])
                .logged(other.to_string()),
        }
    }
}

/// A sentence for the log that is not sent.
#[derive(Clone, Debug)]
pub(crate) struct ForTheLog(pub(crate) String);

impl Problem {
    fn logged(mut self, why: String) -> Self {
        self.errors.push(Fault { pointer: String::new(), code: FOR_THE_LOG.to_owned(), message: why });
        self
    }

    /// Takes out what is only for the log.
    pub(crate) fn take_log(&mut self) -> Option<ForTheLog> {
        let at = self.errors.iter().position(|fault| fault.code == FOR_THE_LOG)?;
        Some(ForTheLog(self.errors.remove(at).message))
    }
}

const FOR_THE_LOG: &str = "\u{0}log";

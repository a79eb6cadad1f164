//! JSON answers with a strong entity tag, and the choice of fields.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::problem::Problem;

/// JSON with an `ETag`; the outermost layer turns it into 304 where the asker has it already.
pub(crate) struct Reply {
    status: StatusCode,
    body: Vec<u8>,
}

impl Reply {
    pub(crate) fn new(value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("text keys and finite numbers always serialise");
        Self { status: StatusCode::OK, body }
    }

    pub(crate) fn etag(&self) -> String {
        etag(&self.body)
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

/// The entity tag of a body.
pub(crate) fn etag(body: &[u8]) -> String {
    etag_of([body])
}

/// The entity tag of a body in parts.
pub(crate) fn etag_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    format!("\"{}\"", &hasher.finalize().to_hex()[..32])
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let tag = HeaderValue::from_str(&etag(&self.body)).expect("hexadecimal is a header value");
        let json = HeaderValue::from_static("application/json");
        (self.status, [(header::CONTENT_TYPE, json), (header::ETAG, tag)], self.body).into_response()
    }
}

/// Keeps only the fields that were asked for (`fields=id,facts`); `known` are those that there are.
pub(crate) fn choose(fields: Option<&str>, known: &[&str], items: &mut [Value]) -> Result<(), Problem> {
    let Some(fields) = fields else { return Ok(()) };
    let wanted: Vec<&str> = fields.split(',').map(str::trim).collect();
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(name)) {
        let shown: String = unknown.chars().take(40).collect();
        let detail = format!("there is no field {shown:?}; there are {}", known.join(", "));
        return Err(Problem::bad_request(detail).kind("unknown-column", "No such field"));
    }
    for object in items.iter_mut().filter_map(Value::as_object_mut) {
        object.retain(|name, _| wanted.contains(&name.as_str()));
    }
    Ok(())
}

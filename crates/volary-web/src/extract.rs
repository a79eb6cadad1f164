//! What handlers take out of a request: who asks, ids, parameters, bodies. Each refuses with a problem.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::app::Shared;
use crate::problem::{Fault, Problem};
use crate::strict_json;
use crate::tokens::{Role, Token};

/// Whose request it is; put there by the guard.
#[derive(Clone, Debug)]
pub(crate) struct Asker(pub(crate) Option<Arc<Token>>);

impl Asker {
    pub(crate) fn may(&self, role: Role) -> bool {
        self.0.as_ref().is_some_and(|token| token.may(role))
    }

    fn needs(parts: &Parts, roles: &[Role]) -> Result<Self, Problem> {
        let asker = parts.extensions.get::<Self>().cloned().unwrap_or(Self(None));
        if asker.0.is_none() {
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "send `Authorization: Bearer TOKEN`"));
        }
        if roles.iter().any(|role| asker.may(*role)) {
            return Ok(asker);
        }
        let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        let detail = format!("this needs a token with the role {}", names.join(" or "));
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    }
}

/// Somebody who may read results.
pub(crate) struct Reader(pub(crate) Asker);
/// Somebody who may send votes and subjects.
pub(crate) struct Writer;
/// Somebody who may read results or send votes.
pub(crate) struct Either(pub(crate) Asker);
/// Somebody who may do everything.
pub(crate) struct Admin;

impl FromRequestParts<Shared> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        Asker::needs(parts, &[Role::Read]).map(Self)
    }
}

impl FromRequestParts<Shared> for Writer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        Asker::needs(parts, &[Role::Write]).map(|_| Self)
    }
}

impl FromRequestParts<Shared> for Either {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        Asker::needs(parts, &[Role::Read, Role::Write]).map(Self)
    }
}

impl FromRequestParts<Shared> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        Asker::needs(parts, &[Role::Admin]).map(|_| Self)
    }
}

/// An id in the path.
pub(crate) struct Id(pub(crate) String);

impl FromRequestParts<Shared> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        let Path(id) = path.map_err(|_| Problem::bad_request("the path is not UTF-8"))?;
        if id.chars().any(char::is_control) {
            return Err(Problem::bad_request("the id holds a control character"));
        }
        if id.is_empty() || id.len() > volary_live::event::MAX_TEXT_BYTES {
            return Err(Problem::not_found("no id is that long, or empty"));
        }
        Ok(Self(id))
    }
}

/// Parameters behind the question mark; unknown ones are refused.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, app).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Problem::bad_request(error.body_text())),
        }
    }
}

/// A body of JSON (or NDJSON), as it came, checked by [`strict_json`].
pub(crate) struct Body(pub(crate) Bytes);

const KINDS: [&str; 4] =
    ["application/json", "application/vnd.api+json", "application/x-ndjson", "application/ndjson"];

impl FromRequest<Shared> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let bytes = body(request, app, &KINDS, app.settings.max_body_bytes).await?;
        strict_json::check(&bytes).map_err(|why| {
            Problem::bad_request(why).kind("json", "The body is not JSON that is taken")
        })?;
        Ok(Self(bytes))
    }
}

/// An image file's bytes; what it is, the bytes say.
pub(crate) struct ImageBody(pub(crate) Bytes);

const IMAGE_KINDS: [&str; 5] =
    ["image/png", "image/jpeg", "image/fits", "application/fits", "application/octet-stream"];

impl FromRequest<Shared> for ImageBody {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        body(request, app, &IMAGE_KINDS, app.settings.max_image_bytes).await.map(Self)
    }
}

/// A body of one of these kinds, as it came, whole and in time.
async fn body(request: Request, app: &Shared, kinds: &[&str], limit: usize) -> Result<Bytes, Problem> {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    if !kinds.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
        let detail = format!("send `Content-Type: {}`", kinds[0]);
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let encoding = text(header::CONTENT_ENCODING);
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        let detail = "bodies are read as they are; send it without Content-Encoding";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let too_large = || {
        let detail = format!("the body is larger than {limit} bytes; send it in parts");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    let announced = text(header::CONTENT_LENGTH).parse::<usize>();
    if announced.is_ok_and(|n| n > limit) {
        return Err(too_large());
    }
    let collected = Limited::new(request.into_body(), limit).collect();
    match tokio::time::timeout(app.settings.body_timeout, collected).await {
        Err(_) => {
            let detail = "the body did not come in time; send it again";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
        }
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::bad_request("the body broke off; send it again")),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

impl Body {
    /// As one value of a known form.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.0).map_err(|error| {
            let fault =
                Fault { pointer: String::new(), code: "form".into(), message: error.to_string() };
            Problem::unprocessable("the body is not of the form that is asked for").with(vec![fault])
        })
    }
}

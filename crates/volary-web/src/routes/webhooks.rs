//! What Panoptes and Caesar send by themselves.
//!
//! Signed over the raw bytes ([`crate::signature`]), or with a token that may write; Caesar, which cannot
//! sign, sends it as the password of Basic authentication. What can be read is stored, the rest is counted
//! and logged: a sender would only send the same again.

use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use volary_live::{Event, Kind, Outcome, incoming};

use super::classifications::submit;
use crate::app::{App, Shared};
use crate::extract::{Asker, Body};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::signature;
use crate::tokens::Role;

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Received {
    /// Events that are new.
    n_new: u64,
    /// Events that were there.
    n_duplicate: u64,
    /// Events whose id is taken by another.
    n_conflict: u64,
    /// Records that could not be read.
    n_unreadable: u64,
}

/// From Panoptes
///
/// An event of its stream, or `{"payload":[…]}` of them.
#[utoipa::path(post, path = "/api/v1/webhooks/panoptes", tag = "webhooks", security(("token" = ["write"])),
    params(("volary-signature" = Option<String>, Header, description = "t=SECONDS,n=NONCE,v1=HMAC-SHA-256 of `t.n.body`, instead of a token")),
    request_body = Object, responses((status = 200, body = Received),
    (status = 401, body = crate::problem::ProblemDocument, description = "Neither a fresh signature nor a token.")))]
pub(crate) async fn panoptes(State(app): State<Shared>, request: Request) -> Result<Reply, Problem> {
    receive(&app, request).await
}

/// From Caesar
///
/// A call of an external extractor, or an extract.
#[utoipa::path(post, path = "/api/v1/webhooks/caesar", tag = "webhooks", security(("token" = ["write"])),
    params(("volary-signature" = Option<String>, Header, description = "t=SECONDS,n=NONCE,v1=HMAC-SHA-256 of `t.n.body`, instead of a token")),
    request_body = Object, responses((status = 200, body = Received),
    (status = 401, body = crate::problem::ProblemDocument, description = "Neither a fresh signature nor a token.")))]
pub(crate) async fn caesar(State(app): State<Shared>, request: Request) -> Result<Reply, Problem> {
    receive(&app, request).await
}

async fn receive(app: &Shared, request: Request) -> Result<Reply, Problem> {
    let headers = request.headers().clone();
    let asker = request.extensions().get::<Asker>().cloned().unwrap_or(Asker(None));
    let is_signed = headers.contains_key(signature::HEADER);
    if !is_signed && !asker.may(Role::Write) {
        let detail = "this needs a signature, or a token with the role write";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let Body(bytes) = Body::from_request(request, app).await?;
    if is_signed {
        check_signature(app, &headers, &bytes)?;
    }
    let parsed = incoming::parse(&bytes);
    // An event of ours could say anything; a webhook tells of votes and subjects.
    let is_told = |event: &Event| matches!(event.kind, Kind::Vote { .. } | Kind::Subject { .. });
    let (told, others): (Vec<Event>, Vec<Event>) = parsed.events.into_iter().partition(is_told);
    let n_unreadable = parsed.problems.total() + others.len() as u64;
    if n_unreadable > 0 {
        app.metrics.add("volary_incoming_problems_total", String::new(), n_unreadable);
        let first = parsed.problems.examples().next().map(|problem| problem.detail.clone());
        let why = first.unwrap_or_else(|| "neither a vote nor a subject".to_owned());
        app.log("unreadable", &[("n", &n_unreadable.to_string()), ("first", &why)]);
        if told.is_empty() {
            return Err(Problem::unprocessable(format!("nothing in it can be read: {why}")));
        }
    }
    let outcomes = submit(app, told).await?;
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count() as u64;
    Ok(Reply::new(&Received {
        n_new: count(|outcome| matches!(outcome, Outcome::New(_))),
        n_duplicate: count(|outcome| matches!(outcome, Outcome::Duplicate)),
        n_conflict: count(|outcome| matches!(outcome, Outcome::Conflict)),
        n_unreadable,
    }))
}

fn check_signature(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let refused = |detail: String| Problem::new(StatusCode::UNAUTHORIZED, detail);
    let Some(verifier) = &app.verifier else {
        return Err(refused("this server has no secret for webhooks; set one, or send a token".into()));
    };
    let mut said = headers.get_all(signature::HEADER).iter();
    let header = said.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now_s = app.now_ms().div_euclid(1_000);
    verifier.verify(header, body, now_s).map_err(|error| refused(error.to_string()))
}

//! The log itself, and what only an admin may put into it: rules, people, everything.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use volary_live::{Outcome, incoming};

use super::classifications::submit;
use super::time;
use crate::app::Shared;
use crate::extract::{Admin, Body, Params, Reader};
use crate::paging;
use crate::problem::Problem;
use crate::reply::Reply;

/// An event in the log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoggedView {
    seq: String,
    received_at: String,
    /// As it was sent.
    #[schema(value_type = Object)]
    event: Value,
}

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogPage {
    log: Vec<LoggedView>,
    links: paging::Links,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogParams {
    /// Where the page begins.
    cursor: Option<String>,
    /// 1 to 1000; 100 if absent.
    page_size: Option<u32>,
}

/// The log
///
/// All events in the order in which they were received; enough to make the whole state again.
#[utoipa::path(get, path = "/api/v1/log", tag = "log", security(("token" = ["admin"])), params(LogParams),
    responses((status = 200, body = LogPage)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    _: Admin,
    Params(params): Params<LogParams>,
) -> Result<Reply, Problem> {
    let size = paging::size(params.page_size)?;
    let after: i64 = paging::parts(params.cursor.as_deref())?;
    let found = app.live.log(after, size).await?;
    let next =
        found.last().filter(|_| found.len() == size as usize).map(|last| paging::cursor(&last.seq));
    let items = found.iter().map(|logged| {
        json!(LoggedView {
            seq: logged.seq.to_string(),
            received_at: time(logged.received_ms),
            event: json!(logged.event),
        })
    });
    let query = [("page_size", params.page_size.map(|n| n.to_string()))];
    Ok(Reply::new(&paging::page("log", items.collect(), "/api/v1/log", &query, next)))
}

/// What became of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Outcomes {
    /// `stored`, `conflict`, or why it was refused; in the order of the request.
    outcomes: Vec<String>,
}

/// Put events into the log
///
/// Events of ours of any kind: policies, opt-outs, names, withdrawals of credit, reports of the team.
#[utoipa::path(post, path = "/api/v1/log", tag = "log", security(("token" = ["admin"])), request_body = Object,
    responses((status = 200, body = Outcomes), (status = 422, body = crate::problem::ProblemDocument)))]
pub(crate) async fn post(State(app): State<Shared>, _: Admin, body: Body) -> Result<Reply, Problem> {
    let parsed = incoming::parse(&body.0);
    if let Some(problem) = parsed.problems.examples().next() {
        return Err(Problem::unprocessable(format!("nothing was stored: {}", problem.detail)));
    }
    let word = |outcome: &Outcome| match outcome {
        // The same for a repeat, so that the answer is too.
        Outcome::New(_) | Outcome::Duplicate => "stored".to_owned(),
        Outcome::Conflict => "conflict".to_owned(),
        Outcome::Refused(error) => error.to_string(),
    };
    let outcomes = submit(&app, parsed.events).await?;
    let status =
        if outcomes.contains(&Outcome::Conflict) { StatusCode::CONFLICT } else { StatusCode::OK };
    if status == StatusCode::CONFLICT {
        let detail = "an id is taken by an event with other content; all else is on disk";
        return Err(Problem::new(status, detail));
    }
    Ok(Reply::new(&Outcomes { outcomes: outcomes.iter().map(word).collect() }))
}

/// The rules in force
///
/// To change them, an admin puts an event of kind `policy` into the log.
#[utoipa::path(get, path = "/api/v1/policy", tag = "log", security(("token" = ["read"])),
    responses((status = 200, body = Object)))]
pub(crate) async fn policy(State(app): State<Shared>, _: Reader) -> Result<Reply, Problem> {
    let policy = app.live.policy().await?;
    Ok(Reply::new(&json!({ "version": policy.version(), "policy": policy })))
}

//! Steps of the project, run from the page: what there is, what runs, start, stop.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::project::computed;
use crate::app::Shared;
use crate::extract::{Asker, Body, Id, Reader, Writer};
use crate::jobs::{JobView, Jobs, Standing, Step, step_id};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::tokens::Role;

/// A step of the project's `volary.toml`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobStepView {
    /// What to start it by.
    id: String,
    /// Its line, as it would be typed after `volary`.
    line: String,
    /// Its command and subcommand, such as `train anomaly`.
    command: String,
    state: Standing,
    /// How long it took when it was done, s.
    #[serde(skip_serializing_if = "Option::is_none")]
    took_s: Option<f64>,
}

/// Steps and jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobsView {
    /// Whether the asker may start and stop.
    may_run: bool,
    /// Whether the server has a project whose steps it could run.
    has_project: bool,
    /// The steps in their order.
    steps: Vec<JobStepView>,
    /// Why the steps cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// What was run since the server started, the newest first, 20 at most; the last 40 lines of each for who may
    /// run steps.
    jobs: Vec<JobView>,
}

/// Who may both read and send, as the page's own key may: a camera's token, which only sends, starts nothing.
fn may_run(asker: &Asker) -> bool {
    asker.may(Role::Read) && asker.may(Role::Write)
}

/// Steps and jobs
///
/// The steps that the project's team wrote into `volary.toml`, how each stands, and what was run from here. What a
/// step writes may name people, so that its lines are for those who may run it.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", security(("token" = ["read"])),
    responses((status = 200, body = JobsView)))]
pub(crate) async fn list(State(app): State<Shared>, Reader(asker): Reader) -> Result<Reply, Problem> {
    let view = move || {
        let (steps, problem) = match app.jobs.steps() {
            Ok(steps) => (steps, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let view = |step: Step| JobStepView {
            id: step_id(&step.line),
            line: step.line,
            command: step.command,
            state: step.standing,
            took_s: step.took_s,
        };
        JobsView {
            may_run: may_run(&asker),
            has_project: app.jobs.has_runner(),
            steps: steps.into_iter().map(view).collect(),
            problem,
            jobs: app.jobs.list(may_run(&asker)),
        }
    };
    Ok(Reply::new(&computed(view).await?))
}

fn unknown() -> Problem {
    Problem::not_found("no job has this id; jobs are forgotten when the server ends")
}

/// A job
///
/// With its last thousand lines, for who may run steps.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs", security(("token" = ["read"])),
    params(("id" = String, Path)), responses((status = 200, body = JobView),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn one(
    State(app): State<Shared>,
    Reader(asker): Reader,
    Id(id): Id,
) -> Result<Reply, Problem> {
    Ok(Reply::new(&app.jobs.one(&id, may_run(&asker)).ok_or_else(unknown)?))
}

/// Which step to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewJob {
    /// Its id, as the list of steps has it.
    step_id: String,
    /// Run it also where it is up to date; a training begins anew.
    #[serde(default)]
    again: bool,
}

/// Run a step
///
/// One at a time, in a process of its own. For a token that may both read and write, or an admin's.
#[utoipa::path(post, path = "/api/v1/jobs", tag = "jobs", security(("token" = ["read", "write"])),
    request_body = NewJob, responses(
    (status = 202, body = JobView, description = "It has started.", headers(("location" = String, description = "The job."))),
    (status = 403, body = crate::problem::ProblemDocument),
    (status = 409, body = crate::problem::ProblemDocument, description = "One is running, or there is nothing to run."),
    (status = 422, body = crate::problem::ProblemDocument, description = "No step has this id.")))]
pub(crate) async fn start(
    State(app): State<Shared>,
    _: Reader,
    _: Writer,
    body: Body,
) -> Result<Response, Problem> {
    let new: NewJob = body.read()?;
    let started = computed(move || Jobs::start(&app, &new.step_id, new.again)).await??;
    let place = HeaderValue::from_str(&format!("/api/v1/jobs/{}", started.id()));
    let place = place.expect("digits and a hyphen are a header value");
    let reply = Reply::new(&started).status(StatusCode::ACCEPTED);
    Ok(([(header::LOCATION, place)], reply).into_response())
}

/// Stop a job
///
/// As Ctrl-C would: what it has done is kept, a training goes on from there, nothing is half written. A second time:
/// without waiting. A job that has ended stays as it is.
#[utoipa::path(delete, path = "/api/v1/jobs/{id}", tag = "jobs", security(("token" = ["read", "write"])),
    params(("id" = String, Path)), responses((status = 202, body = JobView),
    (status = 403, body = crate::problem::ProblemDocument),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn stop(
    State(app): State<Shared>,
    _: Reader,
    _: Writer,
    Id(id): Id,
) -> Result<Reply, Problem> {
    let stopped = app.jobs.stop(&id).ok_or_else(unknown)?;
    Ok(Reply::new(&stopped).status(StatusCode::ACCEPTED))
}

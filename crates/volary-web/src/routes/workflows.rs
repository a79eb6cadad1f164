//! Workflows, which subjects are done in them, and retiring by hand.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use volary_live::store::StrandId;
use volary_live::{Event, Kind, Logged, Outcome};

use super::alerts::own_key;
use super::classifications::submit;
use super::reductions::{Summary, summaries};
use super::subjects::WHEN_HEARD_MS;
use super::time;
use crate::app::Shared;
use crate::extract::{Admin, Body, Id, Params, Reader};
use crate::paging;
use crate::problem::Problem;
use crate::reply::{Reply, choose};

/// A workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkflowView {
    id: String,
    /// Its tasks, where the settings name them.
    #[schema(value_type = Option<Object>)]
    tasks: Option<Value>,
    retirement: Retirement,
    /// The rules that look at it.
    #[schema(value_type = Vec<Object>)]
    rules: Vec<Value>,
    /// Version of the policy.
    policy: String,
}

/// When its subjects are done, in Panoptes' words.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Retirement {
    criteria: &'static str,
    options: RetirementOptions,
}

/// After how many votes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetirementOptions {
    count: u64,
}

/// All workflows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Workflows {
    workflows: Vec<WorkflowView>,
}

/// Workflows
///
/// Those that have votes, rules or settings.
#[utoipa::path(get, path = "/api/v1/workflows", tag = "workflows", security(("token" = ["read"])),
    responses((status = 200, body = Workflows)))]
pub(crate) async fn list(State(app): State<Shared>, _: Reader) -> Result<Reply, Problem> {
    let policy = app.live.policy().await?;
    let mut ids = app.live.workflows().await?;
    ids.extend(policy.rules.iter().filter_map(|rule| rule.workflow.clone()));
    ids.extend(app.settings.workflows.keys().cloned());
    let workflow = |id: String| WorkflowView {
        tasks: app.settings.workflows.get(&id).map(|workflow| json!(workflow.tasks)),
        retirement: Retirement {
            criteria: "classification_count",
            options: RetirementOptions { count: policy.retire_at },
        },
        rules: policy.rules.iter().filter(|rule| rule.looks_at(&id)).map(|rule| json!(rule)).collect(),
        policy: policy.version(),
        id,
    };
    Ok(Reply::new(&Workflows { workflows: ids.into_iter().map(workflow).collect() }))
}

/// How far a subject is in a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Status {
    id: String,
    classifications_count: u64,
    /// `null` while it is open.
    retired_at: Option<String>,
    /// Panoptes' word.
    retirement_reason: Option<String>,
    links: StatusLinks,
}

/// Of what.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatusLinks {
    subject: String,
    workflow: String,
}

/// A page of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Statuses {
    subject_workflow_statuses: Vec<Status>,
    links: paging::Links,
}

/// Which ones.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatusParams {
    /// Only of this subject.
    subject_id: Option<String>,
    /// Only of this workflow.
    workflow_id: Option<String>,
    /// Where the page begins.
    cursor: Option<String>,
    /// 1 to 1000; 100 if absent.
    page_size: Option<u32>,
    /// Only these fields.
    fields: Option<String>,
}

/// What a person said last about a subject in a workflow.
struct ByHand {
    retired: bool,
    reason: String,
    at_ms: i64,
}

/// By subject and workflow.
async fn by_hand(
    app: &Shared,
    found: &[(StrandId, Summary)],
    subject: Option<&str>,
) -> Result<BTreeMap<(String, String), ByHand>, Problem> {
    let marked = found.iter().filter(|(_, summary)| summary.by_hand.is_some());
    let mut subjects: Vec<String> = marked.map(|([subject, ..], _)| subject.clone()).collect();
    subjects.extend(subject.map(str::to_owned));
    subjects.sort_unstable();
    subjects.dedup();
    let mut events = app.live.retirements_of(&subjects).await?;
    // The latest in canonical order counts, as in the store.
    events.sort_by_key(Logged::order);
    let mut said = BTreeMap::new();
    for logged in events {
        if let Kind::Retirement { subject, workflow, retired, reason } = logged.event.kind {
            let by_hand = ByHand { retired, reason, at_ms: logged.received_ms };
            said.insert((subject, workflow), by_hand);
        }
    }
    Ok(said)
}

const FIELDS: [&str; 5] = ["id", "classifications_count", "retired_at", "retirement_reason", "links"];

/// What is done and what is open
///
/// One for each subject, workflow and major version.
#[utoipa::path(get, path = "/api/v1/subject_workflow_statuses", tag = "workflows",
    security(("token" = ["read"])), params(StatusParams), responses((status = 200, body = Statuses)))]
pub(crate) async fn statuses(
    State(app): State<Shared>,
    Reader(_): Reader,
    Params(params): Params<StatusParams>,
) -> Result<Reply, Problem> {
    let size = paging::size(params.page_size)?;
    let (subject, workflow) = (params.subject_id.as_deref(), params.workflow_id.as_deref());
    let (found, next) = summaries(&app, subject, workflow, params.cursor.as_deref(), size).await?;
    let by_hand = by_hand(&app, &found, subject).await?;
    let policy = app.live.policy().await?;
    let status = |([subject, workflow, major], summary): (StrandId, Summary)| {
        let said = by_hand.get(&(subject.clone(), workflow.clone()));
        let (retired_at, reason) = match (said, &summary.retired) {
            (Some(said), _) if said.retired => (Some(time(said.at_ms)), Some(said.reason.clone())),
            (None, Some(retired)) => {
                let by = summary.retired_by.as_ref();
                let rule = policy.rules.iter().find(|rule| by == Some(&rule.name));
                let reason = rule
                    .map_or("classification_count", |rule| rule.reason.as_deref().unwrap_or("consensus"))
                    .to_owned();
                (Some(time(retired.at_ms)), Some(reason))
            }
            _ => (None, None),
        };
        json!(Status {
            id: format!("{subject}/{workflow}/{major}"),
            classifications_count: summary.n,
            retired_at,
            retirement_reason: reason,
            links: StatusLinks { subject, workflow },
        })
    };
    let with_votes: BTreeSet<(String, String)> =
        found.iter().map(|([subject, workflow, _], _)| (subject.clone(), workflow.clone())).collect();
    let mut items: Vec<Value> = found.into_iter().map(status).collect();
    // Retired before it had a vote.
    for ((subject, of), said) in &by_hand {
        let is_wanted = workflow.is_none_or(|w| w == of);
        if said.retired && is_wanted && !with_votes.contains(&(subject.clone(), of.clone())) {
            items.push(json!(Status {
                id: format!("{subject}/{of}/"),
                classifications_count: 0,
                retired_at: Some(time(said.at_ms)),
                retirement_reason: Some(said.reason.clone()),
                links: StatusLinks { subject: subject.clone(), workflow: of.clone() },
            }));
        }
    }
    choose(params.fields.as_deref(), &FIELDS, &mut items)?;
    let query = [
        ("workflow_id", params.workflow_id),
        ("page_size", params.page_size.map(|n| n.to_string())),
        ("fields", params.fields),
    ];
    let path = "/api/v1/subject_workflow_statuses";
    Ok(Reply::new(&paging::page("subject_workflow_statuses", items, path, &query, next)))
}

/// An id, as text or as a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AnyId {
    Text(String),
    Number(u64),
}

/// What to retire.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retire {
    #[schema(value_type = Vec<String>)]
    subject_ids: Vec<AnyId>,
    /// `classification_count`, `flagged`, `nothing_here` (or `blank`), `consensus`, `other`, `human`.
    #[serde(default)]
    retirement_reason: Option<String>,
}

/// What to open again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unretire {
    #[schema(value_type = Vec<String>)]
    subject_ids: Vec<AnyId>,
}

/// Retire subjects by hand
///
/// As Panoptes does it. A person's word stands until another is said, whatever the votes do.
#[utoipa::path(post, path = "/api/v1/workflows/{id}/retired_subjects", tag = "workflows",
    security(("token" = ["admin"])), params(("id" = String, Path),
    ("idempotency-key" = Option<String>, Header, description = "The same for repeats of one request.")),
    request_body = Retire, responses((status = 204, description = "On disk."),
    (status = 404, body = crate::problem::ProblemDocument, description = "A subject is unknown; nothing was done."),
    (status = 422, body = crate::problem::ProblemDocument, description = "A reason that is none.")))]
pub(crate) async fn retire(
    State(app): State<Shared>,
    _: Admin,
    Id(workflow): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let Retire { subject_ids, retirement_reason } = body.read()?;
    let reason = match retirement_reason.as_deref() {
        None => "other",
        Some("blank") => "nothing_here",
        Some(reason) => reason,
    };
    set(&app, &workflow, subject_ids, true, reason, &headers).await
}

/// Open subjects again
///
/// They are shown to volunteers, until somebody retires them by hand.
#[utoipa::path(post, path = "/api/v1/workflows/{id}/unretire_subjects", tag = "workflows",
    security(("token" = ["admin"])), params(("id" = String, Path),
    ("idempotency-key" = Option<String>, Header, description = "The same for repeats of one request.")),
    request_body = Unretire, responses((status = 204, description = "On disk."),
    (status = 404, body = crate::problem::ProblemDocument, description = "A subject is unknown; nothing was done.")))]
pub(crate) async fn unretire(
    State(app): State<Shared>,
    _: Admin,
    Id(workflow): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let Unretire { subject_ids } = body.read()?;
    set(&app, &workflow, subject_ids, false, "other", &headers).await
}

async fn set(
    app: &Shared,
    workflow: &str,
    subject_ids: Vec<AnyId>,
    retired: bool,
    reason: &str,
    headers: &HeaderMap,
) -> Result<StatusCode, Problem> {
    let text = |id| match id {
        AnyId::Text(text) => text,
        AnyId::Number(number) => number.to_string(),
    };
    let subjects: BTreeSet<String> = subject_ids.into_iter().map(text).collect();
    let ids: Vec<String> = subjects.iter().cloned().collect();
    let known = app.live.cards_of(&ids).await?;
    if let Some(unknown) = ids.iter().find(|id| !known.contains_key(*id)) {
        let unknown: String = unknown.chars().take(80).collect();
        return Err(Problem::not_found(format!("subject {unknown:?} is unknown; nothing was done")));
    }
    let mut events = Vec::with_capacity(subjects.len());
    for subject in subjects {
        let of = format!("{workflow}/{subject}");
        let key = own_key(headers, if retired { "retire" } else { "open" }, &of)?;
        let (workflow, reason) = (workflow.to_owned(), reason.to_owned());
        let kind = Kind::Retirement { subject, workflow, retired, reason };
        let event = Event { key, at_ms: WHEN_HEARD_MS, kind };
        event.check().map_err(|error| Problem::unprocessable(error.to_string()))?;
        events.push(event);
    }
    let outcomes = submit(app, events).await?;
    if outcomes.contains(&Outcome::Conflict) {
        let detail = "this Idempotency-Key was used for something else; use a new one";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    Ok(StatusCode::NO_CONTENT)
}

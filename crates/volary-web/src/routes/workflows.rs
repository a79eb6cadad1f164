//! Workflows, which subjects are done in them, and retiring by hand.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use volary_live::store::StrandId;

use super::reductions::{Summary, summaries};
use super::time;
use crate::app::Shared;
use crate::extract::{Params, Reader};
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
    let (policy, _) = app.live.people().await?;
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
    let status = |([subject, workflow, major], summary): (StrandId, Summary)| {
        let retired = summary.retired.as_ref().filter(|retired| !retired.is_null());
        let at_ms = retired.and_then(|retired| retired.get("at_ms")).and_then(Value::as_i64);
        let reason = retired.map(|retired| {
            let said = retired.get("reason").and_then(Value::as_str);
            said.unwrap_or("classification_count").to_owned()
        });
        let id = format!("{subject}/{workflow}/{major}");
        json!(Status {
            id,
            classifications_count: summary.n,
            retired_at: at_ms.map(time),
            retirement_reason: reason,
            links: StatusLinks { subject, workflow },
        })
    };
    let mut items: Vec<Value> = found.into_iter().map(status).collect();
    choose(params.fields.as_deref(), &FIELDS, &mut items)?;
    let query = [
        ("workflow_id", params.workflow_id),
        ("page_size", params.page_size.map(|n| n.to_string())),
        ("fields", params.fields),
    ];
    let path = "/api/v1/subject_workflow_statuses";
    Ok(Reply::new(&paging::page("subject_workflow_statuses", items, path, &query, next)))
}

//! Extracts and reductions under the names that users of Caesar expect.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use volary_live::Actor;
use volary_live::store::StrandId;

use super::time;
use crate::app::Shared;
use crate::extract::{Admin, Id, Params, Reader};
use crate::paging;
use crate::problem::Problem;
use crate::reply::{Reply, choose};
use crate::tokens::Role;

/// An extract: what one vote says in one task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Extract {
    id: String,
    classification_id: String,
    classification_at: String,
    extractor_key: String,
    workflow_id: String,
    workflow_major: String,
    subject_id: String,
    /// For `admin` only, and `null` for people without a login.
    user_id: Option<String>,
    /// Count by answer; empty for a vote that gave none.
    data: BTreeMap<String, u64>,
    /// Always false: machines do not vote.
    machine_data: bool,
}

/// Extracts of a subject.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Extracts {
    extracts: Vec<Extract>,
}

/// Which subject's.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExtractParams {
    /// The subject.
    subject_id: String,
    /// Only of this workflow.
    workflow_id: Option<String>,
}

/// Extracts of a subject
///
/// As Caesar has them: one for each vote and task, after corrections, without the votes taken back.
#[utoipa::path(get, path = "/api/v1/extracts", tag = "reductions", security(("token" = ["read"])),
    params(ExtractParams), responses((status = 200, body = Extracts)))]
pub(crate) async fn extracts(
    State(app): State<Shared>,
    Reader(asker): Reader,
    Params(params): Params<ExtractParams>,
) -> Result<Reply, Problem> {
    let book = app.live.book(&params.subject_id).await?;
    let mut extracts = Vec::new();
    let wanted = |workflow: &str| params.workflow_id.as_deref().is_none_or(|w| w == workflow);
    for (strand, ballots) in book.ballots().filter(|(strand, _)| wanted(&strand.workflow)) {
        for ballot in ballots.iter().filter(|ballot| !ballot.retracted) {
            for (task, labels) in ballot.answers.iter() {
                let (at_ms, key) = &ballot.order;
                let (extractor_key, mut data) = (task.to_lowercase(), BTreeMap::new());
                for label in labels {
                    *data.entry(label.clone()).or_default() += 1;
                }
                extracts.push(Extract {
                    id: format!("{}/{}/{extractor_key}", key.source, key.id),
                    classification_id: key.id.clone(),
                    classification_at: time(*at_ms),
                    extractor_key,
                    workflow_id: strand.workflow.clone(),
                    workflow_major: strand.major.clone(),
                    subject_id: params.subject_id.clone(),
                    user_id: match &ballot.actor {
                        Actor::User(user) if asker.may(Role::Admin) => Some(user.clone()),
                        _ => None,
                    },
                    data,
                    machine_data: false,
                });
            }
        }
    }
    Ok(Reply::new(&Extracts { extracts }))
}

/// A reduction: the votes of a subject in one task, counted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubjectReduction {
    id: String,
    reducer_key: String,
    /// Always `_default`.
    subgroup: &'static str,
    reducible: Reducible,
    subject_id: String,
    workflow_major: String,
    /// Votes by answer.
    data: BTreeMap<String, u64>,
    /// Votes that count.
    n: u64,
    /// What the rules say, and what they have announced.
    #[schema(value_type = Vec<Object>)]
    rules: Value,
}

/// What is reduced.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reducible {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// A page of reductions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubjectReductions {
    subject_reductions: Vec<SubjectReduction>,
    links: paging::Links,
}

/// Which reductions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReductionParams {
    /// Only of this subject.
    subject_id: Option<String>,
    /// Only of this workflow.
    workflow_id: Option<String>,
    /// Where the page begins.
    cursor: Option<String>,
    /// Subjects on a page, 1 to 1000; 100 if absent.
    page_size: Option<u32>,
    /// Only these fields.
    fields: Option<String>,
}

/// A summary of the store, as far as it is needed here.
#[derive(Debug, Deserialize)]
pub(crate) struct Summary {
    pub(crate) n: u64,
    pub(crate) labels: BTreeMap<String, BTreeMap<String, u64>>,
    #[serde(default)]
    pub(crate) retired: Option<volary_live::book::Retirement>,
    #[serde(default)]
    pub(crate) retired_by: Option<String>,
    #[serde(default)]
    pub(crate) by_hand: Option<bool>,
    #[serde(default)]
    pub(crate) rules: Value,
}

/// Summaries page by page, or of one subject, with the cursor of the next page.
pub(crate) async fn summaries(
    app: &Shared,
    subject: Option<&str>,
    workflow: Option<&str>,
    cursor: Option<&str>,
    size: u32,
) -> Result<(Vec<(StrandId, Summary)>, Option<String>), Problem> {
    let (found, next) = match subject {
        Some(subject) => {
            let mut found = app.live.summaries_of(&[subject.to_owned()]).await?;
            found.retain(|([_, of, _], _)| workflow.is_none_or(|w| w == of));
            (found, None)
        }
        None => {
            let after: StrandId = paging::parts(cursor)?;
            let found = app.live.summary_page(&after, workflow, size).await?;
            let next = found.last().filter(|_| found.len() == size as usize);
            let next = next.map(|(id, _)| paging::cursor(id));
            (found, next)
        }
    };
    let parsed = found.into_iter().map(|(id, body)| match serde_json::from_str(&body) {
        Ok(summary) => Ok((id, summary)),
        Err(error) => {
            Err(Problem::busy(format!("a summary cannot be read ({error}); rebuild the store")))
        }
    });
    Ok((parsed.collect::<Result<_, _>>()?, next))
}

const REDUCTION_FIELDS: [&str; 9] =
    ["id", "reducer_key", "subgroup", "reducible", "subject_id", "workflow_major", "data", "n", "rules"];

/// Votes of subjects, counted
///
/// One for each subject, workflow and task, as Caesar's question reducer has them.
#[utoipa::path(get, path = "/api/v1/subject_reductions", tag = "reductions", security(("token" = ["read"])),
    params(ReductionParams), responses((status = 200, body = SubjectReductions)))]
pub(crate) async fn subject_reductions(
    State(app): State<Shared>,
    Reader(_): Reader,
    Params(params): Params<ReductionParams>,
) -> Result<Reply, Problem> {
    let size = paging::size(params.page_size)?;
    let (subject, workflow) = (params.subject_id.as_deref(), params.workflow_id.as_deref());
    let (found, next) = summaries(&app, subject, workflow, params.cursor.as_deref(), size).await?;
    let mut items = Vec::new();
    for ([subject, workflow, major], summary) in found {
        for (task, data) in summary.labels {
            let reducer_key = task.to_lowercase();
            items.push(json!(SubjectReduction {
                id: format!("{subject}/{workflow}/{major}/{reducer_key}"),
                reducer_key,
                subgroup: "_default",
                reducible: Reducible { id: workflow.clone(), kind: "Workflow" },
                subject_id: subject.clone(),
                workflow_major: major.clone(),
                data,
                n: summary.n,
                rules: summary.rules.clone(),
            }));
        }
    }
    choose(params.fields.as_deref(), &REDUCTION_FIELDS, &mut items)?;
    let query = [
        ("workflow_id", params.workflow_id),
        ("page_size", params.page_size.map(|n| n.to_string())),
        ("fields", params.fields),
    ];
    let path = "/api/v1/subject_reductions";
    Ok(Reply::new(&paging::page("subject_reductions", items, path, &query, next)))
}

/// What a volunteer has done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserReduction {
    /// `user:ID` or `anonymous:DIGEST`.
    id: String,
    /// `null` for people without a login.
    user_id: Option<String>,
    reducer_key: &'static str,
    data: UserCounts,
}

/// Counts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserCounts {
    classifications: i64,
}

/// A page of volunteers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserReductions {
    user_reductions: Vec<UserReduction>,
    links: paging::Links,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UserParams {
    /// Where the page begins.
    cursor: Option<String>,
    /// 1 to 1000; 100 if absent.
    page_size: Option<u32>,
}

/// Volunteers
///
/// Votes by volunteer, most active first. For `admin` only.
#[utoipa::path(get, path = "/api/v1/user_reductions", tag = "reductions", security(("token" = ["admin"])),
    params(UserParams), responses((status = 200, body = UserReductions)))]
pub(crate) async fn user_reductions(
    State(app): State<Shared>,
    _: Admin,
    Params(params): Params<UserParams>,
) -> Result<Reply, Problem> {
    let size = paging::size(params.page_size)? as usize;
    let skipped: usize = paging::parts(params.cursor.as_deref())?;
    let voters = app.live.voters().await?;
    let end = skipped.saturating_add(size);
    let next = (end < voters.len()).then(|| paging::cursor(&end));
    let items = voters.into_iter().skip(skipped).take(size).map(|(actor, n)| {
        json!(UserReduction {
            user_id: actor.strip_prefix("user:").map(str::to_owned),
            id: actor,
            reducer_key: "count",
            data: UserCounts { classifications: n },
        })
    });
    let query = [("page_size", params.page_size.map(|n| n.to_string()))];
    let path = "/api/v1/user_reductions";
    Ok(Reply::new(&paging::page("user_reductions", items.collect(), path, &query, next)))
}

/// How a volunteer answers where the truth is known.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserSkill {
    id: String,
    reducer_key: &'static str,
    /// Cells of the confusion matrices.
    confusion: Vec<Cell>,
}

/// A cell of a confusion matrix.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cell {
    workflow_id: String,
    task: String,
    truth: String,
    given: String,
    n: u64,
    /// Votes where this is the truth.
    n_truth: u64,
    /// 95 % interval of the share, low end.
    p_low: f64,
    /// High end.
    p_high: f64,
}

/// A volunteer's skill
///
/// By validation subjects, as of now. For `admin` only.
#[utoipa::path(get, path = "/api/v1/user_reductions/{id}", tag = "reductions", security(("token" = ["admin"])),
    params(("id" = String, Path, description = "`user:ID`, `anonymous:DIGEST`, or a user's id.")),
    responses((status = 200, body = UserSkill)))]
pub(crate) async fn user_skill(
    State(app): State<Shared>,
    _: Admin,
    Id(id): Id,
) -> Result<Reply, Problem> {
    let actor = super::actor(&id);
    let cells = app.live.skill(&actor).await?;
    let cell = |cell: volary_live::skill::Confusion| Cell {
        workflow_id: cell.workflow,
        task: cell.task,
        truth: cell.truth,
        given: cell.given,
        n: cell.n,
        n_truth: cell.n_truth,
        p_low: cell.low,
        p_high: cell.high,
    };
    let confusion = cells.into_iter().map(cell).collect();
    Ok(Reply::new(&UserSkill { id: actor.to_text(), reducer_key: "skill", confusion }))
}

//! The boundary in latent space at a threshold: what it selects, how right that is, and what gets lost.
//!
//! The numbers are those of [`volary_space::boundary`], with its defaults; nothing is computed here.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use volary_space::boundary::{BoundaryParams, Prepared, Quantity, Row, SELECTED_FROM};
use volary_space::resample::Estimate;
use volary_space::slice::Mask;

use super::{computed, table_of};
use crate::app::Shared;
use crate::extract::{Body, Id, Reader};
use crate::problem::Problem;
use crate::project::query::{Which, encoded, no_column};
use crate::project::{Project, Table, expert};
use crate::reply::Reply;

/// Thresholds at once; each costs a regression.
const MAX_THRESHOLDS: usize = 64;
/// Groups at once.
const MAX_GROUPS: usize = 64;

/// Subjects that belong together, such as those with a tag.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupBody {
    name: String,
    /// An expression of the slice language.
    filter: String,
}

/// Which boundaries.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BoundaryQuery {
    /// The column whose values above a threshold are "chosen"; or `label(QUESTION)`, what experts said on the page:
    /// the mean of a subject's labels that are numbers, and no value where it has none.
    pub(crate) quantity: String,
    /// The thresholds, 64 at most.
    pub(crate) thresholds: Vec<f64>,
    /// What becomes of these.
    #[serde(default)]
    pub(crate) groups: Vec<GroupBody>,
    /// Which rows the boundary at each threshold selects is wanted too, of one threshold at a time.
    #[serde(default)]
    pub(crate) masks: bool,
}

/// A value with the ends of its interval.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EstimateView {
    value: f64,
    low: f64,
    high: f64,
}

/// What is kept of a group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeptView {
    name: String,
    /// Subjects of the group that were held out.
    n: usize,
    /// Those of them that the boundary selects; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    n_selected: Option<usize>,
}

/// The boundary at a threshold, judged on subjects held out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BoundaryRow {
    threshold: f64,
    /// Held-out subjects with a known value.
    n: usize,
    /// Share of them above the threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    prevalence: Option<EstimateView>,
    /// Share that is selected, and so must be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    selected: Option<EstimateView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<EstimateView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recall: Option<EstimateView>,
    /// 2PR/(P + R).
    #[serde(skip_serializing_if = "Option::is_none")]
    f1: Option<EstimateView>,
    /// What it means for who has to decide.
    sentence: String,
    /// Why nothing can be concluded from it; of labels, where there are fewer than five on a side.
    #[serde(skip_serializing_if = "Option::is_none")]
    too_few: Option<String>,
    groups: Vec<KeptView>,
    /// The rows that it selects, of all with a vector: a bit a row, the first lowest, in base64. Absent where there is
    /// no boundary, or it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<String>,
}

/// The boundaries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BoundaryView {
    quantity: String,
    /// Subjects that were trained on; of labels, those with one.
    n_train: usize,
    /// Subjects that were held out; of labels, those with one.
    n_held_out: usize,
    n_components: usize,
    /// Level of the intervals.
    level: f64,
    /// One a threshold.
    rows: Vec<BoundaryRow>,
}

/// The boundary at some thresholds
///
/// Principal components and a balanced logistic regression on four fifths of the subjects, judged on the others.
/// Judged against what volunteers chose, or experts said, which is not the truth.
#[utoipa::path(post, path = "/api/v1/tables/{id}/boundary", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path)), request_body = BoundaryQuery, responses((status = 200, body = BoundaryView),
    (status = 400, body = crate::problem::ProblemDocument),
    (status = 404, body = crate::problem::ProblemDocument),
    (status = 409, body = crate::problem::ProblemDocument, description = "The table has no vectors."),
    (status = 422, body = crate::problem::ProblemDocument)))]
pub(crate) async fn boundary(
    State(app): State<Shared>,
    _: Reader,
    Id(id): Id,
    body: Body,
) -> Result<Reply, Problem> {
    let of = table_of(&app, &id)?;
    let asked: BoundaryQuery = body.read()?;
    Ok(Reply::new(&computed(move || judged(&of.project, of.table(), &asked)).await??))
}

pub(crate) fn judged(
    project: &Project,
    table: &Table,
    asked: &BoundaryQuery,
) -> Result<BoundaryView, Problem> {
    let wrong = |error: volary_space::SpaceError| Problem::unprocessable(error.to_string());
    let no_vectors = || {
        let detail =
            "the table has no vectors; `volary score` makes them, and `volary serve --with` joins them";
        Problem::new(axum::http::StatusCode::CONFLICT, detail)
    };
    if asked.thresholds.len() > MAX_THRESHOLDS || asked.groups.len() > MAX_GROUPS {
        let detail =
            format!("{MAX_THRESHOLDS} thresholds and {MAX_GROUPS} groups at once; ask in parts");
        return Err(Problem::unprocessable(detail));
    }
    if asked.masks && asked.thresholds.len() != 1 {
        let detail = "rows are told of one threshold at a time; ask for one, or without `masks`";
        return Err(Problem::unprocessable(detail));
    }
    let question =
        expert::question(&asked.quantity).filter(|_| table.numbers(&asked.quantity).is_none());
    let said = question.map(|question| expert::values(project.labels.as_ref(), question));
    let of_labels = said.as_ref().map(|said| expert::of_rows(said, table.ids()));
    let numbers = match &of_labels {
        Some(values) => values.as_slice(),
        None => table.numbers(&asked.quantity).ok_or_else(|| no_column(table, &asked.quantity))?,
    };
    let vectors = table.vectors().ok_or_else(no_vectors)?;
    let values: Vec<f64> = vectors.rows.iter().map(|&row| numbers[row]).collect();
    let prepared = table.prepared(&asked.quantity, &values).map_err(wrong)?.ok_or_else(no_vectors)?;
    let quantity =
        Quantity { name: asked.quantity.clone(), values, thresholds: asked.thresholds.clone() };
    let group = |group: &GroupBody| -> Result<Vec<usize>, Problem> {
        let which = Which { filter: Some(group.filter.clone()), region: None };
        let mask = which.choose(project, table)?.passing;
        Ok((0..vectors.rows.len()).filter(|&point| mask.contains(vectors.rows[point])).collect())
    };
    let groups = asked.groups.iter().map(group).collect::<Result<Vec<_>, _>>()?;
    let rows = prepared.sweep(std::slice::from_ref(&quantity), None).map_err(wrong)?;
    let kept = prepared.groups(&rows, &groups).map_err(wrong)?;
    let view = |(row, kept): (&Row, Vec<volary_space::boundary::Kept>)| BoundaryRow {
        threshold: row.threshold,
        n: row.n,
        prevalence: row.prevalence.map(estimate),
        selected: row.selected.map(estimate),
        precision: row.precision.map(estimate),
        recall: row.recall.map(estimate),
        f1: row.f1.map(estimate),
        sentence: row.sentence(vectors.rows.len()),
        too_few: question.and_then(|_| expert::too_few(&quantity.values, row.threshold)),
        groups: kept
            .into_iter()
            .zip(&asked.groups)
            .map(|(kept, group)| KeptView {
                name: group.name.clone(),
                n: kept.n,
                n_selected: kept.n_selected,
            })
            .collect(),
        rows: asked.masks.then(|| selected_rows(table, row)).flatten(),
    };
    let n_of = |prepared: &Prepared, of: fn(&Prepared) -> &[usize]| {
        of(prepared).iter().filter(|&&i| question.is_none() || !quantity.values[i].is_nan()).count()
    };
    Ok(BoundaryView {
        quantity: asked.quantity.clone(),
        n_train: n_of(&prepared, Prepared::train),
        n_held_out: n_of(&prepared, Prepared::held),
        n_components: prepared.reduced().width(),
        level: BoundaryParams::default().bootstrap.level(),
        rows: rows.iter().zip(kept).map(view).collect(),
    })
}

/// The rows that a boundary selects.
fn selected_rows(table: &Table, row: &Row) -> Option<String> {
    let (vectors, boundary) = (table.vectors()?, row.boundary.as_ref()?);
    let scores = boundary.score(&vectors.points).ok()?;
    let mut is_in = vec![false; table.n_rows()];
    for (&row, score) in vectors.rows.iter().zip(scores) {
        is_in[row] = score >= SELECTED_FROM;
    }
    Some(encoded(&Mask::of(table.n_rows(), |row| is_in[row])))
}

fn estimate(estimate: Estimate) -> EstimateView {
    EstimateView { value: estimate.value, low: estimate.low, high: estimate.high }
}

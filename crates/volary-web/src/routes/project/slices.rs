//! Slices: what is known of one beside its count, and those that people saved.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use volary_crowd::interval::{jeffreys, student_half_width};
use volary_space::slice::Mask;

use super::volunteers::{LEVEL, failed};
use super::{computed, table_of};
use crate::app::Shared;
use crate::extract::{Body, Either, Id, Reader, Writer};
use crate::problem::Problem;
use crate::project::electorate::Side;
use crate::project::query::{RegionBody, Which};
use crate::project::slices::{MAX_NAME_BYTES, SavedSlice, SliceError};
use crate::project::{Project, Table};
use crate::reply::Reply;
use crate::routes::time;

/// Subjects of a slice whose answer is known, below which nothing is said of its errors.
pub(crate) const FEW: u64 = 30;

/// Which rows are meant.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SliceQuery {
    /// As in a query.
    filter: Option<String>,
    /// As in a query.
    region: Option<RegionBody>,
}

/// How far the maps of two classes lie on each other, over the subjects of a slice.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct SliceOverlap {
    class: String,
    other: String,
    /// Subjects with both maps.
    n: u64,
    /// Mean of the soft intersection over union, 0 to 1.
    mean: f64,
    /// Student's interval of the mean; absent for a single subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<f64>,
}

/// A group of people on a slice.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SideView {
    /// `new`, `experienced`, or `all` where one of the two would be fewer than ten people.
    name: &'static str,
    /// Classifications in the whole project, at least.
    from: u64,
    /// And at most; absent where there is no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    n_people: u64,
    /// Votes that could be held against the others'.
    n_votes: u64,
    /// Share of these that say something else than the others.
    disagree: f64,
    disagree_low: f64,
    disagree_high: f64,
}

/// What is known of a slice.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SliceView {
    n: usize,
    /// Level of the intervals.
    level: f64,
    /// Subjects of it that a model was asked about.
    n_attention: u64,
    /// Pairs of classes.
    overlaps: Vec<SliceOverlap>,
    /// Who says something else than the others; empty where fewer than ten people voted.
    sides: Vec<SideView>,
}

/// What is known of a slice
///
/// How far the maps of a model's classes lie on each other, and whether new or experienced people disagree more with
/// the others, in groups of ten or more.
#[utoipa::path(post, path = "/api/v1/tables/{id}/slice", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path)), request_body = SliceQuery, responses((status = 200, body = SliceView),
    (status = 400, body = crate::problem::ProblemDocument),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn slice(
    State(app): State<Shared>,
    _: Reader,
    Id(id): Id,
    body: Body,
) -> Result<Reply, Problem> {
    let of = table_of(&app, &id)?;
    let asked: SliceQuery = body.read()?;
    let view = move || {
        let (project, table) = (&of.project, of.table());
        let chosen =
            Which { filter: asked.filter, region: asked.region }.choose(project, table)?.selected;
        known(project, table, &chosen)
    };
    Ok(Reply::new(&computed(view).await??))
}

fn known(project: &Project, table: &Table, chosen: &Mask) -> Result<SliceView, Problem> {
    let ids = || chosen.rows().map(|row| table.ids()[row].as_str());
    let attention: Vec<_> = ids().filter_map(|id| project.attention.get(id)).collect();
    let mut values: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for pair in attention.iter().flat_map(|found| &found.overlaps).filter(|p| p.soft_iou.is_finite()) {
        let key = if pair.class <= pair.other {
            (&pair.class, &pair.other)
        } else {
            (&pair.other, &pair.class)
        };
        values.entry((key.0, key.1)).or_default().push(pair.soft_iou);
    }
    let overlaps = values.into_iter().map(|((class, other), values)| overlap(class, other, &values));
    let sides = match &project.electorate {
        None => Vec::new(),
        Some(electorate) => {
            let mut is_meant = vec![false; electorate.votes.subjects.len()];
            ids().filter_map(|id| electorate.subject(id)).for_each(|at| is_meant[at as usize] = true);
            let sides = electorate.sides(&is_meant).map_err(|e| failed(&e))?;
            let is_split = sides.len() == 2;
            sides.iter().map(|side| side_view(side, is_split)).collect()
        }
    };
    Ok(SliceView {
        n: chosen.count(),
        level: LEVEL,
        n_attention: attention.len() as u64,
        overlaps: overlaps.collect(),
        sides,
    })
}

fn overlap(class: &str, other: &str, values: &[f64]) -> SliceOverlap {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let half = (values.len() > 1).then(|| {
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        student_half_width(n - 1.0, LEVEL) * (variance / n).sqrt()
    });
    SliceOverlap {
        class: class.to_owned(),
        other: other.to_owned(),
        n: values.len() as u64,
        mean,
        // An overlap is nothing below 0 and nothing above 1.
        low: half.map(|half| (mean - half).max(0.0)),
        high: half.map(|half| (mean + half).min(1.0)),
    }
}

fn side_view(side: &Side, is_split: bool) -> SideView {
    let (from, to) = side.range;
    let name = match (is_split, to == u64::MAX) {
        (false, _) => "all",
        (true, false) => "new",
        (true, true) => "experienced",
    };
    SideView {
        name,
        from,
        to: (to != u64::MAX).then_some(to),
        n_people: side.found.n_people,
        n_votes: side.found.n,
        disagree: 1.0 - side.found.share,
        disagree_low: 1.0 - side.found.interval.high,
        disagree_high: 1.0 - side.found.interval.low,
    }
}

/// How often the crowd is wrong on a question.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorsView {
    task: String,
    /// Subjects of the slice whose answer is known and on which the crowd has one.
    n: u64,
    /// Those on which it is another; absent below 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    n_wrong: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    /// Jeffreys' interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_high: Option<f64>,
    /// The same outside of the slice.
    n_rest: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_rest: Option<f64>,
}

/// A saved slice.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SavedView {
    /// Stands for its name in a path.
    id: String,
    name: String,
    table: String,
    filter: String,
    /// When it was saved.
    at: String,
    /// Subjects; absent where the filter cannot be followed any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<usize>,
    /// Why it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// How often the crowd is wrong in it, by question.
    errors: Vec<ErrorsView>,
}

/// The saved slices.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SavedSlices {
    /// Whether slices can be saved.
    takes_slices: bool,
    /// Subjects whose answer is known, below which nothing is said of errors.
    few: u64,
    slices: Vec<SavedView>,
}

/// The saved slices
///
/// Each is a filter, counted anew: how many subjects it has, and how often the crowd's answer is wrong where the answer
/// is known.
#[utoipa::path(get, path = "/api/v1/slices", tag = "project", security(("token" = ["read"])),
    responses((status = 200, body = SavedSlices)))]
pub(crate) async fn list(State(app): State<Shared>, _: Reader) -> Result<Reply, Problem> {
    let view = move || -> Result<SavedSlices, Problem> {
        let project = &app.project();
        let held = project.slices.as_ref().map(|slices| slices.all()).unwrap_or_default();
        let slices = held.into_iter().map(|slice| saved(project, slice)).collect::<Result<_, _>>()?;
        Ok(SavedSlices { takes_slices: project.slices.is_some(), few: FEW, slices })
    };
    Ok(Reply::new(&computed(view).await??))
}

fn saved(project: &Project, slice: SavedSlice) -> Result<SavedView, Problem> {
    let id = slice.id();
    let SavedSlice { name, table, filter, at, .. } = slice;
    let chosen = match project.table(&table) {
        None => Err(format!("there is no table {table} any more")),
        Some(table) => {
            let which = Which { filter: Some(filter.clone()), region: None };
            which
                .choose(project, table)
                .map(|chosen| (table, chosen.selected))
                .map_err(|p| p.detail.to_string())
        }
    };
    let (n, problem, errors) = match &chosen {
        Ok((table, mask)) => (Some(mask.count()), None, errors(project, table, mask)?),
        Err(why) => (None, Some(why.clone()), Vec::new()),
    };
    Ok(SavedView { id, name, table, filter, at, n, problem, errors })
}

pub(crate) fn errors(project: &Project, table: &Table, mask: &Mask) -> Result<Vec<ErrorsView>, Problem> {
    let Some(electorate) = &project.electorate else { return Ok(Vec::new()) };
    let mut is_in = vec![false; electorate.votes.subjects.len()];
    let ids = mask.rows().map(|row| table.ids()[row].as_str());
    ids.filter_map(|id| electorate.subject(id)).for_each(|at| is_in[at as usize] = true);
    let wrong = electorate.wrong().map_err(|e| failed(&e))?;
    let one = |(task, judged): (&String, &std::collections::HashMap<u32, bool>)| {
        let count = |inside: bool| {
            let of = judged.iter().filter(|(at, _)| is_in[**at as usize] == inside);
            (of.clone().count() as u64, of.filter(|(_, is_wrong)| **is_wrong).count() as u64)
        };
        let ((n, k), (n_rest, k_rest)) = (count(true), count(false));
        let is_enough = n >= FEW;
        let interval = is_enough.then(|| jeffreys(k as f64, n as f64, LEVEL));
        ErrorsView {
            task: task.clone(),
            n,
            n_wrong: is_enough.then_some(k),
            rate: is_enough.then(|| k as f64 / n as f64),
            rate_low: interval.map(|i| i.low),
            rate_high: interval.map(|i| i.high),
            n_rest,
            rate_rest: (n_rest >= FEW).then(|| k_rest as f64 / n_rest as f64),
        }
    };
    Ok(wrong.iter().map(one).collect())
}

/// A slice to save.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSlice {
    /// What it is called; one of the same name goes.
    name: String,
    table: String,
    /// An expression of the slice language.
    filter: String,
}

/// Save a slice
///
/// When the answer comes, it is on disk.
#[utoipa::path(post, path = "/api/v1/slices", tag = "project", security(("token" = ["write"])),
    request_body = NewSlice, responses((status = 201, body = SavedView),
    (status = 200, body = SavedView, description = "It took the place of another."),
    (status = 400, body = crate::problem::ProblemDocument, description = "The filter is none; where, is said."),
    (status = 404, body = crate::problem::ProblemDocument, description = "There is no such table."),
    (status = 409, body = crate::problem::ProblemDocument),
    (status = 422, body = crate::problem::ProblemDocument)))]
pub(crate) async fn post(
    State(app): State<Shared>,
    _: Writer,
    Either(asker): Either,
    body: Body,
) -> Result<Reply, Problem> {
    let new: NewSlice = body.read()?;
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.len() > MAX_NAME_BYTES || new.filter.trim().is_empty() {
        let detail = format!(
            "a slice has a name, no longer than {MAX_NAME_BYTES} bytes, and a filter that selects something"
        );
        return Err(Problem::unprocessable(detail));
    }
    let of = table_of(&app, &new.table)?;
    let by = asker.0.as_ref().map(|token| token.id.clone()).unwrap_or_default();
    let now = time(app.now_ms());
    let write = move || {
        let kept = of.project.slices.as_ref().ok_or_else(|| {
            let detail = "this server keeps no slices; start it as `volary serve DIR`";
            Problem::new(StatusCode::CONFLICT, detail)
        })?;
        let which = Which { filter: Some(new.filter), region: None };
        let filter = which.choose(&of.project, of.table())?.canonical.unwrap_or_default();
        let slice = SavedSlice { name, table: new.table, filter, by, at: now };
        let is_new = kept.save(slice.clone()).map_err(|e| refused(&e))?;
        saved(&of.project, slice).map(|view| (view, is_new))
    };
    let (view, is_new) = computed(write).await??;
    Ok(Reply::new(&view).status(if is_new { StatusCode::CREATED } else { StatusCode::OK }))
}

/// Remove a slice
#[utoipa::path(delete, path = "/api/v1/slices/{id}", tag = "project", security(("token" = ["write"])),
    params(("id" = String, Path)), responses((status = 204, description = "It is gone."),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn remove(
    State(app): State<Shared>,
    _: Writer,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let none = || Problem::not_found("no slice has this id");
    let gone = move || {
        let project = app.project();
        let kept = project.slices.as_ref().ok_or_else(none)?;
        kept.remove(&id).map_err(|e| refused(&e))
    };
    if computed(gone).await?? { Ok(StatusCode::NO_CONTENT) } else { Err(none()) }
}

fn refused(error: &SliceError) -> Problem {
    match error {
        SliceError::Full => Problem::new(StatusCode::CONFLICT, error.to_string()),
        SliceError::Io { .. } | SliceError::File { .. } => Problem::failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlaps_interval_is_students() {
        // Mean 0.3, standard deviation 0.1, n 4: t of three degrees of freedom at 95 % is 3.182446.
        let found = overlap("a", "b", &[0.2, 0.3, 0.4, 0.3]);
        let sd = (0.02_f64 / 3.0).sqrt();
        assert!((found.mean - 0.3).abs() < 1e-12);
        let half = 3.182_446_305_284_263 * sd / 2.0;
        assert!((found.low.unwrap() - (0.3 - half)).abs() < 1e-9, "{found:?}");
        assert!((found.high.unwrap() - (0.3 + half)).abs() < 1e-9);
        assert_eq!(overlap("a", "b", &[0.2]).low, None);
        assert_eq!(overlap("a", "b", &[0.0, 0.0]).high, Some(0.0));
    }
}

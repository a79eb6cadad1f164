//! One subject of the project: what every table says of it, its image, its light curve, its votes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use volary_crowd::retire::Rule;
use volary_ingest::images::{Limits, read_file, show};

use super::volunteers::{LEVEL, failed};
use super::{computed, tables::value, tags::tags_of};
use crate::app::Shared;
use crate::extract::{Id, Params, Reader};
use crate::problem::Problem;
use crate::project::courses::{QuestionView, Threshold, usual};
use crate::project::{Attention, Curve, MapOverlap};
use crate::reply::{Reply, etag};
use crate::routes::media::{decoded, refused};

/// Longer sides are made shorter, px.
pub(crate) const MAX_SIDE_PX: usize = 4_096;
/// Points of a light curve that a page draws at once.
pub(crate) const MAX_POINTS: usize = 20_000;

/// A subject.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubjectView {
    subject_id: String,
    has_image: bool,
    /// Names of its further frames, from number 1 on; the image is number 0.
    frames: Vec<String>,
    has_light_curve: bool,
    /// What a model looked at in its image, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    attention: Option<AttentionView>,
    /// What it is called.
    tags: Vec<String>,
    /// Its row in each table that has one.
    rows: BTreeMap<String, usize>,
    /// What each table says of it, by table and column.
    #[schema(value_type = Object)]
    values: BTreeMap<String, BTreeMap<String, Value>>,
    /// The subjects before and after it in the first table, for going on.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What a model looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttentionView {
    /// The classes, in the order of the panels behind the first, which is the image.
    classes: Vec<ClassView>,
    /// Pairs of classes.
    overlaps: Vec<OverlapView>,
}

/// A class.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClassView {
    name: String,
    /// Of the model; above 0 it says yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    logit: Option<f64>,
}

/// How far the maps of two classes lie on each other.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OverlapView {
    class: String,
    other: String,
    /// 0 to 1; absent where a map is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    soft_iou: Option<f64>,
    /// Against random shifts, in standard deviations.
    #[serde(skip_serializing_if = "Option::is_none")]
    z: Option<f64>,
}

/// As the page gets it.
pub(crate) fn attention_view(attention: &Attention) -> AttentionView {
    let finite = |value: f64| Some(value).filter(|v| v.is_finite());
    let class = |(name, logit): &(String, f64)| ClassView { name: name.clone(), logit: finite(*logit) };
    let overlap = |pair: &MapOverlap| OverlapView {
        class: pair.class.clone(),
        other: pair.other.clone(),
        soft_iou: finite(pair.soft_iou),
        z: finite(pair.z),
    };
    AttentionView {
        classes: attention.classes.iter().map(class).collect(),
        overlaps: attention.overlaps.iter().map(overlap).collect(),
    }
}

fn unknown() -> Problem {
    Problem::not_found("the project knows no subject of this id")
}

/// A subject of the project
///
/// What every table says of it.
#[utoipa::path(get, path = "/api/v1/project/subjects/{id}", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path)), responses((status = 200, body = SubjectView),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn one(State(app): State<Shared>, _: Reader, Id(id): Id) -> Result<Reply, Problem> {
    let project = app.project();
    let (mut rows, mut values) = (BTreeMap::new(), BTreeMap::new());
    for table in &project.tables {
        let Some(row) = table.row_of(&id) else { continue };
        rows.insert(table.name().to_owned(), row);
        let of = table.columns().iter().map(|(name, column)| (name.to_owned(), value(column, row)));
        values.insert(table.name().to_owned(), of.collect());
    }
    let (has_image, has_light_curve) =
        (project.images.contains_key(&id), project.curves.contains_key(&id));
    if rows.is_empty() && !has_image && !has_light_curve {
        return Err(unknown());
    }
    let first = project.tables.first();
    let at = first.and_then(|table| table.row_of(&id));
    let beside = |row: Option<usize>| first?.ids().get(row?).cloned();
    let view = SubjectView {
        has_image,
        frames: project.frames.get(&id).into_iter().flatten().map(|(name, _)| name.clone()).collect(),
        has_light_curve,
        attention: project.attention.get(&id).map(attention_view),
        tags: tags_of(&project, &id),
        rows,
        values,
        previous: beside(at.and_then(|row| row.checked_sub(1))),
        next: beside(at.map(|row| row + 1)),
        subject_id: id,
    };
    Ok(Reply::new(&view))
}

/// Which of its images.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FrameParams {
    /// Its number: 0 (as if absent) is the image, 1 the first further frame.
    frame: Option<usize>,
}

/// Its image
///
/// As PNG, whatever it is on disk: decoded and written anew.
#[utoipa::path(get, path = "/api/v1/project/subjects/{id}/image", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path), FrameParams), responses((status = 200, body = Vec<u8>, content_type = "image/png"),
    (status = 404, body = crate::problem::ProblemDocument),
    (status = 422, body = crate::problem::ProblemDocument, description = "There is no picture in the file.")))]
pub(crate) async fn image(
    State(app): State<Shared>,
    _: Reader,
    Id(id): Id,
    Params(params): Params<FrameParams>,
) -> Result<Response, Problem> {
    let project = app.project();
    let path = match params.frame.unwrap_or(0) {
        0 => project.images.get(&id).cloned(),
        n => project.frames.get(&id).and_then(|all| all.get(n - 1)).map(|(_, path)| path.clone()),
    };
    png(&app, path.ok_or_else(|| Problem::not_found("the subject has no such image"))?).await
}

/// What a model looked at
///
/// Panels side by side: the image, then one for each class in the order that the subject's answer names, as
/// `volary attention` painted them. PNG.
#[utoipa::path(get, path = "/api/v1/project/subjects/{id}/attention", tag = "project",
    security(("token" = ["read"])), params(("id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/png"),
    (status = 404, body = crate::problem::ProblemDocument),
    (status = 422, body = crate::problem::ProblemDocument, description = "There is no picture in the file.")))]
pub(crate) async fn attention(
    State(app): State<Shared>,
    _: Reader,
    Id(id): Id,
) -> Result<Response, Problem> {
    let path = app.project().attention.get(&id).map(|found| found.panels.clone());
    let none = "no model was asked what it looks at in this subject; `volary attention` asks";
    png(&app, path.ok_or_else(|| Problem::not_found(none))?).await
}

/// A file's picture, decoded and written anew.
async fn png(app: &Shared, path: PathBuf) -> Result<Response, Problem> {
    let png = decoded(app, move || {
        let limits = Limits::default();
        let bytes = read_file(&path, &limits).map_err(|fault| refused(&fault))?;
        Ok(show(&bytes, MAX_SIDE_PX, &limits).map_err(|fault| refused(&fault))?.png)
    })
    .await?;
    let tag = HeaderValue::from_str(&etag(&png)).expect("hexadecimal is a header value");
    let kind = HeaderValue::from_static("image/png");
    Ok(([(header::CONTENT_TYPE, kind), (header::ETAG, tag)], png).into_response())
}

/// Which part of a light curve.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CurveParams {
    /// From this time on, days; from the beginning if absent.
    from: Option<f64>,
    /// Up to this time.
    to: Option<f64>,
    /// Points at most, up to 20000; as many if absent.
    max_points: Option<usize>,
}

/// A range that several people marked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeatureView {
    from_days: f64,
    to_days: f64,
    score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    score_sd: Option<f64>,
}

/// A light curve.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CurveView {
    subject_id: String,
    /// Days.
    time_days: Vec<f64>,
    /// As long as the times; null is a gap.
    flux: Vec<Option<f64>>,
    /// Points of the light curve in this part, of which the ones that are sent keep the lowest and the highest of
    /// each step.
    n_points: usize,
    is_decimated: bool,
    /// What volunteers marked, in days.
    marks: Vec<[f64; 2]>,
    /// What that came to.
    features: Vec<FeatureView>,
}

/// Its light curve
///
/// Where there are more points than a page can draw, the lowest and the highest of each step are kept, so that no
/// dip gets lost.
#[utoipa::path(get, path = "/api/v1/project/subjects/{id}/light_curve", tag = "project",
    security(("token" = ["read"])), params(("id" = String, Path), CurveParams),
    responses((status = 200, body = CurveView), (status = 400, body = crate::problem::ProblemDocument),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn light_curve(
    State(app): State<Shared>,
    _: Reader,
    Id(id): Id,
    Params(params): Params<CurveParams>,
) -> Result<Reply, Problem> {
    let most = params.max_points.unwrap_or(MAX_POINTS);
    if !(4..=MAX_POINTS).contains(&most) {
        return Err(Problem::bad_request(format!("max_points is {most}; use 4 to {MAX_POINTS}")));
    }
    let (from, to) = (params.from.unwrap_or(f64::NEG_INFINITY), params.to.unwrap_or(f64::INFINITY));
    if from.is_nan() || to.is_nan() || from > to {
        return Err(Problem::bad_request("`from` must not lie behind `to`"));
    }
    let project = app.project();
    let view = move || {
        let curve = project
            .curves
            .get(&id)
            .ok_or_else(|| Problem::not_found("the subject has no light curve"))?;
        Ok::<_, Problem>(curve_view(curve, id, (from, to), most))
    };
    Ok(Reply::new(&computed(view).await??))
}

/// A light curve from a time to a time, with so many points at most.
pub(crate) fn curve_view(curve: &Curve, id: String, (from, to): (f64, f64), most: usize) -> CurveView {
    let inside: Vec<usize> = (0..curve.time_days.len())
        .filter(|&i| curve.time_days[i] >= from && curve.time_days[i] <= to)
        .collect();
    let kept = decimated(curve, &inside, most);
    let feature = |f: &crate::project::Feature| FeatureView {
        from_days: f.from_days,
        to_days: f.to_days,
        score: f.score,
        score_sd: f.score_sd,
    };
    CurveView {
        time_days: kept.iter().map(|&i| curve.time_days[i]).collect(),
        flux: kept.iter().map(|&i| Some(curve.flux[i]).filter(|f| f.is_finite())).collect(),
        n_points: inside.len(),
        is_decimated: kept.len() < inside.len(),
        marks: curve.marks.clone(),
        features: curve.features.iter().map(feature).collect(),
        subject_id: id,
    }
}

/// The lowest, the highest and one gap of each step, in order of time.
pub(crate) fn decimated(curve: &Curve, inside: &[usize], most: usize) -> Vec<usize> {
    if inside.len() <= most {
        return inside.to_vec();
    }
    // Three points a step at most.
    let n_steps = (most / 3).max(1);
    let mut kept = Vec::with_capacity(most);
    for step in 0..n_steps {
        let part = &inside[step * inside.len() / n_steps..(step + 1) * inside.len() / n_steps];
        let known = || part.iter().copied().filter(|&i| curve.flux[i].is_finite());
        let by_flux = |a: &usize, b: &usize| curve.flux[*a].total_cmp(&curve.flux[*b]);
        let gap = part.iter().copied().find(|&i| !curve.flux[i].is_finite());
        let mut chosen: Vec<usize> =
            [known().min_by(by_flux), known().max_by(by_flux), gap].into_iter().flatten().collect();
        chosen.sort_unstable();
        chosen.dedup();
        kept.extend(chosen);
    }
    kept
}

/// How the consensus came about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VotesView {
    subject_id: String,
    /// Level of the intervals.
    level: f64,
    questions: Vec<QuestionView>,
    /// Votes at which the live store retires a subject, whatever the answer.
    live_retires_at: u64,
    /// Where the live store raises an alert, rule by rule.
    live_alerts: Vec<Threshold>,
    /// Rules that may be asked for, beside any that `volary retire --rule` takes.
    rules: Vec<String>,
}

/// Which rule.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VotesParams {
    /// As `volary retire --rule` takes it, such as `agree:8:0.8`; the usual ones that look at a subject alone if
    /// absent. One that learns from all votes (`swap:0.99`) is replayed over all of them, once.
    rule: Option<String>,
}

/// How its consensus came about
///
/// Vote by vote, without who voted: the share of each answer, with equal votes and with votes weighed by how often
/// people agree with the others (in bands of ten people or more); and the vote at which retirement rules would have
/// had enough.
#[utoipa::path(get, path = "/api/v1/project/subjects/{id}/votes", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path), VotesParams), responses((status = 200, body = VotesView),
    (status = 400, body = crate::problem::ProblemDocument, description = "The rule is none.")))]
pub(crate) async fn votes(
    State(app): State<Shared>,
    _: Reader,
    Id(id): Id,
    Params(params): Params<VotesParams>,
) -> Result<Reply, Problem> {
    let rules = match &params.rule {
        None => usual(),
        Some(text) => vec![Rule::parse(text).map_err(|e| Problem::bad_request(e.to_string()))?],
    };
    let policy = app.live.policy().await?;
    let alert = |rule: &volary_live::policy::Rule| Threshold {
        n: rule.min_positive,
        share: rule.min_agreement.map(|share| share.value()),
        answer: rule.positives().first().map(|answer| (*answer).clone()),
    };
    let alerts = policy.rules.iter().filter(|rule| rule.min_positive.is_some()).map(alert).collect();
    let view = move || -> Result<VotesView, Problem> {
        let project = app.project();
        let electorate = project.electorate.as_ref();
        let questions = electorate.map_or(Ok(Vec::new()), |e| e.courses(&id, &rules));
        Ok(VotesView {
            subject_id: id,
            level: electorate.map_or(LEVEL, |e| e.params.level()),
            questions: questions.map_err(|e| failed(&e))?,
            live_retires_at: policy.retire_at,
            live_alerts: alerts,
            rules: Rule::defaults().iter().map(ToString::to_string).collect(),
        })
    };
    Ok(Reply::new(&computed(view).await??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_dip_is_lost_and_no_gap_closed() {
        let n = 100_000;
        let mut flux: Vec<f64> = (0..n).map(|i| 1.0 + f64::from(i % 7) * 1e-4).collect();
        flux[54_321] = 0.9;
        flux[11_111] = 1.2;
        flux[70_000..71_000].fill(f64::NAN);
        let curve = Curve { time_days: (0..n).map(f64::from).collect(), flux, ..Curve::default() };
        let all: Vec<usize> = (0..n as usize).collect();
        let kept = decimated(&curve, &all, 600);
        assert!(kept.len() <= 600 && kept.is_sorted(), "{}", kept.len());
        assert!(kept.contains(&54_321) && kept.contains(&11_111));
        assert!(kept.iter().any(|&i| curve.flux[i].is_nan()));
        assert_eq!(decimated(&curve, &all[..500], 600), all[..500]);
    }
}

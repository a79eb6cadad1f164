//! Labels of experts: given in the page, on disk before the page goes on.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use volary_core::votes::{QuestionKind, VotesBuilder};
use volary_crowd::agreement::{Level, Measure};
use volary_crowd::{AgreementParams, Repeats, agreement, counted};

use super::computed;
use super::known::{KnownView, SignalView, known};
use crate::app::Shared;
use crate::extract::{Body, Either, Params, Reader, Writer};
use crate::problem::Problem;
use crate::project::TAG;
use crate::project::labels::{Label, LabelError, MAX_BYTES};
use crate::reply::Reply;
use crate::routes::time;

/// The question of a label that says that somebody has looked at a check; its name is the check's column.
const CHECK: &str = "check:";
/// How interesting a subject is, which answers nothing that is asked of it.
const RELEVANCE: &str = "relevance";
const RELEVANCES: [&str; 8] = ["0", "1", "2", "3", "4", "5", "artefact", "unsure"];

/// What is said of a subject.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLabel {
    /// Chosen by the asker, new for each label: the same again is the same label.
    id: String,
    subject_id: String,
    /// What was asked, such as `relevance`.
    question: String,
    /// What was said; absent in one that takes another back.
    value: Option<String>,
    /// The id of a label to take back.
    retracts: Option<String>,
}

/// The labels.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LabelsView {
    /// What holds: the last of each person on each subject and question, unless it was taken back.
    labels: Vec<Label>,
    /// Lines of the log, also of what was replaced or taken back.
    n_log: usize,
    /// The asker, as `by` names them: which labels are one's own.
    me: String,
}

/// A label that was written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GivenView {
    id: String,
    subject_id: String,
    question: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    by: String,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retracts: Option<String>,
    /// The subject's known answers, by task, now that all was answered that is asked of it; absent where none is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    gold: Option<BTreeMap<String, String>>,
    /// Known signals of its light curve, likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signals: Vec<SignalView>,
}

/// The labels that hold
#[utoipa::path(get, path = "/api/v1/labels", tag = "project", security(("token" = ["read"])),
    responses((status = 200, body = LabelsView)))]
pub(crate) async fn list(State(app): State<Shared>, Reader(asker): Reader) -> Result<Reply, Problem> {
    let me = asker.0.as_ref().map(|token| token.id.clone()).unwrap_or_default();
    let project = app.project();
    let view = move || match &project.labels {
        Some(labels) => LabelsView { labels: labels.current(), n_log: labels.log().len(), me },
        None => LabelsView { labels: Vec::new(), n_log: 0, me },
    };
    Ok(Reply::new(&computed(view).await?))
}

/// Why what is said cannot be shown again as what it is, of the questions that the page asks itself.
fn unfit(new: &NewLabel) -> Option<&'static str> {
    let value = new.value.as_deref()?;
    if new.question == RELEVANCE && !RELEVANCES.contains(&value) {
        return Some("relevance is a number from 0 to 5, `artefact` or `unsure`");
    }
    let tag = new.question.strip_prefix(TAG)?;
    (tag.is_empty() || tag.contains(';'))
        .then_some("a tag is not empty and has no `;`, which stands between tags: give them one by one")
}

/// Give a label, or take one back
///
/// When the answer comes, it is on disk. Sent again with the same id it is the same label.
#[utoipa::path(post, path = "/api/v1/labels", tag = "project", security(("token" = ["write"])),
    request_body = NewLabel, responses((status = 201, body = GivenView),
    (status = 200, body = GivenView, description = "It was there."),
    (status = 409, body = crate::problem::ProblemDocument),
    (status = 422, body = crate::problem::ProblemDocument)))]
pub(crate) async fn post(
    State(app): State<Shared>,
    _: Writer,
    Either(asker): Either,
    body: Body,
) -> Result<Reply, Problem> {
    let new: NewLabel = body.read()?;
    let texts = [Some(&new.id), Some(&new.subject_id), Some(&new.question), new.value.as_ref()];
    let is_fine = |text: &&String| !text.is_empty() && text.len() <= MAX_BYTES;
    if !texts.iter().flatten().all(is_fine) || new.value.is_some() == new.retracts.is_some() {
        let detail = format!(
            "a label has an id, a subject_id, a question, and either a value or the id that it retracts; none \
             empty, none longer than {MAX_BYTES} bytes"
        );
        return Err(Problem::unprocessable(detail));
    }
    if let Some(detail) = unfit(&new) {
        return Err(Problem::unprocessable(detail));
    }
    let label = Label {
        id: new.id,
        subject_id: new.subject_id,
        question: new.question,
        value: new.value,
        by: asker.0.as_ref().map(|token| token.id.clone()).unwrap_or_default(),
        at: time(app.now_ms()),
        retracts: new.retracts,
    };
    let project = app.project();
    let written = computed(move || {
        let labels = project.labels.as_ref().ok_or_else(|| {
            Problem::new(
                StatusCode::CONFLICT,
                "this server keeps no labels; start it as `volary serve DIR`",
            )
        })?;
        labels.add(label.clone()).map(|is_new| (label, is_new)).map_err(refused)
    });
    let (label, is_new) = written.await??;
    // Who says nothing of what is asked, or takes it back, is told nothing.
    let is_beside = [TAG, CHECK, RELEVANCE].iter().any(|prefix| label.question.starts_with(prefix));
    let is_answer = label.value.is_some() && !is_beside;
    let told = |by: &str| known(&app.project(), &label.subject_id, by);
    let KnownView { gold, signals, .. } = if is_answer { told(&label.by) } else { KnownView::default() };
    let Label { id, subject_id, question, value, by, at, retracts } = label;
    let view = GivenView { id, subject_id, question, value, by, at, retracts, gold, signals };
    Ok(Reply::new(&view).status(if is_new { StatusCode::CREATED } else { StatusCode::OK }))
}

/// Which question.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReadersParams {
    /// The question of the labels, such as `class`.
    question: String,
}

/// A subject on which readers differ.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DisagreementView {
    subject_id: String,
    /// What each said: the reader's number, from 0, and the value.
    said: Vec<(usize, String)>,
}

/// How far readers agree.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadersView {
    /// People who gave labels.
    n_readers: usize,
    /// Subjects with labels of two or more.
    n_shared: usize,
    /// Of those, subjects on which all say the same.
    n_same: usize,
    /// Krippendorff's α; absent where it has no meaning.
    #[serde(skip_serializing_if = "Option::is_none")]
    alpha: Option<f64>,
    /// Its 95 % interval, by a bootstrap over subjects.
    #[serde(skip_serializing_if = "Option::is_none")]
    alpha_low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpha_high: Option<f64>,
    /// Why one of these is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<&'static str>,
    /// Subjects on which they differ, 200 at most.
    disagreements: Vec<DisagreementView>,
}

/// How far readers agree
///
/// Labels of one question: on how many subjects two people or more gave the same, Krippendorff's α (nominal) with its
/// interval, and the subjects on which they differ. Readers are numbers here.
#[utoipa::path(get, path = "/api/v1/labels/agreement", tag = "project", security(("token" = ["read"])),
    params(ReadersParams), responses((status = 200, body = ReadersView),
    (status = 400, body = crate::problem::ProblemDocument)))]
pub(crate) async fn readers(
    State(app): State<Shared>,
    _: Reader,
    Params(params): Params<ReadersParams>,
) -> Result<Reply, Problem> {
    let view = move || {
        let labels = app.project().labels.as_ref().map(|labels| labels.current()).unwrap_or_default();
        read_by_several(labels.into_iter().filter(|l| l.question == params.question).collect())
    };
    Ok(Reply::new(&computed(view).await??))
}

fn read_by_several(labels: Vec<Label>) -> Result<ReadersView, Problem> {
    let people: BTreeSet<&str> = labels.iter().map(|l| l.by.as_str()).collect();
    let mut said: BTreeMap<&str, Vec<(usize, String)>> = BTreeMap::new();
    let mut votes = VotesBuilder::default();
    for label in &labels {
        let Some(value) = &label.value else { continue };
        let reader = people.iter().position(|one| *one == label.by).unwrap_or_default();
        said.entry(&label.subject_id).or_default().push((reader, value.clone()));
        let classification = votes.classification("", &label.subject_id, &label.by, None, &label.id);
        votes.vote(classification, "labels", QuestionKind::Single, Some(value));
    }
    let votes = votes.finish();
    let params = AgreementParams { level: Some(Level::Nominal), ..AgreementParams::default() };
    let rows = agreement(&votes, &counted(&votes, Repeats::Last), &params)
        .map_err(|error| Problem::unprocessable(error.to_string()))?;
    let alpha = rows.iter().find(|row| row.measure == Measure::Alpha(Level::Nominal));
    let shared: Vec<_> = said.into_iter().filter(|(_, said)| said.len() > 1).collect();
    let is_same = |said: &[(usize, String)]| said.iter().all(|(_, value)| *value == said[0].1);
    let differ = shared.iter().filter(|(_, said)| !is_same(said));
    Ok(ReadersView {
        n_readers: people.len(),
        n_shared: shared.len(),
        n_same: shared.iter().filter(|(_, said)| is_same(said)).count(),
        alpha: alpha.and_then(|row| row.value),
        alpha_low: alpha.and_then(|row| row.interval).map(|i| i.low),
        alpha_high: alpha.and_then(|row| row.interval).map(|i| i.high),
        missing: alpha
            .map_or(Some("nobody has given a label yet"), |row| row.missing.map(|m| m.as_str())),
        disagreements: differ
            .take(200)
            .map(|(subject, said)| DisagreementView {
                subject_id: (*subject).to_owned(),
                said: said.clone(),
            })
            .collect(),
    })
}

fn refused(error: LabelError) -> Problem {
    match error {
        LabelError::Taken(_) => Problem::new(StatusCode::CONFLICT, error.to_string()),
        LabelError::Unknown(_) => Problem::unprocessable(error.to_string()),
        LabelError::Io { .. } | LabelError::Line { .. } => Problem::failed(error.to_string()),
    }
}

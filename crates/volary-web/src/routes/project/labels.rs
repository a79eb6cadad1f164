//! Labels of experts: given in the page, on disk before the page goes on.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::computed;
use crate::app::Shared;
use crate::extract::{Body, Either, Reader, Writer};
use crate::problem::Problem;
use crate::project::labels::{Label, LabelError, MAX_BYTES};
use crate::reply::Reply;
use crate::routes::time;

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
}

/// The labels that hold
#[utoipa::path(get, path = "/api/v1/labels", tag = "project", security(("token" = ["read"])),
    responses((status = 200, body = LabelsView)))]
pub(crate) async fn list(State(app): State<Shared>, _: Reader) -> Result<Reply, Problem> {
    let view = move || match &app.project.labels {
        Some(labels) => LabelsView { labels: labels.current(), n_log: labels.log().len() },
        None => LabelsView { labels: Vec::new(), n_log: 0 },
    };
    Ok(Reply::new(&computed(view).await?))
}

/// Give a label, or take one back
///
/// When the answer comes, it is on disk. Sent again with the same id it is the same label.
#[utoipa::path(post, path = "/api/v1/labels", tag = "project", security(("token" = ["write"])),
    request_body = NewLabel, responses((status = 201, body = Label),
    (status = 200, body = Label, description = "It was there."),
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
    let label = Label {
        id: new.id,
        subject_id: new.subject_id,
        question: new.question,
        value: new.value,
        by: asker.0.as_ref().map(|token| token.id.clone()).unwrap_or_default(),
        at: time(app.now_ms()),
        retracts: new.retracts,
    };
    let project = Arc::clone(&app.project);
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
    Ok(Reply::new(&label).status(if is_new { StatusCode::CREATED } else { StatusCode::OK }))
}

fn refused(error: LabelError) -> Problem {
    match error {
        LabelError::Taken(_) => Problem::new(StatusCode::CONFLICT, error.to_string()),
        LabelError::Unknown(_) => Problem::unprocessable(error.to_string()),
        LabelError::Io { .. } | LabelError::Line { .. } => Problem::failed(error.to_string()),
    }
}

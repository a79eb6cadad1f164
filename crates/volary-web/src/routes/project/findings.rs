//! What the project's folder holds beside its tables: small tables of results, and the records of what was done.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::computed;
use crate::app::Shared;
use crate::extract::Reader;
use crate::problem::Problem;
use crate::project::{ModelUse, Run, Sheet};
use crate::reply::Reply;

/// Small tables.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SheetsView<'p> {
    sheets: &'p [Sheet],
}

/// Records.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunsView<'p> {
    runs: &'p [Run],
}

/// Small tables of results
///
/// Error rates by slice (`volary bias`) and what retirement rules would have saved (`volary retire`), as they stand in
/// the project's folder.
#[utoipa::path(get, path = "/api/v1/project/sheets", tag = "project", security(("token" = ["read"])),
    responses((status = 200, body = SheetsView)))]
pub(crate) async fn sheets(State(app): State<Shared>, _: Reader) -> Result<Reply, Problem> {
    Ok(Reply::new(&SheetsView { sheets: &app.project().sheets }))
}

/// What was done
///
/// The `run.json` of every command that wrote into the project's folder: what it read and wrote, with digests.
#[utoipa::path(get, path = "/api/v1/project/runs", tag = "project", security(("token" = ["read"])),
    responses((status = 200, body = RunsView)))]
pub(crate) async fn runs(State(app): State<Shared>, _: Reader) -> Result<Reply, Problem> {
    Ok(Reply::new(&RunsView { runs: &app.project().runs }))
}

/// What the labels of experts are at this moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LabelSet {
    /// The first digits of the BLAKE3 digest of `labels.jsonl`: a version that a training set can name.
    version: String,
    /// Lines of it.
    n_lines: usize,
    /// Labels that hold.
    n_labels: usize,
}

/// What is used for what.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DataUse<'p> {
    /// The labels of experts; absent where none are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    label_set: Option<LabelSet>,
    /// People who opted out, as the project's list has them now.
    n_opted_out: usize,
    /// Models, and what each learned from.
    models: &'p [ModelUse],
}

/// What is used for what
///
/// The version of the labels, how many people have opted out, and what each model in the project's folder learned from:
/// the records that its card is made of.
#[utoipa::path(get, path = "/api/v1/project/data_use", tag = "project", security(("token" = ["read"])),
    responses((status = 200, body = DataUse)))]
pub(crate) async fn data_use(State(app): State<Shared>, _: Reader) -> Result<Reply, Problem> {
    let view = move || {
        let project = &app.project();
        let label_set = project.labels.as_ref().map(|labels| {
            let (version, n_lines) = labels.version();
            LabelSet { version, n_lines, n_labels: labels.current().len() }
        });
        Reply::new(&DataUse { label_set, n_opted_out: project.n_opted_out, models: &project.models })
    };
    computed(view).await
}

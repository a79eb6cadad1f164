//! What the project's folder holds beside its tables: small tables of results, and the records of what was done.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::extract::Reader;
use crate::problem::Problem;
use crate::project::{Run, Sheet};
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

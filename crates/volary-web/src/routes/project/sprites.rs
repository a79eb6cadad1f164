//! Thumbnails, many at a time: sheets along the Hilbert curve of a map, and of any rows.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::tables::arrow;
use super::{Asked, computed, table_of};
use crate::app::Shared;
use crate::extract::{Id, Params, Reader};
use crate::problem::Problem;
use crate::project::sheets::{CELL_PX, PER_ROW, PER_SHEET, sheet};
use crate::project::wire;
use crate::reply::{Reply, etag};
use crate::routes::media::decoded;

/// The map by which thumbnails stand together.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MapParams {
    /// The column of the horizontal axis.
    x: String,
    /// The column of the vertical axis.
    y: String,
}

/// How the sheets are made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Manifest {
    /// Side of a thumbnail, px.
    cell_px: usize,
    /// Thumbnails in a row of a sheet.
    per_row: usize,
    /// Thumbnails of a sheet.
    per_sheet: usize,
    /// Sheets.
    n_sheets: usize,
    /// Thumbnails.
    n: usize,
}

/// Rows with an image, in the order of the curve.
fn in_order(of: &Asked, map: &MapParams) -> Result<Vec<u32>, Problem> {
    let (project, table) = (&of.project, of.table());
    let order = table.hilbert_order(&map.x, &map.y).ok_or_else(|| {
        Problem::bad_request("x and y must be columns of numbers of this table")
            .kind("unknown-column", "No such column")
    })?;
    let has_image = |row: &&u32| project.images.contains_key(&table.ids()[**row as usize]);
    Ok(order.iter().filter(has_image).copied().collect())
}

/// How the sheets of a map are made
#[utoipa::path(get, path = "/api/v1/sprites/{id}/manifest", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path, description = "The table."), MapParams),
    responses((status = 200, body = Manifest), (status = 400, body = crate::problem::ProblemDocument),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn manifest(
    State(app): State<Shared>,
    _: Reader,
    Id(id): Id,
    Params(map): Params<MapParams>,
) -> Result<Reply, Problem> {
    let of = table_of(&app, &id)?;
    let n = computed(move || in_order(&of, &map)).await??.len();
    let n_sheets = n.div_ceil(PER_SHEET);
    Ok(Reply::new(&Manifest { cell_px: CELL_PX, per_row: PER_ROW, per_sheet: PER_SHEET, n_sheets, n }))
}

/// Whose thumbnails stand in the sheets of a map, in order
#[utoipa::path(get, path = "/api/v1/sprites/{id}/rows", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path, description = "The table."), MapParams),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.apache.arrow.stream"),
    (status = 400, body = crate::problem::ProblemDocument),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn rows(
    State(app): State<Shared>,
    _: Reader,
    Id(id): Id,
    Params(map): Params<MapParams>,
) -> Result<Response, Problem> {
    let of = table_of(&app, &id)?;
    let rows = computed(move || in_order(&of, &map)).await??;
    arrow(wire::rows("row", &rows))
}

/// A sheet of a map
///
/// JPEG; thumbnails row by row. An image that cannot be shown is a grey cell with a cross.
#[utoipa::path(get, path = "/api/v1/sprites/{id}/sheets/{n}", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path, description = "The table."), ("n" = u32, Path), MapParams),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg"),
    (status = 400, body = crate::problem::ProblemDocument),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn one(
    State(app): State<Shared>,
    _: Reader,
    Path((id, n)): Path<(String, String)>,
    Params(map): Params<MapParams>,
) -> Result<Response, Problem> {
    let of = table_of(&app, &id)?;
    let n: usize = n.parse().map_err(|_| Problem::bad_request("sheets are counted from 0"))?;
    let ordered = of.clone();
    let rows = computed(move || in_order(&ordered, &map)).await??;
    let n_sheets = rows.len().div_ceil(PER_SHEET);
    if n >= n_sheets {
        return Err(Problem::not_found(format!("there are {n_sheets} sheets, counted from 0")));
    }
    let end = rows.len().min((n + 1) * PER_SHEET);
    jpeg(app, of, rows[n * PER_SHEET..end].to_vec()).await
}

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RowsParams {
    /// Numbers of rows with commas between them, 256 at most.
    rows: String,
}

/// Thumbnails of some rows
///
/// A JPEG of cells of 64 pixels, 16 in a row, in the order asked for.
#[utoipa::path(get, path = "/api/v1/tables/{id}/thumbnails", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path), RowsParams),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg"),
    (status = 400, body = crate::problem::ProblemDocument),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn thumbnails(
    State(app): State<Shared>,
    _: Reader,
    Id(id): Id,
    Params(params): Params<RowsParams>,
) -> Result<Response, Problem> {
    let of = table_of(&app, &id)?;
    let rows: Vec<u32> = params.rows.split(',').map_while(|row| row.trim().parse().ok()).collect();
    let n_asked = params.rows.split(',').count();
    let n_rows = of.table().n_rows();
    let is_whole = rows.len() == n_asked && rows.iter().all(|row| (*row as usize) < n_rows);
    if !is_whole || rows.len() > PER_SHEET {
        let detail =
            format!("rows are {PER_SHEET} numbers at most, from 0 to {}", n_rows.saturating_sub(1));
        return Err(Problem::bad_request(detail));
    }
    jpeg(app, of, rows).await
}

async fn jpeg(app: Shared, of: Asked, rows: Vec<u32>) -> Result<Response, Problem> {
    let held = Arc::clone(&app);
    let bytes = decoded(&app, move || {
        let table = of.table();
        let subjects: Vec<&str> = rows.iter().map(|row| table.ids()[*row as usize].as_str()).collect();
        sheet(&of.project, &held.thumbnails, &subjects)
            .map_err(|error| Problem::failed(format!("writing a sheet failed: {error}")))
    })
    .await?;
    let tag = HeaderValue::from_str(&etag(&bytes)).expect("hexadecimal is a header value");
    let kind = HeaderValue::from_static("image/jpeg");
    Ok(([(header::CONTENT_TYPE, kind), (header::ETAG, tag)], bytes).into_response())
}

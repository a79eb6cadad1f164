//! The subjects' images: out of the server's folder, and into it.
//!
//! No file is sent as it lies there: each is decoded and written anew as PNG (`volary_ingest::images::show`), by
//! what its bytes are and not by its name. Links to other hosts are not followed; a page may.

use std::io::Write as _;
use std::path::PathBuf;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use volary_ingest::images::{Fault, FaultKind, Folder, Limits, Shown, read_file, show};
use volary_live::facts::images;
use volary_live::{Event, Key, Kind};

use super::classifications::submit;
use super::subjects::{SOURCE, WHEN_HEARD_MS, card};
use crate::app::{App, Shared};
use crate::extract::{Either, Id, ImageBody, Params, Writer};
use crate::problem::Problem;
use crate::reply::{Reply, etag};

/// Longer sides are made shorter, px.
const MAX_SIDE_PX: usize = 4_096;
/// Sides of thumbnails, px.
const THUMBNAIL_PX: usize = 128;
/// Images that a subject may get here.
const MAX_IMAGES: usize = 99;

fn limits(app: &App) -> Limits {
    Limits { max_file_bytes: app.settings.max_image_bytes as u64, ..Limits::default() }
}

fn folder(app: &App) -> Result<std::sync::Arc<Folder>, Problem> {
    app.media.clone().ok_or_else(|| {
        Problem::not_found("this server has no folder of images; start it with `--media DIR`")
    })
}

pub(crate) fn refused(fault: &Fault) -> Problem {
    match fault.kind {
        FaultKind::Missing => Problem::not_found(format!("the image: {}", fault.detail)),
        _ => Problem::unprocessable(format!("the image: {}", fault.detail)),
    }
}

/// Runs what decodes, a few at once and beside the threads that answer.
pub(crate) async fn decoded<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let place = app.decoders.acquire().await;
    let done = tokio::task::spawn_blocking(work).await;
    drop(place);
    done.map_err(|error| Problem::failed(format!("decoding an image failed: {error}")))?
}

async fn shown(app: &Shared, id: String, n: usize, max_side_px: usize) -> Result<Response, Problem> {
    let folder = folder(app)?;
    let card = card(app, id).await?;
    let known = images(&card.facts);
    let Some(name) = known.get(n).map(|name| (*name).to_owned()) else {
        let detail = format!("the subject has {} images, counted from 0", known.len());
        return Err(Problem::not_found(detail));
    };
    if name.contains("://") {
        return Err(Problem::not_found("this image is a link; its facts say where to"));
    }
    let limits = limits(app);
    let Shown { png, .. } = decoded(app, move || {
        let path = folder.resolve(&name).map_err(|(_, detail)| Problem::not_found(detail))?;
        let bytes = read_file(&path, &limits).map_err(|fault| refused(&fault))?;
        show(&bytes, max_side_px, &limits).map_err(|fault| refused(&fault))
    })
    .await?;
    let tag = HeaderValue::from_str(&etag(&png)).expect("hexadecimal is a header value");
    let kind = HeaderValue::from_static("image/png");
    Ok(([(header::CONTENT_TYPE, kind), (header::ETAG, tag)], png).into_response())
}

/// An image of a subject
///
/// As PNG, whatever it is in the folder: decoded and written anew, measured values stretched, a side of more than
/// 4,096 pixels made shorter. `n` counts the facts `image`, `image_2`, … from 0.
#[utoipa::path(get, path = "/api/v1/subjects/{id}/media/{n}", tag = "subjects",
    security(("token" = ["read"]), ("token" = ["write"])),
    params(("id" = String, Path), ("n" = u32, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/png"),
    (status = 404, body = crate::problem::ProblemDocument),
    (status = 422, body = crate::problem::ProblemDocument, description = "There is no picture in the file.")))]
pub(crate) async fn one(
    State(app): State<Shared>,
    _: Either,
    Path((id, n)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let n = n.parse().map_err(|_| Problem::bad_request("images are counted from 0"))?;
    shown(&app, id, n, MAX_SIDE_PX).await
}

/// Which size.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ThumbnailParams {
    /// Longer side in pixels, 16 to 1024; 128 if absent.
    size: Option<usize>,
}

/// A subject's first image, small
#[utoipa::path(get, path = "/api/v1/subjects/{id}/thumbnail", tag = "subjects",
    security(("token" = ["read"]), ("token" = ["write"])), params(("id" = String, Path), ThumbnailParams),
    responses((status = 200, body = Vec<u8>, content_type = "image/png"),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn thumbnail(
    State(app): State<Shared>,
    _: Either,
    Id(id): Id,
    Params(params): Params<ThumbnailParams>,
) -> Result<Response, Problem> {
    let size = params.size.unwrap_or(THUMBNAIL_PX);
    if !(16..=1_024).contains(&size) {
        return Err(Problem::bad_request(format!("size is {size}; use 16 to 1024")));
    }
    shown(&app, id, 0, size).await
}

/// An image that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Added {
    /// The subject.
    id: String,
    /// Its place among the subject's images, counted from 0.
    n: usize,
    width_px: usize,
    height_px: usize,
}

/// Give a subject an image
///
/// PNG, JPEG, FITS or NPY, up to 32 MiB. It is kept as PNG under a name made of its content, behind the
/// subject's other images; the same picture again changes nothing.
#[utoipa::path(post, path = "/api/v1/subjects/{id}/media", tag = "subjects", security(("token" = ["write"])),
    params(("id" = String, Path)), request_body(content = Vec<u8>, content_type = "image/png"),
    responses((status = 201, body = Added), (status = 200, body = Added, description = "It was there."),
    (status = 404, body = crate::problem::ProblemDocument),
    (status = 413, body = crate::problem::ProblemDocument),
    (status = 422, body = crate::problem::ProblemDocument, description = "No picture that is taken.")))]
pub(crate) async fn add(
    State(app): State<Shared>,
    _: Writer,
    Id(id): Id,
    ImageBody(bytes): ImageBody,
) -> Result<Reply, Problem> {
    let folder = folder(&app)?;
    card(&app, id.clone()).await?;
    let limits = limits(&app);
    let (name, shown) = decoded(&app, move || {
        let shown = show(&bytes, MAX_SIDE_PX, &limits).map_err(|fault| refused(&fault))?;
        let name = format!("{}.png", &blake3::hash(&shown.png).to_hex()[..32]);
        keep(&folder.path().join(&name), &shown.png)
            .map_err(|error| Problem::failed(format!("keeping an image failed: {error}")))?;
        Ok((name, shown))
    })
    .await?;
    // Two who add at once must not overwrite each other's.
    let _held = app.acting.lock().await;
    let card = card(&app, id.clone()).await?;
    let known = images(&card.facts);
    let added = |n| Added { id: id.clone(), n, width_px: shown.width, height_px: shown.height };
    if let Some(n) = known.iter().position(|one| *one == name) {
        return Ok(Reply::new(&added(n)));
    }
    let n = known.len();
    if n >= MAX_IMAGES {
        return Err(Problem::unprocessable(format!("the subject has {n} images, and may have no more")));
    }
    let fact = (1..)
        .map(|n| if n == 1 { "image".to_owned() } else { format!("image_{n}") })
        .find(|fact| !card.facts.contains_key(fact))
        .unwrap_or_default();
    let mut facts = card.facts.clone();
    facts.insert(fact, name);
    let truth = app.live.book(&id).await?.truth().cloned().unwrap_or_default();
    let digest = &blake3::hash(id.as_bytes()).to_hex()[..16];
    let content = serde_json::to_vec(&facts).expect("text always serialises");
    let state = &blake3::hash(&content).to_hex()[..16];
    // Events of one millisecond are told apart by their ids: an image comes behind what it was added to.
    let key = Key { source: SOURCE.to_owned(), id: format!("subject_media/{digest}/{n:03}/{state}") };
    let kind = Kind::Subject { subject: id.clone(), validation: card.validation, truth, facts };
    submit(&app, vec![Event { key, at_ms: WHEN_HEARD_MS, kind }]).await?;
    Ok(Reply::new(&added(n)).status(StatusCode::CREATED))
}

/// Whole or not at all; what is there already has the same content.
fn keep(path: &PathBuf, bytes: &[u8]) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(std::path::Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".volary-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

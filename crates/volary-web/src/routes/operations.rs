//! Is it well, what is it, what has it counted, what does it offer.

use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::extract::Reader;
use crate::problem::Problem;
use crate::reply::Reply;

/// Whether it is well.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
    /// Whether the store takes events.
    store: bool,
}

/// Is it well?
///
/// Asks the store's writer, so that a full disk or a database that has gone shows here.
#[utoipa::path(get, path = "/api/v1/healthz", tag = "operations", responses(
    (status = 200, body = Health, description = "It takes events."),
    (status = 503, body = crate::problem::ProblemDocument, description = "The store has stopped.")
))]
pub(crate) async fn healthz(State(app): State<Shared>) -> Result<Reply, Problem> {
    let stopped =
        |_| Problem::busy("the store has stopped; what was acknowledged is on disk: start again");
    // Nothing is asked, but the writer must answer.
    app.live.verdicts(&[]).await.map_err(stopped)?;
    Ok(Reply::new(&Health { status: "ok", store: true }))
}

/// What it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Version {
    name: &'static str,
    version: &'static str,
}

/// What is it?
#[utoipa::path(get, path = "/api/v1/version", tag = "operations", responses((status = 200, body = Version)))]
pub(crate) async fn version() -> Reply {
    Reply::new(&Version { name: "volary", version: env!("CARGO_PKG_VERSION") })
}

/// Numbers for Prometheus
///
/// Counters, a histogram of latencies, and gauges; `volary_outbox_oldest_seconds` is the age of the oldest
/// delivery that waits.
#[utoipa::path(get, path = "/api/v1/metrics", tag = "operations", security(("token" = ["read"])),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(app): State<Shared>, _: Reader) -> Result<Response, Problem> {
    let waiting = app.live.waiting(1).await?;
    let age_ms = waiting.first().map_or(0, |oldest| (app.now_ms() - oldest.created_ms).max(0));
    let open =
        |of: &tokio::sync::Semaphore, max: usize| max.saturating_sub(of.available_permits()) as f64;
    let last_ms = app.oldest_waiting_ms.load(Ordering::Relaxed);
    let gauges = [
        ("volary_outbox_oldest_seconds", "Age of the oldest delivery that waits.", age_ms as f64 / 1e3),
        (
            "volary_outbox_failing_since_seconds",
            "Unix time of the oldest delivery that the sender could not make; 0 if there is none.",
            last_ms as f64 / 1e3,
        ),
        (
            "volary_connections",
            "Open connections.",
            open(&app.connections, app.settings.max_connections),
        ),
        ("volary_event_streams", "Open event streams.", open(&app.streams, app.settings.max_streams)),
        ("volary_started_seconds", "When the server started, Unix time.", app.started_ms as f64 / 1e3),
    ];
    let text = app.metrics.text(&gauges);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// What does it offer?
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "operations", responses((status = 200, body = Object)))]
pub(crate) async fn openapi() -> Response {
    // Made once: it is asked for without a token.
    static MADE: LazyLock<(String, String)> = LazyLock::new(|| {
        let body = super::openapi_json();
        (crate::reply::etag(body.as_bytes()), body)
    });
    let (tag, body) = &*MADE;
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::ETAG, tag.as_str())];
    (headers, body.as_str()).into_response()
}

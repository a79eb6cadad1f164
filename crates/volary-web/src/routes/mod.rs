//! The resources under `/api/v1`, a file each, and the document that describes them.

pub(crate) mod alerts;
pub(crate) mod classifications;
pub(crate) mod events;
pub(crate) mod exports;
pub(crate) mod jobs;
pub(crate) mod learner;
pub(crate) mod log;
pub(crate) mod media;
pub(crate) mod operations;
pub(crate) mod project;
pub(crate) mod reductions;
pub(crate) mod subjects;
pub(crate) mod webhooks;
pub(crate) mod workflows;

use std::sync::Arc;

use axum::Router;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use volary_live::Actor;

use crate::app::Shared;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Volary",
        description = "Votes and subjects in, consensus and alerts out. Ids are strings, times RFC 3339 \
                       UTC, lists come in pages, errors are RFC 9457 problems.",
        license(name = "MIT")
    ),
    components(schemas(crate::problem::ProblemDocument)),
    modifiers(&Bearer)
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", scheme);
    }
}

fn all() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(classifications::list, classifications::post))
        .routes(routes!(classifications::retract))
        .routes(routes!(classifications::correct))
        .routes(routes!(webhooks::panoptes))
        .routes(routes!(webhooks::caesar))
        .routes(routes!(subjects::list, subjects::post))
        .routes(routes!(subjects::next))
        .routes(routes!(subjects::one))
        .routes(routes!(subjects::votes))
        .routes(routes!(media::add))
        .routes(routes!(media::one))
        .routes(routes!(media::thumbnail))
        .routes(routes!(reductions::extracts))
        .routes(routes!(reductions::subject_reductions))
        .routes(routes!(reductions::user_reductions))
        .routes(routes!(reductions::user_skill))
        .routes(routes!(workflows::list))
        .routes(routes!(workflows::statuses))
        .routes(routes!(workflows::retire))
        .routes(routes!(workflows::unretire))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::one))
        .routes(routes!(alerts::act))
        .routes(routes!(events::stream))
        .routes(routes!(exports::table))
        .routes(routes!(log::list, log::post))
        .routes(routes!(log::policy))
        .routes(routes!(learner::status))
        .routes(routes!(jobs::list, jobs::start))
        .routes(routes!(jobs::one, jobs::stop))
        .routes(routes!(project::one))
        .routes(routes!(project::findings::sheets))
        .routes(routes!(project::findings::runs))
        .routes(routes!(project::machine::machine))
        .routes(routes!(project::tags::tags))
        .routes(routes!(project::labels::readers))
        .routes(routes!(project::tables::column))
        .routes(routes!(project::tables::query))
        .routes(routes!(project::tables::rows))
        .routes(routes!(project::tables::neighbours))
        .routes(routes!(project::sprites::thumbnails))
        .routes(routes!(project::boundary::boundary))
        .routes(routes!(project::sprites::manifest))
        .routes(routes!(project::sprites::rows))
        .routes(routes!(project::sprites::one))
        .routes(routes!(project::subjects::one))
        .routes(routes!(project::subjects::image))
        .routes(routes!(project::subjects::attention))
        .routes(routes!(project::subjects::light_curve))
        .routes(routes!(project::subjects::votes))
        .routes(routes!(project::known::questions))
        .routes(routes!(project::known::one))
        .routes(routes!(project::volunteers::list))
        .routes(routes!(project::volunteers::summary))
        .routes(routes!(project::volunteers::classes))
        .routes(routes!(project::volunteers::what_if))
        .routes(routes!(project::slices::list, project::slices::post))
        .routes(routes!(project::slices::remove))
        .routes(routes!(project::slices::slice))
        .routes(routes!(project::findings::data_use))
        .routes(routes!(project::labels::list, project::labels::post))
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::version))
        .routes(routes!(operations::metrics))
        .routes(routes!(operations::openapi))
}

/// All routes, without the guard.
pub(crate) fn router(app: &Shared) -> Router {
    let (router, _) = all().split_for_parts();
    router.fallback(crate::page::serve).with_state(Arc::clone(app))
}

/// The document that describes the API, as it is checked in.
#[must_use]
pub fn openapi_json() -> String {
    let (_, document) = all().split_for_parts();
    let mut text = document.to_pretty_json().expect("the document is plain text");
    text.push('\n');
    text
}

/// Somebody as the API names them: `user:7`, `anonymous:3f…`, or a user's id.
pub(crate) fn actor(text: &str) -> Actor {
    match text.split_once(':') {
        Some(("anonymous", session)) => Actor::Anonymous(session.to_owned()),
        Some(("user", id)) => Actor::User(id.to_owned()),
        _ => Actor::User(text.to_owned()),
    }
}

/// A time as the API writes it.
pub(crate) fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| format!("{time:.3}"))
}

//! The volunteers, in groups of ten or more. Nobody is told apart; there is no route that would.

use axum::extract::State;

use super::computed;
use crate::app::Shared;
use crate::extract::Reader;
use crate::problem::Problem;
use crate::project::crowd::Crowd;
use crate::reply::Reply;

/// The volunteers together
///
/// By experience and by agreement with the others' consensus; a group has ten people or more.
#[utoipa::path(get, path = "/api/v1/volunteers/summary", tag = "project", security(("token" = ["read"])),
    responses((status = 200, body = Crowd)))]
pub(crate) async fn summary(State(app): State<Shared>, _: Reader) -> Result<Reply, Problem> {
    Ok(Reply::new(&computed(move || Crowd::of(&app.project().people)).await?))
}

//! What volunteers are shown, and what has been learnt: the streams, the learner, its alarms.

use axum::extract::State;
use serde_json::json;

use crate::app::Shared;
use crate::extract::Reader;
use crate::problem::Problem;
use crate::reply::Reply;

/// The learner
///
/// How many subjects are open in each stream; the two models, how good the one in use is on subjects with a
/// known truth, changes of the model in use, and alarms of the drift watch.
#[utoipa::path(get, path = "/api/v1/learner", tag = "learner", security(("token" = ["read"])),
    responses((status = 200, body = Object)))]
pub(crate) async fn status(State(app): State<Shared>, _: Reader) -> Result<Reply, Problem> {
    // A server without streams has none, and no learner.
    let nothing = || json!({ "open_subjects": null, "learner": null });
    Ok(Reply::new(&app.queue.status().await.unwrap_or_else(nothing)))
}

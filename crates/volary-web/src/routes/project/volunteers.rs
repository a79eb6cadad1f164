//! The volunteers: in groups of ten or more for everybody who may read, one by one for admins.
//!
//! Nobody's name or key is in this process' project at all; what an admin sees are names of this run of the server.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use volary_crowd::CrowdError;

use super::computed;
use crate::app::Shared;
use crate::extract::{Admin, Params, Reader};
use crate::paging;
use crate::problem::Problem;
use crate::project::crowd::{Crowd, QuestionClasses};
use crate::project::one_by_one::{AnonymousView, By, ENOUGH, OneView};
use crate::project::what_if::WhatIf;
use crate::reply::Reply;

/// Of intervals, where no project says another.
pub(crate) const LEVEL: f64 = 0.95;

/// What went wrong with the votes.
pub(crate) fn failed(error: &CrowdError) -> Problem {
    Problem::failed(format!("the votes could not be counted: {error}"))
}

/// The volunteers together
///
/// By experience and by agreement with the others' consensus; a group has ten people or more. Those without an account
/// are one group, whoever they are.
#[utoipa::path(get, path = "/api/v1/volunteers/summary", tag = "project", security(("token" = ["read"])),
    responses((status = 200, body = Crowd)))]
pub(crate) async fn summary(State(app): State<Shared>, _: Reader) -> Result<Reply, Problem> {
    let project = app.project();
    let view = move || Crowd::of(&project.people, project.n_opted_out);
    Ok(Reply::new(&computed(view).await?))
}

/// Agreement by answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClassesView {
    /// Level of the intervals.
    level: f64,
    questions: Vec<QuestionClasses>,
}

/// Agreement by answer
///
/// Where the others say an answer, how often people say it too: over ten people or more, with an interval that knows
/// that votes of one person are alike.
#[utoipa::path(get, path = "/api/v1/volunteers/classes", tag = "project", security(("token" = ["read"])),
    responses((status = 200, body = ClassesView)))]
pub(crate) async fn classes(State(app): State<Shared>, _: Reader) -> Result<Reply, Problem> {
    let view = move || -> Result<ClassesView, Problem> {
        let project = app.project();
        let Some(electorate) = &project.electorate else {
            return Ok(ClassesView { level: LEVEL, questions: Vec::new() });
        };
        let questions = electorate.classes().map_err(|e| failed(&e))?.to_vec();
        Ok(ClassesView { level: electorate.params.level(), questions })
    };
    Ok(Reply::new(&computed(view).await??))
}

/// Which weighing.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhatIfParams {
    /// As `volary consensus --method` calls it; the first that there is if absent.
    method: Option<String>,
}

/// What if votes counted by skill
///
/// The consensus with equal votes beside that of a skill model, and the subjects whose answer is another one: those of
/// `volary consensus` with and without `--method`.
#[utoipa::path(get, path = "/api/v1/volunteers/what_if", tag = "project", security(("token" = ["read"])),
    params(WhatIfParams), responses((status = 200, body = WhatIf),
    (status = 400, body = crate::problem::ProblemDocument)))]
pub(crate) async fn what_if(
    State(app): State<Shared>,
    _: Reader,
    Params(params): Params<WhatIfParams>,
) -> Result<Reply, Problem> {
    let view = move || {
        let project = app.project();
        let Some(electorate) = &project.electorate else { return Ok(WhatIf::default()) };
        match electorate.what_if(params.method.as_deref()) {
            Some(found) => found.map(|found| (*found).clone()).map_err(|e| failed(&e)),
            None => {
                let names = electorate.method_names().join(", ");
                Err(Problem::bad_request(format!("there is no such way of weighing; there are {names}")))
            }
        }
    };
    Ok(Reply::new(&computed(view).await??))
}

/// Which page, and in which order.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OnesParams {
    /// `n` (most classifications first; as if absent) or `uncertainty` (widest intervals first). There is no order
    /// by skill.
    sort: Option<By>,
    /// Where the page begins.
    cursor: Option<String>,
    /// 1 to 1000; 100 if absent.
    page_size: Option<u32>,
}

/// A page of volunteers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OnesView {
    volunteers: Vec<OneView>,
    /// All who voted without an account.
    anonymous: AnonymousView,
    /// People who opted out; no row is about them.
    n_opted_out: usize,
    /// Known answers below which nothing is said of somebody's skill.
    enough: u64,
    /// All rows, of which these are a page.
    n: usize,
    links: paging::Links,
}

/// The volunteers one by one
///
/// For admins. Under names that hold until the server ends and are kept nowhere; skill by class on subjects whose answer
/// is known, with credible intervals, from twenty such answers on.
#[utoipa::path(get, path = "/api/v1/volunteers", tag = "project", security(("token" = ["admin"])),
    params(OnesParams), responses((status = 200, body = OnesView),
    (status = 400, body = crate::problem::ProblemDocument),
    (status = 403, body = crate::problem::ProblemDocument)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    _: Admin,
    Params(params): Params<OnesParams>,
) -> Result<Reply, Problem> {
    let size = paging::size(params.page_size)? as usize;
    let from: usize = paging::parts(params.cursor.as_deref())?;
    let by = params.sort.unwrap_or_default();
    let key = app.pseudonym_key()?;
    let view = move || {
        let project = app.project();
        let (rows, anonymous) = match &project.electorate {
            Some(electorate) => (electorate.one_by_one(&key, by), electorate.anonymous()),
            None => (Vec::new(), AnonymousView::default()),
        };
        let (n, n_opted_out) = (rows.len(), project.n_opted_out);
        let volunteers: Vec<OneView> = rows.into_iter().skip(from).take(size).collect();
        let next = (from + volunteers.len() < n).then(|| paging::cursor(&(from + volunteers.len())));
        let sort = params.sort.map(|by| json!(by).as_str().unwrap_or_default().to_owned());
        let query = [("sort", sort), ("page_size", params.page_size.map(|n| n.to_string()))];
        let links = paging::links("/api/v1/volunteers", &query, next);
        OnesView { volunteers, anonymous, n_opted_out, enough: ENOUGH, n, links }
    };
    Ok(Reply::new(&computed(view).await?))
}

//! Alerts: what was announced, as it was.
//!
//! An alert never changes. Who voted for it is shown to `admin` only; the others see how many.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use volary_live::Alert;
use volary_live::alert::Voter;

use super::time;
use crate::app::Shared;
use crate::extract::{Id, Params, Reader};
use crate::paging;
use crate::problem::Problem;
use crate::reply::{Reply, choose};
use crate::tokens::Role;

/// An alert.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertView {
    /// Its number.
    id: String,
    subject_id: String,
    workflow_id: String,
    workflow_major: String,
    rule: String,
    /// Version of the policy.
    policy: String,
    project: String,
    /// When the vote that crossed was received.
    at: String,
    /// Votes counted at the crossing.
    n_votes: u64,
    /// The positive ones.
    n_positive: u64,
    /// 95 % interval of the true share (Jeffreys), low end.
    p_low: f64,
    /// High end.
    p_high: f64,
    /// For `admin` only: who spoke for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    voters: Option<Vec<Voter>>,
    /// Hash of the keys of all votes up to the crossing.
    event_set_hash: String,
    /// Hash of the alert before.
    previous: String,
    /// Its own hash.
    hash: String,
}

impl AlertView {
    pub(crate) fn of(alert: Alert, with_voters: bool) -> Self {
        Self {
            id: alert.number.to_string(),
            subject_id: alert.subject,
            workflow_id: alert.workflow,
            workflow_major: alert.major,
            rule: alert.rule,
            policy: alert.policy,
            project: alert.project,
            at: time(alert.at_ms),
            n_votes: alert.n,
            n_positive: alert.k,
            p_low: alert.p_low,
            p_high: alert.p_high,
            voters: with_voters.then_some(alert.voters),
            event_set_hash: alert.event_set_hash,
            previous: alert.previous,
            hash: alert.hash,
        }
    }
}

const FIELDS: [&str; 16] = [
    "id",
    "subject_id",
    "workflow_id",
    "workflow_major",
    "rule",
    "policy",
    "project",
    "at",
    "n_votes",
    "n_positive",
    "p_low",
    "p_high",
    "voters",
    "event_set_hash",
    "previous",
    "hash",
];

/// A page of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alerts {
    alerts: Vec<AlertView>,
    links: paging::Links,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Where the page begins.
    cursor: Option<String>,
    /// 1 to 1000; 100 if absent.
    page_size: Option<u32>,
    /// Only these fields.
    fields: Option<String>,
}

/// Alerts
///
/// In the order in which they were raised.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", security(("token" = ["read"])),
    params(ListParams), responses((status = 200, body = Alerts)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    Reader(asker): Reader,
    Params(params): Params<ListParams>,
) -> Result<Reply, Problem> {
    let size = paging::size(params.page_size)?;
    let after: u64 = paging::parts(params.cursor.as_deref())?;
    let alerts = app.live.alerts(after, size).await?;
    let next = alerts.last().filter(|_| alerts.len() == size as usize);
    let next = next.map(|last| paging::cursor(&last.number));
    let with_voters = asker.may(Role::Admin);
    let mut items: Vec<Value> =
        alerts.into_iter().map(|alert| json!(AlertView::of(alert, with_voters))).collect();
    choose(params.fields.as_deref(), &FIELDS, &mut items)?;
    let query = [("page_size", params.page_size.map(|n| n.to_string())), ("fields", params.fields)];
    Ok(Reply::new(&paging::page("alerts", items, "/api/v1/alerts", &query, next)))
}

/// The alert of a number.
pub(crate) async fn find(app: &Shared, id: &str) -> Result<Alert, Problem> {
    let none = || Problem::not_found("no alert has this number");
    let number: u64 = id.parse().map_err(|_| none())?;
    let after = number.checked_sub(1).ok_or_else(none)?;
    let found = app.live.alerts(after, 1).await?;
    found.into_iter().find(|alert| alert.number == number).ok_or_else(none)
}

/// An alert
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "alerts", security(("token" = ["read"])),
    params(("id" = String, Path, description = "Its number.")), responses((status = 200, body = AlertView),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn one(
    State(app): State<Shared>,
    Reader(asker): Reader,
    Id(id): Id,
) -> Result<Reply, Problem> {
    let alert = find(&app, &id).await?;
    Ok(Reply::new(&AlertView::of(alert, asker.may(Role::Admin))))
}

//! Alerts: what was announced, as it was, and what the team has done about it.
//!
//! An alert never changes; actions are added beside it. Who voted for it is shown to `admin` only; the others see how many.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use volary_live::alert::Voter;
use volary_live::{Alert, Event, Key, Kind, Outcome};

use super::classifications::submit;
use super::subjects::{SOURCE, WHEN_HEARD_MS};
use super::time;
use crate::app::Shared;
use crate::extract::{Asker, Body, Id, Params, Reader, Writer};
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

/// What may be asked of the list of alerts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertParams {
    /// Where the page begins; from a list in the same order.
    cursor: Option<String>,
    /// 1 to 1000; 100 if absent.
    page_size: Option<u32>,
    /// Only these fields.
    fields: Option<String>,
    /// `oldest`: as they were raised, which is so if absent; `newest`: the last one first.
    order: Option<String>,
}

/// Alerts
///
/// In the order in which they were raised, or the newest first.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", security(("token" = ["read"])),
    params(AlertParams), responses((status = 200, body = Alerts),
    (status = 400, body = crate::problem::ProblemDocument)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    Reader(asker): Reader,
    Params(params): Params<AlertParams>,
) -> Result<Reply, Problem> {
    let size = paging::size(params.page_size)?;
    let alerts = match params.order.as_deref() {
        None | Some("oldest") => app.live.alerts(paging::parts(params.cursor.as_deref())?, size).await?,
        Some("newest") => {
            let before = match params.cursor.as_deref() {
                None => u64::MAX,
                cursor => paging::parts(cursor)?,
            };
            app.live.newest_alerts(before, size).await?
        }
        Some(_) => return Err(Problem::bad_request("an order of alerts is `oldest` or `newest`")),
    };
    let next = alerts.last().filter(|_| alerts.len() == size as usize);
    let next = next.map(|last| paging::cursor(&last.number));
    let with_voters = asker.may(Role::Admin);
    let mut items: Vec<Value> =
        alerts.into_iter().map(|alert| json!(AlertView::of(alert, with_voters))).collect();
    choose(params.fields.as_deref(), &FIELDS, &mut items)?;
    let query = [
        ("page_size", params.page_size.map(|n| n.to_string())),
        ("fields", params.fields),
        ("order", params.order),
    ];
    Ok(Reply::new(&paging::page("alerts", items, "/api/v1/alerts", &query, next)))
}

/// What was done about an alert.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActionView {
    /// `claim`, `vet`, `known` or `note`.
    action: String,
    /// Who, as the team calls them.
    who: String,
    note: String,
    /// When it was received.
    at: String,
}

/// An alert with what was done about it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertWithActions {
    #[serde(flatten)]
    alert: AlertView,
    /// In the order in which it was done.
    actions: Vec<ActionView>,
}

async fn with_actions(app: &Shared, alert: Alert, asker: &Asker) -> Result<Reply, Problem> {
    let mut actions = Vec::new();
    for logged in app.live.actions().await? {
        if let Kind::Action { alert: of, action, who, note } = logged.event.kind
            && of == alert.hash
        {
            actions.push(ActionView { action, who, note, at: time(logged.received_ms) });
        }
    }
    let alert = AlertView::of(alert, asker.may(Role::Admin));
    Ok(Reply::new(&AlertWithActions { alert, actions }))
}

/// Something done about an alert.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAction {
    /// `claim`, `vet`, `known` or `note`.
    action: String,
    /// Who, as the team calls them.
    #[serde(default)]
    who: String,
    #[serde(default)]
    note: String,
}

/// Do something about an alert
///
/// Adds to what was done; nothing is ever taken away. Needs both `read` and `write`, or `admin`. With
/// `If-Match` only if nobody has done anything since the alert was read. With `Idempotency-Key` a repeat
/// adds nothing.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/actions", tag = "alerts", security(("token" = ["read", "write"])),
    params(("id" = String, Path, description = "Its number."),
    ("if-match" = Option<String>, Header, description = "The `ETag` of the alert as it was read."),
    ("idempotency-key" = Option<String>, Header, description = "The same for repeats of one request.")),
    request_body = NewAction, responses((status = 201, body = AlertWithActions, description = "Done."),
    (status = 200, body = AlertWithActions, description = "It was done before."),
    (status = 412, body = crate::problem::ProblemDocument, description = "Somebody was faster.")))]
pub(crate) async fn act(
    State(app): State<Shared>,
    Reader(asker): Reader,
    _: Writer,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Reply, Problem> {
    let new: NewAction = body.read()?;
    let alert = find(&app, &id).await?;
    let event = Event {
        key: own_key(&headers, "action", &alert.hash)?,
        at_ms: WHEN_HEARD_MS,
        kind: Kind::Action {
            alert: alert.hash.clone(),
            action: new.action,
            who: new.who,
            note: new.note,
        },
    };
    event.check().map_err(|error| Problem::unprocessable(error.to_string()))?;
    // One at a time, so that of two who read the same only one gets through.
    let _one = app.acting.lock().await;
    if let Some(wanted) = headers.get(header::IF_MATCH) {
        let now = with_actions(&app, alert.clone(), &asker).await?.etag();
        let is_it = wanted
            .to_str()
            .is_ok_and(|wanted| wanted.trim() == "*" || wanted.split(',').any(|one| one.trim() == now));
        if !is_it {
            let detail = "somebody has done something about this alert since you read it; read it again";
            return Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail));
        }
    }
    let status = match submit(&app, vec![event]).await?.first() {
        Some(Outcome::New(_)) => StatusCode::CREATED,
        Some(Outcome::Conflict) => {
            let detail = "this Idempotency-Key was used for another action; use a new one";
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        _ => StatusCode::OK,
    };
    Ok(with_actions(&app, alert, &asker).await?.status(status))
}

/// The key of something that is said here first: by the request's `Idempotency-Key`, or drawn.
pub(crate) fn own_key(headers: &HeaderMap, kind: &str, of: &str) -> Result<Key, Problem> {
    let said = headers.get("idempotency-key").map(|value| value.as_bytes().to_vec());
    let unique = match said {
        Some(said) => said,
        None => {
            let mut drawn = vec![0; 16];
            getrandom::fill(&mut drawn)
                .map_err(|_| Problem::busy("the system gives no random bytes; try again"))?;
            drawn
        }
    };
    let mut hasher = blake3::Hasher::new();
    for part in [kind.as_bytes(), of.as_bytes(), &unique] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let id = format!("{kind}/{}", &hasher.finalize().to_hex()[..32]);
    Ok(Key { source: SOURCE.to_owned(), id })
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
///
/// With what was done about it.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "alerts", security(("token" = ["read"])),
    params(("id" = String, Path, description = "Its number.")), responses((status = 200, body = AlertWithActions),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn one(
    State(app): State<Shared>,
    Reader(asker): Reader,
    Id(id): Id,
) -> Result<Reply, Problem> {
    let alert = find(&app, &id).await?;
    with_actions(&app, alert, &asker).await
}

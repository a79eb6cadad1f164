//! Votes in, one or many at a time, and the votes that are there.
//!
//! A vote is known by its source and its id there. The answer to a repeat is the first answer; the same id
//! with other content is a conflict. An answer means that the votes are on disk. Only then is a vote on a
//! validation subject compared with the truth, and the answer says whether it was right.

use std::collections::{BTreeMap, HashMap};

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use volary_live::event::Answers;
use volary_live::{Actor, Event, Key, Kind, Logged, Outcome, incoming};

use super::time;
use crate::app::App;
use crate::app::Shared;
use crate::extract::{Body, Params, Reader, Writer};
use crate::paging;
use crate::problem::{Fault, Problem};
use crate::reply::{Reply, choose};
use crate::tokens::Role;

/// Faults that one answer names.
pub(super) const MAX_FAULTS: usize = 100;

/// Whether a vote on a validation subject was right.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Feedback {
    right: bool,
    /// What would have been right, by task.
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    truth: Answers,
}

/// A classification that is on disk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    id: String,
    source: String,
    /// Of a validation subject only.
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<Feedback>,
}

/// What was accepted, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AllAccepted {
    classifications: Vec<Accepted>,
}

/// Send classifications
///
/// One object, a list, `{"classifications":[…]}`, or one object a line. Volary's own events
/// (`{"source","id","at_ms","kind":"vote","workflow","version","subject","actor","answers"}`) or those of
/// Panoptes and Caesar. Nothing is stored unless all of it can be read.
#[utoipa::path(post, path = "/api/v1/classifications", tag = "classifications",
    security(("token" = ["write"])), request_body = Object, responses(
    (status = 201, body = AllAccepted, description = "On disk, at least one of them new."),
    (status = 200, body = AllAccepted, description = "On disk, all of them before."),
    (status = 404, body = crate::problem::ProblemDocument, description = "An unknown subject, if only known ones are taken."),
    (status = 409, body = crate::problem::ProblemDocument, description = "An id is taken by another vote; the others are on disk."),
    (status = 422, body = crate::problem::ProblemDocument, description = "Something in it cannot be.")
))]
pub(crate) async fn post(State(app): State<Shared>, _: Writer, body: Body) -> Result<Reply, Problem> {
    take(&app, &body, &["vote", "subject"]).await
}

/// Take votes back
///
/// `{"source","id","at_ms","kind":"retract","of"}`: `of` is the id of a vote of the same source. It counts no
/// more, and stays in the log.
#[utoipa::path(post, path = "/api/v1/retractions", tag = "classifications", security(("token" = ["write"])),
    request_body = Object, responses((status = 201, body = AllAccepted), (status = 200, body = AllAccepted)))]
pub(crate) async fn retract(State(app): State<Shared>, _: Writer, body: Body) -> Result<Reply, Problem> {
    take(&app, &body, &["retract"]).await
}

/// Correct votes
///
/// `{"source","id","at_ms","kind":"correct","of","answers"}`: the vote says something else, in its old place.
#[utoipa::path(post, path = "/api/v1/corrections", tag = "classifications", security(("token" = ["write"])),
    request_body = Object, responses((status = 201, body = AllAccepted), (status = 200, body = AllAccepted)))]
pub(crate) async fn correct(State(app): State<Shared>, _: Writer, body: Body) -> Result<Reply, Problem> {
    take(&app, &body, &["correct"]).await
}

async fn take(app: &App, body: &Body, kinds: &[&str]) -> Result<Reply, Problem> {
    let parsed = incoming::parse(&body.0);
    if parsed.problems.total() > 0 {
        return Err(unreadable(&body.0));
    }
    let wrong = |at: usize, code: &str, message: String| Fault {
        pointer: format!("/{at}"),
        code: code.to_owned(),
        message,
    };
    let mut faults = Vec::new();
    for (at, event) in parsed.events.iter().enumerate() {
        if !kinds.contains(&event.kind_name()) {
            let message = format!("an event of kind {} is not taken here", event.kind_name());
            faults.push(wrong(at, "kind", message));
        }
        if let Kind::Vote { workflow, answers, .. } = &event.kind
            && let Some(workflow) = app.settings.workflows.get(workflow)
            && let Err(message) = workflow.check(answers)
        {
            faults.push(wrong(at, "answer", message));
        }
    }
    if !faults.is_empty() {
        faults.truncate(MAX_FAULTS);
        return Err(Problem::unprocessable("nothing was stored; mend what is listed").with(faults));
    }
    if app.settings.known_subjects_only {
        check_known(app, &parsed.events).await?;
    }
    check_rates(app, &parsed.events)?;
    let votes: Vec<Key> = parsed.events.iter().map(|event| event.key.clone()).collect();
    let exams: Vec<Key> =
        parsed.events.iter().filter(|event| app.is_exam(event)).map(|event| event.key.clone()).collect();
    let outcomes = submit(app, parsed.events).await?;
    let mut feedback = feedback(app, exams).await?;
    let mut accepted = Vec::with_capacity(votes.len());
    for (at, (key, outcome)) in votes.into_iter().zip(&outcomes).enumerate() {
        match outcome {
            Outcome::New(_) | Outcome::Duplicate => {
                let feedback = feedback.remove(&key);
                accepted.push(Accepted { id: key.id, source: key.source, feedback });
            }
            Outcome::Conflict => {
                let message = "this id is taken by an event with other content; the first one stands";
                faults.push(wrong(at, "conflict", message.to_owned()));
            }
            Outcome::Refused(error) => faults.push(wrong(at, "form", error.to_string())),
        }
    }
    if !faults.is_empty() {
        faults.truncate(MAX_FAULTS);
        let detail = "what is listed was not stored; all else in the request is on disk";
        return Err(Problem::new(StatusCode::CONFLICT, detail).with(faults));
    }
    let any_new = outcomes.iter().any(|outcome| matches!(outcome, Outcome::New(_)));
    let status = if any_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Reply::new(&AllAccepted { classifications: accepted }).status(status))
}

/// Whether votes on validation subjects were right.
async fn feedback(app: &App, votes: Vec<Key>) -> Result<BTreeMap<Key, Feedback>, Problem> {
    if votes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let verdicts = app.live.verdicts(&votes).await?;
    let told = votes.into_iter().zip(verdicts).filter_map(|(key, verdict)| {
        let verdict = verdict?;
        Some((key, Feedback { right: verdict.is_right, truth: verdict.truth }))
    });
    Ok(told.collect())
}

/// Hands events to the store and counts what became of them.
pub(crate) async fn submit(app: &App, events: Vec<Event>) -> Result<Vec<Outcome>, Problem> {
    app.note(events.iter());
    let outcomes = app.live.submit(events).await?;
    count(app, &outcomes);
    Ok(outcomes)
}

/// Counts what became of events.
pub(crate) fn count(app: &App, outcomes: &[Outcome]) {
    let mut by: BTreeMap<&str, u64> = BTreeMap::new();
    for outcome in outcomes {
        let name = match outcome {
            Outcome::New(_) => "new",
            Outcome::Duplicate => "duplicate",
            Outcome::Conflict => "conflict",
            Outcome::Refused(_) => "refused",
        };
        *by.entry(name).or_default() += 1;
    }
    for (name, n) in by {
        app.metrics.add("volary_events_total", format!("outcome=\"{name}\""), n);
    }
}

/// Reads item by item to say which ones are broken.
fn unreadable(body: &[u8]) -> Problem {
    let items: Vec<Vec<u8>> = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(items)) => items.iter().map(|item| item.to_string().into_bytes()).collect(),
        Ok(Value::Object(object)) => {
            match ["payload", "classifications"].iter().find_map(|key| object.get(*key)?.as_array()) {
                Some(items) => items.iter().map(|item| item.to_string().into_bytes()).collect(),
                None => vec![body.to_vec()],
            }
        }
        Ok(_) => vec![body.to_vec()],
        Err(_) => body.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect(),
    };
    let mut faults = Vec::new();
    for (at, item) in items.iter().enumerate() {
        for problem in incoming::parse(item).problems.examples().take(1) {
            let pointer = format!("/{at}/{}", problem.column);
            let pointer = pointer.trim_end_matches('/').to_owned();
            faults.push(Fault { pointer, code: "form".into(), message: problem.detail.clone() });
        }
        if faults.len() >= MAX_FAULTS {
            break;
        }
    }
    Problem::unprocessable("nothing was stored; mend what is listed and send it again").with(faults)
}

/// Nobody votes faster than a person can, whichever token brings the votes.
fn check_rates(app: &App, events: &[Event]) -> Result<(), Problem> {
    let mut by: HashMap<&str, u32> = HashMap::new();
    for event in events {
        if let Kind::Vote { actor: Actor::User(name) | Actor::Anonymous(name), .. } = &event.kind
            && !name.is_empty()
        {
            *by.entry(name).or_default() += 1;
        }
    }
    app.by_volunteer.take_all(by, app.now_ms()).map_err(|wait_ms| {
        app.too_many(
            wait_ms,
            "one volunteer sent too many votes; nothing was stored; send it again after Retry-After, \
             and the past of a project through `volary ingest`",
        )
    })
}

async fn check_known(app: &App, events: &[Event]) -> Result<(), Problem> {
    let mut voted_on: Vec<String> = Vec::new();
    for event in events {
        if let Kind::Vote { subject, .. } = &event.kind {
            voted_on.push(subject.clone());
        }
    }
    voted_on.sort_unstable();
    voted_on.dedup();
    let mut known = app.live.cards_of(&voted_on).await?;
    known.retain(|_, card| card.announced);
    match voted_on.iter().find(|subject| !known.contains_key(*subject)) {
        None => Ok(()),
        Some(_) => {
            let unknown = voted_on.iter().filter(|subject| !known.contains_key(*subject));
            let fault = |subject: &String| Fault {
                pointer: "subject".into(),
                code: "unknown-subject".into(),
                message: format!("subject {subject:?} was not announced"),
            };
            let faults = unknown.take(MAX_FAULTS).map(fault).collect();
            Err(Problem::not_found("nothing was stored; announce the subjects first").with(faults))
        }
    }
}

/// A classification as it is read.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Classification {
    /// `source/id`.
    id: String,
    /// Place in the log.
    seq: String,
    /// `vote`, `retract` or `correct`.
    kind: &'static str,
    /// When it was made, by its source.
    created_at: String,
    /// When it was received.
    received_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_version: Option<String>,
    /// By task.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Vec<String>>>)]
    answers: Option<Answers>,
    links: ClassificationLinks,
}

/// What it belongs to.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct ClassificationLinks {
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subjects: Vec<String>,
    /// For `admin` only, and absent for people without a login.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The vote that is taken back or corrected.
    #[serde(skip_serializing_if = "Option::is_none")]
    classification: Option<String>,
}

impl Classification {
    fn of(logged: &Logged, with_user: bool) -> Self {
        let Key { source, id } = &logged.event.key;
        let mut links = ClassificationLinks::default();
        let mut one = Self {
            id: format!("{source}/{id}"),
            seq: logged.seq.to_string(),
            kind: logged.event.kind_name(),
            created_at: time(logged.event.at_ms),
            received_at: time(logged.received_ms),
            workflow_version: None,
            answers: None,
            links: ClassificationLinks::default(),
        };
        match &logged.event.kind {
            Kind::Vote { workflow, version, subject, actor, answers } => {
                links.workflow = Some(workflow.clone());
                links.subjects = vec![subject.clone()];
                links.user = match actor {
                    Actor::User(user) if with_user => Some(user.clone()),
                    _ => None,
                };
                one.workflow_version = Some(version.clone());
                one.answers = Some(answers.clone());
            }
            Kind::Correct { of, answers } => {
                links.classification = Some(format!("{source}/{of}"));
                one.answers = Some(answers.clone());
            }
            Kind::Retract { of } => links.classification = Some(format!("{source}/{of}")),
            _ => {}
        }
        one.links = links;
        one
    }
}

/// A page of classifications.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClassificationPage {
    classifications: Vec<Classification>,
    links: paging::Links,
}

/// What may be asked of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only of this subject.
    subject_id: Option<String>,
    /// Where the page begins.
    cursor: Option<String>,
    /// 1 to 1000; 100 if absent.
    page_size: Option<u32>,
    /// Only these fields.
    fields: Option<String>,
}

const FIELDS: [&str; 8] =
    ["id", "seq", "kind", "created_at", "received_at", "workflow_version", "answers", "links"];

/// Read classifications
///
/// In the order in which they were received, retractions and corrections among them. Who voted is shown to
/// `admin` only.
#[utoipa::path(get, path = "/api/v1/classifications", tag = "classifications",
    security(("token" = ["read"])), params(ListParams), responses((status = 200, body = ClassificationPage)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    Reader(asker): Reader,
    Params(params): Params<ListParams>,
) -> Result<Reply, Problem> {
    let size = paging::size(params.page_size)?;
    let after: i64 = paging::parts(params.cursor.as_deref())?;
    let found = app.live.vote_page(after, params.subject_id.as_deref(), size).await?;
    let next =
        found.last().filter(|_| found.len() == size as usize).map(|last| paging::cursor(&last.seq));
    let with_user = asker.may(Role::Admin);
    let mut items: Vec<Value> =
        found.iter().map(|logged| json!(Classification::of(logged, with_user))).collect();
    choose(params.fields.as_deref(), &FIELDS, &mut items)?;
    let query = [
        ("subject_id", params.subject_id),
        ("page_size", params.page_size.map(|n| n.to_string())),
        ("fields", params.fields),
    ];
    Ok(Reply::new(&paging::page("classifications", items, "/api/v1/classifications", &query, next)))
}

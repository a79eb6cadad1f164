//! Subjects: announced, listed, looked at, handed out.
//!
//! Whoever has only the role `write` speaks for volunteers who have yet to vote: it sees a subject's facts
//! and nothing that could sway them. Neither votes nor scores nor whether the truth is known; validation
//! subjects look like all others, by the same code path. The truth itself is shown to nobody.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use volary_live::book::Card;
use volary_live::event::Answers;
use volary_live::{Book, Event, Key, Kind, Outcome, facts};

use super::classifications::submit;
use super::time;
use crate::app::Shared;
use crate::extract::{Asker, Body, Either, Id, Params, Reader, Writer};
use crate::paging;
use crate::problem::{Fault, Problem};
use crate::reply::{Reply, choose};
use crate::tokens::Role;

/// The source of what is said here first: subjects, actions, retirements by hand.
pub(crate) const SOURCE: &str = "volary";
/// "When it was heard": a time that no clock reaches, held back to the time of receipt. So the same row
/// sent twice is the same event.
pub(crate) const WHEN_HEARD_MS: i64 = 253_402_300_799_999;
/// Facts that are scores begin so.
pub(crate) const SCORE: &str = "score:";

/// A row of a manifest.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// Its id.
    id: String,
    /// What there is to know: `ra_deg`, `dec_deg`, `name`, `image`, ….
    #[serde(default)]
    facts: BTreeMap<String, Value>,
    /// Scores by model; never shown before the vote.
    #[serde(default)]
    scores: BTreeMap<String, f64>,
    /// The right answers by task; makes it a validation subject. Never shown.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    truth: Answers,
    /// When it was so; the time of receipt if absent.
    #[serde(default)]
    at: Option<String>,
}

/// What was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Announced {
    subjects: Vec<SubjectId>,
}

/// A subject's id.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubjectId {
    id: String,
}

/// Announce subjects
///
/// A row, a list, or `{"subjects":[…]}`. The same row again changes nothing; other facts replace the earlier
/// ones. To go back to facts of before, say when with `at`.
#[utoipa::path(post, path = "/api/v1/subjects", tag = "subjects", security(("token" = ["write"])),
    request_body = Row, responses((status = 201, body = Announced, description = "On disk, at least one new."),
    (status = 200, body = Announced, description = "All of it was there."),
    (status = 422, body = crate::problem::ProblemDocument)))]
pub(crate) async fn post(State(app): State<Shared>, _: Writer, body: Body) -> Result<Reply, Problem> {
    let rows = match body.read::<Value>()? {
        Value::Object(mut object) if object.contains_key("subjects") => {
            match object.remove("subjects") {
                Some(Value::Array(rows)) if object.is_empty() => rows,
                _ => return Err(Problem::unprocessable("`subjects` is a list, and stands alone")),
            }
        }
        Value::Array(rows) => rows,
        row => vec![row],
    };
    let mut ids = Vec::with_capacity(rows.len());
    let mut events = Vec::with_capacity(rows.len());
    let mut faults = Vec::new();
    for (at, row) in rows.into_iter().enumerate() {
        let row = serde_json::from_value::<Row>(row).map_err(|error| error.to_string());
        let id = row.as_ref().map(|row| row.id.clone()).unwrap_or_default();
        match row.and_then(Row::event) {
            Ok(event) => {
                ids.push(SubjectId { id });
                events.push(event);
            }
            Err(message) => {
                faults.push(Fault { pointer: format!("/{at}"), code: "form".into(), message });
            }
        }
    }
    if !faults.is_empty() {
        faults.truncate(super::classifications::MAX_FAULTS);
        return Err(Problem::unprocessable("nothing was stored; mend what is listed").with(faults));
    }
    let outcomes = submit(&app, events).await?;
    let any_new = outcomes.iter().any(|outcome| matches!(outcome, Outcome::New(_)));
    let status = if any_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Reply::new(&Announced { subjects: ids }).status(status))
}

impl Row {
    fn event(self) -> Result<Event, String> {
        let mut facts = BTreeMap::new();
        for (name, value) in self.facts {
            let text = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(truth) => truth.to_string(),
                _ => {
                    return Err(format!("fact {name:?} is neither text nor a number; write it as text"));
                }
            };
            if name.starts_with(SCORE) {
                return Err(format!("fact {name:?} is a score; put it under `scores`"));
            }
            facts.insert(name, text);
        }
        for (model, score) in self.scores {
            facts.insert(format!("{SCORE}{model}"), score.to_string());
        }
        facts::normalise(&mut facts);
        let at_ms = match &self.at {
            None => WHEN_HEARD_MS,
            Some(at) => at
                .parse::<jiff::Timestamp>()
                .map_err(|_| format!("at is {at:?}; write a time as 2026-11-28T20:00:00Z"))?
                .as_millisecond(),
        };
        let validation = !self.truth.is_empty();
        let content = serde_json::to_vec(&(&facts, &self.truth, at_ms)).map_err(|e| e.to_string())?;
        let state = &blake3::hash(&content).to_hex()[..16];
        let digest = &blake3::hash(self.id.as_bytes()).to_hex()[..16];
        let key = Key { source: SOURCE.to_owned(), id: format!("subject/{digest}/{state}") };
        let kind = Kind::Subject { subject: self.id, validation, truth: self.truth, facts };
        let event = Event { key, at_ms, kind };
        event.check().map_err(|e| e.to_string())?;
        Ok(event)
    }
}

/// A subject. To `write` alone: id and facts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Subject {
    id: String,
    /// What was announced, without what is hidden.
    facts: BTreeMap<String, String>,
    /// Scores by model.
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<BTreeMap<String, String>>,
    /// What the votes say, workflow by workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    summaries: Option<Vec<Value>>,
}

/// A page of subjects.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubjectPage {
    subjects: Vec<Subject>,
    links: paging::Links,
}

const FIELDS: [&str; 4] = ["id", "facts", "scores", "summaries"];

/// Names that Zooniverse hides from volunteers, and those that a team may forget to hide.
fn is_hidden(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with(['#', '/'])
        || lower.starts_with("feedback")
        || ["score", "probability", "prediction", "truth", "answer", "gold", "training"]
            .iter()
            .any(|word| lower.contains(word))
}

impl Subject {
    fn of(card: &Card, summaries: Vec<String>, with_results: bool) -> Self {
        let mut facts = BTreeMap::new();
        let mut scores = BTreeMap::new();
        for (name, value) in &card.facts {
            match name.strip_prefix(SCORE) {
                Some(model) => {
                    scores.insert(model.to_owned(), value.clone());
                }
                None if with_results || !is_hidden(name) => {
                    facts.insert(name.clone(), value.clone());
                }
                None => {}
            }
        }
        let parsed = summaries.iter().filter_map(|text| serde_json::from_str(text).ok());
        Self {
            id: card.subject.clone(),
            facts,
            scores: with_results.then_some(scores),
            summaries: with_results.then(|| parsed.collect()),
        }
    }
}

/// List subjects
///
/// All that were announced or have votes, sorted by id.
#[utoipa::path(get, path = "/api/v1/subjects", tag = "subjects", security(("token" = ["read"])),
    params(paging::ListParams), responses((status = 200, body = SubjectPage)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    Reader(_): Reader,
    Params(params): Params<paging::ListParams>,
) -> Result<Reply, Problem> {
    let size = paging::size(params.page_size)?;
    let after: String = paging::parts(params.cursor.as_deref())?;
    let cards = app.live.cards_after(&after, size).await?;
    let last = cards.last().filter(|_| cards.len() == size as usize);
    let next = last.map(|card| paging::cursor(&card.subject));
    let mut items = subjects(&app, &cards, true).await?;
    choose(params.fields.as_deref(), &FIELDS, &mut items)?;
    let query = [("page_size", params.page_size.map(|n| n.to_string())), ("fields", params.fields)];
    Ok(Reply::new(&paging::page("subjects", items, "/api/v1/subjects", &query, next)))
}

async fn subjects(app: &Shared, cards: &[Card], with_results: bool) -> Result<Vec<Value>, Problem> {
    let mut summaries: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if with_results {
        let ids: Vec<String> = cards.iter().map(|card| card.subject.clone()).collect();
        for ([subject, ..], body) in app.live.summaries_of(&ids).await? {
            summaries.entry(subject).or_default().push(body);
        }
    }
    let of = |card: &Card| {
        let own = summaries.remove(&card.subject).unwrap_or_default();
        json!(Subject::of(card, own, with_results))
    };
    Ok(cards.iter().map(of).collect())
}

pub(crate) async fn card(app: &Shared, id: String) -> Result<Card, Problem> {
    let found = app.live.cards_of(std::slice::from_ref(&id)).await?.remove(&id);
    found.ok_or_else(|| Problem::not_found("no subject has this id"))
}

/// A subject
///
/// With `write` alone, as a volunteer may see it before voting: id and facts.
#[utoipa::path(get, path = "/api/v1/subjects/{id}", tag = "subjects", security(("token" = ["read"]), ("token" = ["write"])),
    params(("id" = String, Path)), responses((status = 200, body = Subject),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn one(
    State(app): State<Shared>,
    Either(asker): Either,
    Id(id): Id,
) -> Result<Reply, Problem> {
    let card = card(&app, id).await?;
    let items = subjects(&app, &[card], asker.may(Role::Read)).await?;
    Ok(Reply::new(&items[0]))
}

/// A vote on a subject.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Vote {
    classification_id: String,
    workflow_id: String,
    workflow_major: String,
    /// When it counts as made.
    at: String,
    /// After corrections, by task.
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    answers: Answers,
    corrected: bool,
    retracted: bool,
    /// For `admin` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    volunteer: Option<String>,
}

/// Votes on a subject.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Votes {
    votes: Vec<Vote>,
}

/// Votes on a subject
///
/// In canonical order, with corrections applied; those taken back are marked. Never for `write` alone.
#[utoipa::path(get, path = "/api/v1/subjects/{id}/votes", tag = "subjects", security(("token" = ["read"])),
    params(("id" = String, Path)), responses((status = 200, body = Votes),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn votes(
    State(app): State<Shared>,
    Reader(asker): Reader,
    Id(id): Id,
) -> Result<Reply, Problem> {
    card(&app, id.clone()).await?;
    let book = app.live.book(&id).await?;
    Ok(Reply::new(&Votes { votes: votes_of(&book, &asker) }))
}

fn votes_of(book: &Book, asker: &Asker) -> Vec<Vote> {
    let mut votes = Vec::new();
    for (strand, ballots) in book.ballots() {
        for ballot in ballots {
            let (at_ms, key) = &ballot.order;
            votes.push(Vote {
                classification_id: format!("{}/{}", key.source, key.id),
                workflow_id: strand.workflow.clone(),
                workflow_major: strand.major.clone(),
                at: time(*at_ms),
                answers: (*ballot.answers).clone(),
                corrected: ballot.corrected.is_some(),
                retracted: ballot.retracted,
                volunteer: asker.may(Role::Admin).then(|| ballot.actor.to_text()),
            });
        }
    }
    votes
}

/// Who asks for how many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NextParams {
    /// User id, or `anonymous:` and the digest of a session.
    volunteer: String,
    /// Subjects that a rule moved into this workflow; where none were, all that are open.
    workflow_id: Option<String>,
    /// 1 to 100; 10 if absent.
    n: Option<u32>,
}

/// What to show next.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NextSubjects {
    /// In the order in which to show them.
    subjects: Vec<Subject>,
}

/// What to show a volunteer next
///
/// Subjects that this volunteer has not voted on and that are not done.
#[utoipa::path(get, path = "/api/v1/subjects/next", tag = "subjects", security(("token" = ["write"])),
    params(NextParams), responses((status = 200, body = NextSubjects)))]
pub(crate) async fn next(
    State(app): State<Shared>,
    _: Writer,
    Params(params): Params<NextParams>,
) -> Result<Reply, Problem> {
    let n = params.n.unwrap_or(10);
    if !(1..=100).contains(&n) {
        return Err(Problem::bad_request(format!("n is {n}; use 1 to 100")));
    }
    let volunteer = super::actor(&params.volunteer);
    let ids = app.queue.next(&app.live, &volunteer, params.workflow_id.as_deref(), n).await?;
    let mut known = app.live.cards_of(&ids).await?;
    let cards: Vec<Card> = ids.iter().filter_map(|id| known.remove(id)).collect();
    // Bare for everybody, a token with more roles too: these go to people who have not voted.
    Ok(Reply::new(&json!({ "subjects": subjects(&app, &cards, false).await? })))
}
